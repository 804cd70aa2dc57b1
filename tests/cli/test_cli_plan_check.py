"""twintrack plan check, as somebody types it."""

from __future__ import annotations

import json


def test_a_statement_is_recomputed_with_its_factor(cli):
    ran = cli("plan", "check", "10M tokens/day costs $50/day at $0.0003 per 1K")
    assert ran.code == 0
    assert "wrong, 16.7 times too high" in ran.out
    assert "10M tokens/day x $0.0003 per 1K = $3 a day" in ran.out


def test_programs_get_every_sentence_with_verdict_factor_and_sums(cli):
    ran = cli("plan", "check", "Llama 3.3 70B is MIT licensed. GPT-4o costs $2.50 per million input tokens.", "--json")
    document = json.loads(ran.out)
    assert document["verdict"] == "wrong"
    assert [claim["verdict"] for claim in document["claims"]] == ["wrong", "right"]
    assert document["claims"][0]["checks"][0]["facts"]


def test_what_cannot_be_checked_says_what_is_missing(cli):
    ran = cli("plan", "check", "It costs $50 a day")
    assert ran.code == 0
    assert "cannot check" in ran.out
    assert "missing: what the money is for" in ran.out


def test_prices_are_those_of_the_day_asked_for(cli):
    text = "GPT-4o costs $2.50 per million input tokens"
    assert json.loads(cli("plan", "check", text, "--on", "2026-11-01", "--json").out)["prices_on"] == "2026-11-01"


def test_nothing_is_a_usage_error(cli):
    ran = cli("plan", "check", " ")
    assert ran.code == 2
    assert "Say something" in ran.err


def test_a_dollar_that_the_shell_took_is_noticed(cli):
    ran = cli("plan", "check", "10M tokens/day costs 0/day at bash.0003 per 1K")
    assert "single quotes" in ran.err
    assert cli("plan", "check", "GPT-4o costs $2.50 per million input tokens").err == ""
