"""What a tuned engine gives at most: as many sequences as memory holds, requests always waiting.

Where `roofline` follows general-purpose serving at a known batch, this follows the results of MLPerf Inference, where
the batch is not published and every engine is tuned for its model. The loads are the same, the constants its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from twintrack.catalog.gpus import Gpu
from twintrack.economics.memory import GIB, USABLE
from twintrack.economics.roofline import Array, Load, Number, Setup, load
from twintrack.economics.shape import Shape

Scenario = Literal["offline", "server", "interactive"]
"""No limit on latency; a loose one; a tight one."""

_MOST_SEQUENCES_PER_GPU = 1024
_WEIGHTS_SHARE = 0.5
"""Of memory: a model is spread over more GPUs until its weights take no more than this."""


class Constants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of the data sheet's figure, 0 to 1, and what multiplies the result."""

    arithmetic: float
    arithmetic_4bit: float
    """Of `arithmetic`, at 4 bits."""
    arithmetic_amd: float
    arithmetic_small: float
    """Of `arithmetic`, on cards for workstations."""
    memory: float
    link: float
    sequence_s: float
    """Per sequence and step, shared among the GPUs."""
    server: float
    interactive: float
    open_division: float
    """MLPerf's open division, where models and methods may be changed."""


CEILINGS = Constants(
    arithmetic=0.9, arithmetic_4bit=1.0, arithmetic_amd=1.0, arithmetic_small=1.0, memory=0.9, link=1.0,
    sequence_s=float("inf"), server=1.0, interactive=1.0, open_division=1.5,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What beside the load decides; floats or arrays, 1 for yes."""

    four_bit: Number
    amd: Number
    small: Number
    server: Number
    interactive: Number
    open_division: Number


def circumstances(setup: Setup, scenario: Scenario, *, open_division: bool = False) -> Circumstances:
    return Circumstances(
        four_bit=float(setup.weight_bits < 5),
        amd=float(setup.gpu.name.startswith("mi")),
        small=float(not setup.gpu.name.startswith("mi") and setup.gpu.bandwidth_gb_s < 1900),
        server=float(scenario == "server"),
        interactive=float(scenario == "interactive"),
        open_division=float(open_division),
    )


def spread(shape: Shape, gpu: Gpu, weight_bits: float) -> int:
    """GPUs that answer together: the fewest, doubling, that leave half of their memory to keys and values."""
    gpus = 1
    weights = shape.total_b * 1e9 * weight_bits / 8
    while gpus < gpu.gpus_per_node and weights / gpus > _WEIGHTS_SHARE * gpu.memory_gib * GIB:
        gpus *= 2
    return gpus


def full_load(setup: Setup, input_tokens: float, output_tokens: float) -> Load:
    """A step with as many sequences as find room."""
    shape, gpus = setup.shape, setup.gpus
    room = USABLE * setup.gpu.memory_gib * GIB * gpus - shape.total_b * 1e9 * setup.weight_bits / 8
    kv = shape.kv_bytes(input_tokens + output_tokens / 2, setup.kv_bytes_per_value)
    batch = min(max(room / kv, 1.0), _MOST_SEQUENCES_PER_GPU * gpus)
    return load(setup, batch, input_tokens, output_tokens)


def tokens_per_gpu_s(load: Load, where: Circumstances, c: Constants) -> Number:
    """Output tokens per second of one GPU."""
    efficiency = (
        c.arithmetic * c.arithmetic_4bit**where.four_bit * c.arithmetic_amd**where.amd * c.arithmetic_small**where.small
    )
    step = (
        (load.arithmetic_s + load.prefill_s) / efficiency
        + (load.weights_s + load.kv_s) / c.memory
        + load.link_s / c.link
        + load.sequences / load.gpus * c.sequence_s
    )
    limits: Number = c.server**where.server * c.interactive**where.interactive * c.open_division**where.open_division
    return load.sequences / step / load.gpus * limits


def stack_circumstances(rows: list[Circumstances]) -> Circumstances:
    def column(name: str) -> Array:
        return np.array([getattr(row, name) for row in rows], float)

    return Circumstances(
        column("four_bit"), column("amd"), column("small"), column("server"), column("interactive"),
        column("open_division"),
    )  # fmt: skip
