"""What a router's ranking of requests is worth, as the literature counts it, in calls and in dollars.

RouteLLM (Ong et al. 2024, arXiv 2406.18665) sends the share x of requests with the highest scores to the strong model;
RouterBench (Hu et al. 2024, arXiv 2403.12031) takes the hull of (dollars, quality); RouterArena (2025) weighs accuracy
against the logarithm of dollars. All arrays have one entry a request.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twintrack.training.design import Array

_ARENA_LEAST, _ARENA_MOST, _ARENA_BETA = 0.0044, 200.0, 0.1
"""US dollars per 1,000 requests; weight of cost."""


def curve(scores: Array, weak: Array, strong: Array, bins: int = 10) -> tuple[Array, Array]:
    """Share of strong calls and mean quality at each of `bins` + 1 thresholds, quantiles of the scores.

    RouteLLM's protocol: a score at or above the edge goes to the strong model, above the last one strictly.
    """
    edges = np.quantile(scores, np.linspace(0, 1, bins + 1))
    shares, qualities = [], []
    for place, edge in enumerate(edges[::-1]):
        chosen = scores > edge if place == 0 else scores >= edge
        shares.append(chosen.mean())
        qualities.append(np.where(chosen, strong, weak).mean())
    return np.array(shares), np.array(qualities)


def fine_curve(scores: Array, weak: Array, strong: Array) -> tuple[Array, Array]:
    """The same with every request as a step. Ties keep the order they come in, so shuffle first."""
    order = np.argsort(-scores, kind="stable")
    gained = np.concatenate([[0.0], np.cumsum((strong - weak)[order])]) / len(scores)
    return np.linspace(0, 1, len(scores) + 1), weak.mean() + gained


def apgr(scores: Array, weak: Array, strong: Array) -> float:
    """Average performance gap recovered; 0.5 is chance. NaN where the strong model is no better."""
    return apgr_of(*curve(scores, weak, strong), weak, strong)


def apgr_of(shares: Array, qualities: Array, weak: Array, strong: Array) -> float:
    low, gap = float(weak.mean()), float(strong.mean() - weak.mean())
    if gap <= 0:
        return float("nan")
    area = float(np.trapezoid(qualities - low, shares))
    return area / gap


def fine_apgr(scores: Array, weak: Array, strong: Array) -> float:
    """`apgr` with every request as a step: what bootstrap samples are compared by."""
    return apgr_of(*fine_curve(scores, weak, strong), weak, strong)


def cpt(shares: Array, qualities: Array, percent: float) -> float:
    """Share of strong calls, in percent, at which `percent` of the gap is closed. Linear between points.

    NaN where the strong model is no better.
    """
    low, high = qualities[0], qualities[-1]
    if high <= low:
        return float("nan")
    reached = low + percent / 100 * (high - low)
    return float(np.interp(reached, np.maximum.accumulate(qualities), shares)) * 100


def c95(shares: Array, qualities: Array) -> float:
    """Smallest share of strong calls, in percent, that keeps 95 % of the strong model's quality."""
    enough = np.flatnonzero(qualities >= 0.95 * qualities[-1])
    place = int(enough[0])
    if place == 0:
        return 0.0
    before, after = qualities[place - 1], qualities[place]
    part = (0.95 * qualities[-1] - before) / (after - before)
    return float(shares[place - 1] + part * (shares[place] - shares[place - 1])) * 100


def hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Non-decreasing upper hull of (cost, quality), from the cheapest point on."""
    corners: list[tuple[float, float]] = []
    best = -np.inf
    for cost, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if quality <= best:
            continue
        best = quality
        while len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (y1 - y0) * (cost - x0) > (quality - y0) * (x1 - x0):
                break
            corners.pop()
        corners.append((cost, quality))
    return corners


def aiq(points: Sequence[tuple[float, float]], most_usd: float) -> float:
    """RouterBench's average improvement in quality: area below the hull up to `most_usd` a request, by that cost.

    It begins at the cheapest point; beyond the last the hull goes on flat.
    """
    corners = hull(points)
    x = np.array([cost for cost, _ in corners])
    y = np.array([quality for _, quality in corners])
    if len(x) == 0 or most_usd <= x[0]:
        return 0.0
    inside = x < most_usd
    end = float(np.interp(most_usd, x, y))
    area = float(np.trapezoid(np.append(y[inside], end), np.append(x[inside], most_usd)))
    return area / most_usd


def arena_score(accuracy: float, usd_per_thousand: float) -> float:
    """RouterArena's score, 0 to 100."""
    usd = min(max(usd_per_thousand, _ARENA_LEAST), _ARENA_MOST)
    cheap = (np.log2(_ARENA_MOST) - np.log2(usd)) / (np.log2(_ARENA_MOST) - np.log2(_ARENA_LEAST))
    below = _ARENA_BETA * accuracy + cheap
    return float(100 * (1 + _ARENA_BETA) * accuracy * cheap / below) if below > 0 else 0.0
