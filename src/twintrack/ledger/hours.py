"""Arithmetic of hours: cutting times at the hour, uniting them, and sharing a cost without losing a nano-dollar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

HOUR_US: Final = 3_600_000_000

Interval = tuple[int, int]
"""(start, end) in microseconds, the end not included."""


def by_hour(start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    """(hour, microseconds in it) of the time from `start_us` to `end_us`."""
    while start_us < end_us:
        hour = start_us // HOUR_US
        stop_us = min(end_us, (hour + 1) * HOUR_US)
        yield hour, stop_us - start_us
        start_us = stop_us


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as disjoint intervals, in order; empty ones fall away, touching ones become one."""
    united: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if united and start <= united[-1][1]:
            if end > united[-1][1]:
                united[-1] = (united[-1][0], end)
        else:
            united.append((start, end))
    return united


def hour_nusd(per_hour_nusd: int, up_us: int) -> int:
    """What an engine costs for the part of an hour it was up, rounded half up."""
    return (per_hour_nusd * up_us + HOUR_US // 2) // HOUR_US


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` split in proportion to `weights` (each at least 0), summing to it exactly, by largest remainder.

    All zero if no weight is positive: then there is nobody to carry it.
    """
    total = sum(weights)
    if total <= 0:
        return [0] * len(weights)
    parts = [amount * weight // total for weight in weights]
    left = amount - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for i in by_remainder[:left]:
        parts[i] += 1
    return parts


def engine_cost(per_hour_nusd: int, up_us: int, busy_us: int) -> tuple[int, int]:
    """(what the busy part cost, what the hour cost). An engine that was busy was up, marked or not."""
    up_us = max(up_us, busy_us)
    cost = hour_nusd(per_hour_nusd, up_us)
    return (cost * busy_us // up_us if up_us else 0), cost
