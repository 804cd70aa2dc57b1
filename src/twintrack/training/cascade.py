"""Whether to ask cheap models first and believe them where they agree: replayed on a file of answers.

Agreement can mislead: two weak models that agree are nearly always right on easy questions and often wrong on hard
ones. So nothing is assumed. On some hundred labelled requests every strategy is scored and priced, and the cheapest
that keeps the quality is taken; one that is no mix only where it beats the best mix of two single models at equal
dollars beyond chance. All figures are of the other requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twintrack.errors import TwintrackError
from twintrack.signals.weights import Prior
from twintrack.training.design import Array
from twintrack.training.files import Outcomes
from twintrack.training.fit import as_examples, fit

CHARS_PER_TOKEN = 4
_MOST_CHEAP = 10
_BEATS = 1.0
"""Standard errors by which a cascade must beat the mix at equal dollars."""
_LOST = 0.5
"""Requests that count as lost besides those that were, so that a lucky handful does not look certain."""
_SHARES = np.linspace(0, 1, 41)
_RESAMPLES = 1_000


@dataclass(frozen=True)
class Answers:
    """Arrays have one entry a request."""

    right: dict[str, Array]
    """0 to 1."""
    usd: dict[str, Array]
    said: dict[str, NDArray[np.int64]]
    """Equal numbers for equal answers; -1: none, which agrees with nothing."""
    gain: dict[str, Array]
    """What the strong model is expected to gain on each cheap one, from the prompt alone."""


@dataclass(frozen=True)
class Strategy:
    kind: str
    """single, mix, prompt_only or cascade."""
    models: tuple[str, ...]
    share: float = 0.0
    """Of requests that go to the last model; of a mix and of prompt_only."""
    threshold: float = 0.0
    accept: tuple[tuple[int, int], ...] = ()
    """Places of the models whose agreement is believed."""

    def sentence(self) -> str:
        *cheap, last = self.models
        if self.kind == "single":
            return f"{last} for everything"
        if self.kind == "mix":
            return f"{last} for {self.share:.0%} of the requests, drawn blindly, else {cheap[0]}"
        if self.kind == "prompt_only":
            return f"{last} for the {self.share:.0%} that look as if they need it, else {cheap[0]}"
        pairs = " or ".join(f"{self.models[a]} and {self.models[b]}" for a, b in self.accept)
        return f"{', then '.join(cheap)}; believed where {pairs} agree, else {last}"


def outcome(of: Strategy, on: Answers) -> tuple[Array, Array]:
    """Quality and dollars of each request; of a mix in expectation."""
    last = of.models[-1]
    right, usd = on.right[last], on.usd[last]
    if of.kind == "single":
        return right, usd
    first = of.models[0]
    if of.kind == "mix":
        return (
            (1 - of.share) * on.right[first] + of.share * right,
            (1 - of.share) * on.usd[first] + of.share * usd,
        )
    if of.kind == "prompt_only":
        chosen = on.gain[first] > of.threshold
        return np.where(chosen, right, on.right[first]), np.where(chosen, usd, on.usd[first])
    return _cascaded(of, on)


def _cascaded(of: Strategy, on: Answers) -> tuple[Array, Array]:
    """Models are asked in order until two that are believed agree; every answer is paid."""
    *cheap, last = of.models
    open_ = np.ones(len(on.right[last]), bool)
    quality, paid = on.right[last].copy(), np.zeros(len(open_))
    for place, model in enumerate(cheap):
        paid = paid + np.where(open_, on.usd[model], 0.0)
        for a, b in of.accept:
            if b != place:
                continue
            said = on.said[model]
            agreed = open_ & (said >= 0) & (said == on.said[cheap[a]])
            quality = np.where(agreed, on.right[model], quality)
            open_ = open_ & ~agreed
    return quality, paid + np.where(open_, on.usd[last], 0.0)


def strategies(on: Answers, strong: str) -> Iterator[Strategy]:
    """All that are tried but the mixes, which follow from the single models."""
    cheap = sorted((name for name in on.right if name != strong), key=lambda name: -float(on.right[name].mean()))
    cheap = [name for name in cheap if on.usd[name].mean() < on.usd[strong].mean()][:_MOST_CHEAP]
    for name in on.right:
        yield Strategy("single", (name,))
    for name in cheap:
        if name in on.gain:
            for share in _SHARES[1:-1]:
                threshold = float(np.quantile(on.gain[name], 1 - share))
                yield Strategy("prompt_only", (name, strong), float(share), threshold)
    able = [name for name in cheap if name in on.said]
    for pair in combinations(able, 2):
        yield Strategy("cascade", (*pair, strong), accept=((0, 1),))
    for three in permutations(able, 3):
        for believed in (((0, 2), (1, 2)), ((0, 1), (0, 2)), ((0, 1), (1, 2)), ((0, 1), (0, 2), (1, 2))):
            # Whoever is believed with everybody comes first or second, so orders that say the same are skipped.
            if ((0, 1) in believed and len(believed) == 3 and three[0] > three[1]) or (
                believed[0] == (0, 2) and three[0] > three[1]
            ):
                continue
            yield Strategy("cascade", (*three, strong), accept=believed)


@dataclass(frozen=True)
class Hull:
    """What mixing two single models blindly gives: cheapest to best."""

    corners: tuple[tuple[float, float, str], ...]
    """Dollars, quality, model."""

    def at(self, usd: float) -> tuple[float, Strategy]:
        """Best quality for `usd` a request, and how; the cheapest model's where it is too little."""
        before = self.corners[0]
        if usd <= before[0]:
            return before[1], Strategy("single", (before[2],))
        for after in self.corners[1:]:
            if usd < after[0]:
                share = (usd - before[0]) / (after[0] - before[0])
                quality = before[1] + share * (after[1] - before[1])
                return quality, Strategy("mix", (before[2], after[2]), share)
            before = after
        return before[1], Strategy("single", (before[2],))

    def keeping(self, quality: float) -> Strategy:
        """The cheapest mix that is that good; the best model where none is."""
        before = self.corners[0]
        if before[1] >= quality:
            return Strategy("single", (before[2],))
        for after in self.corners[1:]:
            if after[1] >= quality:
                share = (quality - before[1]) / (after[1] - before[1])
                return Strategy("mix", (before[2], after[2]), share)
            before = after
        return Strategy("single", (before[2],))


def hull_of(on: Answers, rows: NDArray[np.intp] | slice = slice(None)) -> Hull:
    points = sorted((float(on.usd[name][rows].mean()), -float(on.right[name][rows].mean()), name) for name in on.right)
    corners: list[tuple[float, float, str]] = []
    for usd, minus, name in points:
        quality = -minus
        if corners and quality <= corners[-1][1]:
            continue
        while len(corners) > 1:
            (x0, y0, _), (x1, y1, _) = corners[-2:]
            if (y1 - y0) * (usd - x0) > (quality - y0) * (x1 - x0):
                break
            corners.pop()
        corners.append((usd, quality, name))
    return Hull(tuple(corners))


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
) -> dict[str, Any]:
    """Choose on `labels` requests (default: half), score on the others.

    Args:
        prices: dollars per million tokens of input and of output; models without a price take no part.
        extra_chars: of instructions that every model got besides the prompt.
    Raises:
        TwintrackError: the strong model is unknown or has no price, or there is nothing to choose from.
    """
    outcomes.score(strong)
    priced = [name for name in prices if name in outcomes.scores]
    if strong not in prices:
        raise TwintrackError(f"The prices lack the strong model {strong!r}", fix="Add it: {model: [usd in, usd out]}.")
    if len(priced) < 2:
        raise TwintrackError(
            f"None of the priced models but {strong} is in {outcomes.name}",
            fix=f"It has, among others, {', '.join(sorted(outcomes.scores)[:5])}.",
        )
    full = np.flatnonzero(np.all([np.isfinite(outcomes.scores[name]) for name in priced], axis=0))
    rng = np.random.default_rng(seed)
    full = rng.permutation(full)
    labels = len(full) // 2 if labels is None else labels
    if not 20 <= labels <= len(full) - 20:
        raise TwintrackError(
            f"{labels} labels leave nothing to choose by or to score",
            why=f"{outcomes.name} has {len(full)} requests that all priced models answered",
            fix=f"Use 20 to {max(20, len(full) - 20)}.",
        )
    train, test = full[:labels], full[labels:]
    seen, unseen = _answers(outcomes, priced, strong, prices, prior, train, test, seed, extra_chars)
    chosen, mix, prompt_only = choose(seen, strong, keep)
    reference = unseen.right[strong]
    result: dict[str, Any] = {"strategy": chosen.kind, "models": list(chosen.models), "words": chosen.sentence()}
    result |= _figures(chosen, unseen, strong, rng)
    result["best_mix"] = {"words": mix.sentence()} | _figures(mix, unseen, strong, rng)
    result["prompt_only"] = {"words": prompt_only.sentence()} | _figures(prompt_only, unseen, strong, rng)
    result["oracle"] = _oracle(unseen, strong)
    result["minus_best_mix_at_equal_dollars"] = _against_mix(chosen, unseen, rng)
    agreement = _agreement(chosen, seen)
    if agreement is not None:
        result["agreement_on_labels"] = agreement
    return result | {
        "set": outcomes.name,
        "strong": {"model": strong, "quality": _round(reference.mean()), "usd": _round(unseen.usd[strong].mean(), 8)},
        "keep": keep,
        "labels": labels,
        "seed": seed,
        "rows_scored": len(test),
    }


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
    chars = np.array([len(each) + extra_chars for each in outcomes.prompts], float)
    usd = {}
    for name in priced:
        written = outcomes.answer_chars.get(name, np.zeros(len(chars)))
        into, out = prices[name]
        usd[name] = (chars * into + np.nan_to_num(written) * out) / CHARS_PER_TOKEN / 1e6
    codes: dict[str, int] = {}
    said = {
        name: np.array([-1 if each is None else codes.setdefault(each, len(codes)) for each in outcomes.answers[name]])
        for name in priced
        if name in outcomes.answers
    }
    examples = as_examples(outcomes.prompts)
    seen_gain: dict[str, Array] = {}
    unseen_gain: dict[str, Array] = {}
    cheap = [each for each in priced if usd[each].mean() < usd[strong].mean()]
    for name in sorted(cheap, key=lambda each: -outcomes.scores[each][train].mean())[:1]:
        table = {each: outcomes.scores[each][train] for each in (name, strong)}
        fitted = fit(examples.take(train), table, prior, seed)
        if set(fitted.names) != {name, strong}:
            continue
        way = 1.0 if fitted.names[1] == strong else -1.0
        sums = fitted.sums(examples.take(test))
        seen_gain[name] = way * (fitted.left_out_sums[:, 1] - fitted.left_out_sums[:, 0])
        unseen_gain[name] = way * (sums[:, 1] - sums[:, 0])

    def part(rows: NDArray[np.intp], gain: dict[str, Array]) -> Answers:
        return Answers(
            {name: outcomes.scores[name][rows] for name in priced},
            {name: usd[name][rows] for name in priced},
            {name: each[rows] for name, each in said.items()},
            gain,
        )

    return part(train, seen_gain), part(test, unseen_gain)


def _figures(of: Strategy, on: Answers, strong: str, rng: np.random.Generator) -> dict[str, Any]:
    quality, usd = outcome(of, on)
    reference, price = on.right[strong], on.usd[strong]
    kept, saved = [], []
    for _ in range(_RESAMPLES):
        at = rng.integers(0, len(quality), len(quality))
        kept.append(quality[at].mean() / reference[at].mean())
        saved.append(1 - usd[at].mean() / price[at].mean())
    return {
        "kept": _round(quality.mean() / reference.mean()),
        "kept_low": _round(np.quantile(kept, 0.025)),
        "kept_high": _round(np.quantile(kept, 0.975)),
        "saved": _round(1 - usd.mean() / price.mean()),
        "saved_low": _round(np.quantile(saved, 0.025)),
        "saved_high": _round(np.quantile(saved, 0.975)),
        "quality": _round(quality.mean()),
        "usd_per_1k": _round(1000 * usd.mean(), 6),
    }


def _against_mix(of: Strategy, on: Answers, rng: np.random.Generator) -> dict[str, Any]:
    """In points of quality, against the best mix of two single models at the same dollars, known only afterwards."""
    quality, usd = outcome(of, on)

    def points(rows: NDArray[np.intp] | slice) -> float:
        return 100 * (float(quality[rows].mean()) - hull_of(on, rows).at(float(usd[rows].mean()))[0])

    sampled = [points(rng.integers(0, len(quality), len(quality))) for _ in range(_RESAMPLES // 2)]
    low, high = np.quantile(sampled, [0.025, 0.975])
    return {"points": _round(points(slice(None)), 2), "low": _round(low, 2), "high": _round(high, 2)}


def _oracle(on: Answers, strong: str) -> dict[str, Any]:
    """Each request to the cheapest model that is as right on it as any."""
    names = list(on.right)
    right, usd = np.column_stack([on.right[each] for each in names]), np.column_stack([on.usd[each] for each in names])
    picks = np.argmin(np.where(right >= right.max(1, keepdims=True), usd, np.inf), axis=1)
    at = np.arange(len(picks))
    return {
        "kept": _round(right[at, picks].mean() / on.right[strong].mean()),
        "saved": _round(1 - usd[at, picks].mean() / on.usd[strong].mean()),
    }


def _agreement(of: Strategy, on: Answers) -> dict[str, Any] | None:
    """How often the first two agreed and were right, where the chosen strategy believes anybody."""
    if of.kind != "cascade":
        return None
    a, b = of.models[0], of.models[1]
    agreed = (on.said[a] >= 0) & (on.said[a] == on.said[b])
    right = on.right[b][agreed].mean() if agreed.any() else np.nan
    return {"models": [a, b], "agreed": _round(agreed.mean()), "right_where_agreed": _round(right)}


def _round(value: float | np.floating[Any], digits: int = 4) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
