"""What the data plane answers: the endpoints that go to models, and a few that it answers itself."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from twintrack.config.snapshot import Snapshot
from twintrack.errors import (
    MethodNotAllowed,
    NotFound,
    TwintrackError,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
    nearest,
)
from twintrack.gateway import judging
from twintrack.gateway.handle import handle
from twintrack.gateway.state import GatewayState
from twintrack.providers.outbox import Outbox
from twintrack.server.http import ClientConnection, Waiting
from twintrack.server.models import described, listed
from twintrack.wire.chat import ENDPOINT as CHAT
from twintrack.wire.dialect import Endpoint
from twintrack.wire.endpoints import ENDPOINTS
from twintrack.wire.feedback import MOST_BYTES, PATH
from twintrack.wire.http1 import Headers, RequestHead
from twintrack.wire.messages import ENDPOINT as MESSAGES

_JSON = b"content-type: application/json\r\n"
_TEXT = b"content-type: text/plain; charset=utf-8\r\n"
_METRICS = b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
_BY_PATH: dict[bytes, Endpoint] = {endpoint.path.encode(): endpoint for endpoint in ENDPOINTS}

_FEEDBACK = PATH.encode()
_LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
_PROXIED = (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via")

Relay = Callable[[ClientConnection, RequestHead, bytes], Waiting | None]
"""Hands a request for the console to the control plane."""


class Api:
    """The `Front` of every client connection of a worker."""

    def __init__(
        self,
        gateway: GatewayState,
        *,
        metrics: Callable[[], bytes],
        openapi: Callable[[], bytes],
        relay: Relay | None,
        outbox: Outbox | None = None,
        unready: Callable[[], str] = lambda: "",
    ) -> None:
        """`unready`: why requests should go to another gateway; empty: they may come."""
        self.outbox = outbox
        self.gateway = gateway
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self._unready = unready
        self._metrics = metrics
        self._openapi = openapi
        self._relay = relay
        self._own: dict[bytes, Callable[[ClientConnection, RequestHead], None]] = {
            b"/v1/models": self._models,
            b"/healthz": self._healthz,
            b"/readyz": self._readyz,
            b"/metrics": self._show_metrics,
            b"/openapi.json": self._show_openapi,
        }

    @property
    def snapshot(self) -> Snapshot:
        return self.gateway.serving.snapshot

    @property
    def now(self) -> float:
        return self.gateway.now

    def on_made(self, connection: ClientConnection) -> bool:
        self.connections.add(connection)
        if self.draining:
            connection.answer_once()
        return len(self.connections) <= self.snapshot.limits.max_connections

    def on_lost(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)

    def handle(self, connection: ClientConnection, head: RequestHead, body: bytes) -> Waiting | None:
        endpoint = _BY_PATH.get(head.target.partition(b"?")[0])
        try:
            if endpoint is None:
                return self._other(connection, head, body)
            key = self._admit(head)
        except TwintrackError as error:
            self.refuse(connection, head, error)
            return None
        return handle(self.gateway, endpoint, connection, head.headers, key, body)

    def check(self, head: RequestHead) -> None:
        """Only what goes to models or judges them has a body worth waiting for, and only from callers we know."""
        path = head.target.partition(b"?")[0]
        if path in _BY_PATH:
            self._admit(head)
        elif path == _FEEDBACK:
            self._admit(head)
            if head.length > MOST_BYTES:
                raise judging.too_large()
        elif head.length != 0:
            if path in self._own:
                raise MethodNotAllowed(f"{path.decode()} takes GET")
            raise _unknown(path)

    def _admit(self, head: RequestHead) -> int:
        """Index of the caller's key, for a request to a model. Raises what its head alone forbids."""
        headers = head.headers
        if head.method != b"POST":
            raise MethodNotAllowed(f"{head.target.partition(b'?')[0].decode()} takes POST")
        key = self._key(headers)
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMedia("Compressed bodies are not accepted", fix="Send the JSON as it is.")
        kind = headers.get(b"content-type", b"application/json")
        if not kind.startswith(b"application/json") and not kind.lower().startswith(b"application/json"):
            raise UnsupportedMedia("The body must be application/json")
        if self.draining:
            raise Unavailable("The gateway is shutting down", fix="Send the request again.")
        return key

    def refuse(self, connection: ClientConnection, head: RequestHead | None, error: TwintrackError) -> None:
        """Answer in the dialect of the path, as far as it is known."""
        self.gateway.count_refusal(error)
        endpoint = _BY_PATH.get(head.target.partition(b"?")[0]) if head is not None else None
        request_id = self.gateway.next_id()
        posted = endpoint is not None or (head is not None and head.target.partition(b"?")[0] == _FEEDBACK)
        takes = b"allow: POST\r\n" if posted else b"allow: GET\r\n"
        if endpoint is None:
            endpoint = MESSAGES if head is not None and b"anthropic-version" in head.headers else CHAT
        headers = _JSON + endpoint.id_lines % (request_id.encode(), request_id.encode())
        if error.status == 401:
            headers += b"www-authenticate: Bearer\r\n"
        elif error.status == 405:
            headers += takes
        elif error.status == 503:
            headers += b"retry-after: 1\r\n"
        connection.answer(error.status, headers, endpoint.error_body(error, request_id))

    # ---- who asks

    def _key(self, headers: Headers) -> int:
        """Index of the caller's key, -1 where no key is configured.

        Raises:
            Unauthorized: none given, or not one of ours.
        """
        serving = self.gateway.serving
        if not serving.snapshot.keys:
            return -1
        secret = headers.get(b"x-api-key")
        if secret is None:
            scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not secret:
                raise Unauthorized("A key is required", fix="Send `authorization: Bearer KEY` or `x-api-key: KEY`.")
        key = serving.key(secret.strip())
        if key is None:
            raise Unauthorized("This key is not one of ours")
        return key

    # ---- what we answer ourselves

    def _other(self, connection: ClientConnection, head: RequestHead, body: bytes) -> Waiting | None:
        path = head.target.partition(b"?")[0]
        own = self._own.get(path)
        if own is not None:
            if head.method not in (b"GET", b"HEAD"):
                raise MethodNotAllowed(f"{path.decode()} takes GET")
            own(connection, head)
            return None
        if path == _FEEDBACK:
            key = self._admit(head)
            self._say(connection, 202, _JSON, judging.take(self.gateway, body, key))
            return None
        if path.startswith(b"/v1/models/") and head.method in (b"GET", b"HEAD"):
            self._model(connection, head, unquote(path[11:].decode("latin-1")))
            return None
        if path == b"/" or path.startswith((b"/console", b"/admin", b"/static")):
            if self._relay is not None and _is_local(connection, head):
                return self._relay(connection, head, body)
            if path == b"/" and head.method in (b"GET", b"HEAD"):
                self._say(connection, 200, _TEXT, b"Twintrack is serving. GET /v1/models lists what it offers.\n")
                return None
        raise _unknown(path)

    def _say(self, connection: ClientConnection, status: int, headers: bytes, body: bytes) -> None:
        connection.answer(status, headers + b"x-twintrack: gateway\r\n", body)

    def _models(self, connection: ClientConnection, head: RequestHead) -> None:
        serving = self.gateway.serving
        names = serving.allowed_names(self._key(head.headers))
        self._say(connection, 200, _JSON, listed(serving, names, head.headers))

    def _model(self, connection: ClientConnection, head: RequestHead, name: str) -> None:
        serving = self.gateway.serving
        names = serving.allowed_names(self._key(head.headers))
        if name not in names:
            close = nearest(name, names)
            raise NotFound(f"There is no model {name[:80]!r}", fix=f"Did you mean {close[0]}?" if close else "")
        self._say(connection, 200, _JSON, described(serving, name, head.headers))

    def _healthz(self, connection: ClientConnection, head: RequestHead) -> None:
        self._say(connection, 200, _TEXT, b"ok\n")

    def _readyz(self, connection: ClientConnection, head: RequestHead) -> None:
        why = "draining" if self.draining else self._unready()
        if why:
            self._say(connection, 503, _TEXT, b"not ready: %b\n" % why.encode())
        else:
            self._say(connection, 200, _TEXT, b"ready\n")

    def _show_metrics(self, connection: ClientConnection, head: RequestHead) -> None:
        self._key(head.headers)
        self._say(connection, 200, _METRICS, self._metrics())

    def _show_openapi(self, connection: ClientConnection, head: RequestHead) -> None:
        self._say(connection, 200, _JSON, self._openapi())


def _is_local(connection: ClientConnection, head: RequestHead) -> bool:
    """Whether the console may be shown: to this machine alone, and not through a proxy that stands on it."""
    return connection.peer in _LOOPBACK and not any(name in head.headers for name in _PROXIED)


_NOT_SERVED = {
    "/v1/images": "Twintrack asks no model for images.",
    "/v1/audio": "Twintrack asks no model for speech.",
    "/v1/files": "Twintrack keeps no files.",
    "/v1/batches": "Twintrack keeps no batches.",
    "/v1/messages/batches": "Twintrack keeps no batches.",
    "/v1/responses/": "Twintrack keeps no responses: ask the provider that does.",
    "/v1/completions": "Send the prompt as a message to /v1/chat/completions.",
    "/v1/moderations": "Twintrack does not moderate.",
    "/v1/realtime": "Twintrack serves HTTP only.",
}
"""What clients of the known APIs may ask for, by how the path begins."""


def _unknown(path: bytes) -> NotFound:
    text = path.decode("latin-1")
    for begin, fix in _NOT_SERVED.items():
        if text.startswith(begin):
            return NotFound(f"There is nothing at {text[:80]}", fix=fix)
    known = [endpoint.path for endpoint in ENDPOINTS] + [PATH, "/v1/models", "/healthz", "/readyz", "/metrics"]
    close = nearest(text, known, 1)
    return NotFound(f"There is nothing at {text[:80]}", fix=f"Did you mean {close[0]}?" if close else "")
