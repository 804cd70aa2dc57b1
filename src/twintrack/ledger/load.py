"""From the journals into the database: each record once, whatever crashes in between.

A batch is one transaction that stores the rows, their sums and how far each journal was read. So a batch that fails
is read again, and one that was committed never is. Beyond that (request id, attempt) is unique: a journal brought back
from a backup changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from twintrack.config.snapshot import Deployment
from twintrack.errors import LedgerError
from twintrack.ledger import booking
from twintrack.ledger.audit import checkpoints
from twintrack.ledger.audit.checkpoint import Checkpoint
from twintrack.ledger.audit.seal import Seal
from twintrack.ledger.batch import Batch, NeedsCare
from twintrack.ledger.database import database, explained, open_writer
from twintrack.ledger.folder import LOADER_LOCK, hold
from twintrack.ledger.memory import Memory
from twintrack.ledger.pending import finish as finish_restore
from twintrack.ledger.records import Record, lost
from twintrack.ledger.segment import journal_folder
from twintrack.ledger.segments import Segment, Segments
from twintrack.ledger.watcher import Watcher, tell
from twintrack.ledger.words import DeploymentWords

BATCH: Final = 20_000
"""Records in one transaction: some 100 ms of work, two for each request."""
_CHUNK: Final = 2_000
"""Records read at once: few enough to stay in the processor's cache until they are stored."""
_BATCH_BYTES: Final = 64 * 1024 * 1024
"""Of the journals: reached only where routes have content written, which is large."""
_LATE_US: Final = 60_000_000
"""By how much a record still to be read may be older than the clock says, when the clock is set back, too."""


class LoaderBusy(LedgerError):
    """Another process loads this data folder."""


@dataclass(frozen=True, slots=True)
class Loaded:
    rows: int
    """Records stored by this call."""
    caught_up: bool
    """Everything the journals held when the call began is in the database."""
    lost: int = 0
    """Attempts closed as `lost` because their worker died."""
    problems: tuple[str, ...] = ()
    """What could not be read, and what was done about it; for the log."""


class Loader:
    """Loads `FOLDER/journal` into `FOLDER/ledger.db`. One per data folder: it holds `FOLDER/loader.lock` until `close`.

    May be used from several threads: `load` and `mark_up` take turns, `fsync` waits for neither.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        watcher: Watcher | None = None,
        patience_s: float = 0.0,
    ) -> None:
        """
        Args:
            clock_us: UTC microseconds.
            watcher: called by `load` after each transaction with what it stored, and with nothing twice.
            patience_s: what another process that loads this folder gets to finish.
        Raises:
            LoaderBusy: another process loads this folder.
            LedgerError: the folder or the database cannot be used.
        """
        self.folder = Path(folder)
        self.journals = journal_folder(self.folder)
        self.path = database(self.folder)
        self._clock_us = clock_us
        self._watcher = watcher
        self._turn = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._memory: Memory | None = None
        self._segments = Segments(self.journals)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / LOADER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"The data folder {self.folder} cannot be used", why=str(error)) from error
        try:
            hold(self._lock, patience_s)
        except BlockingIOError as error:
            os.close(self._lock)
            raise LoaderBusy(
                f"Another process loads the journals of {self.folder}", fix="Let the running gateway do it"
            ) from error
        try:
            with self._explaining():
                finish_restore(self.folder)
                self.journals.mkdir(mode=0o700, exist_ok=True)
                self._remember()
        except LedgerError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of database, journals and lock."""
        with self._turn:
            self._forget()
            if self._db is not None:
                self._db.close()
                self._db = None
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def load(self, limit: int = 10 * BATCH) -> Loaded:
        """Store what the journals hold, in transactions of about `BATCH` records, until `limit` is passed.

        Raises:
            LedgerError: the database is locked, full or broken. Nothing is lost: call again later.
        """
        with self._turn, self._explaining():
            problems: list[str] = []
            rows = 0
            while True:
                self._scan(problems)
                stored, caught_up = self._batch(problems)
                rows += stored
                self._remove_finished(problems)
                if caught_up or rows >= limit:
                    break
            lost = 0
            if caught_up:
                lost = self._close_lost(problems)
                self._forget_busy()
            return Loaded(rows, caught_up, lost, tuple(problems))

    def mark_up(self, now_us: int, deployments: Iterable[Deployment]) -> None:
        """Book the time since the last mark to each deployment that is paid by the hour.

        Call it every second or so while the gateway is up. A gap over 10 s counts as down: nobody knows.

        Raises:
            LedgerError: see `load`; a mark missed for less than 10 s is made good by the next.
        """
        paid = [d for d in deployments if d.per_hour_nusd > 0]
        with self._turn, self._explaining():
            vocabulary = self._remember().vocabulary
            with self._transaction() as db:
                for d in paid:
                    words = DeploymentWords(d.name, d.model, d.provider, d.zone, d.region, d.simulated, d.per_hour_nusd)
                    booking.book_up(db, vocabulary.deployment(words), now_us)

    def checkpoint(self, seal: Seal) -> Checkpoint | None:
        """Sign how the audit chain ends now; None: nothing came since the newest one.

        Raises:
            LedgerError: see `load`.
        """
        with self._turn, self._explaining(), self._transaction() as db:
            return checkpoints.make(db, seal, self._clock_us())

    def unsent_checkpoints(self) -> list[Checkpoint]:
        """Raises LedgerError, see `load`."""
        with self._turn, self._explaining():
            return checkpoints.unsent(self._connection())

    def mark_sent(self, made: Checkpoint) -> None:
        """It is where it was to go. Raises LedgerError, see `load`."""
        with self._turn, self._explaining(), self._transaction() as db:
            checkpoints.mark_sent(db, made.entries, self._clock_us())

    def fsync(self) -> None:
        """Put the journals on disk; call it each second. Power loss then costs at most a second.

        Raises:
            LedgerError: a disk failed.
        """
        try:
            self._segments.fsync()
        except OSError as error:
            raise LedgerError(f"The journals in {self.journals} cannot be put on disk", why=str(error)) from error

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """When a call fails, what is remembered may be wrong: drop it, and let the next call ask the database."""
        if self._lock < 0:
            raise LedgerError("The loader is closed")
        try:
            yield
        except sqlite3.Error as error:
            self._forget()
            raise explained(error, self.path) from error
        except OSError as error:
            self._forget()
            raise LedgerError(f"The journals in {self.journals} cannot be read", why=str(error)) from error
        except BaseException:
            self._forget()
            raise

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """`durable`: on disk before it returns, with all that was committed before."""
        db = self._connection()
        if durable:
            db.execute("PRAGMA synchronous = FULL")
        try:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        finally:
            if durable:
                db.execute("PRAGMA synchronous = NORMAL")

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = open_writer(self.path)
        return self._db

    def _remember(self) -> Memory:
        if self._memory is None:
            self._memory = Memory(self._connection())
        return self._memory

    def _forget(self) -> None:
        self._memory = None
        self._segments.forget()

    def _scan(self, problems: list[str]) -> None:
        db = self._connection()

        def loaded(writer: str, seq: int) -> int | None:
            where = "SELECT offset FROM journal_cursor WHERE writer = ? AND seq = ?"
            cursor = db.execute(where, (writer, seq)).fetchone()
            return None if cursor is None else int(cursor[0])

        for name in self._segments.scan(loaded, problems):
            self._quarantine(name, f"{name} does not begin like a journal segment", problems)

    def _batch(self, problems: list[str]) -> tuple[int, bool]:
        """Store about `BATCH` records. Returns how many, and whether that was all there are."""
        try:
            return self._try_batch(problems, careful=False)
        except NeedsCare:
            self._memory = None
        problem_count = len(problems)
        try:
            return self._try_batch(problems, careful=True)
        except NeedsCare as error:
            del problems[problem_count:]
            raise LedgerError("The journal cannot be stored", why="its rows do not fit the ledger's") from error

    def _try_batch(self, problems: list[str], *, careful: bool) -> tuple[int, bool]:
        read: dict[str, tuple[Segment, int, bool, bool]] = {}
        waiting: set[str] = set()
        left, room = BATCH, _BATCH_BYTES
        memory = self._remember()
        segments = self._segments.in_order()
        if not segments:
            return 0, True
        with self._transaction() as db:
            batch = self._batch_of(db, memory, careful=careful)
            for segment in segments:
                if segment.writer in waiting:
                    continue
                # Locked before it is read: what is there then is all there will ever be.
                if not segment.writer_gone:
                    segment.writer_gone = segment.reader.take_lock()
                offset = segment.offset
                stop = "limit"
                while stop == "limit" and left > 0 and room > 0:
                    chunk = segment.reader.read(offset, _CHUNK)
                    batch.add(segment.writer, chunk.records)
                    left -= len(chunk.records)
                    room -= chunk.offset - offset
                    offset, stop = chunk.offset, chunk.stop
                done = stop in ("continued", "closed")
                damaged = False
                if stop in ("end", "unfinished"):
                    if segment.writer_gone:
                        damaged = segment.reader.verdict(offset)[0] == "damaged"
                        done = True
                    elif stop == "unfinished":
                        segment.notice_stuck(offset, problems)
                if not done:
                    waiting.add(segment.writer)
                if done or offset != segment.offset:
                    read[segment.name] = segment, offset, done, damaged
                if left <= 0 or room <= 0:
                    break
            caught_up = left > 0 and room > 0
            if not read:
                return 0, caught_up
            batch.finish(self._reach_us(memory, caught_up=caught_up))
            db.executemany(
                "INSERT OR REPLACE INTO journal_cursor VALUES (?, ?, ?, ?, 0)",
                [(s.writer, s.reader.seq, s.name, offset) for s, offset, _, _ in read.values()],
            )
        tell(self._watcher, batch, memory)
        for segment, offset, done, damaged in read.values():
            segment.offset, segment.done, segment.damaged = offset, done, damaged
        if batch.insane:
            problems.append(f"{batch.insane} records held a number beyond reason, which was stored as unknown")
        return BATCH - left, caught_up

    def _remove_finished(self, problems: list[str]) -> None:
        """Remove segments that are loaded to the end and whose worker writes elsewhere or is gone."""
        finished = [segment for segment in self._segments.in_order() if segment.done]
        if not finished:
            return
        where = [(segment.writer, segment.reader.seq) for segment in finished]
        # The rows must be on disk before the only other copy of them goes.
        with self._transaction(durable=True) as db:
            db.executemany("UPDATE journal_cursor SET finished = 1 WHERE writer = ? AND seq = ?", where)
        for segment in finished:
            if segment.damaged:
                _, left = segment.reader.verdict(segment.offset)
                what = f"{segment.name} is damaged at byte {segment.offset}: {left} bytes from there were not loaded"
                self._quarantine(segment.name, what, problems)
            else:
                (self.journals / segment.name).unlink(missing_ok=True)
            self._segments.let_go(segment)
        with self._transaction() as db:
            db.executemany("DELETE FROM journal_cursor WHERE writer = ? AND seq = ?", where)

    def _quarantine(self, name: str, what: str, problems: list[str]) -> None:
        """Put a damaged file aside, whole, and write down why."""
        kept = self._segments.name_aside(name)
        with self._transaction(durable=True) as db:
            db.execute("INSERT INTO incidents (at_us, kept_as, what) VALUES (?, ?, ?)", (self._clock_us(), kept, what))
        os.rename(self.journals / name, self.journals / kept)
        problems.append(f"{what}; the file is kept as {kept}")

    def _close_lost(self, problems: list[str]) -> int:
        """Close what dead workers left open. A worker is dead when none of its journal files is left."""
        memory = self._remember()
        if memory.writers.keys() <= self._segments.writers():
            return 0
        self._scan(problems)  # a worker may have gone on in a new segment since the last one
        if self._segments.unreadable:
            return 0  # it may be any worker's
        gone = memory.writers.keys() - self._segments.writers()
        settles: dict[str, list[Record]] = {writer: [] for writer in gone}
        for (request_id, attempt), running in memory.open.items():
            if running.writer in gone:
                ended_us = max(running.at_us, memory.writers[running.writer])
                settles[running.writer].append(lost(request_id, attempt, ended_us, ended_us - running.at_us))
        if not gone:
            return 0
        with self._transaction() as db:
            batch = self._batch_of(db, memory, careful=True)
            for writer, records in settles.items():
                batch.add(writer, records)
            batch.finish(reach_us=0)
            for forget in (
                "DELETE FROM journal_writers WHERE writer = ?",
                "DELETE FROM journal_names WHERE writer = ?",
                "DELETE FROM journal_cursor WHERE writer = ?",
            ):
                db.executemany(forget, [(writer,) for writer in gone])
        tell(self._watcher, batch, memory)
        memory.forget_writers(gone)
        return sum(map(len, settles.values()))

    def _batch_of(self, db: sqlite3.Connection, memory: Memory, *, careful: bool) -> Batch:
        wanted = self._watcher is not None and self._watcher.wants_records
        return Batch(db, memory, self._clock_us(), careful, taken=[] if wanted else None)

    def _reach_us(self, memory: Memory, *, caught_up: bool) -> int:
        """Nothing that will still be read was dispatched before it."""
        now_us = self._clock_us()
        newest_us = [
            now_us if caught_up and segment.flows else memory.writers.get(segment.writer, 0)
            for segment in self._segments.in_order()
        ]
        return min(now_us, *newest_us) - _LATE_US if newest_us else now_us - _LATE_US

    def _forget_busy(self) -> None:
        """Drop busy times that nothing running or unread can reach back to."""
        memory = self._remember()
        if not memory.vocabulary.hourly:
            return
        if self._connection().execute("SELECT 1 FROM engine_busy LIMIT 1").fetchone() is None:
            return
        reach_us = min([self._reach_us(memory, caught_up=True), *(running.at_us for running in memory.open.values())])
        with self._transaction() as db:
            booking.forget_busy(db, reach_us)
