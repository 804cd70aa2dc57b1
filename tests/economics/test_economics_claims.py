"""Statements about costs: each of the evaluation's claims, statements in other words, and what may never happen."""

from __future__ import annotations

import csv
import datetime
import hashlib
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.economics.claims.check import check_text, overall, sentences
from twintrack.economics.claims.quantities import read

ON = datetime.date(2026, 11, 20)
HERE = Path(__file__).parent
TRUTH = {row["id"]: row for row in tomllib.loads((HERE / "claim_truth.toml").read_text())["claims"]}
PARAPHRASES = tomllib.loads((HERE / "claim_paraphrases.toml").read_text())


def seen(text: str) -> bool:
    """Was it looked at while the checker was made?"""
    return int(hashlib.sha256(text.encode()).hexdigest()[0], 16) % 2 == 0


def meets(text: str, verdict: str, low: float, high: float, *, first: int = 0) -> bool:
    found, factor = overall(check_text(text, on=ON)[first:])
    return found == verdict and (high == 0 or (factor is not None and low <= factor <= high))


@pytest.mark.parametrize("row", [row for row in PARAPHRASES["statements"] if seen(row[0])], ids=lambda row: row[0])
def test_a_statement_seen_while_it_was_made_comes_to_what_it_comes_to(row):
    assert meets(*row)


@pytest.mark.parametrize("row", [row for row in PARAPHRASES["statements"] if not seen(row[0])], ids=lambda row: row[0])
def test_a_statement_held_out_comes_to_what_it_comes_to(row):
    assert meets(*row)


@pytest.mark.parametrize("row", PARAPHRASES["later"], ids=lambda row: row[0])
def test_a_statement_of_the_later_sets_comes_to_what_it_comes_to(row):
    assert meets(*row)


@pytest.mark.parametrize("text", PARAPHRASES["beyond_it"])
def test_what_is_beyond_it_is_said_to_be(text):
    assert overall(check_text(text, on=ON))[0] == "cannot_check"


def test_there_are_enough_statements_and_a_half_was_held_out():
    rows = PARAPHRASES["statements"]
    assert len(rows) >= 100
    assert 0.4 < sum(seen(row[0]) for row in rows) / len(rows) < 0.6


def test_every_claim_of_the_evaluation_comes_to_what_was_worked_out_by_hand():
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        pytest.skip("TWINTRACK_DATA does not name the folder with the claims")
    with Path(folder, "catalog", "article_claims.csv").open() as file:
        claims = {row["id"]: row["claim"] for row in csv.DictReader(file)}
    assert len(claims) == 108
    assert set(TRUTH) <= set(claims)
    wrong = []
    for name, claim in claims.items():
        truth = TRUTH.get(name, {"verdict": "cannot_check"})
        before = [claims[each] for each in truth.get("with", ())]
        first = sum(len(sentences(text)) for text in before)
        low, high = truth.get("factor", (0, 0))
        if not meets("\n".join([*before, claim]), truth["verdict"], low, high, first=first):
            wrong.append(name)
    assert wrong == []


def test_the_arithmetic_is_shown_and_the_factor_said():
    (claim,) = check_text("10M tokens/day costs $50/day at $0.0003 per 1K", on=ON)
    assert claim.verdict == "wrong"
    assert claim.factor == pytest.approx(16.67, abs=0.01)
    assert claim.checks[0].sums == ("10M tokens/day x $0.0003 per 1K = $3 a day", "stated: $50/day")


def test_a_price_that_was_right_once_is_said_to_have_been():
    (claim,) = check_text("GPT-4o costs $5 per million input tokens", on=ON)
    assert claim.verdict == "wrong"
    assert "May 2024" in " ".join(claim.checks[0].sums)
    assert check_text("GPT-4o costs $5 per million input tokens", on=datetime.date(2024, 6, 1))[0].factor is not None


@pytest.mark.parametrize(
    ("text", "verdict", "factor"),
    [
        ("GPT-4o is priced at $2.50 per million input tokens and $10 per million output", "right", None),
        ("GPT-4o costs $2.50 per 1M input, $1 per 1M output.", "wrong", 0.1),
        ("Claude Opus 4.6 costs $5 in and $25 out per MTok", "right", None),
        ("Claude Opus 4.6: $5 input / $75 output per million tokens", "wrong", 3),
        ("GPT-4o mini costs $0.15/$0.60 per million tokens", "right", None),
        ("GPT-4o mini costs $1.50 / $0.60 per million tokens", "wrong", 10),
        ("If GPT-4 costs $30 and GPT-4o $2.50 per million input tokens, the saving is 92%", "right", None),
        ("Our 3 engineers at $200k a year cost $50k a month", "right", None),
        ("Our 3 engineers at $200k a year cost $500k a month", "wrong", 10),
    ],
)
def test_both_sides_of_a_price_and_each_of_the_staff_count(text, verdict, factor):
    found, by = overall(check_text(text, on=ON))
    assert found == verdict
    assert factor is None or by == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize(
    ("text", "verdict", "factor"),
    [
        ("1 million requests a month at 500 input and 200 output tokens on GPT-4o costs $3,250", "right", None),
        ("10,000 requests per day with 1,000 input and 300 output tokens each cost $550 a day on GPT-4o", "wrong", 10),
        ("10k requests/day, 1k tokens in, 300 tokens out, GPT-4o: $55/day", "right", None),
        ("2M requests a month of 800 tokens on GPT-4o cost $700 a month", "wrong", 0.1),
        ("We send 5M input tokens and 1M output tokens a day to GPT-4o for $22.50 a day", "right", None),
        ("5M input and 1M output tokens a day on GPT-4o cost $225 a day", "wrong", 10),
        ("GPT-4o takes 50M input tokens and 10M output tokens a month for $225 a month", "right", None),
        ("1 request costs 1 cent so 1 million requests cost $10,000", "right", None),
        ("1 request costs 1 cent so 1 million requests cost $1,000", "wrong", 0.1),
        ("GPT-4o costs 2,50 USD per million input tokens", "right", None),
        ("GPT-4o: $2.50/M in, $10/M out", "right", None),
        ("GPT-4o: $10/M in, $2.50/M out", "wrong", None),
    ],
)  # fmt: skip
def test_what_goes_in_and_out_costs_what_the_model_s_price_says(text, verdict, factor):
    found, by = overall(check_text(text, on=ON))
    assert found == verdict
    assert factor is None or by == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize(("total", "verdict", "factor"), [("$45 a day", "right", 1), ("$450 a day", "wrong", 10)])
def test_two_volumes_at_two_prices_are_added(total, verdict, factor):
    text = "10M input tokens a day at $2.50 per million and 2M output tokens a day at $10 per million are"
    assert overall(check_text(f"{text} {total}", on=ON)) == (verdict, pytest.approx(factor))


def test_what_is_missing_is_said():
    (claim,) = check_text("It costs $50 a day", on=ON)
    assert claim.verdict == "cannot_check"
    assert "tokens or requests" in claim.missing[0]


def test_a_sentence_may_rely_on_the_price_and_the_volume_before_it():
    text = "We pay $2 per million tokens. Our volume is 30M tokens a day. That comes to $60 a day."
    assert [claim.verdict for claim in check_text(text, on=ON)] == ["cannot_check", "cannot_check", "right"]


def test_energy_of_the_gpu_alone_is_not_set_against_the_whole_stack():
    text = "1M requests on Llama 3.1 8B take 20 kWh of GPU energy"
    (check,) = check_text(text, on=ON)[0].checks
    assert "the GPUs alone" in " ".join(check.sums)
    assert "Gemini" not in " ".join(check.sums)


@pytest.mark.parametrize(
    ("text", "low", "high", "unit", "per"),
    [
        ("$0.0003 per 1K tokens", 3e-7, 3e-7, "usd", ("token",)),
        ("$2.50/1M", 2.5e-6, 2.5e-6, "usd", ("token",)),
        ("$15/MTok", 15e-6, 15e-6, "usd", ("token",)),
        ("40 cents per million tokens", 4e-7, 4e-7, "usd", ("token",)),
        ("50-100M tokens/day", 5e7, 1e8, "token", ("day",)),
        ("10 million tokens daily", 1e7, 1e7, "token", ("day",)),
        ("a daily volume of 3,000 requests", 3000, 3000, "request", ("day",)),
        ("$30,000–50,000", 30_000, 50_000, "usd", ()),
        ("$1.40 per GPU-hour", 33.6, 33.6, "usd", ("gpu", "day")),
        ("0.5 kWh", 1.8e6, 1.8e6, "joule", ()),
        ("0.24 Wh per prompt", 864, 864, "joule", ("request",)),
        ("4 x H100", 4, 4, "gpu", ()),
        ("a 70B model", 7e10, 7e10, "param", ()),
        ("4-bit", 4, 4, "bit", ()),
        ("bf16", 16, 16, "bit", ()),
        ("half an engineer", 0.5, 0.5, "fte", ()),
        ("100 ms", 0.1, 0.1, "second", ()),
        ("95 percent", 95, 95, "percent", ()),
        ("10K examples", 10_000, 10_000, "example", ()),
    ],
)
def test_a_quantity_is_read_however_it_is_written(text, low, high, unit, per):
    (found,) = read(text).quantities
    assert (found.unit, found.per) == (unit, per)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("Llama 3.3 70B and GPT-4o mini", ["Llama 3.3 70B", "GPT-4o mini"]),
        ("DeepSeek V3 / R1", ["DeepSeek V3", "DeepSeek R1"]),
        ("Claude Haiku 4.5 costs", ["Claude Haiku 4.5"]),
        ("o3 and o4-mini", ["o3", "o4-mini"]),
        ("the cohort commanded a phial", []),
    ],
)
def test_models_are_found_in_running_text(text, models):
    assert [named.text for named in read(text).models] == models


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_has_an_answer(text):
    overall(check_text(text, on=ON))


@pytest.mark.parametrize(
    "text",
    [
        "Kimi K2 on rented GPUs will run you $2,000 to $5,000 every month",  # it needs more than one server
        "0 tokens of GPT-4o output cost $30",
        "0M requests on Llama 3.1 8B use 20 kWh of GPU energy",
        "With fewer than 0 examples, fine-tuning a closed model is usually the cheaper way",
        "$0 per million tokens is 0% of $0",
    ],
)
def test_nothing_is_divided_by_nothing(text):
    overall(check_text(text, on=ON))


_PIECES = (
    "$0",
    "0%",
    "$5",
    "10M tokens/day",
    "/1K",
    "per",
    "GPT-4o",
    "70B",
    "4 H100",
    "kWh",
    "1e9",
    "saves",
    "-",
    "$1-0",
    "0x",
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(_PIECES), max_size=9))
def test_numbers_in_any_order_have_an_answer(pieces):
    overall(check_text(" ".join(pieces), on=ON))


def test_a_long_text_takes_no_time():
    text = "10M tokens/day costs $50/day at $0.0003 per 1K tokens, or so they say, " * 300
    assert len(check_text(text, on=ON)) == 1
