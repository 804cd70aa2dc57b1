"""Each licence, each use: against a table that was written before the checker, and never a wrong "allowed"."""

from __future__ import annotations

import csv
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.catalog import models
from twintrack.catalog.licences import find, licences, patterns
from twintrack.catalog.permission import Purpose, check, eligible
from twintrack.errors import BadRequest

LETTERS = {
    "A": "allowed",
    "D": "allowed_with_duties",
    "L": "needs_licence",
    "N": "not_allowed",
    "U": "unknown",
}
USES = ("research", "internal", "product", "hosted_service", "distributed_weights")
PLAIN = {"users_at_release": 10**6, "users_now": 10**6, "revenue_usd_month": 1e6, "domicile": "US"}
BIG = {"users_at_release": 800 * 10**6, "users_now": 800 * 10**6, "revenue_usd_month": 1e9}
SITUATIONS = {
    "eu": {**PLAIN, "domicile": "DE"},
    "big": {**PLAIN, **BIG},
    "grown": {**PLAIN, **BIG, "users_at_release": 10**6},
    "military": {**PLAIN, "fields": ("military",)},
    "adverse": {**PLAIN, "fields": ("adverse_decision",)},
    "distil": {**PLAIN, "trains_on_outputs": True},
    "silent": {},
}


def truth() -> Iterator[tuple[str, str, dict[str, object], str]]:
    table = tomllib.loads(Path(__file__).with_name("licence_truth.toml").read_text())
    for row in table["texts"]:
        for model in row["models"]:
            for use, letter in zip(USES, row["base"], strict=True):
                yield model, use, PLAIN, letter
            for name, said in SITUATIONS.items():
                yield model, "product", said, row[name]


@pytest.mark.parametrize(
    ("model", "use", "said", "letter"),
    list(truth()),
    ids=lambda value: value if isinstance(value, str) else ",".join(f"{k}={v}" for k, v in value.items()),
)
def test_the_checker_says_what_the_texts_say(model, use, said, letter):
    assert check(model, Purpose(use=use, **said)).verdict == LETTERS[letter]


def test_no_use_of_any_row_of_the_facts_is_wrongly_allowed():
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        pytest.skip("TWINTRACK_DATA does not name the folder with the facts about licences")
    with Path(folder, "catalog", "model_licences.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    checked = 0
    for row in rows:
        for use in USES:
            finding = check(row["licence_id"], Purpose(use=use, **PLAIN))
            assert finding.licence == row["licence_id"]
            if use != "research" and row["commercial_use"] != "yes":
                assert not eligible(finding), (row["licence_id"], use)
            if row["max_mau"].isdigit() and "display" not in row["max_mau"]:
                more = {**PLAIN, "users_at_release": int(row["max_mau"]) + 1, "users_now": int(row["max_mau"]) + 1}
                if use in ("product", "hosted_service", "distributed_weights"):
                    assert not eligible(check(row["licence_id"], Purpose(use=use, **more)))
            checked += 1
    assert checked == 90


@settings(derandomize=True, deadline=None)
@given(
    name=st.sampled_from(sorted(licences())),
    use=st.sampled_from(USES),
    said=st.dictionaries(st.sampled_from(["users_at_release", "users_now"]), st.integers(0, 10**10)),
    domicile=st.sampled_from([None, "US", "DE", "EU", "GB"]),
    fields=st.sampled_from([(), ("military",), ("adverse_decision",)]),
    distils=st.booleans(),
)
def test_saying_more_never_turns_a_no_into_a_yes(name, use, said, domicile, fields, distils):
    said = {**said, "domicile": domicile}
    plain = check(name, Purpose(use=use, **said))
    more = check(name, Purpose(use=use, **said, fields=fields, trains_on_outputs=distils))
    assert eligible(plain) or not eligible(more)


def test_users_are_counted_on_the_day_of_the_release():
    finding = check("llama-3.3-70b-instruct", Purpose(use="product", users_at_release=700_000_001, users_now=5))
    assert finding.verdict == "needs_licence"
    assert "2" in {ground.clause for ground in finding.grounds}


def test_exactly_at_the_limit_is_not_beyond_it():
    assert eligible(check("llama-3.3", Purpose(use="product", users_at_release=700_000_000)))


def test_what_is_not_said_is_asked_for_and_what_would_follow_is_shown():
    finding = check("llama-4-scout", Purpose(use="internal"))
    assert finding.verdict == "unknown"
    assert finding.otherwise == "allowed_with_duties"
    assert [each.input for each in finding.missing] == ["users_at_release", "domicile"]
    assert "2025-04-05" in finding.missing[0].ask


def test_one_number_of_users_stands_for_both_days_and_says_so():
    finding = check("llama-3.3-70b-instruct", Purpose(use="internal", users_now=5000))
    assert finding.verdict == "allowed_with_duties"
    assert finding.assumed == ("as many users on 2024-12-06 as now, 5,000",)


def test_the_rule_on_the_european_union_binds_those_with_their_seat_there_and_only_for_multimodal_models():
    purpose = Purpose(use="product", users_at_release=1, domicile="FR")
    assert check("llama-4-scout", purpose).verdict == "not_allowed"
    assert check("Llama 3.2 90B Vision", purpose).verdict == "not_allowed"
    assert check("Llama 3.2 3B", purpose).verdict == "allowed_with_duties"
    assert check("llama-4-scout", Purpose(use="product", users_at_release=1, domicile="GB")).verdict != "not_allowed"


@pytest.mark.parametrize(
    ("model", "licence"),
    [
        ("Gemma 3 27B", "gemma-terms"),
        ("Gemma 4 26B A4B", "apache-2.0"),  # the licence changed in between
        ("Command A", "cc-by-nc-4.0+aup"),
        ("Command A+", "apache-2.0"),
        ("DeepSeek-V3", "deepseek-model-1.0"),
        ("DeepSeek-V3-0324", "mit"),
        ("DeepSeek V3.1", "mit"),
        ("DeepSeek-R1-Distill-Llama-70B", "llama-3.3"),  # weights keep the text of what they were made from
        ("Qwen2.5-7B", "apache-2.0"),
        ("Qwen2.5-72B", "qwen-licence"),
        ("Qwen2.5-3B", "qwen-research"),
        ("Mistral Small 3.1", "apache-2.0"),
        ("Mistral Small 22B", "mistral-mrl"),
    ],
)
def test_versions_of_one_name_are_told_apart(model, licence):
    assert find(model).licence.name == licence


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Gemma 3 9B", "Gemma 3 comes as 270m, 1b, 4b, 12b, 27b"),
        ("Claude 3.7 Opus", "Claude 3.7 comes as sonnet"),
        ("Llama 4 Vision", "There is no Llama 4 Vision"),
        ("Llama 3.3 8B", "comes as 70b"),
    ],
)
def test_a_model_that_does_not_exist_is_said_not_to(name, words):
    (ground,) = check(name, Purpose(use="internal")).grounds
    assert words in ground.text


def test_every_open_model_of_the_catalogue_has_a_text():
    assert [
        model.name for model in models.models().values() if model.kind == "open" and find(model.name).licence is None
    ] == []


def test_every_pattern_names_a_licence_that_is_there():
    assert {licence for _, licence in patterns() if licence} <= set(licences())


def test_every_verdict_but_a_plain_yes_has_a_clause():
    for name in licences():
        for use in USES:
            finding = check(name, Purpose(use=use, **PLAIN))
            assert all(ground.text and ground.clause for ground in finding.grounds), name
            assert all(duty.text and duty.clause for duty in finding.duties)
            assert finding.source
            assert finding.as_of


@pytest.mark.parametrize(
    ("purpose", "message"),
    [
        (Purpose(use="productt"), "There is no use 'productt'. Did you mean product?"),
        (Purpose(use="product", fields=("militry",)), "Did you mean military?"),
        (Purpose(use="product", users_now=-1), "users_now is -1"),
        (Purpose(use="product", domicile="Germany"), "domicile is 'Germany'"),
    ],
)
def test_an_impossible_purpose_is_refused_by_name(purpose, message):
    with pytest.raises(BadRequest) as refused:
        check("mit", purpose)
    assert message in str(refused.value)
