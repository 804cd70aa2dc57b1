"""Whatever a file says: the result loads, each value is carried or listed, and no secret is copied."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import leaves, moved
from .conftest import settings as loaded

_SECRET = "sk-a-secret-that-must-not-leak"
_PLAIN = st.sampled_from(["a", "b", "gpt-4o", "claude"])
_NAMES = _PLAIN | st.sampled_from(["with space", "größe", "x" * 140, "*", "openai/*", "gpt-4o@openai"])
_SERVED = st.sampled_from(
    [
        "gpt-4o", "openai/gpt-4o", "openai/unknown", "anthropic/claude-sonnet-4-6", "ollama/qwen3:8b", "gemini/x",
        "openai/text-embedding-3-small", "openai/text-embedding-3-large", "groq/y", "cerebras/y",
        "openai/responses/gpt-5",
    ]
)  # fmt: skip
_UPSTREAMS = st.sampled_from(
    [
        "gpt-4o", "openai/gpt-4o", "openai/unknown", "azure/mine", "anthropic/claude-sonnet-4-6", "claude-haiku-4-5",
        "ollama/qwen3:8b", "hosted_vllm/a/b", "bedrock/anthropic.claude-v2", "vertex_ai/gemini-2.5-pro", "gemini/x",
        "sagemaker/x", "cerebras/y", "openai/text-embedding-3-small", "openai/text-embedding-3-large", "*", "openai/*",
        "anthropic/*", "nobody/z", "", "openrouter/openai/gpt-4o", "together_ai/zai-org/GLM-5.2", "os.environ/MODEL",
        "openai/responses/gpt-5", "lm_studio/mine with space", "fireworks_ai/q",
    ]
)  # fmt: skip
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab: #\n", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc -.*", max_size=6), inner, max_size=3),
    max_leaves=5,
)
_NUMBERS = st.sampled_from([0, 1, -1, 3e-6, "3e-6", "x", True, None, 1e400, 10**20, 8192, 0.5])


def _record(words: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Some of the words as they should be, some with anything, and some nobody knows."""
    said = st.fixed_dictionaries({}, optional={word: st.one_of(each, each, each, _ANY) for word, each in words.items()})
    return st.builds(
        lambda known, more: more | known, said, st.dictionaries(st.text("abc", max_size=4), _ANY, max_size=2)
    )


_BASES = st.sampled_from(
    ["http://10.0.0.1:8000/v1", "https://r.openai.azure.com/", "http://localhost:11434", "os.environ/BASE", "ftp://x",
     "https://u:p@h/v1", "http://[", "https://h/v1?key=1", "", "http://127.0.0.1:9/v1"]
)  # fmt: skip
_PARAMS = {
    "api_key": st.sampled_from(
        ["os.environ/KEY", "os.environ/OPENAI_API_KEY", "os.environ/", _SECRET, "none", "", None]
    ),
    "api_base": _BASES,
    "api_version": st.just("2024-02-01"),
    "custom_llm_provider": st.sampled_from(["openai", "azure", "nobody", "os.environ/NOT"]),
    "rpm": _NUMBERS,
    "weight": _NUMBERS,
    "order": _NUMBERS,
    "max_tokens": _NUMBERS,
    "max_parallel_requests": _NUMBERS,
    "input_cost_per_token": _NUMBERS,
    "output_cost_per_token": _NUMBERS,
    "cache_read_input_token_cost": _NUMBERS,
    "region_name": st.sampled_from(["eu", "EU West", "us-east-1"]),
    "aws_region_name": st.sampled_from(["us-east-1"]),
    "vertex_project": st.just("p"),
    "litellm_credential_name": st.sampled_from(["one", "two"]),
}
_INFO = {
    "id": _NAMES,
    "mode": st.sampled_from(["chat", "embedding", "rerank", "os.environ/MODE"]),
    "base_model": _UPSTREAMS,
    "max_input_tokens": _NUMBERS,
    "max_output_tokens": _NUMBERS,
    "max_tokens": _NUMBERS,
    "supports_vision": st.booleans(),
    "supports_function_calling": st.booleans(),
    "input_cost_per_token": _NUMBERS,
}
_HARMLESS = ("rpm", "order", "max_parallel_requests", "input_cost_per_token", "output_cost_per_token")
_RIGHT = st.builds(
    lambda name, model, params: {"model_name": name, "litellm_params": params | {"model": model}},
    _PLAIN,
    _SERVED,
    st.fixed_dictionaries({}, optional={word: _PARAMS[word] for word in _HARMLESS}),
)
_WILD = st.builds(
    lambda name, model, params, info, more: (
        more
        | {"model_name": name, "litellm_params": params | {"model": model} if isinstance(params, dict) else params}
        | ({"model_info": info} if info is not None else {})
    ),
    _NAMES,
    _UPSTREAMS,
    _record(_PARAMS),
    st.none() | _record(_INFO),
    st.dictionaries(st.sampled_from(["rpm", "tpm", "odd"]), _ANY, max_size=1),
)
_ENTRY = st.one_of(_RIGHT, _RIGHT, _WILD)
_FALLBACKS = st.lists(
    st.dictionaries(_PLAIN, st.lists(_PLAIN, max_size=3))
    | st.dictionaries(_NAMES, st.lists(_NAMES) | _ANY, max_size=2),
    max_size=3,
)
_SECTIONS = _record(
    {
        "credential_list": st.lists(
            _record({"credential_name": st.sampled_from(["one", "two"]), "credential_values": _record(_PARAMS)}),
            max_size=2,
        ),
        "litellm_settings": _record(
            {
                "drop_params": st.booleans(),
                "request_timeout": _NUMBERS,
                "fallbacks": _FALLBACKS,
                "default_fallbacks": st.lists(_PLAIN, max_size=2),
                "cache_params": _ANY,
            }
        ),
        "router_settings": _record(
            {
                "fallbacks": _FALLBACKS,
                "context_window_fallbacks": _FALLBACKS,
                "timeout": _NUMBERS,
                "model_group_alias": st.dictionaries(_NAMES, _PLAIN | _ANY, max_size=2),
            }
        ),
        "general_settings": _record({"master_key": st.sampled_from(["os.environ/MASTER", _SECRET, None])}),
    }
)
_LITELLM = st.builds(
    lambda models, more: more | {"model_list": models},
    st.lists(st.one_of(_ENTRY, _ENTRY, _ENTRY, _ANY), min_size=1, max_size=6),
    _SECTIONS,
)


def hold(text: str, name: str) -> None:
    result = moved(text, name, MODEL="openai/gpt-4o", KEY="k")
    document = yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)
    loaded(result)
    listed = {each.path for each in result.remarks}
    lost = [path for path, _ in leaves(document) if path not in listed and path not in result.carried]
    assert lost == []
    unknown = (listed | set(result.carried)) - {path for path, _ in leaves(document)}
    assert unknown == set()
    assert _SECRET not in result.text
    assert _SECRET not in repr(result.remarks)
    last = text.count("\n") + 1
    assert all(1 <= each.line <= last and each.why.endswith((".", ")", "]")) for each in result.remarks)


@given(_LITELLM)
@settings(max_examples=250, deadline=None)
def test_a_configuration_of_litellm(document):
    hold(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "litellm.yaml")


_REQUEST = _record(
    {
        "model": _UPSTREAMS,
        "models": st.lists(_UPSTREAMS, max_size=4),
        "route": st.sampled_from(["fallback", "other"]),
        "provider": _record({"order": st.lists(_NAMES), "zdr": st.booleans(), "max_price": _ANY}),
        "temperature": _NUMBERS,
        "api_key": st.just(_SECRET),
    }
)
_PRESET = st.builds(
    lambda slug, config, more: {"data": more | {"slug": slug, "designated_version": {"config": config}}},
    _NAMES | _ANY,
    _REQUEST,
    st.dictionaries(st.text("abc", max_size=3), _ANY, max_size=2),
)


@given((_REQUEST.map(lambda each: each | {"model": each.get("model", "x")})) | _PRESET)
@settings(max_examples=200, deadline=None)
def test_a_request_or_preset_of_openrouter(document):
    hold(json.dumps(document, indent=1), "openrouter.json")
