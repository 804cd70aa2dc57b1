"""Streamed answers of generateContent: a response an event, the last one known by its finish reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Finish
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.gemini import PROVIDER
from twintrack.wire.usage import NO_USAGE, Usage

MODEL = "gemini-3.8-flash"


class Collected:
    """A sink that puts together what it is told."""

    def __init__(self) -> None:
        self.begun = ("", "", 0)
        self.parts: list[Part] = []
        self.told: list[Usage] = []
        self.reason: Finish | None = None
        self.ended = 0

    def begin(self, id: str, model: str, created: int) -> None:
        assert self.begun == ("", "", 0)
        self.begun = (id, model, created)

    def _last(self, kind: type[Any]) -> Any:
        return self.parts.pop() if self.parts and isinstance(self.parts[-1], kind) else kind("")

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        last = self._last(Text)
        self.parts.append(Text(last.text + piece, "", last.citations, last.logprobs + logprobs))

    def citation(self, citation: Citation) -> None:
        last = self._last(Text)
        self.parts.append(Text(last.text, "", (*last.citations, citation), last.logprobs))

    def thinking(self, piece: str) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Thinking) and not last.signature:
            self.parts[-1] = Thinking(last.text + piece)
        else:
            self.parts.append(Thinking(piece))

    def signature(self, signature: str) -> None:
        last = self.parts.pop()
        assert isinstance(last, Thinking)
        assert not last.signature
        self.parts.append(Thinking(last.text, signature))

    def sealed(self, data: str, id: str) -> None:
        raise AssertionError

    def refusal(self, piece: str) -> None:
        self.parts.append(Refusal(piece))

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        assert call == sum(isinstance(part, ToolCall) for part in self.parts)
        self.parts.append(ToolCall(id, name, "", custom))

    def arguments(self, call: int, piece: str) -> None:
        last = self.parts.pop()
        assert isinstance(last, ToolCall)
        self.parts.append(ToolCall(last.id, last.name, last.arguments + piece))

    def boundary(self) -> None:
        pass

    def usage(self, usage: Usage) -> None:
        self.told.append(usage)

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        assert self.reason is None
        self.reason = reason

    def end(self) -> None:
        self.ended += 1

    def take(self) -> bytes:
        return b""


def event(*parts: Any, reason: str | None = None, candidate: Any = None, **members: Any) -> bytes:
    said: dict[str, Any] = {"content": {"role": "model"}, "index": 0, **(candidate or {})}
    if parts:
        said["content"]["parts"] = list(parts)
    if reason:
        said["finishReason"] = reason
    return json.dumps({"candidates": [said], "modelVersion": MODEL, "responseId": "r-1", **members}).encode()


def read(*events: bytes) -> tuple[Any, Collected]:
    sink = Collected()
    reader = PROVIDER.read_stream(sink)
    for each in events:
        reader.see(each)
    reader.close()
    return reader, sink


def usage(prompt: int, candidates: int) -> dict[str, int]:
    return {"promptTokenCount": prompt, "candidatesTokenCount": candidates}


def test_a_plain_stream():
    reader, sink = read(
        event({"text": "Hel"}, usageMetadata=usage(10, 1), createTime="2026-11-20T10:15:30Z"),
        event({"text": "lo"}, usageMetadata=usage(10, 2)),
        event({"text": "", "thoughtSignature": "Sg=="}, reason="STOP", usageMetadata=usage(10, 3)),
    )
    assert sink.begun == ("r-1", MODEL, 1795169730)
    assert sink.parts == [Text("Hello")]
    assert (sink.reason, sink.ended, reader.finished, reader.content, reader.failure) == ("stop", 1, True, True, "")
    assert [each.output_tokens for each in sink.told] == [1, 3]
    assert reader.usage == Usage(10, 3)


def test_closing_twice_ends_once():
    sink = Collected()
    reader = PROVIDER.read_stream(sink)
    reader.see(event({"text": "x"}, reason="STOP"))
    reader.close()
    reader.close()
    assert sink.ended == 1


def test_a_finish_reason_in_every_event_ends_nothing_early():
    _, sink = read(event({"text": "a"}, reason="STOP"), event({"text": "b"}, reason="MAX_TOKENS"))
    assert (sink.parts, sink.reason) == ([Text("ab")], "length")


def test_usage_may_come_behind_the_finish_reason():
    reader, sink = read(
        event({"text": "a"}, reason="STOP", usageMetadata=usage(1, 1)),
        json.dumps({"usageMetadata": usage(1, 2)}).encode(),
    )
    assert reader.usage.output_tokens == sink.told[-1].output_tokens == 2


def test_thoughts_calls_and_signatures():
    sign = marked("gemini", MODEL, "Sg==")
    _, sink = read(
        event({"text": "Let ", "thought": True}),
        event({"text": "me", "thought": True}),
        event({"functionCall": {"name": "f", "args": {"a": [1]}, "id": "i1"}, "thoughtSignature": "Sg=="}),
        event({"functionCall": {"name": "g", "args": None, "id": "i2"}}),
        event({"functionCall": {"name": "h", "id": "i3"}, "thoughtSignature": "Sg=="}, reason="STOP"),
    )
    assert sink.parts == [
        Thinking("Let me", sign),
        ToolCall("i1", "f", '{"a":[1]}'),
        ToolCall("i2", "g", "{}"),
        Thinking("", sign),
        ToolCall("i3", "h", "{}"),
    ]
    assert sink.reason == "tool_calls"


def test_nothing_was_seen_before_words():
    sink = Collected()
    reader = PROVIDER.read_stream(sink)
    reader.see(event(usageMetadata=usage(5, 0)))
    reader.see(event({"text": ""}))
    assert not reader.content
    reader.see(event({"text": "a"}))
    assert reader.content


def test_a_cut_stream_is_not_presented_as_complete():
    reader, sink = read(event({"text": "Half"}, usageMetadata=usage(3, 1)))
    assert not reader.finished
    assert (sink.ended, sink.reason) == (0, None)
    assert reader.usage.output_tokens == 1


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "OTHER", "NEW_IDEA"])
def test_a_failed_model_is_a_failure(reason: str):
    reader, sink = read(event({"text": "Half"}), event(reason=reason, candidate={"finishMessage": "it broke"}))
    assert reader.failure == f"the model failed with {reason}"
    assert not reader.finished
    assert sink.ended == 0


def test_an_error_event_is_a_failure():
    error = b'{"error":{"code":503,"message":"Overloaded","status":"UNAVAILABLE"}}'
    reader, sink = read(event({"text": "Half"}), error)
    assert (reader.failure, reader.finished, sink.ended) == ("error event (UNAVAILABLE)", False, 0)
    reader, sink = read(event({"text": "All"}, reason="STOP"), error)
    assert sink.ended == 0
    assert read(b'{"error":{}}')[0].failure == "error event"


def test_a_blocked_prompt_is_complete():
    reader, sink = read(b'{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"Not this."}}')
    assert (reader.content, reader.finished, sink.reason, sink.ended) == (True, True, "content_filter", 1)
    assert sink.parts == [Refusal("Not this.")]


def test_sources_and_probabilities():
    _, sink = read(
        event(
            {"text": "Hi"}, candidate={"logprobsResult": {"chosenCandidates": [{"token": "Hi", "logProbability": -1}]}}
        ),
        event(
            reason="STOP", candidate={"citationMetadata": {"citationSources": [{"uri": "https://a", "endIndex": 2}]}}
        ),
    )
    assert sink.parts == [Text("Hi", "", (Citation("https://a", "", "", 0, 2),), (Logprob("Hi", -1.0),))]


def test_positions_count_in_the_only_text():
    source = {"citationMetadata": {"citationSources": [{"uri": "https://a", "startIndex": 3, "endIndex": 6}]}}
    thought = event({"text": "hm", "thought": True})
    _, sink = read(thought, event({"text": "Zü"}), event({"text": "rich"}, reason="STOP", candidate=source))
    assert sink.parts[-1] == Text("Zürich", "", (Citation("https://a", "", "", 2, 5),))
    _, sink = read(event({"text": "Zürich"}), thought, event({"text": "Bern"}, reason="STOP", candidate=source))
    assert sink.parts[-1] == Text("Bern", "", (Citation("https://a"),))


@pytest.mark.parametrize(
    "payload",
    [
        b"[DONE]",
        b"{",
        b"[]",
        b"\xff",
        b'{"candidates":{}}',
        b'{"candidates":[{"content":{"parts":[{"text":[]}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","partialArgs":[]}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":"x"}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}}]}',
        b'{"usageMetadata":{},"responseId":7}',
    ],
)
def test_what_is_no_event(payload: bytes):
    with pytest.raises(UpstreamError):
        PROVIDER.read_stream(Collected()).see(payload)


def test_odd_usage_is_unknown():
    assert read(event({"text": "a"}, reason="STOP", usageMetadata=["?"]))[0].usage == NO_USAGE


TEXTS = st.text(max_size=8)
PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, TEXTS),
    st.builds(lambda text: {"text": text, "thought": True}, TEXTS),
    st.builds(
        lambda args, id, signature: {
            "functionCall": {"name": "f", "args": args, **({"id": id} if id else {})},
            **({"thoughtSignature": signature} if signature else {}),
        },
        st.dictionaries(TEXTS, st.one_of(st.integers(-(2**60), 2**60), TEXTS, st.none()), max_size=2),
        st.sampled_from(["", "i1", "i2"]),
        st.sampled_from(["", "Sg=="]),
    ),
)


@given(st.lists(st.lists(PARTS, max_size=3), max_size=5), st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"]))
def test_a_stream_says_what_the_whole_answer_says(pieces: list[list[Any]], reason: str):
    whole = PROVIDER.read_answer(event(*(part for piece in pieces for part in piece), reason=reason))
    _, sink = read(*(event(*piece) for piece in pieces), event(reason=reason))
    assert sink.reason is not None
    streamed = Answer(id="r-1", model=MODEL, parts=tuple(sink.parts), finish=sink.reason)
    unsigned = tuple(
        ToolCall(part.id, part.name, part.arguments) if isinstance(part, ToolCall) else part for part in whole.parts
    )
    assert streamed == Answer(id="r-1", model=MODEL, parts=unsigned, finish=whole.finish)


@given(st.binary(max_size=60) | st.sampled_from([event({"text": "abc"}, reason="STOP")]).map(lambda whole: whole[:-9]))
def test_no_bytes_raise_anything_else(payload: bytes):
    try:
        PROVIDER.read_stream(Collected()).see(payload)
    except UpstreamError:
        pass


def test_probabilities_of_an_event_with_several_texts_are_told_once():
    told = {"logprobsResult": {"chosenCandidates": [{"token": "Hi", "logProbability": -1}]}}
    _, sink = read(event({"text": "H"}, {"text": "i"}, reason="STOP", candidate=told))
    (text,) = sink.parts
    assert [each.logprob for each in text.logprobs] == [-1]
