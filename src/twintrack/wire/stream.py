"""Reading a streamed answer while its own bytes pass through.

Until the first content everything is held and each event is looked at: this is where a failure may still move on to
another provider. Behind it bytes pass untouched; the last few kilobytes are kept and read once, at the end.
"""

from __future__ import annotations

from twintrack.errors import UpstreamError
from twintrack.wire import sse
from twintrack.wire.usage import NO_USAGE, Usage

HELD_BYTES = 262_144
"""What a provider may send before its first content, and the longest event that is looked at."""
TAIL_BYTES = 16_384


class PassingStream:
    """The part that no dialect changes; `see` is what each one adds."""

    __slots__ = ("_held", "_rest", "_tail", "_tail_bytes", "_usage", "content", "failure", "finished", "pieces")

    def __init__(self) -> None:
        self.content = False
        self.finished = False
        self.failure = ""
        self.pieces = 0
        self._held: list[bytes] = []
        """Events before the first content."""
        self._rest = b""
        """The start of an event, until the rest of it arrives."""
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._usage = NO_USAGE

    def see(self, text: bytes) -> None:
        """Look at one event's data and set `content`, `finished`, `failure` or `_usage`."""
        raise NotImplementedError

    def feed(self, data: bytes) -> bytes:
        if self.content:
            self.pieces += 1
            self.keep(data)
            return data
        return self.open(data)

    def open(self, data: bytes) -> bytes:
        """Before content. Raises UpstreamError if the provider fails here."""
        events, self._rest = sse.split(self._rest + data)
        self._held += events
        if len(self._rest) + sum(map(len, self._held)) > HELD_BYTES:
            raise UpstreamError(f"The provider sent no content in its first {HELD_BYTES} bytes")
        for event in events:
            text = sse.payload(event)
            if text:
                self.see(text)
            if self.failure and not self.content:
                raise UpstreamError("The provider failed before any content", why=self.failure)
        if not self.content:
            return b""
        self.pieces = 1
        released = b"".join((*self._held, self._rest))
        self._held, self._rest = [], b""
        self.keep(released)
        return released

    def keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_bytes += len(data)
        if self._tail_bytes > TAIL_BYTES:
            self.trim()

    def trim(self) -> None:
        tail = b"".join(self._tail)[-TAIL_BYTES // 2 :]
        self._tail = [tail]
        self._tail_bytes = len(tail)

    def close(self) -> bytes:
        for text in sse.payloads(b"".join(self._tail)):
            try:
                self.see(text)
            except UpstreamError:
                continue  # the first event of the tail is usually cut
        return b""

    def usage(self) -> Usage:
        return self._usage


def known(tokens: int | None) -> int | None:
    """A count as a provider means it: a negative or absurd one is none."""
    return tokens if tokens is not None and 0 <= tokens < 1_000_000_000 else None


def total(*parts: int | None) -> int | None:
    """Sum of the parts that are known; None if the first is not."""
    if parts[0] is None:
        return None
    return sum(part for part in parts if part is not None)
