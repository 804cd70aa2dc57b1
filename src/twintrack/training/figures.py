"""What a strategy was worth on requests it was not chosen by, with intervals from bootstrap samples."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from twintrack.training.design import Array
from twintrack.training.resample import Questions
from twintrack.training.strategies import Answers, Strategy, outcome

_RESAMPLES = 1_000
_LUCK = 20_000
_EACH = 1.96
_NO_ERROR = 1e-9
"""A mix that is the strategy itself differs from it by rounding alone."""


def figures(of: Strategy, on: Answers, strong: str, asked: Questions, rng: np.random.Generator) -> dict[str, Any]:
    quality, usd = outcome(of, on)
    reference, price = on.right[strong], on.usd[strong]
    kept, saved = [], []
    for _ in range(_RESAMPLES):
        at = asked.drawn(rng)
        kept.append(_share(quality[at], reference[at]))
        saved.append(1 - _share(usd[at], price[at]))
    return {
        "kept": rounded(_share(quality, reference)),
        "kept_low": rounded(np.quantile(kept, 0.025)),
        "kept_high": rounded(np.quantile(kept, 0.975)),
        "saved": rounded(1 - _share(usd, price)),
        "saved_low": rounded(np.quantile(saved, 0.025)),
        "saved_high": rounded(np.quantile(saved, 0.975)),
        "quality": rounded(quality.mean()),
        "usd_per_1k": rounded(1000 * usd.mean(), 6),
    }


def _share(of: Array, whole: Array) -> float:
    """NaN of nothing: what costs nothing saves nothing, and nothing keeps a quality that is not there."""
    total = float(whole.sum())
    return float(of.sum()) / total if total else float("nan")


def against_mix(of: Strategy, on: Answers, asked: Questions, rng: np.random.Generator) -> dict[str, Any]:
    """In points of quality, against the best mix of two single models at the same dollars, known only afterwards.

    That mix is the best of all on these very requests, so it leads in part by luck. `low` and `high` bound by how much
    the strategy is ahead of the mix that is truly best, each with 97.5 %: `low` needs no more than each mix's own
    standard error; for `high` all mixes together are drawn again, as alike as they are (max-t, Romano & Wolf 2005), so
    that the luckiest of many may lead without being better.
    """
    ahead = _ahead(of, on)
    mean = ahead.mean(0)
    off = asked.sums(ahead - mean) / len(ahead)
    error = np.sqrt((off**2).sum(0))
    uncertain = error > _NO_ERROR
    most = 0.0
    if uncertain.any():
        standard = off[:, uncertain] / error[uncertain]
        alike = standard.T @ standard
        drawn = rng.multivariate_normal(np.zeros(len(alike)), alike, _LUCK, method="eigh")
        most = float(np.quantile(drawn.max(1), 0.975))
    return {
        "points": rounded(100 * mean.min(), 2),
        "low": rounded(100 * (mean - _EACH * error).min(), 2),
        "high": rounded(100 * (mean + most * error).min(), 2),
    }


def _ahead(of: Strategy, on: Answers) -> Array:
    """Shape (n, mixes): of each request, the strategy's quality less that of each mix with as many dollars on average.

    What a request's dollars are off that average by is priced at what the mix pays for quality, so means and standard
    errors are those of mixes whose share follows the dollars (delta method).
    """
    quality, usd = outcome(of, on)
    spent = float(usd.mean())
    price = {name: float(each.mean()) for name, each in on.usd.items()}
    worth = {name: float(each.mean()) for name, each in on.right.items()}
    mixes = [quality - on.right[name] for name in price if price[name] <= spent]
    for cheap, dear in permutations(price, 2):
        if price[cheap] <= spent < price[dear] and worth[cheap] < worth[dear]:
            share = (spent - price[cheap]) / (price[dear] - price[cheap])
            per_usd = (worth[dear] - worth[cheap]) / (price[dear] - price[cheap])
            right, paid = outcome(Strategy("mix", (cheap, dear), share), on)
            mixes.append(quality - right - per_usd * (usd - paid))
    if not mixes:
        mixes.append(quality - on.right[min(price, key=lambda name: price[name])])
    return np.column_stack(mixes)


def oracle(on: Answers, strong: str) -> dict[str, Any]:
    """Each request to the cheapest model that is as right on it as any."""
    names = list(on.right)
    right, usd = np.column_stack([on.right[each] for each in names]), np.column_stack([on.usd[each] for each in names])
    picks = np.argmin(np.where(right >= right.max(1, keepdims=True), usd, np.inf), axis=1)
    at = np.arange(len(picks))
    return {
        "kept": rounded(_share(right[at, picks], on.right[strong])),
        "saved": rounded(1 - _share(usd[at, picks], on.usd[strong])),
    }


def agreement(of: Strategy, on: Answers) -> dict[str, Any] | None:
    """How often the first two agreed and were right, where the chosen strategy believes anybody."""
    if of.kind != "cascade":
        return None
    a, b = of.models[0], of.models[1]
    agreed = (on.said[a] >= 0) & (on.said[a] == on.said[b])
    right = on.right[b][agreed].mean() if agreed.any() else np.nan
    return {"models": [a, b], "agreed": rounded(agreed.mean()), "right_where_agreed": rounded(right)}


def rounded(value: float | np.floating[Any], digits: int = 4) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
