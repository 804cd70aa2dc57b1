"""What a request costs and uses, in integers."""

import json
import os
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.catalog import prices
from twintrack.catalog.cost import TokenPrice, cost_nusd, nusd, reported_nusd
from twintrack.catalog.energy import energy_mj
from twintrack.wire.usage import Usage

LONG = TokenPrice(4_000_000, 8_000_000, 1_000_000, 4_000_000)
PRICE = TokenPrice(2_000_000, 4_000_000, 500_000, 3_000_000, long_input_tokens=100, long=LONG)


def test_input_includes_what_the_cache_gave_and_took():
    assert cost_nusd(PRICE, 10, 5) == 10 * 2 + 5 * 4
    assert cost_nusd(PRICE, 10, 5, cache_read_tokens=4, cache_write_tokens=2) == 4 * 2 + 5 * 4 + 4 * 0.5 + 2 * 3


def test_a_long_request_is_dearer_as_a_whole_and_only_past_the_threshold():
    assert cost_nusd(PRICE, 100, 1) == 100 * 2 + 4
    assert cost_nusd(PRICE, 101, 1) == 101 * 4 + 8


def test_the_second_threshold_wins_over_the_first():
    three = TokenPrice(1_000_000, 0, 0, 0, 10, TokenPrice(2_000_000, 0, 0, 0, 20, TokenPrice(3_000_000, 0, 0, 0)))
    assert [cost_nusd(three, tokens, 0) for tokens in (10, 11, 20, 21)] == [10, 22, 40, 63]


def test_half_a_nano_dollar_is_rounded_up_and_only_once():
    half = TokenPrice(500_000, 500_000, 0, 0)
    assert cost_nusd(half, 1, 0) == 1
    assert cost_nusd(half, 1, 1) == 1


def test_a_provider_that_counts_cached_tokens_beside_the_input_gives_no_discount():
    assert cost_nusd(PRICE, 3, 0, cache_read_tokens=8) == 8 * 0.5


counts = st.integers(0, 10**7)
rates = st.integers(0, 10**12)


@given(rates, rates, rates, rates, counts, counts, counts, counts)
def test_the_sum_is_exact_up_to_one_rounding(input_, output, read, write, fresh, out, cached, written):
    price = TokenPrice(input_, output, read, write)
    exact = Fraction(fresh * input_ + out * output + cached * read + written * write, 1_000_000)
    cost = cost_nusd(price, fresh + cached + written, out, cached, written)
    assert abs(cost - exact) <= Fraction(1, 2)
    assert isinstance(cost, int)


SPECIAL = TokenPrice(
    2_000_000,
    4_000_000,
    500_000,
    3_000_000,
    cache_write_1h_nusd_per_mtok=5_000_000,
    input_audio_nusd_per_mtok=30_000_000,
    output_audio_nusd_per_mtok=60_000_000,
    input_image_nusd_per_mtok=7_000_000,
    output_image_nusd_per_mtok=90_000_000,
)


@pytest.mark.parametrize(
    ("usage", "nano_dollars"),
    [
        (Usage(100, 10), 100 * 2 + 10 * 4),
        (Usage(100, 10, 40, 20), 40 * 2 + 40 * 0.5 + 20 * 3 + 10 * 4),
        (Usage(100, 10, 40, 20, None, 15), 40 * 2 + 40 * 0.5 + 5 * 3 + 15 * 5 + 10 * 4),
        (Usage(100, 10, 40, 20, None, 90), 40 * 2 + 40 * 0.5 + 20 * 5 + 10 * 4),
        (Usage(100, 10, input_audio_tokens=30), 70 * 2 + 30 * 30 + 10 * 4),
        (Usage(100, 10, input_audio_tokens=30, input_image_tokens=50), 20 * 2 + 30 * 30 + 50 * 7 + 10 * 4),
        (Usage(100, 10, output_audio_tokens=9), 100 * 2 + 1 * 4 + 9 * 60),
        (Usage(100, 10, output_audio_tokens=4, output_image_tokens=20), 100 * 2 + 4 * 60 + 6 * 90),
        (Usage(100, 10, 80, None, input_audio_tokens=30), 20 * 30 + 80 * 0.5 + 10 * 4),
        (Usage(100, 10, 40, 70, input_audio_tokens=30), 40 * 0.5 + 70 * 3 + 10 * 4),
    ],
    ids=[
        "text",
        "cached",
        "kept for an hour",
        "no more for an hour than was written",
        "heard",
        "heard and seen",
        "spoken",
        "no more drawn than was given",
        "heard, but most of it from the cache",
        "nothing fresh",
    ],
)
def test_tokens_with_a_price_of_their_own_cost_that_and_none_costs_twice(usage, nano_dollars):
    assert reported_nusd(SPECIAL, usage) == nano_dollars


def test_a_price_that_names_none_of_them_holds_for_all_tokens():
    usage = Usage(100, 10, 20, 30, None, 30, 20, 5, 5, 5)
    assert reported_nusd(PRICE, usage) == cost_nusd(PRICE, 100, 10, 20, 30)


def test_special_prices_grow_with_the_request_as_all_others_do():
    long = TokenPrice(4_000_000, 0, 0, 8_000_000, cache_write_1h_nusd_per_mtok=16_000_000)
    price = TokenPrice(2_000_000, 0, 0, 4_000_000, 100, long, cache_write_1h_nusd_per_mtok=8_000_000)
    assert reported_nusd(price, Usage(100, 0, 0, 100, None, 100)) == 100 * 8
    assert reported_nusd(price, Usage(101, 0, 0, 101, None, 101)) == 101 * 16


def test_half_a_nano_dollar_is_rounded_up_once_with_special_prices_too():
    price = TokenPrice(500_000, 500_000, 0, 0, input_audio_nusd_per_mtok=750_000)
    assert reported_nusd(price, Usage(1, 0, input_audio_tokens=1)) == 1
    assert reported_nusd(price, Usage(2, 1, input_audio_tokens=1)) == 2


@pytest.mark.parametrize("usage", [Usage(), Usage(5, None), Usage(None, 5)])
def test_what_a_provider_did_not_count_costs_unknown(usage):
    assert reported_nusd(PRICE, usage) is None


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        (0.1, 100_000_000),
        (2.5, 2_500_000_000),
        (9.6, 9_600_000_000),
        (Decimal("0.0375"), 37_500_000),
        (1e-10, 0),
        (0, 0),
    ],
)
def test_dollars_become_nano_dollars_as_they_were_written(usd, expected):
    assert nusd(usd) == expected


def test_costs_agree_with_the_catalogues_where_these_agree():
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        pytest.skip("TWINTRACK_DATA does not name the folder with the cost cases")
    cases = json.loads(Path(folder, "catalog", "cost_cases_dev.json").read_text())["cases"]
    assert cases
    for case in cases:
        listed = prices.load(None, on=date.fromisoformat(case["timestamp"][:10]))
        price = listed.find({"google": "gemini"}.get(case["provider"], case["provider"]), case["model"])
        assert price is not None, case
        cost = cost_nusd(
            price,
            case["input_tokens"],
            case["output_tokens"],
            case["cache_read_tokens"],
            case["cache_write_tokens"],
        )
        assert cost == nusd(case["expected_usd"]), case


def test_energy_is_unknown_where_nobody_measured_it():
    assert energy_mj(100, None) is None
    assert energy_mj(100, 0.25) == 25_000
    assert energy_mj(1, 0.0005) == 1
