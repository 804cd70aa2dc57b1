"""Own engines are paid by the hour: every nano-dollar of it goes to a request or to idle, none to both."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_records import (
    HOUR_US,
    OWN,
    PER_HOUR_NUSD,
    T0,
    Books,
    deployment,
    dispatch,
    on_own_engine,
    settle,
)

from twintrack.ledger.balance import balance
from twintrack.ledger.entries import entries
from twintrack.ledger.hours import by_hour, hour_nusd, shares, union
from twintrack.ledger.summary import BY, summary

RATE = PER_HOUR_NUSD[OWN]
HOUR = T0 // HOUR_US
MINUTE_US = 60_000_000

intervals = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


@given(intervals)
def test_a_union_covers_the_same_moments_and_none_twice(times):
    united = union(times)
    moments = {moment for start, end in times for moment in range(start, end)}
    covered = [moment for start, end in united for moment in range(start, end)]
    assert len(covered) == len(set(covered))
    assert set(covered) == moments
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(united))


@given(st.integers(0, 10 * HOUR_US), st.integers(0, 5 * HOUR_US))
def test_cutting_at_the_hour_loses_no_moment(start, length):
    parts = list(by_hour(start, start + length))
    assert sum(part for _, part in parts) == length
    assert all(0 < part <= HOUR_US for _, part in parts)
    hours = [hour for hour, _ in parts]
    assert hours == sorted(set(hours))


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**10), min_size=1, max_size=20))
def test_shares_sum_to_the_amount_and_are_fair_to_a_nano_dollar(amount, weights):
    parts = shares(amount, weights)
    if not sum(weights):
        assert parts == [0] * len(weights)
        return
    assert sum(parts) == amount
    assert all(
        abs(part * sum(weights) - amount * weight) < sum(weights) for part, weight in zip(parts, weights, strict=True)
    )


def test_an_hour_costs_its_rate():
    assert hour_nusd(RATE, HOUR_US) == RATE
    assert hour_nusd(RATE, HOUR_US // 2) == (RATE + 1) // 2
    assert hour_nusd(RATE, 0) == 0


# ---- booking


def up(books: Books, seconds: int, start_us: int = T0, step_s: int = 1, which: int = OWN) -> None:
    for second in range(0, seconds + 1, step_s):
        books.loader.mark_up(start_us + second * 1_000_000, [deployment(which)])


def hours(books: Books) -> dict[int, tuple[int, int]]:
    rows = books.rows("SELECT hour, up_us, busy_us FROM engine_hours")
    return {row["hour"] - HOUR: (row["up_us"], row["busy_us"]) for row in rows}


def test_an_engine_nobody_uses_is_paid_all_the_same(books: Books):
    up(books, 1_800, step_s=5)
    found = summary(books.path)
    (idle,) = found.idle
    assert (idle.deployment, idle.up_us, idle.busy_us) == ("llama@gpu", HOUR_US // 2, 0)
    assert idle.engine_nusd == idle.idle_nusd == found.idle_nusd == hour_nusd(RATE, HOUR_US // 2)
    assert found.total.cost_nusd == 0
    assert found.total_nusd == idle.engine_nusd


def test_time_up_is_counted_in_its_hour(books: Books):
    up(books, 20, start_us=T0 + HOUR_US - 5_000_000)
    assert hours(books) == {0: (5_000_000, 0), 1: (15_000_000, 0)}


def test_a_silence_over_ten_seconds_counts_as_down(books: Books):
    for second in (0, 1, 11, 22, 23):
        books.loader.mark_up(T0 + second * 1_000_000, [deployment()])
    assert hours(books) == {0: (1_000_000 + 10_000_000 + 1_000_000, 0)}


def test_a_clock_set_back_books_nothing(books: Books):
    for second in (100, 101, 50, 51):
        books.loader.mark_up(T0 + second * 1_000_000, [deployment()])
    assert hours(books) == {0: (2_000_000, 0)}


def test_time_up_survives_a_restart(books: Books):
    up(books, 3)
    books.reopen_loader()
    up(books, 3, start_us=T0 + 5_000_000)
    assert hours(books) == {0: (8_000_000, 0)}


def test_what_is_paid_by_the_token_is_never_booked(books: Books):
    books.loader.mark_up(T0, [deployment(1, 0)])
    books.loader.mark_up(T0 + 1, [deployment(1, 0)])
    assert hours(books) == {}


def test_requests_at_the_same_time_make_it_busy_once(books: Books):
    books.load(*on_own_engine("a", T0, 4_000_000), *on_own_engine("b", T0 + 1_000_000, 4_000_000))
    books.load(*on_own_engine("c", T0 + 2_000_000, 1_000_000))
    assert hours(books) == {0: (0, 5_000_000)}


def test_what_nothing_running_can_touch_any_more_is_counted_and_forgotten(books: Books):
    books.load(*on_own_engine("a", T0, 4_000_000), dispatch("b", at_us=T0 + 2_000_000, deployment=OWN))
    books.now_us = T0 + HOUR_US
    books.load()
    assert len(books.rows("SELECT * FROM engine_busy")) == 1, "b may still have been running with a"
    books.load(settle("b", total_us=10_000_000, cost_nusd=None))
    assert books.rows("SELECT * FROM engine_busy") == []
    books.load(*on_own_engine("c", T0 + HOUR_US - 1_000_000, 1_000_000))
    assert hours(books) == {0: (0, 12_000_000 + 1_000_000)}


def test_a_request_over_the_hour_is_busy_in_both(books: Books):
    books.load(*on_own_engine("a", T0 + HOUR_US - MINUTE_US, 3 * MINUTE_US))
    assert hours(books) == {0: (0, MINUTE_US), 1: (0, 2 * MINUTE_US)}
    found = summary(books.path, ["hour"])
    assert [row.cost_nusd for row in found.rows] == [hour_nusd(RATE, MINUTE_US), hour_nusd(RATE, 2 * MINUTE_US)]
    assert [row.attempts for row in found.rows] == [1, 0]
    assert found.total.savings is not None
    assert found.total.savings.nusd == 1_000_000 - sum(row.cost_nusd or 0 for row in found.rows)
    assert balance(books.path) == []


def test_an_engine_that_was_busy_was_up_whoever_watched(books: Books):
    books.load(*on_own_engine("a", T0, 10 * MINUTE_US))
    up(books, 60)
    found = summary(books.path)
    assert found.total.cost_nusd == hour_nusd(RATE, 10 * MINUTE_US)
    assert found.idle_nusd == 0


def test_busy_hours_are_shared_by_duration_and_the_rest_is_idle(books: Books):
    books.load(*on_own_engine("a", T0, 3_000_000), *on_own_engine("b", T0 + 3_000_000, 6_000_000))
    up(books, 12)
    found = summary(books.path, ["deployment"])
    engine = hour_nusd(RATE, 12_000_000)
    assert found.total.cost_nusd == engine * 9 // 12
    assert found.idle_nusd == engine - engine * 9 // 12
    (a,), (b,) = entries(books.path, "a"), entries(books.path, "b")
    assert (a.allocated_nusd, b.allocated_nusd) == (engine * 9 // 12 // 3, engine * 9 // 12 * 2 // 3)


def test_what_is_still_running_is_not_charged_to_others(books: Books):
    books.load(*on_own_engine("a", T0, 3_000_000), dispatch("b", at_us=T0, deployment=OWN))
    up(books, 12)
    assert summary(books.path).total.cost_nusd == hour_nusd(RATE, 12_000_000) * 3 // 12


def test_a_lost_request_carries_the_time_it_ran(books: Books):
    books.write(dispatch("lost", at_us=T0, deployment=OWN), *on_own_engine("a", T0 + 1_000_000, 4_000_000))
    books.worker.close()
    books.load()
    assert hours(books) == {0: (0, 5_000_000)}
    found = summary(books.path, ["outcome"])
    assert [(row.group["outcome"], row.cost_unknown, row.estimated) for row in found.rows] == [
        ("lost", 0, 0),
        ("ok", 0, 0),
    ]
    assert sum(row.cost_nusd or 0 for row in found.rows) == hour_nusd(RATE, 5_000_000)


def test_a_new_rate_is_a_new_line_of_the_same_engine(books: Books):
    up(books, 10)
    for second in range(10, 21):
        books.loader.mark_up(T0 + second * 1_000_000, [deployment(OWN, 2 * RATE)])
    (idle,) = summary(books.path).idle
    assert idle.engine_nusd == hour_nusd(RATE, 10_000_000) + hour_nusd(2 * RATE, 10_000_000)


@given(st.integers(0, 1 << 32))
@settings(max_examples=25, deadline=None)
def test_however_it_is_grouped_cost_and_idle_are_the_hours_exactly(tmp_path_factory, seed):
    rng = random.Random(seed)
    books = Books(Path(tmp_path_factory.mktemp("hours")) / "data")
    for number in range(rng.randrange(40)):
        begin, end = on_own_engine(f"o{number}", T0 + rng.randrange(3 * HOUR_US), rng.randrange(1, 2_000_000_000))
        books.write(dispatch("x" + begin.request_id, at_us=begin.at_us, key=rng.randrange(2)))
        books.write(settle("x" + begin.request_id, at_us=begin.at_us, cost_nusd=rng.choice([None, 5])))
        books.write(begin, end)
    books.load()
    up(books, rng.randrange(200), start_us=T0 + rng.randrange(3 * HOUR_US), step_s=7)
    engines = sum(
        hour_nusd(RATE, max(row["up_us"], row["busy_us"])) for row in books.rows("SELECT * FROM engine_hours")
    )
    tokens = sum(row["cost_nusd"] or 0 for row in books.rows("SELECT cost_nusd FROM attempts"))
    for by in ([], *([word] for word in BY), ["day", "route", "key"]):
        found = summary(books.path, by)
        assert found.total.hourly_nusd + found.idle_nusd == engines
        assert sum(line.idle_nusd for line in found.idle_lines) == found.idle_nusd
        assert (found.total.cost_nusd or 0) == found.total.hourly_nusd + tokens
        if found.rows:
            assert sum(row.hourly_nusd for row in found.rows) == found.total.hourly_nusd
            assert sum(row.savings.nusd for row in found.rows if row.savings) == (
                found.total.savings.nusd if found.total.savings else 0
            )
    assert balance(books.path) == []
    books.close()


def test_savings_of_an_own_engine_count_only_the_time_of_what_they_cover(books: Books):
    books.load(
        *on_own_engine("a", T0, 3_000_000),
        *on_own_engine("b", T0 + 3_000_000, 9_000_000, baseline_nusd=None),
    )
    savings = summary(books.path).total.savings
    assert savings is not None
    assert savings.nusd == 1_000_000 - hour_nusd(RATE, 12_000_000) * 3 // 12
    assert savings.coverage == 0.5


def test_the_interval_of_an_own_engine_counts_what_each_request_took(books: Books):
    """Σ(b - c·t)² comes out of three sums, without looking at a request again."""
    pairs = [(1_000_000, 2_000_000), (5_000_000, 3_000_000), (2_000_000, 7_000_000)]
    at_us = T0
    for number, (baseline, took_us) in enumerate(pairs):
        books.write(*on_own_engine(f"a{number}", at_us, took_us, baseline_nusd=baseline))
        at_us += took_us
    books.load()
    savings = summary(books.path).total.savings
    assert savings is not None
    cost = hour_nusd(RATE, 12_000_000)
    each = [baseline - cost * took_us / 12_000_000 for baseline, took_us in pairs]
    mean = sum(each) / 3
    half = 1.959964 * (3 * sum((saving - mean) ** 2 for saving in each) / 2) ** 0.5
    assert savings.nusd == 8_000_000 - cost
    assert savings.low_nusd == pytest.approx(savings.nusd - half, rel=1e-6)
    assert savings.high_nusd == pytest.approx(savings.nusd + half, rel=1e-6)
