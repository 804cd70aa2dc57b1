"""There and back loses nothing that both dialects can say: requests, answers and streams."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs.golden import CLIENTS, DIALECTS, client_side
from pairs.recorder import Recorder

from twintrack.wire import sse
from twintrack.wire.canonical.answer import Answer, Reply, Sink
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import (
    Citation,
    File,
    Image,
    Logprob,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.usage import Usage

EXAMPLES = settings(max_examples=40, deadline=None)
BETWEEN = [(one, other) for one in CLIENTS for other in CLIENTS if one != other]
OLD, NEW = Target("claude-sonnet-4-5"), Target("claude-haiku-5-5")
OPENAI = Target("gpt-5.4", custom_tools=True)
NOW = 1_763_633_400

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
base64s = st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode())
objects = st.dictionaries(words, st.integers(-(2**53), 2**53) | words | st.none(), max_size=3)
arguments = objects.map(json.dumps)
texts = st.builds(Text, words)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


# ---- requests


class Both:
    """What two dialects can both say."""

    def __init__(self, one: str, other: str) -> None:
        self.pair = {one, other}
        self.claude = "messages" in self.pair
        self.openai = not self.claude
        self.no_responses = "responses" not in self.pair
        self.no_chat = "chat" not in self.pair

    def images(self) -> st.SearchStrategy[Image]:
        media = st.builds(Media, base64s, st.sampled_from(["image/png", "image/jpeg", "image/gif", "image/webp"]))
        media |= st.builds(lambda path: Media(url=f"https://a.example/{path}"), names)
        return st.builds(Image, media, st.sampled_from(["low", "high"] if self.openai else [""]))

    def user(self) -> st.SearchStrategy[tuple[Part, ...]]:
        file = st.builds(File, st.builds(Media, base64s, st.just("application/pdf")), words)
        return st.lists(texts | self.images() | file, min_size=1, max_size=3).map(tuple)

    def result(self) -> st.SearchStrategy[tuple[Any, ...]]:
        return st.lists(texts | self.images() if self.no_chat else texts, min_size=1, max_size=2).map(tuple)

    @st.composite
    @staticmethod
    def _conversation(draw: st.DrawFn, both: Both, new: bool) -> tuple[Turn, ...]:
        turns = [Turn("user", draw(both.user()))]
        for _ in range(draw(st.integers(0, 3))):
            if (both.openai or new) and draw(st.booleans()):
                turns.append(Turn("system", (draw(texts),)))
            parts: list[Part] = draw(st.lists(texts, max_size=2))
            if both.openai and draw(st.booleans()):
                parts.append(Refusal(draw(words)))
            ids = draw(st.lists(names, max_size=2, unique=True))
            calls = []
            for id_ in ids:
                custom = both.openai and draw(st.booleans())
                calls.append(ToolCall(id_, draw(names), draw(words if custom else arguments), custom))
            turns.append(Turn("assistant", (*(parts or ([] if calls else [Text("a")])), *calls)))
            if calls:
                results = [ToolResult(call.id, draw(both.result()), custom=call.custom) for call in calls]
                turns.append(Turn("tool", tuple(results)))
            if not calls or draw(st.booleans()):
                turns.append(Turn("user", draw(both.user())))
        return tuple(turns)

    @st.composite
    @staticmethod
    def _tools(draw: st.DrawFn, both: Both, called: bool) -> dict[str, Any]:
        tools = []
        for name in draw(st.lists(names, min_size=called, max_size=3, unique=True)):
            if both.openai and draw(st.booleans()):
                tools.append(Tool(name, draw(words), kind="custom"))
            else:
                schema = raw({"type": "object", "properties": draw(objects)})
                strict = draw(st.sampled_from([True, False] if both.openai else [True, None]))
                tools.append(Tool(name, draw(st.just("") | words), schema, strict))
        if not tools:
            return {}
        choices = [ToolChoice("required"), ToolChoice("named", tools[0].name)]
        choice = draw(st.sampled_from([None, ToolChoice("none"), *choices]))
        single = both.openai or choice in choices
        if both.openai and choice is None and draw(st.booleans()):
            choice = ToolChoice(draw(st.sampled_from(["auto", "required"])), allowed=(tools[-1].name,))
        return {
            "tools": tuple(tools),
            "tool_choice": choice,
            "parallel_tool_calls": draw(st.sampled_from([None, False])) if single else None,
        }

    @st.composite
    @staticmethod
    def _requests(draw: st.DrawFn, both: Both) -> tuple[Request, Target]:
        new = draw(st.booleans())
        turns = draw(Both._conversation(both, new))
        more: dict[str, Any] = draw(Both._tools(both, any(turn.role == "tool" for turn in turns)))
        fractions = st.none() | st.floats(0, 1, exclude_max=True)
        if both.openai or not new:
            more |= {"temperature": draw(fractions), "top_p": draw(fractions)}
        if both.openai:
            logprobs = draw(st.booleans())
            more |= {
                "logprobs": logprobs,
                "top_logprobs": draw(st.integers(0, 20)) if logprobs else 0,
                "verbosity": draw(st.sampled_from(["", "low", "high"])),
                "cache_key": draw(st.just("") | names),
                "reasoning": draw(st.none() | st.builds(Reasoning, st.sampled_from(["none", "minimal", "xhigh"]))),
                "format": draw(
                    st.sampled_from([None, Format("json")])
                    | st.builds(Format, st.just("json_schema"), objects.map(raw), names, words, st.booleans())
                ),
            }
        else:
            more["format"] = draw(
                st.none()
                | st.builds(Format, st.just("json_schema"), objects.map(raw), st.just("answer"), strict=st.just(True))
            )
            if new:
                more["reasoning"] = draw(
                    st.none() | st.builds(Reasoning, st.sampled_from(["none", "low", "medium", "high", "max"]))
                )
        if both.no_responses:
            more["stop"] = tuple(draw(st.lists(words.filter(str.strip), max_size=3)))
            if not new:
                more["top_k"] = draw(st.none() | st.integers(1, 500))
        stream = draw(st.booleans())
        request = Request(
            model="any",
            turns=turns,
            system=tuple(draw(st.lists(texts, max_size=2))),
            max_output_tokens=draw(st.integers(16, 10**6)),
            service_tier=draw(st.sampled_from(["", "auto", "default"] + (["flex", "priority"] if both.openai else []))),
            user=draw(st.just("") | names),
            stream=stream,
            stream_usage=stream,
            **more,
        )
        return request, NEW if new else OLD

    def requests(self) -> st.SearchStrategy[tuple[Request, Target]]:
        return Both._requests(self)


def write(request: Request, dialect: str, claude: Target) -> bytes:
    losses = Losses()
    target = claude if dialect == "messages" else OPENAI
    body = DIALECTS[dialect].provider.write_request(request, target, losses)
    assert losses.found == []
    return body


@pytest.mark.parametrize(("one", "other"), BETWEEN)
def test_a_request_comes_back_as_it_went(one: str, other: str) -> None:
    @EXAMPLES
    @given(Both(one, other).requests())
    def there_and_back(given_: tuple[Request, Target]) -> None:
        request, claude = given_
        first = write(request, one, claude)
        read, _ = client_side(one).read_request(first, False)
        there, _ = client_side(other).read_request(write(read, other, claude), False)
        assert json.loads(write(there, one, claude)) == json.loads(first)

    there_and_back()


# ---- answers

REPLY = Reply(Request(model="any", turns=(), stream=True, stream_usage=True), "tt-1", NOW)
ids = names.map("resp_{}".format)
usages = st.builds(
    lambda fresh, wrote, read, kept, thought: Usage(fresh + read + kept, wrote + thought, read, kept, thought),
    *[st.integers(0, 10**6)] * 5,
)


@st.composite
def answers(draw: st.DrawFn, claude: bool) -> Answer:
    """One text: chat completions join them."""
    parts: list[Part] = []
    if not claude:
        parts += draw(st.lists(st.builds(Thinking, words), max_size=1))
    if said := draw(st.just("") | words):
        citations = draw(st.lists(st.builds(Citation, names.map("https://a.example/{}".format), words), max_size=2))
        logprobs = () if claude else draw(st.lists(probable, max_size=2).map(tuple))
        whole = tuple(msgspec.structs.replace(each, start=0, end=len(said)) for each in citations)
        parts.append(Text(said, citations=whole, logprobs=logprobs))
    refused = not claude and draw(st.booleans())
    if refused:
        parts.append(Refusal(draw(words)))
    calls = draw(st.lists(names, max_size=2, unique=True))
    parts += [ToolCall(each, draw(names), draw(arguments)) for each in calls]
    usual = "tool_calls" if calls else "refusal" if refused else "stop"
    return Answer(
        id=draw(ids),
        model=draw(words),
        created=NOW,
        parts=tuple(parts),
        finish=draw(st.sampled_from([usual, usual, "length"])),
        usage=draw(usages),
        service_tier="" if claude else draw(st.sampled_from(["", "default", "flex"])),
    )


token = words.map(lambda text: Logprob(text, -0.5, tuple(text.encode())))
probable = st.builds(
    lambda each, top: msgspec.structs.replace(each, top=tuple(top)), token, st.lists(token, max_size=2)
)


@pytest.mark.parametrize(("one", "other"), BETWEEN)
def test_an_answer_comes_back_as_it_went(one: str, other: str) -> None:
    @EXAMPLES
    @given(answers("messages" in (one, other)))
    def there_and_back(answer: Answer) -> None:
        first = client_side(one).write_answer(answer, REPLY)
        read = DIALECTS[one].provider.read_answer(first)
        there = DIALECTS[other].provider.read_answer(client_side(other).write_answer(read, REPLY))
        assert json.loads(client_side(one).write_answer(there, REPLY)) == json.loads(first)

    there_and_back()


# ---- streams

Step = tuple[Any, ...]


@st.composite
def steps(draw: st.DrawFn, claude: bool) -> list[Step]:
    """Calls of a sink's methods."""
    found: list[Step] = [("begin", draw(ids), draw(words), NOW)]
    calls = 0
    kinds = ["text", "text", "thinking", "calls"] + ([] if claude else ["refusal", "logprobs"])
    refused = False
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=12)):
        if kind == "calls":
            pieces: list[list[Step]] = []
            for _ in range(draw(st.integers(1, 3))):
                said = draw(st.just("") | arguments)
                cut = draw(st.integers(0, len(said)))
                found.append(("call", calls, f"c{calls}_{draw(names)}", draw(names), False))
                pieces.append([("arguments", calls, piece) for piece in (said[:cut], said[cut:]) if piece])
                calls += 1
            if draw(st.booleans()):  # in turns
                found += [piece for turn in zip_longest(*pieces) for piece in turn if piece is not None]
            else:
                found += [piece for each in pieces for piece in each]
        elif kind == "logprobs":
            found.append(("text", draw(words), tuple(draw(st.lists(probable, min_size=1, max_size=2)))))
        else:
            refused = refused or kind == "refusal"
            found.append((kind, draw(words)))
    if found[-1][0] == "text":  # chat completions tell where a text comes from at their end
        cited = draw(st.lists(names.map("https://a.example/{}".format), max_size=2))
        found += [("citation", Citation(url, "A")) for url in cited]
    usual = "tool_calls" if calls else "refusal" if refused else "stop"
    found.append(("usage", draw(usages)))
    found.append(("finish", draw(st.sampled_from([usual, usual, "length"]))))
    return [*found, ("end",)]


def told(sink: Sink, steps_: list[Step]) -> Sink:
    for name, *values in steps_:
        getattr(sink, name)(*values)
    return sink


def pass_on(stream: bytes, dialect: str, sink: Sink) -> None:
    reader = DIALECTS[dialect].provider.read_stream(sink)
    for payload in sse.payloads(stream):
        reader.see(payload)
    reader.close()
    assert reader.finished
    assert not reader.failure


@pytest.mark.parametrize(("one", "other"), BETWEEN)
def test_a_stream_comes_through_both_as_it_went(one: str, other: str) -> None:
    @EXAMPLES
    @given(steps("messages" in (one, other)))
    def through_both(steps_: list[Step]) -> None:
        expected = Recorder()
        told(expected, steps_)
        between = client_side(other).write_stream(REPLY)
        pass_on(told(client_side(one).write_stream(REPLY), steps_).take(), one, between)
        heard = Recorder()
        pass_on(between.take(), other, heard)
        assert heard.all() == expected.all()

    through_both()


@pytest.mark.parametrize("dialect", CLIENTS)
def test_a_stream_says_what_the_whole_answer_says(dialect: str) -> None:
    @EXAMPLES
    @given(steps(dialect == "messages"))
    def as_whole(steps_: list[Step]) -> None:
        steps_ = [each[:2] if each[0] == "text" else each for each in steps_ if each[0] != "citation"]
        expected = Recorder()
        told(expected, steps_)
        begun, said, _, _, usage, finish, _ = expected.all()
        parts = [_part(*each) for each in said]
        answer = Answer(id=begun[0], model=begun[1], created=NOW, parts=tuple(parts), finish=finish[0], usage=usage)
        whole = DIALECTS[dialect].provider.read_answer(client_side(dialect).write_answer(answer, REPLY))
        heard = Recorder()
        pass_on(told(client_side(dialect).write_stream(REPLY), steps_).take(), dialect, heard)
        _, streamed, _, _, streamed_usage, (streamed_finish, _), _ = heard.all()
        assert gist([_part(*each) for each in streamed]) == gist(whole.parts)
        assert (streamed_usage, streamed_finish) == (whole.usage, whole.finish)

    as_whole()


def _part(kind: str, *values: Any) -> Part:
    if kind == "call":
        id_, name, custom, said = values
        return ToolCall(id_, name, said, custom)
    kinds: dict[str, type[Text | Thinking | Refusal]] = {"text": Text, "thinking": Thinking, "refusal": Refusal}
    return kinds[kind](*values)


def gist(parts: Iterable[Part]) -> dict[type, Any]:
    """By kind: a chat completion has one place for each, with a blank line between two thoughts."""
    found: dict[type, Any] = {Text: "", Thinking: "", Refusal: "", ToolCall: []}
    for part in parts:
        if isinstance(part, ToolCall):
            found[ToolCall].append(part)
        elif isinstance(part, (Text, Thinking, Refusal)):
            found[type(part)] += part.text
    found[Thinking] = found[Thinking].replace("\n\n", "")
    return found
