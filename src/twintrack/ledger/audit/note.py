"""Entries about the ledger itself: what was erased, what was restored."""

from __future__ import annotations

import sqlite3

from twintrack.ledger.audit.chain import Chain
from twintrack.ledger.audit.entry import Body


def note(db: sqlite3.Connection, body: Body, now_us: int) -> int:
    """Add an entry, within a transaction that was begun to write; return its number."""
    (reach,) = db.execute(
        "SELECT max(coalesce((SELECT max(id) FROM attempts), 0), coalesce((SELECT max(id) FROM refusals), 0)) + 1"
    ).fetchone()
    chain = Chain(db, now_us, reach)
    seq = chain.add(body, now_us)
    chain.store(reach)
    return seq
