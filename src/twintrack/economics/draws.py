"""How sure a plan is: 10,000 draws of what nobody knows exactly, and which of it decides.

Seeded, so that the same workload gives the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from twintrack.economics import bill
from twintrack.economics.bill import Draw, Option
from twintrack.economics.breakeven import moving
from twintrack.economics.calibration import Z_80
from twintrack.economics.inputs import Input, specs
from twintrack.economics.roofline import Array, Number

DRAWS = 10_000
SURE = 0.7
"""Probability of being the cheapest from which an option is recommended."""
_SEED = 20260801
_BINS = 20
_TIE = 1e-9
"""Of options that cost the same, as two models on the same engines, the better one counts as the cheapest."""


class Sureness(msgspec.Struct, frozen=True):
    """Of one option."""

    key: str
    p_cheapest: float
    monthly_low_usd: float
    """Ends of the 80 % interval of the first month."""
    monthly_high_usd: float
    total_low_usd: float
    """Likewise over the horizon, with what is paid once."""
    total_high_usd: float


class Weight(msgspec.Struct, frozen=True):
    """What an input does to the difference between the two best options."""

    name: str
    origin: str
    share: float
    """Of the variance of that difference, what this input alone explains, 0 to 1."""
    low_usd: float
    """The difference over the horizon, first less second, with this input at its low end."""
    high_usd: float


def sample(inputs: Mapping[str, Input], draws: int = DRAWS) -> dict[str, Array]:
    """Draws of each input, shape (draws,): two halves of normal distributions that meet at its value, with a tenth of
    the draws below `low` and a tenth above `high`."""
    source = np.random.default_rng(_SEED)
    drawn = {}
    for name in sorted(inputs):
        one = inputs[name]
        z = source.standard_normal(draws)
        side = np.where(z < 0, one.value - one.low, one.high - one.value) / Z_80
        values = one.value + z * side
        spec = specs().get(name.partition(":")[0])
        if spec is not None:
            values = np.clip(values, spec.least, spec.most)
        else:  # what multiplies a capacity
            values = one.value * np.where(z < 0, one.value / one.low, one.high / one.value) ** (z / Z_80)
        drawn[name] = values
    return drawn


def total_usd(option: Option, x: Draw, months: int) -> Number:
    """Over the horizon, with what is paid once; quarter by quarter, which is as near as the inputs are known."""
    total: Number = bill.once_usd(option, x)
    at = 0.0
    while at < months:
        width = min(3.0, months - at)
        moved = moving(x, at + width / 2)
        total = total + width * bill.monthly_usd(option, x, volume=moved.volume, api=moved.api, rent=moved.rent)
        at += width
    return total


def judge(options: Sequence[Option], x: Mapping[str, Array], months: int) -> tuple[list[Sureness], Array]:
    """How sure each option is the cheapest, and the totals, shape (options, draws)."""
    draws = len(next(iter(x.values())))
    totals = np.stack([total_usd(option, x, months) * np.ones(draws) for option in options])
    first = [bill.monthly_usd(option, x) * np.ones(draws) for option in options]
    better = np.array([[1 - _TIE * (option.quality or 0.0)] for option in options])
    cheapest = np.bincount(np.argmin(totals * better, axis=0), minlength=len(options)) / draws
    return [
        Sureness(
            option.key,
            float(p),
            *map(float, np.quantile(month, (0.1, 0.9))),
            *map(float, np.quantile(total, (0.1, 0.9))),
        )
        for option, p, month, total in zip(options, cheapest, first, totals, strict=True)
    ], totals


def weigh(
    first: Option, second: Option, inputs: Mapping[str, Input], x: Mapping[str, Array], months: int
) -> list[Weight]:
    """What decides between two options, the weightiest input first.

    `share` is the first-order index of a variance decomposition, estimated by bins of the draws: how much of the
    variance of the difference goes away once the input is known.
    """
    gap = np.asarray(total_usd(first, x, months) - total_usd(second, x, months))
    variance = float(gap.var())
    middle = {name: one.value for name, one in inputs.items()}
    found = []
    for name, one in inputs.items():
        if one.low == one.high or not np.ptp(x[name]):
            continue
        order = np.argsort(x[name], kind="stable")
        means = np.array([part.mean() for part in np.array_split(gap[order], _BINS)])
        noise = variance / (len(gap) / _BINS)  # what bins of an input without any say would differ by
        share = max(float(means.var()) - noise, 0.0) / variance if variance > 0 else 0.0
        ends = [
            float(total_usd(first, {**middle, name: at}, months) - total_usd(second, {**middle, name: at}, months))
            for at in (one.low, one.high)
        ]
        if abs(ends[0] - ends[1]) > 1e-9 * (abs(ends[0]) + abs(ends[1])):
            found.append(Weight(name, one.origin, min(share, 1.0), ends[0], ends[1]))
    return sorted(found, key=lambda weight: -weight.share)
