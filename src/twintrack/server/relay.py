"""Pages and admin requests go on to the control plane over its Unix socket; the data plane only carries bytes.

Not the request path of models: it is written for clarity, on asyncio's streams. `server/api.py` lets only
clients on this machine come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from twintrack.errors import Unavailable
from twintrack.server.http import ClientConnection, Waiting
from twintrack.wire.chat import error_body
from twintrack.wire.http1 import RequestHead

_MAX_PAGE_BYTES = 16_777_216
_PATIENCE_S = 3.0
_PASSING = (
    b"accept",
    b"authorization",
    b"content-type",
    b"cookie",
    b"hx-request",
    b"if-none-match",
    b"origin",
    b"sec-fetch-site",
)


class Relay:
    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, connection: ClientConnection, head: RequestHead, body: bytes) -> Waiting | None:
        task = asyncio.get_running_loop().create_task(self._carry(connection, head, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _Cancel(task.cancel)

    async def _carry(self, connection: ClientConnection, head: RequestHead, body: bytes) -> None:
        lines = [b"%b %b HTTP/1.1" % (head.method, head.target), b"host: " + head.headers.get(b"host", b"localhost")]
        lines += [name + b": " + head.headers[name] for name in _PASSING if name in head.headers]
        lines += [b"connection: close", b"content-length: %d" % len(body)]
        answer = await self._ask(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        if answer:
            connection.answer_raw(answer)
        else:
            error = Unavailable("The console does not answer", fix="Reload in a second.")
            connection.answer(503, b"content-type: application/json\r\nretry-after: 1\r\n", error_body(error, ""))

    async def _ask(self, request: bytes) -> bytes:
        """The whole answer; empty if there was none in time. The control plane starts later than we do, and again
        after a crash, so a closed door is tried for a while."""
        late = asyncio.get_running_loop().time() + _PATIENCE_S
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._socket_path)
                break
            except OSError:
                if asyncio.get_running_loop().time() > late:
                    return b""
                await asyncio.sleep(0.05)
        answer = b""
        try:
            writer.write(request)
            while more := await reader.read(_MAX_PAGE_BYTES):
                answer += more
        except OSError:
            return b""
        finally:
            writer.close()
        return answer


class _Cancel:
    """The client of a page: when it leaves, the errand ends."""

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel

    def on_client_left(self) -> None:
        self._cancel()

    def on_client_slow(self) -> None:
        return

    def on_client_ready(self) -> None:
        return
