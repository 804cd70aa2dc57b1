"""The server: reads real HTTP on a loopback port and plays one script for each request."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from twintrack.errors import RequestError
from twintrack.wire.http1 import CHUNKED, Chunked, FramingError, RequestHead, request_head, status_line

_RESET = struct.pack("ii", 1, 0)
"""Closing with this linger sends a reset instead of an orderly end."""
_HANDSHAKE = b"\x16"
"""What TLS begins with, where this server speaks none."""
_LOOK_S = 0.02
"""How often a pause looks whether the client is still there."""


@dataclass(frozen=True, slots=True)
class Script:
    """One answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    pieces: tuple[bytes | float, ...] = ()
    """Bytes of the body in the order they are sent; a number is a pause in seconds."""
    framing: Literal["length", "chunked", "close", "raw"] = "length"
    """close: no length, the end of the connection ends the body. raw: `pieces` are the whole answer, head and all."""
    end: Literal["keep", "close", "reset", "hang"] = "keep"
    claim: int | None = None
    """A content-length other than the true one."""
    over: Callable[[int, bool], None] | None = None
    """Called once, when no more goes out: how many of `pieces` did, and whether all was done that stands here."""


@dataclass(slots=True)
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Received], Script]


@dataclass(slots=True)
class ScriptedProvider:
    """Serve `answer` on a free loopback port between `start` and `stop`."""

    answer: Answer
    received: list[Received] = field(default_factory=list)
    keep_requests: bool = True
    """Keep what arrived; off for long runs, where the counts are enough."""
    requests: int = 0
    bytes_in: int = 0
    disconnects: int = 0
    """Clients that left before their answer was complete."""
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: weakref.WeakSet[asyncio.StreamWriter] = field(default_factory=weakref.WeakSet)

    async def start(self, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        """Raises OSError: the address cannot be had. `tls`: with a certificate that may be good or bad."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=2**20, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()  # TLS would wait half a minute for the other side to say goodbye
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, RequestError, FramingError):
            self.disconnects += 1
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first = await reader.read(1)
        if not first:
            return False
        if first == _HANDSHAKE:
            writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nThis is plain HTTP.\n")
            return False
        raw = first + await reader.readuntil(b"\r\n\r\n")
        head = request_head(raw, len(raw), 256)
        body = await _body(reader, head)
        self.requests += 1
        self.bytes_in += len(raw) + len(body)
        received = Received(
            head.method.decode(),
            head.target.decode(),
            {name.decode(): value.decode("latin-1") for name, value in head.headers.items()},
            body,
        )
        if self.keep_requests:
            self.received.append(received)
        return await self._play(self.answer(received), reader, writer)

    async def _play(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        sent, whole = 0, False
        try:
            if script.framing != "raw":
                writer.write(_head(script))
            for piece in script.pieces:
                if isinstance(piece, bytes):
                    writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if script.framing == "chunked" else piece)
                    await writer.drain()
                else:
                    await _wait(reader, piece)
                sent += 1
            if script.end == "hang":
                await _wait(reader, float("inf"))
            if script.end == "reset":
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
                return False
            if script.framing == "chunked" and script.end == "keep":
                writer.write(b"0\r\n\r\n")
            await writer.drain()
            whole = True
        finally:
            if script.over is not None:
                script.over(sent, whole)
        return script.end == "keep" and script.framing not in ("close", "raw")


async def _wait(reader: asyncio.StreamReader, seconds: float) -> None:
    """Raises ConnectionResetError as soon as the client is seen to leave."""
    late = asyncio.get_running_loop().time() + seconds
    while True:
        if reader.at_eof() or reader.exception() is not None:
            raise ConnectionResetError
        left = late - asyncio.get_running_loop().time()
        if left <= 0:
            return
        await asyncio.sleep(min(left, _LOOK_S))


async def _body(reader: asyncio.StreamReader, head: RequestHead) -> bytes:
    if head.length != CHUNKED:
        return await reader.readexactly(head.length)
    chunked, found = Chunked(), b""
    while not chunked.done:
        data = await reader.read(65_536)
        if not data:
            raise ConnectionResetError
        found += b"".join(chunked.feed(data))
    return found


def _head(script: Script) -> bytes:
    lines = [f"{name}: {value}" for name, value in script.headers]
    if script.framing == "chunked":
        lines.append("transfer-encoding: chunked")
    elif script.framing == "length":
        length = sum(len(piece) for piece in script.pieces if isinstance(piece, bytes))
        lines.append(f"content-length: {length if script.claim is None else script.claim}")
    if script.end == "close" or script.framing == "close":
        lines.append("connection: close")
    return status_line(script.status) + "".join(line + "\r\n" for line in lines).encode() + b"\r\n"
