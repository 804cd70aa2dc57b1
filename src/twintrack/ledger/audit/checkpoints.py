"""Checkpoints as the database keeps them."""

from __future__ import annotations

import sqlite3

import msgspec

from twintrack.ledger.audit.blocks import to_bodies
from twintrack.ledger.audit.checkpoint import Checkpoint, line
from twintrack.ledger.audit.entry import Began, to_body
from twintrack.ledger.audit.seal import Seal, checkpoint


def make(db: sqlite3.Connection, seal: Seal, now_us: int) -> Checkpoint | None:
    """Sign how the chain ends, within a transaction; None: nothing came since the newest checkpoint."""
    last = db.execute("SELECT seq + entries - 1, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    if last is None:
        return None
    entries, digest = last
    before = newest(db)
    if before is not None and before.entries >= entries:
        return None
    (bodies,) = db.execute("SELECT bodies FROM audit ORDER BY seq LIMIT 1").fetchone()
    began = to_body(to_bodies(bodies)[0])
    chain = began.chain if isinstance(began, Began) else ""
    made = checkpoint(seal, chain, entries, digest.hex(), now_us)
    db.execute("INSERT INTO audit_checkpoints VALUES (?, ?, ?, NULL)", (entries, now_us, line(made).decode()))
    return made


def newest(db: sqlite3.Connection) -> Checkpoint | None:
    found = db.execute("SELECT body FROM audit_checkpoints ORDER BY entries DESC LIMIT 1").fetchone()
    return msgspec.json.decode(found[0], type=Checkpoint) if found else None


def unsent(db: sqlite3.Connection) -> list[Checkpoint]:
    """The newest, if it was sent nowhere: it says all that those before it say."""
    found = db.execute("SELECT body, sent_us FROM audit_checkpoints ORDER BY entries DESC LIMIT 1").fetchone()
    return [msgspec.json.decode(found[0], type=Checkpoint)] if found and found[1] is None else []


def mark_sent(db: sqlite3.Connection, entries: int, now_us: int) -> None:
    db.execute("UPDATE audit_checkpoints SET sent_us = ? WHERE entries = ?", (now_us, entries))
