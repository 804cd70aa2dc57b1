"""One learned curve over requests: Bayesian kernel regression that weighs how far to trust each kind of evidence.

The prior is a line in the shipped difficulty; features and n-grams bend it as far as the examples bear. How far is
weighed by marginal likelihood over a few settings that all hold back, so that thin data change little (Rasmussen &
Williams 2006, chapters 2 and 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twintrack.training.design import (
    BINS,
    CURVES,
    Array,
    Examples,
    Lexicon,
    Occurrences,
    Scale,
    curves,
    gram_kernel,
    lexicon,
    occurrences,
    scale_of,
)

_CURVE_WEIGHTS = (0.02, 0.06, 0.2)
_GRAM_WEIGHTS = (0.01, 0.04, 0.16)
"""Prior variances of what curves and n-grams may say, in units of the noise."""
LINE_WEIGHT = 0.01
"""Prior variance of the slope in the difficulty, about the one it starts from."""
_TRIED_ON = 1_500
"""Examples the weights are compared on."""


@dataclass(frozen=True)
class Head:
    """p = mean + slope * difficulty + curves + n-grams, for a difficulty in standard units."""

    mean: float
    slope: float
    tables: Array
    """Shape (features, BINS)."""
    grams: Array
    """Shape (n-grams of the lexicon,); to be divided by the root of the request's number of n-grams."""
    variance: float
    """Of a prediction for a request unlike any example."""
    left_out: Array
    """Shape (n,): what it predicts for each example without that example."""


@dataclass(frozen=True)
class Ground:
    """What heads over the same examples share."""

    scale: Scale
    known: Lexicon
    difficulty: Array
    phi: Array
    found: Occurrences | None
    gram_kernel: Array | None
    weights: Array
    """Shape (n,): the noise of an example has the variance 1 / weight."""

    def __len__(self) -> int:
        return len(self.difficulty)


def ground(examples: Examples, difficulty: Array) -> Ground:
    """`difficulty` has mean 0 and standard deviation 1 over ordinary requests."""
    scale = scale_of(examples.features)
    phi = curves(scale.bins(examples.features))
    weights = examples.weight()
    if examples.grams is None:
        return Ground(scale, Lexicon({}, np.zeros(0)), difficulty, phi, None, None, weights)
    known = lexicon(examples.grams)
    found = occurrences(examples.grams, known)
    return Ground(scale, known, difficulty, phi, found, gram_kernel(found), weights)


def fit_heads(
    on: Ground, targets: Array, slopes: Sequence[float], rng: np.random.Generator, line: float = LINE_WEIGHT
) -> list[Head]:
    """One head a column; columns that are known for the same examples share the work.

    Args:
        targets: shape (n, heads), any scale; NaN where unknown.
        slopes: what is expected of each column per unit of difficulty before anything is seen.
        line: how far slopes may be from that: their prior variance, in units of the noise's.
    """
    known = np.isfinite(targets)
    alike: dict[bytes, list[int]] = {}
    for column in range(targets.shape[1]):
        alike.setdefault(known[:, column].tobytes(), []).append(column)
    heads: dict[int, Head] = {}
    for columns in alike.values():
        rows = np.flatnonzero(known[:, columns[0]])
        at = np.array(columns)
        fitted = _fit_alike(on, rows, targets[np.ix_(rows, at)], np.array(slopes)[at], line, rng)
        heads.update(zip(columns, fitted, strict=True))
    return [heads[column] for column in range(targets.shape[1])]


def _fit_alike(
    on: Ground, rows: NDArray[np.intp], targets: Array, slopes: Array, slack: float, rng: np.random.Generator
) -> list[Head]:
    difficulty, phi = on.difficulty[rows], on.phi[rows]
    gram = None if on.gram_kernel is None else on.gram_kernel[np.ix_(rows, rows)]
    weights = on.weights[rows]
    means = np.average(targets, axis=0, weights=weights)
    rest = targets - means - difficulty[:, None] * slopes
    count = targets.shape[1]
    dual_curves, dual_grams = np.zeros(rest.shape), np.zeros(rest.shape)
    line, constant, variance = np.zeros(count), np.zeros(count), np.zeros(count)
    left_out = np.zeros(rest.shape)
    additive = phi @ phi.T
    for place, (curve, ngram) in enumerate(_settings(additive, gram, difficulty, slack, rest, weights, rng)):
        inverse = np.linalg.inv(_kernel(additive, gram, difficulty, slack, curve, ngram, weights))
        target = rest[:, place]
        dual = inverse @ target
        dual_curves[:, place] = curve * dual
        dual_grams[:, place] = ngram * dual
        line[place] = slack * float(difficulty @ dual)
        constant[place] = float(dual.sum())
        left_out[:, place] = target - dual / np.diag(inverse)
        variance[place] = float((target * dual).mean()) * (curve + ngram)
    rank = CURVES.shape[1]
    features = phi.shape[1] // rank
    heads = []
    for place in range(count):
        tables = (phi.T @ dual_curves[:, place]).reshape(features, rank) @ CURVES.T / np.sqrt(features)
        grams: Array = np.zeros(len(on.known.weight))
        if on.found is not None:
            whole = np.zeros(len(on))
            whole[rows] = dual_grams[:, place]
            found = on.found
            grams = np.bincount(found.column, found.value * whole[found.row], found.columns) * on.known.weight
        everywhere = np.full(len(on), np.nan)
        everywhere[rows] = means[place] + slopes[place] * difficulty + left_out[:, place]
        assert tables.shape == (features, BINS)
        heads.append(
            Head(
                float(means[place] + constant[place]),
                float(slopes[place] + line[place]),
                tables,
                grams,
                float(variance[place]),
                everywhere,
            )
        )
    return heads


def predicted(head: Head, on: Ground, examples: Examples, difficulty: Array) -> Array:
    """What `head`, fitted on `on`, says of other examples. Shape (n,)."""
    bins = on.scale.bins(examples.features)
    value = head.mean + head.slope * difficulty
    value = value + head.tables[np.arange(bins.shape[1]), bins].sum(1)
    if examples.grams is not None and len(head.grams):
        found = occurrences(examples.grams, Lexicon(on.known.index, np.ones(len(head.grams))))
        value = value + np.bincount(found.row, found.value * head.grams[found.column], found.rows)
    result: Array = value
    return result


def _kernel(
    additive: Array, gram: Array | None, difficulty: Array, slack: float, curve: float, ngram: float, weights: Array
) -> Array:
    """With the noise, whose variance is the unit, for an example of weight 1."""
    kernel: Array = 1.0 + curve * additive + slack * np.outer(difficulty, difficulty)
    if gram is not None and ngram:
        kernel += ngram * gram
    kernel.flat[:: len(kernel) + 1] += 1.0 / weights
    return kernel


def _settings(
    additive: Array,
    gram: Array | None,
    difficulty: Array,
    slack: float,
    rest: Array,
    weights: Array,
    rng: np.random.Generator,
) -> list[tuple[float, float]]:
    """Weights of curves and of n-grams for each column: the mean of their logarithms under the posterior."""
    tried = np.arange(len(rest))
    if len(rest) > _TRIED_ON:
        tried = np.sort(rng.choice(len(rest), _TRIED_ON, replace=False))
        additive = additive[np.ix_(tried, tried)]
        gram = None if gram is None else gram[np.ix_(tried, tried)]
    difficulty, rest, weights = difficulty[tried], rest[tried], weights[tried]
    settings, likelihoods = [], []
    for curve in _CURVE_WEIGHTS:
        for ngram in _GRAM_WEIGHTS[:1] if gram is None else _GRAM_WEIGHTS:
            lower = np.linalg.cholesky(_kernel(additive, gram, difficulty, slack, curve, ngram, weights))
            white = np.linalg.solve(lower, rest)
            fit = np.maximum((white**2).mean(0), 1e-12)
            settings.append((curve, ngram))
            likelihoods.append(-0.5 * len(rest) * np.log(fit) - np.log(np.diag(lower)).sum())
    table = np.array(likelihoods)
    shares = np.exp(table - table.max(0))
    shares /= shares.sum(0)
    means = np.exp(shares.T @ np.log(np.array(settings)))
    return [(float(curve), float(ngram)) for curve, ngram in means]
