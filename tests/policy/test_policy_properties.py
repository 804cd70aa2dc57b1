"""What holds for every configuration, every load and every request."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.config.settings import DATA_CLASSES
from twintrack.config.snapshot import PrivacyRule, TokenPrice
from twintrack.errors import NoEligibleModel, PromptTooLong, Unavailable
from twintrack.policy.checks import lasting_objection, modality_bits, passing_objection
from twintrack.policy.compiled import privacy_set
from twintrack.policy.objections import PASSING

ZONES = ("own", "contracted", "third_party")
REGIONS = ("", "eu-west", "us")

RULE = st.builds(
    PrivacyRule,
    st.lists(st.sampled_from(ZONES), unique=True, max_size=3).map(tuple),
    st.lists(st.sampled_from(("*", "eu-*", "us")), min_size=1, max_size=2).map(tuple),
)
RULES = st.fixed_dictionaries(dict.fromkeys(DATA_CLASSES, RULE))
SHORT = st.integers(0, 3 * 10**9)
PRICE = st.builds(TokenPrice, SHORT, SHORT, SHORT, SHORT)
LONG_PRICE = st.builds(TokenPrice, SHORT, SHORT, SHORT, SHORT, st.integers(1, 3_000), PRICE)
DEPLOYMENT = st.fixed_dictionaries(
    {
        "zone": st.sampled_from(ZONES),
        "region": st.sampled_from(REGIONS),
        "dialects": st.sampled_from((("openai",), ("openai", "anthropic"), ("anthropic",))),
        "quality": st.floats(0.3, 1.0),
        "price": st.none() | PRICE | LONG_PRICE,
        "per_hour_nusd": st.sampled_from((0, 0, 10**9)),
        "context_tokens": st.sampled_from((0, 2_000, 32_000)),
        "max_output_tokens": st.sampled_from((0, 500, 4_000)),
        "modalities": st.sampled_from((("text",), ("text", "image"))),
        "tools": st.booleans(),
        "embeddings": st.sampled_from((False, False, False, True)),
        "max_in_flight": st.integers(1, 3),
    }
).map(lambda values: values | ({"price": None} if values["per_hour_nusd"] else {}))
TIERS = st.lists(st.lists(DEPLOYMENT, min_size=1, max_size=3), min_size=1, max_size=3)
LATELY = st.fixed_dictionaries(
    {
        "in_flight": st.integers(0, 3),
        "healthy": st.sampled_from((True, True, False)),
        "ttft_ms": st.sampled_from((0, 200, 2_000)),
        "latency_ms": st.sampled_from((0, 900, 9_000)),
    }
)
REQUEST = st.fixed_dictionaries(
    {
        "endpoint": st.sampled_from(("chat", "chat", "embeddings")),
        "prompt_tokens_est": st.integers(0, 40_000),
        "output_tokens_est": st.integers(0, 2_000),
        "max_output_tokens": st.sampled_from((0, 0, 400, 2_000)),
        "modalities": st.sampled_from((("text",), ("text",), ("text", "image"))),
        "tools": st.booleans(),
        "complexity": st.floats(0.0, 1.0),
        "data_class": st.sampled_from(DATA_CLASSES),
        "deadline_ms": st.none() | st.sampled_from((500, 5_000)),
        "max_cost_nusd": st.none() | st.integers(0, 10**8),
        "stakes_high": st.booleans(),
    }
)
ROUTE = st.fixed_dictionaries(
    {
        "keep_quality": st.floats(0.0, 1.0),
        "max_nusd_per_request": st.sampled_from((-1, -1, 10**6, 10**8)),
        "max_ttft_ms": st.sampled_from((-1, -1, 1_000)),
    }
)
FEW = settings(max_examples=150, deadline=None)


def build(make, tiers, loads, rules, route):
    index = iter(range(100))
    made = [[make.deployment(next(index), **values) for values in tier] for tier in tiers]
    count = sum(map(len, tiers))
    load = {at: make.lately(**loads[at % len(loads)]) for at in range(count)} if loads else {}
    return make.house(*made, privacy=rules, load=load, **route)


def check_refusal(refused, count):
    assert {ruled[0] for ruled in refused.ruled_out} == set(range(count))
    assert (refused.status == 503) == any(ruled[1] in PASSING for ruled in refused.ruled_out)
    assert refused.why


@FEW
@given(TIERS, st.lists(LATELY, max_size=4), RULES, ROUTE, REQUEST, st.binary(max_size=8))
def test_whoever_is_asked_may_see_it_and_can_answer(make, tiers, loads, rules, route, request_, affinity):
    home = build(make, tiers, loads, rules, route)
    allowed = privacy_set(home.policy.snapshot, request_["data_class"])
    signals = make.signals(**request_)
    limits = [each for each in (route["max_nusd_per_request"], signals.max_cost_nusd) if each not in (None, -1)]
    deadline_ms = -1 if signals.deadline_ms is None else signals.deadline_ms
    try:
        decision = home.decide(affinity=affinity, **request_)
    except (NoEligibleModel, PromptTooLong, Unavailable) as refused:
        check_refusal(refused, len(home.load))
        return
    indexes = [each.deployment.index for each in decision.order]
    assert decision.allowed == allowed
    assert set(indexes) <= allowed
    assert len(set(indexes)) == len(indexes)
    assert not set(indexes) & {ruled[0] for ruled in decision.ruled_out}
    assert (decision.deployment, decision.order[0].deployment.index) == (indexes[0], indexes[0])
    assert all(each.data_class == request_["data_class"] for each in decision.order)
    for index in indexes:
        candidate = home.policy.candidate(index, signals.data_class, signals.endpoint)
        assert not isinstance(candidate, tuple)
        bits = modality_bits(signals.modalities)
        assert lasting_objection(candidate, signals, bits, min(limits, default=-1)) is None
        assert passing_objection(candidate, home.load[index], route["max_ttft_ms"], deadline_ms) is None


@FEW
@given(TIERS, RULES)
def test_raising_the_class_never_enlarges_the_allowed_set(make, tiers, rules):
    snapshot = build(make, tiers, [], rules, {}).policy.snapshot
    sets = [privacy_set(snapshot, data_class) for data_class in DATA_CLASSES]
    assert all(higher <= lower for lower, higher in pairwise(sets))


@FEW
@given(TIERS, st.lists(LATELY, max_size=4), RULES, ROUTE, REQUEST, st.floats(0.0, 1.0))
def test_a_harder_request_never_goes_to_a_cheaper_tier(make, tiers, loads, rules, route, request_, complexity):
    home = build(make, tiers, loads, rules, route)
    easy, hard = sorted((request_["complexity"], complexity))
    try:
        picks = [home.decide(**request_ | {"complexity": each, "stakes_high": False}) for each in (easy, hard)]
    except (NoEligibleModel, PromptTooLong, Unavailable):
        return
    assert picks[0].tier <= picks[1].tier


@FEW
@given(TIERS, st.lists(LATELY, max_size=4), RULES, ROUTE, REQUEST)
def test_with_full_quality_kept_none_worse_is_chosen(make, tiers, loads, rules, route, request_):
    home = build(make, tiers, loads, rules, route | {"keep_quality": 1.0})
    try:
        decision = home.decide(**request_)
    except (NoEligibleModel, PromptTooLong, Unavailable):
        return
    if decision.reason in ("good_enough", "top_tier", "only_one"):
        deployments = home.policy.snapshot.deployments
        able = [
            (tier, deployments[index].quality)
            for tier, each in enumerate(home.route.tiers)
            for index in each.deployments
            if index not in {ruled[0] for ruled in decision.ruled_out if ruled[1] not in PASSING}
        ]
        last = max(tier for tier, _ in able)
        assert deployments[decision.deployment].quality >= max(quality for tier, quality in able if tier == last)


@FEW
@given(TIERS, st.lists(LATELY, max_size=4), RULES, ROUTE, REQUEST, st.binary(max_size=8))
def test_the_same_question_has_the_same_answer(make, tiers, loads, rules, route, request_, affinity):
    home, again = (build(make, tiers, loads, rules, route) for _ in range(2))
    try:
        decision = home.decide(affinity=affinity, **request_)
    except (NoEligibleModel, PromptTooLong, Unavailable):
        return
    other = again.decide(affinity=affinity, **request_)
    assert decision.deployment == other.deployment
    assert [each.deployment.index for each in decision.order] == [each.deployment.index for each in other.order]
    assert decision.ruled_out == other.ruled_out
