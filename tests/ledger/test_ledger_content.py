"""Content passes through the journal to whoever watches the loader; the database and a backup never have it."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from ledger_records import NAMES, Books, dispatch, settle

from twintrack.errors import JournalFull
from twintrack.ledger.backup import back_up, whole_part
from twintrack.ledger.journal import MOST_WAITING, SEGMENT_BYTES, Journal
from twintrack.ledger.load import Loader
from twintrack.ledger.records import MOST_CONTENT_BYTES, Content, Dispatch, Names, Record, Settle
from twintrack.ledger.segment import JournalReader, journal_folder, without_content
from twintrack.ledger.watcher import Group
from twintrack.ledger.words import Words

CANARY = b"canary-that-was-asked"
CONTENT = Content("a", "chat", True, CANARY, len(CANARY), CANARY * 2, 2 * len(CANARY))
LARGE = Content("a", "chat", True, bytes(MOST_CONTENT_BYTES), 70_000, bytes(MOST_CONTENT_BYTES), 70_000)


class Witness:
    def __init__(self) -> None:
        self.seen: list[Record] = []
        self.wants_records = True

    def on_ended(self, groups: list[Group]) -> None:
        return

    def on_records(self, records: Sequence[Record], generations: Mapping[int, Words]) -> None:
        self.seen += records


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(journal_folder(tmp_path), "w0")
    journal.start(NAMES)
    return journal


def write(journal: Journal, *records: Record) -> None:
    for record in records:
        if isinstance(record, Content):
            assert journal.offer(record)
        else:
            assert not isinstance(record, Names)
            journal.append(record)


def test_the_watcher_sees_it_and_the_database_does_not_hold_it(journal: Journal, tmp_path: Path):
    write(journal, dispatch("a"), settle("a"), CONTENT, dispatch("b"), settle("b"))
    journal.close()
    witness = Witness()
    with Loader(tmp_path, watcher=witness) as loader:
        assert loader.load().problems == ()
    assert [type(record) for record in witness.seen] == [Names, Dispatch, Settle, Content, Dispatch, Settle]
    assert CONTENT in witness.seen
    assert list(journal_folder(tmp_path).iterdir()) == []
    assert all(CANARY not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_where_nobody_watches_it_is_read_and_forgotten(journal: Journal, tmp_path: Path):
    write(journal, dispatch("a"), settle("a"), CONTENT)
    journal.close()
    with Loader(tmp_path) as loader:
        assert loader.load().problems == ()
    with Loader(tmp_path) as loader:
        assert loader.load().rows == 0


def test_much_of_it_is_loaded_in_several_transactions(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("twintrack.ledger.load._BATCH_BYTES", 1_000_000)
    for number in range(60):
        write(journal, dispatch(f"r{number}"), settle(f"r{number}"), LARGE)
    journal.close()
    witness = Witness()
    with Loader(tmp_path, watcher=witness) as loader:
        loaded = loader.load()
    assert (loaded.caught_up, loaded.lost, loaded.problems) == (True, 0, ())
    assert sum(type(record) is Content for record in witness.seen) == 60


def test_it_leaves_the_second_half_of_the_last_segment_to_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On a disk that gives no other."""

    def until_full(folder: Path, content: Content | None) -> tuple[int, int]:
        journal = Journal(journal_folder(folder), "w0", segment_bytes=1_048_576, clock=lambda: 0.0)
        journal.start(NAMES)
        allocate = Journal._allocate
        monkeypatch.setattr(Journal, "_allocate", lambda self: False)
        written = told = 0
        try:
            while True:
                journal.append(dispatch(f"r{written}"))
                journal.append(settle(f"r{written}"))
                written += 1
                told += content is not None and journal.offer(content)
        except JournalFull:
            pass
        finally:
            monkeypatch.setattr(Journal, "_allocate", allocate)
            journal.close()
        return written, told

    alone, _ = until_full(tmp_path / "alone", None)
    beside, told = until_full(tmp_path / "beside", LARGE)
    assert 0 < told * 2 * MOST_CONTENT_BYTES <= 524_288  # the half that a journal without a spare calls its own
    assert beside > alone // 2
    assert not Journal(journal_folder(tmp_path / "closed"), "w0").offer(CONTENT)


def test_it_is_left_out_while_nobody_loads_the_journal(tmp_path: Path):
    """A gateway whose control plane cannot work takes requests as long as without content."""
    now_s = 0.0
    journal = Journal(journal_folder(tmp_path), "w0", clock=lambda: now_s)
    journal.start(NAMES)
    written = 0
    while journal.offer(LARGE):
        written += 1
        now_s += 1
    size = sum(path.stat().st_size for path in journal_folder(tmp_path).iterdir())
    assert MOST_WAITING * SEGMENT_BYTES < size <= (MOST_WAITING + 1) * SEGMENT_BYTES
    assert written * 2 * MOST_CONTENT_BYTES < size
    write(journal, dispatch("a"), settle("a"))
    with Loader(tmp_path) as loader:
        assert loader.load().problems == ()
    assert not journal.offer(LARGE)  # it looks once a second
    now_s += 1
    assert journal.offer(LARGE)
    journal.close()


def test_content_goes_on_in_the_next_segment_with_the_rest(journal: Journal, tmp_path: Path):
    for number in range(100):
        write(journal, dispatch(f"r{number}"), LARGE, settle(f"r{number}"))
    journal.close()
    assert len(list(journal_folder(tmp_path).iterdir())) > 2
    with Loader(tmp_path) as loader:
        loaded = loader.load()
    assert (loaded.lost, loaded.problems) == (0, ())


def test_a_backup_has_zeros_in_its_place_and_every_record_where_it_was(books: Books, tmp_path: Path):
    books.write(dispatch("a"), settle("a"))
    assert books.worker.offer(CONTENT)
    books.write(dispatch("b"), settle("b"))
    (path,) = journal_folder(books.folder).iterdir()
    reader = JournalReader(path)
    before = list(reader.records())
    kept = whole_part(path)
    assert CANARY in path.read_bytes()
    assert CANARY not in kept
    copy = tmp_path / "copy.journal"
    copy.write_bytes(kept)
    after = list(JournalReader(copy).records())
    assert [offset for _, offset in after] == [offset for _, offset in before]
    changed = [(a, b) for (a, _), (b, _) in zip(before, after, strict=True) if a != b]
    zeros = msgspec.structs.replace(CONTENT, request=bytes(len(CANARY)), answer=bytes(2 * len(CANARY)))
    assert changed == [(CONTENT, zeros)]
    assert without_content(kept) == kept

    back_up(books.folder, tmp_path / "backup", None, version="1.2.3")
    with tarfile.open(tmp_path / "backup") as archive:
        assert any(name.startswith("journal/") for name in archive.getnames())
    assert CANARY not in (tmp_path / "backup").read_bytes()
    reader.close()
