"""Does the ledger add up? Every figure of the roll-ups is computed again from the attempts and compared."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from typing import Any, Final

from twintrack.ledger.database import reading
from twintrack.ledger.hours import HOUR_US
from twintrack.ledger.rollup import Sums
from twintrack.ledger.segment import journal_folder

_KNOWN_COST: Final = "(cost_nusd IS NOT NULL OR state = 'released')"
_NO_ANSWER: Final = "outcome IN ('upstream_refused', 'upstream_failed', 'upstream_timeout', 'set_aside')"
_HOURLY: Final = "per_hour_nusd > 0"
_WOULD_COST: Final = f"CASE WHEN {_NO_ANSWER} THEN coalesce(baseline_nusd, 0) ELSE baseline_nusd END"
_BOTH: Final = f"({_WOULD_COST}) IS NOT NULL AND ({_HOURLY} OR {_KNOWN_COST})"
_SAVING: Final = f"({_WOULD_COST}) - CASE WHEN {_HOURLY} THEN 0 ELSE coalesce(cost_nusd, 0) END"
_ESTIMATED: Final = f"state = 'unknown' AND NOT {_HOURLY} AND cost_nusd IS NULL AND predicted_nusd IS NOT NULL"

_AGAIN: Final = {
    "requests": "sum(counts)",
    "attempts": "count(*)",
    "input_tokens": "sum(input_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cache_read_tokens": "sum(cache_read_tokens)",
    "cache_write_tokens": "sum(cache_write_tokens)",
    "reasoning_tokens": "sum(reasoning_tokens)",
    "cache_write_1h_tokens": "sum(cache_write_1h_tokens)",
    "input_audio_tokens": "sum(input_audio_tokens)",
    "output_audio_tokens": "sum(output_audio_tokens)",
    "input_image_tokens": "sum(input_image_tokens)",
    "output_image_tokens": "sum(output_image_tokens)",
    "usage_estimated": "sum(usage_source = 'estimated')",
    "usage_unknown": "sum(usage_source = 'none')",
    "cost_nusd": "sum(cost_nusd)",
    "cost_known": f"sum(NOT {_HOURLY} AND {_KNOWN_COST})",
    "cost_unknown": f"sum(NOT {_HOURLY} AND NOT {_KNOWN_COST})",
    "cost_hourly": f"sum({_HOURLY})",
    "estimated_nusd": f"sum(CASE WHEN {_ESTIMATED} THEN predicted_nusd END)",
    "estimated": f"sum({_ESTIMATED})",
    "baseline_nusd": "sum(baseline_nusd)",
    "baseline_known": "sum(baseline_nusd IS NOT NULL)",
    "both_known": f"sum({_BOTH})",
    "saving_nusd": f"sum(CASE WHEN {_BOTH} THEN {_SAVING} END)",
    "saving_sq": f"sum(CASE WHEN {_BOTH} THEN 1.0 * ({_SAVING}) * ({_SAVING}) END)",
    "ttft_known": "sum(ttft_us IS NOT NULL)",
    "ttft_us": "sum(ttft_us)",
    "total_us": "sum(total_us)",
    "energy_measured_mj": "sum(CASE WHEN energy_source = 'measured' THEN energy_mj END)",
    "energy_estimated_mj": "sum(CASE WHEN energy_source = 'estimated' THEN energy_mj END)",
    "energy_unknown": "sum(energy_source = 'unknown' OR energy_mj IS NULL)",
}
_COUNTS: Final = (
    "CASE WHEN c.role = 'classifier' THEN a.attempt = 0 AND e.outcome IN ('client_left', 'lost') "
    "WHEN a.attempt = 1 THEN EXISTS (SELECT 1 FROM attempts f JOIN contexts fc ON fc.id = f.context "
    " WHERE f.request_id = a.request_id AND f.attempt = 0 AND fc.role = 'classifier') "
    "ELSE a.attempt = 0 END"
)
"""Whether its request is counted with this attempt."""
_SLICE: Final = "deployment, route, tier, key, endpoint, data_class, state, outcome"
_MOST_LISTED: Final = 20


def balance(db_path: Path) -> list[str]:
    """Check the books. Returns what does not add up, a sentence each; empty if everything does.

    Reads every attempt: seconds for a million of them.

    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(db_path) as db:
        return [
            *_pages(db),
            *_states(db),
            *_sums(db),
            *_engines(db),
            *_incidents(db, journal_folder(db_path.parent)),
        ]


def _pages(db: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in db.execute("PRAGMA quick_check(10)")]
    return [] if found == ["ok"] else [f"The database file is damaged: {what}." for what in found]


def _states(db: sqlite3.Connection) -> list[str]:
    """Every attempt has exactly one state, and its request is there once."""
    questions = {
        "has neither an end nor a worker that runs it":
            "SELECT request_id, attempt FROM attempts WHERE ending IS NULL AND writer IS NULL",
        "has an end and is still listed as running":
            "SELECT request_id, attempt FROM attempts WHERE ending IS NOT NULL AND writer IS NOT NULL",
        "has parts of an end but no state":
            "SELECT request_id, attempt FROM attempts WHERE ending IS NULL "
            "AND (settled_us IS NOT NULL OR cost_nusd IS NOT NULL OR total_us IS NOT NULL)",
        "ended at no time":
            "SELECT request_id, attempt FROM attempts WHERE ending IS NOT NULL "
            "AND (settled_us IS NULL OR total_us IS NULL)",
        "has a state that does not exist":
            "SELECT a.request_id, a.attempt FROM attempts a LEFT JOIN endings e ON e.id = a.ending "
            "WHERE a.ending IS NOT NULL AND e.id IS NULL",
        "was asked for in a way that is not recorded":
            "SELECT a.request_id, a.attempt FROM attempts a LEFT JOIN contexts c ON c.id = a.context "
            "WHERE c.id IS NULL",
        "came after an attempt that is missing":
            "SELECT a.request_id, a.attempt FROM attempts a LEFT JOIN attempts b "
            "ON b.request_id = a.request_id AND b.attempt = a.attempt - 1 WHERE a.attempt > 0 AND b.id IS NULL",
        "was sent although its request was refused":
            "SELECT a.request_id, a.attempt FROM refusals f JOIN attempts a ON a.request_id = f.request_id "
            "JOIN contexts c ON c.id = a.context WHERE c.role <> 'classifier'",
    }  # fmt: skip
    found = []
    for what, question in questions.items():
        rows = db.execute(question).fetchmany(_MOST_LISTED + 1)
        found += [f"Attempt {attempt} of {request_id} {what}." for request_id, attempt in rows[:_MOST_LISTED]]
        if len(rows) > _MOST_LISTED:
            found.append(f"More attempts are like that: each {what}.")
    return found


def _sums(db: sqlite3.Connection) -> list[str]:
    # Only words of this module are put together.
    again = db.execute(
        f"SELECT at_us / {HOUR_US} AS hour, {_SLICE}, "  # noqa: S608
        f"{', '.join(f'coalesce({sql}, 0)' for sql in _AGAIN.values())} FROM ("
        f"SELECT a.at_us, {_COUNTS} AS counts, a.predicted_nusd, a.ttft_us, a.total_us, "
        "a.input_tokens, a.output_tokens, "
        "a.cache_read_tokens, a.cache_write_tokens, a.reasoning_tokens, a.cache_write_1h_tokens, "
        "a.input_audio_tokens, a.output_audio_tokens, a.input_image_tokens, a.output_image_tokens, "
        "a.cost_nusd, a.energy_mj, "
        "CASE WHEN coalesce(b.simulated, 0) > d.simulated THEN NULL ELSE a.baseline_nusd END AS baseline_nusd, "
        "c.deployment, c.route, c.tier, c.key, c.endpoint, c.data_class, d.per_hour_nusd, "
        "e.state, e.outcome, e.usage_source, e.energy_source "
        "FROM attempts a JOIN contexts c ON c.id = a.context JOIN endings e ON e.id = a.ending "
        "JOIN deployments d ON d.id = c.deployment LEFT JOIN deployments b ON b.id = c.baseline) "
        f"GROUP BY hour, {_SLICE}"
    )
    computed: dict[tuple[Any, ...], tuple[Any, ...]] = {row[:9]: row[9:] for row in again}
    for row in db.execute(
        f"SELECT at_us / {HOUR_US}, route, key, endpoint, data_class, count(*) FROM refusals GROUP BY 1, 2, 3, 4, 5"  # noqa: S608
    ):
        hour, route, key, endpoint, data_class, requests = row
        where = (hour, None, route, None, key, endpoint, data_class, "refused", "refused")
        computed[where] = (requests, *[0] * (len(_AGAIN) - 1))
    stored: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    counted: dict[tuple[Any, ...], Sums] = {}
    for row in db.execute(
        "SELECT r.*, s.* FROM rollups r JOIN slices s ON s.id = r.slice",
    ):
        sums = Sums.from_columns(row[2 : 2 + len(Sums._fields)])
        where = (row[0], *row[3 + len(Sums._fields) :])
        stored[where] = tuple(getattr(sums, name) for name in _AGAIN)
        counted[where] = sums
    nothing = (0,) * len(_AGAIN)
    found = []
    for where in sorted(computed.keys() | stored.keys(), key=str):
        theirs, ours = stored.get(where, nothing), computed.get(where, nothing)
        for name, have, should in zip(_AGAIN, theirs, ours, strict=True):
            if have != should and not (name == "saving_sq" and isclose(have, should, rel_tol=1e-6)):
                found.append(f"{name} of {_told(where)} is {have} in the roll-up and {should} over its attempts.")
    return found


def _told(where: tuple[Any, ...]) -> str:
    hour, deployment, route, tier, key, endpoint, data_class, state, outcome = where
    words = [
        f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H}",
        f"deployment {deployment}" if deployment is not None else "nobody",
        *(word for word in (route, tier, key, endpoint, data_class, state, outcome) if word),
    ]
    return " ".join(words)


def _engines(db: sqlite3.Connection) -> list[str]:
    found = [
        f"Engine {name} has {up_us} µs up and {busy_us} µs busy in one hour."
        for name, up_us, busy_us in db.execute(
            "SELECT d.name, e.up_us, e.busy_us FROM engine_hours e JOIN deployments d ON d.id = e.deployment "
            "WHERE NOT (e.up_us BETWEEN 0 AND ? AND e.busy_us BETWEEN 0 AND ?)",
            (HOUR_US, HOUR_US),
        )
    ]
    found += [
        f"Engine {name} is booked for {booked} µs of requests, its attempts took {took} µs."
        for name, booked, took in db.execute(
            "SELECT d.name, "
            "(SELECT coalesce(sum(r.hourly_us), 0) FROM rollups r JOIN slices s ON s.id = r.slice "
            " WHERE s.deployment = d.id) AS booked, "
            "(SELECT coalesce(sum(a.total_us), 0) FROM contexts c JOIN attempts a ON a.context = c.id "
            " WHERE c.deployment = d.id) AS took "
            "FROM deployments d WHERE d.per_hour_nusd > 0 AND booked <> took"
        )
    ]
    return found


def _incidents(db: sqlite3.Connection, journals: Path) -> list[str]:
    """Parts of journals put aside, for as long as somebody keeps the file."""
    return [
        f"{what}; see {journals / kept_as}."
        for what, kept_as in db.execute("SELECT what, kept_as FROM incidents ORDER BY id")
        if (journals / kept_as).exists()
    ]
