"""When to do what: a prototype on an API, scale on what is cheapest by then, tasks split once they are known."""

from __future__ import annotations

import datetime
import math

import msgspec

from twintrack.economics.amounts import count, usd
from twintrack.economics.planning import Pairing, Plan, Priced


class Phase(msgspec.Struct, frozen=True):
    name: str
    starts: str
    """YYYY-MM-DD, or empty: never within the horizon."""
    what: str
    why: str


def day_in(on: datetime.date, months: float) -> datetime.date:
    return on + datetime.timedelta(days=round(months * 365 / 12))


def phases(plan: Plan) -> list[Phase]:
    """The steps that pay, each with the day it starts. Without one that pays, the plan ends with the first."""
    found = []
    closed, cheapest = plan.best("closed_api"), plan.best("closed_api", "managed_api")
    first = closed or cheapest
    if first is not None:
        found.append(
            Phase(
                "prototype", plan.on.isoformat(), first.candidate.option.title,
                "no hardware, no commitment: find out what good is" if closed else "the cheapest to begin with",
            )
        )  # fmt: skip
    if cheapest is not None and first is not None and cheapest is not first and cheapest.total_usd < first.total_usd:
        saved = first.monthly_usd - cheapest.monthly_usd
        found.append(
            Phase(
                "open, managed", day_in(plan.on, 1).isoformat(), cheapest.candidate.option.title,
                f"saves {usd(saved)} of {usd(first.monthly_usd)} a month, once an evaluation says it is good enough",
            )
        )  # fmt: skip
    own = plan.best("selfhost", "own_hardware")
    if first is None and own is not None:
        weeks = plan.workload["startup_weeks"]
        found.append(
            Phase(
                "own engines", day_in(plan.on, weeks * 12 / 52).isoformat(), own.candidate.option.title,
                f"nothing else may be used; ready after {weeks:.0f} weeks",
            )
        )  # fmt: skip
    else:
        found.append(_own_engines(plan, cheapest))
    hybrid = plan.best("hybrid")
    if hybrid is not None and closed is not None and hybrid.total_usd < closed.total_usd:
        found.append(
            Phase(
                "split tasks", day_in(plan.on, 3).isoformat(), hybrid.candidate.option.title,
                f"{usd(hybrid.monthly_usd)} a month against {usd(closed.monthly_usd)} on "
                f"{closed.candidate.option.model} alone, at its quality where it counts",
            )
        )  # fmt: skip
    return found


def pairing(plan: Plan, against: Priced | None) -> Pairing | None:
    """The cheapest engines against what is cheapest without."""
    if against is None:
        return None
    return next((p for p in plan.pairings if p.alternative is against.candidate.option), None)


def _own_engines(plan: Plan, against: Priced | None) -> Phase:
    found = pairing(plan, against)
    if found is None:
        return Phase("own engines", "", "none", "no model may run on engines of your own, or none was asked for")
    starts, why = switch_month(plan, found)
    if starts is None:
        return Phase("own engines", "", found.selfhost.title, why)
    prepared = max(starts - plan.workload["startup_weeks"] * 12 / 52, 0.0)
    return Phase("own engines", day_in(plan.on, prepared).isoformat(), found.selfhost.title, why)


def switch_month(plan: Plan, found: Pairing) -> tuple[float | None, str]:
    """Months from today until volume reaches the break-even, and why."""
    rising = [crossing for crossing in found.crossings if crossing.cheaper_above == "selfhost"]
    tokens = plan.workload.tokens_per_day
    if not rising:
        return None, f"engines cost more than {found.alternative.title} at any volume: each is full before it pays"
    least = rising[0].tokens_per_day
    if found.payback.month is not None:
        return 0.0, f"paid back after {found.payback.month} months, start-up included"
    growth = plan.workload["growth_per_month"]
    if tokens >= least:
        return None, (
            f"the volume is above the break-even of {count(least)} tokens a day, but what is paid once is not made "
            "up for within the horizon"
        )
    if growth <= 0:
        return (
            None,
            f"the break-even is {count(least)} tokens a day, the volume {count(tokens)} and not growing",
        )
    months = math.log(least / tokens) / math.log1p(growth)
    if months > plan.workload["horizon_months"]:
        return None, f"the volume reaches the break-even of {count(least)} tokens a day in {months:,.0f} months"
    return months, f"the volume reaches the break-even of {count(least)} tokens a day in {months:,.1f} months"
