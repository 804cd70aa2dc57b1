"""Chunks as servers send them, and what a sink is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.parts import Citation, Logprob
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.chat.read_stream import ChatReader
from twintrack.wire.passage import TranslatedStream
from twintrack.wire.usage import Usage


class Told:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *said: self.events.append((name, *said))

    def take(self) -> bytes:
        return b""


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "x-1", "created": 7, "model": "up", "choices": [choice], **members}


def read(*chunks: dict[str, Any] | bytes) -> tuple[ChatReader, list[tuple[Any, ...]]]:
    sink = Told()
    reader = ChatReader(sink)
    for each in chunks:
        reader.see(each if isinstance(each, bytes) else json.dumps(each).encode())
    return reader, sink.events


def told(*chunks: dict[str, Any] | bytes) -> list[tuple[Any, ...]]:
    """Of the chunks and a plain end, without the beginning and the end."""
    reader, events = read(*chunks, chunk(finish="stop"), b"[DONE]")
    assert reader.finished
    assert events[0][0] == "begin"
    assert events[-1] == ("end",)
    return [event for event in events[1:-1] if event[0] != "finish"]


def call(**said: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [said]})


def test_a_stream() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    reader, events = read(
        {"id": "", "model": "", "choices": [], "prompt_filter_results": []},  # Azure's
        chunk({"role": "assistant", "content": "", "refusal": None}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo 😀\u0000"}),
        chunk(finish="stop"),
        {**chunk(), "choices": [], "usage": usage},
        b"[DONE]",
    )
    assert events == [
        ("begin", "x-1", "up", 7),
        ("text", "Hel"),
        ("text", "lo 😀\u0000"),
        ("finish", "stop"),
        ("usage", Usage(3, 2)),
        ("end",),
    ]
    assert (reader.content, reader.finished, reader.failure, reader.usage) == (True, True, "", Usage(3, 2))
    reader.close()
    assert events[-2:] == [("usage", Usage(3, 2)), ("end",)]


def test_content_is_seen_with_the_first_of_it() -> None:
    for delta in (
        {"content": "a"},
        {"reasoning_content": "a"},
        {"reasoning": "a"},
        {"refusal": "a"},
        {"tool_calls": [{"index": 0, "id": "c"}]},
        {"function_call": {"name": "f"}},
    ):
        reader, _ = read(chunk({"role": "assistant", "content": ""}))
        assert not reader.content
        reader.see(json.dumps(chunk(delta)).encode())
        assert reader.content


@pytest.mark.parametrize(
    ("delta", "events"),
    [
        ({"reasoning_content": "t"}, [("thinking", "t")]),
        ({"reasoning": "t", "content": None}, [("thinking", "t")]),
        ({"reasoning": "t", "reasoning_content": "t", "content": "a"}, [("thinking", "t"), ("text", "a")]),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}]}, [("thinking", "t")]),
        ({"content": [{"type": "text", "text": "a"}]}, [("text", "a", ())]),
        ({"refusal": "no"}, [("refusal", "no")]),
        (
            {
                "content": "a",
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://a", "title": "A", "start_index": 1, "end_index": 2},
                    }
                ],
            },
            [("text", "a"), ("citation", Citation("https://a", "A", "", 1, 2))],
        ),
    ],
)
def test_deltas(delta: dict[str, Any], events: list[tuple[Any, ...]]) -> None:
    assert told(chunk(delta)) == events


def test_logprobs() -> None:
    said = chunk({"content": "a"})
    said["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1, "bytes": None, "top_logprobs": []}]}
    assert told(said) == [("text", "a", (Logprob("a", -1.0),))]


# ---- tool calls, as servers differ in them

F = {"name": "f", "arguments": ""}
ONE = [("call", 0, "c1", "f", False), ("arguments", 0, '{"a"'), ("arguments", 0, ":1}")]
TWO = [
    ("call", 0, "c1", "f", False),
    ("arguments", 0, '{"a":1}'),
    ("call", 1, "c2", "f", False),
    ("arguments", 1, '{"b":2}'),
]
WHOLE_1 = {"name": "f", "arguments": '{"a":1}'}
WHOLE_2 = {"name": "f", "arguments": '{"b":2}'}

CALLS: list[tuple[str, list[dict[str, Any]], list[tuple[Any, ...]]]] = [
    (
        "OpenAI's",
        [
            call(index=0, id="c1", type="function", function=F),
            call(index=0, function={"arguments": '{"a"'}),
            call(index=0, function={"arguments": ":1}"}),
        ],
        ONE,
    ),
    (
        "id and name in every chunk",
        [
            call(index=0, id="c1", function={"name": "f", "arguments": '{"a"'}),
            call(index=0, id="c1", function={"name": "f", "arguments": ":1}"}),
        ],
        ONE,
    ),
    (
        "another id in every chunk",
        [
            call(index=0, id="c1", function={"name": "f", "arguments": '{"a"'}),
            call(index=0, id="c9", function={"arguments": ":1}"}),
        ],
        ONE,
    ),
    (
        "no index",
        [
            call(id="c1", function=F),
            call(function={"arguments": '{"a"'}),
            call(id="c1", function={"name": None, "arguments": ":1}"}),
        ],
        ONE,
    ),
    (
        "the name after the id",
        [
            call(index=0, id="c1"),
            call(index=0, function={"arguments": '{"a"'}),
            call(index=0, function={"name": "f"}),
            call(index=0, function={"arguments": ":1}"}),
        ],
        ONE,
    ),
    (
        "two at once, whole",
        [
            chunk(
                {
                    "tool_calls": [
                        {"index": 0, "id": "c1", "function": WHOLE_1},
                        {"index": 1, "id": "c2", "function": WHOLE_2},
                    ]
                }
            )
        ],
        TWO,
    ),
    (
        "two at once, without an index",
        [chunk({"tool_calls": [{"id": "c1", "function": WHOLE_1}, {"id": "c2", "function": WHOLE_2}]})],
        TWO,
    ),
    (
        "two, both at index 0",
        [call(index=0, id="c1", function=WHOLE_1), call(index=0, id="c2", function=WHOLE_2)],
        TWO,
    ),
    (
        "two in turns",
        [
            call(index=0, id="c1", function=F),
            call(index=1, id="c2", function={"name": "g"}),
            call(index=0, function={"arguments": "{"}),
            call(index=1, function={"arguments": "{}"}),
            call(index=0, function={"arguments": "}"}),
        ],
        [
            ("call", 0, "c1", "f", False),
            ("call", 1, "c2", "g", False),
            ("arguments", 0, "{"),
            ("arguments", 1, "{}"),
            ("arguments", 0, "}"),
        ],
    ),
    (
        "indexes from 1",
        [call(index=1, id="c1", function=WHOLE_1), call(index=2, id="c2", function=WHOLE_2)],
        TWO,
    ),
    (
        "neither index nor id",
        [call(function=WHOLE_1), call(function=WHOLE_2)],
        [
            ("call", 0, "call_x1_0", "f", False),
            ("arguments", 0, '{"a":1}'),
            ("call", 1, "call_x1_1", "f", False),
            ("arguments", 1, '{"b":2}'),
        ],
    ),
    (
        "an object as arguments",
        [call(index=0, id="c1", function={"name": "f", "arguments": {"a": 1}})],
        [("call", 0, "c1", "f", False), ("arguments", 0, '{"a":1}')],
    ),
    ("no arguments", [call(index=0, id="c1", function={"name": "f"})], [("call", 0, "c1", "f", False)]),
    (
        "the older function call",
        [chunk({"function_call": {"name": "f", "arguments": ""}}), chunk({"function_call": {"arguments": "{}"}})],
        [("call", 0, "call_x1_0", "f", False), ("arguments", 0, "{}")],
    ),
    (
        "a custom tool",
        [
            call(index=0, id="c1", type="custom", custom={"name": "sh", "input": ""}),
            call(index=0, custom={"input": "l"}),
            call(index=0, custom={"input": "s"}),
        ],
        [("call", 0, "c1", "sh", True), ("arguments", 0, "l"), ("arguments", 0, "s")],
    ),
    (
        "Google's signature",
        [call(index=0, id="c1", function=WHOLE_1, extra_content={"google": {"thought_signature": "s"}})],
        [("thinking", ""), ("signature", marked("gemini", "up", "s")), *TWO[:2]],
    ),
]


@pytest.mark.parametrize(("chunks", "events"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_tool_calls(chunks: list[dict[str, Any]], events: list[tuple[Any, ...]]) -> None:
    assert told(*chunks) == events


def test_calls_end_with_their_own_reason_whatever_the_server_says() -> None:
    _, events = read(call(index=0, id="c1", function=WHOLE_1), chunk(finish="stop"))
    assert events[-1] == ("finish", "tool_calls")
    _, events = read(chunk({"refusal": "no"}), chunk(finish="stop"))
    assert events[-1] == ("finish", "refusal")


def test_a_call_without_a_name_is_the_providers_fault() -> None:
    with pytest.raises(UpstreamError):
        read(call(index=0, id="c1", function={"arguments": "{}"}), chunk(finish="tool_calls"))


# ---- usage and ends


@pytest.mark.parametrize(
    "last",
    [
        chunk(finish="stop", usage={"prompt_tokens": 3, "completion_tokens": 2}),
        {**chunk(finish="stop"), "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}},
        {"choices": [{"delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}]},
        chunk(finish="stop", timings={"prompt_n": 3, "predicted_n": 2}),
    ],
    ids=["beside", "groq", "moonshot", "llama.cpp"],
)
def test_usage_beside_the_last_choice(last: dict[str, Any]) -> None:
    reader, events = read(chunk({"content": "a"}), last)
    assert (reader.usage.input_tokens, reader.usage.output_tokens) == (3, 2)
    assert events[-1] == ("usage", reader.usage)


def test_usage_that_is_none_changes_nothing() -> None:
    reader, _ = read(chunk({"content": "a"}, usage={"prompt_tokens": 3}), chunk(finish="stop", usage=None))
    assert reader.usage == Usage(3)
    assert read(chunk({"content": "a"}, usage={"prompt_tokens": 0, "completion_tokens": 0}))[0].usage == Usage(0, 0)


def test_an_end_without_done_is_told_when_the_stream_closes() -> None:
    reader, events = read(chunk({"content": "a"}), chunk(finish="length"))
    assert events[-1] == ("finish", "length")
    reader.close()
    reader.close()
    assert events[-1] == ("end",)
    assert events.count(("end",)) == 1


@pytest.mark.parametrize("end", [[], [b"[DONE]"]], ids=["closed", "done"])
def test_an_answer_without_a_finish_reason_is_not_complete(end: list[bytes]) -> None:
    reader, events = read(chunk({"content": "a"}), *end)
    reader.close()
    assert not reader.finished
    assert ("end",) not in events


def test_an_empty_finish_reason_is_none() -> None:
    reader, events = read(chunk({"content": "a"}, ""), chunk({"content": "b"}, ""))
    assert not reader.finished
    assert [event[0] for event in events] == ["begin", "text", "text"]


def test_a_finish_reason_twice_is_told_once() -> None:
    _, events = read(chunk({"content": "a"}, "stop"), chunk(finish="stop"))
    assert [event[0] for event in events].count("finish") == 1


@pytest.mark.parametrize(
    ("last", "failure"),
    [
        ({"error": {"message": "the prompt", "type": "server_error", "code": 500}}, "error event (500)"),
        ({"error": {"message": "the prompt", "type": "overloaded", "code": None}}, "error event (overloaded)"),
        ({"error": "the prompt"}, "error event"),
        ({"object": "error", "message": "the prompt"}, "error event"),
        (chunk(finish="error"), "its finish reason is error"),
        (chunk(finish="insufficient_system_resource"), "its finish reason is insufficient_system_resource"),
    ],
)
def test_a_failure_inside_the_stream(last: dict[str, Any], failure: str) -> None:
    for before in ([], [chunk({"content": "a"})]):
        reader, events = read(*before, last)
        assert reader.failure == failure
        reader.close()
        assert not reader.finished
        assert ("end",) not in events


@pytest.mark.parametrize(
    "payload",
    [b"nothing", b"[]", b'{"choices":{}}', b'{"choices":[{"delta":{"content":5}}]}', b'"\xff"', b"[" * 100_000],
)
def test_what_is_no_chunk(payload: bytes) -> None:
    with pytest.raises(UpstreamError):
        read(chunk({"content": "a"}), payload)
    with pytest.raises(UpstreamError):
        read(payload)


def test_other_choices_are_passed_over() -> None:
    said = chunk({"content": "a"})
    said["choices"].insert(0, {"index": 1, "delta": {"content": "no"}, "finish_reason": "stop"})
    assert told(said) == [("text", "a")]


def test_a_choice_may_have_no_index() -> None:
    said = chunk({"content": "a"})
    said["choices"][0]["index"] = None
    assert told(said) == [("text", "a")]


def test_events_may_be_cut_anywhere() -> None:
    chunks = [chunk({"content": "é😀"}), call(index=0, id="c1", function=WHOLE_1), chunk(finish="stop")]
    raw = b"".join(b"data: %b\n\n" % json.dumps(each, ensure_ascii=False).encode() for each in chunks)
    raw += b"data: [DONE]\n\n"
    expected = read(*chunks, b"[DONE]")[1]
    for at in range(1, len(raw)):
        sink = Told()
        stream = TranslatedStream(sink, ChatReader)
        stream.feed(raw[:at])
        stream.feed(raw[at:])
        stream.close()
        assert sink.events == expected
        assert stream.finished
