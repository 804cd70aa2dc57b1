"""A segment of the journal: its form, and how it is read, also while it is being written.

A segment is a preallocated file mapped into memory, `FOLDER/<worker>-<seq>.journal`:

    header   magic, schema, size, writer, seq                    32 bytes, see `HEADER`
    frame    u32 length · u32 crc32 of payload · payload         one msgpack record each
    mark     u32 CONTINUED or CLOSED in the place of a length    ends the segment

All numbers are little-endian. The length is stored last: a writer killed in the middle of a frame leaves a length
of 0 there, so the half-written record does not exist. What was stored before SIGKILL is in the page cache and
survives; only power loss can take the last second, because `Loader.fsync` runs each second and the worker never
waits for a disk. On file systems that copy on write (btrfs, zfs) preallocation promises less than on ext4 or xfs.

The writer holds an exclusive flock on its segments, so whoever gets a lock knows that the writer is gone.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from zlib import crc32

import msgspec

from twintrack.errors import LedgerError
from twintrack.ledger.records import SCHEMA, Content, Record

SUFFIX: Final = ".journal"
MAGIC: Final = b"TWINJRNL"
HEADER: Final = struct.Struct("<8sIIQQ")
"""magic, schema of the records, segment size in bytes, writer (random, one per `Journal`), seq."""
FRAME: Final = 8
CONTINUED: Final = 0xFFFF_FFFF
CLOSED: Final = 0xFFFF_FFFE
_u32 = struct.Struct("<I")
_PAIR: Final = struct.Struct("<II")
_decode = msgspec.msgpack.Decoder(Record).decode


def journal_folder(data: str | os.PathLike[str]) -> Path:
    """Where the journals of a data folder lie."""
    return Path(data) / "journal"


class EmptySegment(LedgerError):
    """A journal file before its header is written."""


class NotAJournal(LedgerError):
    """A file that carries the name of a journal segment and is none."""


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
            head = os.pread(self.fd, HEADER.size, 0)
            if not head.strip(b"\0"):
                raise EmptySegment(f"{self.path} has no header yet")
            if len(head) < HEADER.size or not head.startswith(MAGIC):
                raise NotAJournal(f"{self.path} is not a journal segment", why="it does not begin like one")
            _, schema, self._size, self.writer, self.seq = HEADER.unpack(head)
            if schema > SCHEMA:
                raise LedgerError(
                    f"{self.path} was written by a newer version",
                    why=f"its records have schema {schema}, this version reads up to {SCHEMA}",
                    fix="Upgrade this process too",
                )
        except BaseException:
            os.close(self.fd)
            raise
        self.start = HEADER.size

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
            while at + FRAME <= have:
                length, crc = unpack(block, at)
                end = at + FRAME + length
                if end > have or not length:
                    cut = length != 0
                    break
                payload = view[at + FRAME : end]
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
        if length == CONTINUED:
            return Chunk(records, offset, "continued")
        if length == CLOSED:
            return Chunk(records, offset, "closed")
        if length and len(rest) == block_bytes and offset + FRAME + length <= self._size:
            # A frame larger than the block: take a larger one.
            more = self.read(offset, limit - len(records), block_bytes=length + FRAME)
            return Chunk(records + more.records, more.offset, more.stop)
        return Chunk(records, offset, "end" if not rest[: 2 * FRAME].strip(b"\0") else "unfinished")

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


def without_content(segment: bytes) -> bytes:
    """The whole part of a segment with zeros for what `Content` holds. Every record stays where it is, so that what a
    database says about how far it was read stays true."""
    blank = bytearray(segment)
    at = HEADER.size
    while at + FRAME <= len(segment):
        length, _ = _PAIR.unpack_from(segment, at)
        start, at = at + FRAME, at + FRAME + length
        if not length or at > len(segment):
            break
        record = _decode(segment[start:at])
        if type(record) is Content:
            zeros = {name: bytes(len(getattr(record, name))) for name in ("request", "answer")}
            payload = msgspec.msgpack.encode(msgspec.structs.replace(record, **zeros))
            _PAIR.pack_into(blank, start - FRAME, length, crc32(payload))
            blank[start:at] = payload
    return bytes(blank)


def discard_headless(path: Path) -> Literal["in_progress", "removed", "foreign"]:
    """Decide about a file that `JournalReader` does not take for a segment; one that is empty is removed.

    A worker writes the header with the lock held. So with the lock ours, what is there is final, and no worker can
    adopt the file afterwards: `Journal` looks whether it was removed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return "removed"
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        head = os.pread(fd, HEADER.size, 0)
        if head.startswith(MAGIC):
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
    for at in range(min(used, len(data) - FRAME)):
        length, crc = _PAIR.unpack_from(data, at)
        if 0 < length <= len(data) - at - FRAME and crc32(view[at + FRAME : at + FRAME + length]) == crc:
            return True
    return False
