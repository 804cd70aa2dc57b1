"""Streams as providers send them, and a slow reader of them that follows the standard word by word."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st


def reference(text: bytes) -> list[bytes]:
    """Data of each event (WHATWG HTML 9.2.6), read line by line; an event without a `data` line is none."""
    found: list[bytes] = []
    data: list[bytes] = []
    line = b""
    at = 0
    while at < len(text):
        byte = text[at : at + 1]
        at += 1
        if byte not in (b"\r", b"\n"):
            line += byte
            continue
        if byte == b"\r" and text[at : at + 1] == b"\n":
            at += 1
        if not line:
            if data:
                found.append(b"\n".join(data))
            data = []
        elif not line.startswith(b":"):
            name, _, value = line.partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" "))
        line = b""
    return found


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "choices": choices} | more


USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
USAGE_CHUNK = chunk(usage=USAGE)


def event(value: object, end: bytes = b"\n\n", *, spaced: bool = False) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    text = value if isinstance(value, str) else json.dumps(value, separators=separators)
    return b"data: " + text.encode() + end


@st.composite
def cuts(draw: st.DrawFn, text: bytes) -> list[bytes]:
    """`text` in pieces, cut anywhere."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True) if end > start]


@st.composite
def chat_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A whole chat stream, and its pieces as they might come."""
    end = draw(st.sampled_from([b"\n\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n"]))
    spaced = draw(st.booleans())
    words = draw(
        st.lists(st.sampled_from(["a", " b", "é", '"choices":[]', "\n\n", "data: [DONE]", "x" * 300]), max_size=6)
    )
    chunks: list[object] = [chunk({"role": "assistant", "content": ""}), *[chunk({"content": word}) for word in words]]
    chunks.append(chunk({}, "stop"))
    if draw(st.booleans()):
        chunks.append(USAGE_CHUNK)
    if draw(st.booleans()):
        chunks.append("[DONE]")
    parts = [event(each, end, spaced=spaced) for each in chunks]
    for _ in range(draw(st.integers(0, 2))):
        parts.insert(draw(st.integers(0, len(parts))), b": keep-alive" + end)
    text = b"".join(parts)
    return text, draw(cuts(text))
