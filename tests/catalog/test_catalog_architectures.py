"""The numbers memory and speed are computed from: complete, consistent with the published sizes, found by any name."""

from __future__ import annotations

import pytest

from twintrack.catalog import models
from twintrack.catalog.architectures import Architecture, architectures, find, kv_bytes

_ROWS = architectures().values()
_ODD = ("deepseek-ai/DeepSeek-V4", "nvidia/", "Qwen/Qwen3.5", "Qwen/Qwen3-Next", "meta-llama/Llama-4")
"""Their layers are not all of one kind, so that no size follows from the common numbers."""


def computed_b(a: Architecture, *, tied: bool) -> float:
    """Billions of parameters of the usual layout: attention, gated feed-forward or experts, embeddings."""
    if a.kv_lora_rank:
        attention = a.hidden * (1536 + a.kv_lora_rank + a.qk_rope_head_dim) + a.heads * (
            1536 * (128 + a.qk_rope_head_dim) + a.kv_lora_rank * 256 + 128 * a.hidden
        )
    else:
        attention = 2 * a.hidden * a.head_dim * (a.heads + a.kv_heads)
    inner = (a.experts + a.shared_experts) * a.moe_ffn if a.experts else a.ffn
    return (a.layers * (attention + 3 * a.hidden * inner) + (1 if tied else 2) * a.vocab * a.hidden) / 1e9


@pytest.mark.parametrize("row", [row for row in _ROWS if not row.name.startswith(_ODD)], ids=lambda row: row.name)
def test_the_size_that_follows_from_the_numbers_is_the_published_one(row):
    error = min(abs(computed_b(row, tied=tied) / row.total_b - 1) for tied in (True, False))
    assert error < 0.07


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name)
def test_a_row_is_complete_and_in_range(row):
    assert row.source
    assert row.as_of.startswith("2026-")
    assert 0 < row.active_b <= row.total_b
    assert row.kv_heads <= row.heads
    assert row.full_layers is None or 0 < row.full_layers <= row.layers
    assert row.dense == (row.active_b == row.total_b)
    assert bool(row.experts) == bool(row.experts_per_token) == bool(row.moe_ffn)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("llama-3.3-70b-instruct", 80),  # the catalogue's name
        ("Llama 3.3 70B", 80),
        ("meta-llama/Llama-3.1-405B-Instruct-FP8", 126),  # a quantised copy
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", 48),  # another tuning
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 48),
        ("deepseek-ai/DeepSeek-R1-0528", 61),
        ("nvidia/Qwen3-235B-A22B-NVFP4", 94),
        ("gpt-oss:20b", 24),  # as a local engine calls it
    ],
)
def test_a_model_is_found_by_any_of_its_names(name, layers):
    assert find(name).layers == layers


@pytest.mark.parametrize("name", ["", "gpt-4o", "no-such-model", "Llama 3.3 71B", "Qwen3-33B", "gemma-3-9b-it"])
def test_what_is_not_known_is_not_guessed(name):
    assert find(name) is None


def test_every_open_model_that_can_be_sized_is():
    missing = [
        model.name
        for model in models.models().values()
        if model.kind == "open" and not model.demo and not model.embeddings and find(model.name) is None
    ]
    assert missing == ["mistral-small-2603", "mistral-medium-3-5", "mistral-large-2512"]  # no configuration was read


@pytest.mark.parametrize(
    ("name", "tokens", "expected"),
    [
        ("meta-llama/Meta-Llama-3.1-70B", 1, 2 * 80 * 8 * 128 * 2),  # grouped queries
        ("deepseek-ai/DeepSeek-V3", 1000, 61 * (512 + 64) * 2 * 1000),  # a latent instead of keys and values
        ("google/gemma-3-27b-it", 100_000, (10 * 100_000 + 52 * 1024) * 2 * 16 * 128 * 2),  # a sliding window
        ("google/gemma-3-27b-it", 500, 62 * 500 * 2 * 16 * 128 * 2),  # shorter than the window
        ("Qwen/Qwen3.5-27B", 1000, 16 * 1000 * 2 * 4 * 256 * 2),  # the other layers keep a state that does not grow
        ("stepfun-ai/Step-3.7-Flash", 1000, 45 * 1000 * 2 * 8 * 128 * 2),  # not known which: all are counted
    ],
)
def test_keys_and_values_are_counted_as_the_model_keeps_them(name, tokens, expected):
    assert kv_bytes(architectures()[name], tokens) == expected
    assert kv_bytes(architectures()[name], tokens, bytes_per_value=1) == expected / 2
