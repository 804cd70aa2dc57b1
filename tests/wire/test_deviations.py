"""What is changed in a body because a server differs from its dialect; one case for each deviation in the catalogue.

The facts, with source and date, stand in catalog/providers.toml; `test_every_deviation_has_a_case` holds the two
together.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.catalog import facts
from twintrack.catalog.providers import Provider, find
from twintrack.errors import BadRequest
from twintrack.wire import deviations
from twintrack.wire.deviations import HINTS, UNSAID, Deviations, adapted, adapter, of_model
from twintrack.wire.dialect import KEPT_ELSEWHERE


def known(provider: str, model: str) -> Deviations | None:
    row = find(provider)
    assert row is not None
    return of_model(provider, row.deviations, model)


def changed(provider: str, endpoint: str, model: str, body: object, *, drop: bool = False) -> Any:
    return json.loads(adapted(msgspec.json.encode(body), endpoint, known(provider, model), drop))


Case = tuple[str, str, str, str, dict[str, Any], dict[str, Any] | str]
"""Provider, its deviation as what:key, endpoint, model, the body before, and the body after or the member refused."""

CASES: list[Case] = [
    ("openai", "renames:max_tokens", "chat", "gpt-5.4", {"max_tokens": 5}, {"max_completion_tokens": 5}),
    ("openai", "refuses:temperature", "chat", "o3", {"temperature": 0.2}, "temperature"),
    ("openai", "refuses:temperature", "responses", "gpt-5.5", {"temperature": 0.2}, "temperature"),
    ("openai", "refuses:stop", "chat", "o4-mini", {"stop": ["."]}, "stop"),
    ("anthropic", "refuses:temperature", "messages", "claude-opus-4-7", {"temperature": 0.2}, "temperature"),
    (
        "anthropic",
        "refuses:thinking",
        "messages",
        "claude-opus-5",
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "thinking",
    ),
    ("gemini-openai", "refuses:store", "chat", "gemini-3.8-flash", {"store": True, "metadata": {"a": "b"}}, {}),
    (
        "vertex-anthropic",
        "leaves_out:model",
        "messages",
        "claude",
        {"model": "c", "anthropic_version": "v"},
        {"anthropic_version": "v"},
    ),
    (
        "vertex-anthropic",
        "sets:anthropic_version",
        "messages",
        "claude",
        {},
        {"anthropic_version": "vertex-2023-10-16"},
    ),
    (
        "vertex-anthropic",
        "sets:anthropic_version",
        "count_tokens",
        "claude",
        {"model": "c"},
        {"model": "c", "anthropic_version": "vertex-2023-10-16"},
    ),
    ("bedrock", "refuses:background", "responses", "openai.gpt-5.4", {"background": True}, "background"),
    (
        "mistral",
        "renames:max_completion_tokens",
        "chat",
        "mistral-large",
        {"max_completion_tokens": 5},
        {"max_tokens": 5},
    ),
    ("mistral", "renames:seed", "chat", "mistral-large", {"seed": 7}, {"random_seed": 7}),
    ("mistral", "refuses:stream_options", "chat", "mistral-large", {"stream_options": {"include_usage": True}}, {}),
    (
        "mistral",
        "refuses:messages[].name",
        "chat",
        "mistral-large",
        {"messages": [{"role": "user", "name": "ann"}]},
        "messages[].name",
    ),
    (
        "mistral",
        "spells:messages[].role",
        "chat",
        "mistral-large",
        {"messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "developer"}]},
        {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "developer"}]},
    ),
    (
        "mistral",
        "tool_call_ids:9",
        "chat",
        "mistral-large",
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": "call_abc", "type": "function"}, {"id": "a1B2c3D4e"}]},
                {"role": "tool", "tool_call_id": "call_abc"},
                {"role": "tool", "tool_call_id": "a1B2c3D4e"},
            ]
        },
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": "ed01972d3", "type": "function"}, {"id": "a1B2c3D4e"}]},
                {"role": "tool", "tool_call_id": "ed01972d3"},
                {"role": "tool", "tool_call_id": "a1B2c3D4e"},
            ]
        },
    ),
    ("groq", "refuses:logprobs", "chat", "llama-3.3-70b-versatile", {"logprobs": True}, "logprobs"),
    ("groq", "refuses:n", "chat", "llama-3.3-70b-versatile", {"n": 2}, "n"),
    (
        "groq",
        "refuses:previous_response_id",
        "responses",
        "openai/gpt-oss-20b",
        {"previous_response_id": "r"},
        "previous_response_id",
    ),
    (
        "together",
        "refuses:previous_response_id",
        "responses",
        "zai-org/GLM-5.3",
        {"previous_response_id": "r"},
        "previous_response_id",
    ),
    (
        "deepseek",
        "renames:max_completion_tokens",
        "chat",
        "deepseek-flash",
        {"max_completion_tokens": 5},
        {"max_tokens": 5},
    ),
    (
        "deepseek",
        "refuses:response_format",
        "chat",
        "deepseek-flash",
        {"response_format": {"type": "json_schema"}},
        "response_format",
    ),
    ("deepseek", "refuses:tool_choice", "chat", "deepseek-v4-pro", {"tool_choice": "required"}, "tool_choice"),
    *(
        (provider, "refuses:thread", "messages", "claude", {"thread": {"type": "create"}}, "thread")
        for provider in (
            "vertex-anthropic",
            "bedrock-anthropic",
            "together",
            "fireworks",
            "deepseek",
            "openrouter",
            "litellm",
            "ollama",
            "lmstudio",
            "vllm",
            "llama.cpp",
            "sglang",
        )
    ),
    (
        "openrouter",
        "refuses:store",
        "responses",
        "openai/gpt-5.4",
        {"previous_response_id": "r"},
        "previous_response_id",
    ),
    ("cohere", "refuses:store", "chat", "command-a-03-2025", {"logit_bias": {"5": 1}}, "logit_bias"),
    (
        "cohere",
        "refuses:reasoning_effort",
        "chat",
        "command-a-03-2025",
        {"reasoning_effort": "low"},
        "reasoning_effort",
    ),
    (
        "cohere",
        "refuses:tools[].function.strict",
        "chat",
        "command-a-03-2025",
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
        "tools[].function.strict",
    ),
    ("cohere", "refuses:stream_options", "chat", "command-a-03-2025", {"stream_options": {"include_usage": True}}, {}),
    ("cohere", "refuses:dimensions", "embeddings", "embed-v4.0", {"dimensions": 256}, "dimensions"),
    ("xai", "refuses:presence_penalty", "chat", "grok-4.3", {"stop": "x"}, "stop"),
    ("xai", "refuses:reasoning_effort", "chat", "grok-4.20-reasoning", {"reasoning_effort": "low"}, "reasoning_effort"),
    ("ollama", "renames:max_completion_tokens", "chat", "qwen3:8b", {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ("ollama", "refuses:previous_response_id", "responses", "qwen3:8b", {"conversation": "c"}, "conversation"),
    (
        "llama.cpp",
        "refuses:previous_response_id",
        "responses",
        "any",
        {"previous_response_id": "r"},
        "previous_response_id",
    ),
    ("tgi", "renames:max_completion_tokens", "chat", "tgi", {"max_completion_tokens": 5}, {"max_tokens": 5}),
    ("tgi", "as_list:stop", "chat", "tgi", {"stop": "END"}, {"stop": ["END"]}),
    ("tgi", "refuses:logit_bias", "chat", "tgi", {"logit_bias": {"5": 1}}, "logit_bias"),
]


@pytest.mark.parametrize(("provider", "deviation", "endpoint", "model", "before", "after"), CASES)
def test_a_body_is_as_the_server_wants_it(
    provider: str, deviation: str, endpoint: str, model: str, before: dict[str, Any], after: dict[str, Any] | str
) -> None:
    if isinstance(after, str):
        with pytest.raises(BadRequest) as refused:
            changed(provider, endpoint, model, before)
        assert refused.value.param == f"$.{after}"
        assert provider in str(refused.value)
    else:
        assert changed(provider, endpoint, model, before) == after


ANSWERS = [
    ("mistral", "stream_usage:always", "mistral-large"),
    ("mistral", "reasoning_text:content_parts", "mistral-large"),
    ("mistral", "finish_reason:model_length=length", "mistral-large"),
    ("groq", "reasoning_text:reasoning", "qwen/qwen3-32b"),
    ("together", "finish_reason:eos=stop", "zai-org/GLM-5.3"),
    ("fireworks", "stream_usage:always", "accounts/fireworks/models/kimi-k2p5"),
    ("fireworks", "reasoning_text:reasoning_content", "accounts/fireworks/models/kimi-k2p5"),
    ("deepseek", "reasoning_text:reasoning_content", "deepseek-flash"),
    ("deepseek", "finish_reason:insufficient_system_resource=length", "deepseek-flash"),
    ("openrouter", "reasoning_text:reasoning", "openai/gpt-5.4"),
    ("xai", "finish_reason:=tool_calls", "grok-4.3"),
    ("ollama", "reasoning_text:reasoning", "qwen3:8b"),
    ("vllm", "reasoning_text:reasoning", "m"),
    ("llama.cpp", "reasoning_text:reasoning_content", "m"),
    ("tgi", "finish_reason:eos_token=stop", "m"),
    ("tgi", "finish_reason:stop_sequence=stop", "m"),
    ("sglang", "reasoning_text:reasoning_content", "m"),
]


@pytest.mark.parametrize(("provider", "deviation", "model"), ANSWERS)
def test_an_answer_is_read_as_the_server_means_it(provider: str, deviation: str, model: str) -> None:
    found = known(provider, model)
    assert found is not None
    what, _, value = deviation.partition(":")
    if what == "finish_reason":
        word, _, meant = value.partition("=")
        assert found.finish_reasons[word] == meant
    else:
        assert getattr(found, what) == value


PATHS = [
    ("vertex-anthropic", "messages", "/models/{model}:rawPredict", "/models/{model}:streamRawPredict"),
    ("vertex-anthropic", "count_tokens", "/models/count-tokens:rawPredict", ""),
]


@pytest.mark.parametrize(("provider", "endpoint", "path", "stream"), PATHS)
def test_a_server_is_asked_at_a_path_of_its_own(provider: str, endpoint: str, path: str, stream: str) -> None:
    found = known(provider, "claude-opus-5")
    assert found is not None
    at = found.asked_at(endpoint)
    assert at is not None
    assert (at.path, at.stream) == (path, stream)
    assert found.asked_at("chat") is None


IGNORED = [
    ("deepseek", "chat", "deepseek-flash", "temperature"),
    ("deepseek", "messages", "deepseek-flash", "container"),
    ("ollama", "chat", "qwen3:8b", "tool_choice"),
    ("ollama", "messages", "qwen3:8b", "tool_choice"),
    ("vllm", "messages", "m", "thinking"),
    ("llama.cpp", "messages", "m", "thinking"),
    ("tgi", "chat", "m", "n"),
]


@pytest.mark.parametrize(("provider", "endpoint", "model", "member"), IGNORED)
def test_what_a_server_ignores_is_known_and_sent(provider: str, endpoint: str, model: str, member: str) -> None:
    found = known(provider, model)
    assert found is not None
    assert member in [
        each
        for row in found.rows
        if isinstance(row, deviations.Ignores) and row.endpoint == endpoint
        for each in row.members
    ]
    assert changed(provider, endpoint, model, {member: 3}) == {member: 3}


def name_of(row: deviations.Deviation) -> str:
    what = row.__struct_config__.tag
    match row:
        case deviations.Refuses() | deviations.Ignores() | deviations.LeavesOut():
            return f"{what}:{row.members[0]}"
        case deviations.Renames() | deviations.Spells() | deviations.Sets() | deviations.AsList():
            return f"{what}:{row.member}"
        case deviations.ToolCallIds():
            return f"{what}:{row.length}"
        case deviations.FinishReason():
            return f"{what}:{row.value}={row.to}"
        case deviations.AskedAt():
            return f"{what}:{row.path}"
        case _:
            return f"{what}:{row.value}"


def test_every_deviation_has_a_case() -> None:
    """And every case a deviation; those a row takes over from another are tested there."""
    rows = facts.rows("providers.toml", "providers", Provider)
    told = {(row.name, each.endpoint, name_of(each)) for row in rows for each in row.deviations}
    tested = {(provider, endpoint, deviation) for provider, deviation, endpoint, *_ in CASES}
    tested |= {(provider, "chat", deviation) for provider, deviation, _ in ANSWERS}
    tested |= {(provider, endpoint, f"asked_at:{path}") for provider, endpoint, path, _ in PATHS}
    tested |= {(provider, endpoint, f"ignores:{member}") for provider, endpoint, _, member in IGNORED}
    assert told == tested
    assert len(told) == sum(len(row.deviations) for row in rows)


def test_a_refused_member_is_refused_or_left_out_whoever_asks() -> None:
    """All of them, not only the one in the case: nothing of what a server answers with an error reaches it."""
    odd = {"logprobs": True, "n": 2, "stream_options": {"include_usage": True}, "store": True}
    for row in facts.rows("providers.toml", "providers", Provider):
        for each in row.deviations:
            if not isinstance(each, deviations.Refuses):
                continue
            for path in each.members:
                if "[]" in path:
                    continue
                body = msgspec.json.encode({path: odd.get(path, {"type": "odd"})})
                alone = Deviations(row.name, (each,))
                if f"$.{path}" in KEPT_ELSEWHERE:
                    with pytest.raises(BadRequest, match=row.name):
                        adapted(body, each.endpoint, alone, drop=True)
                    continue
                assert adapted(body, each.endpoint, alone, drop=True) == b"{}"
                if path in HINTS:
                    assert adapted(body, each.endpoint, alone) == b"{}"
                else:
                    with pytest.raises(BadRequest, match=row.name):
                        adapted(body, each.endpoint, alone)


def test_a_deviation_holds_for_the_models_it_names() -> None:
    body = {"temperature": 0.2, "max_tokens": 5}

    assert changed("openai", "chat", "gpt-4.1", body) == body
    assert changed("openai", "chat", "gpt-5-chat-latest", {"temperature": 0.2}) == {"temperature": 0.2}
    assert changed("openai", "chat", "gpt-5.4", body) == {"temperature": 0.2, "max_completion_tokens": 5}
    assert changed("anthropic", "messages", "claude-sonnet-4-6", body) == body


def test_our_name_for_a_model_counts_where_the_provider_has_another() -> None:
    """On Azure a model is called as its deployment is."""
    azure = find("azure")
    assert azure is not None
    found = of_model("azure", azure.deviations, "team-blue", "o3")

    assert adapted(b'{"max_tokens":5}', "chat", found) == b'{"max_completion_tokens":5}'


def test_sampling_is_allowed_where_the_body_turns_reasoning_off() -> None:
    off = {"temperature": 0.2, "reasoning_effort": "none"}
    assert changed("openai", "chat", "gpt-5.6-sol", off) == off
    off = {"temperature": 0.2, "reasoning": {"effort": "none"}}
    assert changed("openai", "responses", "gpt-5.6-sol", off) == off
    off = {"tool_choice": "required", "thinking": {"type": "disabled"}}
    assert changed("deepseek", "chat", "deepseek-v4-pro", off) == off


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"n": 1, "logprobs": False, "logit_bias": {}}, {"n": 1}),
        ({"n": None, "logprobs": None}, {}),
        ({"n": 1.0}, {"n": 1.0}),
        ({"logit_bias": {"5": 0}}, "$.logit_bias"),
        ({"n": True}, "$.n"),
    ],
)
def test_a_value_that_says_nothing_is_left_out(body: dict[str, Any], left: dict[str, Any] | str) -> None:
    if isinstance(left, str):
        with pytest.raises(BadRequest) as refused:
            changed("groq", "chat", "m", body)
        assert refused.value.param == left
    else:
        assert changed("groq", "chat", "m", body) == left


def test_a_refusal_says_what_why_and_what_to_do() -> None:
    with pytest.raises(BadRequest) as refused:
        changed("groq", "chat", "m", {"n": 3})

    assert str(refused.value) == (
        "groq cannot be asked with $.n: it answers such a request with an error "
        "(https://console.groq.com/docs/openai, 2026-11-20). It takes only 1. "
        "Leave it out, or send x-twintrack-drop-unsupported: true to have such members left out."
    )


def test_who_lets_members_drop_gets_an_answer_without_them() -> None:
    body = {"logprobs": True, "n": 3, "messages": [{"role": "user", "name": "ann", "content": "hi"}]}

    assert changed("groq", "chat", "m", body, drop=True) == {"messages": [{"role": "user", "content": "hi"}]}


def test_where_both_names_stand_the_servers_own_counts() -> None:
    assert changed("mistral", "chat", "m", {"max_completion_tokens": 5, "max_tokens": 6}) == {"max_tokens": 6}


def test_thinking_of_earlier_turns_is_left_out_where_it_is_refused() -> None:
    body = {"messages": [{"role": "assistant", "content": "x", "reasoning_content": "hm"}]}

    assert changed("mistral", "chat", "m", body) == {"messages": [{"role": "assistant", "content": "x"}]}


def test_without_deviations_a_server_answers_as_the_dialect_says() -> None:
    assert Deviations("p", ()).stream_usage == "asked"
    assert Deviations("p", ()).reasoning_text == ""
    assert Deviations("p", ()).finish_reasons == {}


def test_every_other_byte_stays() -> None:
    body = b'{ "model" : "m", "temperature": 0.10, "max_completion_tokens": 1e1, "x": {"seed": 1.50,"\\u0061":"\\/"} }'

    assert adapted(body, "chat", known("mistral", "m")) == (
        b'{"model":"m","temperature":0.10,"max_tokens":1e1,"x":{"seed": 1.50,"\\u0061":"\\/"}}'
    )


def test_a_body_without_the_members_is_the_same_object() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"say \\"max_completion_tokens\\" and \\"n\\""}]}'

    for provider in ("mistral", "groq", "cohere", "tgi", "xai"):
        assert adapted(body, "chat", known(provider, "m")) is body


def test_where_nothing_is_known_nothing_is_done() -> None:
    assert adapter("chat", None) is None
    assert adapter("chat", known("lmstudio", "m")) is None
    assert adapter("chat", known("llama.cpp", "m")) is None, "it deviates elsewhere and in answers alone"
    assert known("gemini", "m") is None
    assert adapter("count_tokens", known("vllm", "m")) is None


@pytest.mark.parametrize("body", [b'{"messages":3,"n":1}', b'{"messages":[1,null,[]],"n":1}', b'{"messages":{"n":2}}'])
def test_what_is_no_conversation_is_the_servers_to_judge(body: bytes) -> None:
    assert adapted(body, "chat", known("mistral", "m")) == body


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4)
BODIES = st.dictionaries(
    st.sampled_from([*UNSAID, "seed", "max_tokens", "max_completion_tokens", "stop", "user", "messages", "x"]),
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["type", "role", "name"]), SCALARS),
    max_size=6,
)


@given(BODIES, st.sampled_from(["openai", "mistral", "groq", "cohere", "deepseek", "tgi", "xai", "gemini-openai"]))
def test_any_body_is_adapted_or_refused_by_name(body: dict[str, Any], provider: str) -> None:
    """Never another error; adapting again changes nothing; and what nobody speaks of stays."""
    raw = msgspec.json.encode(body)
    found = known(provider, "gpt-5.5" if provider == "openai" else "m")
    refused: BadRequest | None = None
    try:
        once = adapted(raw, "chat", found)
    except BadRequest as error:
        refused = error
        once = adapted(raw, "chat", found, drop=True)
    assert refused is None or str(refused.param).removeprefix("$.").partition("[")[0] in body
    assert adapted(once, "chat", found) == once
    assert msgspec.json.decode(once).get("x") == body.get("x")
