"""What providers say, dialect by dialect, and how it may be spoilt."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from support.fuzzing.bodies import ODD, paths
from twintrack.providers.scripted import chat_answer, chat_events, message_answer, message_events
from twintrack.providers.scripted.shapes import Tokens, embeddings_body, response_body, response_events

WORDS = ["The", " quick", " Straße", " 🦊", "\n\n", ' "data: [DONE]"', " {}", "."]
_TOKENS = Tokens(40, 8)


def _gemini(words: list[str], finish: bool) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": "".join(words)}], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = "STOP"
    usage = {"promptTokenCount": 40, "candidatesTokenCount": 8, "totalTokenCount": 48}
    said = {"candidates": [candidate], "modelVersion": "g", "responseId": "r", "usageMetadata": usage}
    return json.dumps(said).encode()


def _tool_events() -> list[bytes]:
    """A chat stream that calls tools."""
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "tool_calls": [call]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
    ]
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    chunks.append({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}})
    return [b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks] + [b"data: [DONE]\n\n"]


_CHAT = [piece for piece in chat_answer("".join(WORDS)).pieces if isinstance(piece, bytes)]
_MESSAGE = [piece for piece in message_answer("".join(WORDS)).pieces if isinstance(piece, bytes)]

WHOLE: dict[str, list[bytes]] = {
    "chat": _CHAT,
    "messages": _MESSAGE,
    "responses": [response_body("".join(WORDS), _TOKENS, "m")],
    "generate": [_gemini(WORDS, finish=True)],
    "embeddings": [embeddings_body(1, _TOKENS, "m")],
    "count_tokens": [b'{"input_tokens":7}'],
}
"""By the provider's endpoint, unstreamed."""

STREAMED: dict[str, list[list[bytes]]] = {
    "chat": [chat_events(WORDS), _tool_events(), chat_events(WORDS, usage=None)],
    "messages": [message_events(WORDS)],
    "responses": [response_events(WORDS, _TOKENS)],
    "generate": [[b"data: " + _gemini([word], finish=word == ".") + b"\n\n" for word in WORDS]],
}
"""By the provider's endpoint: streams as their events."""


def endpoint_of(target: str) -> str:
    """The provider's endpoint a request is for."""
    path = target.partition("?")[0]
    for end, name in (
        ("/chat/completions", "chat"), ("/messages", "messages"), ("/count_tokens", "count_tokens"),
        ("/responses", "responses"), ("/embeddings", "embeddings"),
    ):  # fmt: skip
        if path.endswith(end):
            return name
    return "generate" if "enerateContent" in path else ""


def asked(request: bytes) -> tuple[str, bool]:
    """The endpoint and whether the answer shall be streamed, from a request as it stands on the wire."""
    head, _, body = request.partition(b"\r\n\r\n")
    target = head.split(b" ", 2)[1].decode("latin-1")
    endpoint = endpoint_of(target)
    assert endpoint, f"a provider is asked at {target}"
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = {}  # what json refuses, as lone surrogates and great depth, some providers take
    streamed = "streamGenerateContent" in target or (isinstance(said, dict) and said.get("stream") is True)
    return endpoint, streamed


def good(request: bytes) -> list[bytes]:
    """A right answer to a request, framed, in pieces."""
    endpoint, streamed = asked(request)
    if streamed:
        return [framed_head(True, None), *map(chunk, STREAMED[endpoint][0]), b"0\r\n\r\n"]
    body = WHOLE[endpoint][0]
    return [framed_head(False, len(body)) + body]


def framed_head(streamed: bool, length: int | None) -> bytes:
    """`length` None: chunked."""
    kind = b"text/event-stream" if streamed else b"application/json"
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n%b\r\n\r\n" % (kind, framing)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


_NAMES = (
    "choices", "delta", "message", "content", "finish_reason", "usage", "prompt_tokens", "completion_tokens", "index",
    "tool_calls", "function", "arguments", "name", "id", "type", "text", "error", "code", "candidates", "parts", "role",
    "finishReason", "usageMetadata", "promptTokenCount", "output", "response", "item", "status", "stop_reason", "data",
    "content_block", "input_tokens", "output_tokens", "incomplete_details", "item_id", "output_index", "content_index",
    "functionCall", "args", "thought", "thoughtSignature", "annotations", "logprobs", "reasoning_content", "refusal",
    "cache_read_input_tokens", "prompt_tokens_details", "embedding", "service_tier", "model", "created", "object",
)  # fmt: skip
_MARKS = (
    b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"data: ", b"data:", b"data", b"event: x\n", b"event: error\n",
    b": c\n", b"id: 1\n", b"retry: 5\n", b"data: [DONE]\n\n", b"data: {}\n\n", b"data: null\n\n", b"data: []\n\n",
    b"\xef\xbb\xbf", b"\0", b"\xff", b"\xe2\x80\xa8", b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\\ud800",
    b"\\u0000", b"NaN", b"1e999", b"-1", b"[" * 300,
    b'data: {"error":{"message":"x","type":"server_error","code":"quota"}}\n\n', b'{"error":"x"}',
    b"<html>502</html>",
    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":-1}}\n\n', b"x" * 20_000, b"9" * 400,
)  # fmt: skip


def spoilt(random: Random, pieces: list[bytes]) -> bytes:
    """An answer with up to five things wrong in it: whole events, JSON inside them, bytes."""
    pieces = list(pieces)
    for _ in range(random.choice((0, 1, 1, 2, 2, 3, 5))):
        if not pieces:
            break
        at = random.randrange(len(pieces))
        way = random.random()
        if way < 0.1:
            del pieces[at]
        elif way < 0.2:
            pieces.insert(at, random.choice(pieces))
        elif way < 0.25:
            random.shuffle(pieces)
        elif way < 0.55:
            pieces[at] = _said_otherwise(random, pieces[at])
        elif way < 0.6:
            pieces = pieces[:at]
        else:
            piece = pieces[at]
            place = random.randrange(len(piece) + 1)
            cut = random.choice((0, 0, 0, 1, 1, 2, 30))
            pieces[at] = piece[:place] + random.choice(_MARKS) + piece[place + cut :]
    data = b"".join(pieces)
    if random.random() < 0.1:
        data = data.replace(b"\n", random.choice((b"\r", b"\r\n")))
    return data


def _said_otherwise(random: Random, piece: bytes) -> bytes:
    """A piece whose JSON has something else somewhere."""
    start = piece.find(b"{")
    if start < 0:
        return piece
    end = piece.rfind(b"}") + 1
    try:
        said = json.loads(piece[start:end])
    except (ValueError, RecursionError):
        return piece
    places = [at for at in paths(said) if at]
    if not places:
        return piece
    at = random.choice(places)
    inside: Any = said
    for part in at[:-1]:
        inside = inside[part]
    last: Any = at[-1]
    way = random.random()
    if way < 0.6:
        inside[last] = random.choice(ODD)
    elif way < 0.75:
        del inside[last]
    elif isinstance(inside, dict):
        inside[random.choice(_NAMES)] = random.choice((*ODD, inside[last]))
    else:
        inside.append(random.choice((*ODD, inside[last])))
    text = json.dumps(said, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    return piece[:start] + text + piece[end:]


def cut(random: Random, data: bytes, most: int = 8) -> list[bytes]:
    """The same bytes in pieces."""
    if not data or random.random() < 0.3:
        return [data] if data else []
    if random.random() < 0.1 and len(data) < 4_000:
        return [data[at : at + 1] for at in range(len(data))]
    places = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(1, most)))
    edges = zip([0, *places], [*places, len(data)], strict=True)
    return [data[start:end] for start, end in edges if end > start]
