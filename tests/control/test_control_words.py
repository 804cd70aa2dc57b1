"""Numbers as people read them."""

from __future__ import annotations

import pytest

from twintrack.control import words
from twintrack.control.chart import Hour, chart


@pytest.mark.parametrize(
    ("nusd", "expected"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1, "$0.000000001"),
        (343_000, "$0.000343"),
        (6_545_000, "$0.00655"),
        (999_999_999, "$1.000"),
        (1_000_000_000, "$1.00"),
        (1_005_000_000, "$1.01"),
        (1_234_567_891_234_567, "$1,234,567.89"),
        (-4_500_000_000, "−$4.50"),
    ],
)
def test_money_is_rounded_half_up_and_unknown_is_a_word(nusd, expected):
    assert words.usd(nusd) == expected


def test_a_gain_has_a_plus_and_a_loss_a_minus():
    assert [words.signed(nusd) for nusd in (2_000_000_000, 0, -2_000_000_000, None)] == [
        "+$2.00",
        "$0.00",
        "−$2.00",
        "unknown",
    ]


@pytest.mark.parametrize(
    ("half_ms", "most_ms", "expected"),
    [
        (None, None, "–"),
        (310.2, 930.0, "310 / 930 ms"),
        (999.4, 999.6, "999 ms / 1.0 s"),
        (4600, 99_960, "4.6 / 100 s"),
    ],
)
def test_two_durations_share_their_unit(half_ms, most_ms, expected):
    assert words.quantiles(half_ms, most_ms) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10 k"), (252_453, "252 k"), (999_960, "1 M"), (2_561_000, "2.56 M")],
)
def test_large_counts_are_shortened(number, expected):
    assert words.short(number) == expected


@pytest.mark.parametrize(("part", "expected"), [(1.0, "100 %"), (0.9999, "over 99 %"), (0.984, "98 %"), (0.0, "0 %")])
def test_only_all_is_a_hundred_percent(part, expected):
    assert words.share(part) == expected


NOW_US = 1_804_175_000_000_000


def test_a_time_of_another_day_carries_its_date():
    assert words.clock(NOW_US, NOW_US) == "15:43:20"
    assert words.clock(NOW_US - 86_400_000_000, NOW_US) == "03-03 15:43"


def hours(*costs: int, idle: int = 0, unknown: int = 0) -> list[Hour]:
    return [Hour(place * 3_600_000_000, 1, cost, idle, unknown) for place, cost in enumerate(costs)]


def test_the_chart_ends_at_the_next_round_amount():
    drawn = chart(hours(0, 1_300_000_000, 650_000_000))
    assert drawn is not None
    assert drawn.ticks == ("$2", "$1", "$0")
    heights = [bar.cost_px for bar in drawn.bars]
    assert heights[0] == 0
    assert heights[1] == pytest.approx(2 * heights[2])


def test_idle_engines_stand_on_top_of_the_cost():
    drawn = chart(hours(1_000_000_000, idle=1_000_000_000))
    assert drawn is not None
    (bar,) = drawn.bars
    assert bar.idle_y + bar.idle_px == pytest.approx(bar.cost_y)
    assert bar.idle_y == drawn.top


def test_an_hour_of_unknown_cost_is_no_free_hour():
    drawn = chart(hours(0, unknown=2))
    assert drawn is not None
    assert drawn.unknown
    assert "2 attempts of unknown cost" in drawn.bars[0].said


def test_without_anything_there_is_no_chart():
    assert chart([Hour(0, 0, 0, 0, 0)] * 24) is None


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [(1, "entry", "1 entry"), (2, "entry", "2 entries"), (1200, "attempt", "1,200 attempts"), (0, "day", "0 days")],
)
def test_one_of_a_thing_is_not_many(number, noun, expected):
    assert words.many(number, noun) == expected
