"""The ledger against the providers' invoices, and against what clients heard."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak.clients import Heard
from soak.plan import NOBODY, STEADY, Ask
from twintrack.ledger.balance import balance
from twintrack.providers.scripted.invoice import Line, Reconciled, reconcile

Row = dict[str, Any]
_COLUMNS = (
    "request_id, attempt, provider, deployment, endpoint, route, state, outcome, status, detail, ttft_us, "
    "usage_source, input_tokens, output_tokens, cost_nusd, predicted_nusd"
)
_MOST_TOLD = 5


@dataclass
class Findings:
    """What holds and what does not. Complaints are sentences; none means that it adds up."""

    rows: int = 0
    requests: int = 0
    """In the ledger: with attempts, or refused."""
    dispatched: int = 0
    """Received by providers, by their own count."""
    unsent: int = 0
    """Rows that say themselves that nothing was sent."""
    unheard: int = 0
    """Rows beyond: the connection broke or the client left as they were sent, and no provider saw them."""
    states: dict[str, int] = field(default_factory=dict)
    money: dict[str, Reconciled] = field(default_factory=dict)
    """By provider."""
    unknown: dict[str, int] = field(default_factory=dict)
    """Rows without an agreed cost: their number, and what they are booked at."""
    rescued: int = 0
    """Requests whose first choice failed before content and that a healthy alternative stood behind ..."""
    unrescued: list[str] = field(default_factory=list)
    """... and those of them that ended in an error all the same."""
    starved: int = 0
    """Of these, where the healthy one was late itself: this machine had no time for it."""
    recording: list[str] = field(default_factory=list)
    """Complaints about rows and states."""
    billing: list[str] = field(default_factory=list)
    hearing: list[str] = field(default_factory=list)
    """Complaints where clients and ledger differ."""


def read_rows(database: Path) -> tuple[list[Row], set[str]]:
    """All attempts, and the ids of requests that were refused."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute(f"SELECT {_COLUMNS} FROM entries ORDER BY request_id, attempt")]
        refused = {row[0] for row in db.execute("SELECT request_id FROM refusals")}
    return rows, refused


def check(database: Path, invoices: dict[str, list[Line]], heard: list[Heard], asks: dict[int, Ask]) -> Findings:
    rows, refused = read_rows(database)
    found = Findings(rows=len(rows), dispatched=sum(map(len, invoices.values())))
    _recorded(found, rows, database)
    _billed(found, rows, invoices)
    by_request: dict[str, list[Row]] = {}
    for row in rows:
        by_request.setdefault(row["request_id"], []).append(row)
    found.requests = len(by_request.keys() | refused)
    _heard(found, by_request, refused, heard)
    _rescued(found, by_request, heard, asks)
    return found


def _recorded(found: Findings, rows: list[Row], database: Path) -> None:
    found.states = dict(Counter(f"{row['state']}, {row['outcome']}" for row in rows).most_common())
    pairs = Counter((row["request_id"], row["attempt"]) for row in rows)
    found.recording += [f"{each} has {count} rows" for each, count in pairs.items() if count > 1][:_MOST_TOLD]
    still = [row for row in rows if row["state"] == "dispatched"]
    if still:
        found.recording.append(f"{len(still)} rows have no final state, as {still[0]}")
    found.recording += balance(database)
    early = [row for row in rows if row["status"] == 0 and row["outcome"] in ("client_left", "upstream_failed")]
    unsent = [row for row in early if row["provider"] == NOBODY or row["detail"] == "before anything was sent"]
    found.unsent = len(unsent)
    found.unheard = len(rows) - len(unsent) - found.dispatched
    if not 0 <= found.unheard <= len(early) - len(unsent):
        found.recording.append(
            f"{found.dispatched} requests reached providers, {len(rows) - len(unsent)} are booked as sent; "
            f"{len(early) - len(unsent)} of them may not have arrived"
        )


def _billed(found: Findings, rows: list[Row], invoices: dict[str, list[Line]]) -> None:
    for provider, lines in invoices.items():
        theirs = [row for row in rows if row["provider"] == provider]
        found.money[provider] = reconciled = reconcile(theirs, lines)
        found.billing += [f"{provider}: {complaint}" for complaint in reconciled.complaints]
    unknown = [row for row in rows if row["state"] == "unknown"]
    estimated = [row for row in rows if row["state"] == "settled" and row["usage_source"] == "estimated"]
    found.unknown = {
        "unknown_rows": len(unknown),
        "unknown_predicted_nusd": sum(row["predicted_nusd"] or 0 for row in unknown),
        "estimated_rows": len(estimated),
        "estimated_nusd": sum(row["cost_nusd"] or 0 for row in estimated),
        "released_rows": sum(row["state"] == "released" for row in rows),
    }


def _heard(found: Findings, by_request: dict[str, list[Row]], refused: set[str], heard: list[Heard]) -> None:
    """Whoever heard an answer finds it in the ledger, ended as it was heard."""
    known = {each.request_id: each for each in heard if each.request_id}
    if len(known) != sum(bool(each.request_id) for each in heard):
        found.hearing.append("two clients were told the same request id")
    for request_id, each in known.items():
        rows = by_request.get(request_id, [])
        if not rows:
            if request_id not in refused and each.status not in (503,):
                found.hearing.append(f"{request_id} (status {each.status}) is in no row")
            continue
        answered = [row for row in rows if row["outcome"] == "ok"]
        if each.ended == "ok" and (len(answered) != 1 or answered[0] is not rows[-1]):
            found.hearing.append(f"{request_id} was answered, its rows say {[row['outcome'] for row in rows]}")
        if each.ended in ("refused", "broken") and answered:
            found.hearing.append(f"{request_id} is booked as answered, its client heard that it {each.ended}")
    nameless = sum(not each.request_id for each in heard)
    unnamed = len((by_request.keys() | refused) - known.keys())
    if unnamed > nameless:
        found.hearing.append(f"{unnamed} requests of the ledger were heard of by no client, {nameless} left in time")
    del found.hearing[20:]


def _rescued(found: Findings, by_request: dict[str, list[Row]], heard: list[Heard], asks: dict[int, Ask]) -> None:
    """Of requests whose first choice failed before content while a healthy one stood behind it."""
    for each in heard:
        if not asks[each.number].steady or not each.request_id or each.ended == "left":
            continue
        rows = by_request.get(each.request_id, [])
        if not rows or rows[0]["outcome"] in ("ok", "client_left"):
            continue
        if each.ended == "broken" or rows[0]["ttft_us"] is not None:
            continue  # content had begun: nobody else may be asked
        if each.ended == "ok":
            found.rescued += 1
        else:
            found.starved += any(row["provider"] == STEADY and row["outcome"] == "upstream_timeout" for row in rows)
            tried = [(row["deployment"], row["outcome"], row["status"], row["detail"]) for row in rows]
            found.unrescued.append(f"{each.request_id}: {each.ended} {each.status} {tried}")
