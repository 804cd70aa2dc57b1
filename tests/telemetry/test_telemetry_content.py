"""What was asked and answered, in the form of the conventions: read from each dialect, and counted where it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.ledger.records import Content
from twintrack.providers.scripted.invoice import Tokens
from twintrack.providers.scripted.shapes import (
    chat_body,
    chat_events,
    message_body,
    message_events,
    response_body,
    response_events,
)
from twintrack.telemetry.content import attributes, may_be_told

TOKENS = Tokens(12, 7)
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]},
    "messages": {"max_tokens": 9, "system": "Be brief", "messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"instructions": "Be brief", "input": "Hi"},
    "responses_as_chat": {"instructions": "Be brief", "input": "Hi"},
}
BODIES = {
    "chat": chat_body("Ho ho", TOKENS, "m"),
    "messages": message_body("Ho ho", TOKENS, "m"),
    "responses": response_body("Ho ho", TOKENS, "m"),
    "responses_as_chat": chat_body("Ho ho", TOKENS, "m"),
}
STREAMS = {
    "chat": chat_events(["Ho", " ho"]),
    "messages": message_events(["Ho", " ho"]),
    "responses": response_events(["Ho", " ho"], TOKENS),
    "responses_as_chat": chat_events(["Ho", " ho"]),
}


def told(
    endpoint: str, asked: dict[str, Any] | bytes, answer: bytes = b"", *, stream: bool = False, cut: int = 0
) -> dict[str, Any]:
    """As read back by whoever looks at the span; `cut`: bytes of the answer that are not there."""
    body = asked if isinstance(asked, bytes) else json.dumps({"model": "auto"} | asked).encode()
    content = Content("a", endpoint, stream, body, len(body), answer, len(answer) + cut)
    return {
        name.rpartition("gen_ai.")[2]: json.loads(value) if name.startswith("gen_ai.") else value
        for name, value in attributes(content).items()
    }


def said(text: str, finish: str = "stop") -> list[dict[str, Any]]:
    return [{"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": finish}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("endpoint", ASKED)
def test_each_dialect_is_told_in_the_same_words(endpoint: str, stream: bool) -> None:
    answer = b"".join(STREAMS[endpoint]) if stream else BODIES[endpoint]
    assert told(endpoint, ASKED[endpoint], answer, stream=stream) == {
        "system_instructions": [{"type": "text", "content": "Be brief"}],
        "input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}],
        "output.messages": said("Ho ho"),
        "twintrack.content.left_out": 0,
    }


def test_tools_are_told_and_what_is_no_text_is_counted() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    asked = {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look"}, picture]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ]
    }
    found = told("chat", asked)
    called = {"type": "tool_call", "id": "c1", "name": "find", "arguments": {"a": 1}}
    assert found["input.messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "Look"}]},
        {"role": "assistant", "parts": [called]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "found"}]},
    ]
    assert (found["twintrack.content.left_out"], "output.messages" in found) == (1, False)

    chunk = {"index": 0, "delta": {"tool_calls": [call | {"index": 0}]}, "finish_reason": None}
    ending = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    events = [b"data: %b\n\n" % json.dumps({"choices": [each]}).encode() for each in (chunk, ending)]
    heard = told("chat", ASKED["chat"], b"".join(events) + b"data: [DONE]\n\n", stream=True)
    assert heard["output.messages"] == [{"role": "assistant", "parts": [called], "finish_reason": "tool_call"}]


@pytest.mark.parametrize(
    ("asked", "texts", "left_out"),
    [("Hi", ["Hi"], 0), (["Hi", "Ho"], ["Hi", "Ho"], 0), ([1, 2, 3], [], 1), ([[1, 2], [3]], [], 2), ([], [], 0)],
)
def test_of_embeddings_the_texts_are_told(asked: Any, texts: list[str], left_out: int) -> None:
    found = told("embeddings", {"input": asked})
    parts = [{"type": "text", "content": text} for text in texts]
    assert found.get("input.messages", []) == ([{"role": "user", "parts": parts}] if texts else [])
    assert found["twintrack.content.left_out"] == left_out


def test_of_a_stream_that_was_cut_what_was_read_is_told_and_no_end() -> None:
    start = b"".join(STREAMS["chat"][:2])
    found = told("chat", ASKED["chat"], start + STREAMS["chat"][2][:9], stream=True, cut=1)
    assert found["output.messages"] == said("Ho", "unknown")
    assert (found["twintrack.content.cut"], found["twintrack.content.left_out"]) == ("answer", 1)


def test_what_was_too_long_to_keep_is_left_out_and_counted() -> None:
    found = attributes(Content("a", "chat", False, b"", 70_000, b"", 80_000))
    assert found == {"twintrack.content.left_out": 2, "twintrack.content.cut": "request answer"}


@pytest.mark.parametrize("answer", [b"no JSON", b"[]", b'{"choices": 3}', b"{" * 50_000, b"\xff\xfe", b"\0" * 90])
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_read_is_counted_and_never_guessed(answer: bytes, stream: bool) -> None:
    found = told("chat", b"\0" * 90, b"data: " + answer + b"\n\n" if stream else answer, stream=stream)
    assert found == {"twintrack.content.left_out": 2}


def test_only_the_first_of_several_answers_is_told() -> None:
    assert told("chat", ASKED["chat"] | {"n": 3}, BODIES["chat"])["twintrack.content.left_out"] == 2


def test_what_may_be_told() -> None:
    assert [each for each in ("public", "internal", "confidential", "restricted") if may_be_told("chat", each)] == [
        "public",
        "internal",
    ]
    assert not may_be_told("count_tokens", "public")
