"""The end of the chain, to which entries are added within somebody's transaction."""

from __future__ import annotations

import sqlite3
import uuid
from hashlib import sha256
from typing import Final

from twintrack.ledger.audit.entry import FORM, NOBODY, ZERO, Began, Body, commitment, to_msgpack
from twintrack.ledger.audit.schema import BLOCK

_INSERT: Final = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_NOBODY: Final = commitment(NOBODY)


class Chain:
    """Usage: inside a transaction that was begun to write, `add` any number of times, then `store`."""

    def __init__(self, db: sqlite3.Connection, at_us: int, first_row: int) -> None:
        """
        Args:
            at_us, first_row: of the first entry, where there is none yet; see `Began`.
        """
        self._db = db
        last = db.execute("SELECT seq + entries - 1, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        self.seq: int = last[0] if last else 0
        """Of the newest entry."""
        self._hash: bytes = last[1] if last else ZERO
        self._bodies: list[bytes] = []
        self._personal: list[bytes] = []
        self._times: list[int] = []
        if not last:
            self.add(Began(FORM, uuid.uuid4().hex, at_us, first_row), at_us)

    def add(self, body: Body, at_us: int) -> int:
        """Add an entry that leads to nobody; return its number."""
        self.add_encoded(to_msgpack(body), NOBODY, at_us)
        return self.seq

    def add_encoded(self, body: bytes, personal: bytes, at_us: int) -> None:
        """Add an entry; `seq` is its number."""
        self.seq += 1
        self._bodies.append(body)
        self._personal.append(personal)
        self._times.append(at_us)

    def store(self, reach: int) -> None:
        """
        Args:
            reach: see the table.
        """
        seq, last, nobody = self.seq - len(self._bodies) + 1, self._hash, _NOBODY
        rows = []
        for at in range(0, len(self._bodies), BLOCK):
            block = slice(at, at + BLOCK)
            bodies, personal, times = self._bodies[block], self._personal[block], self._times[block]
            for body, who in zip(bodies, personal, strict=True):  # `link`, spelt out: it is done for every request
                last = sha256(last + (sha256(who).digest() if who else nobody) + body).digest()
            rows.append(
                (seq + at, len(bodies), min(times), max(times), reach, to_msgpack(bodies), to_msgpack(personal), last)
            )
        self._db.executemany(_INSERT, rows)
        self._hash = last
        self._bodies, self._personal, self._times = [], [], []
