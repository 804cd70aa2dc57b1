"""Whatever chat completions can say comes back as it went, and whatever is sent raises nothing but what is meant."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.errors import BadRequest, UpstreamError
from twintrack.wire import sse
from twintrack.wire.canonical.answer import Reply
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import Audio, File, Image, Media, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.dialects.chat import CLIENT, PROVIDER

EXAMPLES = settings(max_examples=60, deadline=None)

texts = st.text(min_size=1, max_size=20)  # without lone surrogates: they are no UTF-8
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
base64s = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())
objects = st.dictionaries(texts, st.integers() | texts, max_size=2)
arguments = objects.map(json.dumps)
schemas = st.dictionaries(names, st.sampled_from([{"type": "string"}, {"type": "number"}]), max_size=2).map(
    lambda properties: msgspec.Raw(msgspec.json.encode({"type": "object", "properties": properties}))
)
images = st.builds(
    Image,
    st.builds(Media, base64s, st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/gif"]))
    | st.builds(lambda path: Media(url=f"https://a.example/{path}"), names),
    st.sampled_from(["", "auto", "low", "high", "original"]),
)
sounds = st.builds(Audio, st.builds(Media, base64s, st.sampled_from(["audio/wav", "audio/mpeg"])))
files = st.builds(File, st.builds(Media, base64s, st.just("application/pdf")), texts)
users = st.lists(st.builds(Text, texts) | images | sounds | files, min_size=1, max_size=3)


@st.composite
def conversations(draw: st.DrawFn, first: int) -> tuple[Turn, ...]:
    """Turns whose positions are those of the messages they are written as."""
    turns: list[Turn] = []
    at = first
    for kind in draw(st.lists(st.sampled_from(["user", "assistant", "calls", "system"]), min_size=1, max_size=5)):
        if kind == "system" and turns:
            turns.append(Turn("system", tuple(draw(st.lists(st.builds(Text, texts), min_size=1, max_size=2))), at))
        elif kind in ("user", "system"):
            turns.append(Turn("user", tuple(draw(users)), at, draw(st.sampled_from(["", "ann"]))))
        else:
            parts: list[Any] = draw(st.lists(st.builds(Thinking, texts), max_size=1))
            parts += draw(st.lists(st.builds(Text, texts), min_size=kind == "assistant", max_size=2))
            parts += draw(st.lists(st.builds(Refusal, texts), max_size=1))
            ids = draw(st.lists(names, min_size=1, max_size=3, unique=True)) if kind == "calls" else []
            calls = [
                ToolCall(id_, draw(names), draw(texts) if custom else draw(arguments), custom)
                for id_, custom in ((id_, draw(st.booleans())) for id_ in ids)
            ]
            turns.append(Turn("assistant", (*parts, *calls), at))
            if calls:
                at += 1
                results = tuple(
                    ToolResult(
                        call.id,
                        tuple(draw(st.lists(st.builds(Text, texts), min_size=1, max_size=2))),
                        custom=call.custom,
                    )
                    for call in draw(st.permutations(calls))
                )
                turns.append(Turn("tool", results, at))
                at += len(results) - 1
        at += 1
    return tuple(turns)


@st.composite
def tool_boxes(draw: st.DrawFn) -> dict[str, Any]:
    said: list[Tool] = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        if draw(st.booleans()):
            schema = draw(schemas | st.just(msgspec.Raw(b"")))
            strict = draw(st.sampled_from([None, True, False]))
            said.append(Tool(name, draw(st.sampled_from(["", "does"])), schema, strict))
        else:
            said.append(Tool(name, draw(st.sampled_from(["", "does"])), kind="custom"))
    if not said:
        return {}
    some = draw(st.lists(st.sampled_from([tool.name for tool in said]), min_size=1, max_size=2, unique=True))
    choices = [
        None,
        ToolChoice("none"),
        ToolChoice("required"),
        ToolChoice("named", some[0]),
        ToolChoice("auto", allowed=tuple(some)),
        ToolChoice("required", allowed=tuple(some)),
    ]
    return {
        "tools": tuple(said),
        "tool_choice": draw(st.sampled_from(choices)),
        "parallel_tool_calls": draw(st.sampled_from([None, False])),
    }


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


fractions = st.floats(0, 1, allow_subnormal=False)
formats = st.just(Format("json")) | st.builds(
    Format, st.just("json_schema"), schemas, names, st.sampled_from(["", "d"]), st.sampled_from([None, True])
)
efforts = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    system = tuple(draw(st.lists(st.builds(Text, texts), max_size=2)))
    stream = draw(st.booleans())
    logprobs = draw(st.booleans())
    return Request(
        model=draw(texts),
        system=system,
        turns=draw(conversations(1 if system else 0)),
        **draw(tool_boxes()),
        max_output_tokens=draw(maybe(st.integers(1, 2**40))),
        temperature=draw(maybe(st.floats(0, 2).filter(lambda value: value != 1))),
        top_p=draw(maybe(fractions.filter(lambda value: value != 1))),
        top_k=draw(maybe(st.integers(1, 1000))),
        min_p=draw(maybe(fractions.filter(bool))),
        frequency_penalty=draw(maybe(st.floats(-2, 2).filter(bool))),
        presence_penalty=draw(maybe(st.floats(-2, 2).filter(bool))),
        logit_bias=draw(st.sampled_from([None, msgspec.Raw(b'{"5":-100}')])),
        seed=draw(maybe(st.integers(-(2**63), 2**63 - 1))),
        stop=tuple(draw(st.lists(texts, max_size=4))),
        logprobs=logprobs,
        top_logprobs=draw(st.integers(0, 20)) if logprobs else 0,
        format=draw(maybe(formats)),
        reasoning=draw(maybe(st.builds(Reasoning, efforts))),
        verbosity=draw(st.sampled_from(["", "low", "medium", "high"])),
        service_tier=draw(st.sampled_from(["", "auto", "default", "flex", "priority"])),
        user=draw(st.sampled_from(["", "u"])),
        cache_key=draw(st.sampled_from(["", "k"])),
        stream=stream,
        stream_usage=stream,
    )


def write(request: Request) -> bytes:
    losses = Losses()
    target = Target(request.model, thinking="reasoning_content", custom_tools=True)
    body = PROVIDER.write_request(request, target, losses)
    assert losses.found == []
    return body


@given(requests())
@EXAMPLES
def test_what_is_written_is_read_again(request: Request) -> None:
    assert CLIENT.read_request(write(request), False) == (request, ())


# ---- bodies of clients

marks = st.sampled_from(
    [{}, {"cache_control": {"type": "ephemeral"}}, {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}]
)
text_parts = st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, texts, marks)
image_parts = st.builds(
    lambda url, mark: {"type": "image_url", "image_url": {"url": url}, **mark},
    base64s.map(lambda data: f"data:image/png;base64,{data}") | names.map(lambda path: f"http://a.example/{path}"),
    marks,
)


def contents(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return texts | st.lists(parts, min_size=1, max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for role in draw(
        st.lists(st.sampled_from(["system", "developer", "user", "assistant", "calls"]), min_size=1, max_size=6)
    ):
        if role in ("system", "developer"):
            messages.append({"role": role, "content": draw(contents(text_parts))})
        elif role == "user":
            messages.append({"role": role, "content": draw(contents(text_parts | image_parts))})
        elif role == "assistant":
            message = {"role": role, "content": draw(contents(text_parts)), "annotations": []}
            messages.append({**message, **draw(st.sampled_from([{}, {"refusal": "r"}, {"reasoning": "t"}]))})
        else:
            ids = draw(st.lists(names, min_size=1, max_size=3, unique=True))
            calls = [{"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id_ in ids]
            content = draw(st.sampled_from([None, "", "a"]))
            messages.append({"role": "assistant", "content": content, "tool_calls": calls})
            messages += [
                {"role": "tool", "tool_call_id": id_, "content": draw(contents(text_parts))}
                for id_ in draw(st.permutations(ids))
            ]
    members = {
        "max_tokens": maybe(st.integers(1, 99)),
        "temperature": maybe(st.integers(0, 2)),
        "top_p": maybe(fractions),
        "n": maybe(st.just(1)),
        "stop": maybe(texts | st.lists(texts, max_size=4)),
        "stream": maybe(st.booleans()),
        "stream_options": maybe(st.just({"include_usage": True})),
        "tools": maybe(st.just([{"type": "function", "function": {"name": "f", "parameters": {}}}])),
        "thinking": maybe(st.sampled_from([{"type": "enabled", "budget_tokens": 4096}, {"type": "disabled"}])),
        "metadata": maybe(st.just({"a": "b"})),
        "service_tier": maybe(st.just("flex")),
    }
    said = {name: draw(strategy) for name, strategy in members.items() if draw(st.booleans())}
    return {"model": draw(texts), "messages": messages, **said}


def without_hints(said: Any) -> Any:
    """Without positions and what may be left out."""
    if isinstance(said, msgspec.Struct):
        left_out = {"at": 0, "cache": "", "metadata": {}, "stream_usage": False, "reasoning": None}
        fields = msgspec.structs.asdict(said).items()
        return type(said)(**{name: left_out.get(name, without_hints(value)) for name, value in fields})
    return tuple(map(without_hints, said)) if isinstance(said, tuple) else said


@given(bodies())
@EXAMPLES
def test_what_is_read_is_written_and_read_again(body: dict[str, Any]) -> None:
    first, _ = CLIENT.read_request(json.dumps(body).encode(), False)
    second, _ = CLIENT.read_request(write(first), False)
    assert without_hints(second) == without_hints(first)
    third, _ = CLIENT.read_request(write(second), False)
    assert third == second


# ---- streams

pieces = st.lists(
    st.tuples(st.sampled_from(["content", "reasoning_content", "refusal"]), texts)
    | st.tuples(st.just("call"), st.lists(texts, max_size=3)),
    max_size=8,
)


@given(pieces)
@EXAMPLES
def test_a_stream_is_told_on_as_it_came(said: list[tuple[str, Any]]) -> None:
    asked = Request(model="m", turns=(), stream=True)
    sink = CLIENT.write_stream(Reply(asked, "r", 1))
    reader = PROVIDER.read_stream(sink)
    expected: dict[str, str] = {}
    calls: list[str] = []
    for kind, value in said:
        if kind != "call":
            deltas = [{kind: value}]
            expected[kind] = expected.get(kind, "") + value
        else:
            place = len(calls)
            calls.append("".join(value) or "{}")
            call = {"index": place, "id": f"c{place}", "function": {"name": "f"}}
            deltas = [{"tool_calls": [call]}]
            deltas += [{"tool_calls": [{"index": place, "function": {"arguments": piece}}]} for piece in value]
        for delta in deltas:
            reader.see(json.dumps({"id": "x", "choices": [{"delta": delta}]}).encode())
    reader.see(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}')
    reader.see(b"[DONE]")
    got: dict[str, str] = {}
    told: dict[int, str] = {}
    for payload in sse.payloads(sink.take()):
        if payload == b"[DONE]":
            continue
        delta = json.loads(payload)["choices"][0]["delta"]
        for name in ("content", "reasoning_content", "refusal"):
            if delta.get(name):
                got[name] = got.get(name, "") + delta[name]
        for call in delta.get("tool_calls", ()):
            told[call["index"]] = told.get(call["index"], "") + call["function"]["arguments"]
    assert got == expected
    assert list(told.values()) == calls


# ---- hostile input

MEMBERS = (
    *("role", "content", "type", "text", "tool_calls", "id", "function", "name", "arguments", "choices", "message"),
    *("delta", "index", "finish_reason", "usage", "model", "messages", "error", "custom", "annotations", "logprobs"),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(values, st.booleans())
@EXAMPLES
def test_any_json_is_read_or_refused(value: Any, drop: bool) -> None:
    for body in (value, {"model": "m", "messages": value}, {"model": "m", "messages": [value]}):
        try:
            CLIENT.read_request(json.dumps(body).encode(), drop)
        except BadRequest:
            continue


@given(values | st.builds(lambda delta: {"choices": [{"delta": delta, "finish_reason": "stop"}]}, values))
@EXAMPLES
def test_any_answer_is_read_or_is_the_providers_fault(value: Any) -> None:
    body = json.dumps(value).encode()
    reader = PROVIDER.read_stream(CLIENT.write_stream(Reply(Request(model="m", turns=()), "r", 1)))
    for read in (PROVIDER.read_answer, reader.see):
        try:
            read(body)
        except UpstreamError:
            continue


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', b"[" * 99_999]
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(BadRequest):
        CLIENT.read_request(body, False)
