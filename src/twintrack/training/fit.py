"""From verdicts to a router: shared curves, one or two more for each deployment, calibrated without seeing the answer.

Where two deployments both have verdicts on the same requests, their sum is learned and what the sum does not explain
(`turned.py`); else each deployment's own deviation from the shared level.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import erf

import numpy as np

from twintrack.errors import TwintrackError
from twintrack.signals import features as feature_names
from twintrack.signals.difficulty import STEPS
from twintrack.signals.evidence import evidence
from twintrack.signals.features import features
from twintrack.signals.grams import grams
from twintrack.signals.tokens import prompt_tokens
from twintrack.signals.weights import FORMAT, Card, Component, Deployment, Prior, Router, packed
from twintrack.training.asked import as_prompt
from twintrack.training.calibrate import Knots, apply, calibrate, steepness
from twintrack.training.design import Array, Examples
from twintrack.training.head import Ground, Head, fit_heads, ground, predicted
from twintrack.training.turned import turned
from twintrack.wire.prompt import Prompt

LEAST_VERDICTS = 20
"""Of each deployment that is to have curves of its own."""
MOST_REQUESTS = 4_000
"""More are sampled: the fit takes the cube of their number."""
_SUM_LINE, _CONTRAST_LINE = 0.02, 0.005
"""Prior variances of their slopes. Sets differ less than that in their mean slopes, pairs of models about as much; the
contrast is what a few verdicts mislead about most (`tools/check_transfer.py`)."""
_PAIRED = 0.8
"""Share of requests with verdicts for both of two from which on no others are learned from, as sum and contrast."""


@dataclass(frozen=True)
class Fitted:
    names: tuple[str, ...]
    """Deployments, the weakest first."""
    on: Ground
    heads: tuple[Head, ...]
    mix: Array
    """Shape (deployments, heads)."""
    knots: tuple[Knots, ...]
    centre: float
    spread: float
    left_out: Array
    """Shape (n, deployments): calibrated probability for each example that was fitted on, predicted without it."""
    verdicts: tuple[int, ...]

    def sums(self, examples: Examples) -> Array:
        """Shape (n, deployments), before calibration."""
        standard = standardised(examples, self.centre, self.spread)
        values = np.column_stack([predicted(head, self.on, examples, standard) for head in self.heads])
        total: Array = values @ self.mix.T
        return total

    def p_good(self, examples: Examples) -> Array:
        sums = self.sums(examples)
        return np.column_stack([apply(knots, sums[:, place]) for place, knots in enumerate(self.knots)])


def as_examples(prompts: Sequence[str | Prompt]) -> Examples:
    rows, found = [], []
    for each in prompts:
        prompt = as_prompt(each)
        seen = evidence(prompt)
        rows.append(features(prompt, prompt_tokens(prompt), seen))
        found.append(grams(seen.terms))
    return Examples(np.array(rows, float).reshape(len(rows), len(STEPS)), found)


def difficulties(examples: Examples) -> Array:
    values: Array = examples.features @ np.array(STEPS)
    return values


def standardised(examples: Examples, centre: float, spread: float) -> Array:
    return np.clip((difficulties(examples) - centre) / spread, -3, 3)


def fit(
    examples: Examples, scores: dict[str, Array], prior: Prior, seed: int = 0, *, order: Sequence[str] = ()
) -> Fitted:
    """Args:
        scores: by deployment, shape (n,), 0 to 1; NaN where there is no verdict.
        order: of all deployments, the weakest first, where more is known of it than these verdicts say. Among twenty
            the weaker one has the higher mean often enough, and the prior on the contrast would point backwards.
    Raises:
        TwintrackError: no deployment has `LEAST_VERDICTS`.
    """
    rng = np.random.default_rng(seed)
    counted = {name: values for name, values in scores.items() if np.isfinite(values).sum() >= LEAST_VERDICTS}
    if not counted:
        most = max((int(np.isfinite(values).sum()) for values in scores.values()), default=0)
        raise TwintrackError(
            f"A router needs {LEAST_VERDICTS} verdicts on one deployment at least", why=f"the most any has is {most}"
        )
    judged = np.any([np.isfinite(values) for values in counted.values()], axis=0)
    if not judged.all():
        examples = examples.take(np.flatnonzero(judged))
        counted = {name: values[judged] for name, values in counted.items()}
    ranked = order or sorted(counted, key=lambda name: float(np.nanmean(counted[name])))
    names = tuple(name for name in ranked if name in counted)
    table = np.column_stack([counted[name] for name in names])
    if len(examples) > MOST_REQUESTS:
        rows = np.sort(rng.choice(len(examples), MOST_REQUESTS, replace=False))
        examples, table = examples.take(rows), table[rows]
    raw = difficulties(examples)
    centre, spread = float(raw.mean()), float(raw.std()) + 0.1
    on = ground(examples, standardised(examples, centre, spread))
    paired = len(names) == 2 and bool(np.isfinite(table).all(1).mean() >= _PAIRED)
    sure = 1.0 if order or not paired else _sure(table)
    heads, mix, left_out = _heads(on, table, paired, prior, sure, rng)
    sums = left_out @ mix.T
    knots = []
    steep = steepness(sums, table, examples.weight()) if paired else None
    for place in range(len(names)):
        known = np.isfinite(table[:, place])
        heavy = examples.weight()[known]
        knots.append(calibrate(sums[known, place], table[known, place], rng, heavy, steep=steep)[0])
    calibrated = np.column_stack([apply(each, sums[:, place]) for place, each in enumerate(knots)])
    verdicts = tuple(int(np.isfinite(table[:, place]).sum()) for place in range(len(names)))
    return Fitted(names, on, heads, mix, tuple(knots), centre, spread, calibrated, verdicts)


def _sure(table: Array) -> float:
    """That the second is the better one, less that the first is: from 1 down to 0, where that is open."""
    gain = table[:, 1] - table[:, 0]
    gain = gain[np.isfinite(gain)]
    return erf(float(gain.mean()) / max(1e-9, float(gain.std()) * (2 / len(gain)) ** 0.5))


def _heads(
    on: Ground, table: Array, paired: bool, prior: Prior, sure: float, rng: np.random.Generator
) -> tuple[tuple[Head, ...], Array, Array]:
    """Heads, how they mix, and what each predicts for every example without it."""
    count = table.shape[1]
    known = np.isfinite(table)
    means = np.array([np.average(table[at, place], weights=on.weights[at]) for place, at in enumerate(known.T)])
    level = np.where(known, table - means, 0.0).sum(1) / np.maximum(1, known.sum(1))
    slope = prior.mean("level_slope")
    if count == 1:
        heads, mix = fit_heads(on, table, [slope], rng), np.ones((1, 1))
    elif paired:
        full = known.all(1)
        both = np.full(table.shape, np.nan)
        both[full], mix = turned(table[full], on.weights[full])
        heads = [
            *fit_heads(on, both[:, :1], [prior.mean("sum_slope")], rng, _SUM_LINE),
            *fit_heads(on, both[:, 1:], [sure * prior.mean("contrast_slope")], rng, _CONTRAST_LINE),
        ]
    else:
        shared = fit_heads(on, level[:, None], [slope], rng)
        if known.all(1).mean() < 0.5:
            level = shared[0].left_out
        own = fit_heads(on, table - means - level[:, None], [0.0] * count, rng)
        heads, mix = [*shared, *own], np.column_stack([np.ones(count), np.eye(count)])
    left_out = np.column_stack([np.where(np.isfinite(each.left_out), each.left_out, each.mean) for each in heads])
    # The sums are deviations from each deployment's mean; that stands in its calibration.
    return tuple(heads), mix, left_out


def router(fitted: Fitted, card: Card) -> Router:
    """The weights file's content."""
    hashes = list(fitted.on.known.index)
    has_grams = fitted.on.found is not None
    components = []
    for head in fitted.heads:
        weights = head.grams
        most = 0.0
        if has_grams and fitted.on.found is not None:
            found = fitted.on.found
            worth = np.bincount(found.row, found.value / fitted.on.known.weight[found.column] * weights[found.column])
            most = float(np.abs(worth).max()) if len(worth) else 0.0
        components.append(
            Component(
                round(head.mean, 6),
                round(head.slope, 6),
                tuple(tuple(round(float(each), 5) for each in row) for row in head.tables),
                packed(array("f", weights.tolist())) if has_grams else "",
                round(most, 6),
            )
        )
    deployments = []
    for place, name in enumerate(fitted.names):
        own = fitted.mix[place] ** 2
        variance = float(sum(share * head.variance for share, head in zip(own, fitted.heads, strict=True)))
        count = fitted.verdicts[place]
        deployments.append(
            Deployment(
                name,
                count,
                tuple(float(each) for each in fitted.mix[place]),
                tuple((round(x, 6), round(y, 5)) for x, y in fitted.knots[place]),
                round(0.5 / float(np.sqrt(count)) + 0.5 * float(np.sqrt(variance)), 5),
                round(0.5 / float(np.sqrt(count)) + float(np.sqrt(variance)), 5),
            )
        )
    return Router(
        FORMAT,
        feature_names.VERSION,
        card,
        fitted.centre,
        fitted.spread,
        tuple(float(each) for each in fitted.on.scale.centre),
        tuple(float(each) for each in fitted.on.scale.spread),
        packed(array("I", hashes)) if has_grams else "",
        tuple(components),
        tuple(deployments),
    )
