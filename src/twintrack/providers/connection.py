"""One kept-alive connection to a provider: request bytes out, one framed answer in, nothing else tolerated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from twintrack.errors import UpstreamError
from twintrack.providers.outbox import Outbox, Send
from twintrack.wire.http1 import CHUNKED, UNTIL_CLOSE, Chunked, FramingError, ResponseHead, response_head
from twintrack.wire.pipe import Pipe

_MOST_INTERIM = 4
"""Informational (1xx) answers before the real one; a provider has no use for more."""
_MAX_HEAD_BYTES = 65_536
_MAX_HEADERS = 128


class Receiver(Protocol):
    """Who waits for an answer. Each call comes at most once, `on_piece` aside; after `on_end` or `on_failure` none."""

    def on_connected(self, connection: Connection) -> bool:
        """The request is about to be written to `connection`; False if it is no longer wanted."""
        ...

    def on_unreachable(self, error: UpstreamError) -> None:
        """No connection came about; this may be long given up."""
        ...

    def on_head(self, head: ResponseHead) -> None: ...

    def on_piece(self, data: bytes) -> None: ...

    def on_end(self) -> None: ...

    def on_failure(self, error: UpstreamError) -> None: ...


class Connection(asyncio.Protocol):
    __slots__ = (
        "_body",
        "_chunked",
        "_closed",
        "_held",
        "_interim",
        "_keep_alive",
        "_left",
        "_offered",
        "_on_idle",
        "_outbox",
        "_pipe",
        "_send",
        "idle_since",
        "received",
        "receiver",
        "served",
        "transport",
    )

    def __init__(self, on_idle: Callable[[Connection, bool], None], outbox: Outbox | None = None) -> None:
        """`outbox` None: write at once."""
        self._outbox = outbox
        self._send: Send | None = None
        self.transport: asyncio.Transport | None = None
        self.receiver: Receiver | None = None
        self.served = 0
        """Answers completed on this connection."""
        self.received = False
        """A byte of the current answer came."""
        self.idle_since = 0.0
        self._on_idle = on_idle
        self._held = b""
        self._body = False
        self._chunked: Chunked | None = None
        self._left = 0
        self._keep_alive = False
        self._interim = 0
        self._closed = False
        self._offered: Pipe | None = None
        self._pipe: Pipe | None = None
        """The offered pipe, while the next byte begins a chunk and an event."""

    # ---- what the pool and the receiver do

    def send(self, receiver: Receiver, request: bytes) -> None:
        self.receiver = receiver
        self.received = False
        self._interim = 0
        assert self._send is not None
        self._send(request)

    def offer(self, pipe: Pipe) -> None:
        """Let whole chunks of the current answer take the short way from now on."""
        self._offered = pipe

    def abort(self) -> None:
        """Give the answer up: the receiver hears no more, the provider sees the connection close."""
        self.receiver = self._offered = self._pipe = None
        self._closed = True  # at once: until the loop tells us so, the pool might take it for usable
        if self.transport is not None:
            self.transport.abort()

    def pause(self) -> None:
        if self.transport is not None and not self._closed:
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self._closed:
            self.transport.resume_reading()

    @property
    def usable(self) -> bool:
        return not self._closed and self.receiver is None

    # ---- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._send = self.transport.write if self._outbox is None else self._outbox.sender(self.transport)

    def data_received(self, data: bytes) -> None:
        pipe = self._pipe
        if pipe is not None and pipe.take(data):
            return
        receiver = self.receiver
        if receiver is None:
            self.abort()  # bytes nobody asked for: the next answer could not be trusted
            return
        self.received = True
        try:
            if self._body:
                self._read_body(receiver, data)
            else:
                self._read_head(receiver, data)
        except FramingError as error:
            self._fail(UpstreamError("The provider broke its answer's framing", why=str(error)))
        except UpstreamError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        receiver = self.receiver
        if receiver is None:
            self._on_idle(self, False)
            return
        if self._body and self._chunked is None and self._left == UNTIL_CLOSE and exc is None:
            self._end(receiver, keep=False)
            return
        self._fail(UpstreamError("The provider closed the connection before its answer was complete"))

    # ---- framing

    def _read_head(self, receiver: Receiver, data: bytes) -> None:
        if self._held:
            data = self._held + data
        end = data.find(b"\r\n\r\n") + 4
        if (len(data) if end == 3 else end) > _MAX_HEAD_BYTES:
            raise UpstreamError(f"The provider's headers exceed {_MAX_HEAD_BYTES} bytes")
        if end == 3:
            self._held = data
            return
        self._held = b""
        head = response_head(data, end, _MAX_HEADERS)
        rest = data[end:]
        if head.status < 200:
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise UpstreamError("The provider sends one informational answer after another")
            if rest:
                self._read_head(receiver, rest)
            return
        self._keep_alive = head.keep_alive
        self._body = True
        self._left = head.length
        self._chunked = Chunked() if head.length == CHUNKED else None
        receiver.on_head(head)
        if self.receiver is receiver and (rest or head.length == 0):
            self._read_body(receiver, rest)

    def _read_body(self, receiver: Receiver, data: bytes) -> None:
        chunked = self._chunked
        if chunked is not None:
            try:
                pieces = chunked.feed(data)
            except FramingError as error:
                # What came before the fault counts, whether or not the network delivered both together.
                for piece in error.before:
                    receiver.on_piece(piece)
                    if self.receiver is not receiver:
                        return
                raise
            for piece in pieces:
                receiver.on_piece(piece)
                if self.receiver is not receiver:
                    return
            offered = self._offered
            if offered is not None:
                self._pipe = offered if chunked.between_chunks and offered.between_events else None
            if chunked.done:
                self._end(receiver, keep=self._keep_alive and not chunked.rest)
        elif self._left == UNTIL_CLOSE:
            receiver.on_piece(data)
        else:
            over = len(data) > self._left
            if over:
                data = data[: self._left]
            self._left -= len(data)
            if data:
                receiver.on_piece(data)
                if self.receiver is not receiver:
                    return
            if self._left == 0:
                self._end(receiver, keep=self._keep_alive and not over)

    def _end(self, receiver: Receiver, keep: bool) -> None:
        self.receiver = self._offered = self._pipe = None
        self._body = False
        self._chunked = None
        self.served += 1
        if not keep and self.transport is not None:
            self.transport.abort()
        self._on_idle(self, keep)
        receiver.on_end()

    def _fail(self, error: UpstreamError) -> None:
        receiver, self.receiver = self.receiver, None
        self._offered = self._pipe = None
        if self.transport is not None and not self._closed:
            self.transport.abort()
        if receiver is not None:
            receiver.on_failure(error)
