"""Which engine for a model: GPUs, weight width and batch at which a token costs least within the limits on latency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twintrack.catalog.gpus import Gpu
from twintrack.economics import calibration, memory, roofline
from twintrack.economics.calibration import Calibration, Estimate
from twintrack.economics.roofline import Setup
from twintrack.economics.shape import Shape

_BATCHES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)


@dataclass(frozen=True, slots=True)
class Engine:
    setup: Setup
    batch: int
    """Sequences running when it is full."""
    tok_s: Estimate
    """Output tokens per second when full."""
    ms_per_token: float
    ttft_ms: float
    """While the batch runs; no wait for a free place."""
    prefill_share: float
    """Of a step, what reading prompts takes: how capacity follows longer prompts."""
    most_sequences: int
    """That memory has room for."""

    @property
    def title(self) -> str:
        s = self.setup
        return f"{s.gpus} x {s.gpu.title}, {s.weight_bits:g} bit"


@dataclass(frozen=True, slots=True)
class TooSlow:
    """Why there is no engine."""

    why: str


def engines(
    shape: Shape,
    gpu: Gpu,
    *,
    input_tokens: float,
    output_tokens: float,
    max_ms_per_token: float,
    max_ttft_ms: float | None,
    context_tokens: float = 0,
    gpus: int | None = None,
    bits: Iterable[float] = (),
    made: Calibration,
) -> list[Engine] | TooSlow:
    """The fullest engine for each number of GPUs and weight width that holds the model and keeps the limits.

    Args:
        context_tokens: of the longest request; one of it has to find room.
        gpus: exactly so many; None: one, two, four and so on up to a node.
        bits: widths of weights; empty: as published, and 8 where the GPU computes at 8.
    """
    found, reason = [], ""
    for setup in _setups(shape, gpu, gpus, tuple(bits)):
        fit = memory.fit(setup, 1, max(input_tokens + output_tokens, context_tokens))
        if not fit.fits:
            reason = (
                f"{fit.weights_gb:,.0f} GB of weights do not fit on {setup.gpus} x {gpu.title} "
                f"({fit.available_gb:,.0f} GB usable)"
            )
            continue
        room = int(memory.fit(setup, 1, input_tokens + output_tokens).most_sequences)
        engine = None
        for batch in _BATCHES:
            if batch > room:
                break
            here = _engine(setup, batch, room, input_tokens, output_tokens, made)
            if here.ms_per_token > max_ms_per_token or (max_ttft_ms is not None and here.ttft_ms > max_ttft_ms):
                if engine is None:
                    reason = (
                        f"{setup.gpus} x {gpu.title}: {here.ms_per_token:,.0f} ms a token, first token after "
                        f"{here.ttft_ms:,.0f} ms, with nobody else"
                    )
                break
            if engine is None or here.tok_s.value > engine.tok_s.value:
                engine = here
        if engine is not None:
            found.append(engine)
    return found or TooSlow(reason or f"{shape.name} fits on no number of {gpu.title} up to {gpu.gpus_per_node}")


def at_load(engine: Engine, tok_s: float, input_tokens: float, output_tokens: float, made: Calibration) -> int:
    """Sequences that run, on average, when an engine gives so many tokens a second: energy follows from that batch,
    not from a full one."""
    for batch in _BATCHES:
        if batch >= engine.batch:
            return engine.batch
        if calibration.throughput(made, engine.setup, batch, input_tokens, output_tokens).value >= tok_s:
            return batch
    return engine.batch


def _setups(shape: Shape, gpu: Gpu, gpus: int | None, bits: tuple[float, ...]) -> Iterator[Setup]:
    counts = (gpus,) if gpus else tuple(n for n in (1, 2, 4, 8) if n <= gpu.gpus_per_node)
    widths = tuple(4.5 if each == 4 else each for each in bits)
    if not widths:
        widths = (shape.weight_bits,)
        if shape.weight_bits > 8 and gpu.fp8_tflops:
            widths = (8.0, *widths)
    for width in widths:
        for count in counts:
            yield Setup(shape, gpu, count, width)


def _engine(
    setup: Setup, batch: int, room: int, input_tokens: float, output_tokens: float, made: Calibration
) -> Engine:
    c = made.serving.constants
    load = roofline.load(setup, batch, input_tokens, output_tokens)
    step = float(roofline.step_s(load, c))
    own = made.correction(setup)
    slower = 1.0 if own is None else 1 / own.factor
    return Engine(
        setup=setup,
        batch=batch,
        tok_s=calibration.throughput(made, setup, batch, input_tokens, output_tokens),
        ms_per_token=step * slower * 1000,
        ttft_ms=roofline.ttft_s(setup, batch, input_tokens, output_tokens, c) * slower * 1000,
        prefill_share=float(load.prefill_s) / c.prefill / step,
        most_sequences=room,
    )
