"""Own measurements correct the calibration: for the pair measured, by as much as they are evidence.

A pair of model and GPU is off by an amount of its own, which varies between pairs and engines, and each point by some
more. So the mean error of n points is believed by τ² / (τ² + σ²/n), the best linear prediction of such an amount
(Robinson 1991), and the interval shrinks to what is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from twintrack.catalog import gpus as gpu_facts
from twintrack.economics import calibration, roofline, shape
from twintrack.economics.calibration import Z_80, Calibration, Correction
from twintrack.economics.measure import Measurement
from twintrack.economics.roofline import Setup

WITHIN_SD = 0.08
"""σ: how far points of one pair lie from its mean error, as a logarithm; `tools/fit_throughput.py` prints it."""
OWN_SD = 0.2
"""What versions, settings and drivers of one's own add to the difference between pairs; assumed."""


def corrected(made: Calibration, measurements: Sequence[Measurement]) -> tuple[Calibration, tuple[str, ...]]:
    """A calibration that knows them, and sentences on those that it could not use."""
    errors: dict[tuple[str, str], list[float]] = {}
    spread: dict[tuple[str, str], float] = {}
    unused: list[str] = []
    for each in measurements:
        form, gpu = shape.find(each.model), gpu_facts.find_gpu(each.gpu) if each.gpu else None
        if form is None or gpu is None:
            what = "model" if form is None else "GPU"
            where = each.gpu or "hardware not said"
            unused.append(f"A measurement of {each.model} on {where} is not used: its {what} is not known")
            continue
        setup = Setup(form, gpu, each.gpus, each.weight_bits or form.weight_bits)
        load = roofline.load(setup, each.concurrency, each.input_tokens, each.output_tokens)
        expected = each.concurrency / float(roofline.step_s(load, made.serving.constants))
        errors.setdefault((form.name, gpu.name), []).append(math.log(each.output_tok_s / expected))
        spread[form.name, gpu.name] = calibration.serving_half_width(made.serving, setup)
    found = []
    for pair, logs in errors.items():
        between = max((spread[pair] / Z_80) ** 2 - WITHIN_SD**2, 0.0) + OWN_SD**2
        noise = WITHIN_SD**2 / len(logs)
        believed = between / (between + noise)
        left = WITHIN_SD**2 + between * (1 - believed)
        factor = math.exp(believed * sum(logs) / len(logs))
        found.append(Correction(pair[0], pair[1], factor, Z_80 * math.sqrt(left), len(logs)))
    return msgspec.structs.replace(made, corrections=tuple(found)), tuple(dict.fromkeys(unused))
