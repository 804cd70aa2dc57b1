"""A verifier from verdicts on drafts: how likely a draft is good, given what was seen of it when it was checked.

Logistic regression whose weights are held back: one head for all drafts, an effect for each deployment and each task
shrunk towards none. How far the features are held back is chosen on folds, and the sum becomes a probability by what
it said of drafts it was not fitted to. What a rule knows is a choice of columns, so a verifier and what it is compared
with are fitted alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twintrack.gateway.verifier import FORMAT, GIVEN_BY, Known, Weights
from twintrack.gateway.verifier_features import NAMES, PLACE, VERSION
from twintrack.signals.weights import Card
from twintrack.training.calibrate import Knots, apply, calibrate, log_loss
from twintrack.training.design import Array

RULES: dict[str, tuple[str, ...]] = {
    "constant": (),
    "prompt alone": ("measured", "chance", "complexity"),
    "log-probability alone": ("told", "mean"),
    "agreement alone": ("others", "agrees", "marked"),
}
"""What a verifier has to beat, each with an effect for every deployment."""
_HELD_BACK = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Precisions of a feature's weight, per standard deviation of the feature."""
_EFFECT_PRECISION = 4.0
"""Of what is particular to a deployment or a task: log odds of a half either way are no surprise."""
_FOLDS = 4
_EDGE = 3.0


@dataclass(frozen=True)
class Drafts:
    """Judged drafts."""

    seen: Array
    """Shape (n, features), in the order of `verifier_features.NAMES`."""
    deployments: Sequence[str]
    tasks: Sequence[str]
    scores: Array
    """Shape (n,), 0 to 1."""
    requests: NDArray[np.intp]
    """Shape (n,): equal where several drafts are of one request; those stay together."""

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.intp]) -> Drafts:
        return Drafts(
            self.seen[rows],
            [self.deployments[row] for row in rows],
            [self.tasks[row] for row in rows],
            self.scores[rows],
            self.requests[rows],
        )


@dataclass(frozen=True)
class Head:
    columns: tuple[str, ...]
    centres: Array
    """Shape (features,), as the next two."""
    spreads: Array
    weights: Array
    mean: float
    deployments: dict[str, float]
    tasks: dict[str, float]
    knots: Knots
    left_out: Array
    """Shape (n,): probability of each draft by a head that was not fitted to its request."""

    def sums(self, on: Drafts) -> Array:
        effects = [self.deployments.get(each, 0.0) for each in on.deployments]
        tasks = [self.tasks.get(each, 0.0) for each in on.tasks]
        total: Array = self.mean + _standard(on.seen, self.centres, self.spreads) @ self.weights
        total += np.array(effects) + np.array(tasks)
        return total

    def p_good(self, on: Drafts) -> Array:
        return apply(self.knots, self.sums(on))


def folds_of(requests: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Shape (n,): the fold of each draft; those of one request are in the same."""
    known, place = np.unique(requests, return_inverse=True)
    fold: NDArray[np.intp] = rng.permutation(np.arange(len(known)) % count)[place]
    return fold


def fit(on: Drafts, columns: Sequence[str], rng: np.random.Generator) -> Head:
    """`columns`: of `verifier_features.NAMES`, that it may look at; with some, tasks too."""
    centres, spreads = _scale(on.seen)
    names, tasks = sorted(set(on.deployments)), sorted(set(on.tasks)) if columns else []
    places = np.array([PLACE[each] for each in columns], np.intp)
    design = np.column_stack(
        [
            _standard(on.seen, centres, spreads)[:, places],
            *(np.array([each == name for each in on.deployments], float) for name in names),
            *(np.array([each == task for each in on.tasks], float) for task in tasks),
        ]
    )
    effects = np.full(len(names) + len(tasks), _EFFECT_PRECISION)
    fold = folds_of(on.requests, _FOLDS, rng)
    best, left_out = np.inf, np.zeros(len(on))
    chosen = effects
    starts = [np.zeros(1 + design.shape[1])] * _FOLDS
    for precision in reversed(_HELD_BACK) if columns else (1.0,):
        held_back = np.concatenate([np.full(len(places), precision), effects])
        sums = np.zeros(len(on))
        for number in range(_FOLDS):
            train, test = fold != number, fold == number
            starts[number] = _newton(design[train], on.scores[train], held_back, starts[number])
            sums[test] = _at(starts[number], design[test])
        loss = float(log_loss(1 / (1 + np.exp(-sums)), on.scores).sum())
        if loss < best:
            best, left_out, chosen = loss, sums, held_back
    found = _newton(design, on.scores, chosen, starts[0])
    weights = np.zeros(len(NAMES))
    weights[places] = found[1 : 1 + len(places)]
    rest = found[1 + len(places) :]
    knots, _ = calibrate(left_out, on.scores, rng)
    return Head(
        tuple(columns),
        centres,
        spreads,
        weights,
        float(found[0]),
        dict(zip(names, map(float, rest), strict=False)),
        dict(zip(tasks, map(float, rest[len(names) :]), strict=True)),
        knots,
        apply(knots, left_out),
    )


def as_weights(head: Head, on: Drafts, card: Card) -> Weights:
    counts = {name: sum(each == name for each in on.deployments) for name in head.deployments}
    told = int((on.seen[:, PLACE["told"]] > 0).sum())
    return Weights(
        FORMAT,
        VERSION,
        card,
        round(head.mean, 6),
        _rounded(head.centres),
        _rounded(head.spreads),
        _rounded(head.weights),
        tuple(Known(name, counts[name], round(effect, 6)) for name, effect in head.deployments.items()),
        {name: round(effect, 6) for name, effect in head.tasks.items()},
        tuple((round(x, 6), round(y, 6)) for x, y in head.knots),
        told,
        len(on) - told,
    )


def _rounded(row: Array) -> tuple[float, ...]:
    return tuple(round(float(each), 6) for each in row)


def _scale(seen: Array) -> tuple[Array, Array]:
    """Of each feature, where it is given; a tenth is added to each standard deviation, as in `design.scale_of`."""
    centres, spreads = np.zeros(len(NAMES)), np.full(len(NAMES), 0.1)
    for place, given in enumerate(_given(seen).T):
        if given.any():
            centres[place] = seen[given, place].mean()
            spreads[place] += seen[given, place].std()
    return centres.round(6), spreads.round(6)


def _given(seen: Array) -> NDArray[np.bool_]:
    given = np.ones(seen.shape, bool)
    for name, by in GIVEN_BY.items():
        given[:, PLACE[name]] = seen[:, PLACE[by]] > 0
    return given


def _standard(seen: Array, centres: Array, spreads: Array) -> Array:
    """As `gateway.verifier.Verifier` does it for one."""
    return np.where(_given(seen), np.clip((seen - centres) / spreads, -_EDGE, _EDGE), 0.0)


def _at(found: Array, design: Array) -> Array:
    values: Array = found[0] + design @ found[1:]
    return values


def _newton(design: Array, scores: Array, held_back: Array, start: Array) -> Array:
    """Penalised logistic regression. Shape (1 + columns,): the mean, which is not held back, and a weight a column."""
    x = np.column_stack([np.ones(len(design)), design])
    penalty = np.concatenate([[1e-3], held_back])
    found = start
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ found))
        curvature = (x * (p * (1 - p) + 1e-6)[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curvature, x.T @ (p - scores) + penalty * found)
        found = found - np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-5:
            break
    return found
