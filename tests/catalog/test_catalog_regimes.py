"""Laws as rules over terms, zones and places: an offer is no contract, and what is not known is not met."""

from __future__ import annotations

import re

import pytest

from twintrack.catalog.providers import providers
from twintrack.catalog.regimes import demands, eligible, regimes, terms
from twintrack.errors import BadRequest

ON = "2026-11-30"


def verdicts(*names, **said):
    return [each.verdict for each in demands(names, **{"zone": "contracted", "on": ON, **said})]


def test_hipaa_takes_an_agreement_and_is_no_ban():
    assert verdicts("hipaa", provider="openai") == ["needs"]
    assert verdicts("hipaa", provider="openai", signed=["baa"]) == ["met"]
    assert verdicts("hipaa", provider="deepseek") == ["not_met"]
    assert verdicts("hipaa", provider="groq") == ["unknown"]


def test_an_offer_counts_once_it_can_be_made_and_what_is_unknown_never_does():
    assert eligible(demands(["hipaa"], zone="contracted", provider="openai", on=ON))
    assert not eligible(demands(["hipaa"], zone="contracted", provider="groq", on=ON))


@pytest.mark.parametrize(
    ("region", "provider", "signed", "verdict"),
    [
        ("aws/eu-central-1", "bedrock", (), "met"),
        ("eu-central-1", "bedrock", (), "met"),
        ("swedencentral", "azure", (), "met"),
        ("us-east-1", "bedrock", (), "needs"),  # clauses stand in for the place
        ("us-east-1", "bedrock", ("scc",), "met"),
        ("us-east-1", "groq", (), "not_met"),
        ("CHN", "deepseek", (), "not_met"),
        ("atlantis-1", "groq", (), "unknown"),
        ("", "groq", (), "unknown"),
    ],
)
def test_personal_data_stay_in_the_economic_area_or_travel_under_clauses(region, provider, signed, verdict):
    assert verdicts("gdpr", provider=provider, region=region, signed=("dpa", *signed))[-1] == verdict


def test_arms_data_need_us_persons_and_us_soil():
    found = verdicts("itar", provider="bedrock", region="us-gov-west-1")
    assert found == ["unknown", "met"]
    assert verdicts("itar", provider="bedrock", region="eu-west-1", signed=["us_persons"]) == ["met", "not_met"]


def test_own_machines_need_no_contract_but_have_duties_and_a_place():
    (place, duties) = demands(["itar"], zone="own", region="DEU", on=ON)
    assert place.verdict == "not_met"
    assert "US persons" in duties.why
    (duties,) = demands(["hipaa"], zone="own", on=ON)
    assert duties.verdict == "met"


def test_the_ai_act_says_what_is_still_to_come_on_the_day_asked():
    now = [each.why for each in demands(["ai_act"], zone="third_party", on=ON)]
    assert [why[5:15] for why in now] == ["2026-12-02", "2027-12-02", "2028-08-02"]
    assert len(demands(["ai_act"], zone="third_party", on="2025-03-01")) == 5
    assert verdicts("ai_act", on="2029-01-01") == ["met"]


def test_an_unknown_regime_is_refused_with_the_nearest():
    with pytest.raises(BadRequest, match="Did you mean hipaa"):
        demands(["hippa"], zone="own", on=ON)


def test_every_row_names_source_and_day():
    for row in [*regimes().values(), *terms().values(), *(m for r in regimes().values() for m in r.milestones)]:
        assert row.source
        assert re.fullmatch(r"2026-\d\d-\d\d", row.as_of)


def test_terms_are_those_of_known_providers_and_days_are_in_order():
    assert set(terms()) <= set(providers())
    for regime in regimes().values():
        days = [each.day for each in regime.milestones]
        assert days == sorted(days)
