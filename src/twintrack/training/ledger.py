"""A router from what the ledger knows: verdicts, and numbers that describe requests. Their words are not known.

There are verdicts only on answers that were given, and the router chose who gives them: of a deployment one knows the
requests it was thought good for. Where choices were partly random each verdict counts by the inverse of its choice's
probability, as if all requests had been judged alike (Horvitz & Thompson 1952); clipped, since a few of weight 100
teach less than they shake. Where no choice was random there is nothing to correct with, and the card says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np

from twintrack.errors import TwintrackError
from twintrack.ledger.verdicts import Judgement, teaches
from twintrack.signals.features import unpacked
from twintrack.signals.weights import Prior
from twintrack.training.design import Array, Examples
from twintrack.training.learn import LEAST_REQUESTS, Foreseen, Learned, learn

MOST_WEIGHT = 10.0
"""Times the least of its deployment's."""


def learn_from(found: Sequence[Judgement], prior: Prior, *, in_use: str = "", seed: int = 0) -> Learned:
    """Args:
        in_use: version of the fitted router in use; empty: none is. It is compared by what it predicted of the requests
            that it decided, which it cannot have been fitted to.
    Raises:
        TwintrackError: too few of them can be learned from.
    """
    usable, rows = [], []
    for each in found:
        numbers = unpacked(each.features) if each.features is not None and teaches(each) else None
        if numbers is not None:
            usable.append(each)
            rows.append(numbers)
    if len(usable) < LEAST_REQUESTS:
        raise TwintrackError(
            f"{len(usable)} verdicts are too few to learn from",
            why=f"{LEAST_REQUESTS} are needed; {_missing(found, len(usable))}",
            fix="Collect some hundred. Routes need `learn`, which is on where they have more than one tier.",
        )
    names = sorted({each.deployment for each in usable})
    scores = {name: _of(usable, name, [each.score for each in usable]) for name in names}
    predicted = [
        float("nan")
        if each.p_good is None or each.chosen != each.deployment or each.policy_version.partition("+")[2] != in_use
        else each.p_good
        for each in usable
    ]
    foreseen = Foreseen(
        {name: _of(usable, name, predicted) for name in names},
        "current router" if in_use else "catalogue",
        bool(in_use),
    )
    weights = weights_of(usable)
    days = [datetime.fromtimestamp(each.at_us / 1e6, UTC).date().isoformat() for each in (usable[0], usable[-1])]
    learned = learn(
        Examples(np.array(rows), None, weights),
        scores,
        prior,
        source=f"ledger, requests of {days[0]} to {days[1]}",
        foreseen=foreseen,
        notes=(_sources(usable), _bias(usable)),
        seed=seed,
    )
    return replace(learned, router=msgspec.structs.replace(learned.router, until_us=usable[-1].at_us))


def weights_of(usable: Sequence[Judgement]) -> Array:
    """Shape (n,): inverse propensities, clipped, with mean 1 for each deployment."""
    raw = np.array([1.0 / _propensity(each) for each in usable])
    result = np.ones(len(usable))
    deployments = np.array([each.deployment for each in usable])
    for name in np.unique(deployments):
        own = deployments == name
        clipped = np.minimum(raw[own], MOST_WEIGHT * raw[own].min())
        result[own] = clipped / clipped.mean()
    return result


def _propensity(each: Judgement) -> float:
    """Of another deployment than the chosen one, as after a failure, nothing was random that we know of."""
    return each.propensity if each.propensity and each.chosen == each.deployment else 1.0


def _of(usable: Sequence[Judgement], name: str, values: Sequence[float]) -> Array:
    return np.array(
        [value if each.deployment == name else np.nan for each, value in zip(usable, values, strict=True)], float
    )


def _missing(found: Sequence[Judgement], usable: int) -> str:
    counts: dict[str, int] = {}
    for each in found:
        counts[each.deployment] = counts.get(each.deployment, 0) + 1
    there = ", ".join(f"{count:,} on {name}" for name, count in sorted(counts.items()))
    without = len(found) - usable
    return f"there are {there}" + (
        f", {without:,} of them simulated, of cascades, or without the numbers that describe a request"
        if without
        else ""
    )


def _sources(usable: Sequence[Judgement]) -> str:
    counts: dict[str, int] = {}
    for each in usable:
        counts[each.source] = counts.get(each.source, 0) + 1
    return f"Verdicts by source: {', '.join(f'{source} {count:,}' for source, count in sorted(counts.items()))}."


def _bias(usable: Sequence[Judgement]) -> str:
    random = sum(_propensity(each) < 1 for each in usable)
    if not random:
        return (
            "No choice among these was random: a deployment was judged only on requests it was chosen for, and what it "
            "is worth on others is drawn out from there."
        )
    return (
        f"{random:,} of {len(usable):,} choices were partly random; verdicts count by inverse propensity, at most "
        f"{MOST_WEIGHT:g} times the least of their deployment."
    )
