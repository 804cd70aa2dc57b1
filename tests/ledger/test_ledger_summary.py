"""What the ledger says of itself: nothing invented, nothing hidden, simulated money apart."""

from __future__ import annotations

import sqlite3
import statistics
from contextlib import closing

import pytest
from ledger_records import HOUR_US, PREMIUM, SIMULATED, T0, UNPRICED, Books, dispatch, refuse, released, settle

from twintrack.errors import LedgerError
from twintrack.ledger.database import database
from twintrack.ledger.entries import Attempt, Refusal, entries, recent
from twintrack.ledger.summary import summary
from twintrack.ledger.tally import Line


def only(lines: tuple[Line, ...]) -> Line:
    (line,) = lines
    return line


def test_sums_of_a_group(books: Books):
    books.load(
        dispatch("a"),
        settle("a", cache_read_tokens=12, reasoning_tokens=5),
        dispatch("b"),
        settle("b", outcome="client_left", usage_source="estimated"),
        dispatch("c"),
        released("c"),
        dispatch("c", 1, deployment=PREMIUM),
        settle("c", 1, cost_nusd=1_000_000),
        refuse("f"),
    )
    found = summary(books.path, ["route"])
    line = only(found.rows)
    assert line.group == {"route": "auto"}
    assert (line.requests, line.refused, line.attempts) == (4, 1, 4)
    assert (line.ok, line.client_left, line.failed, line.lost) == (2, 1, 1, 0)
    assert (line.input_tokens, line.output_tokens) == (3 * 812, 3 * 301)
    assert (line.cache_read_tokens, line.reasoning_tokens) == (12, 5)
    assert (line.usage_estimated, line.usage_unknown) == (1, 1)
    assert (line.cost_nusd, line.cost_unknown) == (1_200_000, 0)
    assert (line.baseline_nusd, line.baseline_unknown) == (3_000_000, 1)
    assert (line.energy_estimated_mj, line.energy_measured_mj, line.energy_unknown) == (36_000, 0, 1)
    assert line.total_p50_ms == pytest.approx(2_000, rel=0.2)
    assert line.ttft_p95_ms == pytest.approx(300, rel=0.2)
    total = found.total
    assert total.group == {}
    assert (total.requests, total.cost_nusd) == (4, 1_200_000)


def test_kinds_of_tokens_add_up_and_what_is_unknown_adds_nothing(books: Books):
    books.load(
        dispatch("a"),
        settle("a", cache_write_tokens=30, cache_write_1h_tokens=20, input_audio_tokens=7, output_image_tokens=5),
        dispatch("b"),
        settle("b", cache_write_tokens=4, cache_write_1h_tokens=0, output_audio_tokens=3, input_image_tokens=2),
    )
    total = summary(books.path).total
    assert (total.cache_write_tokens, total.cache_write_1h_tokens) == (34, 20)
    assert (total.input_audio_tokens, total.output_audio_tokens) == (7, 3)
    assert (total.input_image_tokens, total.output_image_tokens) == (2, 5)
    (a,) = entries(books.path, "a")
    assert (a.cache_write_1h_tokens, a.input_audio_tokens, a.output_audio_tokens) == (20, 7, None)


def test_an_unknown_cost_is_never_zero(books: Books):
    books.load(dispatch("a", deployment=UNPRICED), settle("a", cost_nusd=None))
    found = summary(books.path, ["deployment"])
    line = only(found.rows)
    assert line.cost_nusd is None
    assert line.cost_unknown == 1
    assert line.savings is None
    assert found.total.cost_nusd is None
    assert found.total_nusd is None
    assert found.net_savings_nusd is None


def test_a_cost_of_zero_is_known(books: Books):
    books.load(dispatch("a"), settle("a", cost_nusd=0), dispatch("b"), released("b", cost_nusd=None))
    total = summary(books.path).total
    assert (total.cost_nusd, total.cost_unknown) == (0, 0)


def test_a_partly_known_cost_says_of_how_many_it_is_not(books: Books):
    books.load(dispatch("a"), settle("a"), dispatch("b"), settle("b", cost_nusd=None))
    total = summary(books.path).total
    assert (total.cost_nusd, total.cost_unknown) == (100_000, 1)


def test_a_cost_that_can_never_be_known_is_shown_as_predicted_and_apart(books: Books):
    books.load(dispatch("a"), settle("a", state="unknown", outcome="upstream_failed", cost_nusd=None))
    total = summary(books.path).total
    assert total.cost_nusd is None
    assert (total.cost_unknown, total.estimated, total.estimated_nusd) == (1, 1, 120_000)


def test_what_is_still_running_is_counted_and_costs_nothing_yet(books: Books):
    books.load(dispatch("a"))
    found = summary(books.path)
    assert found.open == 1
    assert found.rows == ()
    assert found.total.attempts == 0


# ---- savings


def test_savings_have_the_interval_of_their_spread(books: Books):
    savings = [900_000, -200_000, 500_000, 100_000, 300_000]
    for number, saving in enumerate(savings):
        books.write(dispatch(f"a{number}"), settle(f"a{number}", cost_nusd=500_000, baseline_nusd=500_000 + saving))
    books.load()
    found = summary(books.path).total.savings
    assert found is not None
    half = 1.959964 * statistics.stdev(savings) * len(savings) ** 0.5
    assert (found.nusd, found.attempts, found.coverage) == (1_600_000, 5, 1.0)
    assert found.low_nusd == pytest.approx(1_600_000 - half, rel=1e-9, abs=1)
    assert found.high_nusd == pytest.approx(1_600_000 + half, rel=1e-9, abs=1)


def test_a_loss_is_shown_as_a_loss(books: Books):
    books.load(dispatch("a"), settle("a", cost_nusd=5, baseline_nusd=3))
    savings = summary(books.path).total.savings
    assert savings is not None
    assert savings.nusd == -2
    assert (savings.low_nusd, savings.high_nusd) == (None, None), "one request says nothing about the spread"


def test_savings_cover_only_what_is_known_on_both_sides(books: Books):
    books.load(
        dispatch("a"), settle("a"),
        dispatch("b"), settle("b", cost_nusd=None),
        dispatch("c"), settle("c", baseline_nusd=None),
        dispatch("d"), settle("d"),
    )  # fmt: skip
    savings = summary(books.path).total.savings
    assert savings is not None
    assert (savings.nusd, savings.attempts, savings.coverage) == (1_800_000, 2, 0.5)


def test_money_spent_on_an_attempt_that_gave_nothing_is_a_loss(books: Books):
    failed = settle("a", outcome="upstream_failed", cost_nusd=70_000, baseline_nusd=None)
    books.load(dispatch("a"), failed, dispatch("a", 1), settle("a", 1))
    savings = summary(books.path).total.savings
    assert savings is not None
    assert savings.nusd == 1_000_000 - 100_000 - 70_000


# ---- simulated


def test_simulated_rows_are_in_no_total(books: Books):
    books.load(dispatch("a"), settle("a"), dispatch("s", deployment=SIMULATED), settle("s", cost_nusd=77))
    found = summary(books.path, ["deployment"])
    assert only(found.rows).group == {"deployment": "mid@managed"}
    assert found.total.cost_nusd == 100_000
    assert only(found.simulated).group == {"deployment": "demo@demo"}
    assert found.simulated_total is not None
    assert found.simulated_total.cost_nusd == 77


def test_a_real_cost_is_not_compared_with_a_simulated_price(books: Books):
    books.load(dispatch("a", baseline=SIMULATED), settle("a"))
    total = summary(books.path).total
    assert total.cost_nusd == 100_000
    assert total.baseline_nusd is None
    assert total.savings is None


# ---- grouping and ranges


@pytest.mark.parametrize(
    ("by", "value"),
    [
        ("day", "2027-01-15"),
        ("hour", "2027-01-15T08"),
        ("route", "auto"),
        ("tier", "balanced"),
        ("model", "mid"),
        ("provider", "managed"),
        ("deployment", "mid@managed"),
        ("key", "dev"),
        ("outcome", "ok"),
        ("class", "internal"),
        ("endpoint", "chat"),
    ],
)
def test_words_to_group_by(books: Books, by, value):
    books.load(dispatch("a"), settle("a"))
    assert only(summary(books.path, [by]).rows).group == {by: value}


def test_groups_multiply_and_stand_in_order(books: Books):
    books.load(
        dispatch("a", key=1), settle("a"),
        dispatch("b", key=0, tier=0), settle("b"),
        dispatch("c", key=0), settle("c"),
        dispatch("d", key=-1, route=-1), settle("d"),
    )  # fmt: skip
    assert [tuple(row.group.values()) for row in summary(books.path, ["key", "tier"]).rows] == [
        ("app", "balanced"),
        ("dev", "balanced"),
        ("dev", "small"),
        (None, None),
    ]


def test_an_unknown_word_gets_the_nearest(books: Books):
    with pytest.raises(LedgerError, match=r"grouped by 'modle'. Did you mean model"):
        summary(books.path, ["modle"])
    with pytest.raises(LedgerError, match=r"Use month, day, hour, route"):
        summary(books.path, ["r.hour; DROP TABLE attempts"])


def test_a_range_is_whole_hours(books: Books):
    for hour in range(4):
        at_us = T0 + hour * HOUR_US
        books.write(dispatch(f"a{hour}", at_us=at_us), settle(f"a{hour}"))
    books.load()
    found = summary(books.path, ["hour"], since_us=T0 + HOUR_US + 5, until_us=T0 + 3 * HOUR_US)
    assert [row.group["hour"] for row in found.rows] == ["2027-01-15T09", "2027-01-15T10"]
    assert (found.since_us, found.until_us) == (T0 + HOUR_US, T0 + 3 * HOUR_US)


def test_percentiles_are_of_what_went_well(books: Books):
    books.load(
        dispatch("a"), settle("a", total_us=1_000_000),
        dispatch("b"), settle("b", outcome="upstream_timeout", total_us=600_000_000, ttft_us=None),
    )  # fmt: skip
    assert summary(books.path).total.total_p95_ms == pytest.approx(1_000, rel=0.2)
    by_outcome = {row.group["outcome"]: row for row in summary(books.path, ["outcome"]).rows}
    assert by_outcome["upstream_timeout"].total_p95_ms == pytest.approx(600_000, rel=0.2)
    assert by_outcome["upstream_timeout"].ttft_p50_ms is None


# ---- single entries


def test_a_request_with_all_its_attempts(books: Books):
    books.load(dispatch("a"), released("a"), dispatch("a", 1, deployment=PREMIUM), settle("a", 1), dispatch("b"))
    first, second = entries(books.path, "a")
    assert isinstance(first, Attempt)
    assert isinstance(second, Attempt)
    assert (first.attempt, first.state, first.deployment) == (0, "released", "mid@managed")
    assert (second.attempt, second.state, second.deployment) == (1, "settled", "gpt@openai")
    assert first.ruled_out[0].deployment == "gpt@openai"
    (running,) = entries(books.path, "b")
    assert isinstance(running, Attempt)
    assert (running.state, running.outcome, running.cost_nusd) == ("dispatched", None, None)
    assert entries(books.path, "nobody") == []


def test_a_refusal(books: Books):
    books.load(refuse("f"))
    (found,) = entries(books.path, "f")
    assert isinstance(found, Refusal)
    assert (found.code, found.ruled_out[0].code) == ("no_eligible_model", "zone")


def test_the_newest_come_first_and_pages_turn(books: Books):
    for number in range(5):
        books.load(dispatch(f"a{number}"), settle(f"a{number}"), refuse(f"f{number}"))
    first = recent(books.path, limit=3)
    second = recent(books.path, limit=3, before=first[-1].id)
    names = [entry.request_id for entry in (*first, *second)]
    assert len(set(names)) == 6
    assert {"a4", "f4"} <= {*names[:3]}
    assert len(recent(books.path, limit=100)) == 10


def test_the_newest_are_found_without_reading_all(books: Books):
    with closing(sqlite3.connect(books.path)) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT * FROM entries WHERE id < 9 ORDER BY id DESC LIMIT 5").fetchall()
    told = " ".join(row[-1] for row in plan)
    assert "SEARCH a USING INTEGER PRIMARY KEY" in told
    assert "TEMP B-TREE" not in told


def test_a_missing_ledger_is_an_error(tmp_path):
    with pytest.raises(LedgerError, match="no ledger at"):
        summary(database(tmp_path))
