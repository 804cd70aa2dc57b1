"""twintrack catalog, as somebody types it."""

from __future__ import annotations

import json

import pytest


def test_the_tables_are_listed_with_their_age(cli):
    ran = cli("catalog", "list")
    assert ran.code == 0
    assert "rentals" in ran.out
    assert "2026-11-20" in ran.out


def test_a_table_is_searched_and_given_to_programs_whole(cli):
    ran = cli("catalog", "list", "rentals", "--search", "h100-sxm", "--json")
    rows = json.loads(ran.out)
    assert rows
    assert all(row["gpu"] == "h100-sxm" and row["source"] for row in rows)


def test_a_mistyped_table_is_named(cli):
    ran = cli("catalog", "list", "rental")
    assert ran.code == 2
    assert "Did you mean rentals?" in ran.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Llama 3.3 70B", ("layers: 80", "groq", "Llama 3.3 Community License")),
        ("H100", ("bandwidth_gb_s: 3350", "hyperstack")),
        ("openai", ("retention_days: 30", "from: https://openai.com")),
        ("aws/eu-central-1", ("Germany",)),
        ("hipaa", ("164.502",)),
    ],
)
def test_everything_known_is_shown_under_any_usual_name(cli, name, words):
    ran = cli("catalog", "show", name)
    assert ran.code == 0
    for word in words:
        assert word in ran.out


def test_what_is_not_known_is_said_with_the_nearest_name_or_why(cli):
    assert "Did you mean gpt-4o?" in cli("catalog", "show", "gtp-4o").err
    ran = cli("catalog", "show", "Claude 3.7 Opus")
    assert ran.code == 1
    assert "Claude 3.7 comes as sonnet" in ran.err


def test_check_ends_with_one_where_something_contradicts(cli):
    ran = cli("catalog", "check", "--on", "2026-11-30", "--json")
    document = json.loads(ran.out)
    assert ran.code == 1
    assert document["stale"] == []
    assert document["contradictory"]
    assert document["unverified"]


def test_cases_are_priced_and_compared(cli, tmp_path):
    case = {"provider": "openai", "model": "gpt-4o", "timestamp": "2026-11-02T12:00:00+00:00"}
    cases = [
        {**case, "input_tokens": 1000, "output_tokens": 100, "expected_usd": 0.0035},
        {**case, "input_tokens": 1000, "output_tokens": 100, "expected_usd": 0.0036},
        {**case, "model": "nothing", "input_tokens": 1, "output_tokens": 1},
    ]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": cases}))
    rows = json.loads(cli("catalog", "price", str(file), "--json").out)["cases"]
    assert [row["usd"] for row in rows] == [0.0035, 0.0035, None]
    assert rows[0]["expected_usd"] == 0.0035
    assert "lists no model" in rows[2]["why"]
    assert cli("catalog", "price", str(file), "--check").code == 1
    assert "1 differ from what they expect" in cli("catalog", "price", str(file)).out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ('{"case": []}', 'is not {"cases"'),
        ('{"cases": [{"provider": "openai"}]}', "cases[0]: model is missing"),
        ('{"cases": [{"expected_usd": "x"}]}', "cases[0]: expected_usd is 'x'"),
    ],
)
def test_wrong_cases_are_refused_with_their_place(cli, tmp_path, text, words):
    file = tmp_path / "cases.json"
    file.write_text(text)
    ran = cli("catalog", "price", str(file))
    assert ran.code != 0
    assert words in ran.err
    assert "Traceback" not in ran.err
