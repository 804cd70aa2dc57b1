"""When a cheaper deployment drafts first: where it may be believed, in time, for less."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from twintrack.config.snapshot import Cascade
from twintrack.policy.choose import Decision, decide
from twintrack.policy.drafting import with_drafts
from twintrack.policy.explain import header_reason, objection_sentence, reason_sentence

RULES: dict[str, Any] = {
    "check": ("schema",),
    "drafts": (),
    "repeat_temperature": None,
    "believe": (),
    "min_mean_logprob": -0.25,
    "min_logprob": None,
    "must_match": (),
    "must_not_match": (),
    "min_chars": 0,
    "max_chars": -1,
    "min_p_good": 0.2,
    "max_draft_ms": 30_000,
}


class Guessed:
    """Whatever was guessed."""

    def p_pass(self, route: str, prior: float) -> float:
        return prior


def drafted(house: Any, make: SimpleNamespace, *, alike: bool = False, **change: Any) -> Decision:
    signals = make.signals(**{"complexity": 0.5, "max_output_tokens": 100} | change)
    decision = decide(house.policy, house.route, signals, house.load, key=-1, affinity=b"0 hello")
    return with_drafts(house.policy, house.route, signals, house.load, decision, Guessed(), key=-1, alike=alike)


def three(make: SimpleNamespace, *, prices: tuple[Any, Any, Any] = (0.1, 0.2, 10.0), **route: Any) -> Any:
    """Two cheap tiers, good to 60 and 70 %, and a dear one to 95 %."""
    tiers = [
        [
            make.deployment(
                index,
                quality=quality,
                price=None if price is None else make.price(price),
                zone="own" if index < 2 else "third_party",
            )
        ]
        for index, (quality, price) in enumerate(zip((0.6, 0.7, 0.95), prices, strict=True))
    ]
    rules = Cascade(**RULES | route.pop("cascade", {}))
    return make.house(*tiers, cascade=rules, **route)


def names(decision: Decision) -> list[str]:
    return [each.deployment.name for each in decision.order]


def test_the_cheapest_tier_drafts_for_the_one_that_is_good_enough(make: SimpleNamespace) -> None:
    decision = drafted(three(make), make)
    assert names(decision) == ["m0", "m2"]
    assert (decision.deployment, decision.tier, decision.reason) == (0, 0, "draft")
    assert decision.p_good == pytest.approx(0.6)
    assert decision.drafting is not None
    assert decision.drafting.count == 1
    assert decision.drafting.p_good == pytest.approx(0.95)
    assert decision.predicted_nusd < decision.drafting.predicted_nusd  # type: ignore[operator]
    assert "it drafts" in reason_sentence(decision.reason)
    assert header_reason(decision) == "a cheaper draft, checked; p_good 0.60"
    assert header_reason(decision, 1) == "no cheaper draft passed its check; p_good 0.95"


def test_two_draft_where_they_have_to_agree(make: SimpleNamespace) -> None:
    decision = drafted(three(make, cascade={"check": ("agreement",)}), make)
    assert names(decision) == ["m0", "m1", "m2"]
    assert decision.drafting is not None
    assert (decision.drafting.count, decision.drafting.p_pass) == (2, pytest.approx(0.42))


def test_those_that_are_named_draft_in_their_order(make: SimpleNamespace) -> None:
    assert names(drafted(three(make, cascade={"drafts": (1,)}), make)) == ["m1", "m2"]
    assert names(drafted(three(make, cascade={"drafts": (1, 0)}), make)) == ["m1", "m0", "m2"]


def test_one_may_draft_twice_unless_it_would_say_the_same(make: SimpleNamespace) -> None:
    twice = {"check": ("agreement",), "drafts": (0, 0, 1)}
    assert names(drafted(three(make, cascade=twice), make)) == ["m0", "m0", "m1", "m2"]
    assert names(drafted(three(make, cascade=twice), make, alike=True)) == ["m0", "m1", "m2"]
    hot = twice | {"repeat_temperature": 0.7}
    assert names(drafted(three(make, cascade=hot), make, alike=True)) == ["m0", "m0", "m1", "m2"]
    for rules in ({"drafts": (0, 0)}, {"believe": ((0, 0),)}):
        alone = three(make, cascade=twice | rules)
        assert drafted(alone, make).drafting is not None
        assert "it says the same twice" in why_not(alone, make, alike=True)


def test_nobody_drafts_for_a_cheap_tier_that_is_good_enough(make: SimpleNamespace) -> None:
    decision = drafted(three(make, keep_quality=0.5), make)
    assert (names(decision)[0], decision.reason, decision.drafting) == ("m0", "good_enough", None)


def test_nor_where_the_stakes_are_high(make: SimpleNamespace) -> None:
    decision = drafted(three(make), make, stakes_high=True)
    assert decision.drafting is None
    assert names(decision)[0] == "m2"


def test_nor_where_no_cascade_is_asked_for(make: SimpleNamespace) -> None:
    house = make.house([make.deployment(0, quality=0.6)], [make.deployment(1, quality=0.95, price=make.price(10.0))])
    assert drafted(house, make).drafting is None


def why_not(house: Any, make: SimpleNamespace, **change: Any) -> str:
    decision = drafted(house, make, **change)
    assert decision.drafting is None
    assert decision.reason == "top_tier"
    ((index, code, have, need),) = decision.ruled_out
    assert index == 0
    return objection_sentence(code, have, need)


def test_what_speaks_against_a_draft_is_told(make: SimpleNamespace) -> None:
    assert "chance of 36 %, under 50 %" in why_not(three(make, cascade={"min_p_good": 0.5}), make, complexity=1.0)
    slow = three(make, load={0: make.lately(latency_ms=900), 2: make.lately(latency_ms=400, ttft_ms=100)})
    assert "it took 1300 ms, over 1200 ms" in why_not(slow, make, deadline_ms=1_200)
    assert drafted(slow, make, deadline_ms=1_300).drafting is not None
    slow = three(
        make, max_ttft_ms=950, load={0: make.lately(latency_ms=900), 2: make.lately(latency_ms=400, ttft_ms=100)}
    )
    assert "it took 1000 ms, over 950 ms" in why_not(slow, make)
    dear = three(make, prices=(7.0, 7.0, 10.0))
    assert "is expected, over" in why_not(dear, make)
    assert "its price by the token is unknown" in why_not(three(make, prices=(None, 0.2, 10.0)), make)
    assert "what the answer costs by the token is unknown" in why_not(three(make, prices=(0.1, 0.2, None)), make)


def test_a_limit_on_the_cost_holds_for_drafts_and_answer_together(make: SimpleNamespace) -> None:
    house = three(make, prices=(1.0, 1.0, 10.0))
    alone = drafted(house, make, complexity=0.5)
    assert alone.drafting is not None
    together = alone.predicted_nusd + alone.drafting.predicted_nusd  # type: ignore[operator]
    assert drafted(house, make, max_cost_nusd=together).drafting is not None
    assert drafted(house, make, max_cost_nusd=together - 1).drafting is None


def test_drafts_come_from_the_privacy_set_and_the_key_covers_them(make: SimpleNamespace) -> None:
    tiers = [
        [make.deployment(0, quality=0.6, price=make.price(0.1), zone="third_party")],
        [make.deployment(1, quality=0.95, price=make.price(10.0))],
        [make.deployment(2, quality=0.96, price=make.price(20.0))],
    ]
    house = make.house(*tiers, cascade=Cascade(**RULES), keep_quality=0.999)
    for data_class, drafts in (("internal", 1), ("restricted", 1)):
        decision = drafted(house, make, data_class=data_class)
        assert {each.deployment.index for each in decision.order} <= decision.allowed
        assert all(each.data_class == data_class for each in decision.order)
        assert decision.drafting is not None
        assert decision.drafting.count == drafts
        assert (names(decision)[0] == "m0") is (data_class == "internal")


def test_a_busy_or_failing_deployment_does_not_draft(make: SimpleNamespace) -> None:
    assert names(drafted(three(make, load={0: make.lately(healthy=False)}), make)) == ["m1", "m2"]
    agreeing = three(make, cascade={"check": ("agreement",)}, load={0: make.lately(in_flight=8)})
    assert drafted(agreeing, make).drafting is None
    pairs = {"check": ("agreement",), "drafts": (0, 1), "believe": ((0, 1),)}
    assert drafted(three(make, cascade=pairs), make).drafting is not None
