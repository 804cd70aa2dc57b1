"""A worker whose connections end in memory: every byte that leaves it is written down, with whom it was for.

Real are the client's side, the decisions, the pool and its connections, tasks and time limits. Not real are the
system's sockets, at whose place a house says what it is told to, and the clocks, which are turned by hand. So thousands
of requests take seconds, and a time limit none at all.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pytest

from support.fuzzing.answers import good
from support.fuzzing.inside import Wire, answers
from support.raw import request
from twintrack.catalog.prices import Prices, load
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.errors import JournalFull
from twintrack.gateway.kinds import Kinds
from twintrack.gateway.recovery import Repeats
from twintrack.gateway.remembered import Remembered
from twintrack.gateway.state import GatewayState
from twintrack.ledger.records import Content, Dispatch, Judged, Names, Refuse, Screened, Settle
from twintrack.providers.connection import Connection
from twintrack.providers.pool import Dialing, Pool
from twintrack.server.api import Api
from twintrack.server.http import ClientConnection
from twintrack.signals.sensitivity.detector import Detector

Say = Callable[[bytes], list[bytes]]
"""What a house says to a request, both as on the wire; an empty piece closes the connection."""
DAY_S = 86_400
BEGAN_DAY = 20_000
_STEP_S = 0.3
_TURNS = 40
"""Of the loop without a tick."""
_MOST_STEPS = 60


class House:
    """A server at one port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connects: Literal["at once", "refused", "never"] = "at once"
        self.say: Say = good
        self.on_request: Callable[[], None] | None = None
        """Something that happens elsewhere while it thinks."""
        self.dialled = 0
        self.heard: list[bytes] = []

    @property
    def reached(self) -> bool:
        """It got a connection or a byte."""
        return bool(self.dialled or self.heard)

    def quiet(self) -> None:
        self.__init__(self.port)  # type: ignore[misc]  # as it was built


class Street(asyncio.SelectorEventLoop):
    """An event loop whose clocks are turned by hand and whose connections lead to houses."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 1000.0
        self.wall = float(BEGAN_DAY * DAY_S)
        self.houses: dict[int, House] = {}

    def time(self) -> float:
        return self.clock

    def house(self, port: int) -> House:
        return self.houses.setdefault(port, House(port))

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        house = self.house(port)
        house.dialled += 1
        if house.connects == "refused":
            raise ConnectionRefusedError(111, "Connection refused")
        if house.connects == "never":
            await asyncio.Event().wait()
        connection: Connection = factory()
        wire = Wire(lambda data: self._asked(house, connection, wire, data))
        connection.connection_made(cast(asyncio.BaseTransport, wire))
        return wire, connection

    def _asked(self, house: House, connection: Connection, wire: Wire, data: bytes) -> None:
        house.heard.append(data)
        self.call_soon(self._answer, house, connection, wire, house.say(data))

    def _answer(self, house: House, connection: Connection, wire: Wire, pieces: list[bytes]) -> None:
        if house.on_request is not None:
            happens, house.on_request = house.on_request, None
            happens()
        for piece in pieces:
            if wire.closing:
                break
            if not piece:
                connection.connection_lost(None)
                return
            connection.data_received(piece)


@dataclass
class Book:
    """A journal in memory."""

    dispatched: list[Dispatch] = field(default_factory=list)
    settled: list[Settle] = field(default_factory=list)
    refused: list[Refuse] = field(default_factory=list)
    screened: list[Screened] = field(default_factory=list)
    told: list[Content] = field(default_factory=list)
    """What a collector would get."""
    full: bool = False

    def append(self, record: Dispatch | Settle | Refuse | Screened | Judged) -> None:
        if self.full:
            raise JournalFull("The journal is full")
        kinds: dict[type, list[Any]] = {
            Dispatch: self.dispatched, Settle: self.settled, Refuse: self.refused, Screened: self.screened,
        }  # fmt: skip
        kinds[type(record)].append(record)

    def offer(self, content: Content) -> bool:
        self.told.append(content)
        return True

    def names(self, names: Names) -> None:
        return


@dataclass(frozen=True)
class Heard:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes


class Worker:
    """One on a street. Its secrets are their references: a client's key is `env:NAME`."""

    _prices: Prices | None = None

    def __init__(self, street: Street, serves: Snapshot, detector: Detector | None = None) -> None:
        self.street = street
        self.chance = 0.5
        """What is drawn at random."""
        self.book = Book()
        self.pool = Pool(street, Dialing(1.0, 60.0))
        self.gateway = GatewayState(
            serves,
            worker="w0",
            journal=self.book,
            pool=self.pool,
            secret=lambda reference: reference,
            now=street.clock,
            later=street.call_soon,
            random=lambda: self.chance,
            wall=lambda: street.wall,
            detector=detector,
        )
        self._first = self.gateway.serving
        self.api = Api(self.gateway, metrics=lambda: b"", openapi=lambda: b"{}", relay=None)

    def rest(self) -> None:
        """As on the first day."""
        street, gateway = self.street, self.gateway
        street.wall = float(BEGAN_DAY * DAY_S)
        self.chance = 0.5
        for house in street.houses.values():
            house.quiet()
        gateway.serving = self._first
        for pulse in gateway.pulses.values():
            pulse.alive()
            pulse.until = 0.0
            pulse.in_flight = pulse.ttft_ms = pulse.latency_ms = 0
        gateway.repeats, gateway.remembered, gateway.kinds = Repeats(), Remembered(), Kinds()
        gateway.now = street.clock
        self.pool.close()
        self.book.__init__()  # type: ignore[misc]  # as it was built

    async def ask(self, path: str, body: bytes, headers: dict[str, str]) -> Heard:
        """A whole conversation of one request, however long it waits."""
        client = ClientConnection(self.api)
        wire = Wire()
        client.connection_made(cast(asyncio.BaseTransport, wire))
        client.data_received(request("POST", path, body, headers))
        for _ in range(_MOST_STEPS):
            if await self._settled(wire):
                break
            self.street.clock += _STEP_S
            self.gateway.tick(self.street.clock)
        else:
            raise AssertionError(f"no answer after {_MOST_STEPS * _STEP_S:.0f} s: {wire.said}")
        if not wire.closing:
            client.connection_lost(None)
        await asyncio.sleep(0)
        return _heard(b"".join(wire.said))

    async def _settled(self, wire: Wire) -> bool:
        """Until the answer is there or nothing moves."""
        for turn in range(_TURNS):
            if wire.said and not self.gateway.exchanges:
                return True
            if turn > 6 and not self.gateway.turns._waiting and not self.pool._tasks:
                break
            await asyncio.sleep(0)
        return bool(wire.said) and not self.gateway.exchanges


def _heard(said: bytes) -> Heard:
    head, body = answers(said)[-1]
    return Heard(head.status, {name.decode(): value.decode("latin-1") for name, value in head.headers.items()}, body)


def snapshot(config: str, generation: int = 1) -> Snapshot:
    if Worker._prices is None:
        Worker._prices = load(None, on=datetime.date(2026, 11, 1))
    settings, source = parse(config, "/nowhere/twintrack.toml", environ=None)
    return compile_snapshot(
        settings, source, generation=generation, prices=Worker._prices, secrets=lambda reference: reference
    )


def on_a_street(play: Callable[[Street], Any]) -> Any:
    """Runs a coroutine function on a street of its own, whose clock is everybody's meanwhile."""
    street = Street()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic_ns", lambda: int(street.clock * 1e9))
        try:
            return street.run_until_complete(play(street))
        finally:
            street.close()
