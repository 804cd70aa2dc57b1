"""Who can be asked, and how: address, dialect, key variable and data terms of known providers and local servers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts

Zone = Literal["own", "contracted", "third_party"]
"""Who sees the data: your machines, a third party under terms you checked, or any third party."""
DialectName = Literal["openai", "anthropic"]


class Provider(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    kind: Literal["managed", "local"]
    """local: a server program that runs wherever you put it."""
    url: str
    """Base address; of a local server, where it listens unless told otherwise."""
    dialects: tuple[DialectName, ...] = ("openai",)
    key_env: str = ""
    """The variable its own SDK reads; empty: no key by default."""
    zone: Zone
    """Managed ones are third parties until you say otherwise in the configuration."""
    region: str = ""
    """Empty: not a property of the address but of your contract."""
    price_list: str = ""
    """Its name in genai-prices; empty: no list prices."""
    serves_weights: bool = False
    """It calls a model by the repository of its weights."""
    note: str = ""
    source: str
    as_of: str
    """YYYY-MM-DD."""


@functools.cache
def providers() -> Mapping[str, Provider]:
    """Known rows by name, in the file's order."""
    return MappingProxyType({row.name: row for row in facts.rows("providers.toml", "providers", Provider)})


def find(name: str) -> Provider | None:
    return providers().get(name)
