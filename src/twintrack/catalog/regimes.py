"""Laws and regimes as rules over who serves a model, where, and under which terms: regimes.toml and terms.toml."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts
from twintrack.catalog.places import country_of, members
from twintrack.catalog.providers import Zone
from twintrack.errors import BadRequest, nearest

Offer = Literal["dpa", "baa", "soc2", "scc", "adequacy", "us_persons", "zero_retention", "eu_region", "us_region"]
"""dpa: a data processing agreement. baa: a business associate agreement. scc: standard contractual clauses. adequacy: \
certified under the EU-US Data Privacy Framework. us_persons: only US persons have access."""


class Milestone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    day: str
    """YYYY-MM-DD from which it holds."""
    what: str
    words: tuple[str, ...]
    """Patterns of words by which a text means it."""
    source: str
    as_of: str


class Regime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    title: str
    names: tuple[str, ...]
    needs: tuple[Offer, ...]
    places: tuple[str, ...]
    """Unions, or countries by ISO 3166 alpha-3; empty: anywhere."""
    places_or: tuple[Offer, ...] = ()
    """Any of these stands in for the place."""
    own_needs: tuple[str, ...]
    clause: str
    note: str = ""
    source: str
    as_of: str
    milestones: tuple[Milestone, ...] = ()


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a provider offers by contract. Having it is another thing: that is for the contract to say."""

    provider: str
    offers: dict[Offer, bool] = {}
    """Not named: not known."""
    trains_on_data: bool | None = None
    """By default, on what comes through the paid API; None: not known."""
    retention_days: int | None = None
    note: str = ""
    checked: Literal["read", "recalled"]
    source: str
    as_of: str


class Demand(msgspec.Struct, frozen=True):
    """What a regime asks of one way to serve a model."""

    regime: str
    verdict: Literal["met", "needs", "not_met", "unknown"]
    """needs: it can be had by contract, and you have to make it."""
    why: str
    fix: str
    clause: str
    source: str
    as_of: str


@functools.cache
def regimes() -> Mapping[str, Regime]:
    return MappingProxyType({row.name: row for row in facts.rows("regimes.toml", "regimes", Regime)})


@functools.cache
def terms() -> Mapping[str, Terms]:
    """By name in providers.toml."""
    return MappingProxyType({row.provider: row for row in facts.rows("terms.toml", "terms", Terms)})


def demands(
    names: Iterable[str],
    *,
    zone: Zone,
    provider: str = "",
    region: str = "",
    signed: Iterable[Offer] = (),
    on: str,
) -> tuple[Demand, ...]:
    """What each regime asks of a model served in `zone` by `provider` in `region`.

    Args:
        zone: own machines ask for no contract, only for what you have to do yourself.
        region: a cloud's region or a country, by its code; empty: not said.
        signed: agreements you have.
        on: YYYY-MM-DD; milestones that lie later are said to.
    Raises:
        BadRequest: there is no such regime.
    """
    found: list[Demand] = []
    for name in names:
        regime = regimes().get(name)
        if regime is None:
            close = nearest(name, regimes(), 1)
            fix = f"Did you mean {close[0]}?" if close else f"There are {', '.join(regimes())}"
            raise BadRequest(f"There is no regime {name!r}", fix=fix, param="regimes")
        found.extend(_demands(regime, zone, provider, region, frozenset(signed), on))
    return tuple(found)


def eligible(found: Iterable[Demand]) -> bool:
    """Nothing is unmet, and nothing is unknown."""
    return all(demand.verdict in ("met", "needs") for demand in found)


def _demands(regime: Regime, zone: Zone, provider: str, region: str, signed: frozenset[Offer], on: str) -> list[Demand]:
    found = []
    if zone != "own":
        offered = terms()[provider].offers if provider in terms() else {}
        found = [_offer(regime, need, offered, signed, provider or "this provider") for need in regime.needs]
        if regime.places:
            found.append(_place(regime, region, offered, signed))
    elif regime.places:
        found.append(_place(regime, region, {}, signed))
    later = [each for each in regime.milestones if each.day > on]
    for each in later:
        found.append(_demand(regime, "met", f"from {each.day}: {each.what}", "", each.source, each.as_of))
    if not found or zone == "own":
        found.append(_demand(regime, "met", "your own duties: " + "; ".join(regime.own_needs), ""))
    return found


_WORDS: Mapping[Offer, str] = {
    "dpa": "a data processing agreement",
    "baa": "a business associate agreement",
    "soc2": "a report on its controls (SOC 1 or 2)",
    "scc": "standard contractual clauses",
    "adequacy": "certification under the Data Privacy Framework",
    "us_persons": "access by US persons only",
    "zero_retention": "no retention",
    "eu_region": "a region in the EU",
    "us_region": "a region in the United States",
}


def _offer(
    regime: Regime, need: Offer, offered: Mapping[Offer, bool], signed: frozenset[Offer], provider: str
) -> Demand:
    words = _WORDS[need]
    if need in signed:
        return _demand(regime, "met", f"you have {words}", "")
    match offered.get(need):
        case True:
            return _demand(regime, "needs", f"{provider} offers {words}; you have to make it", "Sign it, and say so")
        case False:
            return _demand(
                regime, "not_met", f"{provider} does not offer {words}", "Choose another provider or own machines"
            )
    return _demand(
        regime, "unknown", f"whether {provider} offers {words} is not known", "Ask, and say that it is signed"
    )


def _place(regime: Regime, region: str, offered: Mapping[Offer, bool], signed: frozenset[Offer]) -> Demand:
    where = ", ".join(regime.places)
    country = country_of(region) if region else None
    if country is not None and any(country == place or country in members(place) for place in regime.places):
        return _demand(regime, "met", f"{region} lies in {where}", "")
    instead = [need for need in regime.places_or if need in signed or offered.get(need)]
    if instead:
        verdict: Literal["met", "needs"] = "met" if any(need in signed for need in instead) else "needs"
        return _demand(regime, verdict, f"outside {where} it takes {_WORDS[instead[0]]}", "Sign it, and say so")
    if country is None:
        why = f"the region {region!r} is not known" if region else "the region is not said"
        return _demand(regime, "unknown", f"{why}; data have to stay in {where}", "Say the region")
    return _demand(regime, "not_met", f"{region} lies in {country}, not in {where}", f"Choose a region in {where}")


def _demand(
    regime: Regime,
    verdict: Literal["met", "needs", "not_met", "unknown"],
    why: str,
    fix: str,
    source: str = "",
    as_of: str = "",
) -> Demand:
    return Demand(regime.name, verdict, why, fix, regime.clause, source or regime.source, as_of or regime.as_of)
