"""Whatever a conversation is, what is written of it is whole: no word is lost in silence, every call has its result."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import File, Image, Media, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.gemini import PROVIDER

MODELS = st.sampled_from(
    ["gemini-3.8-flash", "gemini-2.5-pro", "gemini-4-argon", "gemma-4-27b-it", "gemini-flash-latest"]
)
WORDS = st.text(min_size=1, max_size=12)
TEXTS = st.builds(Text, WORDS)
IMAGES = st.sampled_from([Image(Media("QUJD", "image/png")), Image(Media(url="https://a.example/x.jpg"))])
FILES = st.builds(File, st.just(Media("QUJD", "application/pdf")), name=st.text(max_size=5))
SIGNATURES = st.sampled_from(["", "bare", marked("gemini", "gemini-3.8-flash", "Sg=="), marked("x", "y", "z")])
ARGUMENTS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=2).map(json.dumps)
USERS = st.lists(TEXTS | IMAGES | FILES, min_size=1, max_size=3).map(lambda parts: (Turn("user", tuple(parts)),))


@st.composite
def steps(draw: st.DrawFn) -> tuple[Turn, ...]:
    """An assistant's message, and the results of the tools it calls."""
    said: list[Any] = draw(
        st.lists(TEXTS | st.builds(Refusal, WORDS) | st.builds(Thinking, WORDS, SIGNATURES), max_size=2)
    )
    ids = draw(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=3))
    custom = draw(st.booleans())
    calls = [ToolCall(id, "tool", draw(WORDS if custom else ARGUMENTS), custom, "", draw(SIGNATURES)) for id in ids]
    results = [
        ToolResult(id, tuple(draw(st.lists(TEXTS | IMAGES | FILES, max_size=2))), draw(st.booleans()))
        for id in draw(st.permutations(ids))
    ]
    turns = (Turn("assistant", (*said, *calls)),)
    return (*turns, Turn("tool", tuple(results))) if ids else turns


TURNS = st.lists(USERS | steps(), max_size=6).map(lambda found: sum(found, (Turn("user", (Text("Hello"),)),)))
REQUESTS = st.builds(
    Request,
    model=st.just("m"),
    turns=TURNS,
    system=st.lists(TEXTS, max_size=2).map(tuple),
    tools=st.lists(st.builds(Tool, st.just("tool"), WORDS, st.just(Raw(b'{"type":"object"}'))), max_size=1).map(tuple),
    tool_choice=st.none() | st.builds(ToolChoice, st.sampled_from(["auto", "none", "required"])),
    temperature=st.none() | st.floats(0, 2),
    seed=st.none() | st.integers(),
    stop=st.lists(WORDS, max_size=6).map(tuple),
    format=st.none() | st.just(Format("json_schema", Raw(b"{}"))),
    reasoning=st.none()
    | st.builds(Reasoning, st.sampled_from([None, "none", "low", "max"]), st.none() | st.integers(0, 10**6)),
)


@given(REQUESTS, MODELS)
def test_no_word_is_lost(request: Request, model: str):
    losses = Losses()
    written = json.loads(PROVIDER.write_request(request, Target(model), losses))
    texts = [part.get("text") for content in written["contents"] for part in content["parts"]]
    lost = {loss.what for loss in losses.found}
    if "the beginning of the answer, as the last message" in lost:
        request = Request(model="m", turns=request.turns[: _last_of_others(request.turns)])
    for turn in request.turns:
        for part in turn.parts:
            if isinstance(part, (Text, Refusal)):
                assert part.text in texts
    assert len(written.get("systemInstruction", {}).get("parts", ())) == len(request.system) or not request.system


@given(REQUESTS, MODELS)
def test_calls_and_results_match(request: Request, model: str):
    contents = json.loads(PROVIDER.write_request(request, Target(model), Losses()))["contents"]
    for content, following in zip(contents, [*contents[1:], {"parts": []}], strict=True):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        results = [part["functionResponse"] for part in following["parts"] if "functionResponse" in part]
        if calls or results:
            assert [(call["id"], call["name"]) for call in calls] == [(each["id"], each["name"]) for each in results]
            assert len(results) == len(following["parts"])
            assert all(isinstance(call["args"], dict) for call in calls)
        assert content["parts"]


def _last_of_others(turns: tuple[Turn, ...]) -> int:
    """Where the assistant's messages begin that end the conversation."""
    at = len(turns)
    while turns[at - 1].role == "assistant":
        at -= 1
    return at
