"""A gateway without sockets, clock and processes: the real protocol objects of both sides, fed with bytes.

What is real: `ClientConnection`, `Api`, `handle`, `Pool`, `Connection` and everything they call. What is not: the
transports, which only remember, and the event loop, whose turns are taken by hand. So a hundred thousand requests take
a minute, and the order of things is the same each time.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.errors import UpstreamError
from twintrack.gateway.open import compiled
from twintrack.gateway.state import GatewayState
from twintrack.ledger.records import Content, Dispatch, Names, Refuse, Settle
from twintrack.policy.admitted import Admitted
from twintrack.providers.connection import Connection, Receiver
from twintrack.providers.pool import Dialing, Pool
from twintrack.providers.upstream import UpstreamCall
from twintrack.server.api import Api
from twintrack.server.http import ClientConnection
from twintrack.wire.http1 import CHUNKED, Chunked, ResponseHead, response_head

Say = Callable[[bytes], list[bytes]]
"""What a provider says to a request, both as bytes on the wire; an empty piece is the end of the connection."""

_FAR = 1e9


class Alarm:
    """Holds what it would call until it is cancelled, as a real one does."""

    def __init__(self, call: Callable[..., object]) -> None:
        self._call: Callable[..., object] | None = call

    def cancel(self) -> None:
        self._call = None


class Turns:
    """An event loop's `call_soon` and clock, and alarms for a time that never comes: whoever wants more gets an
    AttributeError."""

    def __init__(self) -> None:
        self._soon: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.clock = 1000.0

    def call_soon(self, call: Callable[..., object], *args: Any) -> None:
        self._soon.append((call, args))

    def call_later(self, seconds: float, call: Callable[..., object]) -> Alarm:
        return Alarm(call)

    def time(self) -> float:
        return self.clock

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        work.close()
        raise AssertionError("somebody dials")

    def settle(self) -> None:
        """Until there is nothing more to do."""
        for _ in range(100_000):
            if not self._soon:
                return
            call, args = self._soon.popleft()
            call(*args)
        raise AssertionError("the loop never comes to rest")


class Wire:
    """A transport that remembers."""

    def __init__(self, on_write: Callable[[bytes], None] | None = None) -> None:
        self.said: list[bytes] = []
        self.closing = False
        self.aborted = False
        self.ended = False
        self.paused = False
        self._on_write = on_write

    def write(self, data: bytes) -> None:
        if not self.closing:
            self.said.append(bytes(data))
            if self._on_write is not None:
                self._on_write(bytes(data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None


class _Pool(Pool):
    """Instead of dialling it has a connection, always, to whoever `inside.say` plays."""

    inside: Inside

    def send(self, admitted: Admitted, call: UpstreamCall, receiver: Receiver, *, fresh: bool = False) -> None:
        connection = Connection(lambda connection, keep: None)
        wire = Wire(lambda data: self.inside.heard(connection, wire, data))
        connection.connection_made(cast(asyncio.BaseTransport, wire))
        self._idle.setdefault(call.address, []).append(connection)
        super().send(admitted, call, receiver, fresh=False)
        self._idle[call.address].clear()


@dataclass
class Book:
    """A journal in memory."""

    dispatched: dict[tuple[str, int], Dispatch] = field(default_factory=dict)
    settled: dict[tuple[str, int], Settle] = field(default_factory=dict)
    refused: list[Refuse] = field(default_factory=list)

    def append(self, record: Dispatch | Settle | Refuse) -> None:
        if isinstance(record, Refuse):
            self.refused.append(record)
            return
        key = (record.request_id, record.attempt)
        kind: dict[tuple[str, int], Any] = self.dispatched if isinstance(record, Dispatch) else self.settled
        assert key not in kind, f"{record} is written twice"
        kind[key] = record

    def offer(self, content: Content) -> bool:
        return True

    def names(self, names: Names) -> None:
        return

    def clear(self) -> None:
        self.dispatched.clear()
        self.settled.clear()
        self.refused.clear()


class Inside:
    """One worker, as far as it needs no system. Use within `turning()`."""

    def __init__(self, config: str, folder: Path, say: Say, environ: dict[str, str] | None = None) -> None:
        self.say = say
        self.turns = Turns()
        self.book = Book()
        self.asked = 0
        """Requests that reached a provider."""
        values = environ or {}

        def secret(reference: str) -> str | None:
            return values.get(reference.removeprefix("env:"))

        before = dict(os.environ)
        os.environ.update(values)
        try:
            snapshot: Snapshot = compiled(*parse(config, str(folder / "twintrack.toml")))
        finally:
            os.environ.clear()
            os.environ.update(before)
        pool = _Pool(cast(asyncio.AbstractEventLoop, self.turns), Dialing(1.0, 60.0))
        pool.inside = self
        self.gateway = GatewayState(
            snapshot,
            worker="w0",
            journal=self.book,
            pool=pool,
            secret=secret,
            now=self.turns.clock,
            later=self.turns.call_soon,
        )
        self.api = Api(self.gateway, metrics=lambda: b"metrics", openapi=lambda: b"{}", relay=None)

    @contextmanager
    def turning(self) -> Iterator[None]:
        """Whoever asks for the running loop gets our turns."""
        asyncio._set_running_loop(cast(asyncio.AbstractEventLoop, self.turns))
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    def heard(self, connection: Connection, wire: Wire, request: bytes) -> None:
        """A provider's turn."""
        self.asked += 1
        self.turns.call_soon(self._answer, connection, wire, self.say(request))

    def _answer(self, connection: Connection, wire: Wire, pieces: list[bytes]) -> None:
        for piece in pieces:
            if wire.closing:
                break
            if piece:
                connection.data_received(piece)
            else:
                connection.connection_lost(None)
                return
            self.turns.settle()
        if wire.closing:
            connection.connection_lost(None)

    def converse(self, pieces: list[bytes]) -> bytes:
        """What one client hears that says `pieces` and leaves when there is nothing more to hear.

        AssertionError: something of the request is still there when its client has gone.
        """
        self.book.clear()
        client = ClientConnection(self.api)
        wire = Wire()
        client.connection_made(cast(asyncio.BaseTransport, wire))
        for piece in pieces:
            if wire.closing:
                break
            client.data_received(piece)
            self.turns.settle()
        if self.gateway.exchanges:  # a provider that says nothing more
            for late in (_FAR, _FAR + 0.2):  # at the first the gateway finds that it slept
                self.gateway.tick(self.turns.clock + late)
            self.gateway.now = self.turns.clock
            self.turns.settle()
        client.connection_lost(None)
        self.turns.settle()
        self.check_rest()
        return b"".join(wire.said)

    def check_rest(self) -> None:
        assert not self.gateway.exchanges, "a request goes on although its client has left"
        assert not self.api.connections, "a connection is remembered that is closed"
        book = self.book
        assert book.dispatched.keys() == book.settled.keys(), f"{book.dispatched.keys() ^ book.settled.keys()} is open"
        assert all(pulse.in_flight == 0 for pulse in self.gateway.pulses.values()), "a load is counted for ever"
        for pulse in self.gateway.pulses.values():
            pulse.alive()  # each case finds the same gateway


def answers(heard: bytes) -> list[tuple[ResponseHead, bytes]]:
    """What a client heard, as whole answers in order; the last may be cut. AssertionError: it is no HTTP of ours."""
    found: list[tuple[ResponseHead, bytes]] = []
    while heard:
        end = heard.find(b"\r\n\r\n") + 4
        assert end > 3, f"a head without end: {heard[:200]!r}"
        try:
            head = response_head(heard, end, 100)
        except UpstreamError as error:
            raise AssertionError(f"{error}: {heard[:200]!r}") from None
        heard = heard[end:]
        if head.length == CHUNKED:
            chunked = Chunked()
            body, heard = b"".join(chunked.feed(heard)), chunked.rest
        elif head.length < 0:
            body, heard = heard, b""
        else:
            body, heard = heard[: head.length], heard[head.length :]
        found.append((head, body))
    return found
