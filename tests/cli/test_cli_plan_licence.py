"""twintrack plan licence, as somebody types it."""

from __future__ import annotations

import json


def test_a_licence_question_is_answered_with_its_clauses(cli):
    ran = cli("plan", "licence", "llama-3.3-70b-instruct", "--use", "product", "--users", "20000", "--domicile", "de")
    assert ran.code == 0
    assert "Allowed, with duties." in ran.out
    assert "no open-source licence by the OSI" in ran.out
    assert "Built with Llama" in ran.out
    assert "This is no legal advice." in ran.out


def test_what_is_missing_is_asked_for_with_the_option_that_says_it(cli):
    ran = cli("plan", "licence", "Llama 4 Scout", "--use", "internal")
    assert "Unknown; that does not count as allowed." in ran.out
    assert "--users-at-release" in ran.out
    assert "--domicile" in ran.out


def test_programs_get_the_whole_finding(cli):
    ran = cli("plan", "licence", "Command R+", "--use", "product", "--json")
    finding = json.loads(ran.out)
    assert finding["verdict"] == "needs_licence"
    assert finding["grounds"][0]["clause"]
    assert finding["source"]
    assert finding["as_of"]


def test_a_model_nobody_knows_is_unknown_with_the_nearest_name(cli):
    ran = cli("plan", "licence", "gpd-4o", "--use", "product")
    assert ran.code == 0
    assert "Unknown" in ran.out
    assert "Did you mean gpt-4o?" in ran.out


def test_a_wrong_word_is_a_usage_error(cli):
    ran = cli("plan", "licence", "mit", "--use", "prodct")
    assert ran.code == 2
    assert "hosted_service" in ran.err
