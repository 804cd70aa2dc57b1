"""Answers and streams as no provider should send them: they end in an UpstreamError or in a whole answer."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from support.raw import events
from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Reply
from twintrack.wire.canonical.parts import Text
from twintrack.wire.canonical.request import Request, Turn
from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.passage import Conversation, Translated, TranslatedStream, Untranslatable
from twintrack.wire.translators import client_side, provider_side
from twintrack.wire.usage import Usage

REQUEST = Request(model="m", turns=(Turn("user", (Text("Hi"),)),))
REPLY = Reply(REQUEST, "tt-1", 1_760_000_000)
CLIENTS = ("chat", "messages", "responses")


def event(**said: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(said).encode()


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def told(client: str, provider: str, pieces: list[bytes]) -> tuple[bytes, TranslatedStream]:
    stream = TranslatedStream(client_side(client).write_stream(REPLY), provider_side(provider).read_stream)
    said = b"".join([stream.feed(piece) for piece in pieces])
    return said + stream.close(), stream


def answered(client: str, provider: str, body: bytes) -> tuple[bytes, Usage]:
    body_of = {"messages": b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}'}
    asked = body_of.get(client, b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}')
    conversation = Conversation(client_side(client), asked, False, "tt-1")
    return Translated(conversation, provider_side(provider), provider, "x").answer(body)


# ---- behind the finish


CALLED: dict[str, Any] = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}
CHAT_LATE = [
    chunk(content="late"),
    chunk(reasoning_content="late"),
    chunk(refusal="late"),
    chunk(**CALLED),
    chunk(annotations=[{"type": "url_citation", "url_citation": {"url": "http://late"}}]),
    chunk("length", content="late"),
]
MESSAGES_LATE = [
    event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "late"}),
    event(type="content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "late"}),
    event(type="content_block_start", index=1, content_block={"type": "text", "text": "late"}),
    event(type="content_block_start", index=1, content_block={"type": "tool_use", "id": "c", "name": "f", "input": {}}),
    event(type="content_block_stop", index=0),
    event(type="message_start", message={"id": "late", "model": "late", "usage": {"input_tokens": 99}}),
    event(type="message_delta", delta={"stop_reason": "max_tokens", "stop_details": {"explanation": "late"}}),
]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("late", range(len(CHAT_LATE)))
def test_behind_a_chats_finish_only_the_usage_is_read(client: str, late: int) -> None:
    begun = [chunk(content="Hi"), chunk("stop")]
    usage = event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 4})
    expected, _ = told(client, "openai", [*begun, usage, b"data: [DONE]\n\n"])
    said, stream = told(client, "openai", [*begun, CHAT_LATE[late], usage, b"data: [DONE]\n\n", CHAT_LATE[late]])
    assert (said, stream.finished, stream.failure) == (expected, True, "")
    assert stream.usage().output_tokens == 4
    assert events(said)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("late", range(len(MESSAGES_LATE)))
def test_behind_a_messages_finish_only_the_usage_is_read(client: str, late: int) -> None:
    begun = [
        event(type="message_start", message={"id": "a", "model": "m", "usage": {"input_tokens": 3}}),
        event(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"}),
        event(type="content_block_stop", index=0),
        event(type="message_delta", delta={"stop_reason": "end_turn"}),
    ]
    ended = [event(type="message_delta", usage={"output_tokens": 4}), event(type="message_stop")]
    expected, _ = told(client, "anthropic", [*begun, *ended])
    said, stream = told(client, "anthropic", [*begun, MESSAGES_LATE[late], *ended, MESSAGES_LATE[late]])
    assert (said, stream.finished, stream.failure) == (expected, True, "")
    assert (stream.usage().input_tokens, stream.usage().output_tokens) == (3, 4)
    assert events(said)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_whose_block_did_not_end_keeps_its_arguments(client: str) -> None:
    block = {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 7}}
    pieces = [
        event(type="message_start", message={"id": "a", "model": "m"}),
        event(type="content_block_start", index=0, content_block=block),
        event(type="message_delta", delta={"stop_reason": "tool_use"}),
        event(type="content_block_stop", index=0),
        event(type="message_stop"),
    ]
    said, stream = told(client, "anthropic", pieces)
    assert stream.finished
    assert b'{\\"a\\":7}' in said.replace(b": ", b":")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_sink_writes_nothing_behind_its_end(client: str) -> None:
    sink = client_side(client).write_stream(REPLY)
    sink.begin("a", "m", 1)
    sink.text("Hi")
    begun = sink.take()
    sink.finish("stop")
    sink.end()
    sink.text("late")
    sink.thinking("late")
    sink.call(0, "c", "f", False)
    sink.arguments(0, "{}")
    sink.end()
    said = begun + sink.take()
    assert b"late" not in said
    assert events(said)
    sink.text("later")
    sink.end()
    assert sink.take() == b""


# ---- size


@pytest.mark.parametrize("client", CLIENTS)
def test_many_parts_in_one_event_take_no_more_than_each_its_time(client: str) -> None:
    """40,000: 25 s of one processor where each is put behind a copy of all before it."""
    choices = [{"index": 0, "delta": {"content": "word"}}] * 40_000
    whole = event(choices=choices) + chunk("stop")
    began = time.process_time()
    said, stream = told(client, "openai", [whole])
    assert time.process_time() - began < 2.0
    assert stream.finished
    assert said.count(b'"word"') == 40_000


# ---- bytes that are no text


def test_a_tier_that_is_no_text_is_none() -> None:
    body = b'{"content":[],"stop_reason":"end_turn","usage":{"service_tier":"\xff"}}'
    said, _ = answered("chat", "anthropic", body)
    assert json.loads(said)["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("id_", [b"", b'"id":"c",'])
def test_arguments_that_are_no_text_are_the_providers_failure(id_: bytes) -> None:
    called = b'{"functionCall":{%b"name":"f","args":{"a":"\xff"}}}' % id_
    body = b'{"candidates":[{"content":{"parts":[%b]},"finishReason":"STOP"}]}' % called
    with pytest.raises(UpstreamError):
        answered("chat", "gemini", body)
    with pytest.raises(UpstreamError):
        told("chat", "gemini", [b"data: %b\n\n" % body])


UNREADABLE = [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), RecursionError("deep")]


def way(read: Exception | None, write: Exception | None, usage: Usage) -> Translated:
    def never(*_: object) -> Any:
        raise AssertionError

    def read_answer(body: bytes) -> Answer:
        if read is not None:
            raise read
        return Answer(usage=usage)

    def write_answer(answer: Answer, reply: Reply) -> bytes:
        assert write is not None
        raise write

    client = ClientSide(lambda body, drop: (REQUEST, ()), write_answer, never, {})
    conversation = Conversation(client, b"", False, "tt-1")
    return Translated(conversation, ProviderSide(never, read_answer, never), "openai", "chat")


@pytest.mark.parametrize("error", UNREADABLE)
def test_what_cannot_be_read_is_the_providers_failure(error: Exception) -> None:
    usage = Usage(input_tokens=3, output_tokens=4)
    with pytest.raises(UpstreamError, match=r"^The provider's answer cannot be read") as unread:
        way(error, None, usage).answer(b"")
    assert not isinstance(unread.value, Untranslatable)
    with pytest.raises(Untranslatable, match=r"^The provider's answer cannot be read") as unwritten:
        way(None, error, usage).answer(b"")
    assert unwritten.value.usage is usage


def test_what_cannot_be_said_keeps_its_usage() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "nonsense"}}
    body = {
        "choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    with pytest.raises(Untranslatable, match=r"no JSON object") as error:
        answered("messages", "openai", json.dumps(body).encode())
    assert (error.value.usage.input_tokens, error.value.usage.output_tokens) == (3, 4)
    assert (error.value.status, error.value.code) == (502, "upstream_error")
    assert error.value.why


# ---- what the vendor says may hold the prompt


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("anthropic", {"type": "error", "error": {"type": "api_error", "message": "SECRET"}}),
        ("anthropic", {"type": "error", "error": {"message": "SECRET"}}),
        ("anthropic", {"type": "error", "error": "SECRET"}),
        ("gemini", {"error": {"status": "INTERNAL", "message": "SECRET"}}),
        ("gemini", {"error": {"message": "SECRET"}}),
        ("openai", {"error": {"code": "c", "message": "SECRET"}}),
        ("responses", {"type": "error", "code": "c", "message": "SECRET"}),
    ],
)
def test_of_a_failure_only_the_kind_is_told(provider: str, said: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError) as error:
        told("chat", provider, [event(**said)])
    assert "error" in error.value.why
    assert "SECRET" not in str(error.value)


def test_of_a_failed_models_end_only_the_word_is_told() -> None:
    failed = {"candidates": [{"finishReason": "MALFORMED_RESPONSE", "finishMessage": "SECRET"}]}
    with pytest.raises(UpstreamError, match="MALFORMED_RESPONSE") as error:
        answered("chat", "gemini", json.dumps(failed).encode())
    assert "SECRET" not in str(error.value)
    with pytest.raises(UpstreamError, match="MALFORMED_RESPONSE") as error:
        told("chat", "gemini", [event(**failed)])
    assert "SECRET" not in str(error.value)
