"""What holds for every answer: who may ask, with which method, and what a browser may do with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twintrack.config.snapshot import Snapshot
from twintrack.control.problem import problem
from twintrack.errors import MethodNotAllowed, Misdirected, TwintrackError

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_LINES = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    def __init__(self, app: ASGIApp, snapshot: Callable[[], Snapshot]) -> None:
        self._app = app
        self._snapshot = snapshot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_LINES]
            await send(message)

        error = self._objection(scope)
        if error is None:
            await self._app(scope, receive, with_headers)
            return
        answer = problem(scope["path"], error, self._snapshot())
        if error.status == 405:
            answer.headers["allow"] = "GET, HEAD"
        await answer(scope, receive, with_headers)

    def _objection(self, scope: Scope) -> TwintrackError | None:
        snapshot = self._snapshot()
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not is_ours(hosts[0], snapshot.listen_host):
            port = snapshot.listen_port
            return Misdirected(
                f"The console does not answer to the name {', '.join(hosts)[:80]!r}",
                why="a foreign name that leads here could let another site read these pages",
                fix=f"Open it as localhost:{port} or 127.0.0.1:{port}, or as the address in server.listen.",
            )
        if scope["method"] not in ("GET", "HEAD"):
            return MethodNotAllowed(f"{scope['path'][:80]} takes GET", why="the console only reads")
        return None


def is_ours(host: str, listen_host: str) -> bool:
    """Whether a Host header means this gateway.

    Loopback and the configured listen host do. Where that is every address of the machine, any literal address does:
    a browser cannot be led to it by somebody else's name.
    """
    name = _name(host)
    if name == "localhost" or name == listen_host.lower():
        return True
    address = _address(name)
    if address is None:
        return False
    listen = _address(listen_host)
    return address.is_loopback or (listen is not None and (address == listen or listen.is_unspecified))


def _name(host: str) -> str:
    """Without its port and the brackets of IPv6, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
