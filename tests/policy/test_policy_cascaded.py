"""A route with controller and cascade: the promise holds whatever the check lets through, and nothing swings."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from twintrack.config.snapshot import Cascade
from twintrack.gateway.believed import Believed
from twintrack.gateway.steering import Steering, Told
from twintrack.policy.choose import decide
from twintrack.policy.compiled import Policy
from twintrack.policy.controller import CHECKED
from twintrack.policy.drafting import with_drafts
from twintrack.signals.predictor import Reading

READ = Reading((0.0,), 1.0)
KEEP = 0.95
REQUESTS = 5_000
RULES = Cascade(("schema",), (), None, (), -0.25, None, (), (), 0, -1, 0.2, 30_000)


class Said:
    """A judge whose predictions come with the request."""

    def p_good(self, deployment: Any, signals: Any) -> float:
        return signals.features[deployment.index]

    def measured(self, deployment: Any, signals: Any) -> bool:
        return True


class Run(NamedTuple):
    kept: float
    """Quality as a share of the best one's, over the second half, as the next."""
    nusd: float
    drafted: float
    """Share of requests, as the next."""
    dear: float
    allowance: list[float]


def run(make: SimpleNamespace, rules: Any, let_through: float, *, pressure: float = 0.0, seed: int = 3) -> Run:
    """`let_through`: how good drafts are that the check believes, which are six of ten."""
    home = make.house(
        [make.deployment(0, price=make.price(0.1))], [make.deployment(1, price=make.price(3.0))],
        keep_quality=KEEP, cascade=rules,
    )  # fmt: skip
    policy, steering = Policy(home.policy.snapshot, Said()), Steering(home.route, ("m0", "m1"), (True, True))
    assert steering.controller is not None
    believed, rng = Believed(), random.Random(seed)
    sums: dict[str, tuple[float, float, float]] = {}
    kept, best, nusd, drafts, dear, allowances = 0.0, 0.0, 0.0, 0, 0, []
    for at in range(REQUESTS):
        hard, steering.pressure = rng.random(), pressure
        p = (0.92 - 0.5 * hard, 0.92 - 0.05 * hard)
        asked = make.signals(features=p, reading=READ, output_tokens_est=200)
        decision = decide(
            policy, home.route, asked, home.load, key=-1, affinity=b"%d" % at,
            steer=steering.controller, pressure=pressure,
        )  # fmt: skip
        steering.chose(decision)
        if rules is not None:
            decision = with_drafts(
                policy, home.route, asked, home.load, decision, believed, key=-1, doubted=steering.doubts(decision)
            )
        answered, true, paid = decision.order[0].deployment.name, p[decision.deployment], decision.predicted_nusd or 0
        foretold = decision.p_good or 0.0
        if decision.drafting is not None:
            passes = rng.random() < 0.6
            believed.note("auto", passes)
            if passes:
                steering.drafted(decision, None)
                answered, true, foretold = CHECKED, let_through, p[1]
            else:
                answered, true, paid = "", p[1], paid + (decision.drafting.predicted_nusd or 0)
        if rng.random() < 0.1 and (answered or decision.drafting is None or passes):
            surplus = (rng.random() < true) - foretold
            number, total, squares = sums.get(answered, (0.0, 0.0, 0.0))
            sums[answered] = (number + 1, total + surplus, squares + surplus * surplus)
        if at % 100 == 0:
            steering.hear(Told(router="r", verdicts={"auto": dict(sums)}), "r")
        if at >= REQUESTS / 2:
            kept, best, nusd = kept + true, best + p[1], nusd + paid
            drafts += decision.drafting is not None
            dear += paid > 1_000_000
            allowances.append(steering.controller.allowance)
    half = REQUESTS / 2
    return Run(kept / best, nusd, drafts / half, dear / half, allowances)


@pytest.mark.parametrize("let_through", [0.99, 0.9, 0.8, 0.6])
def test_the_promise_holds_whatever_the_check_lets_through(make: SimpleNamespace, let_through: float) -> None:
    plain, found = run(make, None, 0.0), run(make, RULES, let_through)
    assert found.kept >= KEEP
    assert np.std(found.allowance) < 0.02  # nothing swings
    if let_through >= 0.9:  # a check that is worth it is used
        assert found.nusd < 0.6 * plain.nusd
    else:  # one that misleads costs little more than none
        assert found.drafted < 0.5
        assert found.nusd < 1.15 * plain.nusd


def test_the_dearest_does_not_answer_all_as_the_budget_rises(make: SimpleNamespace) -> None:
    pressures = (1.0, 0.2, 0.1, 0.0)
    with_, without = ([run(make, rules, 0.9, pressure=each) for each in pressures] for rules in (RULES, None))
    assert with_[0].dear == 0.0
    for one, other in zip(with_, without, strict=True):
        assert one.nusd <= other.nusd
        assert one.dear <= other.dear
        assert one.dear < 0.5
    assert with_[-1].kept >= KEEP
