"""Removes what leads to somebody, and keeps what is counted.

Rows about money stay, under a name that means nobody; so every sum stays what it was. Of the audit chain's entries goes
what is personal, and its SHA-256 stays, so that the chain still verifies. That it was done is an entry of its own.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from twintrack.ledger.audit.blocks import to_sealed
from twintrack.ledger.audit.entry import Erased, Personal, commitment, opened, to_msgpack
from twintrack.ledger.audit.note import note
from twintrack.ledger.hours import HOUR_US

Kind = Literal["key", "tenant", "request"]
_FOREVER_US: Final = 2**62
_WITHOUT_ID: Final = "SELECT name FROM pragma_table_info(?) WHERE name <> 'id'"


_NAMELESS_VERDICTS: Final = """
UPDATE verdicts SET request_id = 'erased-' || lower(hex(randomblob(8))) WHERE key = ?
  AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.request_id = verdicts.request_id)
  AND NOT EXISTS (SELECT 1 FROM refusals r WHERE r.request_id = verdicts.request_id)
"""
"""On what is no request of this ledger: there the id is whatever the client wrote."""


@dataclass(frozen=True, slots=True)
class Subject:
    kind: Kind
    name: str


class Erasure(msgspec.Struct, frozen=True):
    """What went, or would."""

    kind: Kind
    keys: tuple[str, ...]
    """Names that stand for nobody now."""
    attempts: int
    refusals: int
    entries: int
    """Of the audit chain."""
    verdicts: int
    features: int
    running: int
    """Attempts of it that are not over: as long as there are any, nothing is erased."""
    name_stays: bool
    """A gateway runs, whose memory refers to the name; it goes when this is done again without one."""
    logged_as: int
    """Number of the entry that says so; 0: nothing was done."""


def kinds_of(db: sqlite3.Connection, name: str) -> list[Kind]:
    """As what the ledger knows a name."""
    found: list[Kind] = []
    known = "SELECT 1 FROM contexts WHERE key = ?1 UNION SELECT 1 FROM refusals WHERE key = ?1"
    if db.execute(known, (name,)).fetchone():
        found.append("key")
    if any(personal.tenant == name for _, _, personal in _personal(db)):
        found.append("tenant")
    known = "SELECT 1 FROM attempts WHERE request_id = ?1 UNION SELECT 1 FROM refusals WHERE request_id = ?1"
    if db.execute(known, (name,)).fetchone():
        found.append("request")
    return found


def erase(
    db: sqlite3.Connection,
    subject: Subject,
    *,
    before_us: int | None,
    now_us: int,
    fingerprint: str,
    alone: bool,
    dry_run: bool = False,
) -> Erasure:
    """
    Args:
        db: open to write, not in a transaction.
        before_us: only what was asked before it, at the start of an hour; None: all.
        fingerprint: of the subject's name, for the entry that says what was done.
        alone: nobody else has the ledger open to write.
    Raises:
        sqlite3.Error: it is locked, full or broken; nothing was changed.
    """
    db.execute("PRAGMA secure_delete = ON")  # what is overwritten does not stay behind in the file
    db.execute("BEGIN IMMEDIATE")
    try:
        work = _Work(db, subject, _FOREVER_US if before_us is None else before_us, alone)
        done = work.do(now_us, fingerprint, before_us or 0, dry_run=dry_run)
        if dry_run or done.running:
            db.execute("ROLLBACK")
        else:
            db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return done


@dataclass(slots=True)
class _Work:
    db: sqlite3.Connection
    subject: Subject
    before_us: int
    alone: bool
    requests: dict[str, str] = field(default_factory=dict)
    """What stands for a request's id now."""

    def do(self, now_us: int, fingerprint: str, said_us: int, *, dry_run: bool) -> Erasure:
        keys = self._keys()
        running = self._running(keys)
        for key in keys:
            self._gather(key)
        if self.subject.kind == "request" and self._asked_before(self.subject.name):
            self.requests[self.subject.name] = _nobody()
        entries = self._entries(keys)  # before the ids go by which entries are known
        attempts = refusals = verdicts = features = 0
        renamed = {key: _nobody() for key in keys}
        for key, nobody in renamed.items():
            self._rename_attempts(key, nobody)
            self.db.execute("UPDATE refusals SET key = ? WHERE key = ? AND at_us < ?", (nobody, key, self.before_us))
            self.db.execute("UPDATE verdicts SET key = ? WHERE key = ? AND at_us < ?", (nobody, key, self.before_us))
            verdicts += self.db.execute(_NAMELESS_VERDICTS, (nobody,)).rowcount
            self._rename_sums(key, nobody)
        for request_id, instead in self.requests.items():
            features += self.db.execute(
                "DELETE FROM features WHERE attempt IN (SELECT id FROM attempts WHERE request_id = ?)", (request_id,)
            ).rowcount
            features += self.db.execute(
                "DELETE FROM drafts WHERE attempt IN (SELECT id FROM attempts WHERE request_id = ?)", (request_id,)
            ).rowcount
            change = (instead, request_id)
            attempts += self.db.execute("UPDATE attempts SET request_id = ? WHERE request_id = ?", change).rowcount
            refusals += self.db.execute("UPDATE refusals SET request_id = ? WHERE request_id = ?", change).rowcount
            for (
                key,
                nobody,
            ) in renamed.items():  # given after `before_us`, too: it would lead from the request to the name
                self.db.execute(
                    "UPDATE verdicts SET key = ? WHERE key = ? AND request_id = ?", (nobody, key, request_id)
                )
            verdicts += self.db.execute("UPDATE verdicts SET request_id = ? WHERE request_id = ?", change).rowcount
        if self.alone:
            for key in keys:
                self._forget_words(key)
        something = attempts or refusals or entries or verdicts
        logged_as = 0
        if something and not dry_run and not running:
            body = Erased(now_us, self.subject.kind, fingerprint, said_us, entries, attempts, refusals)
            logged_as = note(self.db, body, now_us)
        return Erasure(
            kind=self.subject.kind,
            keys=keys,
            attempts=attempts,
            refusals=refusals,
            entries=entries,
            verdicts=verdicts,
            features=features,
            running=running,
            name_stays=bool(keys) and not self.alone,
            logged_as=logged_as,
        )

    def _keys(self) -> tuple[str, ...]:
        """Whose rows go under another name."""
        if self.subject.kind == "key":
            return (self.subject.name,)
        if self.subject.kind == "tenant":
            found = {p.key for _, _, p in _personal(self.db) if p.tenant == self.subject.name and p.key is not None}
            return tuple(sorted(found))
        return ()

    def _running(self, keys: tuple[str, ...]) -> int:
        (count,) = self.db.execute(
            f"SELECT count(*) FROM attempts a JOIN contexts c ON c.id = a.context WHERE a.ending IS NULL "  # noqa: S608
            f"AND a.at_us < ? AND (a.request_id = ? OR c.key IN ({', '.join('?' * len(keys))}))",
            (self.before_us, self.subject.name if self.subject.kind == "request" else "", *keys),
        ).fetchone()
        return int(count)

    def _asked_before(self, request_id: str) -> bool:
        question = (
            "SELECT 1 FROM attempts WHERE request_id = ?1 AND at_us < ?2 "
            "UNION SELECT 1 FROM refusals WHERE request_id = ?1 AND at_us < ?2"
        )
        return self.db.execute(question, (request_id, self.before_us)).fetchone() is not None

    def _gather(self, key: str) -> None:
        for question in (
            "SELECT DISTINCT a.request_id FROM contexts c JOIN attempts a ON a.context = c.id "
            "WHERE c.key = ? AND a.at_us < ?",
            "SELECT request_id FROM refusals WHERE key = ? AND at_us < ?",
        ):
            for (request_id,) in self.db.execute(question, (key, self.before_us)):
                self.requests[request_id] = _nobody()

    def _rename_attempts(self, key: str, nobody: str) -> None:
        """To contexts of their own: a gateway that runs goes on with those it knows."""
        renamed = self._copies("contexts", key, nobody)
        self.db.execute(
            "UPDATE attempts SET context = (SELECT value FROM json_each(?1) WHERE key = context) "
            "WHERE context IN (SELECT CAST(key AS INTEGER) FROM json_each(?1)) AND at_us < ?2",
            (renamed, self.before_us),
        )

    def _rename_sums(self, key: str, nobody: str) -> None:
        renamed = self._copies("slices", key, nobody)
        self.db.execute(
            "UPDATE rollups SET slice = (SELECT value FROM json_each(?1) WHERE key = slice) "
            "WHERE slice IN (SELECT CAST(key AS INTEGER) FROM json_each(?1)) AND hour < ?2",
            (renamed, self.before_us // HOUR_US),
        )

    def _copies(self, table: str, key: str, nobody: str) -> str:
        """Rows of `table` once more, under another name. JSON: their ids, by those they are copies of."""
        names = [name for (name,) in self.db.execute(_WITHOUT_ID, (table,))]
        question = f"SELECT id, {', '.join(names)} FROM {table} WHERE key = ?"  # noqa: S608  # our own names
        copies = {}
        for which, *words in self.db.execute(question, (key,)).fetchall():
            words[names.index("key")] = nobody
            copies[str(which)] = self._insert(table, names, words)
        return msgspec.json.encode(copies).decode()

    def _insert(self, table: str, names: list[str], words: list[object]) -> int:
        places = ", ".join("?" * len(names))
        made = self.db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", words)  # noqa: S608
        assert made.lastrowid is not None
        return made.lastrowid

    def _forget_words(self, key: str) -> None:
        """The name, where no row has it any more."""
        self.db.execute(
            "DELETE FROM contexts WHERE key = ? AND NOT EXISTS (SELECT 1 FROM attempts WHERE context = contexts.id)",
            (key,),
        )
        self.db.execute(
            "DELETE FROM slices WHERE key = ? AND NOT EXISTS (SELECT 1 FROM rollups WHERE slice = slices.id)", (key,)
        )

    def _entries(self, keys: tuple[str, ...]) -> int:
        tenant = self.subject.name if self.subject.kind == "tenant" else None
        gone = 0
        # All blocks: what was asked before a time may have been answered after it.
        for seq, personal in self.db.execute("SELECT seq, personal FROM audit ORDER BY seq").fetchall():
            sealed = to_sealed(personal)
            changed = False
            for place, each in enumerate(sealed):
                who = opened(each) if isinstance(each, bytes) else None
                if who is None:
                    continue
                its = (who.key in keys and who.key is not None) or (tenant is not None and who.tenant == tenant)
                if who.request_id in self.requests or (its and self.before_us == _FOREVER_US):
                    assert isinstance(each, bytes)
                    sealed[place] = (commitment(each),)
                    changed = True
                    gone += 1
            if changed:
                self.db.execute("UPDATE audit SET personal = ? WHERE seq = ?", (to_msgpack(sealed), seq))
        return gone


def _personal(db: sqlite3.Connection) -> Iterator[tuple[int, int, Personal]]:
    """Block, place in it, and whom an entry leads to."""
    for seq, personal in db.execute("SELECT seq, personal FROM audit ORDER BY seq"):
        for place, each in enumerate(to_sealed(personal)):
            who = opened(each) if isinstance(each, bytes) else None
            if who is not None:
                yield seq, place, who


def _nobody() -> str:
    return f"erased-{secrets.token_hex(8)}"
