"""What a model is made of: the numbers a memory, KV-cache and FLOP estimate needs."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts
from twintrack.catalog import models as catalogue


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    """Repository of the weights."""
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    moe_ffn: int = 0
    """Inner width of one expert."""
    experts: int = 0
    """0: dense."""
    experts_per_token: int = 0
    shared_experts: int = 0
    kv_lora_rank: int = 0
    """Width of the latent that multi-head latent attention keeps instead of keys and values; 0: it is not used."""
    qk_rope_head_dim: int = 0
    """Kept beside that latent."""
    sliding_window: int = 0
    """Tokens that layers other than the full ones look back; 0: they keep nothing that grows."""
    full_layers: int | None
    """Layers that keep keys and values of the whole context. None: not known, so that all layers have to be counted."""
    vocab: int
    context_tokens: int
    total_b: float
    """Billions of parameters."""
    active_b: float
    """Of them, those a token passes through."""
    size_from: Literal["card", "computed"]
    weights_bits: float = 16
    """Bits per weight, as published."""
    also: tuple[str, ...] = ()
    """Repositories of other models of the same architecture and size."""
    checked: Literal["read", "recomputed"] = "read"
    """recomputed: written from memory; the size that follows from these numbers agrees with the published one."""
    source: str
    as_of: str
    """YYYY-MM-DD."""

    @property
    def dense(self) -> bool:
        return not self.experts


def kv_bytes(architecture: Architecture, context_tokens: int, bytes_per_value: float = 2.0) -> float:
    """Keys and values of one sequence of `context_tokens`, in bytes; an upper bound where `full_layers` is None."""
    a = architecture
    per_token = a.kv_lora_rank + a.qk_rope_head_dim if a.kv_lora_rank else 2 * a.kv_heads * a.head_dim
    full = a.layers if a.full_layers is None else a.full_layers
    kept = full * context_tokens + (a.layers - full) * min(context_tokens, a.sliding_window)
    return kept * per_token * bytes_per_value


@functools.cache
def architectures() -> Mapping[str, Architecture]:
    """By repository name, in the file's order."""
    return MappingProxyType({row.name: row for row in facts.lines("architectures.json", Architecture)})


def find(name: str) -> Architecture | None:
    """By catalogue name, alias or repository; a quantised copy or another tuning of the same weights is found too."""
    rows = architectures()
    if name in rows:
        return rows[name]
    model = catalogue.resolve(name)
    if model is not None and model.weights:
        name = model.weights
    return _by_key().get(_key(name))


@functools.cache
def _by_key() -> Mapping[str, Architecture]:
    keys: dict[str, Architecture] = {}
    for row in architectures().values():
        for name in (row.name, *row.also):
            keys.setdefault(_key(name), row)
    return keys


_TUNING = re.compile(
    "instruct|it|chat|base|thinking|reasoning|hf|fp4|fp8|fp16|bf16|nvfp4|mxfp4|int4|int8|awq|gptq|gguf|w4a16|w8a8"
    r"|dynamic|meta|c4ai|turbo|preview|latest|exp|terminus|\d{4}|v\d\.\d"
)
"""Words of a repository's name that say how the weights were tuned or stored, not how the model is built."""


def _key(name: str) -> str:
    """The parts of a repository's name that say which architecture it is: `llama 3.3 70b`."""
    words = re.split(r"[-_ /:]+", name.rpartition("/")[2].lower())
    return " ".join(word for word in words if word and not _TUNING.fullmatch(word))
