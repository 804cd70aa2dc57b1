"""Reads the data files of this room. They ship with the package, so a fault in one is a fault of the program."""

from __future__ import annotations

import os
from typing import Literal, TypeVar

import msgspec

_FOLDER = os.path.dirname(__file__)
_Row = TypeVar("_Row")


def data_path(name: str) -> str:
    return os.path.join(_FOLDER, name)


def rows(name: str, table: str, row: type[_Row]) -> tuple[_Row, ...]:
    """All `[[table]]` of the TOML file `name`, in its order."""
    import tomllib  # 2 ms that a worker, which reads no TOML, does not spend

    with open(data_path(name), "rb") as file:
        document = tomllib.load(file)
    return msgspec.convert(document.get(table, []), tuple[row, ...])  # type: ignore[valid-type]


def lines(name: str, row: type[_Row]) -> tuple[_Row, ...]:
    """All rows of the JSON file `name`, one a line: for tables so long that TOML would take tens of milliseconds."""
    with open(data_path(name), "rb") as file:
        return msgspec.json.decode(file.read(), type=tuple[row, ...])  # type: ignore[valid-type]


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A number nobody knows exactly: a default to be replaced by one's own."""

    name: str
    low: float
    mid: float
    high: float
    unit: str
    confidence: Literal["measured", "published", "secondary", "assumed"]
    what: str
    source: str
    as_of: str
    """YYYY-MM-DD."""
