"""Parts that several reports have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twintrack.catalog import licences
from twintrack.catalog.places import country_of
from twintrack.config import settings
from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.moment import moment
from twintrack.ledger.reports.form import UNKNOWN, Section, table
from twintrack.ledger.reports.gathered import Gathered, Place, Received


@dataclass(frozen=True, slots=True)
class Known:
    found: Gathered
    providers: Mapping[str, settings.Provider]
    """Of the configuration; empty: none was named."""


def all_received(known: Known) -> list[tuple[Place, Received]]:
    """What was only pretended was received by nobody."""
    places = [(place, received) for place, received in known.found.places.items() if not place.simulated]
    return sorted(places, key=lambda each: (each[0].zone, each[0].provider, each[0].deployment))


def recipients(known: Known, title: str) -> Section:
    rows = []
    for place, received in all_received(known):
        agreed = terms_of(known, place)
        rows.append(
            (
                place.provider,
                agreed["entity"],
                place.zone,
                place.region or UNKNOWN,
                agreed["storage"],
                agreed["retention"],
                agreed["trains"],
                agreed["dpa"],
                counted(received.classes),
                counted(received.categories),
                f"{received.attempts:,}",
            )
        )
    return Section(
        title=title,
        text="Terms are those the configuration states; what it does not state is unknown.",
        table=table(
            ("provider", "legal entity", "zone", "region", "stores in", "keeps", "trains on it", "DPA stated",
             "classes", "categories found", "attempts"),
            rows,
        ),
        none="No request in this time.",
    )  # fmt: skip


def measures(known: Known) -> Section:
    found = known.found
    privacy = (found.policy or {}).get("privacy", {})
    rows = [
        (name, ", ".join(rule.get("zones", ())) or "nobody", ", ".join(rule.get("regions", ())), _further(rule))
        for name, rule in sorted(privacy.items(), key=lambda each: _rung(each[0]))
    ]
    return Section(
        title="Measures (30(1)(g))",
        text="Who may see what is computed before anything is sent, and every attempt is recorded in a chain of "
        f"hashes. Of {found.requests:,} requests {found.read:,} were read for sensitive data; in {found.pseudonyms:,} "
        "values gave way to placeholders, which remain personal data. The newest policy:",
        table=table(("class", "zones", "regions", "further"), rows),
        none="What the policy says was not recorded.",
    )


def events(known: Known) -> Section:
    found = known.found
    rows = [
        (moment(e.at_us), f"erased: {e.what}, {e.entries:,} entries, {e.attempts:,} attempts") for e in found.erased
    ]
    rows += [(moment(r.at_us), f"restored: a backup made {r.made}") for r in found.restored]
    rows += [
        ("in this time", f"class lowered by operator {who}: {count:,} requests")
        for who, count in found.overrides.items()
    ]
    refused = counted(found.refused)
    rows += [("in this time", f"refused: {refused}")] if refused else []
    return Section(title="Events", table=table(("when", "what"), rows), none="None in this time.")


def terms_of(known: Known, place: Place) -> dict[str, str]:
    """As words. What the configuration says now, else what the newest policy recorded."""
    provider = known.providers.get(place.provider)
    said = provider.terms if provider is not None else None
    if said is not None:
        return {
            "entity": said.entity or UNKNOWN,
            "storage": said.storage_region or place.region or UNKNOWN,
            "retention": "0 days" if said.zdr else _days(said.retention_days),
            "trains": _yes(said.trains_on_data),
            "dpa": _yes(said.dpa),
            "baa": _yes(said.baa),
            "persons": ", ".join(said.persons) or UNKNOWN,
            "evidence": said.evidence or "not stated",
            "verified": said.verified_on or "not stated",
            "expires": said.expires_on or "not stated",
        }
    recorded = next(
        (
            d.get("terms")
            for d in (known.found.policy or {}).get("deployments", ())
            if d.get("name") == place.deployment
        ),
        None,
    )
    own = place.zone == "own"
    if recorded is None:
        words = dict.fromkeys(("entity", "retention", "trains", "persons"), "you" if own else UNKNOWN)
        words |= {"persons": UNKNOWN, "storage": place.region or UNKNOWN, "dpa": "" if own else "no", "baa": "no"}
        return words | dict.fromkeys(("evidence", "verified", "expires"), "" if own else "not stated")
    return {
        "entity": UNKNOWN,
        "storage": recorded["storage_region"] or place.region or UNKNOWN,
        "retention": _days(recorded["retention_days"] if recorded["retention_days"] >= 0 else None),
        "trains": _yes(recorded["trains_on_data"]),
        "dpa": _yes(recorded["dpa"]),
        "baa": _yes(recorded["baa"]),
        "persons": ", ".join(recorded["persons"]) or UNKNOWN,
        **dict.fromkeys(("evidence", "verified", "expires"), "not stated"),
    }


def _yes(said: bool | None) -> str:
    return UNKNOWN if said is None else "yes" if said else "no"


def _days(days: int | None) -> str:
    return UNKNOWN if days is None else f"{days} days"


def country(region: str) -> str:
    return (country_of(region) if region else None) or UNKNOWN


def counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()) if count)


def by_class(route: str, count: Counter[str]) -> Sequence[str]:
    return (route, *(f"{count[name]:,}" for name in DATA_CLASSES))


def _rung(name: str) -> int:
    return DATA_CLASSES.index(name) if name in DATA_CLASSES else len(DATA_CLASSES)


def _further(rule: Mapping[str, Any]) -> str:
    words = []
    if rule.get("providers", ["*"]) != ["*"]:
        words.append(f"providers {', '.join(rule['providers'])}")
    if rule.get("max_retention_days", -1) >= 0:
        words.append(f"kept at most {rule['max_retention_days']} days")
    words += [word for name, word in (("no_training", "no training"), ("baa", "BAA"), ("dpa", "DPA")) if rule.get(name)]
    if rule.get("persons"):
        words.append(f"persons {', '.join(rule['persons'])}")
    return ", ".join(words)


def models_of(known: Known, route: str) -> set[str]:
    tiers = next(
        (r.get("tiers", ()) for r in (known.found.policy or {}).get("routes", ()) if r.get("name") == route), ()
    )
    deployments = (known.found.policy or {}).get("deployments", ())
    numbers = {number for tier in tiers for number in tier.get("deployments", ())}
    return {each["model"] for number, each in enumerate(deployments) if number in numbers and "model" in each}


def configured(known: Known) -> set[str]:
    return {each["model"] for each in (known.found.policy or {}).get("deployments", ()) if "model" in each}


def policy_of(model: str) -> str:
    """The text on forbidden uses that its licence brings along."""
    text = licences.find(model).licence
    return UNKNOWN if text is None else text.policy or "none beside the licence"
