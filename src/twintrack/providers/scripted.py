"""A provider that does exactly what a script says: for demonstrations, and for what healthy servers never do.

It listens on loopback, reads real HTTP, and counts what it received, so that "nothing was sent" is a measurement at
the receiving end. Whatever comes from it is marked simulated by its configuration (`simulated = true`).
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from twintrack.errors import RequestError
from twintrack.wire.http1 import CHUNKED, Chunked, FramingError, RequestHead, request_head, status_line

_MAX_HEAD_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)
"""Closing with this linger sends a reset instead of an orderly end."""


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

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=2**20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
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
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return False
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
        if script.framing != "raw":
            writer.write(_head(script))
        for piece in script.pieces:
            if isinstance(piece, bytes):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if script.framing == "chunked" else piece)
                await writer.drain()
            else:
                await _wait(reader, piece)
        if script.end == "hang":
            await _wait(reader, float("inf"))
        if script.end == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
            return False
        if script.framing == "chunked" and script.end == "keep":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
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
        await asyncio.sleep(min(left, 0.01))


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


# ---- answers as the dialects shape them


def chat_answer(
    text: str, prompt_tokens: int | None = 12, completion_tokens: int = 7, model: str = "scripted"
) -> Script:
    """An OpenAI chat completion; `prompt_tokens` None leaves usage out."""
    answer: dict[str, object] = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": "stop"}
        ],
    }
    if prompt_tokens is not None:
        answer["usage"] = _usage(prompt_tokens, completion_tokens)
    return Script(pieces=(msgspec.json.encode(answer),))


def chat_events(words: Sequence[str], usage: tuple[int, int] | None = (12, 7), *, done: bool = True) -> list[bytes]:
    """Server-sent events of a streamed chat completion; `usage` adds the extra event, `done` the end."""

    def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
        return _event(
            {
                "id": "chatcmpl-scripted",
                "object": "chat.completion.chunk",
                "created": 1_760_000_000,
                "model": "scripted",
                "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            }
        )

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": word}) for word in words]
    if done:
        events.append(chunk({}, "stop"))
    if usage is not None:
        tail = {
            "id": "chatcmpl-scripted",
            "object": "chat.completion.chunk",
            "created": 1_760_000_000,
            "model": "scripted",
            "choices": [],
            "usage": _usage(*usage),
        }
        events.append(_event(tail))
    if done:
        events.append(b"data: [DONE]\n\n")
    return events


def stream(events: Sequence[bytes | float], **rest: object) -> Script:
    """A streamed answer, one event a chunk."""
    return Script(
        headers=(("content-type", "text/event-stream"),),
        pieces=tuple(events),
        framing="chunked",
        **rest,  # type: ignore[arg-type]  # fields of Script by name
    )


def message_answer(text: str, input_tokens: int = 12, output_tokens: int = 7) -> Script:
    """An Anthropic message."""
    return Script(
        pieces=(
            msgspec.json.encode(
                {
                    "id": "msg_scripted",
                    "type": "message",
                    "role": "assistant",
                    "model": "scripted",
                    "content": [{"type": "text", "text": text}],
                    "stop_reason": "end_turn",
                    "stop_sequence": None,
                    "usage": {
                        "input_tokens": input_tokens,
                        "output_tokens": output_tokens,
                        "cache_read_input_tokens": 3,
                        "cache_creation_input_tokens": 0,
                    },
                }
            ),
        )
    )


def message_events(words: Sequence[str], input_tokens: int = 12, output_tokens: int = 7) -> list[bytes]:
    """Server-sent events of a streamed Anthropic message."""

    def event(kind: str, **members: object) -> bytes:
        return b"event: " + kind.encode() + b"\n" + _event({"type": kind, **members})

    started: dict[str, object] = {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens, "output_tokens": 1},
    }
    return [
        event("message_start", message=started),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        *(event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in words),
        event("content_block_stop", index=0),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": output_tokens},
        ),
        event("message_stop"),
    ]


def error_answer(status: int, message: str = "scripted failure", retry_after: str | None = None) -> Script:
    headers = [("content-type", "application/json")]
    if retry_after is not None:
        headers.append(("retry-after", retry_after))
    body = {"error": {"message": message, "type": "server_error", "param": None, "code": None}}
    return Script(status=status, headers=tuple(headers), pieces=(msgspec.json.encode(body),))


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
