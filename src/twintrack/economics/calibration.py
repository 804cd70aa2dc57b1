"""Predictions with intervals: roofline and constants together, and how far off they were on points left out.

calibration.json holds the constants; `tools/fit_throughput.py` writes it, and calibration.md says what it was fitted
to and how well it does. No measured row ships.
"""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass

import msgspec

from twintrack.economics import power, roofline, saturated
from twintrack.economics.points import Point
from twintrack.economics.roofline import Setup

_PATH = os.path.join(os.path.dirname(__file__), "calibration.json")


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Half widths of 80 % intervals, of the logarithm: what the errors of pairs left out stay within."""

    measured: float
    """On GPUs of the generation (Hopper) that runs as its data sheet says."""
    blackwell: float
    other_gpu: float
    """Added (as squares) where no GPU of the kind was measured."""
    guessed_shape: float
    """Added (as squares) where the model is known by its size only."""


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """General-purpose serving at a known batch."""

    constants: roofline.Constants
    spread: Spread
    gpus: tuple[str, ...]
    """That were measured."""


class Tuned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An engine tuned for its model, as full as it gets."""

    constants: saturated.Constants
    half_width: float
    other_gpu: float
    gpus: tuple[str, ...]


class Power(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    constants: power.Constants
    half_width: float
    """Of joules per token, throughput's own error included."""


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What own measurements of a pair say."""

    model: str
    """Name of its shape."""
    gpu: str
    factor: float
    """Throughput measured over estimated."""
    half_width: float
    """Of the logarithm, 80 %."""
    points: int


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    serving: Serving
    tuned: Tuned
    power: Power
    fitted: str
    """YYYY-MM-DD."""
    sources: tuple[str, ...]
    corrections: tuple[Correction, ...] = ()

    def correction(self, setup: Setup) -> Correction | None:
        for each in self.corrections:
            if (each.model, each.gpu) == (setup.shape.name, setup.gpu.name):
                return each
        return None


@dataclass(frozen=True, slots=True)
class Estimate:
    """80 % interval."""

    value: float
    low: float
    high: float

    def scaled(self, by: float) -> Estimate:
        return Estimate(self.value * by, self.low * by, self.high * by)


Z_80 = 1.2816
"""80 % of a normal distribution lie within so many standard deviations."""


@functools.cache
def shipped() -> Calibration:
    with open(_PATH, "rb") as file:
        return msgspec.json.decode(file.read(), type=Calibration)


def around(value: float, half_width: float) -> Estimate:
    return Estimate(value, value * math.exp(-half_width), value * math.exp(half_width))


def throughput(
    calibration: Calibration, setup: Setup, batch: float, input_tokens: float, output_tokens: float
) -> Estimate:
    """Output tokens per second of one engine with `batch` sequences running."""
    load = roofline.load(setup, batch, input_tokens, output_tokens)
    value = batch / float(roofline.step_s(load, calibration.serving.constants))
    own = calibration.correction(setup)
    if own is not None:
        return around(value * own.factor, own.half_width)
    return around(value, serving_half_width(calibration.serving, setup))


def serving_half_width(serving: Serving, setup: Setup) -> float:
    spread = serving.spread
    half = spread.blackwell if roofline.blackwell(setup.gpu) else spread.measured
    if setup.gpu.name not in serving.gpus:
        half = math.hypot(half, spread.other_gpu)
    return math.hypot(half, spread.guessed_shape) if setup.shape.guessed else half


def full(calibration: Calibration, point: Point) -> Estimate:
    """Output tokens per second of one GPU of a tuned engine that is as full as it gets."""
    tuned = calibration.tuned
    load = saturated.full_load(point.setup, point.input_tokens, point.output_tokens)
    where = saturated.circumstances(point.setup, point.scenario, open_division=point.open_division)
    value = float(saturated.tokens_per_gpu_s(load, where, tuned.constants))
    half = tuned.half_width if point.setup.gpu.name in tuned.gpus else math.hypot(tuned.half_width, tuned.other_gpu)
    return around(
        value, math.hypot(half, calibration.serving.spread.guessed_shape) if point.setup.shape.guessed else half
    )


def predict(calibration: Calibration, point: Point) -> Estimate:
    """Output tokens per second of all engines of a point."""
    if point.batch is None:
        return full(calibration, point).scaled(point.setup.gpus * point.replicas)
    one = throughput(calibration, point.setup, point.batch, point.input_tokens, point.output_tokens)
    return one.scaled(point.replicas)


def joules_per_token(
    calibration: Calibration, setup: Setup, batch: float, input_tokens: float, output_tokens: float
) -> Estimate:
    """Per output token, its share of the prompts included; GPUs only."""
    load = roofline.load(setup, batch, input_tokens, output_tokens)
    c = calibration.serving.constants
    watts = float(power.watts_share(load, c, calibration.power.constants)) * setup.gpu.power_w * setup.gpus
    half = calibration.power.half_width
    if setup.gpu.name not in calibration.serving.gpus:
        half = math.hypot(half, calibration.serving.spread.other_gpu)
    return around(watts * float(roofline.step_s(load, c)) / batch, half)
