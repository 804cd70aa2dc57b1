"""Own engines are paid by the hour: how long each was up and how long it was busy, in the database.

An attempt runs from its dispatch for `total_us`, a monotonic duration. Busy is the union of these times over all
workers, so a moment with ten requests counts once, and it does not matter in which order attempts are loaded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from twintrack.ledger.hours import Interval, by_hour, union

GAP_US: Final = 10_000_000
"""A longer silence between two marks counts as down."""


def book_up(db: sqlite3.Connection, deployment: int, now_us: int) -> None:
    """Book the time since the last mark, unless it is so long that nobody can know."""
    seen = db.execute("SELECT seen_us FROM engine_marks WHERE deployment = ?", (deployment,)).fetchone()
    if seen and 0 < now_us - seen[0] <= GAP_US:
        for hour, up_us in by_hour(seen[0], now_us):
            _add(db, hour, deployment, up_us, 0)
    db.execute("INSERT OR REPLACE INTO engine_marks VALUES (?, ?)", (deployment, now_us))


def book_busy(db: sqlite3.Connection, deployment: int, intervals: Iterable[Interval], reach_us: int) -> None:
    """Book when attempts ran, no moment twice.

    Args:
        reach_us: nothing that will still be loaded began before it, so what ended before it need not be kept.
    """
    new = union(intervals)
    if not new:
        return
    old = db.execute(
        "SELECT start_us, end_us FROM engine_busy WHERE deployment = ? AND start_us <= ? AND end_us >= ?",
        (deployment, new[-1][1], new[0][0]),
    ).fetchall()
    together = union([*old, *new])
    change: dict[int, int] = {}
    for sign, times in ((1, together), (-1, old)):
        for start_us, end_us in times:
            for hour, part_us in by_hour(start_us, end_us):
                change[hour] = change.get(hour, 0) + sign * part_us
    for hour, busy_us in change.items():
        if busy_us:
            _add(db, hour, deployment, 0, busy_us)
    db.executemany(
        "DELETE FROM engine_busy WHERE deployment = ? AND start_us = ?", [(deployment, start) for start, _ in old]
    )
    db.executemany(
        "INSERT INTO engine_busy VALUES (?, ?, ?)", [(deployment, *times) for times in together if times[1] >= reach_us]
    )


def forget_busy(db: sqlite3.Connection, reach_us: int) -> None:
    """Drop the times that ended before `reach_us`, see `book_busy`."""
    db.execute("DELETE FROM engine_busy WHERE end_us < ?", (reach_us,))


def _add(db: sqlite3.Connection, hour: int, deployment: int, up_us: int, busy_us: int) -> None:
    db.execute(
        "INSERT INTO engine_hours VALUES (?, ?, ?, ?) ON CONFLICT (hour, deployment) "
        "DO UPDATE SET up_us = up_us + excluded.up_us, busy_us = busy_us + excluded.busy_us",
        (hour, deployment, up_us, busy_us),
    )
