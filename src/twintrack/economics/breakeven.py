"""From which volume, and from which month, one option costs less than another.

Engines come in steps, so the two bills may cross more than once: each number of engines is a straight line of its own,
and where an engine is added the bill jumps. Every crossing is found, on a line and at a jump.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec

from twintrack.economics import bill
from twintrack.economics.bill import Draw, Option
from twintrack.economics.roofline import Number

_MOST_ENGINES = 20_000


class Crossing(msgspec.Struct, frozen=True):
    tokens_per_day: float
    """Input and output."""
    cheaper_above: Literal["selfhost", "alternative"]
    engines: int
    """On that side."""
    at_step: bool
    """One more engine has to be added here."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A bill with engines against one without, both by tokens a day."""

    engine_usd: float
    """A month of one engine."""
    fixed_usd: float
    engine_tokens: float
    """A day's tokens that one engine takes."""
    least_engines: int
    alternative_usd_per_token: float
    """A month, for one token a day."""
    alternative_fixed_usd: float = 0.0

    def engines(self, tokens_per_day: float) -> int:
        return max(math.ceil(tokens_per_day / self.engine_tokens - 1e-9), self.least_engines)

    def selfhost_usd(self, tokens_per_day: float) -> float:
        return self.fixed_usd + self.engines(tokens_per_day) * self.engine_usd

    def alternative_usd(self, tokens_per_day: float) -> float:
        return self.alternative_fixed_usd + self.alternative_usd_per_token * tokens_per_day


def crossings(steps: Steps, most_tokens: float) -> tuple[Crossing, ...]:
    """All volumes up to `most_tokens` a day at which the cheaper one changes, by rising volume.

    Equal counts as self-hosting being cheaper: it is the first volume at which it costs no more.
    """
    found: list[Crossing] = []
    slope = steps.alternative_usd_per_token
    below = steps.selfhost_usd(0.0) <= steps.alternative_usd(0.0)
    engines, start = steps.least_engines, 0.0
    last = min(steps.engines(most_tokens), steps.least_engines + _MOST_ENGINES)
    while engines <= last:
        end = min(engines * steps.engine_tokens, most_tokens)
        level = steps.fixed_usd + engines * steps.engine_usd
        cheaper_at_start = level <= steps.alternative_usd(start)
        if start > 0 and cheaper_at_start != below:
            found.append(Crossing(start, "selfhost" if cheaper_at_start else "alternative", engines, True))
            below = cheaper_at_start
        if slope > 0 and not below:
            meets = (level - steps.alternative_fixed_usd) / slope
            if start < meets <= end or (start == 0.0 and meets == 0.0):
                found.append(Crossing(meets, "selfhost", engines, False))
                below = True
        start, engines = end, engines + 1
    return tuple(found)


def steps(selfhost: Option, alternative: Option, x: Draw) -> Steps:
    """The two bills of a workload as functions of its volume, its mix unchanged."""
    terms = selfhost.engines
    assert terms is not None
    tokens = float(x["requests_per_day"]) * (float(x["input_tokens"]) + float(x["output_tokens"]))
    engine = float(bill.engine_usd_per_month(terms, x)) * (1 + float(x["flexibility_share"]))
    return Steps(
        engine_usd=engine,
        fixed_usd=float(bill.fixed_usd_per_month(x)),
        engine_tokens=float(bill.engine_tokens_per_day(terms, x)),
        least_engines=1 + math.ceil(float(x["redundancy"]) - 1e-9),
        alternative_usd_per_token=float(bill.monthly_usd(alternative, x)) / tokens,
    )


class Payback(msgspec.Struct, frozen=True):
    """When all that was spent on switching is made up for."""

    month: int | None
    """Months from today; None: never within the horizon."""
    selfhost_usd: tuple[float, ...]
    """Spent in all by the end of each month, from month 0 on."""
    alternative_usd: tuple[float, ...]


def payback(selfhost: Option, alternative: Option, x: Draw) -> Payback:
    """Both paths month by month, volume growing and prices moving. Until engines are in production, the alternative is
    paid on either path; they are rented from then on."""
    horizon = int(float(x["horizon_months"]))
    started = float(x["startup_weeks"]) * 12 / 52
    ours, theirs = [float(bill.once_usd(selfhost, x))], [0.0]
    for month in range(horizon):
        moved = moving(x, month + 0.5)
        stays = bill.monthly_usd(alternative, x, volume=moved.volume, api=moved.api, rent=moved.rent)
        own = bill.monthly_usd(selfhost, x, volume=moved.volume, api=moved.api, rent=moved.rent)
        before = min(max(started - month, 0.0), 1.0)
        ours.append(ours[-1] + before * float(stays) + (1 - before) * float(own))
        theirs.append(theirs[-1] + float(stays))
    paid = next((m for m in range(1, horizon + 1) if m > started and ours[m] <= theirs[m]), None)
    return Payback(paid, tuple(ours), tuple(theirs))


@dataclass(frozen=True, slots=True)
class Moved:
    """What multiplies requests, API prices and rent some months from today."""

    volume: Number
    api: Number
    rent: Number


def moving(x: Draw, months: float) -> Moved:
    return Moved(
        (1 + x["growth_per_month"]) ** months,
        (1 + x["api_price_change_per_year"]) ** (months / 12),
        (1 + x["gpu_price_change_per_year"]) ** (months / 12),
    )
