"""What was asked, spent and saved. It reads roll-ups alone, so its time grows with hours, not rows.

Money is integer nano-dollars. What is not known is None, and how many attempts that concerns stands beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from twintrack.errors import LedgerError, nearest
from twintrack.ledger.database import reading
from twintrack.ledger.hours import HOUR_US, engine_cost, shares
from twintrack.ledger.tally import COUNTED, SUMS, Line, Tally

_BY: Final = {
    "month": "strftime('%Y-%m', r.hour * 3600, 'unixepoch')",
    "day": "r.hour / 24",
    "hour": "r.hour",
    "route": "s.route",
    "tier": "s.tier",
    "model": "d.model",
    "provider": "d.provider",
    "deployment": "d.name",
    "key": "s.key",
    "tenant": "tenant_of(s.key)",
    "outcome": "s.outcome",
    "class": "s.data_class",
    "endpoint": "s.endpoint",
}
BY: Final = tuple(_BY)
"""Words to group by."""
_OF_ENGINES: Final = frozenset({"month", "day", "hour", "model", "provider", "deployment"})
"""Those that idle hours have."""

_MOMENTS: Final = ("hourly_us", "both_known", "both_us", "saving_nusd", "saving_sq", "saving_t", "saving_tt")
_SAVED: Final = ("both_known", "saving_nusd", "saving_sq")
_FROM: Final = (
    "FROM rollups r JOIN slices s ON s.id = r.slice LEFT JOIN deployments d ON d.id = s.deployment "
    "WHERE r.hour >= ? AND r.hour < ?"
)
_ENGINES: Final = (
    "FROM engine_hours r JOIN deployments d ON d.id = r.deployment WHERE r.hour >= ? AND r.hour < ? "
    "ORDER BY d.name, r.hour"
)
_SIMULATED: Final = "coalesce(d.simulated, 0)"

_NO_TENANTS: Final[Mapping[str, str]] = {}

_T = TypeVar("_T")
_Group = tuple[Any, ...]
_Range = tuple[int, int]


class Idle(msgspec.Struct, frozen=True):
    """What one own engine cost while it was up, and how much of that nobody used."""

    deployment: str
    simulated: bool
    up_us: int
    busy_us: int
    engine_nusd: int
    idle_nusd: int
    """Not carried by any finished attempt."""


class IdleLine(msgspec.Struct, frozen=True):
    """What nobody used of own engines."""

    group: dict[str, str | None]
    """By word of `by`; None where an engine has no such thing, as a key."""
    idle_nusd: int


class Summary(msgspec.Struct, frozen=True):
    by: tuple[str, ...]
    since_us: int | None
    """Whole hours: the start of the hour asked for."""
    until_us: int | None
    """Whole hours: the end of the hour asked for; itself not included."""
    rows: tuple[Line, ...]
    total: Line
    idle: tuple[Idle, ...]
    idle_nusd: int
    total_nusd: int | None
    """Cost and idle together; None if no cost is known."""
    net_savings_nusd: int | None
    """Savings less idle: what routing is worth after the engines are paid."""
    open: int
    """Attempts still running, of any time."""
    simulated: tuple[Line, ...]
    """Rows against simulated providers; nowhere else in this value."""
    simulated_total: Line | None
    simulated_idle: tuple[Idle, ...]
    idle_lines: tuple[IdleLine, ...]
    """`idle_nusd` by group."""


def summary(
    db_path: Path,
    by: Sequence[str] = ("route",),
    since_us: int | None = None,
    until_us: int | None = None,
    tenants: Mapping[str, str] = _NO_TENANTS,
) -> Summary:
    """What was asked, spent and saved, by hour of dispatch.

    Args:
        by: words of `BY`; none of them: only the total.
        tenants: by key; the ledger knows keys alone.
        since_us: from the hour this lies in; None: from the beginning.
        until_us: to the end of the hour before this, or of the one it lies in; None: to the end.
    Raises:
        LedgerError: an unknown word, or the database cannot be read.
    """
    for word in by:
        if word not in _BY:
            close = nearest(word, _BY, 1)
            raise LedgerError(
                f"The ledger cannot be grouped by {word!r}",
                fix=f"Did you mean {close[0]}?" if close else f"Use {', '.join(BY)}",
            )
    by = tuple(dict.fromkeys(by))
    first = -(1 << 62) if since_us is None else since_us // HOUR_US
    last = 1 << 62 if until_us is None else -(-until_us // HOUR_US)
    with reading(db_path) as db:
        db.create_function("tenant_of", 1, tenants.get, deterministic=True)
        tallies = _tallies(db, by, (first, last))
        idle, idle_by = _allocate(db, by, (first, last), tallies)
        running = db.execute("SELECT count(*) FROM attempts WHERE ending IS NULL").fetchone()[0]
    real = {group: tally for (simulated, group), tally in tallies.items() if not simulated}
    unreal = {group: tally for (simulated, group), tally in tallies.items() if simulated}
    total = _total(real)
    idle_nusd = sum(engine.idle_nusd for engine in idle if not engine.simulated)
    return Summary(
        by=by,
        since_us=None if since_us is None else first * HOUR_US,
        until_us=None if until_us is None else last * HOUR_US,
        rows=_lines(by, real),
        total=total,
        idle=tuple(engine for engine in idle if not engine.simulated),
        idle_nusd=idle_nusd,
        total_nusd=None if total.cost_nusd is None else total.cost_nusd + idle_nusd,
        net_savings_nusd=None if total.savings is None else total.savings.nusd - idle_nusd,
        open=running,
        simulated=_lines(by, unreal),
        simulated_total=_total(unreal) if unreal else None,
        simulated_idle=tuple(engine for engine in idle if engine.simulated),
        idle_lines=tuple(IdleLine(_named(by, group), nusd) for group, nusd in _in_order(idle_by)),
    )


def baselines(db_path: Path) -> dict[str, tuple[str, ...]]:
    """By route, the deployments that savings were ever measured against, the newest first.

    Raises:
        LedgerError: the database cannot be read.
    """
    found: dict[str, tuple[str, ...]] = {}
    with reading(db_path) as db:
        for route, name in db.execute(
            "SELECT c.route, b.name FROM contexts c JOIN deployments b ON b.id = c.baseline "
            "WHERE c.route IS NOT NULL GROUP BY c.route, b.name ORDER BY c.route, max(c.id) DESC"
        ):
            found[route] = (*found.get(route, ()), name)
    return found


def _tallies(db: sqlite3.Connection, by: tuple[str, ...], hours: _Range) -> dict[tuple[bool, _Group], Tally]:
    """Everything but the hours of own engines, by (simulated, group)."""
    words = [_SIMULATED, *(_BY[word] for word in by)]
    columns = [
        *words,
        *(f"sum(r.{name})" for name in SUMS),
        *(f"sum(CASE WHEN {what} ELSE 0 END)" for what in COUNTED.values()),
        *(f"sum(CASE WHEN coalesce(d.per_hour_nusd, 0) = 0 THEN r.{name} ELSE 0 END)" for name in _SAVED),
    ]
    # Only words of this module are put together; what comes from outside is bound.
    question = f"SELECT {', '.join(columns)} {_FROM} GROUP BY {', '.join(words)}"
    tallies: dict[tuple[bool, _Group], Tally] = {}
    names = (*SUMS, *COUNTED)
    for row in db.execute(question, hours):
        tally = tallies[bool(row[0]), row[1 : len(words)]] = Tally()
        tally.sums = dict(zip(names, row[len(words) : -3], strict=True))
        tally.saved, tally.saving_nusd, tally.saving_sq = row[-3:]
    durations = f"SELECT {', '.join(words)}, r.ttft_histogram, r.total_histogram {_FROM}"
    if "outcome" not in by:
        durations += " AND s.outcome = 'ok'"
    unpack = int.from_bytes
    for row in db.execute(durations, hours):
        tally = tallies[bool(row[0]), row[1:-2]]
        tally.ttft += unpack(row[-2], "little")
        tally.durations += unpack(row[-1], "little")
    return tallies


def _allocate(
    db: sqlite3.Connection, by: tuple[str, ...], hours: _Range, tallies: dict[tuple[bool, _Group], Tally]
) -> tuple[list[Idle], dict[_Group, int]]:
    """Share each engine's busy time out to who used it; what is left is idle. Both together are the hour, exactly.

    Returns what was idle by engine and, without simulated ones, by group.
    """
    columns = [
        "r.hour, r.deployment, r.up_us, r.busy_us, d.name, d.simulated, d.per_hour_nusd",
        *(_BY[word] if word in _OF_ENGINES else "NULL" for word in by),
    ]
    engines = db.execute(f"SELECT {', '.join(columns)} {_ENGINES}", hours).fetchall()
    if not engines:
        return [], {}
    words = [_SIMULATED, *(_BY[word] for word in by)]
    moments = ", ".join(f"sum(r.{name})" for name in _MOMENTS)
    question = (
        f"SELECT r.hour, s.deployment, {', '.join(words)}, {moments} {_FROM} AND d.per_hour_nusd > 0 "
        f"GROUP BY r.hour, s.deployment, {', '.join(words)}"
    )
    users: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    for row in db.execute(question, hours):
        users.setdefault((row[0], row[1]), []).append(row[2:])
    idle: dict[tuple[str, bool], list[int]] = {}
    idle_by: dict[_Group, int] = {}
    for hour, deployment, up_us, busy_us, name, simulated, per_hour_nusd, *group in engines:
        used = users.get((hour, deployment), [])
        weights = [row[-7] for row in used]
        allocated, cost = engine_cost(per_hour_nusd, up_us, busy_us)
        parts = shares(allocated, weights)
        for row, part in zip(used, parts, strict=True):
            tally = tallies[bool(row[0]), row[1:-7]]
            hourly_us, both_known, both_us, baseline_nusd, sq, bt, tt = row[-7:]
            covered = part if both_us == hourly_us else part * both_us // hourly_us
            rate = allocated / sum(weights) if sum(weights) else 0.0
            tally.hourly_nusd += part
            tally.saved += both_known
            tally.saving_nusd += baseline_nusd - covered
            tally.saving_sq += max(0.0, sq - 2 * rate * bt + rate * rate * tt)
        line = idle.setdefault((name, bool(simulated)), [0, 0, 0, 0])
        for place, amount in enumerate((max(up_us, busy_us), busy_us, cost, cost - sum(parts))):
            line[place] += amount
        if not simulated:
            idle_by[tuple(group)] = idle_by.get(tuple(group), 0) + cost - sum(parts)
    return [Idle(name, simulated, *amounts) for (name, simulated), amounts in idle.items()], idle_by


def _total(tallies: dict[_Group, Tally]) -> Line:
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    return total.line({})


def _lines(by: tuple[str, ...], tallies: dict[_Group, Tally]) -> tuple[Line, ...]:
    if not by:
        return ()
    return tuple(tally.line(_named(by, group)) for group, tally in _in_order(tallies))


def _in_order(by_group: Mapping[_Group, _T]) -> list[tuple[_Group, _T]]:
    return sorted(by_group.items(), key=lambda item: [(value is None, value or 0) for value in item[0]])


def _named(by: tuple[str, ...], group: _Group) -> dict[str, str | None]:
    return {word: _word(word, value) for word, value in zip(by, group, strict=True)}


def _word(by: str, value: Any) -> str | None:
    if value is None:
        return None
    if by == "day":
        return f"{datetime.fromtimestamp(value * 86_400, UTC):%Y-%m-%d}"
    if by == "hour":
        return f"{datetime.fromtimestamp(value * 3_600, UTC):%Y-%m-%dT%H}"
    return str(value)
