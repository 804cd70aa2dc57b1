"""The journal: what one worker writes, where no crash can take it back.

`segment.py` has the form of a segment and reads it. A segment is preallocated and mapped into memory, and locked for as
long as its writer lives.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from twintrack.errors import JournalFull, LedgerError
from twintrack.ledger.records import SCHEMA, Content, Dispatch, Judged, Names, Refuse, Screened, Settle
from twintrack.ledger.segment import CLOSED, CONTINUED, FRAME, HEADER, MAGIC, SUFFIX

SEGMENT_BYTES: Final = 4 * 1024 * 1024
SETTLE_BYTES: Final = 512
"""Room kept for the Settle of each open attempt; a longer one has its `detail` cut."""

_USUAL_BYTES: Final = 1024
"""No dispatch is longer, unless it ruled out dozens of deployments."""
_RETRY_S: Final = 1.0
MOST_WAITING: Final = 16
"""Segments of one worker that may wait to be loaded while content is added to them: some 64 MiB."""
_DETAIL_CHARS: Final = 80
_WORKER: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_put_u32: Final = struct.Struct("<I").pack_into


class _Segment:
    """One mapped file, locked for as long as it is open."""

    __slots__ = ("fd", "map", "path")

    def __init__(self, path: Path, size: int, writer: int, seq: int) -> None:
        """Raises FileExistsError if the name is taken, OSError if there is no space."""
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self.fd).st_nlink == 0:
                # Between open and flock a loader took it for a dead writer's and removed it.
                raise BlockingIOError(errno.EAGAIN, "the new segment was removed")
            os.posix_fallocate(self.fd, 0, size)
            self.map = mmap.mmap(self.fd, size)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                os.unlink(path)
            os.close(self.fd)
            raise
        self.map[: HEADER.size] = HEADER.pack(MAGIC, SCHEMA, size, writer, seq)

    def close(self) -> None:
        self.map.close()
        os.close(self.fd)


class Journal:
    """Appends the records of one worker. Not for use from several threads or after a fork.

    A Dispatch is refused while the Settle of everything already dispatched still fits.
    """

    __slots__ = (
        "_behind",
        "_clock",
        "_encode",
        "_end",
        "_folder",
        "_full_because",
        "_hard",
        "_look_at",
        "_map",
        "_names",
        "_reserved",
        "_retry_at",
        "_segment",
        "_segment_bytes",
        "_seq",
        "_soft",
        "_spares",
        "_worker",
        "_writer",
    )

    def __init__(
        self,
        folder: str | os.PathLike[str],
        worker: str,
        segment_bytes: int = SEGMENT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            folder: `journal_folder` of the data folder; made if missing.
            worker: stands in the file names: letters, digits and `_.-`.
            segment_bytes: size of one file; at least 16 KiB.
            clock: seconds, monotonic; spaces the attempts to get more disk.
        """
        if not _WORKER.fullmatch(worker):
            raise LedgerError(
                f"The journal cannot be written for a worker named {worker!r}",
                why="the name stands in file names",
                fix="Use 1 to 64 letters, digits or _.-",
            )
        if segment_bytes < 16_384:
            raise LedgerError(f"Journal segments of {segment_bytes} bytes are too small", fix="Use 16384 or more")
        self._folder = Path(folder)
        self._worker = worker
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._encode = msgspec.msgpack.Encoder().encode
        self._writer = int.from_bytes(os.urandom(8), "little")
        self._names = b""
        self._segment: _Segment | None = None
        self._spares: list[_Segment] = []
        self._reserved = 0  # bytes promised to the Settles of open attempts
        self._retry_at = 0.0
        self._full_because = ""
        self._behind = False
        self._look_at = 0.0
        self._forget_segment()

    def _forget_segment(self) -> None:
        self._segment = None
        self._map: mmap.mmap | None = None
        self._end = 0  # of the last frame
        self._hard = -1  # no frame may end behind it
        self._soft = -1  # behind it an append first looks for room

    def start(self, names: Names) -> None:
        """Open the first segment.

        Raises:
            JournalFull: no space for it.
            LedgerError: the folder cannot be written, or the journal is already started.
        """
        if self._segment is not None:
            raise LedgerError("The journal is already started")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._seq = _last_seq(self._folder, self._worker)
        except OSError as error:
            raise LedgerError(f"The journal's folder {self._folder} cannot be used", why=str(error)) from error
        self._names = self._names_payload(names)
        if not self._allocate():
            raise self._full()
        self._next_segment()

    def names(self, names: Names) -> None:
        """Write what the integers of the records to come stand for; each later segment starts with it.

        Raises:
            JournalFull: no space; the names in force stay in force.
        """
        before, self._names = self._names, self._names_payload(names)
        try:
            self._write(self._names, 0)
        except LedgerError:
            self._names = before
            raise

    def append(self, record: Dispatch | Settle | Refuse | Screened | Judged) -> None:
        """Write one record; it survives SIGKILL from here on.

        Raises:
            JournalFull: there is no space for it. A Settle of an attempt this journal dispatched always has space.
        """
        payload = self._encode(record)
        kind = type(record)
        start = self._end
        end = start + FRAME + len(payload)
        # The one comparison of the common case; `_write` knows all the others.
        if end + self._reserved > self._soft:
            if type(record) is Settle:
                if len(payload) + FRAME > SETTLE_BYTES:
                    payload = self._encode(_shortened(record))
                self._write(payload, -SETTLE_BYTES)
            else:
                self._write(payload, SETTLE_BYTES if kind is Dispatch else 0)
            return
        mapped = self._map
        mapped[start + FRAME : end] = payload  # type: ignore[index]  # _soft is -1 without a map
        _put_u32(mapped, start + 4, crc32(payload))  # type: ignore[arg-type]
        _put_u32(mapped, start, len(payload))  # type: ignore[arg-type]
        self._end = end
        if kind is Dispatch:
            self._reserved += SETTLE_BYTES
        elif kind is Settle and self._reserved:
            self._reserved -= SETTLE_BYTES

    def offer(self, record: Content | Judged) -> bool:
        """Write it if that takes no room from dispatches, nor soon will: not while nobody loads the journal, since the
        disk would fill a hundred times faster. Says whether it was written."""
        payload = self._encode(record)
        size = FRAME + len(payload)
        if self._segment is None or size > self._segment_bytes // 4 or self._is_behind():
            return False
        if self._end + size + self._reserved > self._soft:
            spares = 1 if self._end + size <= self._hard else 2
            while len(self._spares) < spares:
                if not self._allocate():
                    return False
        try:
            self._write(payload, 0)
        except JournalFull:
            return False
        return True

    def _is_behind(self) -> bool:
        """Whether many segments wait to be loaded, as of a second ago at most."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _RETRY_S
            own = f"{self._worker}-"
            try:
                names = os.listdir(self._folder)
            except OSError:
                self._behind = True
            else:
                waiting = sum(name.startswith(own) and name.endswith(SUFFIX) for name in names)
                self._behind = waiting > MOST_WAITING
        return self._behind

    def has_room(self) -> bool:
        """Whether another dispatch could be written now; where not, more disk is asked for, once a second at most."""
        if self._segment is None:
            return False
        while self._room_after(FRAME + _USUAL_BYTES) < self._reserved + SETTLE_BYTES:
            if not self._allocate():
                return False
        return True

    def close(self) -> None:
        """Mark the end and let go of the files. Attempts still open become `lost` when the loader sees it."""
        if self._segment is None or self._map is None:
            return
        _put_u32(self._map, self._end, CLOSED)
        self._segment.close()
        self._forget_segment()
        for spare in self._spares:
            spare.path.unlink(missing_ok=True)
            spare.close()
        self._spares.clear()

    def _names_payload(self, names: Names) -> bytes:
        payload = self._encode(names)
        if len(payload) > self._segment_bytes // 4:
            raise LedgerError(
                f"The names of deployments, routes and keys take {len(payload)} bytes",
                why=f"a journal segment has {self._segment_bytes}",
                fix="Use fewer or shorter names",
            )
        return payload

    def _write(self, payload: bytes, reserve: int) -> None:
        """Write a frame wherever it fits.

        Args:
            reserve: change of the bytes promised to Settles: positive for a Dispatch, negative for a Settle.
        """
        if self._segment is None:
            raise LedgerError("The journal is not open")
        size = FRAME + len(payload)
        if not self._spares and self._end + size > self._segment_bytes // 2:
            self._allocate()
        if reserve >= 0:
            while self._room_after(size) < self._reserved + reserve:
                if not self._allocate():
                    raise self._full()
        if self._end + size > self._hard:
            if not self._spares and not self._allocate():
                raise self._full()
            self._next_segment()
        start = self._end
        mapped = self._map
        assert mapped is not None
        mapped[start + FRAME : start + size] = payload
        _put_u32(mapped, start + 4, crc32(payload))
        _put_u32(mapped, start, len(payload))
        self._end = start + size
        self._reserved = max(0, self._reserved + reserve)
        self._soft = self._hard if self._spares else self._segment_bytes // 2

    def _room_after(self, size: int) -> int:
        """Bytes that Settles can count on once a frame of `size` is written; below 0 if it has no place.

        The last SETTLE_BYTES of a segment may stay unused because the next frame does not fit.
        """
        fresh = self._segment_bytes - HEADER.size - FRAME - len(self._names) - 4 - SETTLE_BYTES
        here = self._hard - self._end - size
        room = fresh * len(self._spares)
        if here >= 0:
            return room + max(0, here - SETTLE_BYTES)
        return room - size

    def _allocate(self) -> bool:
        """Get one more spare segment; False if there is no space, or was none less than a second ago."""
        now = self._clock()
        if now < self._retry_at:
            return False
        while True:
            self._seq += 1
            path = self._folder / f"{self._worker}-{self._seq:06d}{SUFFIX}"
            try:
                self._spares.append(_Segment(path, self._segment_bytes, self._writer, self._seq))
            except (FileExistsError, BlockingIOError):
                continue  # another process writes under our name, or a loader cleans up: take the next number
            except OSError as error:
                self._retry_at = now + _RETRY_S
                self._full_because = str(error)
                return False
            self._full_because = ""
            return True

    def _next_segment(self) -> None:
        """Go on in the first spare. The old one is marked only when the new one can be read."""
        old, old_end = self._segment, self._end
        new = self._spares.pop(0)
        start = HEADER.size + FRAME
        self._end = start + len(self._names)
        new.map[start : self._end] = self._names
        _put_u32(new.map, HEADER.size + 4, crc32(self._names))
        _put_u32(new.map, HEADER.size, len(self._names))
        self._segment = new
        self._map = new.map
        self._hard = self._segment_bytes - 4  # room for the mark
        self._soft = self._hard if self._spares else self._segment_bytes // 2
        if old is not None:
            _put_u32(old.map, old_end, CONTINUED)
            old.close()

    def _full(self) -> JournalFull:
        return JournalFull(
            "No space to record a dispatch",
            why=f"the journal in {self._folder} cannot grow: {self._full_because or 'its disk is full'}",
            fix="Free disk space; requests are taken again within a second of it",
        )


def _shortened(settle: Settle) -> Settle:
    """The same as fits the room kept for it: 80 characters of `detail` take at most 320 bytes."""
    return msgspec.structs.replace(settle, detail=settle.detail[:_DETAIL_CHARS], seen=b"")


def _last_seq(folder: Path, worker: str) -> int:
    """Highest number in use by this worker's files, damaged ones included; 0 if there is none."""
    last = 0
    pattern = re.compile(re.escape(worker) + r"-(\d+)\.")
    for name in os.listdir(folder):
        if match := pattern.match(name):
            last = max(last, int(match[1]))
    return last
