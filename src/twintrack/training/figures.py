"""What a strategy was worth on requests it was not chosen by, with intervals from bootstrap samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twintrack.training.design import Array
from twintrack.training.mixing import hull_of
from twintrack.training.resample import Questions
from twintrack.training.strategies import Answers, Strategy, outcome

_RESAMPLES = 1_000


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
    """In points of quality, against the best mix of two single models at the same dollars, known only afterwards."""
    quality, usd = outcome(of, on)

    def points(rows: NDArray[np.intp] | slice) -> float:
        return 100 * (float(quality[rows].mean()) - hull_of(on, rows).at(float(usd[rows].mean()))[0])

    sampled = [points(asked.drawn(rng)) for _ in range(_RESAMPLES // 2)]
    low, high = np.quantile(sampled, [0.025, 0.975])
    return {"points": rounded(points(slice(None)), 2), "low": rounded(low, 2), "high": rounded(high, 2)}


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
