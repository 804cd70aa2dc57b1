"""What an older program wrote can be read for ever: its database is brought up to date, its journals are loaded.

`data/version1.*` were written by the program of version 1: a data folder with four requests and a refusal loaded,
and three records left in the journal.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from ledger_records import T0, Books, dispatch, left_by, settle

from twintrack.errors import LedgerError
from twintrack.ledger.balance import balance
from twintrack.ledger.database import database, open_reader
from twintrack.ledger.entries import entries
from twintrack.ledger.records import SCHEMA, Settle
from twintrack.ledger.schema import MIGRATIONS, VERSION
from twintrack.ledger.summary import summary

NEW = [
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
]


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return left_by(1, tmp_path / "data")


def rows(folder: Path, question: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(database(folder))) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(question)]


def test_an_older_ledger_is_brought_up_to_date_and_keeps_every_row(first: Path):
    with pytest.raises(LedgerError, match="has version 1, this program reads version"):
        open_reader(database(first))
    before = rows(first, "SELECT * FROM entries ORDER BY id")

    books = Books(first)
    books.load()

    after = {row["id"]: row for row in rows(first, "SELECT * FROM entries")}
    for row in before:
        kept = after[row["id"]]
        assert {name: kept[name] for name in NEW} == dict.fromkeys(NEW)
        if row["state"] != "dispatched":  # its end lay in the journal
            assert {name: kept[name] for name in row} == row
    assert rows(first, "SELECT version FROM schema_version") == [{"version": step + 1} for step in range(VERSION)]
    assert balance(books.path) == []
    books.close()


def test_a_segment_of_an_older_version_is_loaded_to_its_end(first: Path):
    books = Books(first)
    loaded = books.load()
    assert (loaded.rows, loaded.problems) == (4, ())  # with the names of the new worker
    states = {row["request_id"]: row["state"] for row in rows(first, "SELECT request_id, state FROM entries")}
    assert states == dict.fromkeys(("a", "b", "own", "open", "late"), "settled")
    assert "w0-000001.journal" not in books.journal_files()
    books.close()


def test_new_requests_stand_beside_old_ones_in_the_same_hour(first: Path):
    books = Books(first)
    books.load(dispatch("new"), settle("new", **dict.fromkeys(NEW, 7), cache_write_tokens=9))
    total = summary(books.path).total
    assert (total.cache_write_tokens, [getattr(total, name) for name in NEW]) == (109, [7] * 5)
    (new,) = entries(books.path, "new")
    assert new.at_us == T0
    assert [getattr(new, name) for name in NEW] == [7] * 5
    assert balance(books.path) == []
    books.close()


def test_a_ledger_made_today_is_like_one_brought_up_to_date(first: Path, tmp_path: Path):
    shape = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    today = Books(tmp_path / "today")
    old = Books(first)
    assert rows(first, shape) == rows(today.folder, shape)
    today.close()
    old.close()


def test_records_only_ever_grow_at_their_end_and_by_what_may_be_missing():
    now = Settle.__struct_fields__
    assert (SCHEMA, len(MIGRATIONS)) == (5, 3)
    assert list(now[-6:]) == [*NEW, "seen"]
    assert now[: len(now) - 6][-1] == "response_bytes"
    record = settle("a", **dict.fromkeys(NEW, 3), seen=b"1")
    older = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(record))[:-6])
    assert msgspec.msgpack.decode(older, type=Settle) == settle("a")
