"""Fits a calibration to measured points. `tools/fit_throughput.py` does so for the one that ships.

Intervals come from points left out: each pair of model and GPU is predicted by a fit to all others, and an interval is
what a given share of those errors stays within. Judging intervals needs one more level, which the tool adds by
calling `calibrate` without each pair in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from twintrack.economics import power, roofline, saturated
from twintrack.economics.calibration import Calibration, Power, Serving, Spread, Tuned
from twintrack.economics.fitting import equal_groups, fit, half_width
from twintrack.economics.points import Point
from twintrack.economics.roofline import Array

_C = TypeVar("_C", bound=msgspec.Struct)

COVERAGE = 0.83
"""Share of left-out errors inside. Above 0.8, since a new pair differs from the known ones more than they do from
one another."""

SERVING_PRIOR = roofline.Constants(
    weights=0.75, experts=0.6, kv=0.7, arithmetic=0.7, prefill=0.45, link=0.3, expert_link=0.3,
    step_s=1.5e-3, step_blackwell_s=2e-3, sequence_s=50e-6, sequence_blackwell_s=50e-6,
    layer_s=15e-6, shared_layer_s=40e-6, expert_layer_s=60e-6, expert_layer_8bit=2.4,
    recurrent_s=60e-6, long_answers_s=25e-3,
)  # fmt: skip
"""Where the fit starts and what it is held to, loosely: orders of magnitude of kernels, launches and exchanges."""
TUNED_PRIOR = saturated.Constants(
    arithmetic=0.6, arithmetic_4bit=0.7, arithmetic_amd=0.8, arithmetic_small=0.8, memory=0.5, link=0.5,
    sequence_s=8e-6, server=0.9, interactive=0.6, open_division=0.9,
)  # fmt: skip
_SERVING_PULL, _TUNED_PULL, _POWER_PULL = 0.3, 1.0, 1.0
_SERVING_SCALE, _TUNED_SCALE = 0.25, 0.2


def serving_constants(points: Sequence[Point]) -> roofline.Constants:
    """Of points with a known batch and a measured throughput."""
    load = _loads(points)
    measured = np.log([point.batch * point.replicas / _tok_s(point) for point in points])  # type: ignore[operator]
    return fit(
        lambda c: np.log(roofline.step_s(load, c)), measured, equal_groups([point.pair for point in points]),
        SERVING_PRIOR, roofline.CEILINGS, prior_weight=_SERVING_PULL, scale=_SERVING_SCALE,
    )  # fmt: skip


def tuned_constants(points: Sequence[Point]) -> saturated.Constants:
    """Of points whose engine was as full as it gets."""
    load, where = _full_loads(points)
    measured = np.log([_tok_s(point) / point.replicas / point.setup.gpus for point in points])
    return fit(
        lambda c: np.log(saturated.tokens_per_gpu_s(load, where, c)), measured,
        equal_groups([point.pair for point in points]),
        TUNED_PRIOR, saturated.CEILINGS, prior_weight=_TUNED_PULL, scale=_TUNED_SCALE,
    )  # fmt: skip


def power_constants(points: Sequence[Point], c: roofline.Constants) -> power.Constants:
    """Of points with measured energy, by ridge regression; watts follow from joules and tokens."""
    points = [point for point in points if point.measured_j_per_token]
    matrix = power.features(_loads(points), c)
    measured = np.log(
        [
            point.measured_j_per_token * _tok_s(point)  # type: ignore[operator]
            / (point.setup.gpu.power_w * point.setup.gpus * point.replicas)
            for point in points
        ]
    )  # fmt: skip
    weights = equal_groups([point.pair for point in points])[:, None]
    pull = _POWER_PULL * np.eye(matrix.shape[1])
    pull[0, 0] = 0.0
    weighted = matrix * weights
    solved = np.linalg.solve(weighted.T @ weighted + pull, weighted.T @ (measured * weights[:, 0]))
    return power.Constants(*solved.tolist())


def calibrate(serving: Sequence[Point], tuned: Sequence[Point], *, fitted: str, sources: Iterable[str]) -> Calibration:
    """Constants from all points, intervals from each pair predicted without itself.

    Args:
        serving: points with a batch.
        tuned: points without.
    """
    constants = serving_constants(serving)
    errors = left_out(serving, serving_constants, serving_error)
    is_blackwell = np.array([roofline.blackwell(point.setup.gpu) for point in serving])
    across = _across_generations(serving, is_blackwell)
    tuned_c = tuned_constants(tuned)
    tuned_errors = left_out(tuned, tuned_constants, tuned_error)
    watts = power_constants(serving, constants)
    energy_errors = left_out(
        serving, lambda points: (c := serving_constants(points), power_constants(points, c)), energy_error
    )
    return Calibration(
        serving=Serving(
            constants=_rounded(constants),
            spread=Spread(
                measured=_round(half_width(errors[~is_blackwell], COVERAGE)),
                blackwell=_round(half_width(errors[is_blackwell], COVERAGE)),
                other_gpu=_round(across),
                guessed_shape=_GUESSED_SHAPE,
            ),
            gpus=tuple(sorted({point.setup.gpu.name for point in serving})),
        ),
        tuned=Tuned(
            constants=_rounded(tuned_c),
            half_width=_round(half_width(tuned_errors, COVERAGE)),
            other_gpu=_round(across),
            gpus=tuple(sorted({point.setup.gpu.name for point in tuned})),
        ),
        power=Power(constants=_rounded(watts), half_width=_round(half_width(energy_errors, COVERAGE))),
        fitted=fitted,
        sources=tuple(sources),
    )


_GUESSED_SHAPE = 0.2
"""The fit's own points, their shapes replaced by guesses from size, are off by so much more; see the tool."""


def left_out(
    points: Sequence[Point], learn: Callable[[Sequence[Point]], object], error: Callable[[Point, object], float]
) -> Array:
    """Errors, shape (n,), each by what was learned without the point's pair."""
    errors = np.zeros(len(points))
    for pair in sorted({point.pair for point in points}):
        learned = learn([point for point in points if point.pair != pair])
        for place, point in enumerate(points):
            if point.pair == pair:
                errors[place] = error(point, learned)
    return errors


def serving_error(point: Point, c: object) -> float:
    """Logarithm of measured over predicted throughput."""
    assert isinstance(c, roofline.Constants)
    assert point.batch is not None
    step = float(roofline.step_s(_load(point), c))
    return math.log(_tok_s(point) * step / (point.batch * point.replicas))


def tuned_error(point: Point, c: object) -> float:
    assert isinstance(c, saturated.Constants)
    load = saturated.full_load(point.setup, point.input_tokens, point.output_tokens)
    where = saturated.circumstances(point.setup, point.scenario, open_division=point.open_division)
    return math.log(
        _tok_s(point) / point.replicas / point.setup.gpus / float(saturated.tokens_per_gpu_s(load, where, c))
    )


def energy_error(point: Point, learned: object) -> float:
    """Logarithm of measured over predicted joules per token."""
    assert isinstance(learned, tuple)
    c, p = learned
    if not point.measured_j_per_token:
        return 0.0
    assert point.batch is not None
    load = _load(point)
    watts = float(power.watts_share(load, c, p)) * point.setup.gpu.power_w * point.setup.gpus
    return math.log(point.measured_j_per_token * point.batch / float(roofline.step_s(load, c)) / watts)


def _across_generations(points: Sequence[Point], is_blackwell: Array) -> float:
    """How much further off a generation is that was not in the fit: twice the median error of either, each predicted
    by the other with its own constants. 0 if there is one generation only."""
    medians = []
    for known in (True, False):
        inside = [point for point, b in zip(points, is_blackwell, strict=True) if b == known]
        outside = [point for point, b in zip(points, is_blackwell, strict=True) if b != known]
        if not inside or not outside:
            continue
        c = serving_constants(inside)
        ours = (c.step_blackwell_s, c.sequence_blackwell_s) if known else (c.step_s, c.sequence_s)
        c = msgspec.structs.replace(
            c, step_s=ours[0], step_blackwell_s=ours[0], sequence_s=ours[1], sequence_blackwell_s=ours[1],
            long_answers_s=c.long_answers_s if known else 1e-12,
        )  # fmt: skip
        medians.append(float(np.median(np.abs([serving_error(point, c) for point in outside]))))
    return 2 * max(medians, default=0.0)


def _tok_s(point: Point) -> float:
    assert point.measured_tok_s, "a point to fit has a measured throughput"
    return point.measured_tok_s


def _load(point: Point) -> roofline.Load:
    assert point.batch is not None
    return roofline.load(point.setup, point.batch, point.input_tokens, point.output_tokens)


def _loads(points: Sequence[Point]) -> roofline.Load:
    return roofline.stack([_load(point) for point in points])


def _full_loads(points: Sequence[Point]) -> tuple[roofline.Load, saturated.Circumstances]:
    loads = [saturated.full_load(point.setup, point.input_tokens, point.output_tokens) for point in points]
    where = [
        saturated.circumstances(point.setup, point.scenario, open_division=point.open_division) for point in points
    ]
    return roofline.stack(loads), saturated.stack_circumstances(where)


def _rounded(constants: _C) -> _C:
    return type(constants)(*(_round(value) for value in msgspec.structs.astuple(constants)))


def _round(value: float) -> float:
    return float(f"{value:.4g}")
