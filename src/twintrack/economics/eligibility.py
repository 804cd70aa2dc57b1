"""What may not be used, and why: capability, licence, regime and residency. Each objection is a sentence with its
source; what nobody knows never counts as allowed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Literal

import msgspec

from twintrack.catalog import models, permission, regimes
from twintrack.catalog.permission import Purpose
from twintrack.catalog.places import country_of, members
from twintrack.catalog.providers import Zone
from twintrack.catalog.regimes import Demand
from twintrack.economics.inputs import BadWorkload
from twintrack.economics.workload import Needs
from twintrack.errors import BadRequest

Ground = Literal["capability", "quality", "licence", "regime", "residency", "latency", "memory"]


class RuledOut(msgspec.Struct, frozen=True):
    model: str
    """Empty: any."""
    where: str
    """Provider or GPU; empty: wherever it runs."""
    ground: Ground
    why: str
    source: str = ""


def model_objections(name: str, needs: Needs, longest_tokens: float, least_quality: float) -> list[RuledOut]:
    """What speaks against a model wherever it runs."""
    model = models.find(name)
    if model is None:
        return []
    found = list(_capability(model, needs, longest_tokens))
    if model.quality < least_quality:
        found.append(
            RuledOut(
                name,
                "",
                "quality",
                f"quality {model.quality:g} is below {least_quality:g}",
                f"a judgement of the catalogue and no measurement, {model.as_of}: {model.quality_why}",
            )
        )
    return found


def licence_objection(name: str, needs: Needs, most_users: float) -> tuple[RuledOut | None, tuple[str, ...]]:
    """Whether the weights may be run for this use; and the duties, where they may.

    Args:
        most_users: monthly, where the needs do not say them: no more people than requests can ask.
    """
    finding = _checked(
        name,
        Purpose(
            use=needs.use,
            users_now=round(most_users if needs.users_now is None else needs.users_now),
            revenue_usd_month=needs.revenue_usd_month,
            domicile=needs.domicile,
            fields=needs.fields_of_use,
            trains_on_outputs=needs.trains_on_outputs,
        ),
    )
    if permission.eligible(finding):
        return None, tuple(duty.text for duty in finding.duties)
    why = "; ".join(f"{ground.text} ({ground.clause})" for ground in finding.grounds)
    asks = "; ".join(f"say {each.ask}" for each in finding.missing)
    words = finding.verdict.replace("_", " ")
    return RuledOut(name, "", "licence", f"{words}: {why or asks or 'nobody has read it'}", finding.url), ()


def _checked(name: str, purpose: Purpose) -> permission.Finding:
    try:
        return permission.check(name, purpose)
    except BadRequest as error:
        raise BadWorkload(f"needs: {error.what}", why=error.why, fix=error.fix) from None


def place_objections(provider: str, zone: Zone, needs: Needs, on: datetime.date) -> list[RuledOut]:
    """What speaks against a place, whatever the model: zones, regimes and regions."""
    found = []
    if needs.zones and zone not in needs.zones:
        found.append(RuledOut("", provider, "residency", f"its zone is {zone}, allowed are {', '.join(needs.zones)}"))
    return [*found, *_residency(provider, zone, needs), *_regimes(provider, zone, needs, on)]


def contracts(provider: str, zone: Zone, needs: Needs, on: datetime.date) -> tuple[str, ...]:
    """What has to be done before a place may be used."""
    return tuple(
        f"{demand.regime}: {demand.why}"
        for demand in _demands(provider, zone, needs, on)
        if demand.verdict == "needs" or (zone == "own" and demand.verdict == "met" and demand.why.startswith("your"))
    )


def _regimes(provider: str, zone: Zone, needs: Needs, on: datetime.date) -> Iterator[RuledOut]:
    for demand in _demands(provider, zone, needs, on):
        if demand.verdict in ("not_met", "unknown"):
            fix = f" {demand.fix}." if demand.fix else ""
            yield RuledOut(
                "", provider, "regime", f"{demand.regime} ({demand.clause}): {demand.why}.{fix}", demand.source
            )


def _demands(provider: str, zone: Zone, needs: Needs, on: datetime.date) -> tuple[Demand, ...]:
    if not needs.regimes:
        return ()
    region = needs.regions[0] if needs.regions else ""
    return regimes.demands(
        needs.regimes,
        zone=zone,
        provider="" if zone == "own" else provider,
        region=region,
        signed=needs.signed,
        on=on.isoformat(),
    )


def _residency(provider: str, zone: Zone, needs: Needs) -> Iterator[RuledOut]:
    """A provider keeps data where it is asked to only if it is known to offer a region there."""
    if zone == "own":
        return
    for region in needs.regions:
        country = country_of(region) or region
        offered = regimes.terms()[provider].offers if provider in regimes.terms() else {}
        inside = [offer for union, offer in (("EU", "eu_region"), ("USA", "us_region"))
                  if country in (union, *members(union))]  # fmt: skip
        if not any(offered.get(offer) for offer in inside):  # type: ignore[call-overload]
            yield RuledOut("", provider, "residency", f"it is not known to keep data in {region}",
                regimes.terms()[provider].source if provider in regimes.terms() else "",
            )  # fmt: skip


def _capability(model: models.Model, needs: Needs, longest_tokens: float) -> Iterator[RuledOut]:
    longest = max(longest_tokens, needs.context_tokens)
    if model.context_tokens < longest:
        yield RuledOut(
            model.name, "", "capability", f"window of {model.context_tokens:,} tokens, {longest:,.0f} are needed",
            model.source,
        )  # fmt: skip
    missing = [each for each in needs.modalities if each not in model.modalities]
    if missing:
        yield RuledOut(model.name, "", "capability", f"does not take {' or '.join(missing)}", model.source)
    if needs.tools and not model.tools:
        yield RuledOut(model.name, "", "capability", "does not call tools", model.source)
