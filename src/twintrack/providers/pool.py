"""Connections to providers: the only place of the data plane that opens a socket to the outside."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from twintrack.errors import UpstreamError, UpstreamTimeout
from twintrack.policy.admitted import Admitted
from twintrack.providers.connection import Connection, Receiver
from twintrack.providers.outbox import Outbox
from twintrack.providers.upstream import Address, UpstreamCall, bracketed


@dataclass(frozen=True, slots=True)
class Dialing:
    """How connections are opened."""

    connect_s: float
    idle_s: float
    proxy: str = ""
    """http://[user:password@]HOST:PORT for providers behind TLS, or empty; checked by `gateway/open.py`."""
    no_proxy: tuple[str, ...] = ()
    """Hosts that are dialled directly, with all below them; * is every host."""
    tls: ssl.SSLContext | None = None
    """Made once, since loading the certificate authorities takes milliseconds; None while no provider needs it."""

    def through_proxy(self, host: str) -> bool:
        if not self.proxy or "*" in self.no_proxy:
            return False
        return not any(f".{host}".endswith("." + each.lstrip("*.")) for each in self.no_proxy)


class Pool:
    """Idle connections by address, last used first, and tasks that open new ones."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dialing: Dialing, outbox: Outbox | None = None) -> None:
        self._outbox = outbox
        self._loop = loop
        self._dialing = dialing
        self._idle: dict[Address, list[Connection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, dialing: Dialing) -> None:
        """Open further connections so."""
        self._dialing = dialing

    def send(self, admitted: Admitted, call: UpstreamCall, receiver: Receiver, *, fresh: bool = False) -> None:
        """Write `call` on an idle connection, or open one. Only a member of the privacy set can be sent to.

        `fresh`: after a kept-alive connection turned out to be closed.
        """
        del admitted  # its existence is the permission
        idle = self._idle.get(call.address)
        while idle and not fresh:
            connection = idle.pop()
            if connection.usable:
                if receiver.on_connected(connection):
                    connection.send(receiver, call.data)
                return
        task = self._loop.create_task(self._dial(call, receiver))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def after(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call when so much time has passed, unless it is cancelled before."""
        return self._loop.call_later(seconds, call)

    def sweep(self, now: float) -> None:
        """Close connections that were idle too long; `now` on the loop's clock."""
        oldest = now - self._dialing.idle_s
        for idle in self._idle.values():
            while idle and idle[0].idle_since < oldest:
                idle.pop(0).abort()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle.clear()

    async def _dial(self, call: UpstreamCall, receiver: Receiver) -> None:
        try:
            connection = await self._opened(call.address)
        except UpstreamError as error:
            receiver.on_unreachable(error)
            return
        if receiver.on_connected(connection):
            connection.send(receiver, call.data)
        else:
            connection.abort()

    async def reach(self, address: Address) -> None:
        """Open a connection, with TLS and through the proxy as a request would, and close it: nothing is sent.

        Raises:
            UpstreamError: says why none came about.
        """
        (await self._opened(address)).abort()

    async def _opened(self, address: Address) -> Connection:
        try:
            async with asyncio.timeout(self._dialing.connect_s):
                return await self._open(address)
        except TimeoutError:
            raise UpstreamTimeout(f"{address.host} did not accept a connection in time") from None
        except (OSError, UnicodeError) as cause:  # UnicodeError: a host that is no name
            raise UpstreamError(f"{address.host} cannot be reached", why=_reason(cause)) from cause

    async def _open(self, address: Address) -> Connection:
        idle = self._idle.setdefault(address, [])

        def on_idle(connection: Connection, keep: bool) -> None:
            if keep:
                connection.idle_since = self._loop.time()
                idle.append(connection)
            elif connection in idle:
                idle.remove(connection)

        def factory() -> Connection:
            return Connection(on_idle, self._outbox)

        dialing = self._dialing
        tls = dialing.tls if address.tls else None
        if address.tls and tls is None:
            raise UpstreamError(f"{address.host} needs TLS, and none is set up")
        if tls is not None and dialing.through_proxy(address.host):
            tunnel = await self._tunnel(dialing.proxy, address)
            _, connection = await self._loop.create_connection(
                factory, sock=tunnel, ssl=tls, server_hostname=address.host
            )
        else:
            _, connection = await self._loop.create_connection(
                factory, address.host, address.port, ssl=tls, server_hostname=address.host if tls else None
            )
        return connection

    async def _tunnel(self, proxy: str, address: Address) -> socket.socket:
        """A socket through an HTTP proxy (RFC 9110 §9.3.6)."""
        parts = urlsplit(proxy)
        infos = await self._loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = infos[0]
        tunnel = socket.socket(family, kind, protocol)
        try:
            tunnel.setblocking(False)
            await self._loop.sock_connect(tunnel, where)
            target = f"{bracketed(address.host)}:{address.port}"
            lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}"]
            if parts.username:
                import base64

                login = base64.b64encode(unquote(f"{parts.username}:{parts.password or ''}").encode()).decode()
                lines.append(f"proxy-authorization: Basic {login}")
            await self._loop.sock_sendall(tunnel, ("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                more = await self._loop.sock_recv(tunnel, 4096)
                if not more or len(answer) > 65_536:
                    raise UpstreamError("The proxy did not answer CONNECT")
                answer += more
            status = answer.split(b"\r\n", 1)[0].split(b" ")[1:2]
            if status != [b"200"] or not answer.endswith(b"\r\n\r\n"):
                raise UpstreamError(f"The proxy refused a connection to {target}", why=repr(answer[:60]))
        except BaseException:
            tunnel.close()
            raise
        return tunnel


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror  # without its number, which says nothing to who reads an answer
    return str(error) or type(error).__name__
