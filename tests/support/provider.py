"""The scripted provider on a thread of its own, so that tests can wait for it from outside."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from support.processes import free_port
from twintrack.providers.scripted import Received, Script, ScriptedProvider, chat_answer, error_answer


class Provider:
    """A provider whose answers a test sets while it runs.

    The script for a request is looked up by the model it names, so that one provider can play many; a model without
    a script answers "hello".
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.scripts: dict[str, Script | Callable[[Received], Script]] = {}
        self.default: Script | Callable[[Received], Script] = chat_answer("hello")
        self._served = ScriptedProvider(self._answer)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._served.start(tls=self._tls))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _leave(self) -> None:
        """Twice: who connected and left again at the last moment may not have been noticed yet."""
        for _ in range(2):
            await self._served.stop()
            await asyncio.sleep(0.01)

    @property
    def port(self) -> int:
        return self._served.port

    @property
    def url(self) -> str:
        return self._served.url

    @property
    def received(self) -> list[Received]:
        return self._served.received

    @property
    def requests(self) -> int:
        return self._served.requests

    @property
    def bytes_in(self) -> int:
        return self._served.bytes_in

    @property
    def disconnects(self) -> int:
        return self._served.disconnects

    def asked(self, model: str) -> list[Received]:
        """What arrived for one model, oldest first."""
        return [each for each in self.received if named(each) == model]

    def _answer(self, received: Received) -> Script:
        script = self.scripts.get(named(received), self.default)
        return script if isinstance(script, Script) else script(received)

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def named(received: Received) -> str:
    """The model a request names; empty if its body names none."""
    try:
        return str(json.loads(received.body)["model"])
    except (ValueError, LookupError, TypeError):
        return ""


def refusing_port() -> int:
    """A port that refuses connections."""
    return free_port()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where `serve` gets each connection on a thread of its own: for servers no script can play."""
    server = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)
            thread = threading.Thread(target=_one, args=(connection,), daemon=True)
            thread.start()
            threads.append(thread)

    def _one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                return  # the other side left

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        accepting.join(5)
        for connection in connections:
            with suppress(OSError):  # it may have ended by itself
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def unable(status: int) -> Script:
    return error_answer(status)
