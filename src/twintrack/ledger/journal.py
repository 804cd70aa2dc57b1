"""The journal: what one worker writes, where no crash can take it back, and what the loader reads.

A segment is a preallocated file mapped into memory, `FOLDER/<worker>-<seq>.journal`:

    header   magic, schema, size, writer, seq                    32 bytes, see `_HEADER`
    frame    u32 length · u32 crc32 of payload · payload         one msgpack record each
    mark     u32 CONTINUED or CLOSED in the place of a length    ends the segment

All numbers are little-endian. The length is stored last: a writer killed in the middle of a frame leaves a length
of 0 there, so the half-written record does not exist. What was stored before SIGKILL is in the page cache and
survives; only power loss can take the last second, because `Loader.fsync` runs each second and the worker never
waits for a disk. On file systems that copy on write (btrfs, zfs) preallocation promises less than on ext4 or xfs.

The writer holds an exclusive flock on its segments, so whoever gets a lock knows that the writer is gone.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

import msgspec

from twintrack.errors import JournalFull, LedgerError
from twintrack.ledger.records import SCHEMA, Content, Dispatch, Judged, Names, Record, Refuse, Screened, Settle

SEGMENT_BYTES: Final = 4 * 1024 * 1024
SUFFIX: Final = ".journal"
SETTLE_BYTES: Final = 512
"""Room kept for the Settle of each open attempt; a longer one has its `detail` cut."""

_MAGIC: Final = b"TWINJRNL"
_HEADER: Final = struct.Struct("<8sIIQQ")
"""magic, schema of the records, segment size in bytes, writer (random, one per `Journal`), seq."""
_FRAME: Final = 8
_USUAL_BYTES: Final = 1024
"""No dispatch is longer, unless it ruled out dozens of deployments."""
_CONTINUED: Final = 0xFFFF_FFFF
_CLOSED: Final = 0xFFFF_FFFE
_RETRY_S: Final = 1.0
MOST_WAITING: Final = 16
"""Segments of one worker that may wait to be loaded while content is added to them: some 64 MiB."""
_DETAIL_CHARS: Final = 80
_WORKER: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_u32 = struct.Struct("<I")
_put_u32 = _u32.pack_into
_decode = msgspec.msgpack.Decoder(Record).decode


def journal_folder(data: str | os.PathLike[str]) -> Path:
    """Where the journals of a data folder lie."""
    return Path(data) / "journal"


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
        self.map[: _HEADER.size] = _HEADER.pack(_MAGIC, SCHEMA, size, writer, seq)

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
        end = start + _FRAME + len(payload)
        # The one comparison of the common case; `_write` knows all the others.
        if end + self._reserved > self._soft:
            if type(record) is Settle:
                if len(payload) + _FRAME > SETTLE_BYTES:
                    payload = self._encode(_shortened(record))
                self._write(payload, -SETTLE_BYTES)
            else:
                self._write(payload, SETTLE_BYTES if kind is Dispatch else 0)
            return
        mapped = self._map
        mapped[start + _FRAME : end] = payload  # type: ignore[index]  # _soft is -1 without a map
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
        size = _FRAME + len(payload)
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
        while self._room_after(_FRAME + _USUAL_BYTES) < self._reserved + SETTLE_BYTES:
            if not self._allocate():
                return False
        return True

    def close(self) -> None:
        """Mark the end and let go of the files. Attempts still open become `lost` when the loader sees it."""
        if self._segment is None or self._map is None:
            return
        _put_u32(self._map, self._end, _CLOSED)
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
        size = _FRAME + len(payload)
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
        mapped[start + _FRAME : start + size] = payload
        _put_u32(mapped, start + 4, crc32(payload))
        _put_u32(mapped, start, len(payload))
        self._end = start + size
        self._reserved = max(0, self._reserved + reserve)
        self._soft = self._hard if self._spares else self._segment_bytes // 2

    def _room_after(self, size: int) -> int:
        """Bytes that Settles can count on once a frame of `size` is written; below 0 if it has no place.

        The last SETTLE_BYTES of a segment may stay unused because the next frame does not fit.
        """
        fresh = self._segment_bytes - _HEADER.size - _FRAME - len(self._names) - 4 - SETTLE_BYTES
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
        start = _HEADER.size + _FRAME
        self._end = start + len(self._names)
        new.map[start : self._end] = self._names
        _put_u32(new.map, _HEADER.size + 4, crc32(self._names))
        _put_u32(new.map, _HEADER.size, len(self._names))
        self._segment = new
        self._map = new.map
        self._hard = self._segment_bytes - 4  # room for the mark
        self._soft = self._hard if self._spares else self._segment_bytes // 2
        if old is not None:
            _put_u32(old.map, old_end, _CONTINUED)
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


Stop = Literal["limit", "end", "unfinished", "continued", "closed"]
"""Why reading stopped: as many records as asked for; nothing written behind here yet; bytes that are no whole frame
(in progress if the writer lives, else torn or damaged: see `JournalReader.verdict`); the mark that the writer went on
in its next segment; the mark that it closed its journal."""


@dataclass(frozen=True, slots=True)
class Chunk:
    records: list[Record]
    offset: int
    """Where to go on."""
    stop: Stop


class JournalReader:
    """Reads one segment, also while it is being written.

    Attributes:
        writer: random number of the `Journal` that wrote it, 0 to 2**64 - 1.
        seq: position among that writer's segments.
        start: offset of the first frame.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """
        Raises:
            FileNotFoundError: it is gone.
            EmptySegment: a segment without a header: its writer is making it, or died doing so.
            LedgerError: not a journal, or of a newer version.
        """
        self.path = Path(path)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            head = os.pread(self.fd, _HEADER.size, 0)
            if not head.strip(b"\0"):
                raise EmptySegment(f"{self.path} has no header yet")
            if len(head) < _HEADER.size or not head.startswith(_MAGIC):
                raise NotAJournal(f"{self.path} is not a journal segment", why="it does not begin like one")
            _, schema, self._size, self.writer, self.seq = _HEADER.unpack(head)
            if schema > SCHEMA:
                raise LedgerError(
                    f"{self.path} was written by a newer version",
                    why=f"its records have schema {schema}, this version reads up to {SCHEMA}",
                    fix="Upgrade this process too",
                )
        except BaseException:
            os.close(self.fd)
            raise
        self.start = _HEADER.size

    def close(self) -> None:
        os.close(self.fd)

    def take_lock(self) -> bool:
        """Whether the writer is gone. If so the lock is ours until `close`, and nothing more will be written."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def fsync(self) -> None:
        """Put on disk what the writer has stored so far: the kernel knows the file's dirty pages."""
        os.fsync(self.fd)

    def records(self, offset: int | None = None) -> Iterator[tuple[Record, int]]:
        """Each record with the offset behind it, up to the first incomplete frame."""
        at = self.start if offset is None else offset
        while True:
            chunk = self.read(at, 1, block_bytes=4096)
            for record in chunk.records:
                yield record, chunk.offset
            if chunk.stop != "limit":
                return
            at = chunk.offset

    def read(self, offset: int, limit: int, block_bytes: int = 65_536) -> Chunk:
        """Up to `limit` records from `offset`, reading `block_bytes` at a time."""
        records: list[Record] = []
        add = records.append
        unpack = _PAIR.unpack_from
        decode = _decode
        while True:
            block = os.pread(self.fd, block_bytes, offset)
            view = memoryview(block)
            have = len(block)
            at = 0
            cut = True
            while at + _FRAME <= have:
                length, crc = unpack(block, at)
                end = at + _FRAME + length
                if end > have or not length:
                    cut = length != 0
                    break
                payload = view[at + _FRAME : end]
                if crc32(payload) != crc:
                    return Chunk(records, offset + at, "unfinished")
                try:
                    add(decode(payload))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    return Chunk(records, offset + at, "unfinished")
                at = end
                if len(records) >= limit:
                    return Chunk(records, offset + at, "limit")
            offset += at
            if cut and at and have == block_bytes:
                continue  # the frame goes on behind this block
            return self._stopped(records, offset, block[at:], block_bytes, limit)

    def _stopped(self, records: list[Record], offset: int, rest: bytes, block_bytes: int, limit: int) -> Chunk:
        if len(rest) < 4:
            # No mark fits here, so the writer cannot have stopped in good order.
            return Chunk(records, offset, "unfinished")
        length = _u32.unpack_from(rest)[0]
        if length == _CONTINUED:
            return Chunk(records, offset, "continued")
        if length == _CLOSED:
            return Chunk(records, offset, "closed")
        if length and len(rest) == block_bytes and offset + _FRAME + length <= self._size:
            # A frame larger than the block: take a larger one.
            more = self.read(offset, limit - len(records), block_bytes=length + _FRAME)
            return Chunk(records + more.records, more.offset, more.stop)
        return Chunk(records, offset, "end" if not rest[: 2 * _FRAME].strip(b"\0") else "unfinished")

    def verdict(self, offset: int) -> tuple[Literal["empty", "torn", "damaged"], int]:
        """What lies behind `offset`, where a dead writer's frames stop, and how many bytes of it.

        empty: nothing. torn: a record whose length was not stored yet, so nobody was told that it was written.
        damaged: bytes that were a record once, or that have whole records behind them.
        """
        rest = os.pread(self.fd, self._size, offset)
        used = len(rest.rstrip(b"\0"))
        if not used:
            return "empty", 0
        if rest[:4].strip(b"\0") or _has_frame(rest, used):
            return "damaged", used
        return "torn", used


_PAIR: Final = struct.Struct("<II")


class EmptySegment(LedgerError):
    """A journal file before its header is written."""


class NotAJournal(LedgerError):
    """A file that carries the name of a journal segment and is none."""


def without_content(segment: bytes) -> bytes:
    """The whole part of a segment with zeros for what `Content` holds. Every record stays where it is, so that what a
    database says about how far it was read stays true."""
    blank = bytearray(segment)
    at = _HEADER.size
    while at + _FRAME <= len(segment):
        length, _ = _PAIR.unpack_from(segment, at)
        start, at = at + _FRAME, at + _FRAME + length
        if not length or at > len(segment):
            break
        record = _decode(segment[start:at])
        if type(record) is Content:
            zeros = {name: bytes(len(getattr(record, name))) for name in ("request", "answer")}
            payload = msgspec.msgpack.encode(msgspec.structs.replace(record, **zeros))
            _PAIR.pack_into(blank, start - _FRAME, length, crc32(payload))
            blank[start:at] = payload
    return bytes(blank)


def discard_headless(path: Path) -> Literal["in_progress", "removed", "foreign"]:
    """Decide about a file that `JournalReader` does not take for a segment; one that is empty is removed.

    A worker writes the header with the lock held. So with the lock ours, what is there is final, and no worker can
    adopt the file afterwards: `_Segment` looks whether it was removed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return "removed"
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        head = os.pread(fd, _HEADER.size, 0)
        if head.startswith(_MAGIC):
            return "in_progress"  # it was completed meanwhile
        if head.strip(b"\0"):
            return "foreign"
        path.unlink(missing_ok=True)
        return "removed"
    except BlockingIOError:
        return "in_progress"
    finally:
        os.close(fd)


def _has_frame(data: bytes, used: int) -> bool:
    """Whether a whole frame begins in the first `used` bytes of `data`; it may end in zeros behind them. Slow: asked
    only of what a crash left behind."""
    view = memoryview(data)
    for at in range(min(used, len(data) - _FRAME)):
        length, crc = _PAIR.unpack_from(data, at)
        if 0 < length <= len(data) - at - _FRAME and crc32(view[at + _FRAME : at + _FRAME + length]) == crc:
            return True
    return False
