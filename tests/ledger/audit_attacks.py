"""What somebody with write access to the database might do to the audit chain."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from twintrack.ledger.audit.blocks import to_bodies, to_sealed
from twintrack.ledger.audit.entry import ZERO, commitment, link, to_msgpack


def bodies_of(db: sqlite3.Connection) -> list[tuple[int, list[list[Any]], list[Any]]]:
    """(first number, entries as plain values, what is personal) by block."""
    return [
        (seq, [msgspec.msgpack.decode(body) for body in to_bodies(bodies)], to_sealed(personal))
        for seq, bodies, personal in db.execute("SELECT seq, bodies, personal FROM audit ORDER BY seq")
    ]


def rewrite(path: Path, change: Any) -> None:
    """Let `change` alter each entry (a list that begins with its kind), and compute every hash anew: a forger who knows
    this program, and leaves nothing that does not fit."""
    with closing(sqlite3.connect(path)) as db:
        last = ZERO
        for seq, entries, personal in bodies_of(db):
            for entry in entries:
                change(entry)
            encoded = [to_msgpack(entry) for entry in entries]
            for body, who in zip(encoded, personal, strict=True):
                last = link(last, commitment(who) if isinstance(who, bytes) else who[0], body)
            db.execute("UPDATE audit SET bodies = ?, hash = ? WHERE seq = ?", (to_msgpack(encoded), last, seq))
        db.commit()
