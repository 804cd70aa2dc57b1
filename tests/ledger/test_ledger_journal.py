"""What a worker writes comes back, whatever happens to the worker."""

from __future__ import annotations

import os
import random
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_records import NAMES, dispatch, names, refuse, settle

from twintrack.errors import JournalFull, LedgerError
from twintrack.ledger.journal import SETTLE_BYTES, Journal
from twintrack.ledger.records import Record
from twintrack.ledger.segment import EmptySegment, JournalReader, NotAJournal, discard_headless

SEGMENT = 16_384


def started(folder: Path, worker: str = "w0", segment_bytes: int = SEGMENT, **options) -> Journal:
    journal = Journal(folder, worker, segment_bytes, **options)
    journal.start(NAMES)
    return journal


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


def everything(folder: Path) -> list[Record]:
    found: list[Record] = []
    for path in segments(folder):
        reader = JournalReader(path)
        found += [record for record, _ in reader.records()]
        reader.close()
    return found


def without_names(records: list[Record]) -> list[Record]:
    return [record for record in records if not isinstance(record, type(NAMES))]


def first(folder: Path) -> JournalReader:
    return JournalReader(segments(folder)[0])


def test_records_come_back_in_order_behind_their_names(tmp_path):
    journal = started(tmp_path)
    written = [dispatch("a"), refuse("b"), settle("a"), dispatch("c", p_good=None, ruled_out=())]
    for record in written:
        journal.append(record)
    assert everything(tmp_path) == [NAMES, *written]
    journal.close()
    assert everything(tmp_path) == [NAMES, *written]


def test_each_segment_starts_with_the_names_in_force(tmp_path):
    journal = started(tmp_path)
    for number in range(100):
        journal.append(dispatch(f"a{number}"))
        journal.append(settle(f"a{number}"))
    later = names(generation=2, keys=("dev", "app", "new"))
    journal.names(later)
    for number in range(100):
        journal.append(dispatch(f"b{number}"))
        journal.append(settle(f"b{number}"))
    journal.close()
    paths = segments(tmp_path)
    assert len(paths) > 2
    starts = []
    for path in paths:
        reader = JournalReader(path)
        starts.append(next(reader.records())[0])
        reader.close()
    assert starts[0] == NAMES
    assert starts[-1] == later
    stops = []
    for path in paths:
        reader = JournalReader(path)
        stops.append(reader.read(reader.start, 1_000).stop)
        reader.close()
    assert stops == ["continued"] * (len(paths) - 1) + ["closed"]
    assert len(without_names(everything(tmp_path))) == 400


def test_a_segment_is_private_and_has_its_space_before_it_is_used(tmp_path):
    journal = started(tmp_path)
    status = segments(tmp_path)[0].stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_size == SEGMENT
    assert status.st_blocks * 512 >= SEGMENT
    journal.close()


def test_whoever_gets_the_lock_knows_that_the_writer_is_gone(tmp_path):
    journal = started(tmp_path)
    reader = first(tmp_path)
    assert not reader.take_lock()
    journal.close()
    assert reader.take_lock()
    assert reader.read(reader.start, 100).stop == "closed"
    reader.close()


def test_reading_goes_on_where_it_stopped(tmp_path):
    journal = started(tmp_path)
    reader = first(tmp_path)
    chunk = reader.read(reader.start, 100)
    assert (chunk.records, chunk.stop) == ([NAMES], "end")
    journal.append(dispatch("a"))
    journal.append(dispatch("b"))
    chunk = reader.read(chunk.offset, 1)
    assert (chunk.records, chunk.stop) == ([dispatch("a")], "limit")
    chunk = reader.read(chunk.offset, 10)
    assert (chunk.records, chunk.stop) == ([dispatch("b")], "end")
    reader.close()
    journal.close()


def test_a_frame_larger_than_what_is_read_at_once_is_read_whole(tmp_path):
    journal = started(tmp_path, segment_bytes=262_144)
    large = dispatch("a", ruled_out=tuple((i, "context", 512, 812) for i in range(2_000)))
    journal.append(dispatch("first"))
    journal.append(large)
    journal.append(dispatch("last"))
    reader = first(tmp_path)
    chunk = reader.read(reader.start, 100, block_bytes=1_024)
    assert chunk.records == [NAMES, dispatch("first"), large, dispatch("last")]
    reader.close()
    journal.close()


def test_two_workers_of_one_name_never_share_a_file(tmp_path):
    one, other = started(tmp_path), started(tmp_path)
    one.append(dispatch("a"))
    other.append(dispatch("b"))
    assert len(segments(tmp_path)) == 2
    assert {record.request_id for record in without_names(everything(tmp_path))} == {"a", "b"}
    one.close()
    other.close()


# ---- torn, damaged, foreign


def torn_after(folder: Path, *, bytes_of_payload: int, length: int = 0) -> JournalReader:
    """A journal whose writer stopped in the middle of its third frame; `length` as far as it was stored."""
    journal = started(folder)
    journal.append(dispatch("a"))
    reader = first(folder)
    offset = reader.read(reader.start, 100).offset
    journal.append(dispatch("b"))
    end = reader.read(reader.start, 100).offset
    journal.close()
    with segments(folder)[0].open("r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<I", length))
        file.seek(offset + 8 + bytes_of_payload)
        file.write(bytes(end + 4 - offset - 8 - bytes_of_payload))
    return reader


@pytest.mark.parametrize("written", [1, 9, 40])
def test_a_frame_without_its_length_does_not_exist(tmp_path, written):
    reader = torn_after(tmp_path, bytes_of_payload=written)
    chunk = reader.read(reader.start, 100)
    assert chunk.records == [NAMES, dispatch("a")]
    assert chunk.stop == "unfinished"
    assert reader.verdict(chunk.offset)[0] == "torn"
    reader.close()


def test_a_frame_with_a_length_and_a_wrong_sum_is_damaged(tmp_path):
    reader = torn_after(tmp_path, bytes_of_payload=9, length=120)
    chunk = reader.read(reader.start, 100)
    assert chunk.records == [NAMES, dispatch("a")]
    assert reader.verdict(chunk.offset)[0] == "damaged"
    reader.close()


def test_a_hole_with_whole_frames_behind_it_is_damaged(tmp_path):
    journal = started(tmp_path)
    reader = first(tmp_path)
    offset = reader.read(reader.start, 100).offset
    journal.append(dispatch("a"))
    middle = reader.read(reader.start, 100).offset
    journal.append(dispatch("b"))
    with segments(tmp_path)[0].open("r+b") as file:
        file.seek(offset)
        file.write(bytes(middle - offset))
    chunk = reader.read(reader.start, 100)
    assert chunk.records == [NAMES]
    assert reader.verdict(chunk.offset)[0] == "damaged"
    reader.close()
    journal.close()


@given(at=st.integers(0, 400), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_never_yields_a_record_that_was_not_written(tmp_path_factory, at, bit):
    folder = tmp_path_factory.mktemp("flip")
    journal = started(folder)
    written = [NAMES, *(dispatch(f"a{number}") for number in range(5))]
    for record in written[1:]:
        journal.append(record)
    journal.close()
    path = segments(folder)[0]
    data = bytearray(path.read_bytes())
    place = 32 + at
    data[place] ^= 1 << bit
    path.write_bytes(data)
    reader = JournalReader(path)
    chunk = reader.read(reader.start, 100)
    assert chunk.records == written[: len(chunk.records)]
    assert len(chunk.records) < len(written)
    assert chunk.stop == "unfinished"
    assert reader.verdict(chunk.offset)[0] == "damaged"
    reader.close()


def test_an_empty_segment_is_removed_once_nobody_makes_it(tmp_path):
    path = tmp_path / "w0-000001.journal"
    path.write_bytes(bytes(100))
    with pytest.raises(EmptySegment):
        JournalReader(path)
    assert discard_headless(path) == "removed"
    assert not path.exists()


def test_a_segment_removed_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    """A loader that finds the file before its writer has the lock takes it for an abandoned one."""
    import fcntl

    real, raced = fcntl.flock, []

    def loader_first(fd: int, operation: int) -> None:
        if not raced:
            raced.append(fd)
            assert discard_headless(segments(tmp_path)[0]) == "removed"
        real(fd, operation)

    monkeypatch.setattr("twintrack.ledger.journal.fcntl.flock", loader_first)
    journal = started(tmp_path)
    journal.append(dispatch("a"))
    assert without_names(everything(tmp_path)) == [dispatch("a")]
    journal.close()


def test_another_file_of_that_name_is_not_read(tmp_path):
    path = tmp_path / "w0-000001.journal"
    path.write_bytes(b"something else entirely, longer than a header")
    with pytest.raises(NotAJournal):
        JournalReader(path)
    assert discard_headless(path) == "foreign"
    assert path.exists()


def test_a_newer_schema_is_left_alone(tmp_path):
    started(tmp_path).close()
    path = segments(tmp_path)[0]
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8, 99)
    path.write_bytes(data)
    with pytest.raises(LedgerError, match="newer version"):
        JournalReader(path)


@pytest.mark.parametrize("worker", ["", "a/b", "a b", "x" * 65])
def test_a_worker_needs_a_name_that_can_stand_in_a_file_name(tmp_path, worker):
    with pytest.raises(LedgerError, match="worker named"):
        Journal(tmp_path, worker)


def test_names_that_fill_a_segment_are_refused(tmp_path):
    journal = Journal(tmp_path, "w0", SEGMENT)
    with pytest.raises(LedgerError, match="names of deployments"):
        journal.start(names(keys=tuple(f"key-{number}" for number in range(1_000))))


def test_a_journal_that_is_not_open_takes_nothing(tmp_path):
    journal = Journal(tmp_path, "w0", SEGMENT)
    with pytest.raises(LedgerError, match="not open"):
        journal.append(dispatch())
    journal.start(NAMES)
    journal.close()
    journal.close()
    with pytest.raises(LedgerError, match="not open"):
        journal.append(settle())


# ---- no space


def fill(journal: Journal, sent: list[str]) -> None:
    for number in range(1_000):
        journal.append(dispatch(f"a{number}"))
        sent.append(f"a{number}")


class Disk:
    """Takes the place of posix_fallocate: a disk that can be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.asked = 0
        self._real = os.posix_fallocate
        monkeypatch.setattr("twintrack.ledger.journal.os.posix_fallocate", self)

    def __call__(self, fd: int, offset: int, length: int) -> None:
        self.asked += 1
        if self.full:
            raise OSError(28, "No space left on device")
        self._real(fd, offset, length)


def test_with_no_space_left_dispatches_are_refused_and_all_settles_still_fit(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    journal = started(tmp_path)
    disk.full = True
    sent = []
    with pytest.raises(JournalFull, match=r"No space to record a dispatch.*No space left on device"):
        fill(journal, sent)
    assert len(sent) > 10
    long_words = "x" * 4_000
    for request_id in sent:
        journal.append(settle(request_id, detail=long_words))
    found = without_names(everything(tmp_path))
    assert [record.request_id for record in found] == [*sent, *sent]
    journal.close()


def test_a_full_disk_is_asked_again_only_once_a_second(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    clock = [0.0]
    journal = started(tmp_path, clock=lambda: clock[0])
    disk.full = True
    with pytest.raises(JournalFull):
        fill(journal, [])
    asked = disk.asked
    for _ in range(50):
        with pytest.raises(JournalFull):
            journal.append(dispatch("b"))
    assert disk.asked == asked
    disk.full = False
    with pytest.raises(JournalFull):
        journal.append(dispatch("b"))
    clock[0] = 1.1
    journal.append(dispatch("c"))
    assert without_names(everything(tmp_path))[-1] == dispatch("c")
    journal.close()


def test_a_reload_that_does_not_fit_leaves_the_names_in_force(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    clock = [0.0]
    journal = started(tmp_path, clock=lambda: clock[0])
    disk.full = True
    with pytest.raises(JournalFull):
        fill(journal, [])
    with pytest.raises(JournalFull):
        journal.names(names(generation=2, keys=tuple(f"key-{number}" for number in range(300))))
    disk.full, clock[0] = False, 2.0
    for number in range(100):
        journal.append(settle(f"a{number}"))
    last = JournalReader(segments(tmp_path)[-1])
    assert all(record == NAMES for record in everything(tmp_path) if isinstance(record, type(NAMES)))
    last.close()
    journal.close()


def test_no_space_for_the_first_segment_is_an_error_at_the_start(tmp_path, monkeypatch):
    Disk(monkeypatch).full = True
    journal = Journal(tmp_path, "w0", SEGMENT)
    with pytest.raises(JournalFull):
        journal.start(NAMES)
    assert segments(tmp_path) == []


_STEPS = {"dispatch": 20, "settle": 12, "refuse": 3, "reload": 1, "fill": 1, "free": 1, "second": 1}


@given(st.integers(0, 1 << 32), st.integers(1, 600))
@settings(max_examples=80, deadline=None)
def test_what_was_accepted_is_there_and_every_open_attempt_can_end(tmp_path_factory, seed, length):
    steps = random.Random(seed).choices(list(_STEPS), _STEPS.values(), k=length)
    folder = tmp_path_factory.mktemp("disk")
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch)
        clock = [0.0]
        journal = started(folder, clock=lambda: clock[0])
        open_attempts: list[str] = []
        accepted: list[Record] = []
        for number, step in enumerate(steps):
            if step == "dispatch":
                record = dispatch(f"a{number}", ruled_out=((1, "context", number, number),) * (number % 40))
                try:
                    journal.append(record)
                except JournalFull:
                    continue
                open_attempts.append(record.request_id)
                accepted.append(record)
            elif step == "settle" and open_attempts:
                ended = settle(open_attempts.pop(0), detail="é" * (number % 70))
                journal.append(ended)
                accepted.append(ended)
            elif step == "refuse":
                try:
                    journal.append(refuse(f"f{number}"))
                except JournalFull:
                    continue
                accepted.append(refuse(f"f{number}"))
            elif step == "reload":
                try:
                    journal.names(names(generation=number, keys=tuple(str(key) for key in range(number % 200))))
                except JournalFull:
                    continue
            elif step in ("fill", "free"):
                disk.full = step == "fill"
            else:
                clock[0] += 1.0
        for request_id in open_attempts:
            journal.append(settle(request_id, detail="é" * 70))
            accepted.append(settle(request_id, detail="é" * 70))
        journal.close()
    assert without_names(everything(folder)) == accepted


_ON_A_SMALL_DISK = """
import resource, sys, time
from ledger_records import NAMES, dispatch, settle
from twintrack.errors import JournalFull
from twintrack.ledger.journal import Journal

journal = Journal(sys.argv[1], "w0", 65_536)
journal.start(NAMES)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, hard))
sent = []
try:
    while True:
        journal.append(dispatch(f"a{len(sent)}"))
        sent.append(f"a{len(sent)}")
except JournalFull as error:
    print(error)
for request_id in sent:
    journal.append(settle(request_id))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
time.sleep(1.1)
for number in range(1_000):
    journal.append(dispatch(f"b{number}"))
journal.close()
print(len(sent))
"""


def test_a_real_limit_of_the_kernel_is_met_and_left_behind(tmp_path):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] in (resource.RLIM_INFINITY, -1)
    ran = subprocess.run(
        [sys.executable, "-c", _ON_A_SMALL_DISK, str(tmp_path)],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said, sent = ran.stdout.splitlines()
    assert "File too large" in said
    found = without_names(everything(tmp_path))
    assert len(found) == 2 * int(sent) + 1_000
    assert int(sent) * SETTLE_BYTES < 65_536
