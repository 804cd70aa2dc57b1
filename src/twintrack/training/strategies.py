"""Ways to answer requests with several models, and what each is worth on a file of answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from twintrack.training.design import Array

_MOST_CHEAP = 10
_SHARES = np.linspace(0, 1, 41)


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
