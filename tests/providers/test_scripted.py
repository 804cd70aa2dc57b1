"""The scripted provider does what its script says, to the byte, and counts what it got."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.provider import Provider
from support.raw import Raw, events, words
from support.waiting import eventually
from twintrack.providers.scripted import (
    Script,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    message_events,
    stream,
)


@contextmanager
def asked(script: Script, times: int = 1) -> Iterator[tuple[Provider, Raw]]:
    """A provider that plays `script`, and a client that asked."""
    with Provider() as provider, Raw(provider.port) as client:
        provider.default = script
        for _ in range(times):
            client.post("/v1/chat/completions", {"model": "m"})
        yield provider, client


def test_it_counts_what_it_received() -> None:
    with asked(chat_answer("Hello"), times=2) as (provider, client):
        assert client.answer().json()["choices"][0]["message"]["content"] == "Hello"
        assert client.answer().json()["usage"]["total_tokens"] == 19
        assert provider.requests == len(provider.received) == 2
        assert provider.received[0].body == b'{"model": "m"}'
        assert provider.received[0].headers["content-type"] == "application/json"
        assert provider.bytes_in > 2 * len(provider.received[0].body)


def test_a_stream_is_one_event_a_chunk() -> None:
    with asked(stream(chat_events(["a", "b"]))) as (_, client):
        answer = client.answer()
        assert answer.complete
        assert words(answer.body) == "ab"
        assert events(answer.body)[-2]["usage"]["completion_tokens"] == 7
        assert events(answer.body)[-1] == "[DONE]"


@pytest.mark.parametrize(
    ("script", "status", "complete"),
    [
        (Script(pieces=(b"ab",), claim=5, end="close"), 200, False),
        (Script(pieces=(b"ab",), framing="chunked", end="close"), 200, False),
        (Script(pieces=(b"ab",), framing="close"), 200, True),
        (Script(pieces=(b"HTTP/1.1 418 X\r\ncontent-length: 0\r\n\r\n",), framing="raw"), 418, True),
        (error_answer(429, retry_after="7"), 429, True),
    ],
    ids=["short", "no last chunk", "until close", "raw", "error"],
)
def test_framings_and_ends(script: Script, status: int, complete: bool) -> None:
    with asked(script) as (_, client):
        answer = client.answer()
        assert (answer.status, answer.complete) == (status, complete)
        assert answer.headers.get("retry-after") == ("7" if status == 429 else None)


def test_a_reset_is_one() -> None:
    with asked(Script(end="reset", framing="raw")) as (_, client), pytest.raises(ConnectionResetError):
        client.socket.recv(1)


def test_a_client_that_leaves_is_seen_at_once() -> None:
    with asked(Script(pieces=(b"a", 30.0, b"b"), framing="chunked")) as (provider, client):
        client.until(b"1\r\na\r\n")
        client.socket.shutdown(socket.SHUT_RDWR)
        client.socket.close()
        eventually(lambda: provider.disconnects == 1, 1.0)


def test_messages_have_anthropics_shape() -> None:
    assert (
        json.loads(b"".join(p for p in message_answer("x").pieces if isinstance(p, bytes)))["content"][0]["text"] == "x"
    )
    kinds = [event.split(b"\n")[0] for event in message_events(["a"])]
    assert kinds[0] == b"event: message_start"
    assert kinds[-1] == b"event: message_stop"
