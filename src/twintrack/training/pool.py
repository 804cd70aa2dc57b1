"""A router over all models of a file at once, in dollars: each request to whoever is worth its price."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twintrack.signals.weights import Prior
from twintrack.training import frontier
from twintrack.training.design import Array, Examples
from twintrack.training.files import Outcomes
from twintrack.training.fit import LEAST_VERDICTS, fit

_PRICES = np.concatenate([[0.0], np.geomspace(1e-2, 1e5, 120)])
"""Points of quality that a dollar must buy."""
_RESAMPLES = 200
_MOSTLY = 0.5
"""Share of a file's requests on which a model of the pool has score and price."""


def pool_points(
    outcomes: Outcomes,
    everything: Examples,
    costs: dict[str, Array],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    prior: Prior,
    seed: int,
) -> dict[str, Any] | None:
    """AIQ of the router over all priced models and of the hull of the single models, with a paired interval.

    None where fewer than three models have scores and prices on the same requests, or nothing costs anything.
    """
    known = {
        name: np.isfinite(outcomes.scores[name]) & np.isfinite(costs[name]) for name in costs if name in outcomes.scores
    }
    priced = [name for name, each in known.items() if each.mean() > _MOSTLY]
    if len(priced) < 3:
        return None
    full = np.all([known[name] for name in priced], axis=0)
    train, test = train[full[train]], test[full[test]]
    if len(train) < LEAST_VERDICTS or not len(test) or not any(costs[name][test].any() for name in priced):
        return None
    fitted = fit(everything.take(train), {name: outcomes.scores[name][train] for name in priced}, prior, seed)
    names = list(fitted.names)
    p = fitted.p_good(everything.take(test))
    tokens = everything.features[:, 0]
    expected = np.column_stack(
        [_cost_line(2 ** tokens[train], costs[each][train], 2 ** tokens[test]) for each in names]
    )
    quality = np.column_stack([outcomes.scores[each][test] for each in names])
    usd = np.column_stack([costs[each][test] for each in names])
    picks = np.array([np.argmax(p - price * expected, axis=1) for price in _PRICES])
    at = np.arange(len(test))
    routed_quality, routed_usd = quality[at, picks], usd[at, picks]
    most = float(usd.mean(0).max())

    def values(rows: NDArray[np.intp]) -> tuple[float, float]:
        singles = list(zip(usd[rows].mean(0), quality[rows].mean(0), strict=True))
        routed = list(zip(routed_usd[:, rows].mean(1), routed_quality[:, rows].mean(1), strict=True))
        # The router may also be asked to use one model for everything, so its frontier is that of both.
        return frontier.aiq([*routed, *singles], most), frontier.aiq(singles, most)

    ours, hull = values(at)
    if not hull:
        return None  # nobody is right on anything, or nothing costs anything
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(_RESAMPLES):
        mine, theirs = values(rng.integers(0, len(test), len(test)))
        gains.append(mine / theirs - 1 if theirs else np.nan)
    low, high = np.nanquantile(gains, [0.025, 0.975])
    routed = list(zip(routed_usd.mean(1), routed_quality.mean(1), strict=True))
    return {
        "models": names,
        "aiq": round(ours, 5),
        "aiq_router_alone": round(frontier.aiq(routed, most), 5),
        "aiq_hull_of_single_models": round(hull, 5),
        "gain": round(ours / hull - 1, 4),
        "gain_low": round(float(low), 4),
        "gain_high": round(float(high), 4),
    }


def _cost_line(tokens: Array, usd: Array, at: Array) -> Array:
    """Dollars by prompt tokens, least squares, never below nothing."""
    x = np.column_stack([np.ones(len(tokens)), tokens])
    line = np.linalg.lstsq(x, usd, rcond=None)[0]
    dollars: Array = np.maximum(0.0, line[0] + line[1] * at)
    return dollars
