"""Who spent what: by month, key and tenant, on a terminal and in a spreadsheet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from ledger_records import MANAGED, OWN, SIMULATED, T0, Books, deployment, dispatch, on_own_engine, opened, settle

DAY_US = 24 * 3_600_000_000
CONFIG = """\
[[keys]]
name = "dev"
key = "env:DEV_KEY"
tenant = "acme"

[[keys]]
name = "app"
key = "env:APP_KEY"

[tenants.acme]
"""


@pytest.fixture
def books(tmp_path: Path):
    """Two months: dev and app ask a managed model, and an own engine is up for an hour and busy for a minute."""
    for books in opened(tmp_path / "books"):
        for number, (key, days) in enumerate(((0, 0), (0, 1), (1, 1), (0, 31))):
            at_us = T0 + days * DAY_US
            cost = 10**9 + number
            books.write(
                dispatch(f"m{number}", at_us=at_us, key=key, deployment=MANAGED),
                settle(f"m{number}", at_us=at_us + 5, cost_nusd=cost, baseline_nusd=3 * 10**9),
            )
        books.write(
            dispatch("gone", at_us=T0), settle("gone", state="unknown", outcome="upstream_failed", cost_nusd=None)
        )
        books.write(dispatch("sim", at_us=T0, deployment=SIMULATED), settle("sim", cost_nusd=777))
        books.load(*on_own_engine("own", T0, 60_000_000))
        for second in range(0, 3601, 10):
            books.loader.mark_up(T0 + second * 1_000_000, [deployment(OWN)])
        yield books


def sheet(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_spreadsheet_holds_every_digit_and_adds_up_to_the_total(cli, books: Books):
    rows = sheet(cli("ledger", "--data", str(books.folder), "--by", "month,key", "--csv").out)
    months = sorted({row["month"] for row in rows})
    assert [(row["what"], row["month"], row["key"], row["cost_usd"]) for row in rows if row["what"] == "attempts"] == [
        ("attempts", months[0], "app", "1.000000002"),
        ("attempts", months[0], "dev", "2.160000001"),
        ("attempts", months[1], "dev", "1.000000003"),
    ]
    assert [(row["month"], row["key"], row["cost_usd"], row["saved_usd"]) for row in rows[3:]] == [
        (months[0], "", "9.440000007", "-9.440000007")
    ]
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal("13.600000013")
    total = cli("ledger", "--data", str(books.folder), "--json").json()["total_nusd"]
    assert total == 13_600_000_013
    assert [row["cost_unknown_attempts"] for row in rows[:3]] == ["0", "1", "0"]


def test_what_is_simulated_is_in_no_spreadsheet_and_said(cli, books: Books):
    ran = cli("ledger", "--data", str(books.folder), "--by", "deployment", "--csv")
    assert "demo@demo" not in ran.out
    assert "SIMULATED attempts are not in it" in ran.err


def test_an_unknown_cost_is_an_empty_cell(cli, tmp_path: Path):
    for books in opened(tmp_path / "data"):
        books.load(dispatch(), settle(cost_nusd=None, baseline_nusd=None))
        (row,) = sheet(cli("ledger", "--data", str(books.folder), "--csv").out)
        assert (row["cost_usd"], row["baseline_usd"], row["saved_usd"]) == ("", "", "")


def test_a_tenant_is_charged_for_its_keys(cli, books: Books, tmp_path: Path):
    (tmp_path / "twintrack.toml").write_text(CONFIG)
    rows = sheet(cli("ledger", "--data", str(books.folder), "--by", "tenant", "--csv").out)
    assert [(row["tenant"], row["requests"]) for row in rows if row["what"] == "attempts"] == [("acme", "5"), ("", "1")]
    assert "acme" in cli("ledger", "--data", str(books.folder), "--by", "month,tenant").out


def test_whose_keys_are_whose_needs_a_configuration(cli, books: Books):
    ran = cli("ledger", "--data", str(books.folder), "--by", "tenant")
    assert ran.code == 3
    assert "There is no configuration twintrack.toml" in ran.err


def test_a_spreadsheet_is_no_answer_to_a_check(cli, books: Books):
    assert cli("ledger", "--data", str(books.folder), "--csv", "--check").code == 2


def test_savings_say_against_whom(cli, books: Books):
    assert "The baseline is gpt@openai for auto." in cli("ledger", "--data", str(books.folder)).out
