"""How a router between two models does on a file of outcomes, next to the rules it has to beat.

Everything is scored on the same rows, none of which was used to fit or choose anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twintrack.errors import TwintrackError
from twintrack.signals.weights import Prior
from twintrack.training import frontier
from twintrack.training.design import Array, Examples
from twintrack.training.files import Outcomes
from twintrack.training.fit import LEAST_VERDICTS, MOST_REQUESTS, as_examples, difficulties, fit
from twintrack.training.overlap import by_accident, overlapping, text_hash, unpack
from twintrack.training.pool import pool_points
from twintrack.training.resample import Questions

RESAMPLES = 400
LEAST_SCORED = 20
_STEPS = 100
"""Thresholds of a curve in dollars."""
_TASK_PRIOR = 4.0
"""Verdicts a task's mean is shrunk by."""


def silent(text: str) -> None:
    """For who does not want to hear."""


@dataclass(frozen=True)
class Rows:
    """What is scored. Arrays have one entry a test row."""

    weak: Array
    strong: Array
    weak_usd: Array | None
    strong_usd: Array | None
    """None where no call of both has a price; NaN where one has none, and those rows count in no figure in dollars."""

    def priced(self) -> NDArray[np.bool_]:
        assert self.weak_usd is not None
        assert self.strong_usd is not None
        return np.isfinite(self.weak_usd) & np.isfinite(self.strong_usd)


@dataclass(frozen=True)
class Bench:
    """`ours` and `baselines` as they are printed; `curves` by name for a plot: shares or dollars, and quality."""

    result: dict[str, Any]
    curves: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    in_dollars: bool = False


def not_asked_before(outcomes: Outcomes, train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows of `test` whose question is none of `train`. Raises TwintrackError: they ask less than `LEAST_SCORED`."""
    hashes = [text_hash(each, whole=True) for each in outcomes.prompts]
    known = {hashes[row] for row in train}
    left = np.array([row for row in test if hashes[row] not in known], np.intp)
    different = len({hashes[row] for row in left})
    if different < LEAST_SCORED:
        others = f"; the others ask what the {len(train):,} that are fitted to ask" if len(left) < len(test) else ""
        raise TwintrackError(
            f"{outcomes.name} has {len(left):,} rows left to score, with {different} different questions{others}",
            why=f"{LEAST_SCORED} questions are needed",
            fix=f"Use {'fewer labels, or ' if len(train) else ''}a file with more questions.",
        )
    return left


def questions(outcomes: Outcomes, rows: NDArray[np.intp]) -> Questions:
    return Questions([text_hash(outcomes.prompts[row], whole=True) for row in rows])


def bench(
    outcomes: Outcomes,
    weak: str,
    strong: str,
    prior: Prior,
    *,
    labels: int = 0,
    seed: int = 0,
    leave_out: frozenset[str] = frozenset(),
    costs_usd: dict[str, Array] | None = None,
    tell: Callable[[str], None] = silent,
) -> Bench:
    """Args:
        labels: requests of the file whose verdicts on both models are used to fit; the rest is scored.
        leave_out: sets whose part in the prior is taken out; with them go all sets that share questions with the file.
        costs_usd: dollars of each call by model, shape (n,), where the file itself holds none.
        tell: hears what is being done.
    Raises:
        TwintrackError: an unknown model, or too few rows.
    """
    if weak == strong:
        raise TwintrackError(f"{weak} is both the weak and the strong model", fix="Name two models to choose between.")
    costs = (costs_usd or {}) | outcomes.costs_usd
    low, high = outcomes.score(weak), outcomes.score(strong)
    both = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    if len(both) < labels + LEAST_SCORED:
        raise TwintrackError(
            f"{outcomes.name} has {len(both)} rows with scores of both models",
            why=f"{labels} are to fit and {LEAST_SCORED} at least to score",
            fix="Use fewer labels or another pair.",
        )
    rng = np.random.default_rng(seed)
    both = rng.permutation(both)
    train, test = both[:labels], both[labels:]
    found = {each.name: overlapping(outcomes.prompts, unpack(each.texts)) for each in prior.sources}
    shared = {name: sum(each) for name, each in found.items()}
    taken_out = set(leave_out)
    if labels or leave_out:
        # A prior that is fitted again anyway has no need of these questions, in whatever set they stand.
        taken_out |= {name for name, count in shared.items() if count}
    used = prior.without(frozenset(taken_out))
    test = not_asked_before(outcomes, train, test)
    leaking = {each.name: shared[each.name] for each in used.sources if shared[each.name]}
    alike = np.any([found[name] for name in leaking], axis=0) if leaking else np.zeros(len(outcomes), bool)
    if alike.sum() <= by_accident(len(outcomes), sum(len(unpack(each.texts)) for each in used.sources)):
        # As few as share a hash with others by chance: whether they were seen or not, they are not scored.
        test, leaking = test[~alike[test]], {}

    tell(f"reading {len(outcomes):,} requests")
    everything = as_examples(outcomes.asked)
    if labels:
        tell(f"fitting to {min(labels, MOST_REQUESTS):,} labels")
    scores = ranking(everything, train, test, {weak: low, strong: high}, weak, strong, used, seed)
    rows = Rows(
        low[test],
        high[test],
        costs[weak][test] if weak in costs and strong in costs else None,
        costs[strong][test] if weak in costs and strong in costs else None,
    )
    if rows.weak_usd is not None and not rows.priced().any():
        rows = replace(rows, weak_usd=None, strong_usd=None)
    rules = {
        "length": outcomes.prompt_chars[test],
        "oracle": rows.strong - rows.weak,
    }
    if outcomes.tasks is not None:
        rules["task_mean"] = _task_means(outcomes.tasks, train, test, high - low)

    tell(f"scoring on {len(test):,} requests, {RESAMPLES} bootstrap samples")
    asked = questions(outcomes, test)
    sampled = _sampled({"ours": scores} | rules, rows, asked, rng)
    ours = _scored(scores, rows, sampled["ours"])
    baselines: dict[str, Any] = {"random": _at_random(rows)}
    paired: dict[str, Any] = {}
    for name in ("length", "task_mean", "oracle"):
        if name not in rules:
            baselines[name] = None
            continue
        baselines[name] = _scored(rules[name], rows, sampled[name])
        if name != "oracle":
            paired[name] = _paired(ours, sampled["ours"], baselines[name], sampled[name])
    baselines["best_single"] = _best_single(rows, weak, strong)
    paired["best_single"] = _paired(ours, sampled["ours"], baselines["best_single"], np.full(RESAMPLES, 0.5))
    result: dict[str, Any] = {
        "ours": ours,
        "baselines": {name: baselines[name] for name in ("random", "length", "task_mean", "best_single", "oracle")},
        "ours_minus": paired,
        "set": outcomes.name,
        "weak": {"model": weak, "quality": _round(rows.weak.mean())},
        "strong": {"model": strong, "quality": _round(rows.strong.mean())},
        "labels": labels,
        "seed": seed,
        "rows_scored": len(test),
        "questions_scored": len(asked),
        "rows_priced": 0 if rows.weak_usd is None else int(rows.priced().sum()),
        "zero_shot": labels == 0 and not leaking,
        "prior": {
            "sources": [each.name for each in used.sources],
            "left_out": sorted(set(shared) & taken_out),
            "rows_shared_with_training": leaking,
        },
    }
    if labels and len(costs) > 2:
        tell(f"fitting all {len(costs)} priced models")
        pool = pool_points(outcomes, everything, costs, train, test, used, seed)
        if pool is not None:
            result["pool"] = pool
    curves, in_dollars = _curves(scores, rules, rows)
    return Bench(result, curves, in_dollars)


def ranking(
    everything: Examples,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    tables: dict[str, Array],
    weak: str,
    strong: str,
    prior: Prior,
    seed: int,
) -> Array:
    """What each test row is expected to gain from the strong model; its difficulty while labels are too few to fit."""
    if len(train) < LEAST_VERDICTS:
        return difficulties(everything.take(test))
    table = {name: each[train] for name, each in tables.items()}
    fitted = fit(everything.take(train), table, prior, seed, order=(weak, strong))
    if len(fitted.names) < 2:
        return difficulties(everything.take(test))
    p = fitted.p_good(everything.take(test))
    gained: Array = p[:, fitted.names.index(strong)] - p[:, fitted.names.index(weak)]
    return gained


def _sampled(rankings: dict[str, Array], rows: Rows, asked: Questions, rng: np.random.Generator) -> dict[str, Array]:
    """APGR of each ranking on the same bootstrap samples, none of which is kept: of a large file they are gigabytes."""
    found = {name: np.empty(RESAMPLES) for name in rankings}
    for number in range(RESAMPLES):
        at = asked.drawn(rng)
        weak, strong = rows.weak[at], rows.strong[at]
        for name, scores in rankings.items():
            found[name][number] = frontier.fine_apgr(scores[at], weak, strong)
    return found


def _scored(scores: Array, rows: Rows, sampled: Array) -> dict[str, Any]:
    """The figures of one ranking; `sampled` holds its APGR on each bootstrap sample."""
    weak, strong = rows.weak, rows.strong
    known = sampled[np.isfinite(sampled)]
    shares, qualities = frontier.curve(scores, weak, strong)
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    value = {
        "apgr": _round(frontier.apgr_of(shares, qualities, weak, strong)),
        "apgr_low": _round(low),
        "apgr_high": _round(high),
        "cpt50": _round(frontier.cpt(shares, qualities, 50), 2),
        "cpt80": _round(frontier.cpt(shares, qualities, 80), 2),
        "c95": _round(frontier.c95(*frontier.fine_curve(scores, weak, strong)), 2),
        "aiq": None,
    }
    if rows.weak_usd is not None and rows.strong_usd is not None:
        points = dollar_points(scores, rows)
        value["aiq"] = _aiq(points, rows)
        value["usd_per_1k_at_half"] = _round(1000 * points[_STEPS // 2][0], 5)
        value["quality_at_half"] = _round(points[_STEPS // 2][1])
        value["arena"] = _round(frontier.arena_score(points[_STEPS // 2][1], 1000 * points[_STEPS // 2][0]), 2)
    return value


def dollar_points(scores: Array, rows: Rows) -> list[tuple[float, float]]:
    """Mean dollars and quality of a request at `_STEPS` + 1 shares of strong calls."""
    assert rows.weak_usd is not None
    assert rows.strong_usd is not None
    priced = rows.priced()
    weak, strong, weak_usd, strong_usd = (
        each[priced] for each in (rows.weak, rows.strong, rows.weak_usd, rows.strong_usd)
    )
    order = np.argsort(-scores[priced], kind="stable")
    count = len(order)
    quality = weak.mean() + np.concatenate([[0.0], np.cumsum((strong - weak)[order])]) / count
    usd = weak_usd.mean() + np.concatenate([[0.0], np.cumsum((strong_usd - weak_usd)[order])]) / count
    at = np.linspace(0, count, _STEPS + 1).round().astype(int)
    return [(float(usd[place]), float(quality[place])) for place in at]


def _paired(ours: dict[str, Any], sampled: Array, rule: dict[str, Any], other: Array) -> dict[str, Any]:
    difference = sampled - other
    known = difference[np.isfinite(difference)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    mine, theirs = ours["apgr"], rule["apgr"]
    return {
        "apgr": None if mine is None or theirs is None else _round(mine - theirs),
        "low": _round(low),
        "high": _round(high),
        "below_beyond_chance": bool(len(known) and high < 0),
    }


def _at_random(rows: Rows) -> dict[str, Any]:
    """In expectation, as a straight line between the two models; None where there is no gap to close."""
    low, high = float(rows.weak.mean()), float(rows.strong.mean())
    c95 = 100 * max(0.0, (0.95 * high - low) / (high - low)) if high > low else 0.0
    value: dict[str, Any] = {"apgr": 0.5, "apgr_low": 0.5, "apgr_high": 0.5, "cpt50": 50.0, "cpt80": 80.0}
    if high <= low:
        value = dict.fromkeys(value)
    return value | {"c95": _round(c95, 2), "aiq": _hull_aiq(rows)}


def _best_single(rows: Rows, weak: str, strong: str) -> dict[str, Any]:
    """The better of the two for everything; in dollars the hull of both, which is what mixing them blindly gives."""
    best = weak if rows.weak.mean() >= rows.strong.mean() else strong
    return _at_random(rows) | {"model": best, "quality": _round(max(rows.weak.mean(), rows.strong.mean()))}


def _hull_aiq(rows: Rows) -> float | None:
    if rows.weak_usd is None or rows.strong_usd is None:
        return None
    at = rows.priced()
    ends = ((rows.weak_usd, rows.weak), (rows.strong_usd, rows.strong))
    return _aiq([(float(usd[at].mean()), float(quality[at].mean())) for usd, quality in ends], rows)


def _aiq(points: list[tuple[float, float]], rows: Rows) -> float | None:
    """None where nothing costs anything."""
    assert rows.weak_usd is not None
    assert rows.strong_usd is not None
    at = rows.priced()
    most = max(float(rows.weak_usd[at].mean()), float(rows.strong_usd[at].mean()))
    return _round(frontier.aiq(points, most), 5) if most else None


def _task_means(tasks: list[str], train: NDArray[np.intp], test: NDArray[np.intp], gain: Array) -> Array:
    """The mean gain of each task, told its name: from the labels, or without any from the other half of the test."""

    def means(rows: NDArray[np.intp]) -> dict[str, float]:
        overall = float(gain[rows].mean())
        sums: dict[str, list[float]] = {}
        for row in rows:
            sums.setdefault(tasks[row], []).append(float(gain[row]))
        return {
            task: (sum(each) + _TASK_PRIOR * overall) / (len(each) + _TASK_PRIOR) for task, each in sums.items()
        } | {"": overall}

    if len(train):
        known = means(train)
        return np.array([known.get(tasks[row], known[""]) for row in test])
    values = np.zeros(len(test))
    for half in (0, 1):
        known = means(test[1 - half :: 2])
        values[half::2] = [known.get(tasks[row], known[""]) for row in test[half::2]]
    return values


def _curves(scores: Array, rules: dict[str, Array], rows: Rows) -> tuple[dict[str, tuple[Array, Array]], bool]:
    named = {"ours": scores} | rules
    if rows.weak_usd is None:
        return {name: frontier.curve(each, rows.weak, rows.strong, 50) for name, each in named.items()}, False
    points = {name: dollar_points(each, rows) for name, each in named.items()}
    return {
        name: (np.array([1000 * usd for usd, _ in each]), np.array([quality for _, quality in each]))
        for name, each in points.items()
    }, True


def _round(value: float | np.floating[Any], digits: int = 4) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
