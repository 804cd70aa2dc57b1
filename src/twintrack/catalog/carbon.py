"""Emissions: how clean electricity is, what making the hardware cost, and what others say a prompt takes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts
from twintrack.catalog.facts import Figure
from twintrack.catalog.places import regions


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    place: str
    """Country by ISO 3166 alpha-3, or cloud/region."""
    title: str = ""
    country: str = ""
    """Of a cloud region."""
    g_co2e_per_kwh: float
    """Location-based: the mix that is fed in there, over a year."""
    year: int | None = None
    """None: the source does not say."""
    source: str
    as_of: str
    """YYYY-MM-DD, when the source was read."""


class PublishedEnergy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody says a prompt takes. Figures of different scope are never compared."""

    system: str
    scope: Literal["gpu", "full_stack", "unknown"]
    """full_stack: with host, idle machines and cooling."""
    wh_per_prompt: float
    dated: str
    """YYYY-MM."""
    measured: bool
    note: str
    source: str
    as_of: str


@functools.cache
def grids() -> Mapping[str, Grid]:
    """By country and by cloud/region."""
    return MappingProxyType({row.place: row for row in facts.lines("grids.json", Grid)})


def grid(place: str) -> Grid | None:
    """By ISO code (DEU), name (Germany) or cloud/region (gcp/europe-west3; aws/eu-central-1 has its country's)."""
    found = grids().get(place) or _by_title().get(place.lower()) or grids().get(place.upper())
    if found is None and (region := regions().get(place.lower())) is not None:
        found = grids().get(region)
    return found


@functools.cache
def embodied() -> Mapping[str, Figure]:
    """What making a server costs, and for how long it serves."""
    return MappingProxyType({row.name: row for row in facts.rows("energy.toml", "embodied", Figure)})


@functools.cache
def overhead() -> Mapping[str, Figure]:
    """What is spent beside the GPU: power usage effectiveness by provider (`pue`, `pue_google` …), host."""
    return MappingProxyType({row.name: row for row in facts.rows("energy.toml", "overhead", Figure)})


@functools.cache
def published_energy() -> tuple[PublishedEnergy, ...]:
    return facts.rows("energy.toml", "published", PublishedEnergy)


@functools.cache
def _by_title() -> Mapping[str, Grid]:
    return {row.title.lower(): row for row in grids().values() if row.title}
