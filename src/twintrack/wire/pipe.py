"""The short way of a streamed answer: a chunk that holds whole events goes on as it came, framing and all.

A token arrives as one small chunk, some twenty milliseconds after the one before, when the processor's caches have
forgotten us. What that costs is not the work but how many different functions it touches; so this touches five. A
chunk that is anything else takes the long way through `Chunked` and the dialect's stream, which stay in charge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twintrack.wire.stream import PassingStream

_LONGEST = 4_096
"""Chunks up to this many bytes, framing included."""
_KEPT = 8
"""Chunks remembered for the end, where finish reason, usage and the last word are read: three events at most, in the
dialects we know."""


def _size_line(total: int) -> bytes:
    """How a chunk of `total` bytes begins, framing included, in the usual writing; what no chunk begins with if none
    has that many."""
    for digits in range(1, 5):
        size = b"%x" % max(total - 4 - digits, 0)
        if len(size) == digits and size != b"0":
            return size + b"\r\n"
    return b"\r"


_SIZE_LINES = tuple(_size_line(total) for total in range(_LONGEST))


class Pipe:
    """From a provider's connection to a client's, both chunked."""

    __slots__ = ("_chunks", "_stream", "_tail", "_write", "moved", "passed_bytes")

    def __init__(self, stream: PassingStream, write: Callable[[bytes], None]) -> None:
        """`stream` reads the answer; `write` sends framed bytes to the client."""
        self._stream = stream
        self._write = write
        self._tail: deque[bytes] = deque(maxlen=_KEPT)
        self.moved = False
        """Something passed since this was last set to False."""
        self.passed_bytes = 0
        """Framing included."""
        self._chunks = 0

    def take(self, data: bytes) -> bool:
        """Pass `data` on if it is one whole chunk of whole events; False leaves it to the long way.

        To be asked only between chunks and between events. An empty JSON array may be the `choices` of a usage event,
        which the long way may have to take out.
        """
        size = len(data)
        if (
            size >= _LONGEST
            or not data.startswith(_SIZE_LINES[size])
            or not data.endswith(b"\n\n\r\n")
            or b"[]" in data
            or b"[ ]" in data
        ):
            return False
        self.moved = True
        self.passed_bytes += size
        self._chunks += 1
        self._tail.append(data)
        self._write(data)
        return True

    @property
    def between_events(self) -> bool:
        return self._stream.between_events

    def empty(self) -> int:
        """Hand what passed to the stream, which reads it at the end; return how many bytes passed."""
        for chunk in self._tail:
            self._stream.keep(chunk[chunk.index(b"\n") + 1 : -2])
        self._tail.clear()
        self._stream.pieces += self._chunks
        self._chunks = 0
        passed, self.passed_bytes = self.passed_bytes, 0
        return passed
