"""From each earlier version to this one and back again, with rows: forward by itself, back by a copy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_records import Books, dispatch, left_by, settle

from twintrack.errors import LedgerError
from twintrack.ledger import copies
from twintrack.ledger.backup import back_up
from twintrack.ledger.balance import balance
from twintrack.ledger.copies import KEPT, upgrades_kept
from twintrack.ledger.database import database, open_reader, refuse_newer, version_of
from twintrack.ledger.load import Loader
from twintrack.ledger.restore import restore
from twintrack.ledger.schema import MIGRATIONS, VERSION

NEXT = "ALTER TABLE attempts ADD COLUMN of_the_next_version INTEGER;"
ROWS = {("a", 0), ("b", 0), ("b", 1), ("late", 0), ("open", 0), ("own", 0)}
"""Of the folders that older programs left, the journal loaded."""


def attempts(folder: Path) -> set[tuple[str, int]]:
    with closing(sqlite3.connect(database(folder))) as db:
        return set(db.execute("SELECT request_id, attempt FROM attempts"))


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return version_of(db)


def load(folder: Path) -> None:
    with Loader(folder) as loader:
        assert loader.load().caught_up


@pytest.mark.parametrize("earlier", range(1, VERSION))
def test_from_each_earlier_version_and_back_again(tmp_path: Path, earlier: int):
    folder = left_by(earlier, tmp_path / "data")
    before = attempts(folder)

    load(folder)
    assert version(database(folder)) == VERSION
    assert attempts(folder) == ROWS
    assert balance(database(folder)) == []

    (kept,) = upgrades_kept(database(folder))
    assert version(kept) == earlier
    restored = restore(kept, tmp_path / "back")
    assert restored.schema_version == earlier
    assert attempts(tmp_path / "back") == before
    load(tmp_path / "back")
    assert balance(database(tmp_path / "back")) == []


@pytest.mark.parametrize("earlier", range(1, VERSION))
def test_a_backup_made_before_an_upgrade_keeps_its_version_and_its_rows(tmp_path: Path, earlier: int):
    folder = left_by(earlier, tmp_path / "data")
    manifest = back_up(folder, tmp_path / "backup", None, version="1")
    assert (manifest.schema_version, version(database(folder))) == (earlier, earlier)
    restore(tmp_path / "backup", tmp_path / "back")
    assert attempts(tmp_path / "back") == ROWS


# This program, and the next one


@pytest.fixture
def upgraded(books: Books, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger of this version that the next one has opened and written to."""
    books.load(dispatch("kept"), settle("kept"))
    books.close()
    with monkeypatch.context() as later:
        later.setattr("twintrack.ledger.database.MIGRATIONS", (*MIGRATIONS, NEXT))
        later.setattr("twintrack.ledger.database.VERSION", VERSION + 1)
        new = Books(books.folder)
        new.load(dispatch("later"), settle("later"))
        new.close()
        assert attempts(books.folder) == {("kept", 0), ("later", 0)}
        assert balance(books.path) == []
    return books.folder


def test_an_older_program_refuses_and_names_the_way_back(upgraded: Path):
    (kept,) = upgrades_kept(database(upgraded))
    for refused in (lambda: Loader(upgraded), lambda: open_reader(database(upgraded))):
        with pytest.raises(LedgerError) as error:
            refused()
        assert str(error.value) == (
            f"The ledger {database(upgraded)} was written by a newer version of Twintrack: its schema has version "
            f"{VERSION + 1}, this program knows up to {VERSION}, and none is ever taken back. Install the newer "
            f"version again, or go back to the copy made before the upgrade, {kept}: "
            f"twintrack restore {kept} --to {upgraded} --replace."
        )
    with pytest.raises(LedgerError, match="newer version"):
        refuse_newer(database(upgraded))
    assert version(database(upgraded)) == VERSION + 1


def test_and_that_way_leads_back(upgraded: Path):
    (kept,) = upgrades_kept(database(upgraded))
    restored = restore(kept, upgraded, replace=True)
    assert attempts(upgraded) == {("kept", 0)}
    assert restored.replaced is not None
    assert attempts(restored.replaced) == {("kept", 0), ("later", 0)}, "nothing of the newer version is lost"
    refuse_newer(database(upgraded))
    books = Books(upgraded)
    books.load(dispatch("new"), settle("new"))
    assert attempts(upgraded) == {("kept", 0), ("new", 0)}
    books.close()


def test_where_no_copy_fits_a_backup_is_named(upgraded: Path):
    for copy in upgrades_kept(database(upgraded)):
        copy.unlink()
    with pytest.raises(LedgerError, match=r"go back to a backup made before the upgrade: twintrack restore FILE --to"):
        refuse_newer(database(upgraded))


def test_without_a_copy_nothing_is_upgraded(books: Books, monkeypatch: pytest.MonkeyPatch):
    """No space for it, say: the ledger stays as the old program can read it, and the rows wait in the journal."""
    books.load(dispatch("a"), settle("a"))
    books.close()

    def full(source: Path, to: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as later:
        later.setattr("twintrack.ledger.database.MIGRATIONS", (*MIGRATIONS, NEXT))
        later.setattr("twintrack.ledger.database.VERSION", VERSION + 1)
        later.setattr(copies, "copy_database", full)
        with pytest.raises(LedgerError, match=r"is not brought up to date.*No space left.*Free as much disk space"):
            Loader(books.folder)
    assert version(books.path) == VERSION
    assert list((books.folder / "backups").iterdir()) == []
    assert attempts(books.folder) == {("a", 0)}


def test_copies_are_few_and_the_newest_stay(books: Books, monkeypatch: pytest.MonkeyPatch):
    books.close()
    made = []
    for minute in range(KEPT + 2):
        monkeypatch.setattr(copies.time, "gmtime", lambda minute=minute: (2026, 11, 30, 2, minute, 0, 0, 0, 0))
        made.append(copies.keep_before_upgrade(books.path, 1 + minute))
    assert upgrades_kept(books.path) == made[-KEPT:]
    assert all(each.stat().st_mode & 0o077 == 0 for each in made[-KEPT:])


def test_a_new_ledger_needs_no_copy(books: Books):
    assert not (books.folder / "backups").exists()
