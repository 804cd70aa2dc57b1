"""A fault of ours is told with its place, and never with what it was about."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from twintrack.gateway import fault


def _feed(data: bytes) -> None:
    raise KeyError(data)


def _feed_several(data: bytes) -> None:
    faults = []
    for error in (KeyError, ValueError):
        try:
            raise error(data)
        except error as caught:
            faults.append(caught)
    raise ExceptionGroup("several", faults)


class Client(asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        _feed(data)


def test_a_callback(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(fault.tell_of_loop)
        loop.call_soon(_feed, b"canary")
        loop.call_soon(_feed_several, b"canary")
        loop.call_exception_handler({"message": "something is not well"})
        await asyncio.sleep(0)

    uvloop.run(main())
    said = capsys.readouterr().err
    assert "canary" not in said
    assert said.count("in _feed\n") == 1
    assert [line for line in said.splitlines() if line[0].isupper() and "Traceback" not in line] == [
        "KeyError",
        "ExceptionGroup",
        "KeyError",
        "ValueError",
    ]
    assert "twintrack: something is not well\n" in said


def test_bytes_of_a_client(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(fault.tell_of_loop)
        server = await loop.create_server(Client, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"canary")
        async with asyncio.timeout(20):
            heard = await reader.read()
        writer.close()
        server.close()
        return heard

    assert uvloop.run(main()) == b""
    said = capsys.readouterr().err
    assert "canary" not in said
    assert said.endswith("KeyError\n")
    assert "in data_received\n" in said
