"""Legal texts that reports follow: frameworks.toml."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    what: str
    address: str
    checked: Literal["official", "copy", "recalled"]
    as_of: str
    """YYYY-MM-DD."""


class Framework(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    title: str
    not_this: str
    """What the report is, and what it is not."""
    blanks: tuple[str, ...]
    """To be filled in by hand."""
    sources: tuple[Source, ...]


@functools.cache
def frameworks() -> Mapping[str, Framework]:
    return MappingProxyType({row.name: row for row in facts.rows("frameworks.toml", "frameworks", Framework)})
