"""Where things are: the regions of clouds, and the countries of a union."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from twintrack.catalog import facts


class _Country(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    country: str
    """ISO 3166 alpha-3."""
    regions: tuple[str, ...]


class _Union(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    members: tuple[str, ...]
    """ISO 3166 alpha-2 and alpha-3."""
    source: str
    as_of: str


@functools.cache
def regions() -> Mapping[str, str]:
    """Country (ISO 3166 alpha-3) of each cloud/region."""
    return {name: row.country for row in facts.rows("regions.toml", "countries", _Country) for name in row.regions}


@functools.cache
def members(union: str) -> frozenset[str]:
    """Countries of a union, by their codes of two and of three letters; empty: no such union."""
    rows = facts.rows("regions.toml", "unions", _Union)
    return frozenset(code for row in rows if row.name == union for code in row.members)


def country_of(region: str) -> str | None:
    """Country (ISO 3166 alpha-3) of `aws/eu-central-1`, `eu-central-1` or a country's own code; None: unknown."""
    name = region.lower()
    found = regions().get(name)
    if found is None and "/" not in name:
        found = next((country for each, country in regions().items() if each.partition("/")[2] == name), None)
    if found is None and region.upper() in set(regions().values()):
        found = region.upper()
    return found
