"""Requests as a learner sees them: binned features and hashed n-grams, as kernels and as the tables they turn into.

Each feature acts through a smooth curve of its own (25 bins, squared-exponential kernel between bins), words and
pairs of words through one weight each. Both are linear in what is learned, so a fitted kernel machine becomes two
lookup tables, and the request path needs neither numpy nor the examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BINS = 25
EDGE = 3.0
"""Bins span this many standard deviations to both sides; what lies beyond counts as the last bin."""
_COMMON = 24
"""N-grams of more examples than this enter the kernel by a matrix product, rarer ones pair by pair."""


@dataclass(frozen=True)
class Examples:
    features: Array
    """Shape (n, features)."""
    grams: Sequence[set[int]] | None
    """Hashes of each example's n-grams; None where only features are known, as in the ledger."""
    weights: Array | None = None
    """Shape (n,), mean about 1: how much each counts; None: all alike."""

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: NDArray[np.intp]) -> Examples:
        grams, weights = self.grams, self.weights
        return Examples(
            self.features[rows],
            None if grams is None else [grams[row] for row in rows],
            None if weights is None else weights[rows],
        )

    def weight(self) -> Array:
        return np.ones(len(self)) if self.weights is None else self.weights


@dataclass(frozen=True)
class Scale:
    centre: Array
    spread: Array

    def bins(self, features: Array) -> NDArray[np.intp]:
        """Shape (n, features), 0 to BINS - 1."""
        width = 2 * EDGE / (BINS - 1)
        place = np.rint((np.clip((features - self.centre) / self.spread, -EDGE, EDGE) + EDGE) / width)
        return place.astype(np.intp)


def scale_of(features: Array) -> Scale:
    """What hardly varies is not blown up: a tenth is added to each standard deviation."""
    return Scale(features.mean(0), features.std(0) + 0.1)


def bin_kernel() -> Array:
    """Shape (BINS, BINS): how alike two values of a feature are, one standard deviation apart: exp(-1/2)."""
    centres = np.linspace(-EDGE, EDGE, BINS)
    kernel: Array = np.exp(-0.5 * (centres[:, None] - centres[None, :]) ** 2)
    return kernel


_VALUES, _VECTORS = np.linalg.eigh(bin_kernel())
_KEPT = 1e-3 * _VALUES[-1] < _VALUES
CURVES: Array = _VECTORS[:, _KEPT] * np.sqrt(_VALUES[_KEPT])
"""Shape (BINS, rank): `bin_kernel` is CURVES @ CURVES.T up to a thousandth."""


def curves(bins: NDArray[np.intp]) -> Array:
    """Shape (n, features * rank), whose product with itself is the additive kernel."""
    rows, features = bins.shape
    values: Array = CURVES[bins].reshape(rows, -1) / np.sqrt(features)
    return values


@dataclass(frozen=True)
class Lexicon:
    """N-grams that two examples share at least, and how much each says."""

    index: dict[int, int]
    weight: Array
    """Shape (n-grams,): the root of the inverse document frequency."""


def lexicon(grams: Sequence[set[int]]) -> Lexicon:
    counts = Counter(hash_ for each in grams for hash_ in each)
    known = [hash_ for hash_, count in counts.items() if count > 1]
    frequency = np.array([counts[hash_] for hash_ in known], float)
    if not known:
        return Lexicon({}, np.zeros(0))
    squared = np.log((1 + len(grams)) / frequency)
    # So that the kernel of an ordinary example with itself is 1, as that of the curves is.
    sizes = {hash_: squared[place] for place, hash_ in enumerate(known)}
    mean = float(np.mean([sum(sizes.get(hash_, 0.0) for hash_ in each) / (len(each) or 1) for each in grams]))
    return Lexicon({hash_: place for place, hash_ in enumerate(known)}, np.sqrt(squared / (mean or 1.0)))


@dataclass(frozen=True)
class Occurrences:
    """A sparse matrix: example `row` holds n-gram `column`, worth `value`."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    value: Array
    rows: int
    columns: int


def occurrences(grams: Sequence[set[int]], known: Lexicon) -> Occurrences:
    index = known.index
    rows, columns, values = [], [], []
    for row, each in enumerate(grams):
        found = [index[hash_] for hash_ in each if hash_ in index]
        rows.append(np.full(len(found), row))
        columns.append(np.array(found, np.intp))
        values.append(known.weight[columns[-1]] / np.sqrt(len(each) or 1))
    return Occurrences(
        np.concatenate(rows).astype(np.intp) if rows else np.zeros(0, np.intp),
        np.concatenate(columns).astype(np.intp) if rows else np.zeros(0, np.intp),
        np.concatenate(values) if rows else np.zeros(0),
        len(grams),
        len(index),
    )


def gram_kernel(of: Occurrences) -> Array:
    """Shape (n, n): the product of the sparse matrix with itself."""
    counts = np.bincount(of.column, minlength=of.columns)
    common = counts > _COMMON
    place = np.cumsum(common) - 1
    dense = np.zeros((of.rows, int(common.sum())))
    in_common = common[of.column]
    dense[of.row[in_common], place[of.column[in_common]]] = of.value[in_common]
    kernel = dense @ dense.T
    order = np.argsort(of.column[~in_common], kind="stable")
    column, row, value = (each[~in_common][order] for each in (of.column, of.row, of.value))
    flat = kernel.reshape(-1)
    for gap in range(_COMMON):  # each rare n-gram meets itself and those up to `_COMMON` places further on
        first = slice(0, len(column) - gap)
        second = slice(gap, len(column))
        same = column[first] == column[second]
        if not same.any():
            break
        a, b = row[first][same], row[second][same]
        product = value[first][same] * value[second][same]
        flat += np.bincount(a * of.rows + b, product, len(flat))
        if gap:
            flat += np.bincount(b * of.rows + a, product, len(flat))
    return kernel
