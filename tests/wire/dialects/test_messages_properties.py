"""Anthropic messages: what this dialect can say survives being written and read again."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.errors import BadRequest, UpstreamError
from twintrack.wire.canonical.answer import Answer, Reply
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import File, Image, Media, Part, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.dialects.messages import CLIENT, PROVIDER
from twintrack.wire.usage import Usage

NEW, OLD = "claude-opus-4-8", "claude-sonnet-4-5"
"""One with efforts and system messages in the conversation, one with sampling."""
EXAMPLES = settings(max_examples=80, deadline=None)

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
binary = st.binary(min_size=1, max_size=20).map(lambda data: base64.b64encode(data).decode())
lives = st.sampled_from(["", "", "", "", "", "5m", "1h"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, json_values, max_size=3)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


texts = st.builds(Text, words)
urls = st.builds("https://x/{}".format, names)
images = st.builds(
    Image,
    st.builds(Media, binary, st.sampled_from(["image/png", "image/jpeg", "image/gif", "image/webp"]))
    | st.builds(Media, url=urls),
)
plain = words.map(lambda text: Media(base64.b64encode(text.encode()).decode(), "text/plain"))
pdf = st.builds(Media, binary, st.just("application/pdf")) | st.builds(
    Media, media_type=st.just("application/pdf"), url=urls
)
files = st.builds(File, plain | pdf, st.just("") | words, st.just("") | words, st.booleans())
thoughts = st.builds(Thinking, words, binary) | st.builds(Thinking, sealed=binary)
user_parts = st.lists(texts | images | files, min_size=1, max_size=3).map(tuple)
result_parts = st.just(()) | st.lists(texts | images | files, min_size=1, max_size=2).map(tuple)


@st.composite
def conversations(draw: st.DrawFn, system: bool) -> tuple[Turn, ...]:
    turns = [Turn("user", draw(user_parts))]
    for _ in range(draw(st.integers(0, 3))):
        parts: list[Part] = draw(st.lists(texts | thoughts, max_size=2))
        calls = [
            ToolCall(draw(names) + str(number), draw(names), json.dumps(draw(objects)))
            for number in range(draw(st.integers(0, 2)))
        ]
        if not parts and not calls:
            parts = [Text("a")]
        turns.append(Turn("assistant", (*parts, *calls)))
        if calls:
            turns.append(
                Turn("tool", tuple(ToolResult(call.id, draw(result_parts), draw(st.booleans())) for call in calls))
            )
        if not calls or draw(st.booleans()):
            turns.append(Turn("user", draw(user_parts)))
        if system and draw(st.booleans()):
            turns.append(Turn("system", tuple(draw(st.lists(texts, min_size=1, max_size=2)))))
    return tuple(turns)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, str]:
    new = draw(st.booleans())
    more: dict[str, Any] = {}
    count = draw(st.integers(0, 3))
    tools = tuple(
        Tool(
            draw(names)[:15] + str(number),
            draw(st.just("") | words),
            raw({"type": "object"} | draw(objects)),
            draw(st.sampled_from([None, True])),
            cache=draw(lives),
        )
        for number in range(count)
    )
    turns = draw(conversations(new))
    if not tools and any(isinstance(part, ToolCall) for turn in turns for part in turn.parts):
        tools = (Tool("f", schema=raw({"type": "object"})),)
    if tools:
        more["tool_choice"] = draw(
            st.sampled_from([None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("named", tools[0].name)])
        )
        more["parallel_tool_calls"] = draw(st.sampled_from([None, False]))
        if more["tool_choice"] is None and more["parallel_tool_calls"] is False:
            more["tool_choice"] = ToolChoice("auto")
    if new:
        more["reasoning"] = draw(
            st.none()
            | st.builds(
                Reasoning,
                st.sampled_from([None, "low", "medium", "high", "xhigh", "max"]),
                adaptive=st.just(True),
                show=st.sampled_from(["", "auto", "none"]),
            )
        )
    else:
        more["temperature"] = draw(st.none() | st.floats(0, 0.99))
        more["top_p"] = draw(st.none() | st.floats(0, 0.99))
        more["top_k"] = draw(st.none() | st.integers(1, 1000))
    stream = draw(st.booleans())
    request = Request(
        model=NEW if new else OLD,
        turns=turns,
        system=tuple(draw(st.lists(st.builds(Text, words, st.sampled_from(["", "5m", "1h"])), max_size=1))),
        tools=tools[:3],
        max_output_tokens=draw(st.integers(1, 10**6)),
        stop=tuple(draw(st.lists(words.filter(str.strip), max_size=3))),
        format=draw(st.none() | st.builds(Format, st.just("json_schema"), objects.map(raw), strict=st.just(True))),
        service_tier=draw(st.sampled_from(["", "auto", "default"])),
        user=draw(st.just("") | words),
        stream=stream,
        stream_usage=stream,
        **more,
    )
    return request, request.model


def placeless(request: Request) -> Request:
    """Turns know where the client wrote them, which is not what they mean."""
    return msgspec.structs.replace(request, turns=tuple(msgspec.structs.replace(turn, at=0) for turn in request.turns))


@EXAMPLES
@given(requests())
def test_a_request_survives_being_written_and_read(given_: tuple[Request, str]) -> None:
    request, name = given_
    losses = Losses()
    body = PROVIDER.write_request(request, Target(name), losses)
    assert losses.found == []
    read, dropped = CLIENT.read_request(body, False)
    assert dropped == ()
    assert placeless(read) == placeless(request)


@EXAMPLES
@given(requests())
def test_a_body_survives_being_read_and_written_and_read(given_: tuple[Request, str]) -> None:
    body = PROVIDER.write_request(given_[0], Target(given_[1]), Losses())
    spaced = json.dumps(json.loads(body), ensure_ascii=False, indent=1).encode()
    first = CLIENT.read_request(spaced, False)[0]
    again = CLIENT.read_request(PROVIDER.write_request(first, Target(first.model), Losses()), False)[0]
    assert placeless(again) == placeless(first)


counts = st.integers(0, 10**6)
answers = st.builds(
    Answer,
    id=names,
    model=names,
    parts=st.lists(
        st.builds(Text, words)
        | st.builds(Thinking, words, binary)
        | st.builds(Thinking, sealed=binary)
        | st.builds(ToolCall, names, names, objects.map(json.dumps)),
        max_size=4,
    ).map(tuple),
    finish=st.sampled_from(["stop_sequence", "length", "tool_calls", "refusal", "pause", "context"]),
    stop_sequence=st.just("") | words,
    usage=st.builds(lambda fresh, out, cached: Usage(fresh + cached, out, cached), counts, counts, counts),
)
REPLY = Reply(Request(model="m", turns=()), "tt-1", 0)


@EXAMPLES
@given(answers)
def test_an_answer_survives_being_written_and_read(answer: Answer) -> None:
    assert PROVIDER.read_answer(CLIENT.write_answer(answer, REPLY)) == answer


@EXAMPLES
@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_our_own_errors_comes_of_any_bytes(data: bytes) -> None:
    for body in (data, b'{"model":"m","max_tokens":1,"messages":%b}' % data):
        try:
            CLIENT.read_request(body, True)
        except BadRequest:
            pass
    for body in (data, b'{"stop_reason":"end_turn","content":%b}' % data):
        try:
            PROVIDER.read_answer(body)
        except UpstreamError:
            pass
    for body in (
        data,
        b'{"type":"content_block_start","content_block":%b}' % data,
        b'{"type":"error","error":%b}' % data,
    ):
        try:
            PROVIDER.read_stream(CLIENT.write_stream(REPLY)).see(body)
        except UpstreamError:
            pass
