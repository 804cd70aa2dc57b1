"""Anthropic messages: a whole answer from a provider, and one to a client."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.request import Request
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.messages import CLIENT, PROVIDER
from twintrack.wire.usage import Usage

REPLY = Reply(Request(model="route", turns=()), "tt-1", 1_700_000_000)
HELLO = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hi", "citations": None}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "service_tier": "standard"},
}


def read(**more: Any) -> Answer:
    return PROVIDER.read_answer(json.dumps(HELLO | more).encode())


def write(**more: Any) -> dict[str, Any]:
    body = CLIENT.write_answer(Answer(**more), REPLY)
    assert Message.model_validate_json(body, strict=False)
    assert BetaMessage.model_validate_json(body, strict=False)
    found: dict[str, Any] = json.loads(body)
    return found


# ---- from a provider


def test_an_answer_is_read() -> None:
    assert read() == Answer(id="msg_1", model="claude", parts=(Text("Hi"),), usage=Usage(3, 2), service_tier="standard")


def test_blocks_are_parts_and_those_of_the_providers_own_tools_are_passed_over() -> None:
    location = {"type": "char_location", "cited_text": "q", "document_title": "T", "document_index": 0}
    answer = read(
        content=[
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "thinking", "thinking": "", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eA=="},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "https://x"}]},
            {"type": "text", "text": "", "citations": None},
            {"type": "text", "text": "as it says", "citations": [location]},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}, "caller": {"type": "direct"}},
            {"type": "of_tomorrow", "text": 5 * "x"},
        ],
        stop_reason="tool_use",
    )
    citation = Citation("", "T", "q", 0, 10, msgspec.Raw(json.dumps(location).encode()))
    assert answer.parts == (
        Thinking("hm", "c2ln"),
        Thinking("", "c2ln"),
        Thinking(sealed="eA=="),
        Text("as it says", citations=(citation,)),
        ToolCall("a", "f", '{"x": 1}'),
    )
    assert answer.finish == "tool_calls"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "context"),
        ("compaction", "stop"),
        ("of_tomorrow", "stop"),
    ],
)
def test_why_it_ended(reason: str, finish: Finish) -> None:
    assert read(stop_reason=reason).finish == finish


def test_thinking_that_another_gateway_could_not_sign_is_not_signed() -> None:
    answer = read(content=[{"type": "thinking", "thinking": "hm", "signature": "##"}])
    assert answer.parts == (Thinking("hm"),)


def test_which_sequence_stopped_it() -> None:
    assert read(stop_reason="stop_sequence", stop_sequence="END").stop_sequence == "END"


def test_why_it_was_refused_is_part_of_the_answer() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not that."}
    answer = read(content=[], stop_reason="refusal", stop_details=details)
    assert (answer.parts, answer.finish) == ((Refusal("Not that."),), "refusal")


def test_cached_tokens_are_counted_in() -> None:
    usage = {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 0}
    assert read(usage=usage).usage == Usage(13, 2, 10, 0)
    assert read(usage=None).usage == Usage()
    assert read(usage={"service_tier": 5}).usage == Usage()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}',
        b'{"content":"Hi","stop_reason":"end_turn"}',
        b'{"content":[],"stop_reason":null}',
        b'{"content":[{"type":"tool_use","id":"a","name":"f","input":"{}"}],"stop_reason":"tool_use"}',
        b'{"content":[{"type":"text","text":5}],"stop_reason":"end_turn"}',
        b'{"content":[{"text":"x"}],"stop_reason":"end_turn"}',
        b'{"content":[{"type":"text","text":"x","citations":[5]}],"stop_reason":"end_turn"}',
        b'{"content":[{"type":"text","text":"\xff"}],"stop_reason":"end_turn"}',
        b'{"content":[],"stop_reason":"end_turn"',
        b"[" * 99_999,
    ],
)
def test_what_is_no_whole_message_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        PROVIDER.read_answer(body)


# ---- to a client


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ((), []),
        (
            (Text("a\u0000\U0001f600", logprobs=(Logprob("a", -1.0),)), Text("")),
            [{"type": "text", "text": "a\u0000\U0001f600"}],
        ),
        (
            (Text("as it says", citations=(Citation("https://x", "T", start=0, end=2), Citation(title="no address"))),),
            [
                {
                    "type": "text",
                    "text": "as it says",
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "cited_text": "as",
                            "encrypted_index": "",
                            "title": "T",
                            "url": "https://x",
                        }
                    ],
                }
            ],
        ),
        ((Thinking("hm"),), [{"type": "thinking", "thinking": "hm", "signature": "##"}]),
        (
            (Thinking("", marked("gemini", "g", "c2ln")),),
            [{"type": "thinking", "thinking": "", "signature": "gemini#g#c2ln"}],
        ),
        (
            (Thinking("sum", sealed=marked("responses", "", "gAAA"), id="rs_1"),),
            [
                {"type": "thinking", "thinking": "sum", "signature": "##"},
                {"type": "redacted_thinking", "data": "responses##gAAA"},
            ],
        ),
        (
            (ToolCall("call_1", "f", '{"x":1.0}'), ToolCall("call.2", "g", "")),
            [
                {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1.0}},
                {"type": "tool_use", "id": "toolu_e2dcc3a9a9bd2c5b8b2a3ba9", "name": "g", "input": {}},
            ],
        ),
        ((Refusal("No."),), [{"type": "text", "text": "No."}]),
    ],
)
def test_parts_are_blocks(parts: tuple[Part, ...], content: list[dict[str, Any]]) -> None:
    found = write(parts=parts)["content"]
    for block in (*found, *content):
        if block["type"] == "tool_use" and block["id"].startswith("toolu_"):
            block["id"] = "ours"
    assert found == content


def test_the_rest_of_a_message() -> None:
    found = write(
        id="chatcmpl-1", model="gpt", parts=(Text("Hi"),), usage=Usage(13, 5, 10, 0, 3), stop_sequence="", created=5
    )
    assert found == {
        "type": "message",
        "id": "chatcmpl-1",
        "role": "assistant",
        "model": "gpt",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "output_tokens": 5,
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    }


def test_what_the_provider_did_not_say_is_ours() -> None:
    found = write()
    assert (found["id"], found["model"]) == ("tt-1", "route")
    assert found["usage"] == {"input_tokens": 0, "output_tokens": 0}


@pytest.mark.parametrize(
    ("finish", "parts", "reason"),
    [
        ("stop", (), "end_turn"),
        ("stop", (ToolCall("a", "f", "{}"),), "tool_use"),
        ("tool_calls", (ToolCall("a", "f", "{}"),), "tool_use"),
        ("stop", (Refusal("No."),), "refusal"),
        ("stop_sequence", (), "stop_sequence"),
        ("length", (), "max_tokens"),
        ("content_filter", (), "refusal"),
        ("refusal", (), "refusal"),
        ("pause", (), "pause_turn"),
        ("context", (), "model_context_window_exceeded"),
    ],
)
def test_ends_have_the_dialects_words(finish: Finish, parts: tuple[Part, ...], reason: str) -> None:
    found = write(finish=finish, parts=parts)
    assert found["stop_reason"] == reason
    assert ("stop_details" in found) is (reason == "refusal")


def test_a_refusal_says_why() -> None:
    details = write(finish="stop", parts=(Refusal("No."), Refusal("Not that.")))["stop_details"]
    assert details == {"type": "refusal", "category": None, "explanation": "No.\nNot that."}


def test_a_call_that_was_cut_is_left_out_and_one_that_is_broken_fails() -> None:
    call = ToolCall("a", "f", '{"x":')
    assert write(finish="length", parts=(Text("a"), call))["content"] == [{"type": "text", "text": "a"}]
    with pytest.raises(UpstreamError, match="no JSON object"):
        CLIENT.write_answer(Answer(parts=(call,), finish="tool_calls"), REPLY)
