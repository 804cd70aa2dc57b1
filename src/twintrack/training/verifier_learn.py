"""Whether a verifier fitted to verdicts knows more than what is simpler, shown on requests it was not fitted to."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from twintrack.errors import TwintrackError
from twintrack.gateway.verifier import LEAST_VERDICTS, Verifier, Weights
from twintrack.gateway.verifier_features import NAMES
from twintrack.ledger.verdicts import wilson
from twintrack.signals.weights import Card
from twintrack.training.calibrate import calibration_error
from twintrack.training.design import Array
from twintrack.training.verifier import RULES, Drafts, as_weights, fit, folds_of

LEAST_REQUESTS = 60
OURS = "new verifier"
IN_USE = "verifier in use"
_FOLDS = 5
_RESAMPLES = 1_000
_LEVELS = (0.8, 0.9, 0.95, 0.98)
"""Least probabilities at which the report says what would be believed."""


@dataclass(frozen=True)
class InUse:
    verifier: Verifier
    fresh: NDArray[np.bool_]
    """Shape (n,): drafts that it was not fitted to."""


@dataclass(frozen=True)
class LearnedVerifier:
    weights: Weights
    better: bool
    """Than everything simpler, and than the verifier in use, beyond chance."""
    report: dict[str, Any]


def learn_verifier(
    drafts: Drafts,
    *,
    source: str,
    in_use: InUse | None = None,
    notes: tuple[str, ...] = (),
    seed: int = 0,
) -> LearnedVerifier:
    """Fit on folds, compare on what each leaves out, then fit on everything. The measure is the Brier score.

    Args:
        notes: for the card.
    Raises:
        TwintrackError: too few verdicts, or all of them say the same.
    """
    requests = len(np.unique(drafts.requests))
    if requests < LEAST_REQUESTS:
        raise TwintrackError(
            f"Verdicts on drafts of {requests} requests are too few to fit a verifier to",
            why=f"{LEAST_REQUESTS} are needed",
            fix="Collect some hundred.",
        )
    if float(np.ptp(drafts.scores)) == 0.0:
        raise TwintrackError(
            f"All {len(drafts):,} verdicts on drafts say {drafts.scores[0]:g}",
            why="from answers that are all alike nothing can be told apart",
            fix="Collect verdicts on bad answers too: let a check believe more, or give a file.",
        )
    rng = np.random.default_rng(seed)
    p = left_out(drafts, rng)
    comparison = {
        rule: compared(p[OURS], other, drafts.scores, drafts.requests, rng) for rule, other in p.items() if rule != OURS
    }
    news: int | None = None
    if in_use is not None:
        rows, said = _asked(in_use, drafts)
        news = len(np.unique(drafts.requests[rows]))
        if news >= LEAST_REQUESTS:
            comparison[IN_USE] = compared(p[OURS][rows], said, drafts.scores[rows], drafts.requests[rows], rng)
    better = all(each["low"] > 0 for each in comparison.values()) and (news is None or news >= LEAST_REQUESTS)
    ours = p[OURS]
    counts = {name: sum(each == name for each in drafts.deployments) for name in sorted(set(drafts.deployments))}
    report: dict[str, Any] = {
        "requests": requests,
        "verdicts": len(drafts),
        "deployments": counts,
        "left_to_others": sorted(name for name, count in counts.items() if count < LEAST_VERDICTS),
        "good": round(float(drafts.scores.mean()), 4),
        "brier": round(float(((ours - drafts.scores) ** 2).mean()), 5),
        "calibration_error": round(calibration_error(ours, drafts.scores), 4),
        "auc": {rule: round(auc(values, drafts.scores), 4) for rule, values in p.items()},
        "believed": [_believed(level, ours, drafts.scores) for level in _LEVELS],
        "better_by": comparison,
        "better": better,
    }
    if news is not None:
        report["requests_new_to_the_verifier_in_use"] = news
    card = Card(
        "Verifier of drafts fitted to verdicts",
        datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        source,
        len(drafts),
        {f"Brier score, less than by {rule}": (v["by"], v["low"], v["high"]) for rule, v in comparison.items()},
        notes,
    )
    return LearnedVerifier(as_weights(fit(drafts, NAMES, rng), drafts, card), better, report)


def left_out(drafts: Drafts, rng: np.random.Generator) -> dict[str, Array]:
    """By rule the probability of each draft, by a head that was fitted without its request; ours first."""
    fold = folds_of(drafts.requests, _FOLDS, rng)
    found: dict[str, Array] = {}
    for number in range(_FOLDS):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        for rule, columns in {OURS: NAMES, **RULES}.items():
            head = fit(drafts.take(train), columns, rng)
            found.setdefault(rule, np.zeros(len(drafts)))[test] = head.p_good(drafts.take(test))
    return found


def compared(
    ours: Array, theirs: Array, scores: Array, requests: NDArray[np.intp], rng: np.random.Generator
) -> dict[str, float]:
    """By how much our Brier score is lower, with a 95 % interval over requests."""
    _, place = np.unique(requests, return_inverse=True)
    gained = np.bincount(place, (theirs - scores) ** 2 - (ours - scores) ** 2)
    counts = np.bincount(place).astype(float)
    samples = rng.integers(0, len(counts), (_RESAMPLES, len(counts)))
    sampled = gained[samples].sum(1) / counts[samples].sum(1)
    low, high = np.quantile(sampled, [0.025, 0.975])
    return {
        "by": round(float(gained.sum() / counts.sum()), 5),
        "low": round(float(low), 5),
        "high": round(float(high), 5),
    }


def auc(p: Array, scores: Array) -> float:
    """Probability that a good draft gets more than a bad one, ties half; of scores between, by their share of both."""
    values, place = np.unique(p, return_inverse=True)
    good, bad = np.bincount(place, scores, len(values)), np.bincount(place, 1 - scores, len(values))
    below = np.concatenate([[0.0], np.cumsum(bad)[:-1]])
    pairs = float(good.sum() * bad.sum())
    return float((good * (below + bad / 2)).sum() / pairs) if pairs else 0.5


def _believed(level: float, p: Array, scores: Array) -> dict[str, float]:
    chosen = p >= level
    count = int(chosen.sum())
    mean = float(scores[chosen].mean()) if count else 0.0
    low, high = wilson(mean, count)
    return {
        "p_good": level,
        "share": round(count / len(p), 4),
        "good": round(mean, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def _asked(in_use: InUse, drafts: Drafts) -> tuple[NDArray[np.intp], Array]:
    """Rows that the verifier in use was not fitted to and has a word on, and that."""
    rows, said = [], []
    for row in map(int, np.flatnonzero(in_use.fresh)):
        found = tuple(float(each) for each in drafts.seen[row])
        p = in_use.verifier.p_good(found, (drafts.deployments[row],), drafts.tasks[row])
        if isinstance(p, float):
            rows.append(row)
            said.append(p)
    return np.array(rows, np.intp), np.array(said)


def with_reach(learned: LearnedVerifier, until_us: int, texts: str) -> LearnedVerifier:
    """The same, that knows what it was fitted to."""
    weights = msgspec.structs.replace(learned.weights, until_us=until_us, texts=texts)
    return LearnedVerifier(weights, learned.better, learned.report)
