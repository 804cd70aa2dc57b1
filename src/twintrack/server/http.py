"""The client's side of the data plane: one HTTP/1.1 connection, one request at a time.

Bytes come in, a request goes to `server/api.py`, an answer goes out. Nothing is read ahead beyond a bounded amount,
and nothing is written ahead of a client that does not read.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from collections.abc import Callable
from typing import Protocol, cast

from twintrack.config.snapshot import Snapshot
from twintrack.errors import (
    BadRequest,
    HeadTooLarge,
    RequestError,
    RequestTimeout,
    TooLarge,
    TwintrackError,
    Unavailable,
)
from twintrack.providers.outbox import Outbox, Send
from twintrack.wire.http1 import CHUNKED, Chunked, FramingError, RequestHead, request_head, status_line

_AHEAD_BYTES = 65_536
"""What a client may send ahead of the answer to its last request."""
_LINGER_S = 2.0
"""How long a client that still sends may take to read the last answer."""
_NOTHING = bytes(4)


class Waiting(Protocol):
    """Whoever prepares the answer to the current request."""

    def on_client_left(self) -> None: ...

    def on_client_slow(self) -> None:
        """The client reads more slowly than we write: stop for now."""

    def on_client_ready(self) -> None: ...


class Front(Protocol):
    """Whom the connections of a worker serve."""

    outbox: Outbox | None
    """Where writes are gathered; None: write at once."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def now(self) -> float:
        """Seconds on the sweeper's clock, which ticks five times a second: exact enough for a deadline, and free."""
        ...

    def handle(self, connection: ClientConnection, head: RequestHead, body: bytes) -> Waiting | None:
        """Take one whole request; answer through the connection, now or later."""

    def check(self, head: RequestHead) -> None:
        """Before a body is waited for: raises what can be said from the head alone, as a missing key."""

    def refuse(self, connection: ClientConnection, head: RequestHead | None, error: TwintrackError) -> None:
        """Answer a request that could not be read."""

    def on_made(self, connection: ClientConnection) -> bool:
        """False if there are too many connections."""
        ...

    def on_lost(self, connection: ClientConnection) -> None: ...


def _nowhere(data: bytes) -> None:
    """Before a connection is made there is nobody to write to."""


class ClientConnection(asyncio.Protocol):
    __slots__ = (
        "_body",
        "_busy",
        "_chunked_in",
        "_chunked_out",
        "_clogged",
        "_discard",
        "_front",
        "_head",
        "_held",
        "_keep_alive",
        "_left",
        "_lingers",
        "_paused",
        "_send",
        "_unread",
        "_unsent",
        "_waiting",
        "deadline",
        "transport",
    )

    def __init__(self, front: Front) -> None:
        self._front = front
        self.transport: asyncio.Transport | None = None
        self._send: Send = _nowhere
        self.deadline = 0.0
        """When, on the sweeper's clock, the client is late; 0: never."""
        self._held = b""
        """The start of a head, or what came ahead of its turn."""
        self._head: RequestHead | None = None
        """Of the request whose body is being read or whose answer is awaited."""
        self._body: list[bytes] = []
        self._left = 0
        self._chunked_in: Chunked | None = None
        self._chunked_out = False
        self._keep_alive = True
        self._busy = False
        """A request was handed on and its answer is not complete."""
        self._waiting: Waiting | None = None
        self._paused = False
        self._discard = False
        """Nothing more is read from this client."""
        self._clogged = False
        """The client does not take what was written."""
        self._unread = False
        """A request was refused while it was still arriving."""
        self._lingers = False
        """Nothing more is written; the client may still read."""
        self._unsent = 0
        """Bytes the client had not taken when it was last looked at."""

    # ---- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = made = cast(asyncio.Transport, transport)
        outbox = self._front.outbox
        self._send = made.write if outbox is None else outbox.sender(made)
        self.deadline = self._front.now + self._front.snapshot.deadlines.head_s
        if not self._front.on_made(self):
            self._discard = True
            made.close()

    def data_received(self, data: bytes) -> None:
        if self._discard:
            return
        if self._busy or self._clogged:
            self._held += data
            if len(self._held) > _AHEAD_BYTES and not self._paused and self.transport is not None:
                self._paused = True
                self.transport.pause_reading()
        elif self._head is not None:
            self._read_body(self._head, data)
        elif self._held:
            self._read_head(self._held + data)
        else:
            self._read_head(data)

    def connection_lost(self, exc: Exception | None) -> None:
        waiting, self._waiting = self._waiting, None
        self.transport = None
        self._discard = True
        self._front.on_lost(self)
        if waiting is not None:
            waiting.on_client_left()

    def pause_writing(self) -> None:
        self._clogged = True
        if self._waiting is not None:
            self._waiting.on_client_slow()

    def resume_writing(self) -> None:
        self._clogged = False
        if self._waiting is not None:
            self._waiting.on_client_ready()
        elif not self._busy and not self._discard:
            self._next()

    # ---- time

    def on_late(self) -> None:
        """The sweeper found the deadline passed."""
        self.deadline = 0.0
        if self._clogged or self._unsent:
            self._insist()
        elif self._discard:
            self.hang_up()
        elif self._busy:
            return
        elif self._lies_unread():
            self.deadline = self._front.now  # it came in time, and it is we who are late: looked at again next time
        elif self._head is None and not self._held:
            self.hang_up()
        else:
            self._stop(RequestTimeout("The request did not arrive in time"))

    def answer_once(self) -> None:
        """The next answer, or the one under way, is the last on this connection."""
        self._keep_alive = False

    def drain(self, *, last: bool = False) -> None:
        """No further request on this connection; an idle one closes now. `last`: nor is the rest of one waited for."""
        self.answer_once()
        if self._busy or self._discard or self._lies_unread():
            return
        if self._head is None and not self._held:
            self.hang_up()
        elif last and not self._clogged:
            self._stop(Unavailable("The gateway is shutting down", fix="Send the request again."))

    def hang_up(self) -> None:
        transport = self.transport
        if transport is None:
            return
        self._flush()
        if not self._lingers and (self._unread or self._held or self._lies_unread()) and transport.can_write_eof():
            # Closing now would reset the connection, and the client might never see its answer. It gets a moment to
            # read.
            self._lingers = True
            self._held = b""
            transport.write_eof()
            if self._paused:
                self._paused = False
                transport.resume_reading()
            self.deadline = self._front.now + _LINGER_S
            return
        transport.close()
        self._await_reader()

    def _lies_unread(self) -> bool:
        """Whether the client sent what the event loop has not read yet; to close would throw that away."""
        transport = self.transport
        sock = transport.get_extra_info("socket") if transport is not None else None
        if transport is None or sock is None or transport.is_closing():
            return False
        return fcntl.ioctl(sock.fileno(), termios.FIONREAD, _NOTHING) != _NOTHING

    def _await_reader(self) -> None:
        """What is written waits in memory for the client, but not for ever."""
        if self.transport is not None:
            self._flush()
            self._unsent = self.transport.get_write_buffer_size()
            self.deadline = self._front.now + self._front.snapshot.deadlines.idle_s

    def _flush(self) -> None:
        outbox = self._front.outbox
        if outbox is not None:
            outbox.flush()

    def _insist(self) -> None:
        transport = self.transport
        if transport is not None:
            if not self._unsent or transport.get_write_buffer_size() < self._unsent:
                self._await_reader()
            else:
                transport.abort()

    # ---- reading

    def _read_head(self, data: bytes) -> None:
        limits = self._front.snapshot.limits
        end = data.find(b"\r\n\r\n", 0, limits.max_head_bytes) + 4
        if end == 3:
            if len(data) >= limits.max_head_bytes:
                self._stop(HeadTooLarge(f"The request's head exceeds {limits.max_head_bytes} bytes"))
                return
            if not self._held:  # later pieces do not move the deadline, so one byte at a time is late too
                self.deadline = self._front.now + self._front.snapshot.deadlines.head_s
            self._held = data
            return
        self._held = b""
        try:
            head = request_head(data, end, limits.max_headers)
        except RequestError as error:
            self._stop(error)
            return
        length = head.length
        have = len(data) - end
        if have == length:  # the whole request at once: what nearly every client does
            if length > limits.max_body_bytes:
                self._stop_body(head, length)
            else:
                self._go(head, data[end:])
            return
        if length > limits.max_body_bytes:
            self._stop_body(head, length)
            return
        self._head = head
        try:
            self._front.check(head)
        except TwintrackError as error:
            self._stop(error)
            return
        self._chunked_in = Chunked() if length == CHUNKED else None
        self._left = max(length, 0)
        self.deadline = self._front.now + self._front.snapshot.deadlines.body_s
        if length == 0:
            self._held = data[end:]
            self._go(head, b"")
        elif have:
            self._read_body(head, data[end:])
        elif head.expects_continue and self.transport is not None:
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _read_body(self, head: RequestHead, data: bytes) -> None:
        chunked = self._chunked_in
        if chunked is None:
            here = data[: self._left]
            self._body.append(here)
            self._left -= len(here)
            if self._left:
                return
            rest = data[len(here) :]
        else:
            try:
                pieces = chunked.feed(data)
            except FramingError as error:
                self._stop(BadRequest("The chunked body is malformed", why=str(error)))
                return
            self._body.append(b"".join(pieces))  # many tiny pieces would take many times their bytes
            self._left += sum(map(len, pieces))
            if self._left > self._front.snapshot.limits.max_body_bytes:
                self._stop_body(head, self._left)
                return
            if not chunked.done:
                return
            rest = chunked.rest
            self._chunked_in = None
        body = b"".join(self._body)
        self._body = []
        self._held = rest
        self._go(head, body)

    def _stop_body(self, head: RequestHead, length: int) -> None:
        self._head = head
        limit = self._front.snapshot.limits.max_body_bytes
        self._stop(TooLarge(f"The body has {length} bytes or more, the limit is {limit}"))

    def _go(self, head: RequestHead, body: bytes) -> None:
        self._head = head
        self._busy = True
        self.deadline = 0.0
        if not head.keep_alive:
            self._keep_alive = False
        waiting = self._front.handle(self, head, body)
        if self._head is not None:  # not answered yet
            self._waiting = waiting

    def _stop(self, error: TwintrackError) -> None:
        """Refuse what is being read and close: what follows on the connection cannot be framed for sure."""
        self._keep_alive = False
        self._discard = True
        self._unread = True
        self._busy = True
        self._body = []
        self._front.refuse(self, self._head, error)

    # ---- writing: one answer for each request, whole or streamed

    @property
    def peer(self) -> str:
        """The client's address; empty if it is gone."""
        where = self.transport.get_extra_info("peername") if self.transport is not None else None
        return where[0] if isinstance(where, tuple) else ""

    @property
    def modern(self) -> bool:
        return self._head is None or self._head.modern

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer. `headers` are complete lines; HEAD gets what GET would, without the body."""
        if self.transport is not None:
            head = self._head
            self._send(
                b"%b%bcontent-length: %d\r\n%b\r\n%b"
                % (
                    status_line(status),
                    headers,
                    len(body),
                    b"" if self._keep_alive else b"connection: close\r\n",
                    b"" if head is not None and head.method == b"HEAD" else body,
                )
            )
        self._answered()

    def answer_raw(self, message: bytes) -> None:
        """A whole answer of the control plane, head and all, which says `connection: close`."""
        if self.transport is not None:
            self._send(message)
        self._keep_alive = False
        self._answered()

    def open(self, status: int, headers: bytes, first: bytes) -> None:
        """Begin a streamed answer, with its first bytes if there are any."""
        self._chunked_out = self.modern
        if not self._chunked_out:
            self._keep_alive = False
        if self.transport is not None:
            self._send(
                b"%b%b%b%b\r\n%b"
                % (
                    status_line(status),
                    headers,
                    b"transfer-encoding: chunked\r\n" if self._chunked_out else b"",
                    b"" if self._keep_alive else b"connection: close\r\n",
                    self._framed(first) if first else b"",
                )
            )

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked_out else data)

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        return self._send if self.transport is not None and self._chunked_out else None

    def close(self, last: bytes = b"") -> None:
        """End a streamed answer cleanly."""
        if self.transport is not None:
            end = b"0\r\n\r\n" if self._chunked_out else b""
            self._send((self._framed(last) if last else b"") + end)
        self._answered()

    def cut(self, last: bytes) -> None:
        """End a streamed answer so that no client can take it for complete."""
        if self.transport is not None and last:
            self._send(self._framed(last))
        self._keep_alive = False
        self._answered()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._chunked_out else data

    def _answered(self) -> None:
        self._waiting = None
        self._head = None
        self._busy = False
        if not self._keep_alive:
            self._discard = True
            self.hang_up()
        else:
            self._next()

    def _next(self) -> None:
        """Take the next request, unless the client must first read what it has got."""
        self._unsent = 0
        self.deadline = self._front.now + self._front.snapshot.deadlines.idle_s
        if self._clogged:
            return
        if self._held:
            # A pipelined request; not from here, since many of them would pile up on the stack.
            asyncio.get_running_loop().call_soon(self._read_held)
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def _read_held(self) -> None:
        if not self._busy and not self._clogged and self._head is None and not self._discard and self._held:
            self.deadline = self._front.now + self._front.snapshot.deadlines.head_s
            self._read_head(self._held)
