"""Whether a router fitted to verdicts is better than what is there, shown on requests that it was not fitted to."""

from __future__ import annotations

import datetime
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from twintrack.errors import TwintrackError
from twintrack.signals.predictor import Predictor, probability
from twintrack.signals.weights import Card, Prior, Router
from twintrack.training import frontier
from twintrack.training.asked import as_prompt, text_of
from twintrack.training.calibrate import apply, calibrate, calibration_error
from twintrack.training.design import Array, Examples
from twintrack.training.fit import LEAST_VERDICTS, difficulties, fit, router
from twintrack.training.overlap import pack, text_hash, unpack
from twintrack.training.resample import Questions
from twintrack.wire.prompt import Prompt

FOLDS = 3
LEAST_REQUESTS = 60
_RESAMPLES = 1_000


@dataclass(frozen=True)
class Foreseen:
    """What was predicted when the requests were decided, by whatever decided then."""

    p_good: dict[str, Array]
    """By deployment, shape (n,); NaN where it was not predicted."""
    name: str
    """Of what predicted it."""
    in_use: bool
    """It is a fitted router, and a new one has to be shown to be better than that."""


@dataclass(frozen=True)
class Learned:
    router: Router
    better: bool
    """Than every baseline, beyond chance."""
    report: dict[str, Any]


def learn(
    examples: Examples,
    scores: dict[str, Array],
    prior: Prior,
    *,
    source: str,
    current: Router | None = None,
    asked: Sequence[str | Prompt] | None = None,
    foreseen: Foreseen | None = None,
    notes: tuple[str, ...] = (),
    seed: int = 0,
) -> Learned:
    """Fit on folds, compare on what each fold leaves out, then fit on everything.

    The measure is the Brier score, the mean squared distance of the predicted probability from the verdict, and where
    requests have verdicts for two deployments APGR as well. Rows that ask the same are in one fold and are drawn
    together: a router that has seen a question's verdicts tells them from memory.

    Args:
        scores: by deployment, shape (n,), 0 to 1, NaN where there is no verdict.
        current: the router in use; it needs `asked`, the requests. It is compared on those that it was not fitted to
            either, and of those there must be `LEAST_REQUESTS`.
        foreseen: the same where texts are not known, from what was logged.
        notes: for the card.
    Raises:
        TwintrackError: too few verdicts.
    """
    counts = {name: int(np.isfinite(each).sum()) for name, each in scores.items()}
    names = [name for name, count in counts.items() if count >= LEAST_VERDICTS]
    scores = {name: scores[name] for name in names}
    judged = np.any([np.isfinite(each) for each in scores.values()], axis=0) if names else np.zeros(0, bool)
    if judged.sum() < LEAST_REQUESTS:
        there = ", ".join(f"{count} on {name}" for name, count in counts.items()) or "none"
        raise TwintrackError(
            f"{int(judged.sum())} requests with verdicts are too few to learn from",
            why=f"{LEAST_REQUESTS} are needed, {LEAST_VERDICTS} for each deployment to tell apart; there are {there}",
            fix="Collect some hundred; deployments with fewer are left to the catalogue.",
        )
    rows = np.flatnonzero(judged)
    said = np.concatenate([each[np.isfinite(each)] for each in scores.values()])
    if said.min() == said.max():
        raise TwintrackError(
            f"All {len(said):,} verdicts are {said[0]:g}",
            why="Where all answers are alike nothing tells them apart",
            fix="Judge answers without choosing which, good and bad ones.",
        )
    rng = np.random.default_rng(seed)
    hashes = [text_hash(text_of(each), whole=True) for each in asked or ()]
    questions: Sequence[Hashable] = hashes or range(len(judged))
    of = Questions([questions[row] for row in rows.tolist()])
    fold = rng.permutation(np.arange(len(of)) % FOLDS)[of.number]
    predictions: dict[str, dict[str, Array]] = {}
    for number in range(FOLDS):
        train, test = rows[fold != number], rows[fold == number]
        for rule, by_name in _predict(examples, scores, train, test, prior, seed).items():
            for name, values in by_name.items():
                predictions.setdefault(rule, {}).setdefault(name, np.full(len(judged), np.nan))[test] = values
    weights = examples.weight()
    comparison = {
        rule: _compared(predictions["new router"], predictions[rule], scores, weights, questions, rng)
        for rule in predictions
        if rule != "new router"
    }
    news: int | None = None
    if current is not None and asked is not None:
        seen = unpack(current.texts)
        fresh = judged & np.array([each not in seen for each in hashes])
        news = int(fresh.sum())
        if news >= LEAST_REQUESTS:
            answered = _asked(current, asked, scores, predictions["constant"])
            only = {name: np.where(fresh, each, np.nan) for name, each in scores.items()}
            comparison["current router"] = _compared(predictions["new router"], answered, only, weights, questions, rng)
    if foreseen is not None:
        only = {name: np.where(np.isfinite(foreseen.p_good[name]), each, np.nan) for name, each in scores.items()}
        count = int(np.any([np.isfinite(each) for each in only.values()], axis=0).sum())
        news = count if foreseen.in_use else None
        if count >= LEAST_REQUESTS:
            told = {name: np.nan_to_num(foreseen.p_good[name]) for name in scores}
            comparison[foreseen.name] = _compared(predictions["new router"], told, only, weights, questions, rng)
    better = all(each["low"] > 0 for each in comparison.values()) and (news is None or news >= LEAST_REQUESTS)
    p = np.concatenate([predictions["new router"][name][np.isfinite(scores[name])] for name in names])
    outcomes = np.concatenate([scores[name][np.isfinite(scores[name])] for name in names])
    heavy = np.concatenate([weights[np.isfinite(scores[name])] for name in names])
    report: dict[str, Any] = {
        "requests": int(judged.sum()),
        "verdicts": len(outcomes),
        "deployments": {name: int(np.isfinite(scores[name]).sum()) for name in names},
        "brier": round(float(np.average((p - outcomes) ** 2, weights=heavy)), 5),
        "calibration_error": round(calibration_error(p, outcomes, heavy), 4),
        "better_by": comparison,
        "better": better,
    }
    if news is not None:
        report["requests_new_to_the_router_in_use"] = news
    ranking = _ranking(predictions, examples, scores, names, questions, rng)
    if ranking is not None:
        report["apgr"] = ranking
    fitted = fit(examples, scores, prior, seed)
    shown = {f"Brier score, less than {rule}'s": (v["by"], v["low"], v["high"]) for rule, v in comparison.items()}
    card = Card(
        "Router fitted to verdicts",
        datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        source,
        len(outcomes),
        shown,
        notes,
    )
    made = router(fitted, card)
    if asked is not None:
        made = msgspec.structs.replace(made, texts=pack(hashes[row] for row in rows))
    return Learned(made, better, report)


def _predict(
    examples: Examples,
    scores: dict[str, Array],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    prior: Prior,
    seed: int,
) -> dict[str, dict[str, Array]]:
    """Probability of a good answer for each row of `test`, by rule and deployment."""
    fitted = fit(examples.take(train), {name: each[train] for name, each in scores.items()}, prior, seed)
    p = fitted.p_good(examples.take(test))
    ours = {name: p[:, place] for place, name in enumerate(fitted.names)}
    constant, length = {}, {}
    chars, weights = examples.features[:, 1], examples.weight()
    for name, each in scores.items():
        known = train[np.isfinite(each[train])]
        mean = float(np.average(each[known], weights=weights[known])) if len(known) else 0.5
        constant[name] = np.full(len(test), mean)
        if len(known) >= LEAST_VERDICTS // 2:
            # Length may count either way: a rule that nobody has fixed beforehand.
            way = 1.0 if (chars[known] - chars[known].mean()) @ each[known] >= 0 else -1.0
            knots, _ = calibrate(way * chars[known], each[known], np.random.default_rng(seed), weights[known])
            length[name] = apply(knots, way * chars[test])
        else:
            length[name] = constant[name]
        ours.setdefault(name, constant[name])
    return {"new router": ours, "constant": constant, "length": length}


def _asked(
    current: Router, asked: Sequence[str | Prompt], scores: dict[str, Array], otherwise: dict[str, Array]
) -> dict[str, Array]:
    """What the router in use says; where it does not know a deployment, the constant."""
    from twintrack.signals.evidence import evidence
    from twintrack.signals.features import features
    from twintrack.signals.tokens import prompt_tokens

    predictor = Predictor(current)
    values = {name: otherwise[name].copy() for name in scores}
    for row, each in enumerate(asked):
        prompt = as_prompt(each)
        seen = evidence(prompt)
        reading = predictor.read(seen, features(prompt, prompt_tokens(prompt), seen))
        for name in scores:
            if name in predictor.deployments:
                values[name][row] = probability(predictor.deployments[name], reading)[0]
    return values


def _compared(
    ours: dict[str, Array],
    theirs: dict[str, Array],
    scores: dict[str, Array],
    weights: Array,
    questions: Sequence[Hashable],
    rng: np.random.Generator,
) -> dict[str, float]:
    """By how much our Brier score is lower, with a 95 % interval over questions."""
    names = list(scores)
    truth = np.column_stack([scores[name] for name in names])
    mine, other = (np.column_stack([each[name] for name in names]) for each in (ours, theirs))
    known = np.isfinite(truth)
    gained = np.where(known, (other - truth) ** 2 - (mine - truth) ** 2, 0.0)
    per_request, counts = gained.sum(1) * weights, known.sum(1) * weights
    some = counts > 0
    per_request, counts = per_request[some], counts[some]
    asked = Questions([questions[row] for row in np.flatnonzero(some).tolist()])
    sampled = []
    for _ in range(_RESAMPLES):
        at = asked.drawn(rng)
        sampled.append(per_request[at].sum() / counts[at].sum())
    low, high = np.quantile(sampled, [0.025, 0.975])
    return {
        "by": round(float(per_request.sum() / counts.sum()), 5),
        "low": round(float(low), 5),
        "high": round(float(high), 5),
    }


def _ranking(
    predictions: dict[str, dict[str, Array]],
    examples: Examples,
    scores: dict[str, Array],
    names: list[str],
    questions: Sequence[Hashable],
    rng: np.random.Generator,
) -> dict[str, Any] | None:
    """APGR between the weakest and the strongest deployment, where enough requests have verdicts for both."""
    ranked = sorted(names, key=lambda name: float(np.nanmean(scores[name])))
    weak, strong = ranked[0], ranked[-1]
    both = np.flatnonzero(np.isfinite(scores[weak]) & np.isfinite(scores[strong]))
    if weak == strong or len(both) < LEAST_REQUESTS or scores[strong][both].mean() <= scores[weak][both].mean():
        return None
    low, high = scores[weak][both], scores[strong][both]
    rules = {
        "new router": (predictions["new router"][strong] - predictions["new router"][weak])[both],
        "length": examples.features[both, 1],
        "difficulty": difficulties(examples)[both],
    }
    result: dict[str, Any] = {"weak": weak, "strong": strong, "random": 0.5}
    asked = Questions([questions[row] for row in both.tolist()])
    samples = [asked.drawn(rng) for _ in range(300)]
    for rule, values in rules.items():
        sampled = np.array([frontier.fine_apgr(values[at], low[at], high[at]) for at in samples])
        known = sampled[np.isfinite(sampled)]
        interval = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        result[rule] = [round(float(frontier.fine_apgr(values, low, high)), 4), *(round(float(x), 4) for x in interval)]
    return result
