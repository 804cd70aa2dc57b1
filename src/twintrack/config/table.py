"""What every part of a configuration file is made of: tables that refuse unknown words, quantities, classes of data."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from twintrack.catalog.providers import Zone as Zone

DataClass = Literal["public", "internal", "confidential", "restricted"]
DATA_CLASSES: tuple[DataClass, ...] = ("public", "internal", "confidential", "restricted")
"""The ladder, least sensitive first; a label can only raise a request on it."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Usd = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Joules = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000)]
Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]

CATEGORIES = ("pii", "phi", "financial", "secret", "export")
"""What findings are of; rules of your own may add words."""
PSEUDONYMS = ("pii", "person", "financial", "secret")
"""Categories that are replaced where a route says true."""

ZONES: tuple[Zone, ...] = ("own", "contracted", "third_party")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any of them."""
