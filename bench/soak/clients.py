"""Clients over raw sockets: they ask, check that what they hear is theirs and whole, or leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple

from soak.plan import PATHS, Ask
from soak.said import Said, is_error, text_of
from twintrack.errors import UpstreamError
from twintrack.wire.http1 import CHUNKED, Chunked, FramingError, ResponseHead, response_head

Ended = Literal["ok", "refused", "broken", "left", "hung", "dropped", "lied"]
"""ok: a whole answer, and its own. refused: a well-formed error. broken: a stream that began and said that it broke.
left: the client went. hung: nothing for too long. dropped: the connection ended without a word. lied: anything else, as
an answer that looks complete and is not."""

PATIENCE_S = 40.0
_SIPPED_BYTES = 16_384
"""So much a slow client takes in sips; some answers have a megabyte."""
_RESET = struct.pack("ii", 1, 0)
_MOST_IDLE = 64


class Heard(NamedTuple):
    """How one request ended, as its client saw it."""

    number: int
    sent_s: float
    """Since the run began."""
    ended: Ended
    status: int
    request_id: str
    """As the gateway named it; empty if the client did not stay for it."""
    ttft_ms: float
    """To the first byte of a body."""
    total_ms: float
    note: str
    """What was wrong, for lies."""


@dataclass
class _Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since: float = 0.0
    """When it was last asked on: the gateway's patience begins later, whenever we come to read the answer."""

    @property
    def usable(self) -> bool:
        """As HTTP clients see it: what can be read before anything was asked is the server's end of it."""
        if self.writer.is_closing():
            return False
        look = select.poll()
        look.register(self.writer.get_extra_info("socket").fileno(), select.POLLIN)
        return not look.poll(0)

    def end(self, reset: bool) -> None:
        raw = self.writer.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort() if reset else self.writer.close()


class _Left(Exception):
    """The client of this request goes now."""


@dataclass
class Clients:
    port: int
    seed: int
    reuse_s: float
    """Shorter than the gateway's own patience with idle connections, so that the two do not race."""
    heard: list[Heard] = field(default_factory=list)
    running: int = 0
    _idle: deque[_Line] = field(default_factory=deque)
    _began: float = 0.0

    def begin(self) -> None:
        self._began = time.monotonic()

    async def ask(self, ask: Ask) -> None:
        """One request from its start to whatever its end is. Never raises."""
        self.running += 1
        sent = time.monotonic()
        one = _One(ask, Random(self.seed * 1_000_003 + ask.number))
        line: _Line | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                line = await self._line(ask)
                ended = await one.carry(line)
        except TimeoutError:
            ended = "hung"
        except _Left:
            ended = "left"
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            one.note = f"{type(error).__name__}: {one.got} bytes"
            ended = "dropped" if one.got == 0 else "lied"
        except (UpstreamError, FramingError, ValueError, LookupError, TypeError) as error:
            one.note = f"{type(error).__name__}: {error}"[:300]
            ended = "lied"
        finally:
            self.running -= 1
        if line is not None:
            self._give_back(line, ask, one, ended)
        total_ms = (time.monotonic() - sent) * 1000
        ttft_ms = (one.first - sent) * 1000 if one.first else 0.0
        self.heard.append(
            Heard(ask.number, sent - self._began, ended, one.status, one.request_id, ttft_ms, total_ms, one.note)
        )

    def close(self) -> None:
        while self._idle:
            self._idle.pop().end(reset=False)

    async def _line(self, ask: Ask) -> _Line:
        now = time.monotonic()
        oldest = now - self.reuse_s
        while self._idle and self._idle[0].since < oldest:
            self._idle.popleft().end(reset=False)
        while self._idle and not (ask.fresh or ask.slow):
            line = self._idle.pop()
            if line.since >= oldest and line.usable:
                line.since = now
                return line
            line.end(reset=False)
        kernel = 16_384 if ask.slow else 0
        connection = socket.socket()
        connection.setblocking(False)
        if kernel:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        return _Line(*await asyncio.open_connection(sock=connection, limit=2**18), now)

    def _give_back(self, line: _Line, ask: Ask, one: _One, ended: Ended) -> None:
        if ended in ("ok", "refused") and one.keep and not ask.slow and len(self._idle) < _MOST_IDLE:
            self._idle.append(line)
        else:
            line.end(reset=ask.reset and ended == "left")


class _One:
    """One request on its connection."""

    def __init__(self, ask: Ask, random: Random) -> None:
        self.ask = ask
        self.random = random
        self.status = 0
        self.request_id = ""
        self.first = 0.0
        self.got = 0
        self.keep = True
        self.note = ""

    async def carry(self, line: _Line) -> Ended:
        ask = self.ask
        body = ask.body()
        head = (
            f"POST {PATHS[ask.endpoint]} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        ).encode()
        message = head + body
        if ask.leave == "half":
            line.writer.write(message[: self.random.randrange(1, len(message))])
            await line.writer.drain()
            await asyncio.sleep(self.random.random() * 0.05)
            raise _Left
        line.writer.write(message)
        await line.writer.drain()
        if ask.leave == "at once":
            raise _Left
        if ask.leave == "waiting":
            with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(self.random.random() * 0.06):
                    await line.reader.readexactly(1 << 20)
            raise _Left
        raw = await line.reader.readuntil(b"\r\n\r\n")
        self.got += len(raw)
        answer = response_head(raw, len(raw), 128)
        self.status = answer.status
        self.request_id = answer.headers.get(b"x-twintrack-id", b"").decode()
        self.keep = answer.keep_alive
        if answer.status == 200 and ask.stream:
            return await self._stream(line, answer)
        return self._whole(await self._body(line, answer))

    async def _body(self, line: _Line, answer: ResponseHead) -> bytes:
        if answer.length == CHUNKED:
            chunked, found = Chunked(), b""
            while not chunked.done:
                found += b"".join(chunked.feed(await self._more(line)))
            return found
        left, pieces = answer.length, []
        while left:
            piece = await self._more(line, left)
            left -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    async def _more(self, line: _Line, most: int = 65_536) -> bytes:
        if self.ask.slow and self.got < _SIPPED_BYTES:
            await asyncio.sleep(0.02)
            most = min(most, 512)
        data = await line.reader.read(most)
        if not data:
            raise asyncio.IncompleteReadError(b"", None)
        if not self.first:
            self.first = time.monotonic()
        self.got += len(data)
        return data

    # ---- unstreamed

    def _whole(self, body: bytes) -> Ended:
        said = json.loads(body)
        if self.status >= 400:
            return "refused" if is_error(self.ask.endpoint, said) else self._lie(f"{self.status} {body[:200]!r}")
        if self.status != 200:
            return self._lie(f"status {self.status}")
        if self.ask.endpoint == "embeddings":
            return "ok" if len(said["data"]) == self.ask.texts else self._lie(f"another's answer: {body[:200]!r}")
        text = text_of(self.ask.endpoint, said)
        return "ok" if self.ask.mark in text else self._lie(f"another's answer: {text[:200]}")

    def _lie(self, note: str) -> Ended:
        self.note = note
        return "lied"

    # ---- streamed

    async def _stream(self, line: _Line, answer: ResponseHead) -> Ended:
        """Read events to the end the framing tells, or to a cut."""
        ask = self.ask
        leave_after = {"first": 1, "middle": 2 + self.random.randrange(4)}.get(ask.leave, 0)
        chunked, said = Chunked(), Said(ask.endpoint)
        while not chunked.done:
            try:
                data = await self._more(line)
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            said.feed(b"".join(chunked.feed(data)))
            if leave_after and said.words >= leave_after:
                raise _Left
        said.close()
        if chunked.done:
            whole = said.ended and not said.failed and not said.garbled and not said.inside and ask.mark in said.text
            return "ok" if whole else self._lie(f"ended cleanly: {said!r}")
        # Cut: then an error event must have said so.
        return "broken" if said.failed else self._lie(f"cut without a word: {said!r}")
