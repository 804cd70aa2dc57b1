"""Two models' scores on the same requests, turned so that each learned curve explains what the other does not.

A weak model's score tells of the request too. If both are right the more often the easier it is (item response theory,
Rasch 1960), then what their sum says of a request says by itself how much the strong model gains there: with p the
share of right answers a model's score moves by p (1 - p) per unit of ease, so the gain falls or rises with ease as the
weak model's p (1 - p) is larger or smaller. The sum is far less noisy than the gain. What is left is a contrast, whose
noise is independent of the sum's.
"""

from __future__ import annotations

import numpy as np

from twintrack.training.design import Array

_LEAST_VARIANCE = 0.0025
_ALIKE = 20.0
"""Requests that speak for both models varying as much: of twenty all may be right by chance."""


def turned(scores: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """The sum and the contrast, each with noise of about 1 and mean 0, and how they add up to deviations from means.

    Args:
        scores: shape (n, 2), none missing; the weaker model first.
        weights: shape (n,), mean about 1; default: all alike.
    Returns:
        shape (n, 2), and shape (2 models, 2): deviations are the first times the second's transpose.
    """
    means, spread = np.average(scores, axis=0, weights=weights), np.sqrt(variances(scores, weights))
    weak, strong = spread
    turn = np.array([[weak, strong], [strong, -weak]]) / np.hypot(weak, strong)
    return ((scores - means) / spread) @ turn.T, spread[:, None] * turn.T


def variances(scores: Array, weights: Array | None = None) -> Array:
    """Of each column: for right and wrong p (1 - p), which is also what a score moves by per unit of ease."""
    means = np.average(scores, axis=0, weights=weights)
    own = np.average((scores - means) ** 2, axis=0, weights=weights)
    found: Array = np.maximum((len(scores) * own + _ALIKE * own.mean()) / (len(scores) + _ALIKE), _LEAST_VARIANCE)
    return found
