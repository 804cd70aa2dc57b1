"""Where in the chain a request is told of first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

import msgspec

from twintrack.ledger.audit.blocks import Entry, block_entries
from twintrack.ledger.audit.entry import Decided

_RECENT: Final = 64
"""Blocks at the end in which requests may be half told."""


def _readable(seq: int, bodies: bytes, personal: bytes) -> Iterator[Entry]:
    """Of a block that somebody damaged, nothing: loading goes on, and `verify` says it."""
    try:
        yield from list(block_entries(seq, bodies, personal))
    except (msgspec.MsgspecError, ValueError):
        return


def first_of(db: sqlite3.Connection, request_id: str, row: int = 0) -> int:
    """Number of the first entry about a request; 0: the chain is younger than it.

    Args:
        row: of one of its attempts in the ledger; 0: look for it.
    """
    if not row:
        found = db.execute("SELECT min(id) FROM attempts WHERE request_id = ?", (request_id,)).fetchone()
        row = found[0] or 0
    reach = db.execute("SELECT min(reach) FROM audit WHERE reach > ?", (row,)).fetchone()[0]
    for block in db.execute("SELECT seq, bodies, personal FROM audit WHERE reach = ? ORDER BY seq", (reach,)):
        for entry in _readable(*block):
            if entry.personal is not None and entry.personal.request_id == request_id:
                return entry.body.first or entry.seq if isinstance(entry.body, Decided) else entry.seq
    return 0


def block_of(db: sqlite3.Connection, seq: int) -> Iterator[Entry]:
    """The entries of the block that number `seq` is in."""
    found = db.execute(
        "SELECT seq, bodies, personal FROM audit WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
    ).fetchone()
    if found:
        yield from block_entries(*found)


def half_told(db: sqlite3.Connection) -> dict[str, int]:
    """Requests that were read and, as far as the chain knows, not yet decided: by id, their entries."""
    found: dict[str, int] = {}
    newest = db.execute("SELECT seq, bodies, personal FROM audit ORDER BY seq DESC LIMIT ?", (_RECENT,)).fetchall()
    for block in reversed(newest):
        for entry in _readable(*block):
            body = entry.body
            if entry.personal is None or not isinstance(body, Decided):
                continue
            if body.attempt is None and not body.refused:
                found[entry.personal.request_id] = entry.seq
            else:
                found.pop(entry.personal.request_id, None)
    return found
