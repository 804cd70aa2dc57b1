"""Who is chosen among those that may: cheapest good enough, and in which order the others follow."""

from __future__ import annotations

import time
import timeit

import pytest

from twintrack.policy.explain import header_reason, reason_sentence, usd


def order(decision):
    return [each.deployment.index for each in decision.order]


@pytest.fixture
def three_tiers(make):
    def build(**route):
        return make.house(
            [make.deployment(0, quality=0.70, price=make.price(0.1))],
            [make.deployment(1, quality=0.85, price=make.price(1.0))],
            [make.deployment(2, quality=0.95, price=make.price(5.0))],
            **route,
        )

    return build


@pytest.mark.parametrize(
    ("complexity", "chosen", "reason"), [(0.05, 0, "good_enough"), (0.3, 1, "good_enough"), (0.9, 2, "top_tier")]
)
def test_the_cheapest_tier_that_is_good_enough_answers(three_tiers, complexity, chosen, reason):
    decision = three_tiers(keep_quality=0.9).decide(complexity=complexity)
    assert (decision.deployment, decision.tier, decision.reason) == (chosen, chosen, reason)
    assert decision.baseline == 2
    assert decision.propensity == 1.0


def test_p_good_is_quality_at_half_complexity(three_tiers):
    assert three_tiers(keep_quality=0.0).decide(complexity=0.5).p_good == pytest.approx(0.70)


def test_full_quality_is_kept_by_equals_only(make):
    home = make.house(
        [make.deployment(0, quality=0.949)], [make.deployment(1, quality=0.95)], [make.deployment(2, quality=0.95)],
        keep_quality=1.0,
    )  # fmt: skip
    for complexity in (0.0, 0.1, 0.5, 1.0):
        assert home.decide(complexity=complexity).deployment == 1


def test_fallbacks_are_the_same_tier_then_dearer_ones(make):
    home = make.house(
        [make.deployment(0), make.deployment(1)], [make.deployment(2), make.deployment(3)], [make.deployment(4)]
    )
    indexes = order(home.decide())
    assert sorted(indexes[:2]) == [0, 1]
    assert sorted(indexes[2:4]) == [2, 3]
    assert indexes[4] == 4


def test_cheaper_ones_that_are_not_good_enough_are_no_fallback(three_tiers):
    assert order(three_tiers(keep_quality=0.95).decide(complexity=0.9)) == [2]


def test_rather_than_an_error_a_worse_one_of_the_same_tier(make):
    home = make.house(
        [make.deployment(0, quality=0.5)], [make.deployment(1, quality=0.9), make.deployment(2, quality=0.6)]
    )
    assert order(home.decide(complexity=0.8)) == [1, 2]


def test_high_stakes_take_the_best_and_then_the_next_best(three_tiers):
    decision = three_tiers(keep_quality=0.5).decide(complexity=0.05, stakes_high=True)
    assert (order(decision), decision.reason) == ([2, 1, 0], "stakes")


def test_among_equally_good_the_stakes_do_not_pay_more_and_an_unknown_price_counts_as_dearest(make):
    home = make.house(
        [
            make.deployment(0, price=None),
            make.deployment(1, price=make.price(9.0)),
            make.deployment(2, price=make.price(2.0)),
        ]
    )
    for conversation in range(20):
        assert order(home.decide(stakes_high=True, affinity=b"%d" % conversation)) == [2, 1, 0]


def test_high_stakes_do_not_overrule_an_objection(three_tiers):
    home = three_tiers(max_nusd_per_request=4_000_000)
    assert home.decide(stakes_high=True).deployment == 1


def test_the_quality_to_keep_is_that_of_the_last_tier_that_is_allowed(make):
    home = make.house(
        [make.deployment(0, quality=0.70)],
        [make.deployment(1, quality=0.75)],
        [make.deployment(2, quality=0.95, zone="third_party")],
        keep_quality=0.9,
    )
    assert home.decide(complexity=0.5).deployment == 2
    assert home.decide(complexity=0.5, data_class="restricted").deployment == 0


def test_a_busy_last_tier_still_says_what_quality_is_to_be_kept(three_tiers, make):
    home = three_tiers(keep_quality=0.95, load={2: make.lately(in_flight=8)})
    decision = home.decide(complexity=0.9)
    assert (decision.deployment, decision.reason) == (1, "below_quality")
    assert order(decision) == [1]


def test_the_only_one_left_says_so(three_tiers, make):
    home = three_tiers(keep_quality=0.1, load={1: make.lately(healthy=False), 2: make.lately(healthy=False)})
    assert home.decide().reason == "only_one"


def test_a_busy_deployment_hands_its_conversations_to_its_neighbour(make):
    pair = [make.deployment(0), make.deployment(1)]
    home = make.house(pair)
    mine = [b"%d" % each for each in range(40) if home.decide(affinity=b"%d" % each).deployment == 0]
    busy = make.house(pair, load={0: make.lately(in_flight=8)})
    assert mine
    assert {busy.decide(affinity=each).deployment for each in mine} == {1}


def test_a_deployment_in_two_tiers_is_a_candidate_once_in_the_cheaper(make):
    shared = make.deployment(0, quality=0.9)
    home = make.house([shared], [make.deployment(1, quality=0.5), shared], keep_quality=0.9)
    decision = home.decide()
    assert order(decision) == [0, 1]
    assert decision.tier == 0


def test_a_conversation_may_go_to_a_provider_of_any_dialect(make):
    home = make.house([make.deployment(0, dialects=("anthropic",))])
    assert home.decide().deployment == 0


def test_embeddings_are_routed_like_anything_else(make):
    home = make.house([make.deployment(0, embeddings=True), make.deployment(1)])
    assert order(home.decide(endpoint="embeddings", complexity=0.0)) == [0]


def test_a_learned_judge_takes_the_place_of_the_prior(make):
    from twintrack.policy.compiled import Policy

    class Fond:
        def p_good(self, deployment, signals):
            return 1.0 if deployment.index == 1 else 0.1

        def measured(self, deployment, signals):
            return True

    home = make.house([make.deployment(0)], [make.deployment(1)])
    home.policy = Policy(home.policy.snapshot, Fond())
    decision = home.decide()
    assert decision.deployment == 1
    assert header_reason(decision) == "no cheaper tier is good enough; learned p_good 1.00"
    # A last tier that is no better than the first is no reason to pay for it.
    home = make.house([make.deployment(0)], [make.deployment(1)], [make.deployment(2)])
    home.policy = Policy(home.policy.snapshot, Fond())
    assert (home.decide().deployment, home.decide().reason) == (0, "good_enough")


def test_when_nobody_is_good_enough_the_best_answers_even_if_another_is_dearer(make):
    worse = make.house(
        [make.deployment(0, quality=0.7)],
        [make.deployment(1, quality=0.5)],
        [make.deployment(2, quality=0.99)],
        load={2: make.lately(healthy=False)},
    )
    decision = worse.decide(complexity=0.9)
    assert (decision.deployment, decision.reason) == (0, "below_quality")
    assert order(decision) == [0, 1]


def test_reasons_are_sentences_and_short_ascii_for_headers(three_tiers, make):
    home = three_tiers(keep_quality=0.9)
    decisions = [
        home.decide(complexity=0.05),
        home.decide(complexity=0.9),
        home.decide(stakes_high=True),
        home.named(0),
    ]
    busy = three_tiers(load={2: make.lately(healthy=False)})
    decisions += [busy.decide(complexity=0.9), busy.decide(complexity=0.9, max_cost_nusd=1_000_000)]
    assert {each.reason for each in decisions} == {
        "good_enough", "top_tier", "stakes", "named", "below_quality", "only_one",
    }  # fmt: skip
    for decision in decisions:
        header = header_reason(decision)
        assert header.isascii()
        assert header.isprintable()
        assert len(header) <= 80
        assert "another version" not in reason_sentence(decision.reason)
    assert header_reason(decisions[0]) == "cheapest that is good enough; p_good 0.96"
    assert header_reason(decisions[4]) == "best of those ready, below the quality to keep; 1 ruled out; p_good 0.75"


@pytest.mark.parametrize(
    ("nusd", "text"), [(0, "$0.00"), (1_500_000_000, "$1.50"), (3_000_000, "$0.003"), (1, "$0.000000001")]
)
def test_money_is_written_exactly(nusd, text):
    assert usd(nusd) == text


def test_choosing_is_quick(make):
    """A smoke test, five times the budget of 8 µs: machines that run tests are busy."""
    home = make.house(*([make.deployment(2 * at, quality=q), make.deployment(2 * at + 1, quality=q)]
                        for at, q in enumerate((0.7, 0.85, 0.95))), max_nusd_per_request=10**9)  # fmt: skip
    from twintrack.policy.choose import decide

    asked = make.signals(complexity=0.3)
    arguments = (home.policy, home.route, asked, home.load)
    best_s = min(timeit.repeat(lambda: decide(*arguments, key=-1, affinity=b"0 hello"), number=500, repeat=7,
                               timer=time.process_time))  # fmt: skip
    assert best_s / 500 * 1e6 < 40
