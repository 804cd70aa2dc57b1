"""What is agreed with a provider, and by whose rules: each demand, what it rules out, and what it says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from twintrack.config.rules import day
from twintrack.config.snapshot import Key, Narrowing, PrivacyRule, Tenant, Terms
from twintrack.policy.choose import NobodyMay, NobodyReady
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import PRIVACY

ALL = ("own", "contracted", "third_party")
ANY = PrivacyRule(ALL, ("*",))
NO_TERMS = Terms("", -1, None, baa=False, dpa=False, persons=(), until_day=-1)


def terms(**change: Any) -> Terms:
    return msgspec.structs.replace(NO_TERMS, **change)


def rule(**change: Any) -> PrivacyRule:
    return msgspec.structs.replace(ANY, **change)


def firm(make: Any, record: Terms | None, index: int = 0, zone: str = "contracted", **more: Any) -> Any:
    return make.deployment(index, zone=zone, terms=record, **more)


def said(make: Any, home: Any, **request: Any) -> str:
    """The sentence against the only deployment; empty: it may."""
    try:
        home.decide(**request)
    except NobodyMay as refused:
        (ruled,) = refused.ruled_out
        assert ruled[1] in PRIVACY
        return objection_sentence(*ruled[1:])
    return ""


@pytest.mark.parametrize(
    ("asked", "record", "why"),
    [
        ({"max_retention_days": 0}, None, "may go to no provider that keeps it, and how long this one does is not on"),
        ({"max_retention_days": 0}, {"retention_days": 30}, "and this one keeps it for 30 days"),
        ({"max_retention_days": 7}, {"retention_days": 8}, "providers only that keep it for at most 7 days"),
        ({"max_retention_days": 7}, {"retention_days": 7}, ""),
        ({"max_retention_days": 0}, {"retention_days": 0}, ""),
        ({"no_training": True}, None, "no record says that this one does not"),
        ({"no_training": True}, {}, "no record says that this one does not"),
        ({"no_training": True}, {"trains_on_data": True}, "and this one does"),
        ({"no_training": True}, {"trains_on_data": False}, ""),
        ({"baa": True}, {"dpa": True}, "asks for a business associate agreement, and there is none on record"),
        ({"baa": True}, {"baa": True}, ""),
        ({"dpa": True}, {"baa": True}, "asks for a data processing agreement, and there is none on record"),
        ({"dpa": True}, {"dpa": True}, ""),
        ({"persons": ("us",)}, None, "and who has access here is not on record"),
        ({"persons": ("us",)}, {"persons": ("us", "in")}, "and others may have access here"),
        ({"persons": ("us", "ca")}, {"persons": ("us",)}, ""),
        ({"providers": ("q", "a*")}, {}, "may go to certain providers only, and this is none of them"),
        ({"providers": ("p*",)}, {}, ""),
        ({"regions": ("eu-*",)}, {"storage_region": "us-east"}, "and its provider keeps what it gets in another"),
        ({"regions": ("eu-*",)}, {"storage_region": "eu-north"}, ""),
    ],
)
def test_what_no_record_says_is_not_agreed(make, asked, record, why):
    privacy = make.default_privacy | {"confidential": rule(zones=("own", "contracted"), **asked)}
    home = make.house([firm(make, None if record is None else terms(**record))], privacy=privacy)
    for data_class in ("confidential", "restricted") if why else ("confidential",):
        sentence = said(make, home, data_class=data_class)
        if why and "stays on your own" not in sentence:
            assert sentence.startswith("confidential data and above ")
            assert why in sentence
        assert bool(sentence) == bool(why)
    assert said(make, home, data_class="internal") == ""


def test_our_own_machines_need_no_contract_but_a_record_of_who_reaches_them(make):
    strict = rule(zones=("own",), max_retention_days=0, no_training=True, baa=True, dpa=True)
    home = make.house([firm(make, None, zone="own")], privacy=make.default_privacy | {"restricted": strict})
    assert said(make, home, data_class="restricted") == ""
    export = make.default_privacy | {"restricted": rule(zones=("own",), persons=("us",))}
    assert "who has access here" in said(
        make, make.house([firm(make, None, zone="own")], privacy=export), data_class="restricted"
    )
    known = firm(make, terms(persons=("us",)), zone="own")
    assert said(make, make.house([known], privacy=export), data_class="restricted") == ""


class TestExpiry:
    @pytest.mark.parametrize(("until", "may"), [(-1, True), (20_000, True), (19_999, False)])
    @pytest.mark.parametrize("asked", [{"baa": True}, {"max_retention_days": 0}, {}])
    def test_a_record_holds_to_the_end_of_its_last_day(self, make, asked, until, may):
        """Contracted without a contract is a third party, whatever else is asked."""
        record = terms(baa=True, retention_days=0, until_day=until)
        privacy = make.default_privacy | {"confidential": rule(zones=("own", "contracted"), **asked)}
        home = make.house([firm(make, record)], privacy=privacy)
        sentence = said(make, home, data_class="confidential")
        assert bool(sentence) != may
        if not may:
            assert sentence.endswith("and its record expired on 2024-10-03")
        assert said(make, home, data_class="internal") == ""

    def test_who_does_not_know_the_day_takes_it_as_ended(self, make):
        home = make.house([firm(make, terms(baa=True, until_day=10**7))])
        assert 0 in home.policy.view("confidential").allowed
        assert 0 not in home.policy.on(float("inf")).view("confidential").allowed

    def test_the_policy_says_how_long_it_holds(self, make):
        ends = [terms(until_day=end) for end in (20_010, 20_005, -1, 19_000)]
        home = make.house([firm(make, record, index) for index, record in enumerate(ends)])
        assert home.policy.until_day == 20_005
        assert home.policy.on(20_006).until_day == 20_010
        assert home.policy.on(20_011).until_day == float("inf")
        assert home.policy.on(20_006).view("confidential").allowed == {0, 2}

    def test_days_are_days(self):
        assert day("1970-01-02") == 1
        assert day("2024-10-04") == 20_000
        assert [day(text) for text in ("", "2024-13-01", "20241004", "2024-W40-5", "soon")] == [None] * 5


CLOSED = Narrowing({"internal": PrivacyRule(("own",), ("*",))})


def two(make: Any) -> list[Any]:
    return [make.deployment(0), make.deployment(1, zone="third_party", quality=0.99)]


class TestNarrowing:
    """Routes, keys and tenants have rules of their own."""

    def test_of_a_route(self, make):
        home = make.house(two(make), privacy_of_route=CLOSED)
        decision = home.decide(stakes_high=True)
        assert decision.allowed == {0}
        assert objection_sentence(*decision.ruled_out[0][1:]) == (
            "by its route's rules internal data and above stays on your own machines, and this is a third party"
        )
        assert home.decide(data_class="public").allowed == {0, 1}
        assert home.named(1).allowed == {0, 1}, "a client that names a deployment does not ask the route"

    @pytest.mark.parametrize("whose", ["key", "tenant"])
    def test_of_a_key_and_its_tenant(self, make, whose):
        mine, theirs = (CLOSED, Narrowing()) if whose == "key" else (Narrowing(), CLOSED)
        keys = (
            make.key(0, "*"),
            Key(1, "k", b"1" * 32, "public", ("*",), tenant=0, privacy=mine),
        )
        home = make.house(two(make), keys=keys, tenants=(Tenant(0, "clinic", theirs),))
        assert home.decide(key=0).allowed == {0, 1}
        assert home.decide(key=1).allowed == {0}
        assert home.decide(key=-1).allowed == {0, 1}
        with pytest.raises(NobodyMay) as caught:
            home.named(1, key=1)
        place = "[keys.privacy.internal] of key k" if whose == "key" else "[tenants.clinic.privacy.internal]"
        assert f"By {place} a deployment in zone own would serve it." in caught.value.fix
        assert f"by its {whose}'s rules internal data and above" in caught.value.why

    def test_they_only_narrow(self, make):
        wide = Narrowing({"restricted": ANY, "internal": ANY})
        keys = (Key(0, "k", b"1" * 32, "public", ("*",), tenant=0, privacy=wide),)
        home = make.house(two(make), keys=keys, tenants=(Tenant(0, "t", wide),), privacy_of_route=wide)
        assert home.decide(key=0, data_class="restricted").allowed == {0}

    def test_keys_with_the_same_rules_share_what_was_computed(self, make):
        keys = tuple(Key(at, f"k{at}", bytes([at]) * 32, "public", ("*",), privacy=CLOSED) for at in range(3))
        policy = make.house(two(make), keys=keys).policy
        first = policy.view("internal", key=0)
        assert policy.view("internal", key=2) is first
        assert policy.lane(policy.snapshot.routes[0], "internal", "chat", 1) is policy.lane(
            policy.snapshot.routes[0], "internal", "messages", 2
        )
        assert policy.view("internal") is not first

    def test_of_what_was_found_whatever_its_class(self, make):
        signed = firm(make, terms(baa=True), 0)
        unsigned = firm(make, terms(dpa=True), 1)
        home = make.house([signed, unsigned], categories={"phi": rule(baa=True), "vines": rule(zones=())})
        assert home.decide(data_class="public").allowed == {0, 1}
        decision = home.decide(data_class="public", categories=("pii", "phi"))
        assert decision.allowed == {0}
        assert objection_sentence(*decision.ruled_out[0][1:]) == (
            "health data asks for a business associate agreement, and there is none on record"
        )
        with pytest.raises(NobodyMay) as caught:
            home.decide(categories=("vines",))
        assert "data of a category of your own may go nowhere" in caught.value.why
        assert caught.value.fix.startswith("By [privacy.categories.NAME] no deployment may serve it")


class TestWhatClientsAreTold:
    def test_who_would_serve_it_and_whose_rule_that_is(self, make):
        privacy = make.default_privacy | {
            "confidential": rule(
                zones=("own", "contracted"), regions=("eu-*",), max_retention_days=0, no_training=True, baa=True
            )
        }
        home = make.house([firm(make, None)], privacy=privacy)
        with pytest.raises(NobodyMay) as caught:
            home.decide(data_class="confidential")
        assert caught.value.fix == (
            "By [privacy.confidential] a deployment in zone own or contracted, in region eu-*, with no retention, no "
            "training and a BAA on record would serve it. Add one, or label the request with the class it really has."
        )

    def test_what_was_found_is_told_since_no_label_would_help(self, make):
        home = make.house([firm(make, None)])
        with pytest.raises(NobodyMay) as caught:
            home.decide(data_class="restricted", categories=("pii", "secret"))
        assert caught.value.fix.endswith("Add one, or leave out what was found in the request (pii, secret).")

    def test_who_could_serve_it_in_a_moment(self, make):
        home = make.house(two(make), load={0: make.lately(healthy=False)})
        with pytest.raises(NobodyReady) as caught:
            home.decide(data_class="restricted")
        assert caught.value.what == "No deployment that may see restricted data can answer right now"
        assert caught.value.why == "m0: its last requests failed"
        assert caught.value.status == 503
