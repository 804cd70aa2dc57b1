"""The numbers of a plan: what each means, what makes sense, and where its value comes from."""

from __future__ import annotations

import functools
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.errors import TwintrackError, nearest

Origin = Literal["assumed", "stated", "measured"]
"""assumed: nobody said; stated: somebody did; measured: counted in a log, an invoice or a ledger."""

MEASURED_SPREAD = 0.03
"""How far off a measured number is taken to be next month, as a share (80 %)."""


class Spec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of inputs.toml."""

    name: str
    section: str
    unit: str
    what: str
    mid: float
    low: float | None = None
    high: float | None = None
    least: float
    most: float
    stated_spread: float
    source: str


class Input(msgspec.Struct, frozen=True):
    name: str
    value: float
    low: float
    """10 % of what it may turn out to be lies below."""
    high: float
    unit: str
    origin: Origin
    source: str


class BadWorkload(TwintrackError):
    """A workload that contradicts itself or makes no sense; says the field and the sensible range."""

    code = "bad_workload"
    exit_code = 2


@functools.cache
def specs() -> Mapping[str, Spec]:
    with open(os.path.join(os.path.dirname(__file__), "inputs.toml"), "rb") as file:
        rows = msgspec.convert(tomllib.load(file)["inputs"], tuple[Spec, ...])
    return MappingProxyType({row.name: row for row in rows})


@dataclass(frozen=True, slots=True)
class Range:
    """What a workload file may say instead of one number."""

    value: float
    low: float | None
    high: float | None


def assumed(name: str) -> Input:
    spec = specs()[name]
    low = spec.mid if spec.low is None else spec.low
    high = spec.mid if spec.high is None else spec.high
    return Input(name, spec.mid, low, high, spec.unit, "assumed", spec.source)


def given(name: str, value: object, *, origin: Origin = "stated", source: str = "") -> Input:
    """An input somebody gave: a number, or a table with value, low and high.

    Raises:
        BadWorkload: not a number, or none that makes sense.
    """
    spec = specs()[name]
    where = f"{spec.section}.{name}"
    said = _range(where, value, spec)
    for number in (said.value, said.low, said.high):
        if number is not None and not spec.least <= number <= spec.most:
            raise BadWorkload(
                f"{where} is {_plain(number)}",
                why=f"it is {spec.what}",
                fix=f"Use {spec.unit} from {_plain(spec.least)} to {_plain(spec.most)}",
            )
    spread = MEASURED_SPREAD if origin == "measured" else spec.stated_spread
    low = said.value - abs(said.value) * spread if said.low is None else said.low
    high = said.value + abs(said.value) * spread if said.high is None else said.high
    if not low <= said.value <= high:
        raise BadWorkload(
            f"{where}: value {_plain(said.value)} is not between low {_plain(low)} and high {_plain(high)}"
        )
    return Input(
        name, said.value, max(low, spec.least), min(high, spec.most), spec.unit, origin, source or "your workload"
    )


def _range(where: str, value: object, spec: Spec) -> Range:
    if isinstance(value, dict):
        unknown = set(value) - {"value", "low", "high"}
        if unknown or "value" not in value:
            raise BadWorkload(f"{where} is {value!r}", fix="Use a number, or { value = …, low = …, high = … }")
        return Range(
            _number(where, value["value"], spec),
            *(None if value.get(end) is None else _number(where, value[end], spec) for end in ("low", "high")),
        )
    return Range(_number(where, value, spec), None, None)


def _number(where: str, value: object, spec: Spec) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadWorkload(
            f"{where} is {value!r}, which is no number",
            fix=f"Use {spec.unit} from {_plain(spec.least)} to {_plain(spec.most)}",
        )
    return float(value)


def _plain(number: float) -> str:
    return f"{number:,.10g}"


def unknown_word(word: str, known: list[str], where: str) -> BadWorkload:
    close = nearest(word, known, 1)
    return BadWorkload(
        f"{where}.{word} is not known" if where else f"{word} is not known",
        fix=f"Did you mean {close[0]}?" if close else f"Use {', '.join(known)}",
    )
