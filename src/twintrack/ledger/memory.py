"""What the loader knows of the database without asking it again."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from twintrack.ledger.audit.recorder import Remembered
from twintrack.ledger.records import Names
from twintrack.ledger.words import NAMELESS, Vocabulary, Words

_to_names = msgspec.msgpack.Decoder(Names).decode


@dataclass(frozen=True, slots=True)
class Open:
    """An attempt in the database that has no end yet."""

    id: int
    at_us: int
    context: int
    predicted_nusd: int | None
    writer: str


class Memory:
    """Of one loader."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.vocabulary = Vocabulary(db)
        self.next_id: int = db.execute(
            "SELECT max(coalesce((SELECT max(id) FROM attempts), 0), coalesce((SELECT max(id) FROM refusals), 0)) + 1"
        ).fetchone()[0]
        self.open: dict[tuple[str, int], Open] = {
            (request_id, attempt): Open(*rest)
            for request_id, attempt, *rest in db.execute(
                "SELECT request_id, attempt, id, at_us, context, predicted_nusd, writer FROM attempts "
                "WHERE ending IS NULL"
            )
        }
        self.writers: dict[str, int] = dict(db.execute("SELECT writer, last_us FROM journal_writers"))
        """To the time of the newest record, UTC microseconds."""
        self.generations: dict[str, dict[int, Words]] = {}
        """By writer and generation of the snapshot."""
        self.nameless = Words(NAMELESS)
        self.audit = Remembered(db)
        self._words: dict[Names, Words] = {}
        for writer, payload in db.execute("SELECT writer, names FROM journal_names"):
            self.learn(writer, _to_names(payload))

    def learn(self, writer: str, names: Names) -> None:
        """Workers share the words where their names are the same."""
        same = msgspec.structs.replace(names, worker="", generation=0)
        words = self._words.get(same)
        if words is None:
            words = self._words[same] = Words(names)
        self.generations.setdefault(writer, {})[names.generation] = words

    def forget_writers(self, gone: set[str]) -> None:
        for writer in gone:
            self.writers.pop(writer, None)
            self.generations.pop(writer, None)
            self.audit.serving.pop(writer, None)
