"""The gateway inside a program: the same path as over HTTP, without a socket in front.

async with twintrack.Gateway("twintrack.toml") as gateway:
    answer = await gateway.chat({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]})
    print(answer.json()["choices"][0]["message"]["content"], answer.headers["x-twintrack-why"])
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from twintrack.config.secrets import resolve
from twintrack.config.snapshot import Snapshot
from twintrack.errors import TwintrackError, UpstreamError
from twintrack.gateway import detecting
from twintrack.gateway.handle import Inquiring, handle
from twintrack.gateway.judging import take
from twintrack.gateway.open import dialing, read_snapshot
from twintrack.gateway.sending import Sending
from twintrack.gateway.state import TICK_S, GatewayState
from twintrack.ledger.journal import Journal
from twintrack.ledger.segment import journal_folder
from twintrack.providers.pool import Pool
from twintrack.wire.endpoints import BY_NAME

_AHEAD = 64
"""Pieces of a stream kept for a reader that is slower than the provider."""


class Answer:
    """What the gateway answered: the provider's own body, and the gateway's headers."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        """The body decoded. Raises ValueError if it is not JSON."""
        return msgspec.json.decode(self.body)


class Gateway:
    """Use as an asynchronous context manager. Budget of memory and threads: no thread, one timer."""

    def __init__(self, config: str | Path | Snapshot) -> None:
        """`config`: a configuration file, or a snapshot compiled from one."""
        self._config = config
        self._state: GatewayState | None = None
        self._journal: Journal | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Gateway:
        """Raises ConfigError, EnvironmentProblem, LedgerError."""
        loop = asyncio.get_running_loop()
        snapshot = read_snapshot(self._config)
        worker = f"lib-{os.getpid()}-{id(self):x}"
        self._journal = Journal(journal_folder(snapshot.data), worker)
        pool = Pool(loop, dialing(snapshot))
        self._state = GatewayState(
            snapshot,
            worker=worker,
            journal=self._journal,
            pool=pool,
            secret=resolve,
            now=loop.time(),
            later=loop.call_soon,
            detector=await asyncio.to_thread(detecting.of, snapshot),
        )
        self._journal.start(self._state.serving.record_names(worker))
        self._timer = loop.call_later(TICK_S, self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends what is still running, and leaves its records for the ledger."""
        state, journal = self._state, self._journal
        if self._timer is not None:
            self._timer.cancel()
        self._state = None
        try:
            if state is not None:
                state.look(float("inf"))
        finally:
            if state is not None:
                state.serving.close()
                state.pool.close()
            if journal is not None:
                journal.close()

    @property
    def failovers(self) -> int:
        """Further attempts so far, each after one that failed."""
        return sum(self._state.failovers.values()) if self._state is not None else 0

    async def chat(self, request: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        """One OpenAI chat completion, not streamed."""
        return await self.ask("chat", request, headers)

    async def messages(self, request: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        """One Anthropic message, not streamed."""
        return await self.ask("messages", request, headers)

    async def ask(self, endpoint: str, request: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
        """Any endpoint by name (chat, messages, embeddings).

        `headers`: routing labels, as `x-twintrack-class`. An error comes back as an answer with its status, as it
        would over HTTP.
        """
        client = self._begin(endpoint, request | {"stream": False} if endpoint != "embeddings" else request, headers)
        try:
            await client.headed.wait()
        except asyncio.CancelledError:
            client.leave()
            raise
        return Answer(client.status, client.headers, b"".join(client.pieces))

    async def feedback(self, verdict: dict[str, Any]) -> Answer:
        """Whether an earlier answer was good: what POST /v1/feedback takes and answers."""
        state = self._opened()
        try:
            return Answer(202, {}, take(state, msgspec.json.encode(verdict), -1))
        except TwintrackError as error:
            return Answer(error.status, {}, BY_NAME["chat"].error_body(error, state.next_id()))

    async def stream(
        self, endpoint: str, request: dict[str, Any], headers: dict[str, str] | None = None
    ) -> AsyncIterator[bytes]:
        """The provider's server-sent events as they come. Leaving the loop early stops the provider.

        Raises:
            UpstreamError: the answer is an error (its body is the message), or broke off.
        """
        client = self._begin(endpoint, request | {"stream": True}, headers)
        try:
            async for piece in client.read():
                yield piece
        finally:
            client.leave()

    def _begin(self, endpoint: str, request: dict[str, Any], headers: dict[str, str] | None) -> _Caller:
        state = self._opened()
        client = _Caller()
        lower = {name.lower().encode(): value.encode("latin-1") for name, value in (headers or {}).items()}
        client.exchange = handle(state, BY_NAME[endpoint], client, lower, -1, msgspec.json.encode(request))
        return client

    def _opened(self) -> GatewayState:
        if self._state is None:
            raise TwintrackError("The gateway is not open", fix="Use it inside `async with`.")
        return self._state

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if self._state is not None:
            # First: whatever goes wrong below, deadlines are looked at again.
            self._timer = loop.call_later(TICK_S, self._tick)
            self._state.tick(loop.time())


class _Caller:
    """The `Client` of one call."""

    def __init__(self) -> None:
        self.exchange: Sending | Inquiring | None = None
        self.headed = asyncio.Event()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.pieces: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._ended = False
        self._broken = False
        self._slow = False

    # ---- what the exchange calls

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        self._take_head(status, headers)
        self.pieces.append(body)
        self._ended = True
        self._more.set()

    def open(self, status: int, headers: bytes, first: bytes) -> None:
        self._take_head(status, headers)
        if first:
            self.write(first)

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        self._more.set()
        if len(self.pieces) > _AHEAD and not self._slow and self.exchange is not None:
            self._slow = True
            self.exchange.on_client_slow()

    def close(self, last: bytes = b"") -> None:
        if last:
            self.pieces.append(last)
        self._ended = True
        self._more.set()

    def chunk_writer(self) -> None:
        return None  # a program takes events, not chunks

    def cut(self, last: bytes) -> None:
        self._broken = True
        self.close(last)

    def _take_head(self, status: int, headers: bytes) -> None:
        self.status = status
        lines = (line.partition(": ") for line in headers.decode("latin-1").split("\r\n") if line)
        self.headers = {name: value for name, _, value in lines}
        self.headed.set()

    # ---- what the program calls

    async def read(self) -> AsyncIterator[bytes]:
        await self.headed.wait()
        if self.status != 200:
            raise UpstreamError(
                f"The gateway answered {self.status}", why=b"".join(self.pieces).decode("utf-8", "replace")
            )
        while True:
            while self.pieces:
                yield self.pieces.popleft()
            if self._slow and self.exchange is not None:
                self._slow = False
                self.exchange.on_client_ready()
            if self._ended:
                break
            self._more.clear()
            await self._more.wait()
        if self._broken:
            raise UpstreamError("The answer broke off", why="its last event says how")

    def leave(self) -> None:
        if self.exchange is not None and not self._ended:
            self.exchange.on_client_left()
