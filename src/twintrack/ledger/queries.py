"""Questions to the ledger. They only read, and `summary` reads roll-ups alone, so its time grows with hours, not rows.

Money is integer nano-dollars. What is not known is None, and how many attempts that concerns stands beside it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from typing import Any, Final

import msgspec

from twintrack.errors import LedgerError, nearest
from twintrack.ledger import histogram
from twintrack.ledger.hours import HOUR_US, hour_nusd, shares
from twintrack.ledger.schema import reading

Z_95: Final = 1.959964

_BY: Final = {
    "day": "r.hour / 24",
    "hour": "r.hour",
    "route": "s.route",
    "tier": "s.tier",
    "model": "d.model",
    "provider": "d.provider",
    "deployment": "d.name",
    "key": "s.key",
    "outcome": "s.outcome",
    "class": "s.data_class",
    "endpoint": "s.endpoint",
}
BY: Final = tuple(_BY)
"""Words to group by."""


class Savings(msgspec.Struct, frozen=True):
    """Baseline minus cost, over the attempts where both are known; negative is a loss.

    An attempt that gave the client nothing has a baseline of 0: its cost is a loss.
    """

    nusd: int
    low_nusd: int | None
    """Ends of the 95 % interval (normal approximation over attempts); None with fewer than two."""
    high_nusd: int | None
    attempts: int
    coverage: float
    """These attempts as a share of all, 0 to 1."""


class Line(msgspec.Struct, frozen=True):
    """Sums over one group of attempts."""

    group: dict[str, str | None]
    """By word of `by`; None: there is no such thing, as the route of a request that named its deployment."""
    requests: int
    """Counted where their first attempt went; refused ones included."""
    refused: int
    """Requests sent to nobody."""
    attempts: int
    ok: int
    client_left: int
    set_aside: int
    """Complete, and not what the client got: drafts that were not believed, and what classifiers said."""
    failed: int
    lost: int
    input_tokens: int
    """Cache reads and writes included."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cache_write_1h_tokens: int
    """Of the cache writes, those kept for an hour."""
    input_audio_tokens: int
    output_audio_tokens: int
    input_image_tokens: int
    output_image_tokens: int
    usage_estimated: int
    """Attempts whose tokens the provider did not report, so that tokens and cost are estimates."""
    usage_unknown: int
    cost_nusd: int | None
    """Of the attempts whose cost is known, the part of own engines' hours included; None: of none it is known."""
    hourly_nusd: int
    """What of it is own engines' hours."""
    cost_unknown: int
    """Attempts whose cost is not known; not in `cost_nusd`."""
    estimated_nusd: int
    """Predicted for attempts whose cost can never be known, to reconcile with invoices; not in `cost_nusd`."""
    estimated: int
    baseline_nusd: int | None
    baseline_unknown: int
    savings: Savings | None
    """None: for no attempt are both sides known."""
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    total_p50_ms: float | None
    """Durations are those of attempts that went well, unless the question is by outcome."""
    total_p95_ms: float | None
    energy_measured_mj: int
    energy_estimated_mj: int
    energy_unknown: int
    """Attempts."""


class Idle(msgspec.Struct, frozen=True):
    """What one own engine cost while it was up, and how much of that nobody used."""

    deployment: str
    simulated: bool
    up_us: int
    busy_us: int
    engine_nusd: int
    idle_nusd: int
    """Not carried by any finished attempt."""


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


class RuledOut(msgspec.Struct, frozen=True, array_like=True):
    deployment: str
    code: str
    have: int
    need: int


class Attempt(msgspec.Struct, frozen=True, tag="attempt"):
    """One dispatch to a provider, with words for everything. What is None is unknown, or has not happened yet."""

    id: int
    request_id: str
    attempt: int
    at_us: int
    policy_version: str
    route: str | None
    tier: str | None
    key: str | None
    endpoint: str
    stream: bool
    data_class: str
    reason: str
    task: str
    language: str
    deployment: str
    model: str
    provider: str
    zone: str
    region: str
    simulated: bool
    per_hour_nusd: int
    chosen: str | None
    baseline: str | None
    prompt_tokens_est: int | None
    predicted_nusd: int | None
    p_good: float | None
    complexity: float | None
    propensity: float | None
    ruled_out: tuple[RuledOut, ...]
    request_bytes: int | None
    state: str
    outcome: str | None
    status: int | None
    detail: str | None
    settled_us: int | None
    ttft_us: int | None
    total_us: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    cache_write_1h_tokens: int | None
    input_audio_tokens: int | None
    output_audio_tokens: int | None
    input_image_tokens: int | None
    output_image_tokens: int | None
    usage_source: str | None
    cost_nusd: int | None
    baseline_nusd: int | None
    energy_mj: int | None
    energy_source: str | None
    response_bytes: int | None
    role: str = "answer"
    """What it was for: answer, draft or classifier."""
    p_enough: float | None = None
    """The least `p_good` that would have done when the route chose; None: nothing was predicted or kept."""
    p_best: float | None = None
    """`p_good` of the best of the last tier then."""
    allocated_nusd: int | None = None
    """Its part of the engine's hour as booked so far, where it is charged by the hour; still changes in that hour."""


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """A request that was sent to nobody."""

    id: int
    request_id: str
    at_us: int
    policy_version: str
    route: str | None
    key: str | None
    endpoint: str
    status: int
    code: str
    data_class: str
    prompt_tokens_est: int | None
    ruled_out: tuple[RuledOut, ...]


Entry = Attempt | Refusal

_to_ruled_out = msgspec.json.Decoder(tuple[RuledOut, ...]).decode


def summary(
    db_path: Path, by: Sequence[str] = ("route",), since_us: int | None = None, until_us: int | None = None
) -> Summary:
    """What was asked, spent and saved, by hour of dispatch.

    Args:
        by: words of `BY`; none of them: only the total.
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
        tallies = _tallies(db, by, (first, last))
        idle = _allocate(db, by, (first, last), tallies)
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
    )


def entries(db_path: Path, request_id: str) -> list[Entry]:
    """All attempts of a request in their order, or its refusal; empty if it is not known.

    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(db_path) as db:
        rows = db.execute("SELECT * FROM entries WHERE request_id = ? ORDER BY attempt", (request_id,)).fetchall()
        found: list[Entry] = [_with_allocation(db, _attempt(row)) for row in rows]
        refused = db.execute("SELECT * FROM refusals WHERE request_id = ?", (request_id,)).fetchall()
        return found + [_refusal(row) for row in refused]


def unfinished(db_path: Path) -> list[Attempt]:
    """Attempts that have no end yet.

    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(db_path) as db:
        rows = db.execute("SELECT * FROM entries WHERE id IN (SELECT id FROM attempts WHERE ending IS NULL)").fetchall()
        return list(map(_attempt, rows))


def recent(db_path: Path, limit: int = 50, before: int | None = None) -> list[Entry]:
    """The newest attempts and refusals, newest first.

    Args:
        before: only those with a smaller `id`, to turn the page.
    Raises:
        LedgerError: the database cannot be read.
    """
    at = 1 << 62 if before is None else before
    with reading(db_path) as db:
        attempts = db.execute("SELECT * FROM entries WHERE id < ? ORDER BY id DESC LIMIT ?", (at, limit)).fetchall()
        refusals = db.execute("SELECT * FROM refusals WHERE id < ? ORDER BY id DESC LIMIT ?", (at, limit)).fetchall()
    found: list[Entry] = [*map(_attempt, attempts), *map(_refusal, refusals)]
    return sorted(found, key=lambda entry: -entry.id)[:limit]


# ---- one entry


def paid_nusd(attempt: Attempt) -> int | None:
    """What an attempt cost, its part of an engine's hour included; None: unknown."""
    if attempt.per_hour_nusd > 0:
        return attempt.allocated_nusd
    return 0 if attempt.state == "released" and attempt.cost_nusd is None else attempt.cost_nusd


def _attempt(row: tuple[Any, ...]) -> Attempt:
    values = dict(zip(Attempt.__struct_fields__, row, strict=False))
    values["stream"] = bool(values["stream"])
    values["simulated"] = bool(values["simulated"])
    values["ruled_out"] = _to_ruled_out(values["ruled_out"]) if values["ruled_out"] else ()
    return Attempt(**values)


def _refusal(row: tuple[Any, ...]) -> Refusal:
    values = dict(zip(Refusal.__struct_fields__, row, strict=True))
    values["ruled_out"] = _to_ruled_out(values["ruled_out"]) if values["ruled_out"] else ()
    return Refusal(**values)


def _with_allocation(db: sqlite3.Connection, attempt: Attempt) -> Attempt:
    if attempt.per_hour_nusd <= 0 or not attempt.total_us:
        return attempt
    hour = attempt.at_us // HOUR_US
    engine = db.execute(
        "SELECT e.up_us, e.busy_us, "
        "(SELECT sum(r.hourly_us) FROM rollups r JOIN slices s ON s.id = r.slice "
        " WHERE r.hour = e.hour AND s.deployment = e.deployment) "
        "FROM engine_hours e JOIN contexts c ON c.deployment = e.deployment JOIN attempts a ON a.context = c.id "
        "WHERE a.id = ? AND e.hour = ?",
        (attempt.id, hour),
    ).fetchone()
    if engine is None or not engine[2]:
        return attempt
    allocated, _ = _engine_cost(attempt.per_hour_nusd, engine[0], engine[1])
    return msgspec.structs.replace(attempt, allocated_nusd=allocated * attempt.total_us // engine[2])


# ---- sums

_SUMS: Final = (
    "requests", "attempts", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cache_write_1h_tokens", "input_audio_tokens", "output_audio_tokens", "input_image_tokens",
    "output_image_tokens", "usage_estimated", "usage_unknown", "cost_nusd", "cost_known", "cost_unknown", "cost_hourly",
    "estimated_nusd", "estimated", "baseline_nusd", "baseline_known", "energy_measured_mj", "energy_estimated_mj",
    "energy_unknown",
)  # fmt: skip
_COUNTED: Final = {
    "refused": "s.state = 'refused' THEN r.requests",
    "ok": "s.outcome = 'ok' THEN r.attempts",
    "client_left": "s.outcome = 'client_left' THEN r.attempts",
    "lost": "s.outcome = 'lost' THEN r.attempts",
    "set_aside": "s.outcome = 'set_aside' THEN r.attempts",
}
_MOMENTS: Final = ("hourly_us", "both_known", "both_us", "saving_nusd", "saving_sq", "saving_t", "saving_tt")
_SAVED: Final = ("both_known", "saving_nusd", "saving_sq")
_FROM: Final = (
    "FROM rollups r JOIN slices s ON s.id = r.slice LEFT JOIN deployments d ON d.id = s.deployment "
    "WHERE r.hour >= ? AND r.hour < ?"
)
_SIMULATED: Final = "coalesce(d.simulated, 0)"

_Group = tuple[Any, ...]
_Range = tuple[int, int]


class _Tally:
    """What adds up to a line."""

    __slots__ = ("durations", "hourly_nusd", "saved", "saving_nusd", "saving_sq", "sums", "ttft")

    def __init__(self) -> None:
        self.sums = dict.fromkeys((*_SUMS, *_COUNTED), 0)
        self.hourly_nusd = 0
        self.saved = 0
        self.saving_nusd = 0
        self.saving_sq = 0.0
        self.ttft = 0
        self.durations = 0

    def add(self, other: _Tally) -> None:
        for name, amount in other.sums.items():
            self.sums[name] += amount
        self.hourly_nusd += other.hourly_nusd
        self.saved += other.saved
        self.saving_nusd += other.saving_nusd
        self.saving_sq += other.saving_sq
        self.ttft += other.ttft
        self.durations += other.durations

    def line(self, group: dict[str, str | None]) -> Line:
        s = self.sums
        attempts = s["attempts"]
        known = s["cost_known"] + s["cost_hourly"]
        cost: int | None = s["cost_nusd"] + self.hourly_nusd
        if attempts and not known and not self.hourly_nusd:
            cost = None
        return Line(
            group=group,
            requests=s["requests"],
            refused=s["refused"],
            attempts=attempts,
            ok=s["ok"],
            client_left=s["client_left"],
            set_aside=s["set_aside"],
            failed=attempts - s["ok"] - s["client_left"] - s["set_aside"] - s["lost"],
            lost=s["lost"],
            input_tokens=s["input_tokens"],
            output_tokens=s["output_tokens"],
            cache_read_tokens=s["cache_read_tokens"],
            cache_write_tokens=s["cache_write_tokens"],
            reasoning_tokens=s["reasoning_tokens"],
            cache_write_1h_tokens=s["cache_write_1h_tokens"],
            input_audio_tokens=s["input_audio_tokens"],
            output_audio_tokens=s["output_audio_tokens"],
            input_image_tokens=s["input_image_tokens"],
            output_image_tokens=s["output_image_tokens"],
            usage_estimated=s["usage_estimated"],
            usage_unknown=s["usage_unknown"],
            cost_nusd=cost,
            hourly_nusd=self.hourly_nusd,
            cost_unknown=s["cost_unknown"],
            estimated_nusd=s["estimated_nusd"],
            estimated=s["estimated"],
            baseline_nusd=s["baseline_nusd"] if s["baseline_known"] or not attempts else None,
            baseline_unknown=attempts - s["baseline_known"],
            savings=self._savings(attempts),
            ttft_p50_ms=histogram.quantile_ms(self.ttft, 0.5),
            ttft_p95_ms=histogram.quantile_ms(self.ttft, 0.95),
            total_p50_ms=histogram.quantile_ms(self.durations, 0.5),
            total_p95_ms=histogram.quantile_ms(self.durations, 0.95),
            energy_measured_mj=s["energy_measured_mj"],
            energy_estimated_mj=s["energy_estimated_mj"],
            energy_unknown=s["energy_unknown"],
        )

    def _savings(self, attempts: int) -> Savings | None:
        n = self.saved
        if not n and not self.saving_nusd:
            return None  # the latter without the former: the end of attempts counted in the hour before
        low = high = None
        if n > 1:
            spread = max(0.0, self.saving_sq - float(self.saving_nusd) ** 2 / n)
            half = round(Z_95 * sqrt(n / (n - 1) * spread))
            low, high = self.saving_nusd - half, self.saving_nusd + half
        return Savings(self.saving_nusd, low, high, n, n / attempts if attempts else 1.0)


def _tallies(db: sqlite3.Connection, by: tuple[str, ...], hours: _Range) -> dict[tuple[bool, _Group], _Tally]:
    """Everything but the hours of own engines, by (simulated, group)."""
    words = [_SIMULATED, *(_BY[word] for word in by)]
    columns = [
        *words,
        *(f"sum(r.{name})" for name in _SUMS),
        *(f"sum(CASE WHEN {what} ELSE 0 END)" for what in _COUNTED.values()),
        *(f"sum(CASE WHEN coalesce(d.per_hour_nusd, 0) = 0 THEN r.{name} ELSE 0 END)" for name in _SAVED),
    ]
    # Only words of this module are put together; what comes from outside is bound.
    question = f"SELECT {', '.join(columns)} {_FROM} GROUP BY {', '.join(words)}"
    tallies: dict[tuple[bool, _Group], _Tally] = {}
    names = (*_SUMS, *_COUNTED)
    for row in db.execute(question, hours):
        tally = tallies[bool(row[0]), row[1 : len(words)]] = _Tally()
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
    db: sqlite3.Connection, by: tuple[str, ...], hours: _Range, tallies: dict[tuple[bool, _Group], _Tally]
) -> list[Idle]:
    """Share each engine's busy time out to who used it; what is left is idle. Both together are the hour, exactly."""
    engines = db.execute(
        "SELECT e.hour, e.deployment, e.up_us, e.busy_us, d.name, d.simulated, d.per_hour_nusd FROM engine_hours e "
        "JOIN deployments d ON d.id = e.deployment WHERE e.hour >= ? AND e.hour < ? ORDER BY d.name, e.hour",
        hours,
    ).fetchall()
    if not engines:
        return []
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
    for hour, deployment, up_us, busy_us, name, simulated, per_hour_nusd in engines:
        used = users.get((hour, deployment), [])
        weights = [row[-7] for row in used]
        allocated, cost = _engine_cost(per_hour_nusd, up_us, busy_us)
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
    return [Idle(name, simulated, *amounts) for (name, simulated), amounts in idle.items()]


def _engine_cost(per_hour_nusd: int, up_us: int, busy_us: int) -> tuple[int, int]:
    """(what the busy part cost, what the hour cost). An engine that was busy was up, marked or not."""
    up_us = max(up_us, busy_us)
    cost = hour_nusd(per_hour_nusd, up_us)
    return (cost * busy_us // up_us if up_us else 0), cost


def _total(tallies: dict[_Group, _Tally]) -> Line:
    total = _Tally()
    for tally in tallies.values():
        total.add(tally)
    return total.line({})


def _lines(by: tuple[str, ...], tallies: dict[_Group, _Tally]) -> tuple[Line, ...]:
    if not by:
        return ()
    ordered = sorted(tallies, key=lambda group: [(value is None, value or 0) for value in group])
    return tuple(
        tallies[group].line({word: _word(word, value) for word, value in zip(by, group, strict=True)})
        for group in ordered
    )


def _word(by: str, value: Any) -> str | None:
    if value is None:
        return None
    if by == "day":
        return f"{datetime.fromtimestamp(value * 86_400, UTC):%Y-%m-%d}"
    if by == "hour":
        return f"{datetime.fromtimestamp(value * 3_600, UTC):%Y-%m-%dT%H}"
    return str(value)
