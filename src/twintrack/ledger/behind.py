"""How far another process has come with loading the journals of a folder, for whoever reads its ledger."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from twintrack.errors import LedgerError
from twintrack.ledger.database import FOREIGN, database, explained, is_broken, version_of
from twintrack.ledger.schema import VERSION
from twintrack.ledger.segment import SUFFIX, JournalReader, journal_folder

_CURSOR = "SELECT offset FROM journal_cursor WHERE writer = ? AND seq = ?"


class Reached(NamedTuple):
    """Where a file of the journal ended."""

    path: Path
    inode: int
    writer: str
    seq: int
    offset: int


def written(folder: Path) -> list[Reached]:
    """What workers have written by now and is perhaps not in the ledger.

    Raises:
        LedgerError: the database cannot be opened.
    """
    with closing(_connection(folder)) as db:
        found = [_reached(path, db) for path in sorted(journal_folder(folder).glob(f"*{SUFFIX}"))]
    return [each for each in found if each is not None]


def is_loaded(folder: Path, ends: list[Reached]) -> bool:
    """Whether the ledger is of this version and holds everything before `ends`. Without a ledger it holds nothing.

    One that nothing is ever loaded into, because it is broken, newer or some other program's, is as far as it comes:
    whoever reads it says so.

    Raises:
        LedgerError: the database cannot be opened.
    """
    with closing(_connection(folder)) as db:
        try:
            version = version_of(db)
            if version == FOREIGN or version > VERSION:
                return True
            if version != VERSION:
                return version == 0 and not ends
            return all(_cursor(db, each.writer, each.seq) >= each.offset or _is_gone(each) for each in ends)
        except sqlite3.Error as error:
            return is_broken(error)  # otherwise being made, or locked


def _connection(folder: Path) -> sqlite3.Connection:
    path = database(folder)
    where = f"{path.absolute().as_uri()}?mode=ro" if path.exists() else ":memory:"
    try:
        return sqlite3.connect(where, timeout=1.0, uri=True)
    except sqlite3.Error as error:
        raise explained(error, path) from error


def _cursor(db: sqlite3.Connection, writer: str, seq: int) -> int:
    row = db.execute(_CURSOR, (writer, seq)).fetchone()
    return int(row[0]) if row else 0


def _reached(path: Path, db: sqlite3.Connection) -> Reached | None:
    """None: nothing is in it that could be loaded."""
    try:
        reader = JournalReader(path)
    except (OSError, LedgerError):
        return None
    with closing(reader):
        writer = f"{reader.writer:016x}"
        try:
            begin = _cursor(db, writer, reader.seq)
        except sqlite3.Error:
            begin = 0
        end = 0
        for _, offset in reader.records(begin or None):
            end = offset
        return Reached(path, os.fstat(reader.fd).st_ino, writer, reader.seq, end) if end else None


def _is_gone(each: Reached) -> bool:
    """A file goes when all of it is in the ledger, or when it is put aside as damaged."""
    try:
        return each.path.stat().st_ino != each.inode
    except FileNotFoundError:
        return True
