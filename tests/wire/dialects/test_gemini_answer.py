"""Whole answers of generateContent. Shapes: google-genai 3.4.0, Gemini API reference, 2026-11-20."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer
from twintrack.wire.canonical.parts import Citation, Logprob, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.gemini import PROVIDER
from twintrack.wire.usage import Usage

MODEL = "gemini-3.8-flash"
FILTERED = (
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "ESCALATION",
    "PUP_LIMITED_DISABLED",
)


def read(*parts: Any, reason: str = "STOP", candidate: Any = None, **members: Any) -> Answer:
    said = {"content": {"parts": list(parts), "role": "model"}, "finishReason": reason, "index": 0, **(candidate or {})}
    return PROVIDER.read_answer(
        json.dumps({"candidates": [said], "modelVersion": MODEL, "responseId": "r-1", **members}, indent=2).encode()
    )


def test_a_plain_answer():
    answer = read(
        {"text": "Hel"},
        {"text": "lo 😀", "thoughtSignature": "Sg=="},
        createTime="2026-11-20T10:15:30.123456789Z",
        usageMetadata={
            "promptTokenCount": 10,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 5,
            "toolUsePromptTokenCount": 2,
            "totalTokenCount": 20,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}, {"modality": "AUDIO", "tokenCount": 4}],
            "serviceTier": "flex",
        },
    )
    assert answer.parts == (Text("Hello 😀"),)
    assert (answer.id, answer.model, answer.created) == ("r-1", MODEL, 1795169730)
    assert answer.finish == "stop"
    assert answer.service_tier == "flex"
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (12, 8, 4)
    assert (usage.reasoning_tokens, usage.input_audio_tokens) == (5, 4)


def test_an_answer_that_says_nothing_of_itself():
    answer = PROVIDER.read_answer(b'{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}')
    assert answer == Answer(finish="stop", usage=Usage())


def test_thoughts_calls_and_their_signatures():
    sign = marked("gemini", MODEL, "Sg==")
    answer = read(
        {"text": "Let ", "thought": True},
        {"text": "me see", "thought": True},
        {
            "functionCall": {"name": "f", "args": {"big": 12345678901234567890, "x": 1.50}, "id": "i1"},
            "thoughtSignature": "Sg==",
        },
        {"functionCall": {"name": "g"}},
        {"text": ""},
    )
    thought, first, second = answer.parts
    assert thought == Thinking("Let me see", sign)
    assert isinstance(first, ToolCall)
    assert (first.id, first.name, first.signature) == ("i1", "f", sign)
    assert json.loads(first.arguments)["big"] == 12345678901234567890
    assert "\n" not in first.arguments
    assert isinstance(second, ToolCall)
    assert (second.name, second.arguments, second.signature) == ("g", "{}", "")
    assert second.id.startswith("call_")
    assert answer.finish == "tool_calls"


def test_a_signature_without_a_thought_stands_on_an_empty_one():
    thought, _ = read({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "Sg=="}).parts
    assert thought == Thinking("", marked("gemini", MODEL, "Sg=="))


def test_ids_are_made_for_calls_without_one_and_stay_the_same():
    calls = [{"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "f", "args": {}}}]
    first, second = (part.id for part in read(*calls).parts if isinstance(part, ToolCall))
    assert first != second
    assert [part.id for part in read(*calls).parts if isinstance(part, ToolCall)] == [first, second]
    assert len(first) <= 40
    assert read(*calls, responseId="r-2").parts != read(*calls).parts
    assert read(*calls, responseId=None).parts


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        *((reason, "content_filter") for reason in FILTERED),
    ],
)
def test_why_an_answer_ended(reason: str, finish: str):
    answer = read({"text": "Half"}, reason=reason)
    assert answer.finish == finish
    assert answer.parts == (Text("Half"),)
    assert read({"functionCall": {"name": "f"}}, reason=reason).finish == finish


@pytest.mark.parametrize(
    "reason",
    [
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "NO_IMAGE",
        "IMAGE_OTHER",
        "FINISH_REASON_UNSPECIFIED",
        "SOMETHING_NEW",
    ],
)
def test_a_failed_model_is_no_answer(reason: str):
    with pytest.raises(UpstreamError, match=f"{reason}.$"):
        read({"text": "Half"}, reason=reason, candidate={"finishMessage": "it broke"})


def test_a_blocked_prompt_is_an_answer_without_words():
    body = b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":7}}'
    answer = PROVIDER.read_answer(body)
    assert (answer.parts, answer.finish, answer.usage.input_tokens) == ((), "content_filter", 7)
    told = PROVIDER.read_answer(b'{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"Not this."}}')
    assert told.parts == (Refusal("Not this."),)


def test_sources_count_characters():
    answer = read(
        {"text": "é says 😀 so"},
        candidate={
            "citationMetadata": {
                "citations": [{"endIndex": 2, "uri": "https://a", "title": "A"}, {"startIndex": 99, "endIndex": 100}]
            },
            "groundingMetadata": {
                "groundingChunks": [{"web": {"uri": "https://b", "title": "B"}}, {"image": {}}],
                "groundingSupports": [
                    {"segment": {"startIndex": 8, "endIndex": 12, "text": "😀"}, "groundingChunkIndices": [0, 1, 9]},
                    {"segment": {"partIndex": 1, "endIndex": 1, "text": "x"}, "groundingChunkIndices": [0]},
                    {},
                ],
            },
        },
    )
    (text,) = answer.parts
    assert isinstance(text, Text)
    assert text.citations == (
        Citation("https://a", "A", "", 0, 1),
        Citation(),
        Citation("https://b", "B", "😀", 7, 8),
        Citation("https://b", "B", "x"),
    )


def test_probabilities():
    hi, yo = {"token": "Hi", "tokenId": 5, "logProbability": -0.5}, {"token": "Yo", "logProbability": -2}
    result = {
        "chosenCandidates": [hi, {"token": "!", "logProbability": -1}],
        "topCandidates": [{"candidates": [hi, yo]}],
    }
    (text,) = read({"text": "Hi!"}, candidate={"logprobsResult": result, "avgLogprobs": -0.75}).parts
    assert isinstance(text, Text)
    assert text.logprobs == (
        Logprob("Hi", -0.5, None, (Logprob("Hi", -0.5), Logprob("Yo", -2.0))),
        Logprob("!", -1.0),
    )


def said(part: bytes) -> bytes:
    return b'{"candidates":[{"content":{"parts":[%b]},"finishReason":"STOP"}]}' % part


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not of generateContent"),
        (b"[]", "not of generateContent"),
        (b"{", "not of generateContent"),
        (b"{}", "no candidate"),
        (b'{"candidates":[]}', "no candidate"),
        (b'{"candidates":[{"content":{"parts":[{"text":"Half"}]}}]}', "not complete"),
        (said(b'{"text":5}'), "not of generateContent"),
        (b'{"candidates":{"0":1}}', "not of generateContent"),
        (said(b'{"functionCall":{"name":"f","args":[]}}'), "no object"),
        (said(b'{"functionCall":{}}'), "not of generateContent"),
        (said(b'{"functionCall":{"name":"f","willContinue":true}}'), "in pieces"),
        (said(b'{"inlineData":{"data":"QUJD"}}'), "only text"),
        (b'{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}', "EXHAUSTED"),
        (b'{"candidates":[{"finishReason":"STOP"}],"modelVersion":"\xff"}', "not of generateContent"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not of generateContent"),
    ],
)
def test_what_is_no_answer(body: bytes, why: str):
    with pytest.raises(UpstreamError, match=why):
        PROVIDER.read_answer(body)


@pytest.mark.parametrize("usage", [b"[]", b'"x"', b"null", b'{"promptTokenCount":-1}', b'{"promptTokensDetails":7}'])
def test_odd_usage_is_unknown(usage: bytes):
    body = b'{"candidates":[{"finishReason":"STOP"}],"usageMetadata":' + usage + b"}"
    assert PROVIDER.read_answer(body).usage.input_tokens is None


def test_an_odd_time_is_unknown():
    assert read(createTime="yesterday").created == 0
    assert read(createTime="2026-99-99T00:00:00Z").created == 0


@pytest.mark.parametrize(
    ("traffic", "tier"), [("ON_DEMAND", "default"), ("ON_DEMAND_PRIORITY", "priority"), ("NEW", "new")]
)
def test_tiers_of_vertex(traffic: str, tier: str):
    assert read(usageMetadata={"trafficType": traffic}).service_tier == tier
