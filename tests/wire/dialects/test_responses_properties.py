"""Whatever this dialect can ask comes back as it went, and whatever is sent raises nothing but what is meant."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.errors import BadRequest
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import File, Image, Media, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.dialects.responses import CLIENT, PROVIDER

EXAMPLES = settings(max_examples=80, deadline=None)

texts = st.text(min_size=1, max_size=12)  # without lone surrogates: they are no UTF-8
names = st.from_regex(r"[a-zA-Z0-9_-]{1,10}", fullmatch=True)
base64s = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())
arguments = st.dictionaries(texts, st.integers() | texts, max_size=2).map(json.dumps)
schemas = st.dictionaries(names, st.sampled_from([{"type": "string"}, {"type": "number"}]), max_size=2).map(
    lambda properties: msgspec.Raw(msgspec.json.encode({"type": "object", "properties": properties}))
)
addresses = names.map(lambda path: f"https://a.example/{path}")
images = st.builds(
    Image,
    st.builds(Media, base64s, st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/gif"]))
    | st.builds(lambda url: Media(url=url), addresses),
    st.sampled_from(["auto", "low", "high", "original"]),
)
files = st.builds(
    File, st.builds(Media, base64s, st.sampled_from(["application/pdf", "text/plain"])), texts
) | st.builds(lambda url: File(Media(url=url)), addresses)
said = st.builds(Text, texts)
users = st.lists(said | images | files, min_size=1, max_size=3)
thoughts = st.builds(lambda text, token: Thinking(text, "", f"responses##{token}"), st.text(max_size=5), names)


@st.composite
def conversations(draw: st.DrawFn, first: int) -> tuple[Turn, ...]:
    """Turns whose positions are those of the items they are written as."""
    turns: list[Turn] = []
    at = first
    for kind in draw(st.lists(st.sampled_from(["user", "assistant", "calls", "system"]), min_size=1, max_size=5)):
        if kind == "system" and turns:
            turns.append(Turn("system", tuple(draw(st.lists(said, min_size=1, max_size=2))), at))
            at += 1
        elif kind in ("user", "system") or (turns and turns[-1].role == "assistant"):
            turns.append(Turn("user", tuple(draw(users)), at))
            at += 1
        else:
            parts: list[Any] = draw(st.lists(thoughts, max_size=2))
            begun = at
            at += len(parts)
            spoken = draw(st.lists(said | st.builds(Refusal, texts), min_size=kind == "assistant", max_size=2))
            parts += spoken
            at += bool(spoken)
            calls = []
            for call_id in draw(st.lists(names, min_size=1, max_size=3, unique=True)) if kind == "calls" else ():
                custom = draw(st.booleans())
                calls.append(ToolCall(call_id, draw(names), draw(texts if custom else arguments), custom))
            at += len(calls)
            turns.append(Turn("assistant", (*parts, *calls), begun))
            if calls:
                results = [
                    ToolResult(call.id, tuple(draw(st.lists(said | images | files, max_size=2))), custom=call.custom)
                    for call in draw(st.permutations(calls))
                ]
                turns.append(Turn("tool", tuple(results), at))
                at += len(calls)
    return tuple(turns)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    system = tuple(draw(st.lists(said, max_size=3)))
    tools = tuple(
        Tool(name, draw(st.just("") | texts), draw(schemas), draw(st.booleans())) if function else
        Tool(name, draw(st.just("") | texts), kind="custom")
        for name, function in draw(st.dictionaries(names, st.booleans(), max_size=3)).items()
    )  # fmt: skip
    choices: list[ToolChoice | None] = [None]
    if tools:
        offered = tuple(tool.name for tool in tools)
        choices += [ToolChoice("none"), ToolChoice("required"), ToolChoice("named", offered[0])]
        choices += [ToolChoice("auto", allowed=offered), ToolChoice("required", allowed=offered[:1])]
    stream = draw(st.booleans())
    top_logprobs = draw(st.integers(0, 20))
    return Request(
        model="m",
        system=system,
        turns=draw(conversations(max(len(system) - 1, 0))),
        tools=tools,
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tool_calls=draw(st.sampled_from([None, False])) if tools else None,
        max_output_tokens=draw(st.none() | st.integers(16, 10_000)),
        temperature=draw(st.none() | st.floats(0, 0.99)),
        top_p=draw(st.none() | st.floats(0, 0.99)),
        logprobs=top_logprobs > 0 or draw(st.booleans()),
        top_logprobs=top_logprobs,
        format=draw(
            st.none()
            | st.just(Format("json"))
            | st.builds(lambda *said: Format("json_schema", *said), schemas, names, texts, st.booleans())
        ),
        reasoning=draw(
            st.none()
            | st.builds(
                lambda effort, show: Reasoning(effort, show=show),
                st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
                st.sampled_from(["", "auto", "concise", "detailed"]),
            )
        ),
        verbosity=draw(st.sampled_from(["", "low", "medium", "high"])),
        service_tier=draw(st.sampled_from(["", "auto", "flex", "priority"])),
        user=draw(st.just("") | names),
        cache_key=draw(st.just("") | names),
        stream=stream,
        stream_usage=stream,
        sealed_reasoning=draw(st.booleans()),
    )


@EXAMPLES
@given(requests())
def test_what_is_written_is_read_as_it_was(request: Request) -> None:
    losses = Losses()
    body = PROVIDER.write_request(request, Target("m"), losses)
    assert losses.found == []
    assert CLIENT.read_request(body, False) == (request, ())


@EXAMPLES
@given(requests(), st.randoms())
def test_a_body_survives_the_way_through(request: Request, random: Any) -> None:
    """Also with its members in another order, as other clients write them."""
    body = json.loads(PROVIDER.write_request(request, Target("m"), Losses()))
    shuffled = json.dumps(_shuffled(body, random)).encode()
    first, dropped = CLIENT.read_request(shuffled, False)
    again = CLIENT.read_request(PROVIDER.write_request(first, Target("m"), Losses()), True)
    assert (again[0], dropped) == (first, ())


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, list):
        return [_shuffled(each, random) for each in value]
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: _shuffled(value[name], random) for name in names}
    return value


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.just("type"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(requests(), st.data(), st.booleans())
def test_a_body_with_anything_anywhere_is_read_or_refused(request: Request, data: st.DataObject, drop: bool) -> None:
    body = json.loads(PROVIDER.write_request(request, Target("m"), Losses()))
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = body
        while True:
            if isinstance(place, dict) and place:
                key: Any = data.draw(st.sampled_from(sorted(place)) | names)
            elif isinstance(place, list) and place:
                key = data.draw(st.integers(0, len(place) - 1))
            else:
                break
            if (isinstance(place, dict) and key not in place) or data.draw(st.integers(0, 2)) == 0:
                place[key] = data.draw(anything)
                break
            place = place[key]
    try:
        found, _ = CLIENT.read_request(json.dumps(body).encode(), drop)
    except BadRequest as refused:
        param = refused.param
    else:
        param = None
        PROVIDER.write_request(found, Target("m"), Losses())
    assert param is None or param.startswith("$")
