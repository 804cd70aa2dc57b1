"""`twintrack demo`: the claims it makes hold, and it does not claim what does not."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from twintrack.cli.demo import REQUESTS, Result, _tell

GOOD = Result(
    requests=300,
    answered=300,
    tiers={"small": 250, "balanced": 35, "premium": 15},
    right=260,
    right_low=0.82,
    right_high=0.9,
    cost_nusd=3_000_000,
    baseline_nusd=65_000_000,
    savings_nusd=62_000_000,
    savings_low_nusd=54_000_000,
    savings_high_nusd=70_000_000,
    coverage=1.0,
    failovers=3,
    record_status=200,
    record_provider="small",
    named_third_party_status=422,
    example_id="tt-1",
    data="books",
)


def told(capsys, **changed):
    _tell(dataclasses.replace(GOOD, **changed))
    return capsys.readouterr().out


@pytest.mark.engine
def test_its_claims_hold(cli, needs, tmp_path):
    needs("xllamacpp", "starts the bundled models")
    done = subprocess.run(
        [sys.executable, "-m", "twintrack", "demo", "--json", "--keep", "books"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["simulated"] is True
    assert result["requests"] == result["answered"] == sum(result["tiers"].values()) == REQUESTS == 300
    assert result["tiers"]["small"] > result["tiers"]["premium"] > 0
    assert result["failovers"] >= 1
    assert 0.6 < result["right_low"] < result["right"] / 300 < result["right_high"] < 1
    assert result["record_status"] == 200
    assert result["record_provider"] == "small"
    assert result["record_third_party_bytes"] == result["named_third_party_bytes"] == 0
    assert result["named_third_party_status"] == 422
    assert 0 < result["cost_nusd"] < result["baseline_nusd"]
    assert result["savings_low_nusd"] < result["savings_nusd"] < result["savings_high_nusd"]
    assert result["coverage"] > 0.9
    assert result["third_party_requests"] == result["tiers"]["premium"]
    assert result["seconds"] <= 60
    # its ledger can be read like any other
    assert cli("explain", result["example_id"], "--data", "books").out.startswith("SIMULATED")
    assert cli("ledger", "--data", "books", "--check").code == 0
    books = cli("ledger", "--data", "books", "--json").json()
    assert books["simulated_total"]["cost_nusd"] == result["cost_nusd"]
    assert books["total"]["attempts"] == 0


def test_what_held_is_said(capsys):
    out = told(capsys)
    assert out.startswith("SIMULATED")
    assert "300 of 300 requests answered" in out
    assert "no request was lost" in out
    assert "answered by the small engine, zone own (status 200)" in out
    assert "it was refused (status 422)" in out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"answered": 298}, "2 requests were LOST"),
        ({"savings_nusd": -5_000_000}, "Saved              -$0.005000"),
        ({"savings_low_nusd": None, "savings_high_nusd": None}, "unknown to unknown"),
        ({"coverage": 0.9967}, "over 99.7% of attempts"),
        ({"coverage": 0.99999}, "over 99.9% of attempts"),
        ({"cost_unknown": 1}, "$0.003000 and that of 1 attempts, which is unknown"),
        ({"record_status": 502, "record_provider": "nobody"}, "answered by nobody (status 502)"),
        ({"named_third_party_status": 200, "named_third_party_bytes": 300}, "it was NOT refused (status 200)"),
        ({"right_high": 0.89}, "it fell short"),
        ({"right_high": 0.91}, "that lies within the interval"),
        ({"right_low": 0.91, "right_high": 0.95}, "to keep 90% of that; it did"),
    ],
    ids=str,
)
def test_what_did_not_hold_is_said_too(capsys, changed, said):
    assert said in told(capsys, **changed)


def test_only_the_ledger_of_an_earlier_demo_is_removed(cli, tmp_path):
    folder = tmp_path / "home" / "demo"
    folder.mkdir(parents=True)
    (folder / "ledger.db").write_text("")
    (folder / "thesis.txt").write_text("ten years of work")
    ran = cli("demo")
    assert ran.code == 1
    assert "holds more than the ledger of a demo. thesis.txt is none of its files." in ran.err
    assert (folder / "thesis.txt").read_text() == "ten years of work"
    assert (folder / "ledger.db").exists()


def test_a_folder_to_keep_must_be_empty(cli, tmp_path):
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "ledger.db").write_text("")
    ran = cli("demo", "--keep", "books")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "twintrack: books is not empty. Name a new folder with --keep.\n"


def test_a_folder_that_is_none(cli):
    Path("books").write_text("")
    assert cli("demo", "--keep", "books").code == 2
