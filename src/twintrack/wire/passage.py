"""The way of a request to a provider and of the answer back: straight where both speak one dialect, else translated."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from twintrack.errors import BadRequest, UpstreamError
from twintrack.wire import sse
from twintrack.wire.canonical.answer import Reader, Reply, Sink
from twintrack.wire.canonical.losses import Loss, Losses
from twintrack.wire.canonical.request import Request, Target
from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.dialect import KEPT_ELSEWHERE, UNREADABLE, Asked, Endpoint, Stream
from twintrack.wire.usage import Usage

_LONGEST_EVENT = 16_777_216
"""Some dialects repeat the whole answer in their last event."""
_HELD_BYTES = 8_388_608
"""What a provider may send before its first content; some repeat the whole request."""
_MOST_NAMED = 8
_NEVER_DROPPED = frozenset(KEPT_ELSEWHERE)


class Untranslatable(UpstreamError):
    """A provider's answer was read but cannot be said in the client's dialect."""

    def __init__(self, what: str, usage: Usage, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.usage = usage
        """What it took: the provider counts it all the same."""


class Passage(Protocol):
    """What one attempt does with bytes."""

    endpoint: str
    """The provider's: names the path and the head of the call."""
    dialect: str
    """The provider's."""
    dropped: tuple[str, ...]
    """Paths of what the client allowed to be left out, and was."""

    def body(self, asked: Asked, body: bytes, target: Target) -> bytes:
        """The provider's request from the client's. Raises BadRequest."""
        ...

    def open_stream(self, asked: Asked) -> Stream: ...

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        """The client's answer from the provider's. Raises UpstreamError; Untranslatable if its usage is known."""
        ...


class Straight:
    """The body travels on as it came. One serves all requests of an endpoint."""

    __slots__ = ("_from", "dialect", "endpoint")
    dropped: tuple[str, ...] = ()

    def __init__(self, endpoint: Endpoint) -> None:
        self._from = endpoint
        self.endpoint = endpoint.name
        self.dialect = endpoint.dialect

    def body(self, asked: Asked, body: bytes, target: Target) -> bytes:
        return asked.body_for(body, target.model)

    def open_stream(self, asked: Asked) -> Stream:
        return self._from.open_stream(not asked.wants_usage())

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        usage = self._from.read_usage(body)
        if not body.isascii():  # the parts of it that are not read may still be no text
            try:
                body.decode()
            except UnicodeDecodeError as error:
                raise UpstreamError("The provider's answer is not UTF-8", why=str(error)) from None
        return body, usage


class Conversation:
    """A client's request in the canonical form, read once however many providers are asked."""

    __slots__ = ("client", "drop", "dropped", "request", "request_id")

    def __init__(self, client: ClientSide, body: bytes, drop: bool, request_id: str) -> None:
        """`drop`: leave out what cannot be carried. Raises BadRequest."""
        self.client = client
        self.drop = drop
        self.request_id = request_id
        self.request, self.dropped = client.read_request(body, drop)


class Translated:
    """One attempt at a provider of another dialect."""

    __slots__ = ("_conversation", "_provider", "dialect", "dropped", "endpoint")

    def __init__(self, conversation: Conversation, provider: ProviderSide, dialect: str, endpoint: str) -> None:
        self._conversation = conversation
        self._provider = provider
        self.dialect = dialect
        self.endpoint = endpoint
        self.dropped: tuple[str, ...] = ()

    def body(self, asked: Asked, body: bytes, target: Target) -> bytes:
        conversation = self._conversation
        losses = Losses()
        written = self._provider.write_request(conversation.request, target, losses)
        found: tuple[str, ...] = ()
        if losses.found or conversation.request.unsaid:
            found = _named(conversation.request, losses, conversation.client)
        if found and (not conversation.drop or not _NEVER_DROPPED.isdisjoint(found)):
            raise _uncarried(found, target.model)
        self.dropped = conversation.dropped + found
        return written

    def open_stream(self, asked: Asked) -> Stream:
        sink = self._conversation.client.write_stream(self._reply())
        return TranslatedStream(sink, self._provider.read_stream)

    def answer(self, body: bytes) -> tuple[bytes, Usage]:
        try:
            answer = self._provider.read_answer(body)
        except UNREADABLE as error:
            raise UpstreamError("The provider's answer cannot be read", why=str(error)) from None
        try:
            return self._conversation.client.write_answer(answer, self._reply()), answer.usage
        except UpstreamError as error:
            raise Untranslatable(error.what, answer.usage, why=error.why, fix=error.fix) from None
        except (*UNREADABLE, UnicodeEncodeError) as error:
            raise Untranslatable("The provider's answer cannot be read", answer.usage, why=str(error)) from None

    def _reply(self) -> Reply:
        return Reply(self._conversation.request, self._conversation.request_id, int(time.time()))


def _named(request: Request, losses: Losses, client: ClientSide) -> tuple[str, ...]:
    """What is lost, by the client's own paths."""
    paths = [*request.unsaid, *(_path(loss, client) for loss in losses.found)]
    return tuple(dict.fromkeys(paths))


def _path(loss: Loss, client: ClientSide) -> str:
    if loss.member.startswith("$"):
        return loss.member
    path = f"$.{client.names.get(loss.member, loss.member)}"
    if loss.at >= 0:
        path += f"[{loss.at}]"
    return f"{path} ({loss.what})" if loss.what else path


def _uncarried(found: tuple[str, ...], model: str) -> BadRequest:
    shown = ", ".join(found[:_MOST_NAMED]) + (" and more" if len(found) > _MOST_NAMED else "")
    leave = "Leave it out, send x-twintrack-drop-unsupported: true to have it left out, or"
    kept = not _NEVER_DROPPED.isdisjoint(found)
    return BadRequest(
        f"{shown} cannot be carried to {model}",
        why="its provider speaks another dialect, which has no word for it",
        fix=f"{'Send the whole conversation, or' if kept else leave} name a model whose provider speaks your dialect.",
        param=found[0].partition(" ")[0],
    )


class TranslatedStream:
    """A provider's events in, a client's events out. Holds back everything until the first content."""

    __slots__ = ("_held_bytes", "_reader", "_rest", "_sink", "content", "failure", "finished", "inside", "pieces")

    def __init__(self, sink: Sink, reader: Callable[[Sink], Reader]) -> None:
        self._sink = sink
        self._reader = reader(sink)
        self._rest = bytearray()
        """The start of an event whose end has not come."""
        self._held_bytes = 0
        self.content = False
        self.finished = False
        self.failure = ""
        self.inside = False
        """Never: only whole events are written."""
        self.pieces = 0

    def feed(self, data: bytes) -> bytes:
        if self.failure:
            return b""  # a provider that goes on behind its error must not lend it a clean end
        reader = self._reader
        if not self._rest and data.endswith(b"\n\n") and data.count(b"\n\n") == 1 and b"\r" not in data:
            payload = sse.payload(data)  # most chunks are one event
            if payload:
                self.pieces += 1
                reader.see(payload)
        else:
            self._feed(data)
        if reader.content:
            self.content = True
            self.finished, self.failure = reader.finished, reader.failure
            return self._sink.take()
        if reader.failure:
            raise UpstreamError("The provider failed before any content", why=reader.failure)
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_BYTES:
            raise UpstreamError(f"The provider sent no content in its first {_HELD_BYTES} bytes")
        return b""

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        rest = self._rest
        # A long event comes in many pieces: only what is new is searched for its end.
        ended = sse.ends(bytes(rest[-sse.PART_OF_END :]) + data)
        rest += data
        if ended:
            events, left = sse.split(bytes(rest))
            self._rest = bytearray(left)
            for event in events:
                payload = sse.payload(event)
                if payload:
                    self.pieces += 1
                    reader.see(payload)
                    if reader.failure:
                        break
        if len(self._rest) > _LONGEST_EVENT:
            raise UpstreamError(f"The provider sent an event of more than {_LONGEST_EVENT} bytes")

    def close(self) -> bytes:
        reader = self._reader
        reader.close()
        self.content, self.finished, self.failure = reader.content, reader.finished, reader.failure
        return self._sink.take()

    def usage(self) -> Usage:
        return self._reader.usage
