"""Tuning an open model against having a closed one tuned: memory, hours, money, and what is left running afterwards.

Pure arithmetic over facts of the catalogue. Every plan carries its sums in words, for a person to check.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from twintrack.catalog.architectures import Architecture
from twintrack.catalog.gpus import Gpu
from twintrack.catalog.tuning import Job

Method = Literal["full", "lora", "qlora"]

_BYTES_PER_WEIGHT: Final[dict[Method, float]] = {"full": 16, "lora": 2, "qlora": 0.6}
"""full: weights and gradients in 16 bits, a 32-bit copy and two moments of Adam (Rajbhandari et al. 2020). lora: frozen
in 16 bits (Hu et al. 2021). qlora: 4 bits with their scales (Dettmers et al. 2023)."""
_FLOP_PER_WEIGHT: Final[dict[Method, float]] = {"full": 6, "lora": 4, "qlora": 4}
"""Per token: 2 forward, 2 back to the inputs, 2 to the weights, which frozen ones do without (Kaplan et al. 2020)."""
_SLOWER: Final[dict[Method, float]] = {"full": 1, "lora": 1, "qlora": 1.3}
"""Unpacking 4-bit weights takes time; our assumption."""
_USABLE = 0.9
"""Of a GPU's memory; the rest is fragments, buffers and the driver's."""
HOURS_PER_MONTH = 730


class OpenPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Runs of your own on rented GPUs."""

    method: Method
    training_tokens: int
    """Of all epochs of one run."""
    memory_gb: float
    """Decimal gigabytes over all GPUs."""
    adapter_gb: float
    """What is served afterwards beside the base model; 0: whole new weights."""
    gpus: int
    """For one run."""
    gpu_hours_per_run: float
    hours_per_run: float
    runs: int
    """That end well."""
    failed_runs: float
    """Expected on the way."""
    gpu_hours: float
    hours: float
    """From first to last, `parallel` at a time."""
    usd: float
    sums: tuple[str, ...]


class ClosedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs at a vendor."""

    model: str
    training_tokens: int
    runs: int
    usd: float
    hours: float
    uplift: float
    """Price of later tokens, times the plain model's."""
    sums: tuple[str, ...]
    source: str
    as_of: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars over the whole horizon."""

    open_once_usd: float
    open_monthly_usd: float
    closed_once_usd: float
    closed_monthly_usd: float
    """What the tuned closed model costs each month; all its tokens, uplift included."""
    months: int
    open_usd: float
    closed_usd: float
    cheaper: Literal["open", "closed"]
    by: float
    """The dearer one, times the cheaper."""
    month: float | None
    """From which on the open way has paid back what it takes at first; None: never within the horizon."""


def adapter_weights(architecture: Architecture, rank: int) -> int:
    """Weights of a LoRA adapter on every linear layer of attention and, in dense models, of the feed-forward part."""
    a = architecture
    queries, keys = a.heads * a.head_dim, a.kv_heads * a.head_dim
    per_layer = 2 * (a.hidden + queries) + 2 * (a.hidden + keys)
    if a.dense:
        per_layer += 3 * (a.hidden + a.ffn)
    return a.layers * rank * per_layer


def memory_gb(
    architecture: Architecture, method: Method, *, rank: int = 16, sequence_tokens: int = 2048, batch: int = 1
) -> float:
    """Memory of a training run over all its GPUs, in decimal gigabytes, with activations recomputed layer by layer."""
    weights = architecture.total_b * 1e9 * _BYTES_PER_WEIGHT[method]
    adapter = 0 if method == "full" else adapter_weights(architecture, rank) * 16
    activations = architecture.layers * sequence_tokens * batch * architecture.hidden * 2
    return (weights + adapter + activations) / 1e9


def gpus_needed(memory: float, gpu: Gpu) -> int:
    """GPUs whose usable memory holds `memory` decimal gigabytes."""
    return max(1, math.ceil(memory / (gpu.memory_gib * 1.073741824 * _USABLE)))


def open_plan(
    architecture: Architecture,
    method: Method,
    *,
    examples: int,
    tokens_per_example: int,
    epochs: float,
    gpu: Gpu,
    usd_per_gpu_hour: float,
    gpus: int | None = None,
    mfu: float = 0.35,
    rank: int = 16,
    runs: int = 1,
    failed_share: float = 0.3,
    failed_part: float = 0.5,
    parallel: int = 1,
) -> OpenPlan:
    """What runs on rented GPUs take.

    Args:
        gpus: for one run; None: as few as hold it.
        mfu: share of the data sheet's FLOPs that training reaches.
        runs: that have to end well, each of other settings or data.
        failed_share: of all runs, those that come to nothing.
        failed_part: of a run, how far a failed one gets.
        parallel: runs at a time.
    Raises:
        ValueError: a number is out of its range, or `gpus` do not hold it.
    """
    _expect(examples > 0, "examples", examples, "1 or more")
    _expect(tokens_per_example > 0, "tokens_per_example", tokens_per_example, "1 or more")
    _expect(epochs > 0, "epochs", epochs, "more than 0")
    _expect(0 < mfu <= 1, "mfu", mfu, "between 0 and 1; 0.3 to 0.5 is usual")
    _expect(runs > 0 and parallel > 0, "runs and parallel", min(runs, parallel), "1 or more")
    _expect(0 <= failed_share < 1, "failed_share", failed_share, "from 0 to below 1")
    _expect(usd_per_gpu_hour >= 0, "usd_per_gpu_hour", usd_per_gpu_hour, "0 or more")
    memory = memory_gb(architecture, method, rank=rank, sequence_tokens=min(tokens_per_example, 8192))
    least = gpus_needed(memory, gpu)
    if gpus is not None and gpus < least:
        raise ValueError(
            f"gpus is {gpus}: {method} tuning takes {memory:,.0f} GB, which is {least} {gpu.title} or more"
        )
    count = gpus or least
    tokens = round(examples * tokens_per_example * epochs)
    flop = _FLOP_PER_WEIGHT[method] * architecture.active_b * 1e9 * tokens * _SLOWER[method]
    gpu_hours = flop / (gpu.bf16_tflops * 1e12 * mfu * 3600)
    failed = runs * failed_share / (1 - failed_share)
    total = gpu_hours * (runs + failed * failed_part)
    hours = gpu_hours / count
    wall = math.ceil((runs + failed) / parallel) * hours
    return OpenPlan(
        method=method,
        training_tokens=tokens,
        memory_gb=memory,
        adapter_gb=0.0 if method == "full" else adapter_weights(architecture, rank) * 2 / 1e9,
        gpus=count,
        gpu_hours_per_run=gpu_hours,
        hours_per_run=hours,
        runs=runs,
        failed_runs=failed,
        gpu_hours=total,
        hours=wall,
        usd=total * usd_per_gpu_hour,
        sums=(
            f"{examples:,} examples x {tokens_per_example:,} tokens x {epochs:g} epochs = {tokens:,} tokens",
            f"{architecture.total_b:g}B weights x {_BYTES_PER_WEIGHT[method]:g} bytes and what comes with them = "
            f"{memory:,.0f} GB: {least} x {gpu.title} or more",
            f"{_FLOP_PER_WEIGHT[method]:g} x {architecture.active_b:g}B x {tokens:,} tokens / "
            f"({gpu.bf16_tflops:g} TFLOPS x {mfu:.0%}) = {gpu_hours:,.1f} GPU hours a run, {hours:,.1f} h on {count}",
            f"{runs} runs and {failed:.1f} failed ones = {total:,.1f} GPU hours x ${usd_per_gpu_hour:g} = "
            f"${total * usd_per_gpu_hour:,.0f}",
        ),
    )


def closed_plan(
    job: Job, *, examples: int, tokens_per_example: int, epochs: float, runs: int = 1, parallel: int = 1
) -> ClosedPlan:
    """What jobs at a vendor take. Where its jobs are serial, `parallel` does not help.

    Raises:
        ValueError: a number is out of its range.
    """
    _expect(examples > 0 and tokens_per_example > 0 and epochs > 0, "training data", 0, "more than 0")
    _expect(runs > 0 and parallel > 0, "runs and parallel", min(runs, parallel), "1 or more")
    tokens = round(examples * tokens_per_example * epochs)
    usd = tokens / 1e6 * job.usd_per_mtok * runs
    hours = job.hours_per_job * max(tokens / 1e7, 0.25) * math.ceil(runs / (1 if job.serial else parallel))
    return ClosedPlan(
        model=job.model,
        training_tokens=tokens,
        runs=runs,
        usd=usd,
        hours=hours,
        uplift=job.uplift,
        sums=(
            f"{examples:,} examples x {tokens_per_example:,} tokens x {epochs:g} epochs = {tokens:,} tokens",
            f"{tokens / 1e6:,.2f}M tokens x ${job.usd_per_mtok:g} x {runs} jobs = ${usd:,.2f}",
        ),
        source=job.source,
        as_of=job.as_of,
    )


def endpoint_usd_per_month(gpus: int, usd_per_gpu_hour: float) -> float:
    """An endpoint that is up all month, used or not."""
    return gpus * usd_per_gpu_hour * HOURS_PER_MONTH


def compare(
    open_way: OpenPlan,
    closed_way: ClosedPlan,
    *,
    months: int,
    open_serving_usd_per_month: float,
    closed_tokens_usd_per_month: float,
    open_staff_usd: float = 0.0,
    closed_staff_usd: float = 0.0,
) -> Comparison:
    """Both ways over `months`, with everything that keeps running.

    Args:
        open_serving_usd_per_month: of the tuned open model: an endpoint that is up, or its tokens somewhere managed.
        closed_tokens_usd_per_month: of the plain closed model for the same tokens; the uplift is added here.
        open_staff_usd: once: data, runs, evaluation, bringing it up.
    Raises:
        ValueError: a number is out of its range.
    """
    _expect(months > 0, "months", months, "1 or more")
    open_once = open_way.usd + open_staff_usd
    closed_once = closed_way.usd + closed_staff_usd
    closed_monthly = closed_tokens_usd_per_month * closed_way.uplift
    open_total = open_once + months * open_serving_usd_per_month
    closed_total = closed_once + months * closed_monthly
    gain = closed_monthly - open_serving_usd_per_month
    ahead = open_once - closed_once
    month = 0.0 if ahead <= 0 and gain >= 0 else ahead / gain if gain > 0 else None
    low, high = sorted((open_total, closed_total))
    return Comparison(
        open_once_usd=open_once,
        open_monthly_usd=open_serving_usd_per_month,
        closed_once_usd=closed_once,
        closed_monthly_usd=closed_monthly,
        months=months,
        open_usd=open_total,
        closed_usd=closed_total,
        cheaper="open" if open_total <= closed_total else "closed",
        by=high / low if low > 0 else math.inf,
        month=None if month is None or month > months else month,
    )


def _expect(holds: bool, name: str, value: float, sensible: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value:g}: it has to be {sensible}")
