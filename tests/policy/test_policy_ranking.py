"""Inside what is good enough money decides: prices, caches, and now and then a die."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.catalog.cost import TokenPrice
from twintrack.policy.choose import decide
from twintrack.policy.compiled import Policy
from twintrack.policy.controller import Controller, Verdicts
from twintrack.policy.ranking import Warm
from twintrack.signals.predictor import Reading

READ = Reading((0.0,), 1.0)


def order(decision):
    return [each.deployment.index for each in decision.order]


def cached(dollars: float, share: float = 0.1) -> TokenPrice:
    """A cached token costs a share of a fresh one."""
    fresh = round(dollars * 1e9)
    return TokenPrice(fresh, 4 * fresh, round(fresh * share), fresh)


def ask(home, make, *, warm=None, draw=1.0, steer=None, pressure=0.0, affinity=b"0 hello", **change):
    asked = make.signals(**change)
    return decide(
        home.policy, home.route, asked, home.load,
        key=-1, affinity=affinity, warm=warm, draw=draw, steer=steer, pressure=pressure,
    )  # fmt: skip


# Arbitrage


def test_of_two_providers_of_one_model_the_cheaper_one_answers_every_conversation(make):
    home = make.house([make.deployment(0, price=make.price(0.9)), make.deployment(1, price=make.price(0.7))])
    conversations = [b"0 %d" % number for number in range(40)]
    assert {ask(home, make, affinity=each).deployment for each in conversations} == {1}
    assert order(ask(home, make)) == [1, 0]
    home.load[1] = make.lately(healthy=False)
    assert ask(home, make).deployment == 0


def test_which_one_is_cheaper_depends_on_what_is_asked(make):
    talker = make.deployment(0, price=make.price(0.5, 8.0))
    reader = make.deployment(1, price=make.price(1.0, 1.0))
    home = make.house([talker, reader])
    assert ask(home, make, prompt_tokens_est=30_000, output_tokens_est=100).deployment == 0
    assert ask(home, make, prompt_tokens_est=100, output_tokens_est=1_000).deployment == 1


def test_a_change_of_price_holds_from_the_next_policy_on(make):
    before = make.house([make.deployment(0, price=make.price(0.7)), make.deployment(1, price=make.price(0.9))])
    after = make.house([make.deployment(0, price=make.price(0.7)), make.deployment(1, price=make.price(0.6))])
    assert (ask(before, make).deployment, ask(after, make).deployment) == (0, 1)


def test_at_one_price_conversations_spread_and_stick(make):
    home = make.house([make.deployment(0), make.deployment(1)])
    chosen = {number: ask(home, make, affinity=b"0 %d" % number).deployment for number in range(60)}
    assert set(chosen.values()) == {0, 1}
    assert all(ask(home, make, affinity=b"0 %d" % number).deployment == each for number, each in chosen.items())


def test_own_machines_first_then_known_prices_then_unknown_ones(make):
    home = make.house(
        [
            make.deployment(0, price=None),
            make.deployment(1, price=make.price(5.0)),
            make.deployment(2, price=None, per_hour_nusd=10**9),
        ]
    )
    assert order(ask(home, make)) == [2, 1, 0]


def test_tiers_keep_the_operators_order_whatever_they_cost(make):
    home = make.house([make.deployment(0, price=make.price(9.0))], [make.deployment(1, price=make.price(0.1))])
    assert ask(home, make).deployment == 0


# Prompt caches


def test_a_conversation_stays_where_it_is_cached_while_that_is_cheaper(make):
    dear, cheap = make.deployment(0, price=cached(1.0)), make.deployment(1, price=cached(0.6, 1.0))
    home = make.house([dear, cheap])
    turn = {"prompt_tokens_est": 20_000, "output_tokens_est": 200}
    assert ask(home, make, **turn).deployment == 1
    assert ask(home, make, warm=Warm(0, 19_000), **turn).deployment == 0
    assert ask(home, make, warm=Warm(0, 3_000), **turn).deployment == 1  # most of it is new: not worth it
    long_answer = {"prompt_tokens_est": 20_000, "output_tokens_est": 20_000}
    assert ask(home, make, warm=Warm(0, 19_000), **long_answer).deployment == 1


def test_it_stays_with_a_dearer_tier_only_if_that_is_cheaper(make):
    small, large = make.deployment(0, price=cached(1.0)), make.deployment(1, price=cached(3.0))
    home = make.house([small], [large])
    turn = {"prompt_tokens_est": 30_000, "output_tokens_est": 300}
    moved, stayed = ask(home, make, **turn), ask(home, make, warm=Warm(1, 29_000), **turn)
    assert (moved.deployment, moved.reason) == (0, "good_enough")
    assert (stayed.deployment, stayed.reason, stayed.tier) == (1, "stays", 1)
    assert order(stayed) == [1, 0]
    assert stayed.predicted_nusd < moved.predicted_nusd  # as it is explained
    assert ask(home, make, warm=Warm(1, 15_000), **turn).deployment == 0


def test_a_cache_buys_no_quality(make):
    weak, strong = make.deployment(0, quality=0.5, price=cached(1.0)), make.deployment(1, price=cached(3.0))
    home = make.house([weak], [strong])
    turn = {"prompt_tokens_est": 30_000, "output_tokens_est": 300}
    assert ask(home, make, warm=Warm(0, 29_000), **turn).deployment == 1


def test_at_equal_cost_a_warm_one_goes_before_affinity(make):
    home = make.house([make.deployment(at, price=None, per_hour_nusd=10**9) for at in (0, 1)])
    for place in (0, 1):
        assert ask(home, make, warm=Warm(place, 5_000)).deployment == place


# The controller


def steered(make, *tiers, trusted=None, **route):
    """A house whose judge says 0.9 of everybody, less a tenth a deployment from the last down."""
    home = make.house(*tiers, **route)

    class Told:
        def p_good(self, deployment, signals):
            return 0.9 - 0.05 * (len(home.policy.snapshot.deployments) - 1 - deployment.index)

        def measured(self, deployment, signals):
            return True

    home.policy = Policy(home.policy.snapshot, Told())
    count = len(home.policy.snapshot.deployments)
    return home, Controller(home.route.keep_quality, trusted or (True,) * count)


def test_a_controller_moves_the_floor_and_is_told_what_a_choice_is_measured_against(make):
    home, steer = steered(make, [make.deployment(0)], [make.deployment(1, price=make.price(10.0))], keep_quality=0.98)
    asked = ask(home, make, steer=steer, reading=READ)
    assert (asked.deployment, asked.p_good) == (1, 0.9)
    assert asked.reference == (1, 0.9, 10_000 * 1_000 + 40_000 * 500)
    steer.allowance = 0.08
    asked = ask(home, make, steer=steer, reading=READ)
    assert (asked.deployment, asked.p_good, asked.reference.p_good) == (0, pytest.approx(0.85), 0.9)
    # A request that no router read is not steered.
    assert ask(home, make, steer=steer).reference is None


def test_verdicts_shift_what_was_predicted_and_the_row_keeps_the_prediction(make):
    home, steer = steered(make, [make.deployment(0)], [make.deployment(1)], keep_quality=0.98)
    steer.learn({0: Verdicts(2_000, 200.0, 300.0), 1: Verdicts(2_000, 0.0, 100.0)})
    asked = ask(home, make, steer=steer, reading=READ)
    assert (asked.deployment, asked.p_good) == (0, pytest.approx(0.85))


def test_where_no_verdict_speaks_a_request_keeps_the_promise_by_itself(make):
    tiers = ([make.deployment(0)], [make.deployment(1)])
    home, steer = steered(make, *tiers, trusted=(False, True), keep_quality=0.98)
    steer.allowance = 0.5
    assert ask(home, make, steer=steer, reading=READ).deployment == 1
    home, steer = steered(make, *tiers, trusted=(True, False), keep_quality=0.98)
    steer.allowance = 0.5  # the dear one is guessed: there is no account to keep
    decision = ask(home, make, steer=steer, reading=READ)
    assert (decision.deployment, decision.reference) == (1, None)


def test_a_budget_lowers_what_is_good_enough(make):
    home = make.house([make.deployment(0, quality=0.5)], [make.deployment(1)], keep_quality=0.98)
    assert [ask(home, make, pressure=each).deployment for each in (0.0, 0.3, 0.5, 1.0)] == [1, 1, 0, 0]


# Exploration


def three(make, explore=0.1, **route):
    return make.house([make.deployment(0)], [make.deployment(1)], [make.deployment(2)], explore=explore, **route)


def test_without_the_word_nothing_is_random(make):
    home = three(make, explore=0.0)
    for draw in (0.0, 0.5, 1.0):
        decision = ask(home, make, draw=draw)
        assert (decision.deployment, decision.propensity) == (0, 1.0)


def test_propensity_is_that_of_the_choice_that_was_made(make):
    home = three(make, explore=0.09)
    each = 0.03
    usual = ask(home, make, draw=0.5)
    assert (usual.deployment, usual.reason, usual.propensity) == (0, "good_enough", pytest.approx(0.91 + each))
    drawn = [ask(home, make, draw=draw) for draw in (0.01, 0.04, 0.08)]
    assert [one.deployment for one in drawn] == [0, 1, 2]
    assert [one.reason for one in drawn] == ["good_enough", "explored", "explored"]
    assert [one.propensity for one in drawn] == [pytest.approx(0.94), pytest.approx(each), pytest.approx(each)]
    assert order(drawn[2]) == [2, 0, 1]  # whoever would have answered is asked next


@settings(max_examples=15, deadline=None)
@given(st.floats(0.0, 0.1), st.integers(0, 2), st.integers(0, 2**32))
def test_propensities_are_how_often_each_is_chosen(make, explore, busy, seed):
    """Exact, by sweeping the die: a share of draws is a probability."""
    home = three(make, explore=explore)
    home.load[busy] = make.lately(healthy=False)
    said, counted = {}, Counter()
    rng = random.Random(seed)
    steps = 2_000
    for step in range(steps):
        decision = ask(home, make, draw=(step + rng.random()) / steps)
        counted[decision.deployment] += 1
        said.setdefault(decision.deployment, decision.propensity)
        assert decision.propensity == said[decision.deployment]
        assert decision.deployment != busy
    for deployment, propensity in said.items():
        assert counted[deployment] / steps == pytest.approx(propensity, abs=3 / steps)
    if explore > 0.001:
        assert sum(said.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("data_class", ["confidential", "restricted"])
def test_sensitive_data_is_no_trial(make, data_class):
    decision = ask(three(make), make, draw=0.0999, data_class=data_class)
    assert (decision.deployment, decision.propensity) == (0, 1.0)


@pytest.mark.parametrize("endpoint", ["embeddings", "count_tokens"])
def test_what_cannot_be_compared_is_no_trial(make, endpoint):
    tiers = [[make.deployment(at, embeddings=endpoint == "embeddings")] for at in range(3)]
    decision = ask(make.house(*tiers, explore=0.1), make, draw=0.0999, endpoint=endpoint)
    assert (decision.deployment, decision.propensity) == (0, 1.0)


def test_high_stakes_an_only_one_and_a_route_that_observes_are_no_trial(make):
    home = three(make)
    assert ask(home, make, draw=0.0, stakes_high=True).propensity == 1.0
    assert ask(three(make, observe=1), make, draw=0.0).propensity == 1.0
    for place in (0, 1):
        home.load[place] = make.lately(healthy=False)
    only = ask(home, make, draw=0.0)
    assert (only.deployment, only.reason, only.propensity) == (2, "only_one", 1.0)
