"""How long one step of an engine takes: every running sequence gets one more token.

What a step has to move and compute follows from model, GPU and batch (`load`); how close engines come to the data
sheet, and what they spend beside it, are the constants in calibration.json (`step_s`). The form:

    step = √(memory² + arithmetic²) + prefill + overhead

    memory      weights read once, keys and values of every sequence
    arithmetic  two operations for each active weight and sequence
    prefill     the prompts of those sequences that take the place of finished ones
    overhead    per step, layer, sequence, and exchange between GPUs

Functions take floats or arrays of one shape, so that the fit and the planner share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from twintrack.catalog.gpus import Gpu
from twintrack.economics.shape import Shape

Array: TypeAlias = NDArray[np.float64]
Number: TypeAlias = float | Array

LONG_TOKENS = 2000
"""Answers longer than this made single Blackwell GPUs wait for their host; fully so at `LONG_TOKENS + LONG_RANGE`."""
LONG_RANGE = 3000


class Constants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Efficiencies are shares of the data sheet's figure, 0 to 1; times are seconds."""

    weights: float
    experts: float
    """Reading weights of a mixture of experts."""
    kv: float
    arithmetic: float
    prefill: float
    link: float
    """Exchange between the GPUs that share every layer."""
    expert_link: float
    """Exchange between the GPUs that share out the experts."""
    step_s: float
    step_blackwell_s: float
    sequence_s: float
    sequence_blackwell_s: float
    layer_s: float
    shared_layer_s: float
    """More per layer where several GPUs compute it."""
    expert_layer_s: float
    expert_layer_8bit: float
    """How many times that again with weights of 8 bits."""
    recurrent_s: float
    """Per sequence, where layers carry a state."""
    long_answers_s: float


CEILINGS = Constants(
    weights=0.9, experts=0.9, kv=0.95, arithmetic=0.9, prefill=0.7, link=1.0, expert_link=1.0,
    **dict.fromkeys(
        ("step_s", "step_blackwell_s", "sequence_s", "sequence_blackwell_s", "layer_s", "shared_layer_s",
         "expert_layer_s", "expert_layer_8bit", "recurrent_s", "long_answers_s"), float("inf"),
    ),
)  # fmt: skip
"""No engine is faster than its GPU. Without them a fit to few points would claim so."""


@dataclass(frozen=True, slots=True)
class Setup:
    """One engine: a model on some GPUs that answer together."""

    shape: Shape
    gpu: Gpu
    gpus: int
    weight_bits: float
    kv_bytes_per_value: float = 2.0
    experts_shared_out: bool = False
    """Each GPU holds some experts whole (expert parallelism); else all GPUs share every layer."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one step asks of the hardware; seconds are those of the data sheet."""

    weights_s: Number
    kv_s: Number
    arithmetic_s: Number
    prefill_s: Number
    link_s: Number
    expert_link_s: Number
    layers: Number
    shared_layers: Number
    expert_layers: Number
    expert_layers_8bit: Number
    sequences: Number
    recurrent_sequences: Number
    mixed: Number
    """1: a mixture of experts."""
    blackwell: Number
    long_answers: Number
    """0 to 1."""
    gpus: Number


def blackwell(gpu: Gpu) -> bool:
    return gpu.name.startswith(("b200", "b300", "gb"))


def peak_flops(gpu: Gpu, bits: float) -> float:
    """Operations per second at that width, or at the next wider one the GPU has."""
    if bits <= 4.5 and gpu.fp4_tflops and bits != 4.25:  # MXFP4 weights are multiplied as 16 bit numbers
        return gpu.fp4_tflops * 1e12
    if bits <= 8 and bits != 4.25 and gpu.fp8_tflops:
        return gpu.fp8_tflops * 1e12
    return gpu.bf16_tflops * 1e12


def prompt_flops(shape: Shape, input_tokens: float) -> float:
    """Operations to read a prompt: the weights for each token, and every token against those before it."""
    attention = 2 * shape.full_layers * shape.hidden * input_tokens**2
    return 2 * shape.active_b * 1e9 * input_tokens + attention


def read_weight_bytes(setup: Setup, batch: float) -> float:
    """Weights that a step reads: of the experts, only those that some sequence of the batch needs."""
    shape = setup.shape
    read_b = shape.total_b
    if shape.experts:
        missed = (1 - shape.experts_per_token / shape.experts) ** max(batch, 1.0)
        read_b = shape.total_b - shape.expert_b * missed
    return read_b * 1e9 * setup.weight_bits / 8


def load(setup: Setup, batch: float, input_tokens: float, output_tokens: float) -> Load:
    """What a step asks for, with `batch` sequences running, of which each is on average half way through its answer."""
    shape, gpu, gpus = setup.shape, setup.gpu, setup.gpus
    bandwidth = gpus * gpu.bandwidth_gb_s * 1e9
    peak = gpus * peak_flops(gpu, setup.weight_bits)
    output_tokens = max(output_tokens, 1.0)
    passes = batch * (1 + input_tokens / output_tokens)
    exchanged = passes * shape.layers * shape.hidden * 4 / (gpu.link_gb_s * 1e9)
    context = input_tokens + output_tokens / 2
    shared = gpus > 1 and not setup.experts_shared_out
    mixed = shape.experts > 0
    expert_layers = shape.layers if mixed else 0
    is_blackwell = blackwell(gpu)
    waits = min(max((output_tokens - LONG_TOKENS) / LONG_RANGE, 0.0), 1.0)
    return Load(
        weights_s=read_weight_bytes(setup, batch) / bandwidth,
        kv_s=batch * shape.kv_bytes(context, setup.kv_bytes_per_value) / bandwidth,
        arithmetic_s=2 * shape.active_b * 1e9 * batch / peak,
        prefill_s=batch / output_tokens * prompt_flops(shape, input_tokens) / peak,
        link_s=exchanged * 2 * (gpus - 1) / gpus if shared else 0.0,
        expert_link_s=(
            exchanged * min(shape.experts_per_token, gpus) / gpus if setup.experts_shared_out and gpus > 1 else 0.0
        ),
        layers=shape.layers,
        shared_layers=shape.layers if gpus > 1 else 0,
        expert_layers=expert_layers,
        expert_layers_8bit=expert_layers if setup.weight_bits == 8 else 0,
        sequences=batch,
        recurrent_sequences=passes if shape.recurrent else 0.0,
        mixed=float(mixed),
        blackwell=float(is_blackwell),
        long_answers=waits if is_blackwell and gpus == 1 else 0.0,
        gpus=gpus,
    )


def stack(loads: Sequence[Load]) -> Load:
    """One load of arrays, shape (n,), from n loads of numbers."""
    return Load(**{f.name: np.array([getattr(each, f.name) for each in loads], float) for f in fields(Load)})


def roof_s(load: Load, c: Constants) -> Number:
    """The part of a step in which the GPUs compute or move data."""
    read = load.weights_s * (load.mixed / c.experts + (1 - load.mixed) / c.weights)
    memory = read + load.kv_s / c.kv
    moved: Number = (
        (memory**2 + (load.arithmetic_s / c.arithmetic) ** 2) ** 0.5
        + load.prefill_s / c.prefill
        + load.link_s / c.link
        + load.expert_link_s / c.expert_link
    )
    return moved


def step_s(load: Load, c: Constants) -> Number:
    """Seconds for one more token in every sequence of the batch."""
    per_step = load.blackwell * c.step_blackwell_s + (1 - load.blackwell) * c.step_s
    per_sequence = load.blackwell * c.sequence_blackwell_s + (1 - load.blackwell) * c.sequence_s
    overhead = (
        per_step
        + per_sequence * load.sequences
        + c.layer_s * load.layers
        + c.shared_layer_s * load.shared_layers
        + c.expert_layer_s * (load.expert_layers + c.expert_layer_8bit * load.expert_layers_8bit)
        + c.recurrent_s * load.recurrent_sequences
        + c.long_answers_s * load.long_answers
    )
    return roof_s(load, c) + overhead


def ttft_s(setup: Setup, batch: float, input_tokens: float, output_tokens: float, c: Constants) -> float:
    """Seconds from a request's arrival to its first token, while `batch` others run: half a step until it is taken
    up, its prompt, and one step. No wait for a free place is counted, and no measured points stand behind it.
    """
    step = float(step_s(load(setup, max(batch, 1.0), input_tokens, output_tokens), c))
    peak = setup.gpus * peak_flops(setup.gpu, setup.weight_bits)
    return step / 2 + prompt_flops(setup.shape, input_tokens) / (peak * c.prefill) + step
