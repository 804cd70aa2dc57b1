"""Reading a streamed answer while its own bytes pass through.

Until the first content everything is held and each event is looked at: this is where a failure may still move on to
another provider. Behind it whole events pass untouched; the last few kilobytes are kept and read once, at the end.
"""

from __future__ import annotations

from twintrack.errors import UpstreamError
from twintrack.wire import sse
from twintrack.wire.usage import NO_USAGE, Usage

HELD_BYTES = 262_144
"""What a provider may send before its first content."""
TAIL_BYTES = 16_384
_LONGEST_WAIT = 16_384
"""An event longer than this goes on piece by piece: it is not the one with the usage, and memory has an end."""
_PART_OF_END = 3
"""Bytes that may be the start of an event's end."""


class PassingStream:
    """The part that no dialect changes; `see` is what each one adds."""

    __slots__ = (
        "_cut",
        "_held",
        "_held_bytes",
        "_opening",
        "_rest",
        "_tail",
        "_tail_bytes",
        "_usage",
        "content",
        "failure",
        "finished",
        "inside",
        "pieces",
    )

    def __init__(self) -> None:
        self.content = False
        self.finished = False
        self.failure = ""
        self.pieces = 0
        self.inside = False
        self._held: list[bytes] = []
        """Whole events that came before content."""
        self._held_bytes = 0
        self._opening: bytearray | None = None
        """Before content the start of an event whose end has not come; it may become megabytes."""
        self._rest = b""
        """Behind it."""
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._cut = False
        """The tail begins inside an event."""
        self._usage = NO_USAGE

    def see(self, text: bytes) -> None:
        """Look at one event's data and set `content`, `finished`, `failure` or `_usage`."""
        raise NotImplementedError

    def kept(self, events: list[bytes]) -> bytes:
        """Of whole events those that go on to the client."""
        return b"".join(events)

    def feed(self, data: bytes) -> bytes:
        if not self.content:
            return self.open(data)
        self.pieces += 1
        self.keep(data)
        if not self._rest and data.endswith(b"\n\n"):
            return data
        return self.whole(data)

    def open(self, data: bytes) -> bytes:
        """Before content. Raises UpstreamError if the provider fails here."""
        opening = self._opening
        if opening:  # a long event comes in many pieces: only what is new is searched for its end
            ended = sse.ends(bytes(opening[-sse.PART_OF_END :]) + data)
            opening += data
            events: list[bytes] = []
            if ended:
                events, rest = sse.split(bytes(opening))
                self._opening = bytearray(rest)
        else:
            events, rest = sse.split(data)
            if rest:
                self._opening = bytearray(rest)
        for event in events:
            text = sse.payload(event)
            if text:
                self.see(text)
            if self.content:
                break  # what follows is read at the end, as if it had come later
            if self.failure:
                raise UpstreamError("The provider failed before any content", why=self.failure)
        self._held += events
        self._held_bytes += sum(map(len, events))
        if not self.content:
            if self._held_bytes + len(self._opening or b"") > HELD_BYTES:
                raise UpstreamError(f"The provider sent no content in its first {HELD_BYTES} bytes")
            return b""
        self.pieces = 1
        self._rest = bytes(self._opening or b"")
        held, self._held = self._held, []
        self.keep(b"".join(held) + self._rest)
        return self.kept(held)

    def whole(self, data: bytes) -> bytes:
        """The whole events of what came; the start of the next one waits, so that no error event lands inside it."""
        events, rest = sse.split(self._rest + data)
        passing = b""
        if events:
            if self.inside:  # the end of one that is on its way already
                self.inside = False
                passing = events.pop(0)
            passing += self.kept(events)
        if len(rest) > _LONGEST_WAIT:
            self.inside = True
            passing += rest[:-_PART_OF_END]
            rest = rest[-_PART_OF_END:]
        self._rest = rest
        return passing

    def keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_bytes += len(data)
        if self._tail_bytes > TAIL_BYTES:
            self.trim()

    def trim(self) -> None:
        data = b"".join(self._tail)
        at = len(data) - TAIL_BYTES // 2
        tail = data[at:]
        self._cut = not data[at - 4 : at].endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
        self._tail = [tail]
        self._tail_bytes = len(tail)

    def close(self) -> bytes:
        tail = b"".join(self._tail)
        if self._cut:  # what follows in the same event means nothing without its start
            tail = tail[len((sse.split(tail)[0] or [b""])[0]) :]
        for text in sse.payloads(tail):
            try:
                if not text.isascii():
                    text.decode()  # `see` skips over what it does not look for; a client would not
                self.see(text)
            except (UpstreamError, UnicodeDecodeError):
                continue
        return self._rest

    @property
    def between_events(self) -> bool:
        """Whatever came has gone on, up to the end of an event."""
        return self.content and not self._rest and not self.inside

    def usage(self) -> Usage:
        return self._usage
