"""Another policy's worth from a log, against logs whose truth is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from simulated_logs import simulated

from twintrack.training.replay import Estimate, Estimates, Logged, estimates, student

WAYS = ("ips", "snips", "dr")
TRUTH = {arms: simulated(400_000, 1_000_000, explore=0.5, arms=arms)[1] for arms in (2, 3)}


def of(found: Estimates, way: str) -> Estimate:
    estimate = getattr(found, way)
    assert isinstance(estimate, Estimate)
    return estimate


def covered(found: list[Estimates], way: str, truth: float) -> float:
    inside = [low <= truth <= high for low, high in ((of(each, way).low, of(each, way).high) for each in found)]  # type: ignore[operator]
    return float(np.mean(inside))


def error(found: list[Estimates], way: str, truth: float) -> float:
    return float(np.sqrt(np.mean([(of(each, way).value - truth) ** 2 for each in found])))


@pytest.mark.parametrize(
    ("count", "explore", "arms", "model_error"), [(1_000, 0.2, 3, 0.1), (2_000, 0.02, 2, 0.1), (400, 0.5, 2, 0.3)]
)
def test_intervals_hold_and_the_doubly_robust_errs_least(count: int, explore: float, arms: int, model_error: float):
    logs = (simulated(count, seed, explore=explore, arms=arms, model_error=model_error)[0] for seed in range(300))
    found = [estimates(log, share=True) for log in logs]
    for way in WAYS:
        assert covered(found, way, TRUTH[arms]) >= 0.92, way
    assert error(found, "dr", TRUTH[arms]) < error(found, "ips", TRUTH[arms])
    assert error(found, "snips", TRUTH[arms]) < error(found, "ips", TRUTH[arms])


def test_a_wrong_model_misleads_alone_and_not_where_chance_speaks():
    found = []
    for seed in range(100):
        log, _ = simulated(1_000, seed, explore=0.3)
        found.append(estimates(dataclasses.replace(log, model_new=np.full(1_000, 0.2)), share=True))
    truth = TRUTH[3]
    assert error(found, "model", truth) > 0.4
    assert abs(np.mean([each.dr.value for each in found]) - truth) > 0.1, "its model says nothing of what was chosen"
    both = []
    for seed in range(100):
        log, _ = simulated(1_000, seed, explore=0.3)
        wrong = np.full(1_000, 0.2)
        both.append(estimates(dataclasses.replace(log, model_new=wrong, model_logged=wrong), share=True))
    assert abs(np.mean([each.dr.value for each in both]) - truth) < 0.02


def test_a_log_without_chance_tells_nothing_of_other_choices():
    log, _ = simulated(1_000, 1, explore=0.0, model_error=0.0)
    found = estimates(log, share=True)
    assert found.changed > 0.2
    assert found.impossible == pytest.approx(found.changed)
    assert (found.ips, found.snips) == (None, None)
    assert found.rests_on_model
    assert found.dr.value == pytest.approx(TRUTH[3], abs=0.05), "by the model, which is right here"


def test_the_same_policy_is_worth_what_was():
    log, _ = simulated(500, 2, explore=0.0)
    same = dataclasses.replace(log, same=np.ones(500, bool), model_new=log.model_logged)
    found = estimates(same, share=True)
    assert (found.changed, found.impossible, found.effective) == (0.0, 0.0, pytest.approx(500))
    for way in WAYS:
        assert of(found, way).value == pytest.approx(log.outcome.mean())
    assert of(found, "ips").low == pytest.approx(found.logged.low, abs=1e-4)


def test_what_is_partly_without_chance_is_left_out_of_the_weighted_and_left_to_the_model():
    found = estimates(simulated(2_000, 3, explore=0.3, deterministic=0.5)[0], share=True)
    assert found.ips is not None
    assert 0.05 < found.impossible < 0.5
    assert found.ips.requests == round(2_000 * (1 - found.impossible))
    assert found.dr.requests == 2_000


def test_a_handful_of_good_answers_is_no_certainty():
    """Five of four hundred were drawn for the new policy's choice, and all were good."""
    drawn = np.arange(400) < 5
    good = np.ones(400)
    found = estimates(Logged(good, np.where(drawn, 0.0125, 0.9875), drawn, np.ones(400, bool), good, good), share=True)
    for way in ("snips", "dr"):
        estimate = of(found, way)
        assert estimate.value == pytest.approx(1.0)
        assert estimate.low is not None
        assert estimate.low < 0.9


def test_dollars_need_no_floor():
    log, _ = simulated(300, 5, explore=0.2)
    dollars = Logged(
        outcome=np.full(300, 0.004), propensity=log.propensity, same=log.same, possible=log.possible,
        model_logged=np.full(300, 0.004), model_new=np.full(300, 0.001),
    )  # fmt: skip
    found = estimates(dollars, share=False)
    assert (found.dr.value, found.dr.low, found.dr.high) == (pytest.approx(0.001),) * 3


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (5, 2.571), (9, 2.262), (25, 2.060), (200, 1.972), (1e9, 1.960)]
)
def test_students_quantile(freedom: float, quantile: float):
    """The usual table."""
    assert student(freedom) == pytest.approx(quantile, abs=0.003)


def test_a_log_that_tells_of_nothing_gives_no_interval():
    """A model that says the same of each request would else seem certain."""
    nobody = np.zeros(40, bool)
    log = Logged(np.ones(40), np.ones(40), nobody, nobody, np.full(40, 0.5), np.full(40, 0.6))
    found = estimates(log, share=True)
    assert (found.dr.value, found.dr.low, found.dr.high) == (pytest.approx(0.6), None, None)


def test_one_request_gives_no_interval():
    possible = np.arange(40) == 0
    log = Logged(np.ones(40), np.full(40, 0.5), np.zeros(40, bool), possible, np.full(40, 0.5), np.full(40, 0.6))
    assert estimates(log, share=True).ips == Estimate(0.0, None, None, 1)
