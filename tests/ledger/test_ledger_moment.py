"""Points in time as people write and read them."""

from __future__ import annotations

import pytest

from twintrack.ledger.moment import moment, moment_us

NOW_US = 1_804_174_930_000_000
DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("said", "at_us"),
    [
        ("30m", NOW_US - 1_800_000_000),
        ("12h", NOW_US - DAY_US // 2),
        ("7d", NOW_US - 7 * DAY_US),
        ("2w", NOW_US - 14 * DAY_US),
        ("999999w", 0),
        ("1970-01-02", DAY_US),
        ("1970-01-02T00:00", DAY_US),
        ("1970-01-02T02:00+02:00", DAY_US),
    ],
)
def test_a_time_is_an_age_or_a_date_in_utc(said, at_us):
    assert moment_us(said, NOW_US) == at_us


@pytest.mark.parametrize(
    "said", ["", "yesterday", "7y", "-7d", "1234567d", "\u0667d", "2026-13-01", "9" * 400, "9999-12-31T23:59-12:00"]
)
def test_anything_else_is_no_time(said):
    with pytest.raises(ValueError):
        moment_us(said, NOW_US)


def test_a_time_is_said_to_the_second():
    assert moment(DAY_US + 1_999_999) == "1970-01-02 00:00:01 UTC"
