"""How much the detectors find, as measured: measured.toml, for whoever asks what they may have missed."""

from __future__ import annotations

import functools
import math
from importlib import resources
from typing import Final

import msgspec

from twintrack.signals.sensitivity.measure import rate

_Z: Final = 1.959964


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of documents that hold something of a category, how many were found to."""

    category: str
    documents: int
    found: int
    data: str
    by_outsiders: bool
    """Others wrote the documents; where nobody did, the detectors' authors did, which flatters them."""
    detector: str
    """Version that was measured."""
    as_of: str
    repeat: str


class Misses(msgspec.Struct, frozen=True):
    """What to expect in traffic like the documents that were measured."""

    category: str
    found: int
    """Requests in which something of it was found."""
    recall: float
    recall_low: float
    recall_high: float
    missed: float
    missed_low: float
    missed_high: float
    measured_on: str
    as_of: str
    detector: str
    """Version that was measured; another one may be better or worse."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    measured: tuple[Measured, ...]


@functools.cache
def measured() -> tuple[Measured, ...]:
    text = resources.files(__package__).joinpath("measured.toml").read_bytes()
    return msgspec.toml.decode(text, type=_File).measured


def misses(category: str, found: int) -> Misses | None:
    """Requests of a category that were probably missed where `found` were found; None: it was never measured.

    With recall r, `found` is r times what there was, so what was missed is found x (1 - r) / r. The interval takes
    both ends of Wilson's interval of r, and beyond them what chance does to a count (negative binomial, normal
    approximation). Of several measurements the one with the lowest end is taken.
    """
    rows = [row for row in measured() if row.category == category]
    if not rows:
        return None
    row = min(rows, key=lambda each: rate(each.found, each.documents).low or 0.0)
    recall = rate(row.found, row.documents)
    assert recall.rate is not None
    assert recall.low is not None
    assert recall.high is not None
    low, high = _missed(found, min(recall.high, 1.0)), _missed(found, recall.low)
    return Misses(
        category=category,
        found=found,
        recall=recall.rate,
        recall_low=recall.low,
        recall_high=recall.high,
        missed=_missed(found, recall.rate),
        missed_low=max(0.0, low - _Z * _spread(found, recall.high)),
        missed_high=max(high + _Z * _spread(found, recall.low), _unseen(recall.low)),
        measured_on=row.data,
        as_of=row.as_of,
        detector=row.detector,
    )


def _missed(found: int, recall: float) -> float:
    return found * (1 - recall) / recall


def _unseen(recall: float) -> float:
    """So many could have been there and all been missed with a chance of 5 %."""
    return math.log(0.05) / math.log(1 - recall) if recall < 1 else 0.0


def _spread(found: int, recall: float) -> float:
    """Standard deviation of the number missed."""
    return math.sqrt(found * (1 - recall)) / recall
