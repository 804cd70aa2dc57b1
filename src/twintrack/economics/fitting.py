"""Fits constants to measured points: robust, held near a prior, in logarithms so that no constant turns negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

from twintrack.economics.roofline import Array

_C = TypeVar("_C", bound=msgspec.Struct)
_STEPS = 60


def equal_groups(groups: Sequence[str]) -> Array:
    """Weights, shape (n,), by which each group counts as the root of its size: many rows of one pair are no more
    evidence on other pairs than some."""
    _, place, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    weights: Array = np.sqrt(size.mean() / size[place])
    return weights


def fit(
    predict: Callable[[_C], Any],
    log_measured: Array,
    weights: Array,
    prior: _C,
    ceilings: _C,
    *,
    prior_weight: float,
    scale: float,
) -> _C:
    """Constants that explain `log_measured` best, by Levenberg and Marquardt with a pseudo-Huber loss.

    Args:
        predict: gives the logarithms, shape (n,), for constants.
        weights: of the points, shape (n,).
        prior: where the fit starts and is drawn to.
        ceilings: what no constant may pass.
        prior_weight: pull on the logarithm of each constant; 1 is that of one point with an error of 1.
        scale: errors of the logarithm beyond which a point counts less, as outliers do.
    """
    kind = type(prior)
    start = np.log(np.array(msgspec.structs.astuple(prior), float))
    highest = np.log(np.array(msgspec.structs.astuple(ceilings), float))

    def constants(x: Array) -> _C:
        return kind(*np.exp(np.minimum(x, highest)).tolist())

    def residuals(x: Array) -> Array:
        error: Array = weights * (predict(constants(x)) - log_measured)
        return error

    def loss(error: Array, x: Array) -> float:
        robust = 2 * scale**2 * (np.sqrt(1 + (error / scale) ** 2) - 1)
        return float(robust.sum() + prior_weight**2 * ((x - start) ** 2).sum())

    x = np.minimum(start, highest)
    error = residuals(x)
    now, damping = loss(error, x), 1e-2
    for _ in range(_STEPS):
        slopes = np.stack([(residuals(x + step) - error) / 1e-5 for step in 1e-5 * np.eye(len(x))], axis=1)
        doubt = 1 / np.sqrt(1 + (error / scale) ** 2)
        normal = slopes.T @ (slopes * doubt[:, None]) + prior_weight**2 * np.eye(len(x))
        slope = slopes.T @ (error * doubt) + prior_weight**2 * (x - start)
        better = False
        while damping < 1e8:
            move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slope)
            there = x + np.clip(move, -1, 1)
            error_there = residuals(there)
            loss_there = loss(error_there, there)
            if loss_there < now:
                better = now - loss_there > 1e-7 * now
                x, error, now, damping = there, error_there, loss_there, max(damping / 5, 1e-9)
                break
            damping *= 5
        if not better:
            break
    return constants(x)


def half_width(errors: Array, coverage: float) -> float:
    """What `coverage` of the errors stay within, the sign aside, counted as conformal prediction counts it: one
    error more than there are."""
    if not len(errors):
        return float("nan")
    share = min(coverage * (1 + 1 / len(errors)), 1.0)
    return float(np.quantile(np.abs(errors), share))
