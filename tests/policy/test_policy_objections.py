"""Each hard objection: what it rules out, what it leaves, and what it says."""

from __future__ import annotations

import pytest

from twintrack.config.snapshot import PrivacyRule
from twintrack.errors import Forbidden, NoEligibleModel, PromptTooLong, Unavailable
from twintrack.policy.admitted import Admitted
from twintrack.policy.choose import KeyMayNot, NobodyMay, NobodyReady, TooLongForAll
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import CODES, region_matches


def test_restricted_data_never_leaves_our_machines(make):
    home = make.house([make.deployment(0)], [make.deployment(1, zone="third_party", quality=0.99)])
    decision = home.decide(data_class="restricted", complexity=1.0, stakes_high=True)
    assert [each.deployment.index for each in decision.order] == [0]
    assert decision.allowed == {0}
    assert [ruled[:2] for ruled in decision.ruled_out] == [(1, "zone")]
    assert objection_sentence(*decision.ruled_out[0][1:]) == (
        "restricted data stays on your own machines, and this is a third party"
    )


def test_confidential_data_stays_in_its_regions(make):
    rules = make.default_privacy | {"confidential": PrivacyRule(("own", "contracted"), ("eu-*",))}
    home = make.house(
        [
            make.deployment(0, region="eu-west"),
            make.deployment(1, region="us"),
            make.deployment(2, region=""),
        ],
        privacy=rules,
    )
    decision = home.decide(data_class="confidential")
    assert decision.allowed == {0}
    assert [objection_sentence(*ruled[1:]) for ruled in decision.ruled_out] == [
        "confidential data and above may be processed in certain regions only, and this region is not one of them",
        "confidential data and above may be processed in certain regions only, and where this one is, is not known",
    ]


def test_a_rule_of_a_lower_class_holds_for_the_higher_ones_too(make):
    """A file that forgets to repeat a rule does not open a door."""
    rules = make.default_privacy | {
        "confidential": PrivacyRule(("own",), ("eu-*",)),
        "restricted": PrivacyRule(("own", "third_party"), ("*",)),
    }
    home = make.house([make.deployment(0), make.deployment(1, zone="third_party")], privacy=rules)
    assert home.decide(data_class="restricted").allowed == {0}


@pytest.mark.parametrize(
    ("region", "pattern", "matches"),
    [
        ("eu-west", "eu-*", True),
        ("EU-West", "eu-*", True),
        ("us", "eu-*", False),
        ("", "eu-*", False),
        ("", "*", True),
        ("", "?*", False),
        ("", "**", False),
    ],
)
def test_an_unknown_region_matches_only_the_star(region, pattern, matches):
    assert region_matches(region, pattern) is matches


LASTING = [
    ("endpoint", {"embeddings": True}, {}),
    ("endpoint", {}, {"endpoint": "embeddings"}),
    ("dialect", {"dialects": ("anthropic",), "embeddings": True}, {"endpoint": "embeddings"}),
    ("modality", {"modalities": ("text",)}, {"modalities": ("text", "image")}),
    ("modality", {}, {"modalities": ("text", "smell")}),
    ("tools", {"tools": False}, {"tools": True}),
    ("context", {"context_tokens": 1_200}, {"max_output_tokens": 300}),
    ("output", {"max_output_tokens": 100}, {"max_output_tokens": 300}),
    ("cost", {}, {"max_cost_nusd": 1}),
    ("cost_unknown", {"price": None}, {"max_cost_nusd": 10**9}),
]


@pytest.mark.parametrize(("code", "unable", "request_"), LASTING)
def test_a_lasting_objection_passes_over_a_deployment(make, code, unable, request_):
    able = {
        "embeddings": request_.get("endpoint") == "embeddings",
        "modalities": ("text", "image"),
        "price": make.price(0.0),
    }
    if "smell" in request_.get("modalities", ()):
        with pytest.raises(NobodyMay):
            make.house([make.deployment(0, **unable)]).decide(**request_)
        return
    home = make.house([make.deployment(0, **unable)], [make.deployment(1, **able)], keep_quality=0.0)
    decision = home.decide(**request_)
    assert decision.deployment == 1
    assert [ruled[:2] for ruled in decision.ruled_out] == [(0, code)]
    assert objection_sentence(*decision.ruled_out[0][1:])


@pytest.mark.parametrize(("code", "unable", "request_"), [each for each in LASTING if each[0] != "context"])
def test_if_it_stands_against_all_the_request_is_refused_for_good(make, code, unable, request_):
    with pytest.raises(NobodyMay) as caught:
        make.house([make.deployment(0, **unable)]).decide(**request_)
    error = caught.value
    assert isinstance(error, NoEligibleModel)
    assert error.status == 422
    assert [ruled[:2] for ruled in error.ruled_out] == [(0, code)]
    assert objection_sentence(*error.ruled_out[0][1:]) in error.why
    assert error.fix


def test_a_prompt_too_long_for_all_is_the_clients_to_shorten(make):
    home = make.house([make.deployment(0, context_tokens=1_200)], [make.deployment(1, context_tokens=2_400)])
    with pytest.raises(TooLongForAll) as caught:
        home.decide(prompt_tokens_est=3_000, max_output_tokens=300)
    error = caught.value
    assert isinstance(error, PromptTooLong)
    assert (error.status, error.code) == (400, "context_length_exceeded")
    assert (error.prompt_tokens, error.output_tokens, error.window_tokens) == (3_000, 300, 2_400)
    assert str(error) == (
        "This model's maximum context length is 2400 tokens. However, your messages resulted in 3000 tokens. "
        "m0: prompt and allowed output have about 3300 tokens, its window is 1200; "
        "m1: prompt and allowed output have about 3300 tokens, its window is 2400. "
        "Shorten the prompt, allow less output, or add a deployment with a larger window."
    )
    assert error.ruled_out == ((0, "context", 1_200, 3_300), (1, "context", 2_400, 3_300))


@pytest.mark.parametrize(
    ("other", "request_"),
    [
        ({"zone": "third_party"}, {"data_class": "restricted"}),
        ({"modalities": ("text",)}, {"modalities": ("text", "image")}),
        ({"price": 9.0}, {"max_cost_nusd": 10_000_000}),
    ],
)
def test_so_it_is_where_only_those_with_small_windows_may_answer_at_all(make, other, request_):
    if "price" in other:
        other = {"price": make.price(other["price"])}
    home = make.house([make.deployment(0, context_tokens=900)], [make.deployment(1, **other)])
    with pytest.raises(TooLongForAll) as caught:
        home.decide(**request_)
    assert caught.value.window_tokens == 900
    assert [code for _, code, _, _ in caught.value.ruled_out] != ["context", "context"]
    assert home.decide(prompt_tokens_est=800, **request_).deployment == 0


def test_who_may_answer_in_a_moment_need_not_be_asked_less(make):
    home = make.house(
        [make.deployment(0, context_tokens=900)], [make.deployment(1)], load={1: make.lately(healthy=False)}
    )
    with pytest.raises(NobodyReady):
        home.decide()


PASSING = [
    ("unhealthy", {"healthy": False}, {}, {}),
    ("busy", {"in_flight": 8}, {}, {}),
    ("ttft", {"ttft_ms": 900}, {}, {"max_ttft_ms": 800}),
    ("latency", {"latency_ms": 900}, {"deadline_ms": 800}, {}),
]


@pytest.mark.parametrize(("code", "lately", "request_", "route"), PASSING)
def test_a_passing_objection_is_unavailability(make, code, lately, request_, route):
    home = make.house([make.deployment(0)], load={0: make.lately(**lately)}, **route)
    with pytest.raises(NobodyReady) as caught:
        home.decide(**request_)
    error = caught.value
    assert isinstance(error, Unavailable)
    assert error.status == 503
    assert [ruled[:2] for ruled in error.ruled_out] == [(0, code)]


@pytest.mark.parametrize(("code", "lately", "request_", "route"), [each for each in PASSING if each[0] != "busy"])
def test_a_named_deployment_is_tried_however_it_fares(make, code, lately, request_, route):
    home = make.house([make.deployment(0)], load={0: make.lately(**lately)}, **route)
    assert home.named(0, **request_).deployment == 0


def test_but_not_beyond_what_it_may_be_asked_at_once(make):
    with pytest.raises(NobodyReady) as caught:
        make.house([make.deployment(0)], load={0: make.lately(in_flight=8)}).named(0)
    assert caught.value.ruled_out == ((0, "busy", 8, 8),)


def test_busy_tells_how_many_and_how_many_at_most(make):
    home = make.house([make.deployment(0), make.deployment(1)], load={0: make.lately(in_flight=9)})
    assert home.decide().ruled_out == ((0, "busy", 9, 8),)


def test_what_was_never_measured_passes(make):
    home = make.house([make.deployment(0)], max_ttft_ms=1)
    assert home.decide(deadline_ms=1).deployment == 0


def test_an_unknown_window_is_no_reason_to_refuse(make):
    home = make.house([make.deployment(0, context_tokens=0, max_output_tokens=0)])
    assert home.decide(prompt_tokens_est=10**7, max_output_tokens=10**6).deployment == 0


def test_cost_limits_of_label_and_route_both_hold(make):
    """1,000 tokens in and 500 out at $1 and $4 a million are $0.003."""
    home = make.house([make.deployment(0)], max_nusd_per_request=3_000_000)
    assert home.decide().predicted_nusd == 3_000_000
    with pytest.raises(NobodyMay) as caught:
        home.decide(max_cost_nusd=2_999_999)
    assert caught.value.ruled_out == ((0, "cost", 2_999_999, 3_000_000),)
    assert "would cost about $0.003, the limit is $0.002999999" in caught.value.why
    with pytest.raises(NobodyMay):
        make.house([make.deployment(0)], max_nusd_per_request=2_999_999).decide(max_cost_nusd=10**12)


def test_a_deployment_charged_by_the_hour_keeps_every_limit_and_has_no_predicted_cost(make):
    home = make.house([make.deployment(0, price=None, per_hour_nusd=10**9)], max_nusd_per_request=0)
    assert home.decide().predicted_nusd is None


def test_an_unknown_price_is_unknown_and_usable_without_a_limit(make):
    assert make.house([make.deployment(0, price=None)]).decide().predicted_nusd is None


def test_a_key_that_covers_a_route_reaches_what_is_behind_it(make):
    home = make.house([make.deployment(0), make.deployment(1)], keys=(make.key(0, "aut?"),))
    assert not home.decide(key=0).ruled_out


def test_a_key_that_covers_a_deployment_only_reaches_no_other(make):
    home = make.house([make.deployment(0), make.deployment(1)], keys=(make.key(0, "m1"),))
    decision = home.decide(key=0)
    assert (decision.deployment, decision.ruled_out) == (1, ((0, "key", 0, 1),))


def test_a_key_that_covers_nothing_is_forbidden(make):
    home = make.house([make.deployment(0)], keys=(make.key(0, "other"),))
    for ask in (lambda: home.decide(key=0), lambda: home.named(0, key=0)):
        with pytest.raises(KeyMayNot) as caught:
            ask()
        assert isinstance(caught.value, Forbidden)
        assert caught.value.ruled_out == ((0, "key", 0, 1),)


def test_if_some_could_answer_later_only_what_stands_against_those_is_told(make):
    home = make.house(
        [make.deployment(0), make.deployment(1, zone="third_party")], load={0: make.lately(healthy=False)}
    )
    with pytest.raises(NobodyReady) as caught:
        home.decide(data_class="restricted")
    assert caught.value.why == "m0: its last requests failed"
    assert len(caught.value.ruled_out) == 2


# ---- named


@pytest.mark.parametrize(
    ("unable", "request_"),
    [(unable, request_) for code, unable, request_ in LASTING if code != "context"],
)
def test_lasting_objections_hold_for_a_named_deployment(make, unable, request_):
    with pytest.raises(NobodyMay):
        make.house([make.deployment(0, **unable)]).named(0, **request_)


def test_privacy_holds_for_a_named_deployment(make):
    home = make.house([make.deployment(0, zone="third_party")])
    with pytest.raises(NobodyMay) as caught:
        home.named(0, data_class="restricted")
    assert caught.value.ruled_out[0][1] == "zone"


def test_an_estimate_does_not_overrule_a_client_that_names_its_deployment(make):
    assert make.house([make.deployment(0, context_tokens=10)]).named(0).reason == "named"


def test_a_named_decision_has_no_tier_no_prediction_of_quality_and_itself_as_baseline(make):
    decision = make.house([make.deployment(0)], [make.deployment(1)]).named(0)
    assert (decision.tier, decision.p_good, decision.baseline, decision.reason) == (-1, None, 0, "named")
    assert [each.deployment.index for each in decision.order] == [0]


# ---- the permission itself


def test_nobody_but_the_policy_makes_a_permission(make):
    with pytest.raises(TypeError):
        Admitted(make.deployment(0), "public", object())  # type: ignore[arg-type]


def test_a_permission_cannot_be_changed(make):
    admitted = make.house([make.deployment(0)]).decide().order[0]
    with pytest.raises(AttributeError):
        admitted.deployment = make.deployment(0, zone="third_party")
    assert repr(admitted) == "Admitted('m0', 'internal')"


def test_other_hops_ask_for_permission_too(make):
    policy = make.house([make.deployment(0), make.deployment(1, zone="third_party")]).policy
    admitted, objection = policy.view("restricted").admissions
    assert isinstance(objection, tuple)
    assert isinstance(admitted, Admitted)
    assert admitted.deployment.index == 0


def test_every_code_has_its_sentence_and_an_unknown_one_does_not_break():
    for code in CODES:
        assert "another version" not in objection_sentence(code, 0, 1)
    assert "another version" in objection_sentence("from_the_future", 1, 2)
