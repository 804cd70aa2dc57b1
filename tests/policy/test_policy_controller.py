"""A route's promise, kept over all its requests; a budget, spread over its day."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.policy import controller
from twintrack.policy.budget import BAND, pressure
from twintrack.policy.controller import Controller, Verdicts

FEW = settings(max_examples=60, deadline=None)
SHARE = st.floats(0.0, 1.0)
TRAFFIC = st.lists(st.tuples(SHARE, SHARE, st.sampled_from((0.0, 0.1, 1.0, 30.0))), min_size=1, max_size=400)
VERDICTS = st.builds(lambda n, mean: Verdicts(n, n * mean, n * 0.1), st.integers(1, 1_000), st.floats(-0.4, 0.4))


def simulation():
    """The tool at full size is `tools/simulate_promise.py`."""
    path = Path(__file__).parents[2] / "tools" / "simulate_promise.py"
    spec = importlib.util.spec_from_file_location("simulate_promise", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulate_promise"] = module
    spec.loader.exec_module(module)
    return module


def answered(of: Controller, cheap: float, dear: float, cost: float = 1.0) -> int:
    """0: by the cheap one, if it is good enough."""
    chosen = 0 if cheap + of.shifts[0] >= of.floor(dear + of.shifts[1], cost) else 1
    of.chose(chosen, (cheap, dear)[chosen], 1, dear, cost)
    return chosen


def route(of: Controller, requests: int, seed: int = 0, cheap: float = 0.1) -> list[int]:
    """Requests on which the dear one is better by 0 to `2 × cheap`."""
    rng = random.Random(seed)
    return [answered(of, 0.9 - rng.uniform(0.0, 2 * cheap), 0.9) for _ in range(requests)]


def test_as_verdicts_come_in_the_slack_is_spent():
    of = Controller(0.98, (True, True))
    assert of.floor(0.9, 0.0) == pytest.approx(0.98 * 0.9)
    route(of, 4_000)
    doubted = sum(route(of, 4_000, seed=1)) / 4_000
    assert 0.7 < doubted < 0.91  # by itself each request would ask the dear one 91 times in 100
    of.learn({0: Verdicts(2_000, 0.0, 200.0), 1: Verdicts(2_000, 0.0, 200.0)})
    route(of, 4_000)
    proved = sum(route(of, 4_000, seed=1)) / 4_000
    surplus, sd, _ = of.account()
    assert 0.4 < proved < doubted - 0.1
    assert 0 <= surplus < 4 * sd  # kept, and hardly more than doubt asks for


def test_what_was_given_away_by_mistake_is_paid_back():
    of = Controller(0.98, (True, True))
    good = {1: Verdicts(2_000, 0.0, 200.0)}
    of.learn({0: Verdicts(2_000, 0.0, 200.0)} | good)
    route(of, 6_000)
    before = sum(route(of, 1_000))
    of.learn({0: Verdicts(2_000, -100.0, 210.0)} | good)  # the cheap one's answers are 0.05 worse than predicted
    assert of.account()[0] < 0
    assert sum(route(of, 1_000)) > before
    route(of, 12_000, seed=2)
    assert of.account()[0] > -0.002 * controller.WINDOW


def test_a_dear_one_that_is_no_better_is_not_paid_for():
    of = Controller(0.98, (True, True))
    of.learn({0: Verdicts(1_000, 0.0, 100.0), 1: Verdicts(1_000, -60.0, 100.0)})
    assert sum(route(of, 2_000, cheap=0.01)) == 0


def test_the_allowance_does_not_swing():
    of = Controller(0.98, (True, True))
    of.learn({0: Verdicts(2_000, 0.0, 200.0), 1: Verdicts(2_000, 0.0, 200.0)})
    route(of, 10_000)
    seen = []
    rng = random.Random(5)
    for _ in range(5_000):
        answered(of, 0.9 - rng.uniform(0.0, 0.2), 0.9)
        seen.append(of.allowance)
    assert np.std(seen) < 0.02
    assert abs(np.mean(seen[:1_000]) - np.mean(seen[-1_000:])) < 0.02


@FEW
@given(TRAFFIC, VERDICTS, VERDICTS, st.floats(0.5, 0.999))
def test_the_debt_is_bounded_whatever_comes(traffic, cheap, dear, keep):
    of = Controller(keep, (True, True))
    of.learn({0: cheap, 1: dear})
    least, debt = 0.0, 0.0
    for p, best, cost in traffic * 5:
        chosen = answered(of, p, best, cost)
        got = min((p, best)[chosen] + of.shifts[chosen], best + of.shifts[1])
        debt += got - keep * (best + of.shifts[1])
        least = min(least, debt)
        assert controller._STRICTEST <= of.allowance <= 1.0
    # An integrator: what it allows, and what it grants of an earlier surplus, is all that can be lost.
    given_ = (1.0 - controller._STRICTEST) / controller.STEP + controller.MOST_REPAID * len(traffic) * 5
    assert least >= -given_ - 4.0


@pytest.mark.parametrize("p_now", [0.85, 0.99])
def test_a_draft_in_place_of_the_answer_is_booked_as_what_it_is(p_now: float):
    """And one that looks better than the answer as no better."""
    of = Controller(0.9, [True, True])
    of.learn({1: Verdicts(100, 6.0, 9.0)})
    before = of.allowance
    of.chose(1, 0.8, 1, 0.8)
    of.instead(1, 0.8, p_now)
    best = 0.8 + of.shifts[1]
    surplus, _, _ = of.account()
    assert surplus == pytest.approx(min(p_now, best) - 0.9 * best)
    of.learn({})  # who did not answer is not corrected
    assert of.account()[0] == pytest.approx(min(p_now, best) - 0.9 * 0.8)
    assert (of.allowance < before) == (p_now < best)


@FEW
@given(st.floats(0.01, 1.0), SHARE, st.floats(-0.1, 0.5))
def test_more_at_stake_never_asks_for_more_quality(best, cost, allowance):
    of = Controller(0.98, (True, True))
    of.chose(1, 0.9, 1, 0.9, 0.5)
    of.allowance = allowance
    assert of.floor(best, cost + 0.1) <= of.floor(best, cost + 1e-6) + 1e-12
    assert of.floor(best, 1e9) >= best * (1 - min(controller.MOST_LOST, 4 * max(allowance, 0.0))) - 1e-9


def test_no_request_pays_for_all_however_well_the_route_stands():
    of = Controller(0.98, (True, True))
    of.allowance = 1.0
    of.chose(1, 0.9, 1, 0.9, 1.0)
    assert of.floor(0.9, 1_000.0) == pytest.approx(0.9 * (1 - controller.MOST_LOST))


def test_a_draft_that_a_check_let_through_is_no_credit_and_what_verdicts_say_of_such_is_a_debt():
    good = {0: Verdicts(2_000, 0.0, 200.0), 1: Verdicts(2_000, 0.0, 200.0)}
    plain, through = (Controller(0.98, (True, True)) for _ in range(2))
    for of in (plain, through):
        of.learn(good)
        route(of, 100)
    through.let_through(1, 0.9, 0.9)
    assert through.account()[0] == pytest.approx(plain.account()[0])  # as good as the best, as far as anybody knows
    assert through.account()[1] > plain.account()[1]  # and nobody does
    through.learn(good | {through.checked: Verdicts(150, -15.0, 20.0)})
    assert through.account()[0] == pytest.approx(plain.account()[0] - 0.075)
    before = through.account()
    through.learn(good | {through.checked: Verdicts(150, 15.0, 20.0)})
    through.let_through(1, 0.9, 0.9)
    assert through.account()[0] <= before[0] + 2 * 0.075 + 1e-9  # better than what was chosen is no credit


def test_a_microsecond_a_request():
    """A smoke test, ten times the budget: machines that run tests are busy."""
    import timeit

    of = Controller(0.98, (True,) * 6)
    assert min(timeit.repeat(lambda: of.chose(0, 0.8, 5, 0.9, 7.0), number=2_000, repeat=5)) / 2_000 * 1e6 < 15


@pytest.mark.parametrize("bias", [0.0, 0.2])
def test_the_promise_is_kept_in_simulated_worlds(bias):
    simulated = simulation()
    runs = [simulated.simulate(seed, 20_000, bias) for seed in range(5_000, 5_008)]
    quality, cost = zip(*(run["controller"] for run in runs), strict=True)
    hindsight = [run["best fixed threshold in hindsight"][1] for run in runs]
    alone = [run["no controller: each request keeps 98 %"][1] for run in runs]
    assert sum(each >= simulated.LEAST for each in quality) >= 7
    assert sum(cost) < 1.1 * sum(hindsight)
    assert sum(cost) < 0.9 * sum(alone)


# Budget


@FEW
@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e12), SHARE)
def test_a_larger_budget_never_presses_more(spent, small, large, day):
    small, large = sorted((small, large))
    assert 0.0 <= pressure(spent, large, day) <= pressure(spent, small, day) <= 1.0


def spent_in_a_day(budget: float, demand: float, seed: int = 0) -> tuple[float, list[float]]:
    """Of a day whose traffic doubles at noon; without pressure `demand` would be paid, with full pressure a tenth."""
    rng = random.Random(seed)
    spent, pressures = 0.0, []
    for at in range(20_000):
        day = at / 20_000
        now = pressure(spent, budget, day)
        pressures.append(now)
        if rng.random() < 1.0 - abs(2 * day - 1.0) / 2:
            spent += demand / 15_000 * (1.0 if rng.random() > now else 0.1)
    return spent, pressures


def test_spending_follows_the_budget_through_the_day_and_does_not_swing():
    spent, pressures = spent_in_a_day(100.0, 200.0)
    assert 100 * (1 - BAND) < spent < 100
    assert np.abs(np.diff(pressures)).max() < 0.01
    ample, calm = spent_in_a_day(400.0, 200.0)
    assert ample == pytest.approx(200, rel=0.05)
    assert max(calm) == 0.0 or np.mean(calm) < 0.05
    assert spent_in_a_day(0.0, 200.0)[0] == pytest.approx(20, rel=0.05)
