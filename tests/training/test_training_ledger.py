"""A router fitted to what the ledger holds: verdicts and numbers, one deployment's on each request."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest
from logged_world import LARGE, SMALL, log, p_good, requests

from twintrack.errors import TwintrackError
from twintrack.signals.evidence import of_text
from twintrack.signals.predictor import Predictor, probability
from twintrack.signals.weights import Router, shipped_prior
from twintrack.training.ledger import MOST_WEIGHT, learn_from, weights_of


def foreseen(router: Router, rows: np.ndarray, deployment: str) -> np.ndarray:
    predictor = Predictor(router)
    nothing = of_text("")
    return np.array(
        [probability(predictor.deployments[deployment], predictor.read(nothing, tuple(row)))[0] for row in rows]
    )


def test_it_learns_whom_a_request_needs_without_a_word_of_it():
    learned = learn_from(log(600, seed=1, explore=0.5), shipped_prior())
    assert learned.better
    assert set(learned.report["better_by"]) == {"constant", "length", "catalogue"}
    assert learned.router.grams == "", "no hash of a word"
    rows = requests(400, seed=99)
    small, large = (foreseen(learned.router, rows, name) for name in (SMALL, LARGE))
    assert np.corrcoef(small, p_good(rows, SMALL))[0, 1] > 0.85
    assert abs(small.mean() - p_good(rows, SMALL).mean()) < 0.06
    assert np.abs(large - p_good(rows, LARGE)).max() < 0.15
    assert "Verdicts by source: feedback 600." in learned.router.card.notes
    assert "600 of 600 choices were partly random" in learned.router.card.notes[1]


@pytest.mark.long
def test_two_thousand_verdicts_take_seconds():
    found = log(2_000, seed=3)
    began = time.process_time()
    learn_from(found, shipped_prior())
    assert time.process_time() - began < 60, "the bar is 60 on one core"


def test_a_router_in_use_is_asked_by_what_it_predicted_of_what_it_decided():
    found = [msgspec.structs.replace(each, p_good=float(p_good_of(each))) for each in log(300, seed=4)]
    found[150:] = [msgspec.structs.replace(each, policy_version="0123456789ab+r1") for each in found[150:]]
    learned = learn_from(found, shipped_prior(), in_use="r1")
    assert learned.report["requests_new_to_the_router_in_use"] == 150
    assert not learned.better, "nothing is better than the truth"
    assert learned.report["better_by"]["current router"]["low"] < 0
    late = learn_from(found, shipped_prior(), in_use="r2")
    assert late.report["requests_new_to_the_router_in_use"] == 0
    assert not late.better, "too few requests to compare on"


def p_good_of(each):  # type: ignore[no-untyped-def]
    from twintrack.signals.features import unpacked

    numbers = unpacked(each.features)
    assert numbers is not None
    return p_good(np.array([numbers]), each.deployment)[0]


def test_a_router_is_not_taken_that_knows_no_more_than_length():
    rng = np.random.default_rng(0)
    noise = [msgspec.structs.replace(each, score=float(rng.random() < 0.7)) for each in log(200, seed=5)]
    assert not learn_from(noise, shipped_prior()).better


@pytest.mark.parametrize("explored", [0.0, 0.02, 0.2])
def test_rare_choices_count_for_those_not_made(explored: float):
    found = log(3_000, seed=6, explore=explored)
    weights = weights_of(found)
    for name in (SMALL, LARGE):
        own = np.array([each.deployment == name for each in found])
        assert weights[own].mean() == pytest.approx(1.0)
        assert weights[own].max() <= MOST_WEIGHT + 1e-9
    if not explored:
        assert set(weights) == {1.0}
        assert "No choice among these was random" in learn_from(found[:120], shipped_prior()).router.card.notes[1]


def test_weights_undo_what_choosing_did_to_a_mean():
    """The mean score of `small` over all requests, of which it got the short ones."""
    found = log(6_000, seed=7, explore=0.3)
    truth = p_good(requests(6_000, seed=7), SMALL).mean()
    own = np.array([each.deployment == SMALL for each in found])
    scores = np.array([each.score for each in found])
    plain, weighted = scores[own].mean(), np.average(scores[own], weights=weights_of(found)[own])
    assert abs(weighted - truth) < 0.03 < abs(plain - truth)


def test_after_a_failure_or_while_observing_nothing_counts_as_random():
    found = [msgspec.structs.replace(each, chosen="third") for each in log(200, seed=8)]
    assert set(weights_of(found)) == {1.0}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"features": None}, "29 of them simulated, of cascades, or without the numbers"),
        ({"features": b"\xff" * 67}, "29 of them simulated, of cascades, or without the numbers"),
        ({"simulated": True}, "29 of them simulated, of cascades, or without the numbers"),
        ({"drafted": True}, "29 of them simulated, of cascades, or without the numbers"),
        ({}, "there are "),
    ],
)
def test_too_few_are_counted_by_deployment(change: dict[str, object], why: str):
    found = [msgspec.structs.replace(each, **change) for each in log(29, seed=9)]
    with pytest.raises(
        TwintrackError, match=r"verdicts are too few to learn from\. 60 are needed; there are "
    ) as error:
        learn_from(found, shipped_prior())
    assert why in str(error.value)
    assert "on small" in str(error.value)
