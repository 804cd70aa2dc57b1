"""Connections are reused, replaced when stale, and never outlive what waits for them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from support.provider import listening, refusing_port
from twintrack.errors import UpstreamError, UpstreamTimeout
from twintrack.policy.admitted import Admitted, admit
from twintrack.providers.connection import Connection
from twintrack.providers.pool import Dialing, Pool
from twintrack.providers.scripted import Script, ScriptedProvider, chat_answer
from twintrack.providers.upstream import Address, UpstreamCall
from twintrack.wire.http1 import ResponseHead

REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"


class Waiter:
    """A receiver as a future."""

    def __init__(self, wanted: bool = True) -> None:
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.connection: Connection | None = None
        self.told = 0
        self._wanted = wanted
        self._body = b""

    def on_connected(self, connection: Connection) -> bool:
        self.told += 1
        self.connection = connection
        return self._wanted

    def on_unreachable(self, error: UpstreamError) -> None:
        self.told += 1
        self.done.set_exception(error)

    def on_head(self, head: ResponseHead) -> None:
        return

    def on_piece(self, data: bytes) -> None:
        self._body += data

    def on_end(self) -> None:
        self.done.set_result(self._body)

    def on_failure(self, error: UpstreamError) -> None:
        self.done.set_exception(error)


def admission(deployment: object = None) -> Admitted:
    found = admit(_Own(), 0, ())  # type: ignore[arg-type]
    assert isinstance(found, Admitted)
    return found


class _Own:
    zone = "own"
    region = ""
    name = "d"


async def ask(pool: Pool, port: int, *, host: str = "127.0.0.1", tls: bool = False, fresh: bool = False) -> Waiter:
    waiter = Waiter()
    pool.send(admission(), UpstreamCall(Address(host, port, tls), REQUEST, 2), waiter, fresh=fresh)
    await asyncio.wait([waiter.done], timeout=10)
    return waiter


def run(
    test: Callable[[Pool, ScriptedProvider], Awaitable[None]], script: Script | None = None, **dialing: object
) -> None:
    async def main() -> None:
        provider = ScriptedProvider(lambda received: script or chat_answer("x"))
        await provider.start()
        how = {"connect_s": 2.0, "idle_s": 60.0} | dialing
        pool = Pool(asyncio.get_running_loop(), Dialing(**how))  # type: ignore[arg-type]
        try:
            await test(pool, provider)
        finally:
            pool.close()
            await provider.stop()

    uvloop.run(main())


def test_a_connection_is_used_again() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        first, second = await ask(pool, provider.port), await ask(pool, provider.port)
        assert first.connection is second.connection
        assert provider.requests == 2
        assert second.told == 1

    run(test)


def test_a_fresh_one_is_opened_where_that_is_asked_for() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        first, second = await ask(pool, provider.port), await ask(pool, provider.port, fresh=True)
        assert first.connection is not second.connection

    run(test)


def test_two_requests_at_once_take_two_connections() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        first, second = await asyncio.gather(ask(pool, provider.port), ask(pool, provider.port))
        assert first.connection is not second.connection

    run(test)


def test_an_idle_connection_is_closed_after_a_while() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        first = await ask(pool, provider.port)
        pool.sweep(asyncio.get_running_loop().time() + 59)
        assert first.connection is not None
        assert first.connection.usable
        pool.sweep(asyncio.get_running_loop().time() + 61)
        assert not first.connection.usable
        assert (await ask(pool, provider.port)).connection is not first.connection

    run(test)


def test_nobody_listens() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        waiter = await ask(pool, refusing_port())
        with pytest.raises(UpstreamError, match=r"127\.0\.0\.1 cannot be reached\. Connection refused\.$"):
            await waiter.done
        assert waiter.told == 1

    run(test)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "x..y"])
def test_a_host_that_is_no_host(host: str) -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        with pytest.raises(UpstreamError, match=r"cannot be reached|in time"):
            await (await ask(pool, 80, host=host)).done

    run(test)


def test_a_server_that_does_not_accept_in_time() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            # The queue of a listener that accepts nobody takes one or two; the next waits.
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(full.getsockname())
            waiter = await ask(pool, full.getsockname()[1])
            with pytest.raises(UpstreamTimeout, match="did not accept a connection in time"):
                await waiter.done
            for each in waiting:
                each.close()

    run(test, connect_s=0.2)


def test_who_no_longer_waits_is_not_written_for() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        waiter = Waiter(wanted=False)
        pool.send(admission(), UpstreamCall(Address("127.0.0.1", provider.port, False), REQUEST, 2), waiter)
        while waiter.connection is None:
            await asyncio.sleep(0.001)
        assert not waiter.connection.usable
        await ask(pool, provider.port)
        assert provider.requests == 1

    run(test)


def test_tls_must_be_set_up() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        with pytest.raises(UpstreamError, match="needs TLS, and none is set up"):
            await (await ask(pool, provider.port, tls=True)).done

    run(test)


def test_a_connection_the_provider_closed_is_not_used_again() -> None:
    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        first = await ask(pool, provider.port)
        second = await ask(pool, provider.port)
        assert first.connection is not second.connection
        assert await second.done

    run(test, Script(pieces=(b"{}",), end="close"))


def test_an_answer_nobody_waits_for_reaches_nobody() -> None:
    """A provider that answers twice must not have its second answer read as that to the next request."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst")
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray")
        connection.recv(65_536)

    async def test(pool: Pool, provider: ScriptedProvider) -> None:
        with listening(serve) as port:
            first = await ask(pool, port)
            assert await first.done == b"first"
            assert first.connection is not None
            while first.connection.usable:
                await asyncio.sleep(0.001)
            assert await (await ask(pool, port)).done == b"first"

    run(test)


@pytest.mark.parametrize(
    ("no_proxy", "host", "through"),
    [
        ((), "api.example.com", True),
        (("example.com",), "example.com", False),
        (("example.com",), "api.example.com", False),
        ((".example.com",), "api.example.com", False),
        (("*.example.com",), "api.example.com", False),
        (("example.com",), "notexample.com", True),
        (("*",), "api.example.com", False),
        (("other.org", "10.0.0.1"), "10.0.0.1", False),
    ],
)
def test_hosts_that_a_proxy_is_not_for(no_proxy: tuple[str, ...], host: str, through: bool) -> None:
    assert Dialing(1.0, 1.0, "http://proxy:3128", no_proxy).through_proxy(host) is through


def test_without_a_proxy_none_is_used() -> None:
    assert not Dialing(1.0, 1.0).through_proxy("api.example.com")
