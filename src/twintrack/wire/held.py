"""An answer that is held back whole, and read, before anything of it goes on.

The client's bytes are made as ever, by the passage that leads to the provider; this one stands in front of it, keeps
them to the end, and reads beside them what was said. Log-probabilities that only the gateway asked for are taken out
before anybody else sees them.
"""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire import sse
from twintrack.wire.beyond import TELL, event_without_logprobs, with_logprobs, with_temperature, without_logprobs
from twintrack.wire.canonical.answer import Finish
from twintrack.wire.canonical.parts import Logprob, Part, Text
from twintrack.wire.canonical.request import Target
from twintrack.wire.dialect import UNREADABLE, Asked, Stream
from twintrack.wire.gathered import Gathered
from twintrack.wire.passage import Passage
from twintrack.wire.translators import provider_side
from twintrack.wire.usage import Usage

_DONE = b"[DONE]"


class Draft(msgspec.Struct, frozen=True, gc=False):
    """What an answer says, in no dialect."""

    parts: tuple[Part, ...]
    finish: Finish
    logprobs: tuple[float, ...] = ()
    """Natural logarithms, one a token; empty: the provider told none."""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))


class Held:
    """A `Passage`. One serves one attempt."""

    __slots__ = (
        "_asks", "_most_bytes", "_passage", "_stream", "_temperature", "_whole", "dialect", "dropped", "endpoint",
    )  # fmt: skip

    def __init__(self, passage: Passage, *, logprobs: bool, most_bytes: int, temperature: float | None = None) -> None:
        """
        Args:
            passage: the way to the provider and back.
            logprobs: ask the provider for them, if it can be asked; the client did not.
            most_bytes: a longer stream is an error.
            temperature: to draw the answer at, whatever the client said; None: as the client said.
        """
        self._passage = passage
        self.dialect = passage.dialect
        self.endpoint = passage.endpoint
        self.dropped: tuple[str, ...] = ()
        self._asks = logprobs and passage.endpoint in TELL
        self._temperature = temperature
        self._most_bytes = most_bytes
        self._whole = b""
        self._stream: HeldStream | None = None

    def body(self, asked: Asked, body: bytes, target: Target) -> bytes:
        body = self._passage.body(asked, body, target)
        self.dropped = self._passage.dropped
        if self._temperature is not None:
            body = with_temperature(self.endpoint, body, self._temperature)
        return with_logprobs(self.endpoint, body) if self._asks else body

    def open_stream(self, asked: Asked) -> Stream:
        stream = self._passage.open_stream(asked)
        strip = self.endpoint if self._asks else ""
        self._stream = HeldStream(stream, self.dialect, strip=strip, most_bytes=self._most_bytes)
        return self._stream

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        self._whole = body
        return self._passage.answer(without_logprobs(self.endpoint, body) if self._asks else body)

    def draft(self) -> Draft:
        """What was said, once all of it is there. Raises UpstreamError: it cannot be read."""
        if self._stream is not None:
            return self._stream.draft()
        try:
            answer = provider_side(self.dialect).read_answer(self._whole)
        except UNREADABLE as error:
            raise UpstreamError("The provider's answer cannot be read", why=str(error)) from None
        told = [each.logprob for part in answer.parts if isinstance(part, Text) for each in part.logprobs]
        return Draft(answer.parts, answer.finish, tuple(told))


class HeldStream:
    """A `Stream` that has no content before its end, and then all of it."""

    __slots__ = (
        "_bytes",
        "_ended",
        "_held",
        "_most_bytes",
        "_reader",
        "_rest",
        "_said",
        "_stream",
        "_strip",
        "content",
        "failure",
        "finished",
        "inside",
        "pieces",
    )

    def __init__(self, stream: Stream, dialect: str, *, strip: str, most_bytes: int) -> None:
        """`strip`: log-probabilities are taken out, as this endpoint of the provider's tells them; empty: they stay."""
        self._stream = stream
        self._said = _Said()
        self._reader = provider_side(dialect).read_stream(self._said)
        self._strip = strip
        self._most_bytes = most_bytes
        self._held: list[bytes] = []
        self._rest = bytearray()
        """The start of an event whose end has not come."""
        self._bytes = 0
        self._ended = False
        self.content = self.finished = self.inside = False
        self.failure = ""
        self.pieces = 0

    def feed(self, data: bytes) -> bytes:
        self._bytes += len(data)
        if self._bytes > self._most_bytes:
            raise UpstreamError("The provider's answer is too large")
        rest = self._rest
        ended = sse.ends(bytes(rest[-sse.PART_OF_END :]) + data)
        rest += data
        if ended:
            events, left = sse.split(bytes(rest))
            self._rest = bytearray(left)
            for event in events:
                self._take(event)
        return b""

    def close(self) -> bytes:
        """The whole stream as the client gets it; empty the second time, as everything behind it."""
        stream, rest = self._stream, bytes(self._rest)
        self._rest = bytearray()
        broken = ""
        try:
            if rest:
                self._held.append(stream.feed(rest))
            self._held.append(stream.close())
            self._reader.close()
        except UpstreamError as error:  # it may be why the stream is closed
            broken = error.what
        self.content, self.finished, self.failure = stream.content, stream.finished, stream.failure or broken
        held, self._held = b"".join(self._held), []
        return held

    def usage(self) -> Usage:
        return self._stream.usage()

    def draft(self) -> Draft:
        """Raises UpstreamError: the provider did not come to say how it ended."""
        said = self._said
        if said.finish_reason is None:
            raise UpstreamError("The provider's answer is not complete", why="it has no finish reason")
        return Draft(said.parts, said.finish_reason, tuple(said.logprobs))

    def _take(self, event: bytes) -> None:
        payload = sse.payload(event)
        if payload:
            self._reader.see(payload)
        if self._strip:
            event = event_without_logprobs(self._strip, event, payload)
        passing = self._stream.feed(event)
        if not self._ended:  # what follows was not checked, and is no part of the answer
            self._held.append(passing)
        self._ended = self._ended or payload == _DONE
        self.pieces = self._stream.pieces


class _Said(Gathered):
    """Beside what is said, how probable it was."""

    def __init__(self) -> None:
        super().__init__()
        self.logprobs: list[float] = []

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        super().text(piece)
        self.logprobs += [each.logprob for each in logprobs]
