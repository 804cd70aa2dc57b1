"""Streams and answers with the values back in them, in each client's dialect."""

from __future__ import annotations

import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.wire import sse
from twintrack.wire.canonical.answer import Reply, Sink
from twintrack.wire.canonical.parts import Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.request import Request, Tool, Turn
from twintrack.wire.gathered import Gathered
from twintrack.wire.placeholders import Placeholders
from twintrack.wire.restored import RestoredStream, asks_json, restored_answer
from twintrack.wire.translators import client_side, provider_side

VALUES = {
    "EMAIL_kgqjmznx": "bob@example.com",
    "DE_PHONE_xxjjjjxg": "0151 23",
    "ROAD_qnqnqnqn": 'Flat "2"\n\\Main St',
}
KNOWN = Placeholders(VALUES)
DIALECT = {"chat": "openai", "messages": "anthropic", "responses": "responses"}
GOLDEN = Path(__file__).parent / "golden" / "streams"
ASKED = Request(
    model="auto",
    turns=(Turn("user", (Text("Hello"),)),),
    stream=True,
    stream_usage=True,
    tools=(Tool("send"), Tool("write", kind="custom")),
)

words = st.lists(
    st.sampled_from([*VALUES, *VALUES, *(each[:-1] for each in VALUES), "EMAIL", "e", r"\_", " ", "x", "é", "qnqn"]),
    min_size=1,
    max_size=6,
).map("".join)
arguments = st.dictionaries(st.sampled_from(["to", "EMAIL_kgqjmznx"]), words, min_size=1).map(json.dumps)


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted(draw(st.lists(st.integers(1, max(len(text) - 1, 1)), max_size=6)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True) if end > start]


@st.composite
def answers(draw: st.DrawFn, custom: bool) -> tuple[list[Part], list[tuple[Part, list[str]]]]:
    said: list[tuple[Part, list[str]]] = []
    for kind in draw(st.lists(st.sampled_from(["thinking", "text", "call", "write"]), min_size=1, max_size=4)):
        part: Part
        if kind == "thinking" and said and isinstance(said[-1][0], Thinking):
            continue  # readers take two in a row for one
        if kind == "thinking":
            part = Thinking(text := draw(words))
        elif kind == "text":
            part = Text(text := draw(words))
        elif kind == "call" or not custom:
            part = ToolCall(f"call_{len(said)}", "send", text := draw(arguments))
        else:
            part = ToolCall(f"call_{len(said)}", "write", text := draw(words), custom=True)
        said.append((part, draw(cut(text))))
    return [part for part, _ in said], said


def told(sink: Sink, said: list[tuple[Part, list[str]]]) -> bytes:
    sink.begin("a1", "m", 1)
    calls = 0
    for part, pieces in said:
        sink.boundary()
        if isinstance(part, ToolCall):
            sink.call(calls, part.id, part.name, part.custom)
        for piece in pieces:
            match part:
                case Text():
                    sink.text(piece)
                case Thinking():
                    sink.thinking(piece)
                case Refusal():
                    sink.refusal(piece)
                case ToolCall():
                    sink.arguments(calls, piece)
        calls += isinstance(part, ToolCall)
    sink.finish("stop")
    sink.end()
    return sink.take()


def restored(dialect: str, data: bytes, cuts: list[int], *, json_texts: bool = False) -> bytes:
    stream = RestoredStream(dialect, KNOWN, json_texts=json_texts)
    places = sorted(min(at, len(data)) for at in cuts)
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    return b"".join(map(stream.feed, pieces)) + stream.close()


def heard(dialect: str, stream: bytes) -> tuple[Part, ...]:
    gathered = Gathered()
    reader = provider_side(dialect).read_stream(gathered)
    for payload in sse.payloads(stream):
        reader.see(payload)
    reader.close()
    assert reader.finished
    return gathered.parts


def with_values(part: Part) -> Part:
    match part:
        case ToolCall():
            arguments = KNOWN.restore(part.arguments, json=not part.custom)
            return msgspec.structs.replace(part, arguments=arguments)
        case Text() | Thinking():
            return msgspec.structs.replace(part, text=KNOWN.restore(part.text))
        case _:
            return part


@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize("endpoint", DIALECT)
def test_a_stream_cut_anywhere_says_what_the_whole_answer_says(endpoint: str, data: st.DataObject) -> None:
    _, said = data.draw(answers(endpoint != "messages"))
    sent = told(client_side(endpoint).write_stream(Reply(ASKED, "tt-1", 1)), said)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=6))
    got = restored(DIALECT[endpoint], sent, cuts)
    expected = [with_values(part) for part in texts(endpoint, sent)]
    assert texts(endpoint, got) == expected
    assert all(each[-8:].encode() not in got for each in VALUES)  # nor in an event that says all of it again
    assert kinds(got) == kinds(sent)  # nothing added, nothing left out, and in order
    assert restored(DIALECT[endpoint], sent, list(range(len(sent)))) == got


def texts(endpoint: str, stream: bytes) -> list[Part]:
    """As a client puts them together: in chat all text of an answer is one text, and so is its thinking."""
    parts = heard(DIALECT[endpoint], stream)
    if endpoint != "chat":
        return list(parts)
    text = "".join(part.text for part in parts if isinstance(part, Text))
    thinking = "".join(part.text for part in parts if isinstance(part, Thinking))
    return [Thinking(thinking), Text(text), *(part for part in parts if isinstance(part, ToolCall))]


def kinds(stream: bytes) -> list[Any]:
    found = []
    for payload in sse.payloads(stream):
        event = {} if payload == b"[DONE]" else json.loads(payload)
        found.append((event.get("type"), event.get("sequence_number"), event.get("index"), event.get("usage")))
    return found


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.sse")), ids=lambda path: path.stem)
def test_a_stream_without_placeholders_passes_byte_by_byte(path: Path) -> None:
    dialect = path.stem.rpartition(".")[2].rpartition("-")[2]
    if dialect == "gemini":
        return  # nobody's client
    data = path.read_bytes()
    unknown = Placeholders({"ÄÖÜ_kgqjmznx": "x"})  # no text ends in a start of it
    stream = RestoredStream(DIALECT[dialect], unknown, json_texts=False)
    assert b"".join(stream.feed(data[at : at + 7]) for at in range(0, len(data), 7)) + stream.close() == data


def test_an_event_waits_for_the_rest_of_a_placeholder_and_no_longer() -> None:
    stream = RestoredStream("openai", KNOWN, json_texts=False)
    assert b"to you: " in stream.feed(chunk("to you: "))
    assert stream.feed(chunk("EMA")) == b""
    assert stream.feed(b": still waiting\n\n") == b": still waiting\n\n"  # a sign of life does
    assert stream.feed(chunk("IL_kgqj")) == chunk("")
    assert stream.feed(chunk("mznx, b")) == chunk("") + chunk("bob@example.com, b")
    assert stream.feed(chunk("y D")) == b""
    assert stream.feed(chunk("", finish="stop")) == chunk("y D") + chunk("", finish="stop")


def test_several_answers_do_not_mix() -> None:
    stream = RestoredStream("openai", KNOWN, json_texts=False)
    got = b"".join(
        stream.feed(chunk(piece, index))
        for index, piece in [(0, "EMAIL_kg"), (1, "DE_PHONE_xxjj"), (0, "qjmznx"), (1, "jjxg")]
    ) + stream.feed(b"data: [DONE]\n\n")
    assert said_by(got) == {0: "bob@example.com", 1: "0151 23"}


def test_thinking_that_ends_like_a_placeholder_does_not_hold_the_text_back_for_long() -> None:
    stream = RestoredStream("openai", KNOWN, json_texts=False)
    assert stream.feed(chunk("", reasoning_content="so D")) == b""
    passed = [stream.feed(chunk("word ")) for _ in range(10)]
    assert passed[0] == b""
    assert b"so D" in b"".join(passed)


def test_a_stream_that_breaks_off_loses_nothing_of_what_waited() -> None:
    stream = RestoredStream("openai", KNOWN, json_texts=False)
    assert stream.feed(chunk("to EMAIL_kg") + b'data: {"cho') == b""
    assert stream.close() == chunk("to EMAIL_kg") + b'data: {"cho'


def test_json_asked_for_stays_json() -> None:
    piece = json.dumps({"address": "ROAD_qnqnqnqn"})
    got = restored("openai", chunk(piece) + b"data: [DONE]\n\n", [], json_texts=True)
    assert json.loads(said_by(got)[0]) == {"address": VALUES["ROAD_qnqnqnqn"]}
    answer = json.dumps({"choices": [{"message": {"content": piece}}]}).encode()
    whole = json.loads(restored_answer(answer, KNOWN, json_texts=True))
    assert json.loads(whole["choices"][0]["message"]["content"]) == {"address": VALUES["ROAD_qnqnqnqn"]}


def test_whole_answers_are_restored_in_texts_arguments_and_names() -> None:
    call = {"name": "send", "arguments": json.dumps({"to": "ROAD_qnqnqnqn"})}
    answer = {
        "unknown": {"EMAIL_kgqjmznx": ["email_kgqjmznx"]},
        "choices": [{"message": {"content": "EMAIL_kgqjmznx", "tool_calls": [{"function": call}]}}],
        "usage": {"total_tokens": 7},
    }
    got = json.loads(restored_answer(json.dumps(answer).encode(), KNOWN, json_texts=False))
    assert got["unknown"] == {"bob@example.com": ["bob@example.com"]}
    message = got["choices"][0]["message"]
    assert message["content"] == "bob@example.com"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"to": VALUES["ROAD_qnqnqnqn"]}
    plain = b'{"choices": [], "n": 1.50}'
    assert restored_answer(plain, KNOWN, json_texts=False) is plain
    assert restored_answer(b"EMAIL_kgqjmznx <html>", KNOWN, json_texts=False) == b"EMAIL_kgqjmznx <html>"


def chunk(content: str, index: int = 0, finish: str | None = None, **more: str) -> bytes:
    delta = {"content": content, **more}
    event = {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}
    return b"data: " + msgspec.json.encode(event) + b"\n\n"


def said_by(stream: bytes) -> dict[int, str]:
    said: dict[int, str] = {}
    for payload in sse.payloads(stream):
        for choice in json.loads(payload)["choices"] if payload != b"[DONE]" else ():
            said[choice["index"]] = said.get(choice["index"], "") + choice["delta"]["content"]
    return said


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, True),
        ({"response_format": {"type": "text"}}, False),
        ({"text": {"format": {"type": "json_object"}}}, True),
        ({"output_config": {"format": {"type": "json_schema"}}}, True),
        ({"output_format": {"type": "json_schema"}}, True),
        ({"messages": []}, False),
        ({"text": "json"}, False),
    ],
)
def test_whether_json_was_asked_for(body: dict[str, Any], asked: bool) -> None:
    assert asks_json(json.dumps(body).encode()) is asked


def test_whatever_is_nested_too_deeply_goes_on_as_it_came() -> None:
    def nested(levels: int) -> bytes:
        return b'{"choices": [], "x": ' + b"[" * levels + b'"EMAIL_kgqjmznx"' + b"]" * levels + b"}"

    def readable(levels: int) -> bool:
        try:
            msgspec.json.decode(nested(levels))
        except RecursionError:
            return False
        return True

    deepest = bisect_left(range(100_000), True, key=lambda levels: not readable(levels))
    as_it_came = set()
    for levels in (*range(deepest - 25, deepest + 2), deepest + 50, deepest + 500):  # how deep differs by who asks
        event = b"data: " + nested(levels) + b"\n\n"
        answer = restored_answer(nested(levels), KNOWN, json_texts=False)
        streamed = RestoredStream("openai", KNOWN, json_texts=False).feed(event)
        assert (b"bob@" in answer) or answer == nested(levels)
        assert (b"bob@" in streamed) or streamed == event
        as_it_came.add((answer == nested(levels), streamed == event))
    assert {(False, False), (True, True)} <= as_it_came
