"""The layouts that usage comes in, as rows of formats.toml."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Mapping

import msgspec


class Format(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    needs: tuple[tuple[str, ...], ...]
    time: tuple[str, ...]
    model: tuple[str, ...]
    requests: tuple[str, ...] = ()
    input: tuple[str, ...]
    output: tuple[str, ...]
    cached: tuple[str, ...] = ()
    more_input: tuple[str, ...] = ()
    cached_apart: bool = False
    row_is_request: bool = False
    """Where no column counts requests."""
    spent: tuple[str, ...] = ()
    source: str
    as_of: str


class Invoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    needs: tuple[tuple[str, ...], ...]
    time: tuple[str, ...]
    text: tuple[str, ...]
    quantity: tuple[str, ...]
    unit: tuple[str, ...] = ()
    spent: tuple[str, ...]
    tokens: float
    source: str
    as_of: str


@functools.cache
def _document() -> Mapping[str, object]:
    with open(os.path.join(os.path.dirname(__file__), "formats.toml"), "rb") as file:
        return tomllib.load(file)


@functools.cache
def formats() -> tuple[Format, ...]:
    return msgspec.convert(_document()["formats"], tuple[Format, ...])


@functools.cache
def invoices() -> tuple[Invoice, ...]:
    return msgspec.convert(_document()["invoices"], tuple[Invoice, ...])


def of(columns: Mapping[str, str]) -> Format | Invoice | None:
    """The first layout whose columns are all there.

    Args:
        columns: lower-case name to the file's own.
    """
    layouts: tuple[Format | Invoice, ...] = (*formats(), *invoices())
    for layout in layouts:
        if all(any(name.lower() in columns for name in one_of) for one_of in layout.needs):
            return layout
    return None


def layout_names() -> list[str]:
    return [*(each.name for each in formats()), *(each.name for each in invoices())]
