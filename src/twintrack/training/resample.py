"""Bootstrap samples of requests, for intervals (Efron 1979).

Rows that ask the same are one observation, however many there are, and are drawn together: a file that holds each row
three times knows no more than one that holds it once (the cluster bootstrap; Field & Welsh 2007).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


class Questions:
    """Which of the rows ask the same."""

    __slots__ = ("_counts", "_firsts", "_order", "_rows", "number")

    def __init__(self, asked: Sequence[Hashable]) -> None:
        """`asked`: of each row, alike where the questions are."""
        places: dict[Hashable, int] = {}
        self.number: Rows = np.array([places.setdefault(each, len(places)) for each in asked], np.intp)
        """Of each row's question, from 0 in the order of the first rows that ask them."""
        self._rows = len(self.number)
        self._order = np.argsort(self.number, kind="stable")
        self._counts = np.bincount(self.number, minlength=len(places)).astype(np.intp)
        self._firsts = np.cumsum(self._counts) - self._counts

    def __len__(self) -> int:
        return len(self._counts)

    def drawn(self, rng: np.random.Generator) -> Rows:
        """Rows of as many questions as there are, with replacement."""
        if len(self) == self._rows:
            return rng.integers(0, self._rows, self._rows)
        at = rng.integers(0, len(self), len(self))
        counts = self._counts[at]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        found: Rows = self._order[np.repeat(self._firsts[at], counts) + within]
        return found

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the rows of each question. `values`: shape (rows, k)."""
        found: NDArray[np.float64] = np.add.reduceat(values[self._order], self._firsts, axis=0)
        return found
