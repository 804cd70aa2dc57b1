"""Another policy on logged requests: what it would have chosen, how good that was, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np

from twintrack.ledger.decisions import Decided
from twintrack.training.again import Again, Choice, Model
from twintrack.training.replay import Estimate, Logged, estimates

LEAST = 30
"""Requests below which no interval means anything."""
_FEW = 10
"""Answers of a deployment from which their proportion is its own."""
LEFT_OUT: Final = {
    "simulated": "answered by simulated providers",
    "fitted": "a router was fitted to verdicts of that time",
    "route": "their route is not in the new policy",
    "key": "their key is not in the new policy",
    "features": "without the numbers that the router reads",
    "refused": "the new policy has nobody for them",
    "cascade": "where a check decides whose answer is seen",
    "gone": "the new policy does not have the deployment that answered",
}


class Figures(msgspec.Struct, frozen=True):
    """Of one outcome: quality, a mean score from 0 to 1, or dollars a request."""

    requests: int
    logged: Estimate
    ips: Estimate | None
    snips: Estimate | None
    dr: Estimate
    model: Estimate
    effective_requests: float
    changed: float
    impossible: float
    rests_on_model: bool


class Replayed(msgspec.Struct, frozen=True):
    requests: int
    """That could be decided again."""
    left_out: dict[str, int]
    """By why, see `LEFT_OUT`."""
    changed: float
    """Share of requests for which another deployment is chosen."""
    impossible: float
    """Share of requests whose new choice the log's policy could not have made, so that the log cannot tell of it."""
    random: float
    """Share of requests that were decided with some chance."""
    asked_then: float | None
    """Share of the best one's predicted quality that was good enough when they were decided, controller and budget
    included; mean. None: it is not on record."""
    choices: dict[str, tuple[int, int]]
    """By deployment: how many it answered, and would have."""
    quality: Figures | None
    """Of the requests with a verdict; None: too few have one."""
    usd: Figures | None
    """None: too few costs are known."""


@dataclass(frozen=True)
class _Row:
    logged: Decided
    choice: Choice
    same: bool
    possible: bool
    """The log's policy could have chosen as the new one does."""


def replay(rows: Sequence[Decided], again: Again, model: Model, *, fitted_until_us: int = 0) -> Replayed:
    """Args:
    model: what is in use foresees; its verdicts must not be these.
    fitted_until_us: requests up to then were used to fit a router that decides or foresees, UTC microseconds.
    """
    left_out: Counter[str] = Counter()
    kept: list[_Row] = []
    deployments = again.deployments
    drawn = _drawn(rows)
    for each in rows:
        if each.simulated:
            left_out["simulated"] += 1
        elif each.drafted:
            left_out["cascade"] += 1
        elif each.at_us <= fitted_until_us:
            left_out["fitted"] += 1
        elif each.answered not in deployments:
            left_out["gone"] += 1
        elif isinstance(found := again.choose(each), str):
            left_out[found] += 1
        else:
            kept.append(_row(each, found, drawn))
    choices = Counter(row.choice.deployment.name for row in kept)
    were = Counter(row.logged.answered for row in kept)
    count = len(kept) or 1
    return Replayed(
        len(kept),
        dict(left_out),
        sum(not row.same for row in kept) / count,
        sum(not row.possible for row in kept) / count,
        sum(propensity(row.logged) < 1 for row in kept) / count,
        _asked_then(kept),
        {name: (were[name], choices[name]) for name in deployments if were[name] or choices[name]},
        _quality(kept, again, model),
        _usd(kept, again, model),
    )


def _asked_then(kept: Sequence[_Row]) -> float | None:
    shares = [
        row.logged.p_enough / row.logged.p_best for row in kept if row.logged.p_enough is not None and row.logged.p_best
    ]
    return sum(shares) / len(shares) if shares else None


def propensity(each: Decided) -> float:
    """Of who answered; where that is not who was chosen nothing was random that we know of."""
    return each.propensity if each.propensity and each.chosen == each.answered else 1.0


def _drawn(rows: Sequence[Decided]) -> dict[tuple[str, str], set[str]]:
    """By route and policy, whom a choice with some chance ever fell on."""
    found: dict[tuple[str, str], set[str]] = {}
    for each in rows:
        if propensity(each) < 1:
            found.setdefault((each.route, each.policy_version), set()).add(each.answered)
    return found


def _row(each: Decided, choice: Choice, drawn: dict[tuple[str, str], set[str]]) -> _Row:
    name = choice.deployment.name
    same = name == each.answered
    possible = same or (
        propensity(each) < 1
        and name in drawn.get((each.route, each.policy_version), ())
        and name not in _ruled_out(each.ruled_out)
    )
    return _Row(each, choice, same, possible)


def _ruled_out(text: str | None) -> set[str]:
    return set() if text is None else {deployment for deployment, *_ in _RULED_OUT.decode(text)}


_RULED_OUT: Final = msgspec.json.Decoder(list[tuple[str, str, int, int]])


def _quality(kept: Sequence[_Row], again: Again, model: Model) -> Figures | None:
    values = []
    for row in kept:
        score, signals = row.logged.score, row.choice.signals
        if score is not None:
            was = model.quality(again.deployments[row.logged.answered], signals)
            values.append((row, score, was, model.quality(row.choice.deployment, signals)))
    return _figures(values, share=True)


def _usd(kept: Sequence[_Row], again: Again, model: Model) -> Figures | None:
    """A model may write twice what another does, so what an answer costs is foreseen from the estimate, in the
    proportion that this deployment's other answers cost to theirs. A forecast from the answer itself would be right
    about every logged one, and nothing would correct what it says of the others."""
    rows, costs = [], []
    for row in kept:
        each, signals = row.logged, row.choice.signals
        was = model.nusd(again.deployments[each.answered], signals)
        now = model.nusd(row.choice.deployment, signals)
        if was is not None and now is not None and each.cost_nusd is not None:
            rows.append((row, was, now))
            costs.append(_Cost(each.answered, each.cost_nusd, was, propensity(each)))
    parts = [_proportions(costs[1 - part :: 2]) for part in (0, 1)]  # each half by what the other one cost
    values = []
    for number, ((row, was, now), cost) in enumerate(zip(rows, costs, strict=True)):
        by = parts[number % 2]
        new = row.choice.deployment.name
        values.append((row, cost.nusd / 1e9, was * by(cost.of) / 1e9, now * by(new) / 1e9))
    return _figures(values, share=False)


class _Cost(NamedTuple):
    of: str
    nusd: int
    estimated: float
    propensity: float


def _proportions(costs: Sequence[_Cost]) -> Callable[[str], float]:
    """What answers of a deployment cost, to what was estimated; of one that gave fewer than `_FEW`, of all."""
    known: dict[str, list[_Cost]] = {}
    for each in costs:
        if each.estimated:
            known.setdefault(each.of, []).append(each)

    def proportion(of: Sequence[_Cost]) -> float:
        estimated = sum(each.estimated / each.propensity for each in of)
        return sum(each.nusd / each.propensity for each in of) / estimated if estimated else 1.0

    every = proportion([each for some in known.values() for each in some])
    found = {name: proportion(some) for name, some in known.items() if len(some) >= _FEW}
    return lambda name: found.get(name, every)


def _figures(values: Sequence[tuple[_Row, float, float, float]], *, share: bool) -> Figures | None:
    if len(values) < LEAST:
        return None
    found = estimates(
        Logged(
            outcome=np.array([outcome for _, outcome, _, _ in values]),
            propensity=np.array([propensity(row.logged) for row, *_ in values]),
            same=np.array([row.same for row, *_ in values]),
            possible=np.array([row.possible for row, *_ in values]),
            model_logged=np.array([was for _, _, was, _ in values]),
            model_new=np.array([now for *_, now in values]),
        ),
        share=share,
    )
    return Figures(
        len(values),
        found.logged,
        found.ips,
        found.snips,
        found.dr,
        found.model,
        found.effective,
        found.changed,
        found.impossible,
        found.rests_on_model,
    )
