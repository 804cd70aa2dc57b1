"""Streamed responses: what is told of a provider's, and what clients put together from ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from twintrack.errors import UpstreamError
from twintrack.wire import sse
from twintrack.wire.canonical.answer import Answer, Finish, Reader, Reply, Sink
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.request import Request, Tool, Turn
from twintrack.wire.dialects.responses import CLIENT, PROVIDER
from twintrack.wire.usage import Usage

HELLO = Request(model="auto", turns=(Turn("user", (Text("Hello"),)),))
USAGE = {
    "input_tokens": 12,
    "output_tokens": 7,
    "total_tokens": 19,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 3},
}
COUNTED = Usage(12, 7, 4, 0, 3)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class Told:
    """A sink that notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*said: Any) -> None:
            self.calls.append((name, *said))

        return note


def event(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, "sequence_number": 1} | members).encode()


def text(piece: str, index: int = 0, **more: Any) -> bytes:
    return event("response.output_text.delta", delta=piece, output_index=index, content_index=0, logprobs=[], **more)


def item(kind: str, index: int = 0, done: bool = False, **members: Any) -> bytes:
    return event(
        f"response.output_item.{'done' if done else 'added'}", output_index=index, item={"type": kind} | members
    )


def last(kind: str = "completed", **members: Any) -> bytes:
    return event(f"response.{kind}", response={"id": "resp_1", "status": kind, "usage": USAGE, "output": []} | members)


CREATED = event("response.created", response={"id": "resp_1", "model": "gpt", "created_at": 5, "status": "in_progress"})
BEGIN = ("begin", "resp_1", "gpt", 5)
END = [("usage", COUNTED), ("finish", "stop"), ("end",)]


def seen(*payloads: bytes) -> tuple[Reader, list[tuple[Any, ...]]]:
    told = Told()
    reader = PROVIDER.read_stream(told)
    for payload in payloads:
        reader.see(payload)
    reader.close()
    return reader, told.calls


# ---- reading


def test_a_text() -> None:
    reader, told = seen(
        CREATED,
        event("response.in_progress", response={"id": "resp_1"}),
        item("message", content=[], status="in_progress"),
        event("response.content_part.added", output_index=0, part={"type": "output_text", "text": ""}),
        text("He", obfuscation="abc"),
        text("llo"),
        text(""),
        event("response.output_text.done", text="Hello", output_index=0),
        event("response.content_part.done", output_index=0, part={"type": "output_text", "text": "Hello"}),
        item("message", done=True, content=[{"type": "output_text", "text": "Hello"}]),
        last(output=[{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]),
        b"[DONE]",
    )
    assert told == [BEGIN, ("text", "He", ()), ("text", "llo"), *END]
    assert (reader.content, reader.finished, reader.failure, reader.usage) == (True, True, "", COUNTED)


def test_reasoning_citations_probabilities_and_refusals() -> None:
    logprob = {"token": "H", "logprob": -0.5, "top_logprobs": [{"token": "B", "logprob": -1}]}
    cited = {"type": "url_citation", "url": "u", "title": "T", "start_index": 0, "end_index": 1}
    _, told = seen(
        CREATED,
        item("reasoning", summary=[]),
        event("response.reasoning_summary_part.added", output_index=0, summary_index=0, part={"type": "summary_text"}),
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a"),
        event("response.reasoning_text.delta", output_index=0, content_index=0, delta="the same, unabridged"),
        event("response.reasoning_summary_part.added", output_index=0, summary_index=1, part={"type": "summary_text"}),
        event("response.reasoning_summary_text.delta", output_index=0, summary_index=1, delta="b"),
        item("reasoning", done=True, id="rs_1", summary=[{"text": "a"}, {"text": "b"}], encrypted_content="gAAAA"),
        item("message", 1),
        event("response.output_text.delta", delta="H", output_index=1, logprobs=[logprob]),
        event("response.output_text.annotation.added", output_index=1, annotation=cited),
        event("response.content_part.added", output_index=1, part={"type": "output_text"}),
        text("i", 1),
        event("response.refusal.delta", output_index=1, delta="No"),
        item("message", 2),
        text("!", 2),
        last(),
    )  # fmt: skip
    assert told == [
        BEGIN,
        ("thinking", "a"),
        ("thinking", "\n\n"),
        ("thinking", "b"),
        ("sealed", "responses#gpt#gAAAA", "rs_1"),
        ("text", "H", (Logprob("H", -0.5, None, (Logprob("B", -1.0),)),)),
        ("citation", Citation("u", "T", start=0, end=1)),
        ("boundary",),
        ("text", "i"),
        ("refusal", "No"),
        ("text", "!", ()),
        ("usage", COUNTED),
        ("finish", "refusal"),
        ("end",),
    ]


def test_tool_calls() -> None:
    _, told = seen(
        CREATED,
        item("function_call", 0, call_id="c1", name="f", arguments=""),
        event("response.function_call_arguments.delta", output_index=0, delta='{"a"'),
        item("custom_tool_call", 1, call_id="c2", name="g", input=""),
        event("response.custom_tool_call_input.delta", output_index=1, delta="any"),
        event("response.function_call_arguments.delta", output_index=0, delta=":1}"),
        event("response.function_call_arguments.done", output_index=0, arguments='{"a":1}'),
        item("function_call", 0, True, call_id="c1", name="f", arguments='{"a":1}'),
        item("custom_tool_call", 1, True, call_id="c2", name="g", input="any"),
        last(),
    )
    assert told == [
        BEGIN,
        ("call", 0, "c1", "f", False),
        ("arguments", 0, '{"a"'),
        ("call", 1, "c2", "g", True),
        ("arguments", 1, "any"),
        ("arguments", 0, ":1}"),
        ("usage", COUNTED),
        ("finish", "tool_calls"),
        ("end",),
    ]


def test_what_comes_only_at_the_end_is_told_there() -> None:
    """Some servers send arguments, items or all of it in one piece."""
    call = {"call_id": "c", "name": "f", "arguments": '{"a":1}'}
    told_call = [("call", 0, "c", "f", False), ("arguments", 0, '{"a":1}')]
    end = [("usage", COUNTED), ("finish", "tool_calls"), ("end",)]
    assert seen(
        CREATED,
        item("function_call", call_id="c", name="f"),
        event("response.function_call_arguments.done", output_index=0, arguments='{"a":1}'),
        item("function_call", done=True, **call),
        last(),
    )[1] == [BEGIN, *told_call, *end]
    assert seen(CREATED, item("function_call", **call), item("function_call", done=True, **call), last())[1] == [
        BEGIN, *told_call, *end,
    ]  # fmt: skip
    assert seen(CREATED, item("function_call", done=True, **call), last())[1] == [BEGIN, *told_call, *end]
    assert seen(
        item("function_call"),
        event("response.function_call_arguments.delta", output_index=0, delta='{"a":1}'),
        item("function_call", done=True, **call),
        last(),
    )[1] == [("begin", "", "", 0), *told_call, *end]
    said = [
        {"type": "reasoning", "id": "rs", "summary": [{"text": "Hm"}], "encrypted_content": "x"},
        {"type": "message", "content": [{"type": "output_text", "text": "A"}, {"type": "output_text", "text": "B"}]},
        {"type": "message", "content": [{"type": "refusal", "refusal": "C"}]},
        {"type": "function_call"} | call,
    ]
    assert seen(last(output=said, model="gpt", created_at=5))[1] == [
        BEGIN,
        ("thinking", "Hm"),
        ("sealed", "responses#gpt#x", "rs"),
        ("text", "A", ()),
        ("boundary",),
        ("text", "B", ()),
        ("refusal", "C"),
        *told_call,
        *end,
    ]


def test_an_answer_without_a_word() -> None:
    reader, told = seen(CREATED, last())
    assert told == [BEGIN, *END]
    assert reader.content


@pytest.mark.parametrize(
    ("details", "finish"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "steered"}, "length"),
        (None, "length"),
    ],
)
def test_an_answer_that_was_cut_short(details: object, finish: Finish) -> None:
    reader, told = seen(CREATED, text("x"), last("incomplete", incomplete_details=details))
    assert told[-3:] == [("usage", COUNTED), ("finish", finish), ("end",)]
    assert reader.finished


@pytest.mark.parametrize(
    ("payload", "failure"),
    [
        (last("failed", error={"code": "server_error", "message": "secret"}), "response.failed (server_error)"),
        (last("failed"), "response.failed"),
        (event("error", code="rate_limit_exceeded", message="secret"), "error event (rate_limit_exceeded)"),
        (event("error", error={"type": "server_error", "code": None, "message": "x"}), "error event (server_error)"),
        (event("error"), "error event"),
        (b'{"error":{"code":429,"message":"x"}}', "error event (429)"),
        (b'{"error":"overloaded"}', "error event"),
    ],
)
def test_a_failure_is_no_end(payload: bytes, failure: str) -> None:
    reader, told = seen(CREATED, text("x"), payload, text("y"), last())
    assert (reader.failure, reader.finished) == (failure, False)
    assert [call[0] for call in told if call[0] != "usage"] == ["begin", "text"]


def test_usage_comes_with_a_failure_too() -> None:
    assert seen(CREATED, last("failed"))[0].usage == COUNTED


def test_a_stream_that_stops_is_not_finished() -> None:
    reader, told = seen(CREATED, text("x"), item("message", done=True, content=[]))
    assert not reader.finished
    assert [call[0] for call in told] == ["begin", "text"]


@pytest.mark.parametrize(
    "payload",
    [
        event("response.web_search_call.in_progress", item_id="ws_1", output_index="odd", delta={"a": 1}),
        event("response.unheard_of", delta=5),
        event("response.output_text.done", text=5),
        event("response.audio.delta", delta="x"),
        item("web_search_call", 5, action={"type": "search"}),
        item("web_search_call", 5, True, action={"type": "search"}),
        event("keepalive"),
        b"[DONE]",
    ],
)
def test_events_that_say_nothing_here(payload: bytes) -> None:
    assert seen(CREATED, payload, last())[1] == [BEGIN, *END]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"\xff",
        b'{"type":5}',
        b'{"choices":[]}',
        b'{"type":"response.output_text.delta","delta":5}',
        b'{"type":"response.output_text.delta","delta":"\xff"}',
        event("response.output_text.delta", delta="x", output_index="0"),
        event("response.output_text.delta", delta="x", logprobs=[5]),
        event("response.output_item.added", item=5),
        event("response.output_item.done", item={"type": "function_call"}),
        event("response.created", response=5),
        event("response.created"),
        event("response.completed"),
        event("response.output_text.annotation.added", annotation=5),
        last(status="completed", error={"code": "server_error"}),
        last(output=[5]),
        b"[" * 99_999,
    ],
)
def test_what_is_no_event_of_this_dialect(payload: bytes) -> None:
    with pytest.raises(UpstreamError):
        seen(payload)


def test_a_call_that_never_gets_a_name_is_no_answer() -> None:
    with pytest.raises(UpstreamError):
        seen(
            CREATED,
            item("function_call"),
            event("response.function_call_arguments.delta", output_index=0, delta="{}"),
            last(),
        )


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_no_event_raises_anything_else(data: st.DataObject) -> None:
    kinds = st.sampled_from(
        ["response.created", "response.output_item.added", "response.output_item.done", "response.output_text.delta",
         "response.function_call_arguments.delta", "response.completed", "response.failed", "error", "x", "",
         "response.content_part.added", "response.reasoning_summary_text.delta", "response.refusal.delta"]
    )  # fmt: skip
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(
            ["type", "delta", "item", "id", "name", "call_id", "content", "text", "output", "usage", "error", "summary"]
        ), inner, max_size=4),
        max_leaves=8,
    )  # fmt: skip
    names = st.sampled_from(["delta", "item", "part", "response", "output_index", "logprobs", "error", "arguments"])
    payloads = data.draw(
        st.lists(st.builds(lambda kind, more: {"type": kind} | more, kinds, st.dictionaries(names, anything)))
    )
    try:
        seen(*(json.dumps(payload).encode() for payload in payloads))
    except UpstreamError:
        pass


# ---- writing


def written(tell: Callable[[Sink], None], request: Request = HELLO) -> bytes:
    sink = CLIENT.write_stream(Reply(request, "tt-9", 7))
    tell(sink)
    return sink.take()


def events(stream: bytes) -> list[dict[str, Any]]:
    """Checked against OpenAI's types and the rules of its stream."""
    found = []
    for number, raw in enumerate(sse.split(stream)[0]):
        said = json.loads(sse.payload(raw))
        assert raw.startswith(b"event: %b\ndata: {" % said["type"].encode())
        EVENT.validate_python(said)
        assert said["sequence_number"] == number
        found.append(said)
    return found


def accumulated(stream: bytes) -> Response:
    """As OpenAI's SDK puts it together; it must agree with what the last event repeats."""
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)
    transport = httpx2.MockTransport(lambda request: answer)
    with OpenAI(api_key="x", base_url="http://a.example", http_client=httpx2.Client(transport=transport)) as client:
        items: dict[int, Any] = {}
        arguments: dict[int, str] = {}
        last: Response | None = None
        with client.responses.create(model="m", input="x", stream=True) as pieces:
            for piece in pieces:
                if piece.type == "response.output_item.done":
                    items[piece.output_index] = piece.item
                elif piece.type in ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"):
                    arguments[piece.output_index] = arguments.get(piece.output_index, "") + piece.delta
                elif piece.type in ("response.completed", "response.incomplete"):
                    last = piece.response
        assert last is not None
        assert last.output == [items[index] for index in sorted(items)]
        for index, said in arguments.items():
            assert said == getattr(items[index], "arguments", None) or said == getattr(items[index], "input", None)
        return last


def test_the_events_of_a_text() -> None:
    def tell(sink: Sink) -> None:
        sink.begin("chatcmpl-1", "qwen", 5)
        sink.text("")
        sink.text("Hé\u2028\x00😀")
        sink.text("\n\ndata: x")
        sink.usage(COUNTED)
        sink.finish("stop")
        sink.end()

    stream = written(tell)
    assert [said["type"] for said in events(stream)] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    response = accumulated(stream)
    assert (response.id, response.model, response.created_at, response.status) == (
        "resp_chatcmpl-1", "qwen", 5, "completed",
    )  # fmt: skip
    assert response.output_text == "Hé\u2028\x00😀\n\ndata: x"
    assert response.usage is not None
    assert response.usage.to_dict() == USAGE


def test_the_sdks_own_helper_reads_it() -> None:
    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.thinking("Hm")
        sink.text("Hel")
        sink.text("lo")
        sink.call(0, "c1", "f", False)
        sink.arguments(0, '{"a":1}')
        sink.finish("tool_calls")
        sink.end()

    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=written(tell))
    client = OpenAI(
        api_key="x",
        base_url="http://a.example",
        http_client=httpx2.Client(transport=httpx2.MockTransport(lambda request: answer)),
    )
    with client, client.responses.stream(model="m", input="x") as stream:
        snapshots = [piece.snapshot for piece in stream if piece.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots == ["Hel", "Hello"]
    assert final.output_text == "Hello"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


def test_thinking_signatures_and_sealed_reasoning() -> None:
    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.thinking("a")
        sink.thinking("b")
        sink.signature("sig==")
        sink.sealed("data==", "")
        sink.thinking("c")
        sink.text("x")
        sink.thinking("")
        sink.signature("gemini#g#s")
        sink.call(0, "c1", "f", False)
        sink.finish("tool_calls")
        sink.end()

    response = accumulated(written(tell))
    assert [(item.type, getattr(item, "encrypted_content", None)) for item in response.output] == [
        ("reasoning", "twintrack.signature.sig=="),
        ("reasoning", "twintrack.sealed.data=="),
        ("reasoning", None),
        ("message", None),
        ("reasoning", "twintrack.signature.gemini#g#s"),
        ("function_call", None),
    ]
    assert [item.summary[0].text for item in response.output if item.type == "reasoning" and item.summary] == [
        "ab",
        "c",
    ]


def test_calls_may_grow_in_turns() -> None:
    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.text("Look:")
        sink.call(0, "c1", "f", False)
        sink.arguments(0, '{"a"')
        sink.call(1, "c2", "g", True)
        sink.arguments(1, "an")
        sink.arguments(0, ":1}")
        sink.text("and")
        sink.arguments(1, "y")
        sink.call(2, "c3", "h", False)
        sink.finish("tool_calls")
        sink.end()

    stream = written(tell)
    events(stream)
    said = [item.to_dict() for item in accumulated(stream).output]
    assert [(each["type"], each.get("arguments", each.get("input"))) for each in said] == [
        ("message", None), ("function_call", '{"a":1}'), ("custom_tool_call", "any"), ("message", None),
        ("function_call", "{}"),
    ]  # fmt: skip


def test_a_boundary_ends_what_is_open_and_nothing_else() -> None:
    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.boundary()
        sink.thinking("a")
        sink.boundary()
        sink.thinking("b")
        sink.boundary()
        sink.text("c")
        sink.boundary()
        sink.boundary()
        sink.text("d")
        sink.call(0, "c1", "f", False)
        sink.boundary()
        sink.arguments(0, "{}")
        sink.boundary()
        sink.boundary()
        sink.call(1, "c2", "f", False)
        sink.finish("tool_calls")
        sink.end()

    stream = written(tell)
    said = [item.to_dict() for item in accumulated(stream).output]
    assert [each["type"] for each in said] == [
        "reasoning", "reasoning", "message", "function_call", "function_call",
    ]  # fmt: skip
    assert [part["text"] for part in said[2]["content"]] == ["c", "d"]
    kinds = [each["type"] for each in events(stream)]
    assert kinds.index("response.function_call_arguments.done") < kinds.index("response.completed") - 4


def test_calls_are_of_the_clients_own_tools() -> None:
    tools = (Tool("patch", kind="custom"), Tool("mcp__a", namespace="mcp__"))

    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.call(0, "c1", "patch", False)
        sink.arguments(0, '{"input":"***')
        sink.arguments(0, ' x"}')
        sink.call(1, "c2", "mcp__a", False)
        sink.arguments(1, "{}")
        sink.finish("tool_calls")
        sink.end()

    response = accumulated(written(tell, Request(model="m", turns=HELLO.turns, tools=tools)))
    patch, called = (item.to_dict() for item in response.output)
    assert (patch["type"], patch["name"], patch["input"]) == ("custom_tool_call", "patch", "*** x")
    assert (called["name"], called["namespace"], called["arguments"]) == ("a", "mcp__", "{}")


def test_citations_probabilities_and_refusals() -> None:
    logprob = Logprob("H", -0.5, None, (Logprob("B", -1.0, (66,)),))

    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.citation(Citation("too early"))
        sink.text("H", (logprob,))
        sink.citation(Citation("https://a.example", "A"))
        sink.citation(Citation(quote="without an address"))
        sink.text("i")
        sink.refusal("")
        sink.refusal("No")
        sink.refusal(".")
        sink.finish("refusal")
        sink.end()

    stream = written(tell)
    events(stream)
    response = accumulated(stream)
    said = response.output[0].to_dict()["content"]
    assert said[0]["annotations"] == [
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}
    ]
    assert said[0]["logprobs"] == [
        {
            "token": "H",
            "logprob": -0.5,
            "bytes": [72],
            "top_logprobs": [{"token": "B", "logprob": -1.0, "bytes": [66]}],
        }
    ]
    assert said[1] == {"type": "refusal", "refusal": "No."}
    assert response.status == "completed"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("refusal", "content_filter")],
)
def test_an_answer_that_is_cut_short_is_incomplete(finish: Finish, reason: str) -> None:
    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.text("x")
        sink.call(0, "c", "f", False)
        sink.arguments(0, '{"a')
        sink.finish(finish)
        sink.end()

    stream = written(tell)
    assert events(stream)[-1]["type"] == "response.incomplete"
    response = accumulated(stream)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == reason
    assert [item.to_dict()["status"] for item in response.output] == ["completed", "incomplete"]


def test_without_an_end_nothing_says_that_it_is_complete() -> None:
    def tell(sink: Sink) -> None:
        sink.begin("", "m", 0)
        sink.text("x")

    assert "done" not in events(written(tell))[-1]["type"]


def test_whole_events_are_taken_as_they_come() -> None:
    sink = CLIENT.write_stream(Reply(HELLO, "tt-9", 7))
    assert sink.take() == b""
    sink.begin("", "m", 0)
    sink.text("a")
    first = sink.take()
    sink.text("b")
    second = sink.take()
    assert sink.take() == b""
    assert first.endswith(b"}\n\n")
    assert second.count(b"\n\n") == 1
    assert json.loads(sse.payload(second))["delta"] == "b"


# ---- there and back

pieces = st.text(max_size=4)
words = st.text(min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.just("text"), pieces),
    st.tuples(st.just("thinking"), pieces),
    st.tuples(st.just("refusal"), pieces),
    st.tuples(st.just("call"), words, st.booleans()),
    st.tuples(st.just("arguments"), st.integers(0, 3), pieces),
    st.tuples(st.just("sealed"), words),
    st.tuples(st.just("boundary")),
)


def tell_steps(sink: Sink, steps: list[tuple[Any, ...]]) -> None:
    calls = 0
    closed: set[int] = set()
    for kind, *said in steps:
        if kind == "call":
            sink.call(calls, f"c{calls}", said[0], said[1])
            calls += 1
        elif kind == "arguments":
            if said[0] < calls and said[0] not in closed:
                sink.arguments(said[0], said[1])
        elif kind == "sealed":
            sink.sealed(f"responses#m#{said[0]}", "rs_1")
        elif kind == "boundary":
            closed |= set(range(calls))
            sink.boundary()
        else:
            getattr(sink, kind)(said[0])


def parts_of(told: list[tuple[Any, ...]]) -> list[Part]:
    """What a sink was told, as parts; pieces of one kind belong together."""
    parts: list[Part] = []
    calls: dict[int, int] = {}
    for kind, *said in told:
        before = parts[-1] if parts else None
        if kind == "text" and said[0]:
            if isinstance(before, Text):
                parts[-1] = Text(before.text + said[0])
            else:
                parts.append(Text(said[0]))
        elif kind == "thinking" and said[0]:
            if isinstance(before, Thinking) and not before.sealed:
                parts[-1] = Thinking(before.text + said[0])
            else:
                parts.append(Thinking(said[0]))
        elif kind == "refusal" and said[0]:
            if isinstance(before, Refusal):
                parts[-1] = Refusal(before.text + said[0])
            else:
                parts.append(Refusal(said[0]))
        elif kind == "sealed":
            parts.append(Thinking(sealed=said[0], id=said[1]))
        elif kind == "call":
            calls[said[0]] = len(parts)
            parts.append(ToolCall(said[1], said[2], "", said[3]))
        elif kind == "arguments":
            call = parts[calls[said[0]]]
            assert isinstance(call, ToolCall)
            parts[calls[said[0]]] = ToolCall(call.id, call.name, call.arguments + said[1], call.custom)
    return parts


@settings(deadline=None, max_examples=150)
@given(st.lists(steps, max_size=12))
def test_what_is_written_is_read_as_it_was_told(steps: list[tuple[Any, ...]]) -> None:
    told = Told()
    tell_steps(told, steps)
    expected = [
        ToolCall(part.id, part.name, "{}")
        if isinstance(part, ToolCall) and not part.arguments and not part.custom
        else part
        for part in parts_of(told.calls)
    ]

    def tell(sink: Sink) -> None:
        sink.begin("resp_1", "m", 5)
        tell_steps(sink, steps)
        sink.usage(COUNTED)
        sink.finish("stop")
        sink.end()

    stream = written(tell, Request(model="m", turns=HELLO.turns, sealed_reasoning=False))
    found = events(stream)
    back = Told()
    reader = PROVIDER.read_stream(back)
    for said in found:
        reader.see(json.dumps(said).encode())
    assert reader.finished
    assert reader.usage == COUNTED
    assert _joined(parts_of(back.calls)) == _joined(expected)
    whole = PROVIDER.read_answer(json.dumps(found[-1]["response"]).encode())
    assert _joined(list(whole.parts)) == _joined(expected)


def _joined(parts: list[Part]) -> list[Part]:
    """Boundaries between parts of one kind may differ: a reader need not tell them."""
    told: list[tuple[Any, ...]] = []
    calls = 0
    for part in parts:
        if isinstance(part, Text):
            told.append(("text", part.text))
        elif isinstance(part, Refusal):
            told.append(("refusal", part.text))
        elif isinstance(part, Thinking):
            told.append(("sealed", part.sealed, part.id) if part.sealed else ("thinking", part.text))
        elif isinstance(part, ToolCall):
            told += [("call", calls, part.id, part.name, part.custom), ("arguments", calls, part.arguments)]
            calls += 1
    return parts_of(told)


@settings(deadline=None, max_examples=100)
@given(st.lists(steps, max_size=8))
def test_a_stream_and_a_whole_answer_say_the_same(steps: list[tuple[Any, ...]]) -> None:
    told = Told()
    tell_steps(told, [step for step in steps if step[0] != "boundary"])

    def tell(sink: Sink) -> None:
        sink.begin("a", "m", 5)
        tell_steps(sink, [step for step in steps if step[0] != "boundary"])
        sink.finish("stop")
        sink.end()

    streamed = events(written(tell))[-1]["response"]
    answer = Answer(id="a", model="m", created=5, parts=tuple(_joined(parts_of(told.calls))))
    whole = json.loads(CLIENT.write_answer(answer, Reply(HELLO, "tt-9", 7)))
    assert streamed == whole
