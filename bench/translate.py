#!/usr/bin/env python3
"""What translation itself costs, in one process and with warm caches: the least of seven runs of each.

    python bench/translate.py

The whole way of a request, sockets and books included, is measured by `bench/run.py`, phases `translated` and
`translated-sse`.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable
from typing import Any

from twintrack.providers.scripted import chat_events, message_events
from twintrack.wire.canonical.request import Target
from twintrack.wire.dialect import decode
from twintrack.wire.endpoints import BY_NAME
from twintrack.wire.passage import Conversation, Translated
from twintrack.wire.translators import client_side, provider_side

TARGET = Target("m", 4096)
PAIRS = (("messages", "openai"), ("chat", "anthropic"), ("responses", "openai"), ("chat", "responses"))
"""A client's endpoint and a provider's dialect."""
TOOLS, LONG_BYTES = 50, 200_000
FEW, MANY = 10, 510
SCHEMA = {"type": "object", "properties": {f"p{i}": {"type": "string", "description": "d" * 30} for i in range(12)}}


def least_us(work: Callable[[], object], times: int) -> float:
    return min(timeit.repeat(work, number=times, repeat=7)) / times * 1e6


def asked(endpoint: str, turns: int, tools: int) -> bytes:
    said = [{"role": ("user", "assistant")[turn % 2], "content": "word " * 200} for turn in range(turns)]
    named = [{"name": f"tool_{i}", "description": "does things " * 5} for i in range(tools)]
    body: dict[str, Any] = {"model": "x"}
    if endpoint == "responses":
        body |= {"input": said, "tools": [{"type": "function", **tool, "parameters": SCHEMA} for tool in named]}
    elif endpoint == "messages":
        body |= {"messages": said, "max_tokens": 256, "tools": [{**tool, "input_schema": SCHEMA} for tool in named]}
    else:
        body |= {
            "messages": said,
            "tools": [{"type": "function", "function": {**tool, "parameters": SCHEMA}} for tool in named],
        }
    return json.dumps(body if tools else {name: each for name, each in body.items() if name != "tools"}).encode()


def long(endpoint: str) -> bytes:
    turns = 1
    while len(asked(endpoint, turns, TOOLS)) < LONG_BYTES:
        turns += 2
    return asked(endpoint, turns, TOOLS)


def crossed(endpoint: str, dialect: str, body: bytes) -> Translated:
    conversation = Conversation(client_side(endpoint), body, False, "tt-1")
    passage = Translated(conversation, provider_side(dialect), dialect, "")
    passage.body(decode(BY_NAME[endpoint], body), body, TARGET)
    return passage


def chunk_us(endpoint: str, dialect: str) -> float:
    """Of one more piece of text in a stream."""
    passage = crossed(endpoint, dialect, asked(endpoint, 1, 0))
    write = message_events if dialect == "anthropic" else chat_events
    took = []
    for count in (FEW, MANY):
        events = write(["hello"] * count)

        def whole(events: list[bytes] = events) -> None:
            stream = passage.open_stream(decode(BY_NAME[endpoint], asked(endpoint, 1, 0)))
            for event in events:
                stream.feed(event)
            stream.close()

        took.append(least_us(whole, 20))
    return (took[1] - took[0]) / (MANY - FEW)


def main() -> None:
    print(f"{'client → provider':<24}{'1 KB, µs':>12}{'200 KB, ms':>12}{'SSE chunk, µs':>15}")
    for endpoint, dialect in PAIRS:
        short, whole = asked(endpoint, 1, 0), long(endpoint)
        short_us = least_us(lambda e=endpoint, d=dialect, b=short: crossed(e, d, b), 1000)  # type: ignore[misc]
        whole_us = least_us(lambda e=endpoint, d=dialect, b=whole: crossed(e, d, b), 10)  # type: ignore[misc]
        chunk = "" if dialect == "responses" else f"{chunk_us(endpoint, dialect):.2f}"
        print(f"{endpoint + ' → ' + dialect:<24}{short_us:>12.1f}{whole_us / 1000:>12.2f}{chunk:>15}")


if __name__ == "__main__":
    main()
