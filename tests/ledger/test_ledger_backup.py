"""A backup is whole or not there, and what it is restored to is either what was or what was to be."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sqlite3
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_records import NAMES, Books, dispatch, settle

from twintrack.catalog import revisions
from twintrack.errors import EnvironmentProblem, LedgerError
from twintrack.ledger import archive, pending
from twintrack.ledger.archive import BackupBroken, Manifest
from twintrack.ledger.backup import Configuration, back_up, whole_part
from twintrack.ledger.balance import balance
from twintrack.ledger.folder import claim, holder
from twintrack.ledger.journal import Journal
from twintrack.ledger.load import Loader
from twintrack.ledger.restore import check, restore

CONFIGURATION = Configuration("twintrack.toml", b'[[keys]]\nname = "a"\nkey = "env:KEY"\n', ("env:KEY",))


def made(books: Books, to: Path, configuration: Configuration | None = None, *, replace: bool = False) -> Manifest:
    return back_up(books.folder, to, configuration, version="1.2.3", replace=replace)


def requests(folder: Path) -> list[str]:
    """What the ledger of a folder holds once everything is loaded, by the next program that opens it."""
    with Loader(folder) as loader:
        while not loader.load().caught_up:
            pass
    with sqlite3.connect(folder / "ledger.db") as db:
        found = [row[0] for row in db.execute("SELECT request_id FROM attempts ORDER BY request_id")]
    db.close()
    assert balance(folder / "ledger.db") == []
    return found


@pytest.fixture
def backup(books: Books, tmp_path: Path) -> Path:
    """Of a folder with `a` in the ledger and `b` in the journal."""
    books.load(dispatch("a"), settle("a"))
    books.write(dispatch("b"), settle("b"))
    made(books, tmp_path / "backup", CONFIGURATION)
    return tmp_path / "backup"


def test_it_holds_the_ledger_and_what_waits_in_the_journal(backup: Path, tmp_path: Path):
    restored = restore(backup, tmp_path / "new")
    assert requests(tmp_path / "new") == ["a", "b"]
    assert restored.attempts == 2
    assert (restored.manifest.attempts, restored.manifest.made[-1]) == (1, "Z")  # type: ignore[union-attr]
    assert (restored.problems, restored.replaced) == ((), None)
    assert restored.configuration == CONFIGURATION.text


def test_facts_that_were_imported_are_in_it_and_replaced_with_the_rest(books: Books, tmp_path: Path):
    first = revisions.save(str(books.folder), revisions.Revision(prices_source="first"), b"{}")
    made(books, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new")
    assert revisions.current(str(tmp_path / "new")) == first
    assert (tmp_path / "new" / "catalog" / first.prices).read_bytes() == b"{}"
    revisions.save(str(books.folder), revisions.Revision(prices_source="second"))
    books.close()
    restored = restore(tmp_path / "backup", books.folder, replace=True)
    assert revisions.current(str(books.folder)) == first
    assert revisions.current(str(restored.replaced)).prices_source == "second"


@pytest.mark.parametrize("name", ["router.json", "verifier.json"])
def test_what_was_fitted_is_in_it_and_replaced_with_the_rest(books: Books, tmp_path: Path, name: str):
    fitted = books.folder / name
    fitted.write_bytes(b"first")
    made(books, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new")
    assert (tmp_path / "new" / name).read_bytes() == b"first"
    fitted.write_bytes(b"second")
    books.close()
    restored = restore(tmp_path / "backup", books.folder, replace=True)
    assert fitted.read_bytes() == b"first"
    assert restored.replaced is not None
    assert (Path(restored.replaced) / name).read_bytes() == b"second"


def test_only_its_owner_can_read_it_and_what_is_made_of_it(backup: Path, tmp_path: Path):
    restore(backup, tmp_path / "new")
    paths = [backup, tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert [path.name for path in paths if path.stat().st_mode & 0o077] == []


def test_an_earlier_file_is_only_replaced_when_that_is_said(books: Books, backup: Path):
    with pytest.raises(EnvironmentProblem, match="exists already"):
        made(books, backup)
    books.load(dispatch("c"), settle("c"))
    assert made(books, backup, replace=True).attempts == 3
    assert check(backup).attempts == 3


def test_nothing_lies_beside_it_afterwards(backup: Path, tmp_path: Path):
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "data"]


def test_what_a_killed_backup_left_is_removed_by_the_next(books: Books, tmp_path: Path):
    left = tmp_path / ".backup.unfinished" / "contents"
    left.mkdir(parents=True)
    (left / "ledger.db").write_bytes(b"half")
    made(books, tmp_path / "backup")
    assert not left.parent.exists()
    assert check(tmp_path / "backup").attempts == 0


def test_two_at_once_to_one_file_do_not_meet(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    inner: list[BaseException] = []

    def described(name: str, path: Path) -> archive.File:
        if not inner:
            with pytest.raises(EnvironmentProblem, match="Another backup to") as refused:
                made(books, tmp_path / "backup")
            inner.append(refused.value)
        return original(name, path)

    original = archive.described
    monkeypatch.setattr(archive, "described", described)
    made(books, tmp_path / "backup")
    assert check(tmp_path / "backup").attempts == 0


def test_a_folder_that_is_not_there_is_no_empty_backup(tmp_path: Path):
    with pytest.raises(EnvironmentProblem, match="There is no data folder"):
        back_up(tmp_path / "nowhere", tmp_path / "backup", None, version="1")


def test_a_ledger_that_is_broken_is_not_backed_up(books: Books, tmp_path: Path):
    books.load(dispatch("a"))
    books.close()
    with books.path.open("r+b") as file:
        file.write(b"nonsense" * 1000)
    with pytest.raises(LedgerError, match="is broken"):
        made(books, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


# While a gateway serves


def test_made_while_requests_are_written_and_loaded_it_holds_all_that_were_before(books: Books, tmp_path: Path):
    """Segments of 16 KiB, so that they are finished, loaded and removed all the time."""
    worker = Journal(books.journals, "w1", 16_384)
    worker.start(NAMES)
    stop = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            request = f"r{len(written):06}"
            worker.append(dispatch(request))
            worker.append(settle(request))
            written.append(request)
            time.sleep(0.0005)

    def load() -> None:
        while not stop.is_set():
            books.loader.load()
            time.sleep(0.005)

    threads = [threading.Thread(target=write), threading.Thread(target=load)]
    for thread in threads:
        thread.start()
    try:
        sure = []
        for number in range(4):
            sure.append(len(written))
            made(books, tmp_path / f"backup{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    worker.close()
    for number, before in enumerate(sure):
        restored = restore(tmp_path / f"backup{number}", tmp_path / f"new{number}")
        found = requests(tmp_path / f"new{number}")
        assert restored.problems == ()
        assert found[:before] == written[:before]
        assert set(found) <= set(written)


def test_a_ledger_that_is_just_being_made_is_left_to_the_journal(books: Books, tmp_path: Path):
    books.write(dispatch("a"), settle("a"))
    young = tmp_path / "young"
    shutil.copytree(books.folder / "journal", young / "journal")
    with sqlite3.connect(young / "ledger.db") as db:
        db.execute("PRAGMA journal_mode = WAL")  # there, and nothing in it
    db.close()
    back_up(young, tmp_path / "backup", None, version="1.2.3")
    restore(tmp_path / "backup", tmp_path / "new")
    assert requests(tmp_path / "new") == ["a"]


def test_some_other_database_is_not_backed_up_as_a_ledger(tmp_path: Path):
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(LedgerError, match="some other SQLite database"):
        back_up(tmp_path, tmp_path / "backup", None, version="1.2.3")


def test_a_segment_is_copied_up_to_its_last_whole_record(books: Books):
    books.write(dispatch("a"), settle("a"))
    (segment,) = books.journals.iterdir()
    whole = whole_part(segment)
    books.worker._map[books.worker._end + 8 : books.worker._end + 40] = b"x" * 32  # type: ignore[index]  # in progress
    assert whole_part(segment) == whole
    assert segment.read_bytes().startswith(whole)


def test_a_segment_with_damage_inside_is_copied_whole(books: Books, tmp_path: Path):
    books.write(dispatch("a"), settle("a"), dispatch("b"), settle("b"))
    (segment,) = books.journals.iterdir()
    at = whole_part(segment).find(b"\xa1b")
    books.worker._map[at : at + 2] = b"\xa1\xff"  # type: ignore[index]
    made(books, tmp_path / "backup")
    restored = restore(tmp_path / "backup", tmp_path / "new")
    assert "bytes from there were not loaded" in restored.problems[0]
    assert [path.suffix for path in (tmp_path / "new" / "journal").iterdir()] == [".damaged"]


# Broken files


def changed(backup: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(backup.read_bytes())
    change(data)
    broken = backup.with_name("broken")
    broken.write_bytes(data)
    return broken


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9])
def test_one_that_was_cut_off_is_refused_before_anything_is_touched(backup: Path, tmp_path: Path, share: float):
    def cut(data: bytearray) -> None:
        del data[int(len(data) * share) :]

    with pytest.raises(BackupBroken, match="nothing was changed"):
        restore(changed(backup, cut), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_one_changed_byte_is_found_wherever_it_is(backup: Path, tmp_path: Path):
    with tarfile.open(backup) as tar:
        places = [member.offset_data + member.size // 2 for member in tar]
    for place in places:

        def flip(data: bytearray, place: int = place) -> None:
            data[place] ^= 1

        with pytest.raises(BackupBroken, match="its digest differs"):
            check(changed(backup, flip))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=12)), min_size=1, max_size=6))
def test_whatever_becomes_of_it_it_is_whole_or_refused_in_words(backup: Path, changes: list[tuple[float, bytes]]):
    """Half of the changes go where the list and the heads of files are."""

    def change(data: bytearray) -> None:
        for number, (share, new) in enumerate(changes):
            at = int(share * (len(data) if number % 2 else 4096))
            data[at : at + len(new)] = new

    try:
        found = check(changed(backup, change))
    except (BackupBroken, LedgerError):
        return
    assert found.attempts == 2, "only what fills up its blocks was changed"


def packed(to: Path, *members: tuple[str, bytes], listed: list[archive.File] | None = None, **more: object) -> Path:
    """An archive by hand."""
    manifest = {"format": 1, "twintrack": "9", "made": "", "data": "", "schema_version": 0, "attempts": 0} | more
    manifest["files"] = msgspec.to_builtins(listed or [])
    with tarfile.open(to, "w") as tar:
        text = msgspec.json.encode(manifest)
        digest = hashlib.sha256(text).hexdigest().encode()
        for name, data in [("manifest.json", text), ("manifest.sha256", digest), *members]:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return to


@pytest.mark.parametrize(
    "name", ["../ledger.db", "/etc/passwd", "journal/../../x", "journal/..", "run/lock", ".restoring/commit", ""]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str):
    listed = [archive.File(name, 1, "")]
    with pytest.raises(BackupBroken):
        restore(packed(tmp_path / "evil", (name, b"x"), listed=listed), tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil"]


def test_links_and_what_is_not_listed_are_refused(tmp_path: Path):
    with pytest.raises(BackupBroken, match="more than it lists"):
        check(packed(tmp_path / "more", ("ledger.db", b"x")))
    link = tarfile.TarInfo("ledger.db")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    packed(tmp_path / "link", listed=[archive.File("ledger.db", 0, "")])
    with tarfile.open(tmp_path / "link", "a") as tar:
        tar.addfile(link)
    with pytest.raises(BackupBroken, match="missing or of another size"):
        check(tmp_path / "link")


def test_what_a_newer_program_made_is_refused_with_a_way_out(tmp_path: Path):
    with pytest.raises(BackupBroken, match=r"made by a newer version of Twintrack.*Restore it with that version"):
        check(packed(tmp_path / "form", format=2))
    with pytest.raises(LedgerError, match=r"made by Twintrack 9.*knows up to"):
        check(packed(tmp_path / "schema", schema_version=99))


@pytest.mark.parametrize("content", [b"", b"\0" * 2000, b"SQLite format 3\0", b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises((BackupBroken, LedgerError)):
        restore(tmp_path / "file", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_some_other_database_is_no_ledger(tmp_path: Path):
    with sqlite3.connect(tmp_path / "other") as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(BackupBroken, match="some other database"):
        restore(tmp_path / "other", tmp_path / "new")


# Where something is already


def test_a_folder_that_holds_something_is_only_replaced_when_that_is_said(backup: Path, books: Books):
    books.load(dispatch("c"), settle("c"))
    books.close()
    with pytest.raises(EnvironmentProblem, match="There is something in"):
        restore(backup, books.folder)
    assert requests(books.folder) == ["a", "b", "c"]
    restored = restore(backup, books.folder, replace=True)
    assert requests(books.folder) == ["a", "b"]
    assert restored.replaced is not None
    assert requests(restored.replaced) == ["a", "b", "c"]


def test_what_was_not_loaded_yet_is_kept_with_what_it_belongs_to(backup: Path, books: Books):
    books.write(dispatch("late"), settle("late"))
    books.close()
    restored = restore(backup, books.folder, replace=True)
    assert requests(books.folder) == ["a", "b"]
    assert restored.replaced is not None
    assert requests(restored.replaced) == ["a", "b", "late"]


def test_a_ledger_that_is_broken_can_be_replaced(backup: Path, books: Books):
    books.close()
    books.path.write_bytes(b"nonsense" * 1000)
    assert restore(backup, books.folder, replace=True).replaced is not None
    assert requests(books.folder) == ["a", "b"]


def test_a_running_gateway_keeps_its_folder(backup: Path, books: Books):
    books.close()
    lock = claim(books.folder)
    try:
        assert holder(books.folder) == os.getpid()
        with pytest.raises(EnvironmentProblem, match=f"process {os.getpid()}"):
            restore(backup, books.folder, replace=True)
    finally:
        os.close(lock)
    assert holder(books.folder) is None
    assert requests(books.folder) == ["a", "b"]


def test_so_does_whoever_loads_its_journals(backup: Path, books: Books):
    with pytest.raises(EnvironmentProblem, match="Another command works with the ledger"):
        restore(backup, books.folder, replace=True)


# Ends in the middle


class Killed(BaseException):
    pass


_WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "open", "sqlite3.connect"}
_alive = -1
"""How many more times the file system may be touched; below 0: as often as it likes."""


def _count(event: str, arguments: tuple[object, ...]) -> None:
    global _alive
    if _alive < 0 or event not in _WRITES:
        return
    if _alive == 0:
        raise Killed
    _alive -= 1


sys.addaudithook(_count)


@contextmanager
def dying_after(touches: int) -> Iterator[None]:
    """Nothing touches the file system any more after so many times: as if the process were killed there, since what
    would clean up cannot either."""
    global _alive
    _alive = touches
    try:
        yield
    finally:
        _alive = -1


@pytest.mark.parametrize("occupied", [False, True], ids=["into a new folder", "in place of another"])
def test_killed_at_any_moment_a_restore_leaves_what_was_or_what_was_to_be(backup: Path, tmp_path: Path, occupied: bool):
    before: list[str] = []
    if occupied:
        other = Books(tmp_path / "other")
        other.load(dispatch("x"), settle("x"))
        other.write(dispatch("y"), settle("y"))
        other.close()
        before = ["x", "y"]
    outcomes = []
    touches = 0
    while True:
        folder = tmp_path / f"{touches}"
        if occupied:
            shutil.copytree(tmp_path / "other", folder)
        try:
            with dying_after(touches):
                restore(backup, folder, replace=True)
        except Killed:
            committed = pending.is_committed(folder)
            outcomes.append(requests(folder) if folder.exists() else [])
            assert outcomes[-1] in (before, ["a", "b"]), f"killed at touch {touches}"
            assert not committed or outcomes[-1] == ["a", "b"]
            assert not pending.is_begun(folder)
            kept = list((folder / "backups").glob("replaced-*"))
            if occupied and outcomes[-1] == ["a", "b"]:
                assert [requests(each) for each in kept] == [["x", "y"]]
            shutil.rmtree(folder, ignore_errors=True)
        else:
            break
        touches += 1
    assert outcomes[0] == before
    assert outcomes[-1] == ["a", "b"]
    assert outcomes == sorted(outcomes, key=lambda outcome: outcome != before), "once done it stays done"


def test_killed_at_any_moment_a_backup_is_not_there_or_whole(books: Books, tmp_path: Path):
    books.load(dispatch("a"), settle("a"))
    books.write(dispatch("b"), settle("b"))
    there = []
    touches = 0
    while True:
        file = tmp_path / f"{touches}"
        try:
            with dying_after(touches):
                made(books, file)
        except Killed:
            there.append(file.exists())
            if file.exists():
                assert check(file).attempts == 2
        else:
            break
        touches += 1
    assert not there[0]
    assert check(tmp_path / f"{touches}").attempts == 2
    assert requests_unchanged(books)


def requests_unchanged(books: Books) -> bool:
    books.load()
    return [row["request_id"] for row in books.rows()] == ["a", "b"]


def test_an_interrupted_restore_leaves_nothing_behind(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pending, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_names_of_the_journal_are_kept_with_it(backup: Path, tmp_path: Path):
    """What the records' numbers mean stands at the start of each segment."""
    restore(backup, tmp_path / "new")
    with sqlite3.connect(tmp_path / "new" / "ledger.db") as db:
        (name,) = db.execute("SELECT deployment FROM entries WHERE request_id = 'b'").fetchone()
    db.close()
    assert name == NAMES.deployments[1][0]
