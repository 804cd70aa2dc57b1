"""Volumes at which a plan would choose otherwise. `watch` compares them with what the ledger counts."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from twintrack.economics.document import Document


class Watchpoint(msgspec.Struct, frozen=True):
    """From `tokens_per_day` on, `cheaper` costs less than `dearer`."""

    tokens_per_day: float
    cheaper: str
    dearer: str


def watchpoints(plan: Document) -> tuple[Watchpoint, ...]:
    """Every crossing of every pair, by rising volume."""
    found = [
        Watchpoint(
            crossing.tokens_per_day,
            pair.selfhost if crossing.cheaper_above == "selfhost" else pair.alternative,
            pair.alternative if crossing.cheaper_above == "selfhost" else pair.selfhost,
        )
        for pair in plan.break_even
        for crossing in pair.crossings
    ]
    return tuple(sorted(found, key=lambda point: point.tokens_per_day))


def crossed(points: Iterable[Watchpoint], before: float, now: float) -> tuple[Watchpoint, ...]:
    """Points that lie between two volumes, in tokens a day, whichever way it went. An alert says each once."""
    low, high = sorted((before, now))
    return tuple(point for point in points if low < point.tokens_per_day <= high)
