"""From a learned sum to a probability: isotonic or logistic, whichever foresees better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twintrack.training.design import Array

Knots = tuple[tuple[float, float], ...]

_LEAST, _MOST = 0.005, 0.995
_MOST_KNOTS = 40
_FOLDS = 4
_LEAST_STEPS, _STEPS_BEAT = 200, 2.0
"""Verdicts from which on steps are tried, and standard errors by which they must be better."""
_DRAWN = 1_000.0
"""Verdicts that the slope all deployments have in common is worth, beside the verdicts on one."""
_STEEP = np.geomspace(0.5, 4.0, 31)


def calibrate(
    sums: Array,
    outcomes: Array,
    rng: np.random.Generator,
    weights: Array | None = None,
    *,
    steep: float | None = None,
) -> tuple[Knots, str]:
    """Fit p(good | sum) by isotonic regression (Zadrozny & Elkan 2002) and by Platt's sigmoid (1999), and take the
    one with the lower log loss on data left out.

    Args:
        sums: shape (n,), rising with quality, made without the outcome they are to explain.
        outcomes: shape (n,), 0 to 1.
        weights: shape (n,), mean about 1; default: all alike.
        steep: sums are deviations from the mean outcome, and what counts is how the probability differs from another
            deployment's. Then steps, on which nothing differs, must be better beyond chance, and the sigmoid is
            `steep` times as steep as deviations are, unless many verdicts say otherwise; see `steepness`.
    """
    weight = np.ones(len(sums)) if weights is None else weights
    ways: dict[str, Callable[[Array, Array, Array], Knots]] = {
        "platt": lambda x, y, heavy: platt(x, y, heavy, steep),
        "isotonic": isotonic,
    }
    if steep is not None and len(sums) < _LEAST_STEPS:
        return ways["platt"](sums, outcomes, weight), "platt"
    fold = rng.integers(0, _FOLDS, len(sums))
    losses = {name: np.zeros(len(sums)) for name in ways}
    for name, way in ways.items():
        for number in range(_FOLDS):
            seen, unseen = fold != number, fold == number
            if seen.sum() and unseen.sum():
                p = apply(way(sums[seen], outcomes[seen], weight[seen]), sums[unseen])
                losses[name][unseen] = log_loss(p, outcomes[unseen]) * weight[unseen]
    less = losses["platt"] - losses["isotonic"]
    chance = _STEPS_BEAT * float(less.std()) * len(less) ** 0.5 if steep is not None else 0.0
    best = "isotonic" if less.sum() > chance else "platt"
    return ways[best](sums, outcomes, weight), best


def apply(knots: Knots, sums: Array) -> Array:
    """As `signals.predictor.probability` does it for one."""
    values: Array = np.interp(sums, [x for x, _ in knots], [y for _, y in knots])
    return values


def isotonic(sums: Array, outcomes: Array, weights: Array) -> Knots:
    """Pools neighbours that are out of order. The knots are the pools' means, at most `_MOST_KNOTS` of them."""
    order = np.argsort(sums, kind="stable")
    pools: list[tuple[float, float, float]] = []  # weight, sum of x, sum of y
    size = max(1, len(sums) // (4 * _MOST_KNOTS))
    for start in range(0, len(order), size):
        at = order[start : start + size]
        heavy = weights[at]
        pool = (float(heavy.sum()), float((heavy * sums[at]).sum()), float((heavy * outcomes[at]).sum()))
        while pools and pools[-1][2] / pools[-1][0] >= pool[2] / pool[0]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    # One good and one bad outcome more in each pool, at the mean: a pool of three is no certainty.
    mean = float(np.average(outcomes, weights=weights))
    return _knots([(x / w, (y + 2 * mean) / (w + 2)) for w, x, y in pools])


def steepness(sums: Array, outcomes: Array, weights: Array) -> float:
    """How many times as steep as themselves deviations of several deployments are, one number for all, so that what is
    said of one against another keeps its order: the one of most likelihood, from a half to four.

    Args:
        sums: shape (n, deployments), made without the outcome they are to explain.
        outcomes: the same shape; NaN where there is none.
        weights: shape (n,).
    """
    losses = np.zeros(len(_STEEP))
    for each, said in zip(sums.T, outcomes.T, strict=True):
        at = np.isfinite(said)
        mean = _inside(float(np.average(said[at], weights=weights[at])))
        away = (each[at] - np.average(each[at], weights=weights[at])) / (mean * (1 - mean))
        p = 1 / (1 + np.exp(-(np.log(mean / (1 - mean)) + np.outer(_STEEP, away))))
        losses += (weights[at] * log_loss(p, said[at])).sum(1)
    return float(_STEEP[int(losses.argmin())])


def platt(sums: Array, outcomes: Array, weights: Array, steep: float | None = None) -> Knots:
    """Newton's method on the penalised log loss; drawn as straight lines between `_MOST_KNOTS` knots.

    Args:
        steep: how many times a deviation moves the probability, at the mean; as if `_DRAWN` verdicts had said so.
    """
    centre, spread = float(sums.mean()), float(sums.std()) or 1.0
    x = np.column_stack([np.ones(len(sums)), (sums - centre) / spread])
    mean = _inside(float(np.average(outcomes, weights=weights)))
    expected, drawn = (
        (np.zeros(2), 0.0) if steep is None else (np.array([0.0, steep * spread / (mean * (1 - mean))]), _DRAWN)
    )
    held = np.array([0.0, drawn * mean * (1 - mean) + 0.01])
    found = expected + np.array([np.log(mean / (1 - mean)), 0.0])
    for _ in range(25):
        p = 1 / (1 + np.exp(-x @ found))
        gradient = x.T @ (weights * (p - outcomes)) + held * (found - expected)
        curvature = (x * (weights * p * (1 - p))[:, None]).T @ x + np.diag(held + 1e-6)
        step = np.linalg.solve(curvature, gradient)
        found = found - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    slope = max(0.0, float(found[1]))
    places = np.linspace(-5, 5, _MOST_KNOTS)
    return _knots([(centre + spread * z, 1 / (1 + np.exp(-(found[0] + slope * z)))) for z in places])


def _inside(mean: float) -> float:
    return min(0.98, max(0.02, mean))


def log_loss(p: Array, outcomes: Array) -> Array:
    """Shape (n,), in nats."""
    p = np.clip(p, _LEAST, _MOST)
    loss: Array = -(outcomes * np.log(p) + (1 - outcomes) * np.log(1 - p))
    return loss


def calibration_error(p: Array, outcomes: Array, weights: Array | None = None, bins: int = 10) -> float:
    """Expected calibration error over bins of equally many."""
    heavy = np.ones(len(p)) if weights is None else weights
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    return float(sum(abs((heavy[part] * (p[part] - outcomes[part])).sum()) for part in parts) / heavy.sum())


def _knots(points: list[tuple[float, float]]) -> Knots:
    """Rising in both, thinned."""
    if len(points) > _MOST_KNOTS:
        keep = np.linspace(0, len(points) - 1, _MOST_KNOTS).round().astype(int)
        points = [points[place] for place in keep]
    found: list[tuple[float, float]] = []
    for x, y in points:
        y = min(_MOST, max(_LEAST, float(y)))
        if found and float(x) <= found[-1][0]:
            continue
        found.append((float(x), max(y, found[-1][1]) if found else y))
    return tuple(found)
