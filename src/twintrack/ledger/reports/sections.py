"""The reports: from what the chain, the catalogue and the configuration know to sections, a function each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from twintrack.catalog import architectures, models
from twintrack.catalog.places import members
from twintrack.catalog.regimes import terms as offered
from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.moment import moment
from twintrack.ledger.reports.form import UNKNOWN, Section, table
from twintrack.ledger.reports.gathered import day
from twintrack.ledger.reports.parts import (
    Known,
    all_received,
    by_class,
    configured,
    country,
    events,
    measures,
    models_of,
    policy_of,
    recipients,
    terms_of,
)


def gdpr(known: Known) -> tuple[Section, ...]:
    found = known.found
    outside = [(place, received) for place, received in all_received(known) if place.zone != "own"]
    transfers = [
        (
            place.provider,
            place.region or UNKNOWN,
            country(place.region),
            terms_of(known, place)["dpa"],
            f"{received.attempts:,}",
        )
        for place, received in outside
        if country(place.region) not in members("EEA")
    ]
    return (
        Section(
            title="Categories of data (30(1)(c))",
            text="By class, as label, key, route and findings made it; by category, what detectors found.",
            table=table(
                ("route", *DATA_CLASSES), [by_class(route, count) for route, count in sorted(found.routes.items())]
            ),
            none="No request in this time.",
        ),
        recipients(known, "Recipients (30(1)(d))"),
        Section(
            title="Transfers outside the EEA (30(1)(e))",
            text="A region that is not known is listed, since it may lie anywhere.",
            table=table(("provider", "region", "country", "DPA stated", "attempts"), transfers),
            none="None: every recipient beyond your own machines is in a country of the EEA.",
        ),
        Section(
            title="Erasure (30(1)(f))",
            text="The ledger holds no text of prompts and answers. Nothing in it is deleted by itself; "
            "`twintrack privacy erase` removes what leads to a key, a tenant or a request.",
            table=table(
                ("when", "what", "entries", "attempts"),
                [(moment(e.at_us), e.what, f"{e.entries:,}", f"{e.attempts:,}") for e in found.erased],
            ),
            none="Nothing was erased in this time.",
        ),
        measures(known),
    )


def article_50(known: Known) -> tuple[Section, ...]:
    found = known.found
    return (
        Section(
            title="Systems that people may meet",
            text="A route is a name under which applications ask for answers; which system that is, is yours to say.",
            table=table(
                ("route", "attempts", "models behind it"),
                [
                    (route, f"{sum(count.values()):,}", ", ".join(sorted(models_of(known, route))) or UNKNOWN)
                    for route, count in sorted(found.routes.items())
                ],
            ),
            none="No request in this time.",
        ),
        Section(
            title="Marking of what was generated (50(2))",
            text="The gateway passes on what models write and marks nothing in it. Answers carry the headers "
            "x-twintrack-id and x-twintrack-model, by which the application can know what made them.",
        ),
    )


def annex_xii(known: Known) -> tuple[Section, ...]:
    rows = []
    for name in sorted({place.model for place in known.found.places} | configured(known)):
        model = models.find(name)
        if model is None:
            rows.append((name, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, "not in the catalogue"))
            continue
        architecture = architectures.find(model.weights) if model.weights else None
        size = UNKNOWN if architecture is None else f"{architecture.total_b:g} B ({architecture.active_b:g} B active)"
        kind = UNKNOWN if architecture is None else "dense" if architecture.dense else f"{architecture.experts} experts"
        rows.append(
            (
                name,
                f"{kind}, {size}" if architecture is not None else UNKNOWN,
                ", ".join(model.modalities),
                f"{model.context_tokens:,} tokens",
                model.licence,
                policy_of(name),
                f"{model.source} ({model.as_of})",
            )
        )
    return (
        Section(
            title="Models",
            text="Architecture and size (1(f)), inputs (1(g)), their size (2(b)), licence (1(h)), use (1(b)).",
            table=table(
                ("model", "architecture and size", "inputs", "window", "licence", "acceptable use", "source"), rows
            ),
            none="No model answered in this time, and none is configured.",
        ),
        Section(
            title="Means of integration (2(a))",
            text="OpenAI chat completions, Responses and embeddings, Anthropic messages, all over HTTP.",
        ),
    )


def hipaa(known: Known) -> tuple[Section, ...]:
    rows = []
    for place, received in all_received(known):
        agreed = terms_of(known, place)
        offer = offered().get(place.provider)
        may = UNKNOWN if offer is None or "baa" not in offer.offers else "yes" if offer.offers["baa"] else "no"
        rows.append(
            (
                place.provider,
                place.deployment,
                place.zone,
                "not needed" if place.zone == "own" else agreed["baa"],
                may if place.zone != "own" else "",
                agreed["evidence"],
                agreed["verified"],
                agreed["expires"],
                f"{received.categories['phi']:,}",
                f"{received.attempts:,}",
            )
        )
    missing = sum(received.categories["phi"] for place, received in all_received(known)
                  if place.zone != "own" and terms_of(known, place)["baa"] != "yes")  # fmt: skip
    found = known.found
    return (
        Section(
            title="Who received what",
            text=f"Attempts with health information found, at providers without a stated agreement: {missing:,}. Of "
            f"{found.requests:,} requests {found.requests - found.read:,} were not read: what they held is not known.",
            table=table(
                ("provider", "deployment", "zone", "BAA stated", "BAA offered", "evidence", "verified", "expires",
                 "with PHI found", "attempts"),
                rows,
            ),
            none="No request in this time.",
        ),
        events(known),
    )  # fmt: skip


def sox(known: Known) -> tuple[Section, ...]:
    versions = known.found.versions
    changed = [(version.version, change) for version in versions for change in version.changes]
    return (
        Section(
            title="Versions of the policy",
            text="A version is the digest of all that decides: deployments, routes, keys and rules. Times are those at "
            "which the first worker served it.",
            table=table(
                ("version", "began", "ended", "changes", "content recorded"),
                [
                    (
                        each.version,
                        day(each.began_us),
                        day(each.ended_us) if each.ended_us is not None else "serves",
                        str(len(each.changes)) if each.recorded else UNKNOWN,
                        "yes" if each.recorded else "no",
                    )
                    for each in versions
                ],
            ),
            none="No version served in this time.",
        ),
        Section(
            title="What changed",
            table=table(("version", "change"), changed),
            none="Nothing changed in this time.",
        ),
        events(known),
    )


def export_control(known: Known) -> tuple[Section, ...]:
    rows = []
    for place, received in all_received(known):
        agreed = terms_of(known, place)
        rows.append(
            (
                place.provider,
                place.deployment,
                place.zone,
                place.region or UNKNOWN,
                country(place.region),
                agreed["persons"],
                f"{received.categories['export']:,}",
                *(f"{received.classes[name]:,}" for name in DATA_CLASSES),
            )
        )
    return (
        Section(
            title="Where each class went",
            text="With a marking found: attempts of requests in which detectors found a marking of export control.",
            table=table(
                ("provider", "deployment", "zone", "region", "country", "persons with access", "with a marking found",
                 *DATA_CLASSES),
                rows,
            ),
            none="No request in this time.",
        ),
        events(known),
    )  # fmt: skip


REPORTS: Final[Mapping[str, Callable[[Known], tuple[Section, ...]]]] = {
    "gdpr-art30": gdpr,
    "ai-act-art50": article_50,
    "ai-act-annex-xii": annex_xii,
    "hipaa": hipaa,
    "sox": sox,
    "export-control": export_control,
}
"""By name in frameworks.toml."""
