"""Logs whose truth is known: two to four deployments, a policy that explores, answers that are good by chance."""

from __future__ import annotations

import numpy as np

from twintrack.training.replay import Logged


def simulated(
    count: int, seed: int, *, explore: float, arms: int = 3, model_error: float = 0.1, deterministic: float = 0.0
) -> tuple[Logged, float]:
    """A log of a policy by one threshold, what another one by a second threshold would have met, and its true mean.

    Args:
        explore: share of choices made at random.
        model_error: standard deviation of what the outcome model is wrong by, for each request and deployment, beside
            a bias of half as much.
        deterministic: share of requests where nothing is random.
    """
    rng = np.random.default_rng(seed)
    hard = rng.random(count)
    skill = np.linspace(0.4, 0.95, arms)
    truth = np.clip(1 - hard[:, None] * (1 - skill), 0.02, 0.98)
    greedy = np.minimum((hard * arms * 0.8).astype(int), arms - 1)
    other = np.minimum((hard * arms * 1.2).astype(int), arms - 1)
    explores = rng.random(count) >= deterministic
    drawn = explores & (rng.random(count) < explore)
    chosen = np.where(drawn, rng.integers(0, arms, count), greedy)
    propensity = np.where(explores, np.where(chosen == greedy, 1 - explore + explore / arms, explore / arms), 1.0)
    rows = np.arange(count)
    model = np.clip(truth + model_error * (rng.normal(size=truth.shape) + 0.5), 0, 1)
    outcome = (rng.random(count) < truth[rows, chosen]).astype(float)
    log = Logged(
        outcome, propensity, chosen == other, explores & (explore > 0), model[rows, chosen], model[rows, other]
    )
    return log, float(truth[rows, other].mean())
