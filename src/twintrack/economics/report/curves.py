"""The lines of the break-even chart: a month's bill of each option by tokens a day, with what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from twintrack.economics import bill, draws
from twintrack.economics.bill import Option
from twintrack.economics.planning import Plan

_POINTS = 241
_DRAWS = 250
_UNCERTAIN = frozenset(
    {"requests_per_day", "growth_per_month", "api_price_change_per_year", "gpu_price_change_per_year", "horizon_months"}
)
"""Held fixed: the chart's own axis, and what only later months know."""


@dataclass(frozen=True, slots=True)
class Curve:
    key: str
    title: str
    kind: str
    usd: tuple[float, ...]
    """A month, at each of the volumes."""
    low_usd: tuple[float, ...]
    high_usd: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    tokens_per_day: tuple[float, ...]
    lines: tuple[Curve, ...]
    today: float


def curves(plan: Plan) -> Curves | None:
    """None: there is nothing to compare.

    The cheapest option of each kind, to twice the nearest break-even if that is not far from today's volume, and to
    three times today's in any case.
    """
    chosen = _chosen(plan)
    if len(chosen) < 2:
        return None
    today = plan.workload.tokens_per_day
    meets = [
        crossing.tokens_per_day
        for pair in plan.pairings
        if pair.selfhost in chosen and pair.alternative in chosen
        for crossing in pair.crossings
        if crossing.cheaper_above == "selfhost"
    ]
    near = [tokens for tokens in meets if tokens <= 12 * today]
    most = max(3 * today, 2 * min(near, default=0.0), 1.4 * max(near[:2], default=0.0))
    volumes = np.linspace(0.0, most, _POINTS)
    scale = volumes[1:] / today
    inputs = {
        name: msgspec.structs.replace(one, low=one.value, high=one.value) if name in _UNCERTAIN else one
        for name, one in plan.inputs.items()
    }
    drawn = draws.sample(inputs, _DRAWS)
    middle = {name: one.value for name, one in inputs.items()}
    made = []
    for option in chosen:
        usd = bill.monthly_usd(option, middle, volume=scale) * np.ones_like(scale)
        many = bill.monthly_usd(option, drawn, volume=scale[:, None]) * np.ones((len(scale), _DRAWS))
        low, high = np.quantile(many, (0.1, 0.9), axis=1)
        start = float(bill.monthly_usd(option, middle, volume=1e-9))
        made.append(
            Curve(
                option.key, option.title, option.kind,
                (start, *map(float, usd)), (min(start, float(low[0])), *map(float, low)),
                (max(start, float(high[0])) if option.engines else start, *map(float, high)),
            )
        )  # fmt: skip
    return Curves(tuple(map(float, volumes)), tuple(made), today)


def _chosen(plan: Plan) -> Sequence[Option]:
    found = (plan.best(kind) for kind in ("selfhost", "own_hardware", "managed_api", "closed_api", "hybrid"))
    return [each.candidate.option for each in found if each is not None][:4]
