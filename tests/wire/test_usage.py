"""Usage has one meaning, whoever reports it, and saying it again in another dialect loses nothing that one can say."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_texts import chunk, event
from usage_cases import CASES, Case

from twintrack.wire.endpoints import BY_NAME
from twintrack.wire.reported.anthropic import AnthropicUsage, anthropic_usage, as_anthropic, begun, merged
from twintrack.wire.reported.gemini import GeminiUsage, gemini_usage
from twintrack.wire.reported.openai import (
    OpenAIUsage,
    ResponsesUsage,
    as_openai,
    as_responses,
    embeddings_usage,
    openai_usage,
    responses_usage,
)
from twintrack.wire.usage import NO_USAGE, Odd, Usage, known

SHAPES: dict[str, Any] = {
    "openai": (OpenAIUsage, openai_usage),
    "responses": (ResponsesUsage, responses_usage),
    "anthropic": (AnthropicUsage, anthropic_usage),
    "gemini": (GeminiUsage, gemini_usage),
    "embeddings": (OpenAIUsage, embeddings_usage),
}


def read(dialect: str, said: object) -> Usage:
    shape, reader = SHAPES[dialect]
    return reader(msgspec.json.decode(json.dumps(said), type=shape | Odd))  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", CASES, ids=[case.provider for case in CASES])
def test_what_a_provider_reports_is_read_as_it_is_meant(case: Case):
    assert read(case.dialect, case.said) == case.usage


OUR_WORDS = {"output_reasoning_tokens": "reasoning_tokens"}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.listed], ids=[case.provider for case in CASES if case.listed]
)
def test_the_price_list_reads_its_providers_the_same_way(case: Case):
    """genai-prices keeps its own table of what each provider's members mean; wherever it says something, so do we."""
    from genai_prices.data import providers

    name, flavour = case.listed.split()
    provider = next(each for each in providers if each.id == name)
    root = "usageMetadata" if case.dialect == "gemini" else "usage"
    _, theirs = provider.extract_usage({root: case.said, "model": "m", "modelVersion": "m"}, api_flavor=flavour)
    ours = msgspec.structs.asdict(case.usage)
    said = {OUR_WORDS.get(word, word): tokens for word, tokens in vars(theirs).items()}
    assert said
    assert {word: ours[word] for word in said if word in ours} == {w: n for w, n in said.items() if w in ours}


# What nobody can mean


@pytest.mark.parametrize(
    ("count", "tokens"),
    [
        (0, 0), (7, 7), (7.0, 7), (999_999_999, 999_999_999), (10**9, None), (-1, None), (7.5, None),
        (float("inf"), None), (float("nan"), None), (10**40, None),
        (None, None), ("7", None), (True, None), ([7], None), ({"tokens": 7}, None),
    ],
)  # fmt: skip
def test_a_count_is_a_whole_number_of_reasonable_size_or_unknown(count: object, tokens: int | None):
    assert known(count) == tokens


@pytest.mark.parametrize(
    ("dialect", "said", "usage"),
    [
        ("openai", {}, NO_USAGE),
        ("openai", [], NO_USAGE),
        ("openai", "none", NO_USAGE),
        ("openai", {"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        ("openai", {"prompt_tokens": "9", "completion_tokens": 3}, Usage(None, 3)),
        ("openai", {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": []}, Usage(9, 3)),
        ("openai", {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": {}, "audio_tokens": 2}},
         Usage(9, None, None, None, None, None, 2)),
        ("openai", {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": "10"}, Usage(5, 5)),
        ("openai", {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 3}, Usage(5, 5)),
        ("responses", {"input_tokens": 9, "output_tokens_details": 5}, Usage(9)),
        ("anthropic", {"output_tokens": 5, "cache_read_input_tokens": 7}, Usage(None, 5, 7)),
        ("anthropic", {"input_tokens": 1, "cache_creation": "x", "iterations": {}}, Usage(1)),
        ("anthropic", {"input_tokens": 1, "output_tokens": 1, "iterations": [3, None, {"type": 5}]}, Usage(1, 1)),
        ("anthropic",
         {"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}},
         Usage(6, None, None, 5, None, 3)),
        ("gemini", {"promptTokenCount": 9, "promptTokensDetails": [None, {"modality": 3}, {"modality": "AUDIO"}]},
         Usage(9, None, None, None, None, None, 0, None, 0)),
        ("gemini", {"promptTokenCount": 9, "totalTokenCount": 4}, Usage(9)),
    ],
)  # fmt: skip
def test_an_odd_member_is_unknown_and_the_others_still_count(dialect: str, said: object, usage: Usage):
    assert read(dialect, said) == usage


MEMBERS = sorted(
    {"type", "modality", "tokenCount", "AUDIO", "compaction", "ephemeral_5m_input_tokens", "thinking_tokens"}
    | {name for shape, _ in SHAPES.values() for name in shape.__struct_encode_fields__}
    | {"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"}
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-10, 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(MEMBERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=8),
    max_leaves=20,
)


@given(anything, st.sampled_from(sorted(SHAPES)))
def test_whatever_is_said_each_count_is_reasonable_or_unknown(said: object, dialect: str):
    usage = read(dialect, said)
    for name, tokens in msgspec.structs.asdict(usage).items():
        assert tokens is None or 0 <= tokens < 10**10, name


# Streams


CHAT, MESSAGES = BY_NAME["chat"], BY_NAME["messages"]
SAID = {"prompt_tokens": 43, "completion_tokens": 26, "total_tokens": 69}


def streamed(*events: object) -> Usage:
    stream = CHAT.open_stream(True)
    stream.feed(event(chunk({"role": "assistant", "content": "Hi"})))
    for each in events:
        stream.feed(event(each))
    stream.close()
    return stream.usage()


def nested(usage: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage}]}


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        # Groq: in the chunk with the finish reason, and beside it at the top level as well (streams kept in public
        # repositories, the latter of 2026-01-22).
        ([chunk({}, "stop", x_groq={"id": "req_1", "usage": SAID})], Usage(43, 26)),
        ([chunk({}, "stop", x_groq={"id": "req_1", "usage": SAID}, usage=SAID)], Usage(43, 26)),
        # Moonshot: inside the choice, and again at the end (as others measured on 2026-08-31).
        ([nested(SAID | {"cached_tokens": 40})], Usage(43, 26, 40)),
        ([nested(SAID | {"cached_tokens": 40}), chunk(usage=SAID | {"cached_tokens": 40})], Usage(43, 26, 40)),
        # llama.cpp: as measured, where no usage came (numbers of tools/server/README.md, read 2026-11-20).
        ([chunk({}, "stop", timings={"cache_n": 236, "prompt_n": 1, "predicted_n": 35})], Usage(237, 35, 236)),
        ([chunk({}, "stop", timings={"prompt_n": 1, "predicted_n": 35}), chunk(usage=SAID)], Usage(43, 26)),
        # DeepSeek and Z.AI: at the top level of the chunk with the finish reason (the same).
        ([chunk({}, "stop", usage=SAID)], Usage(43, 26)),
        # vLLM with continuous usage: the last one holds.
        ([chunk({"content": "a"}, usage=SAID | {"completion_tokens": 1, "total_tokens": 44}),
          chunk({}, "stop", usage=SAID)], Usage(43, 26)),
        # OpenAI: null in every chunk but the last.
        ([chunk({"content": "a"}, usage=None), chunk({}, "stop", usage=None), chunk(usage=SAID)], Usage(43, 26)),
        ([chunk({}, "stop", x_groq={"id": "req_1"}, timings=None)], NO_USAGE),
        ([chunk({}, "stop", x_groq=[], timings="fast")], NO_USAGE),
    ],
)  # fmt: skip
def test_usage_is_found_wherever_a_provider_puts_it(events: list[object], usage: Usage):
    assert streamed(*events) == usage


def test_a_number_nobody_can_read_in_the_last_chunk_is_no_reason_to_fail():
    stream = CHAT.open_stream(True)
    stream.feed(event(chunk({"content": "Hi"})))
    stream.feed(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"timings":{"prompt_n":1e999}}\n\n')
    stream.close()
    assert (stream.finished, stream.usage()) == (True, NO_USAGE)


def message(*usages: dict[str, Any]) -> Usage:
    stream = MESSAGES.open_stream(False)
    stream.feed(event({"type": "message_start", "message": {"id": "m", "usage": usages[0]}}))
    stream.feed(event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}))
    for usage in usages[1:]:
        stream.feed(event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}))
    stream.feed(event({"type": "message_stop"}))
    stream.close()
    return stream.usage()


START = {
    "input_tokens": 2_679,
    "output_tokens": 3,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 60,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 40},
}


@pytest.mark.parametrize(
    ("usages", "usage"),
    [
        ([START, {"output_tokens": 510}], Usage(2_839, 510, 100, 60, None, 40)),
        # A stream of claude-haiku-4-5 that @ai-sdk/anthropic 3.0.21 is tested with.
        ([{"input_tokens": 849, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 10,
           "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}},
          {"input_tokens": 849, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 47}],
         Usage(849, 47, 0, 0, None, 0)),
        # With a server tool the input grows (platform.claude.com/docs/en/build-with-claude/streaming, read 2026-11-20).
        ([START, {"input_tokens": 10_682, "output_tokens": 510, "cache_read_input_tokens": 100,
                  "server_tool_use": {"web_search_requests": 1}}],
         Usage(10_842, 510, 100, 60, None, 40)),
        ([START, {"output_tokens": 510, "output_tokens_details": {"thinking_tokens": 500}}],
         Usage(2_839, 510, 100, 60, 500, 40)),
        # A server that says 0 for what it does not repeat takes nothing back.
        ([START, {"input_tokens": 0, "output_tokens": 7, "cache_read_input_tokens": 0}],
         Usage(2_839, 7, 100, 60, None, 40)),
        ([{"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 12, "output_tokens": 7}], Usage(12, 7)),
        ([START, {"output_tokens": 5}, {"output_tokens": 9}], Usage(2_839, 9, 100, 60, None, 40)),
        ([START, {"output_tokens": 5}, {}], Usage(2_839, 5, 100, 60, None, 40)),
        ([START], Usage(2_839, None, 100, 60, None, 40)),
        ([START, {"output_tokens": 1_000, "iterations": [
            {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500}]}],
         Usage(182_839, 4_500, 100, 60, None, 40)),
    ],
)  # fmt: skip
def test_the_events_of_a_message_tell_its_usage_together(usages: list[dict[str, Any]], usage: Usage):
    assert message(*usages) == usage


def test_an_event_without_usage_takes_nothing_back():
    start = msgspec.convert(START, AnthropicUsage)
    assert merged(start, None) is start
    assert merged("odd", start) is start
    assert begun("odd") is None


# The way back

tokens = st.integers(0, 10**6)
perhaps = st.none() | tokens


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Any usage a provider can mean: no part is more than its whole."""
    read_, write = draw(perhaps), draw(perhaps)
    output, audio, image = draw(tokens), draw(perhaps), draw(perhaps)
    return Usage(
        draw(tokens) + (read_ or 0) + (write or 0),
        output,
        read_,
        write,
        draw(st.none() | st.integers(0, output)),
        None if write is None else draw(st.none() | st.integers(0, write)),
        audio,
        draw(st.none() | st.integers(0, output)),
        image,
        draw(st.none() | st.integers(0, output)),
    )


def again(dialect: str, said: object) -> Usage:
    """What a client reads of what we wrote."""
    shape, reader = SHAPES[dialect]
    return reader(msgspec.json.decode(msgspec.json.encode(said), type=shape))  # type: ignore[no-any-return]


NO_SOUND = dict.fromkeys(("input_audio_tokens", "output_audio_tokens", "input_image_tokens", "output_image_tokens"))


@given(usages())
def test_a_chat_completion_tells_everything_but_the_lifetime_of_cache_writes(usage: Usage):
    assert again("openai", as_openai(usage)) == msgspec.structs.replace(usage, cache_write_1h_tokens=None)


@given(usages())
def test_a_response_says_0_where_it_must_say_something(usage: Usage):
    expected = msgspec.structs.replace(
        usage,
        cache_read_tokens=usage.cache_read_tokens or 0,
        cache_write_tokens=usage.cache_write_tokens or 0,
        reasoning_tokens=usage.reasoning_tokens or 0,
        cache_write_1h_tokens=None,
    )
    assert again("responses", as_responses(usage)) == expected


@given(usages())
def test_a_message_tells_everything_but_sound_and_images(usage: Usage):
    assert again("anthropic", as_anthropic(usage)) == msgspec.structs.replace(usage, **NO_SOUND)


@pytest.mark.parametrize("write", [as_openai, as_responses, as_anthropic])
@pytest.mark.parametrize("usage", [NO_USAGE, Usage(5, None), Usage(None, 5)])
def test_what_is_unknown_is_not_said_to_be_nothing(write: Any, usage: Usage):
    assert write(usage) is None


def test_each_dialect_has_its_own_form():
    usage = Usage(130, 42, 100, 20, 30, 5, 7, None, None, 3)
    assert msgspec.to_builtins(as_openai(usage)) == {
        "prompt_tokens": 130,
        "completion_tokens": 42,
        "total_tokens": 172,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20, "audio_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 30, "image_tokens": 3},
    }
    assert msgspec.to_builtins(as_responses(usage)) == {
        "input_tokens": 130,
        "output_tokens": 42,
        "total_tokens": 172,
        "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20, "audio_tokens": 7},
        "output_tokens_details": {"reasoning_tokens": 30, "image_tokens": 3},
    }
    assert msgspec.to_builtins(as_anthropic(usage)) == {
        "input_tokens": 10,
        "output_tokens": 42,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 5},
        "output_tokens_details": {"thinking_tokens": 30},
    }
    assert msgspec.to_builtins(as_openai(Usage(9, 3))) == {
        "prompt_tokens": 9,
        "completion_tokens": 3,
        "total_tokens": 12,
    }


@settings(deadline=None)  # importing their clients takes a second
@given(usages())
def test_the_vendors_own_clients_take_what_we_write(usage: Usage):
    import anthropic.types
    import openai.types
    import openai.types.responses

    for shape, said in (
        (openai.types.CompletionUsage, as_openai(usage)),
        (openai.types.responses.ResponseUsage, as_responses(usage)),
        (anthropic.types.Usage, as_anthropic(usage)),
    ):
        shape.model_validate(json.loads(msgspec.json.encode(said)), strict=True)
