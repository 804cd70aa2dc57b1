"""Whether to ask cheap models first and believe them where they agree: replayed on a file of answers.

Agreement can mislead: two weak models that agree are nearly always right on easy questions and often wrong on hard
ones. So nothing is assumed. On some hundred labelled requests every strategy is scored and priced, and the cheapest
that keeps the quality is taken; one that is no mix only where it beats the best mix of two single models at equal
dollars beyond chance. All figures are of the other requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twintrack.errors import TwintrackError, nearest
from twintrack.signals.weights import Prior
from twintrack.training.bench import LEAST_SCORED, not_asked_before, questions, silent
from twintrack.training.design import Array
from twintrack.training.figures import against_mix, agreement, figures, oracle, rounded
from twintrack.training.files import Outcomes
from twintrack.training.fit import MOST_REQUESTS, as_examples, fit
from twintrack.training.mixing import hull_of
from twintrack.training.strategies import Answers, Strategy, outcome, strategies

CHARS_PER_TOKEN = 4
_BEATS = 1.0
"""Standard errors by which a cascade must beat the mix at equal dollars."""
_LOST = 0.5
"""Requests that count as lost besides those that were, so that a lucky handful does not look certain."""


class Halves(NamedTuple):
    seen: Answers
    """What the choice rests on."""
    unseen: Answers
    train: NDArray[np.intp]
    """Rows of the file, as the next."""
    test: NDArray[np.intp]


def choose(on: Answers, strong: str, keep: float) -> tuple[Strategy, Strategy, Strategy]:
    """The strategy, the best mix and the best prompt-only rule that keep `keep` of the strong model's quality.

    `on` holds labelled requests alone.
    """
    reference = on.right[strong]
    count = len(reference)
    hull = hull_of(on)
    target = keep * float(reference.mean())
    mix = hull.keeping(target)
    best: tuple[float, Strategy] = (float(outcome(mix, on)[1].mean()), mix)
    prompt_only: tuple[float, Strategy] = (float(on.usd[strong].mean()), Strategy("single", (strong,)))
    for each in strategies(on, strong):
        if each.kind == "single":
            continue
        quality, usd = outcome(each, on)
        cost = float(usd.mean())
        if cost >= max(best[0], prompt_only[0] if each.kind == "prompt_only" else 0.0):
            continue
        if float((quality - keep * reference).sum()) < _LOST:
            continue
        if each.kind == "prompt_only" and cost < prompt_only[0]:
            prompt_only = (cost, each)
        _, instead = hull.at(cost)
        if cost < best[0] and _beats(quality - outcome(instead, on)[0], count):
            best = (cost, each)
    return best[1], mix, prompt_only[1]


def _beats(difference: Array, count: int) -> bool:
    mean = (float(difference.sum()) - _LOST) / count
    return mean > _BEATS * float(difference.std()) / float(np.sqrt(count))


def replay(
    outcomes: Outcomes,
    strong: str,
    prices: Mapping[str, tuple[float, float]],
    prior: Prior,
    *,
    labels: int | None = None,
    keep: float = 0.99,
    seed: int = 0,
    extra_chars: int = 0,
    tell: Callable[[str], None] = silent,
) -> dict[str, Any]:
    """Choose on `labels` requests (default: half), score on the others.

    Args:
        prices: dollars per million tokens of input and of output; models without a price take no part.
        extra_chars: of instructions that every model got besides the prompt.
        tell: hears what is being done.
    Raises:
        TwintrackError: the strong model is unknown or has no price, or there is nothing to choose from.
    """
    rng = np.random.default_rng(seed)
    halves = halved(outcomes, strong, prices, prior, rng, labels=labels, seed=seed, extra_chars=extra_chars, tell=tell)
    tell("trying strategies")
    chosen, mix, prompt_only = choose(halves.seen, strong, keep)
    reference = halves.unseen.right[strong]
    tell(f"scoring on {len(reference):,} requests")
    asked = questions(outcomes, halves.test)
    result: dict[str, Any] = _named(chosen) | figures(chosen, halves.unseen, strong, asked, rng)
    result["best_mix"] = _named(mix) | figures(mix, halves.unseen, strong, asked, rng)
    result["prompt_only"] = _named(prompt_only) | figures(prompt_only, halves.unseen, strong, asked, rng)
    result["oracle"] = oracle(halves.unseen, strong)
    result["minus_best_mix_at_equal_dollars"] = against_mix(chosen, halves.unseen, asked, rng)
    agreed = agreement(chosen, halves.seen)
    if chosen.kind == "cascade":
        result["believe"] = [[chosen.models[one], chosen.models[other]] for one, other in chosen.accept]
    if agreed is not None:
        result["agreement_on_labels"] = agreed
    return result | {
        "set": outcomes.name,
        "strong": {
            "model": strong,
            "quality": rounded(reference.mean()),
            "usd": rounded(halves.unseen.usd[strong].mean(), 8),
        },
        "keep": keep,
        "labels": len(halves.train),
        "seed": seed,
        "rows_scored": len(halves.test),
        "questions_scored": len(asked),
    }


def add_price(name: str, prices: Mapping[str, tuple[float, float]]) -> str:
    """What to do where a model has no price."""
    close = nearest(name, prices, 1)
    meant = f"Is it what they call {close[0]}? Else add" if close else "Add"
    return f'{meant} it: {{"{name}": [usd_per_mtok_in, usd_per_mtok_out]}}.'


def _named(of: Strategy) -> dict[str, Any]:
    return {"strategy": of.kind, "models": list(of.models), "words": of.sentence()}


def halved(
    outcomes: Outcomes,
    strong: str,
    prices: Mapping[str, tuple[float, float]],
    prior: Prior,
    rng: np.random.Generator,
    *,
    labels: int | None,
    seed: int,
    extra_chars: int,
    tell: Callable[[str], None] = silent,
) -> Halves:
    """Arguments and errors are those of `replay`."""
    outcomes.score(strong)
    silent = [name for name in prices if name in outcomes.scores and name not in outcomes.answer_chars]
    if silent:
        raise TwintrackError(
            f"{outcomes.name} does not say how long the answers of {', '.join(silent[:5])} are",
            why="What they cost is unknown",
            fix="Add columns n:MODEL, the characters of each answer, or leave these models out of the prices.",
        )
    priced = [name for name in prices if name in outcomes.scores]
    if strong not in prices:
        raise TwintrackError(f"The prices lack the strong model {strong!r}", fix=add_price(strong, prices))
    if len(priced) < 2:
        raise TwintrackError(
            f"None of the priced models but {strong} is in {outcomes.name}",
            fix=f"It has, among others, {', '.join(sorted(outcomes.scores)[:5])}.",
        )
    full = np.flatnonzero(
        np.all([np.isfinite(outcomes.scores[name] + outcomes.answer_chars[name]) for name in priced], axis=0)
    )
    full = rng.permutation(full)
    labels = len(full) // 2 if labels is None else labels
    if not LEAST_SCORED <= labels <= len(full) - LEAST_SCORED:
        raise TwintrackError(
            f"{labels} labels leave nothing to choose by or to score",
            why=f"{outcomes.name} has {len(full)} requests that all priced models answered",
            fix=f"Use {LEAST_SCORED} to {len(full) - LEAST_SCORED}."
            if len(full) >= 2 * LEAST_SCORED
            else f"{2 * LEAST_SCORED} requests are the least.",
        )
    if not outcomes.scores[strong][full].any():
        raise TwintrackError(
            f"{strong} is right on none of the {len(full)} requests", why="There is no quality to keep"
        )
    train, test = full[:labels], full[labels:]
    test = not_asked_before(outcomes, train, test)
    tell(f"fitting to {min(labels, MOST_REQUESTS):,} labels")
    seen, unseen = _answers(outcomes, priced, strong, prices, prior, train, test, seed, extra_chars)
    return Halves(seen, unseen, train, test)


def _answers(
    outcomes: Outcomes,
    priced: list[str],
    strong: str,
    prices: Mapping[str, tuple[float, float]],
    prior: Prior,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    seed: int,
    extra_chars: int,
) -> tuple[Answers, Answers]:
    chars = outcomes.prompt_chars + extra_chars
    usd = {}
    for name in priced:
        into, out = prices[name]
        usd[name] = (chars * into + np.nan_to_num(outcomes.answer_chars[name]) * out) / CHARS_PER_TOKEN / 1e6
    codes: dict[str, int] = {}
    said = {
        name: np.array([-1 if each is None else codes.setdefault(each, len(codes)) for each in outcomes.answers[name]])
        for name in priced
        if name in outcomes.answers
    }
    examples = as_examples(outcomes.asked)
    seen_gain: dict[str, Array] = {}
    unseen_gain: dict[str, Array] = {}
    cheap = [each for each in priced if usd[each].mean() < usd[strong].mean()]
    for name in sorted(cheap, key=lambda each: -outcomes.scores[each][train].mean())[:1]:
        rows, beyond = train[:MOST_REQUESTS], train[MOST_REQUESTS:]  # in the order of chance
        table = {each: outcomes.scores[each][rows] for each in (name, strong)}
        fitted = fit(examples.take(rows), table, prior, seed, order=(name, strong))
        if len(fitted.names) < 2:
            continue
        p = fitted.p_good(examples.take(test))
        seen = np.concatenate([fitted.left_out, fitted.p_good(examples.take(beyond))])
        seen_gain[name] = seen[:, 1] - seen[:, 0]
        unseen_gain[name] = p[:, 1] - p[:, 0]

    def part(rows: NDArray[np.intp], gain: dict[str, Array]) -> Answers:
        return Answers(
            {name: outcomes.scores[name][rows] for name in priced},
            {name: usd[name][rows] for name in priced},
            {name: each[rows] for name, each in said.items()},
            gain,
        )

    return part(train, seen_gain), part(test, unseen_gain)
