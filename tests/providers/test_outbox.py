"""Writes of one turn of the event loop leave together, in order, and never into a closed transport."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from twintrack.providers.outbox import Outbox


class Wire:
    def __init__(self, log: list[tuple[str, bytes]], name: str) -> None:
        self.log, self.name, self.closed = log, name, False

    def write(self, data: bytes) -> None:
        self.log.append((self.name, data))

    def is_closing(self) -> bool:
        return self.closed


def turn(act: Any) -> list[tuple[str, bytes]]:
    log: list[tuple[str, bytes]] = []

    async def go() -> None:
        act(Outbox(asyncio.get_running_loop()), lambda name: cast(asyncio.WriteTransport, Wire(log, name)), log)
        await asyncio.sleep(0)

    asyncio.run(go())
    return log


def test_what_is_sent_in_a_turn_is_written_at_its_end_in_order() -> None:
    def act(outbox: Outbox, wire: Any, log: list[tuple[str, bytes]]) -> None:
        one, two = outbox.sender(wire("one")), outbox.sender(wire("two"))
        one(b"a")
        two(b"b")
        one(b"c")
        assert log == []

    assert turn(act) == [("one", b"a"), ("two", b"b"), ("one", b"c")]


def test_a_flush_writes_at_once_and_only_once() -> None:
    def act(outbox: Outbox, wire: Any, log: list[tuple[str, bytes]]) -> None:
        send = outbox.sender(wire("one"))
        send(b"a")
        outbox.flush()
        assert log == [("one", b"a")]
        send(b"b")

    assert turn(act) == [("one", b"a"), ("one", b"b")]


def test_a_transport_that_closed_meanwhile_gets_nothing() -> None:
    def act(outbox: Outbox, wire: Any, log: list[tuple[str, bytes]]) -> None:
        gone = wire("gone")
        outbox.sender(gone)(b"a")
        outbox.sender(wire("there"))(b"b")
        gone.closed = True

    assert turn(act) == [("there", b"b")]


def test_what_is_sent_while_writing_follows_in_the_next_turn() -> None:
    def act(outbox: Outbox, wire: Any, log: list[tuple[str, bytes]]) -> None:
        answer = wire("answer")

        class Echo(Wire):
            def write(self, data: bytes) -> None:
                super().write(data)
                outbox.sender(answer)(b"pong")

        outbox.sender(cast(asyncio.WriteTransport, Echo(log, "ping")))(b"ping")
        outbox.flush()
        assert log == [("ping", b"ping")]

    assert turn(act) == [("ping", b"ping"), ("answer", b"pong")]
