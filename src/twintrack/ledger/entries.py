"""What the ledger knows of one attempt or refusal. These questions only read; what is not known is None."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from twintrack.ledger.database import reading
from twintrack.ledger.hours import HOUR_US, engine_cost


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
    allocated, _ = engine_cost(attempt.per_hour_nusd, engine[0], engine[1])
    return msgspec.structs.replace(attempt, allocated_nusd=allocated * attempt.total_us // engine[2])
