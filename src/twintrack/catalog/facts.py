"""Reads the data files of this room. They ship with the package, so a fault in one is a fault of the program."""

from __future__ import annotations

import os
from typing import TypeVar

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
