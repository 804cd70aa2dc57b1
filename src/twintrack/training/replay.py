"""What another policy would have been worth on logged requests, from what was logged: off-policy evaluation.

A log says of each request who answered, how probable that choice was, and sometimes how good the answer was. Another
policy is judged by the requests where it would have chosen as was chosen:

    ips     their outcomes, each by the inverse of its choice's probability (Horvitz & Thompson 1952). Unbiased where
            the log's policy could have made the choice; of large variance
    snips   the same, divided by the sum of the weights instead of their number: not beyond the outcomes' range, of
            less variance, and biased by as much as vanishes with the log's length (Swaminathan & Joachims, "The
            Self-Normalized Estimator for Counterfactual Learning", 2015)
    dr      what a model foresees for the new choices, and as ips the mean of what it was wrong by: right if either
            the probabilities or the model are, and of little variance where the model is good (Dudik, Langford & Li,
            "Doubly Robust Policy Evaluation and Learning", 2011)
    model   what the model foresees, alone. As right as the model, and so without an interval

Where the log's policy could not have chosen as the new one does, no weight can tell anything of it: `ips` and `snips`
leave those requests out, and `dr` has the model alone for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Logged:
    """Requests with a known outcome; arrays of shape (n,)."""

    outcome: Array
    propensity: Array
    """Of what was chosen."""
    same: NDArray[np.bool_]
    """The new policy chooses that too."""
    possible: NDArray[np.bool_]
    """The log's policy could have chosen what the new one does."""
    model_logged: Array
    """What a model foresees for what was chosen, without having seen its outcome."""
    model_new: Array
    """And for what the new policy chooses."""

    def __len__(self) -> int:
        return len(self.outcome)


@dataclass(frozen=True)
class Estimate:
    """A mean over requests, and its 95 % interval; None: nothing that was seen gives one."""

    value: float
    low: float | None
    high: float | None
    requests: int
    """It speaks of."""


@dataclass(frozen=True)
class Estimates:
    logged: Estimate
    """What was."""
    ips: Estimate | None
    snips: Estimate | None
    """None: no choice that differs could have been made by the log's policy, so they say nothing of the new one."""
    dr: Estimate
    model: Estimate
    effective: float
    """Requests that `ips` is as good as (Kish): the squared sum of its weights by the sum of their squares."""
    changed: float
    """Share of requests for which the new policy chooses another one."""
    impossible: float
    """Share of requests that the log cannot tell anything of."""

    @property
    def rests_on_model(self) -> bool:
        return self.impossible > 0


def estimates(log: Logged, *, share: bool) -> Estimates:
    """Args:
    share: outcomes are between 0 and 1. Then no interval is narrower than chance makes it for answers that are
        good or bad: a handful of good ones alone would seem certain.
    """
    weights = np.where(log.same, 1.0 / log.propensity, 0.0)
    possible = log.possible | log.same
    changed = ~log.same
    count = len(log)
    corrections = weights * (log.outcome - log.model_logged)
    spread = _chance(log.model_logged) if share else np.zeros(count)
    told = bool((possible & changed).any() or not changed.any())
    effective = _effective(weights)
    logged = _mean(log.outcome, count - 1)
    snips = _snips(log, weights, possible, share=share) if told else None
    dr = _interval(
        float((log.model_new + corrections).mean()),
        max(_variance(log.model_new + corrections), float((weights**2 * spread).mean())),
        count,
        effective,
    )
    if not possible.any():
        dr = Estimate(dr.value, None, None, count)  # the model alone, however alike its words are
    if share:
        logged, dr, snips = _within(logged), _within(dr), None if snips is None else _within(snips)
    return Estimates(
        logged=logged,
        ips=_ips(log, weights, possible) if told else None,
        snips=snips,
        dr=dr,
        model=Estimate(float(log.model_new.mean()), None, None, count),
        effective=effective,
        changed=float(changed.mean()),
        impossible=float((~possible).mean()),
    )


def _ips(log: Logged, weights: Array, possible: NDArray[np.bool_]) -> Estimate:
    values = (weights * log.outcome)[possible]
    return _mean(values, _effective(weights[possible]))


def _snips(log: Logged, weights: Array, possible: NDArray[np.bool_], *, share: bool) -> Estimate | None:
    """Its variance by the delta method."""
    weight, outcome = weights[possible], log.outcome[possible]
    total = float(weight.sum())
    if not total:
        return None
    value = float((weight * outcome).sum()) / total
    squares = float((weight**2 * (outcome - value) ** 2).mean())
    if share:
        squares = max(squares, float((weight**2).mean()) * float(_chance(np.array([value]))[0]))
    variance = squares / float(weight.mean()) ** 2
    return _interval(value, variance, len(weight), _effective(weight))


def _mean(values: Array, effective: float) -> Estimate:
    return _interval(float(values.mean()), _variance(values), len(values), effective)


def _interval(value: float, variance: float, count: int, effective: float) -> Estimate:
    """With Student's quantile for as many requests as it effectively rests on."""
    if count < 2:
        return Estimate(value, None, None, count)
    half = student(max(1.0, effective - 1)) * sqrt(variance / count)
    return Estimate(value, value - half, value + half, count)


def _within(of: Estimate) -> Estimate:
    """No mean of shares lies beyond 0 and 1. Inverse propensity alone is left as it is, since that shows its error."""
    value, low, high = (None if each is None else min(1.0, max(0.0, each)) for each in (of.value, of.low, of.high))
    assert value is not None
    return Estimate(value, low, high, of.requests)


def _variance(values: Array) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _chance(p: Array) -> Array:
    """Variance of an answer that is good with probability `p`, never called certain."""
    certain = np.clip(p, 0.02, 0.98)
    variance: Array = certain * (1 - certain)
    return variance


def _effective(weights: Array) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


_STUDENT = {
    1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 6: 2.4469, 8: 2.3060, 10: 2.2281, 15: 2.1314, 20: 2.0860,
    30: 2.0423, 60: 2.0003, 120: 1.9799, np.inf: 1.95996,
}  # fmt: skip


def student(freedom: float) -> float:
    """The 97.5 % quantile of Student's t: of the usual table, and between its lines by the inverse of the freedom."""
    return float(np.interp(1 / freedom, [1 / each for each in reversed(_STUDENT)], list(reversed(_STUDENT.values()))))
