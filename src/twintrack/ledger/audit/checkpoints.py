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
    (before,) = db.execute("SELECT coalesce(max(entries), 0) FROM audit_checkpoints").fetchone()
    if before >= entries:
        return None
    chain = _name(db)
    made = checkpoint(seal, chain, entries, digest.hex(), now_us)
    db.execute("INSERT INTO audit_checkpoints VALUES (?, ?, ?, NULL)", (entries, now_us, line(made).decode()))
    return made


def _name(db: sqlite3.Connection) -> str:
    """Of the chain; empty where its first entry was damaged, which `verify` says."""
    (bodies,) = db.execute("SELECT bodies FROM audit ORDER BY seq LIMIT 1").fetchone()
    try:
        began = to_body(to_bodies(bodies)[0])
    except (msgspec.MsgspecError, IndexError):
        return ""
    return began.chain if isinstance(began, Began) else ""


def newest(db: sqlite3.Connection) -> Checkpoint | None:
    """None: there is none that can be read."""
    found = db.execute("SELECT body FROM audit_checkpoints ORDER BY entries DESC LIMIT 1").fetchone()
    return _read(found[0]) if found else None


def _read(body: str) -> Checkpoint | None:
    try:
        return msgspec.json.decode(body, type=Checkpoint)
    except msgspec.MsgspecError:
        return None


def unsent(db: sqlite3.Connection) -> list[Checkpoint]:
    """The newest, if it was sent nowhere: it says all that those before it say."""
    found = db.execute("SELECT body, sent_us FROM audit_checkpoints ORDER BY entries DESC LIMIT 1").fetchone()
    made = _read(found[0]) if found and found[1] is None else None
    return [] if made is None else [made]


def mark_sent(db: sqlite3.Connection, entries: int, now_us: int) -> None:
    db.execute("UPDATE audit_checkpoints SET sent_us = ? WHERE entries = ?", (now_us, entries))
