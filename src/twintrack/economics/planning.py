"""From a workload to a plan: what is allowed, what it costs, what is cheapest and how sure that is."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from twintrack.catalog import prices
from twintrack.catalog.prices import Prices
from twintrack.economics import bill, breakeven, calibration, draws, energy, possible, tuning
from twintrack.economics.bill import Option
from twintrack.economics.breakeven import Crossing, Payback
from twintrack.economics.calibration import Calibration
from twintrack.economics.draws import Sureness, Weight
from twintrack.economics.eligibility import RuledOut
from twintrack.economics.energy import Footprint
from twintrack.economics.inputs import Input
from twintrack.economics.possible import Candidate
from twintrack.economics.tuning import Tuned
from twintrack.economics.workload import DAYS_PER_MONTH, Workload


@dataclass(frozen=True, slots=True)
class Priced:
    candidate: Candidate
    lines: dict[str, float]
    monthly_usd: float
    once_usd: float
    total_usd: float
    engines: int
    usd_per_mtok: float
    """Reserved: what it costs by the tokens served."""
    footprint: Footprint


@dataclass(frozen=True, slots=True)
class Pairing:
    """Self-hosting against something sold by the token."""

    selfhost: Option
    alternative: Option
    one_engine_tokens_per_day: float | None
    """Volume at which the alternative costs as much as one engine and its staff, whether or not it can serve that."""
    engine_takes_tokens_per_day: float
    crossings: tuple[Crossing, ...]
    payback: Payback


@dataclass(frozen=True, slots=True)
class Plan:
    workload: Workload
    on: datetime.date
    options: tuple[Priced, ...]
    """By what they cost over the horizon, the cheapest first, and of equally cheap ones the best."""
    ruled_out: tuple[RuledOut, ...]
    sureness: tuple[Sureness, ...]
    """In the order of `options`; empty: no draws."""
    weights: tuple[Weight, ...]
    """What decides between the two best."""
    pairings: tuple[Pairing, ...]
    inputs: dict[str, Input]
    """The workload's, with rents and capacities."""
    made: Calibration
    tuned: tuple[Tuned, ...] = ()
    """Empty: the workload does not ask."""

    def best(self, *kinds: str) -> Priced | None:
        return next((priced for priced in self.options if priced.candidate.option.kind in kinds), None)


def plan(
    workload: Workload,
    *,
    on: datetime.date,
    sure: bool = True,
    made: Calibration | None = None,
    listed: Prices | None = None,
) -> Plan:
    """Everything a plan says, in numbers.

    Args:
        on: the day whose prices hold.
        listed: prices of that day; None: those that ship.
        sure: draw 10,000 times what is not known exactly; else only the middle of everything.
    """
    made = calibration.shipped() if made is None else made
    listed = prices.load(None, on=on) if listed is None else listed
    ruled_out: list[RuledOut] = []
    inputs = dict(workload.inputs)
    candidates = possible.apis(workload, listed, on, ruled_out, made)
    candidates += possible.engines(workload, inputs, ruled_out, made, on)
    candidates += possible.hybrids(workload, candidates)
    middle = {name: one.value for name, one in inputs.items()}
    months = int(workload["horizon_months"])
    priced = [_priced(each, workload, middle, months, made) for each in candidates]
    priced.sort(key=lambda each: (round(each.total_usd, 2), -(each.candidate.option.quality or 0.0)))
    options = [each.candidate.option for each in priced]
    sureness: list[Sureness] = []
    weights: list[Weight] = []
    if sure and options:
        drawn = draws.sample(_that_matter(inputs, options))
        sureness, _ = draws.judge(options, drawn, months)
        if len(options) > 1:
            weights = draws.weigh(options[0], options[1], _that_matter(inputs, options[:2]), drawn, months)
    return Plan(
        workload=workload,
        on=on,
        options=tuple(priced),
        ruled_out=tuple(dict.fromkeys(ruled_out)),
        sureness=tuple(sureness),
        weights=tuple(weights),
        pairings=tuple(_pairings(priced, middle)),
        inputs=inputs,
        made=made,
        tuned=tuning.ways(
            workload,
            {
                each.candidate.option.model: each.monthly_usd
                for each in priced
                if each.candidate.option.kind == "closed_api"
            },
            {
                each.candidate.option.model: (each.monthly_usd, each.candidate.engine.setup.gpu.name)
                for each in priced
                if each.candidate.option.kind == "selfhost" and each.candidate.engine is not None
            },
        ),
    )


def _priced(candidate: Candidate, workload: Workload, x: dict[str, float], months: int, made: Calibration) -> Priced:
    option = candidate.option
    lines = {name: float(usd) for name, usd in bill.lines(option, x).items()}
    monthly = sum(lines.values())
    part = option.cheap if option.cheap is not None and option.cheap.engines is not None else option
    count = 0
    if part.engines is not None:
        volume = x["easy_share"] if option.cheap is not None else 1.0
        count = int(np.asarray(bill.engines_needed(part.engines, x, volume=volume)))
    tokens = workload.tokens_per_day * DAYS_PER_MONTH
    return Priced(
        candidate=candidate,
        lines={name: usd for name, usd in lines.items() if usd},
        monthly_usd=monthly,
        once_usd=float(bill.once_usd(option, x)),
        total_usd=float(draws.total_usd(option, x, months)),
        engines=count,
        usd_per_mtok=monthly / tokens * 1e6,
        footprint=energy.footprint(option, workload, count, candidate.engine, made),
    )


def _pairings(priced: Sequence[Priced], x: dict[str, float]) -> Iterable[Pairing]:
    """The cheapest engines against the cheapest of what is sold by the token, and against each closed model."""
    own = [each.candidate.option for each in priced if each.candidate.option.kind in ("selfhost", "own_hardware")]
    sold = [each.candidate.option for each in priced if each.candidate.option.tokens is not None]
    for selfhost in own:
        for alternative in sold:
            steps = breakeven.steps(selfhost, alternative, x)
            most = max(1000 * x["requests_per_day"] * (x["input_tokens"] + x["output_tokens"]), 1e10)
            per_token = steps.alternative_usd_per_token
            yield Pairing(
                selfhost=selfhost,
                alternative=alternative,
                one_engine_tokens_per_day=(steps.fixed_usd + steps.engine_usd) / per_token if per_token > 0 else None,
                engine_takes_tokens_per_day=steps.engine_tokens,
                crossings=breakeven.crossings(steps, most),
                payback=breakeven.payback(selfhost, alternative, x),
            )


def _that_matter(inputs: dict[str, Input], options: Sequence[Option]) -> dict[str, Input]:
    """Inputs that some option's bill reads: rents and speeds of other engines are left out."""
    used = set()
    for option in options:
        for part in (option, option.cheap, option.premium):
            if part is not None and part.engines is not None:
                used |= {part.engines.rent, part.engines.speed}
    return {name: one for name, one in inputs.items() if ":" not in name or name in used}
