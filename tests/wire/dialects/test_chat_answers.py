"""Whole answers: what providers of chat completions say, and what their clients are told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.request import Reasoning, Request, Tool
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.chat import CLIENT, PROVIDER
from twintrack.wire.usage import Usage

ASKED = Request(model="asked", turns=())


def answer(message: dict[str, Any], finish: str | None = "stop", **members: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    said = {"id": "chatcmpl-A1", "object": "chat.completion", "created": 7, "model": "up", "choices": [choice]}
    return PROVIDER.read_answer(json.dumps({**said, **members}).encode())


# ---- a provider's


def test_an_answer() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert answer({"content": "hi"}, usage=usage, service_tier="flex") == Answer(
        id="chatcmpl-A1", model="up", created=7, parts=(Text("hi"),), usage=Usage(3, 2), service_tier="flex"
    )


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "", "refusal": None, "annotations": None}, ()),
        ({"content": "a", "reasoning_content": "t"}, (Thinking("t"), Text("a"))),
        ({"content": "a", "reasoning": "t"}, (Thinking("t"), Text("a"))),
        ({"content": "a", "reasoning": "t", "reasoning_content": "t"}, (Thinking("t"), Text("a"))),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]},
                    {"type": "text", "text": "a"},
                    {"type": "reference", "reference_ids": [1]},
                    {"type": "text", "text": "b"},
                ]
            },
            (Thinking("t"), Text("ab")),
        ),
        ({"content": None, "refusal": "no"}, (Refusal("no"),)),
        (
            {
                "content": "a",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://a", "title": "A", "start_index": 0, "end_index": 1},
                    },
                    {"type": "url_citation", "url_citation": {"url": "https://b", "content": "words"}},
                    {"type": "file", "file": {"name": "x"}},
                ],
            },
            (Text("a", citations=(Citation("https://a", "A", "", 0, 1), Citation("https://b", "", "words"))),),
        ),
        (
            {
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "ls"}},
                    {"id": "", "function": {"name": "h", "arguments": {"b": [1, 2]}}},
                    {"function": {"name": "i", "arguments": None}},
                ],
            },
            (
                ToolCall("c1", "f", '{"a":1}'),
                ToolCall("c2", "g", "ls", custom=True),
                ToolCall("call_chatcmplA1_2", "h", '{"b":[1, 2]}'),
                ToolCall("call_chatcmplA1_3", "i", "{}"),
            ),
        ),
        (
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
            (ToolCall("call_chatcmplA1_0", "f", "{}"),),
        ),
        (
            {
                "tool_calls": [
                    {"id": "c1", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "s"}}}
                ]
            },
            (
                Thinking("", marked("gemini", "up", "s")),
                ToolCall("c1", "f", "{}", signature=marked("gemini", "up", "s")),
            ),
        ),
    ],
)
def test_what_it_holds(message: dict[str, Any], parts: tuple[Any, ...]) -> None:
    assert answer(message).parts == parts


def test_logprobs() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97]}
    choice = {
        "message": {"content": "a"},
        "finish_reason": "stop",
        "logprobs": {"content": [{**token, "top_logprobs": [token, {"token": "b", "logprob": -9, "bytes": None}]}]},
    }
    (text,) = PROVIDER.read_answer(json.dumps({"choices": [choice]}).encode()).parts
    assert text == Text("a", logprobs=(Logprob("a", -0.5, (97,), (Logprob("a", -0.5, (97,)), Logprob("b", -9.0))),))


@pytest.mark.parametrize(
    ("message", "said", "finish"),
    [
        ({"content": "a"}, "stop", "stop"),
        ({"content": "a"}, "length", "length"),
        ({"content": "a"}, "content_filter", "content_filter"),
        ({"content": "a"}, "eos", "stop"),
        ({"content": "a"}, "unheard", "stop"),
        ({"refusal": "no"}, "stop", "refusal"),
        ({"tool_calls": [{"function": {"name": "f"}}]}, "tool_calls", "tool_calls"),
        ({"tool_calls": [{"function": {"name": "f"}}]}, "stop", "tool_calls"),
        ({"tool_calls": [{"function": {"name": "f"}}]}, "length", "length"),
        ({"function_call": {"name": "f", "arguments": ""}}, "function_call", "tool_calls"),
    ],
)
def test_why_it_ended(message: dict[str, Any], said: str, finish: Finish) -> None:
    assert answer(message, said).finish == finish


@pytest.mark.parametrize(
    ("members", "usage"),
    [
        ({"usage": None}, Usage()),
        ({"usage": {"prompt_tokens": 0, "completion_tokens": 0}}, Usage(0, 0)),
        ({"usage": [1]}, Usage()),
        ({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}}, Usage(3, 2)),
        ({"timings": {"prompt_n": 3, "predicted_n": 2, "cache_n": 1}}, Usage(4, 2, 1)),
    ],
)
def test_usage(members: dict[str, Any], usage: Usage) -> None:
    assert answer({"content": "a"}, **members).usage == usage


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"index":1,"message":{"content":"a"},"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"content":"a"}}]}',
        b'{"choices":[{"message":{"content":"a"},"finish_reason":null}]}',
        b'{"choices":[{"message":{"content":"a"},"finish_reason":"error"}]}',
        b'{"choices":[{"message":{"content":5},"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"tool_calls":[{"id":"x","function":{"arguments":"{}"}}]},"finish_reason":"stop"}]}',
        b'{"error":{"message":"secret prompt","code":"overloaded"}}',
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError) as failed:
        PROVIDER.read_answer(body)
    assert "secret" not in str(failed.value)


# ---- a client's


def told(request: Request = ASKED, **members: Any) -> dict[str, Any]:
    body = CLIENT.write_answer(Answer(**members), Reply(request, "r1", 99))
    ChatCompletion.model_validate_json(body, strict=True)
    return json.loads(body)


def message(*parts: Any, request: Request = ASKED) -> dict[str, Any]:
    return told(request, parts=parts)["choices"][0]["message"]


def test_an_answer_is_told() -> None:
    said = told(
        id="msg_1", model="up", created=5, parts=(Text("hi"),), usage=Usage(3, 2, 1, None, 0), service_tier="default"
    )
    assert said == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 5,
        "model": "up",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "service_tier": "default",
    }


def test_what_a_provider_left_out_is_filled_in() -> None:
    said = told(parts=(Text("hi"),), service_tier="standard")
    assert (said["id"], said["created"], said["model"]) == ("chatcmpl-r1", 99, "asked")
    assert "usage" not in said  # unknown, not zero
    assert "service_tier" not in said


def test_texts_are_joined_and_their_citations_moved() -> None:
    first = Text("One. ", citations=(Citation("https://a", "A"), Citation(quote="of a document")))
    second = Text("Two.", citations=(Citation("https://b", "B", "", 1, 3),))
    said = message(first, second)
    assert said["content"] == "One. Two."
    assert [each["url_citation"] for each in said["annotations"]] == [
        {"url": "https://a", "title": "A", "start_index": 0, "end_index": 5},
        {"url": "https://b", "title": "B", "start_index": 6, "end_index": 8},
    ]


def test_thinking_is_told_so_that_it_can_be_sent_back() -> None:
    thoughts = (Thinking("t", "s"), Thinking(sealed="d", id="rs_1"), Thinking("u"))
    said = message(*thoughts, Text("a"))
    assert said["reasoning_content"] == "t\n\nu"
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}, {**said, "reasoning_content": None}]}
    request, _ = CLIENT.read_request(json.dumps(body).encode(), False)
    assert request.turns[1].parts == (*thoughts[:2], Text("a"))


def test_thinking_is_not_told_if_the_client_wants_none() -> None:
    silent = Request(model="m", turns=(), reasoning=Reasoning("low", show="none"))
    assert set(message(Thinking("t", "s"), Text("a"), request=silent)) == {"role", "content", "refusal", "annotations"}


def test_calls() -> None:
    said = message(
        ToolCall("c1", "f", "", signature="gemini#g#s"),
        ToolCall("c2", "g", '{"input":"say \\"hi\\""}'),
        ToolCall("c3", "h", "raw", custom=True),
        request=Request(model="m", turns=(), tools=(Tool("f"), Tool("g", kind="custom"))),
    )
    assert said["content"] is None
    assert said["tool_calls"] == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "gemini#g#s"}},
        },
        {"id": "c2", "type": "custom", "custom": {"name": "g", "input": 'say "hi"'}},
        {"id": "c3", "type": "custom", "custom": {"name": "h", "input": "raw"}},
    ]


def test_a_client_of_functions_gets_a_function_call() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "functions": [{"name": "f"}]}
    request, _ = CLIENT.read_request(json.dumps(body).encode(), False)
    choice = told(request, parts=(ToolCall("c1", "f", "{}"),), finish="tool_calls")["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "function_call"
    assert "tool_calls" not in choice["message"]


@pytest.mark.parametrize(
    ("finish", "parts", "word"),
    [
        ("stop", (Text("a"),), "stop"),
        ("stop_sequence", (Text("a"),), "stop"),
        ("length", (Text("a"),), "length"),
        ("context", (Text("a"),), "length"),
        ("pause", (Text("a"),), "stop"),
        ("content_filter", (), "content_filter"),
        ("refusal", (Text("a"),), "content_filter"),
        ("refusal", (Refusal("no"),), "stop"),
        ("tool_calls", (ToolCall("c", "f", "{}"),), "tool_calls"),
    ],
)
def test_why_it_ended_is_told(finish: Finish, parts: tuple[Any, ...], word: str) -> None:
    assert told(parts=parts, finish=finish)["choices"][0]["finish_reason"] == word


def test_logprobs_are_told() -> None:
    said = told(parts=(Text("a", logprobs=(Logprob("a", -0.5, (97,), (Logprob("b", -1.0),)),)),))
    assert said["choices"][0]["logprobs"] == {
        "content": [
            {
                "token": "a",
                "logprob": -0.5,
                "bytes": [97],
                "top_logprobs": [{"token": "b", "logprob": -1.0, "bytes": None}],
            }
        ],
        "refusal": None,
    }
