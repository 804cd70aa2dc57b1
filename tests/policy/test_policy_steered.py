"""The whole decision with a controller: three tiers, two deployments in the last, a judge that flatters the cheap."""

from __future__ import annotations

import random

import pytest

from twintrack.policy.choose import decide
from twintrack.policy.compiled import Policy
from twintrack.policy.controller import Controller, Verdicts
from twintrack.signals.predictor import Reading

READ = Reading((0.0,), 1.0)
KEEP = 0.95
FLATTERY = 0.04
"""By which the first tier's predictions lie above the truth."""


class Said:
    """A judge whose predictions come with the request."""

    def p_good(self, deployment, signals):
        return signals.features[deployment.index]

    def measured(self, deployment, signals):
        return True


def traffic(count, seed):
    """Predicted and true probabilities of each request: how much better the dearer tiers are differs widely."""
    rng = random.Random(seed)
    for _ in range(count):
        hard = rng.random()
        true = [0.93 - 0.5 * hard * hard, 0.93 - 0.25 * hard * hard, 0.93 - 0.05 * hard, 0.92 - 0.05 * hard]
        yield [true[0] + FLATTERY, *true[1:]], true, rng.randint(100, 4_000)


def run(make, steered, count=8_000):
    """Realised quality relative to the best of the last tier's, and cost, over the second half."""
    home = make.house(
        [make.deployment(0, price=make.price(0.1))],
        [make.deployment(1, price=make.price(0.5))],
        [make.deployment(2, price=make.price(3.0)), make.deployment(3, price=make.price(2.9))],
        keep_quality=KEEP,
    )
    policy, steer = Policy(home.policy.snapshot, Said()), Controller(KEEP, (True,) * 4)
    rng = random.Random(7)
    sums = {place: [0.0, 0.0, 0.0] for place in range(4)}
    got = best = cost = 0.0
    for at, (predicted, true, tokens) in enumerate(traffic(count, 3)):
        asked = make.signals(features=tuple(predicted), reading=READ, prompt_tokens_est=tokens, output_tokens_est=200)
        decision = decide(
            policy, home.route, asked, home.load, key=-1, affinity=b"%d" % at, steer=steer if steered else None
        )
        chosen = decision.deployment
        if steered:
            of = decision.reference
            steer.chose(chosen, decision.p_good, of.deployment, of.p_good, of.nusd)
        if rng.random() < 0.1:
            surplus = (rng.random() < true[chosen]) - decision.p_good
            sums[chosen] = [a + b for a, b in zip(sums[chosen], (1.0, surplus, surplus * surplus), strict=True)]
        if at % 100 == 0:
            steer.learn({place: Verdicts(*each) for place, each in sums.items()})
        if at >= count / 2:
            got, best, cost = got + true[chosen], best + true[2], cost + decision.predicted_nusd
    return got / best, cost, steer


def test_the_promise_is_kept_over_tiers_and_costs_less_than_request_by_request(make):
    alone, alone_cost, _ = run(make, False)
    kept, cost, steer = run(make, True)
    assert KEEP - 0.003 < kept < alone
    assert cost < 0.85 * alone_cost
    # Whom verdicts contradict is believed less, the others hardly otherwise.
    assert steer.shifts[0] == pytest.approx(-FLATTERY, abs=0.03)
    assert abs(steer.shifts[2] + steer.shifts[3]) < 0.04
    surplus, sd, best = steer.account()
    assert KEEP + (surplus - 3 * sd) / best < kept
