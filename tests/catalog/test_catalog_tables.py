"""Every fact has a source and a day; what is stale, contradictory or unverified is found."""

from __future__ import annotations

import datetime
import re

import pytest

from twintrack.catalog import contradictions, knowledge
from twintrack.catalog.tables import TABLES, value

ON = datetime.date(2026, 11, 30)


@pytest.fixture(scope="module")
def against() -> list[contradictions.Contradiction]:
    return contradictions.contradictions(ON)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_names_its_source_and_its_day(name):
    rows = list(TABLES[name].rows())
    assert rows
    for row in rows:
        assert TABLES[name].title(row)
        plain = value(row)
        assert plain["source"]
        assert re.fullmatch(r"2026-\d\d-\d\d", plain["as_of"])


def test_nothing_that_ships_is_stale_in_its_month():
    assert contradictions.stale(ON) == []


def test_what_gets_old_is_stale_and_history_never_is():
    later = contradictions.stale(datetime.date(2027, 3, 1))
    tables = {row.table for row in later}
    assert {"prices", "rentals", "tuning"} <= tables
    assert "architectures" not in tables  # how a model is built does not change
    assert all(row.days > row.keep_days and row.source for row in later)
    assert not any("p4d" in row.name for row in later)  # a price of 2023 stays one


def test_prices_that_differ_by_more_than_half_a_percent_are_shown_with_all_that_is_said(against):
    found = [each for each in against if each.what.startswith("price of")]
    assert len(found) > 20
    assert all(len(each.said) >= 2 and each.used for each in found)
    assert all(said.source and said.as_of for each in found for said in each.said)


def test_prices_that_agree_are_not_shown(against):
    assert not any("price of gpt-4o at openai" in each.what for each in against)


def test_no_model_has_another_licence_by_its_name_than_in_the_table(against):
    assert [each for each in against if each.what.startswith("licence")] == []


def test_what_was_written_from_memory_says_so():
    names = {(row.table, row.name) for row in contradictions.unverified()}
    assert ("licences", "falcon-180b") in names
    assert ("terms", "openai") in names
    assert ("licences", "llama-3.3") not in names  # its text was read in full


def test_managed_offers_come_cheapest_first_and_an_unknown_price_last():
    found = knowledge.offers("Llama 3.3 70B", on=ON)
    assert {each.provider for each in found} == {"groq", "together", "openrouter"}
    prices = [each.price.input_nusd_per_mtok for each in found if each.price]
    assert prices == sorted(prices)
    assert all(each.open for each in found)
    assert knowledge.offers("no-such-model", on=ON) == ()


def test_scores_have_their_source_and_day_the_newest_first():
    found = knowledge.scores_of("gpt-5")
    assert found
    assert all(score.source.startswith("https://") for score in found)
    assert [score.dated for score in found] == sorted((score.dated for score in found), reverse=True)


def test_languages_are_what_the_card_says_and_unknown_otherwise():
    assert "de" in knowledge.languages_of("llama-3.3-70b-instruct").languages
    assert knowledge.languages_of("gpt-4o") is None
