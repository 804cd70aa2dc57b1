"""Whether a model fits: weights, keys and values, activations, and what the engine keeps for itself.

An engine that does not fit fails at its start, so the estimate errs on the safe side: 4 % of the weights on top for
what is stored wider than the rest, 3.5 GB a GPU for activations, CUDA graphs and buffers, and a tenth left free.
"""

from __future__ import annotations

from dataclasses import dataclass

from twintrack.economics.roofline import Setup

GIB = 2**30
USABLE = 0.9
"""vLLM's own default of gpu_memory_utilization, 0.9 (docs.vllm.ai, engine arguments, 2026-11)."""
ENGINE_BYTES_PER_GPU = 3.5e9
WEIGHTS_MARGIN = 1.04
"""Embeddings, norms and scales are kept at 16 bits when the rest is quantised, and names round sizes down."""
ATTENTION_SHARE = 0.02
"""Of a mixture's weights: attention and embeddings, which stand on every GPU where experts are shared out."""


LENGTHS_MARGIN = 1.1
"""Sequences are not all of mean length at any moment; with it no measured engine ran out of room before we say so."""
STATE_VALUES = 2 * 128
"""Times the width of the model: the state of one recurrent layer, expanded twice, as Mamba 2 keeps it (arXiv
2405.21060). Counted for all layers that keep no keys and values, which is more than some models have."""
STATE_BYTES_PER_VALUE = 4


@dataclass(frozen=True, slots=True)
class Fit:
    weights_gb: float
    kv_gb: float
    """Of all sequences together."""
    engine_gb: float
    available_gb: float
    """What an engine may use of all GPUs together."""
    most_sequences: float
    """That find room at this context; 0: not even the weights fit."""

    @property
    def fits(self) -> bool:
        return self.weights_gb + self.kv_gb + self.engine_gb <= self.available_gb and self.most_sequences >= 1


def sequence_bytes(setup: Setup, context_tokens: float) -> float:
    """What one sequence keeps: keys and values, and the state of recurrent layers."""
    shape = setup.shape
    kept = shape.kv_bytes(context_tokens, setup.kv_bytes_per_value) * LENGTHS_MARGIN
    if shape.recurrent:
        kept += (shape.layers - shape.full_layers) * shape.hidden * STATE_VALUES * STATE_BYTES_PER_VALUE
    return kept


def fit(setup: Setup, batch: float, context_tokens: float) -> Fit:
    """What `batch` sequences of `context_tokens` each take, and how many of them could run."""
    shape, gpus = setup.shape, setup.gpus
    weights = shape.total_b * 1e9 * setup.weight_bits / 8 * WEIGHTS_MARGIN
    if setup.experts_shared_out and gpus > 1:
        weights += ATTENTION_SHARE * weights * (gpus - 1)
    kv = sequence_bytes(setup, context_tokens)
    engine = ENGINE_BYTES_PER_GPU * gpus
    available = USABLE * setup.gpu.memory_gib * GIB * gpus
    room = available - weights - engine
    return Fit(
        weights_gb=weights / 1e9,
        kv_gb=batch * kv / 1e9,
        engine_gb=engine / 1e9,
        available_gb=available / 1e9,
        most_sequences=max(room / kv, 0.0) if kv > 0 else (float("inf") if room > 0 else 0.0),
    )
