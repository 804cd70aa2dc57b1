"""`explain` and `ledger` where there is nothing yet; tests/ledger has the rest."""

from __future__ import annotations


def test_an_empty_ledger_says_how_to_begin(cli, tmp_path):
    ran = cli("ledger")
    assert ran.code == 0
    assert f"The ledger in {tmp_path / 'home'} is empty" in ran.out
    assert cli("ledger", "--json").json() is None


def test_an_unknown_request_is_a_failure(cli):
    ran = cli("explain", "tt-1")
    assert (ran.code, ran.out) == (1, "")
    assert "There is no request 'tt-1' in the ledger" in ran.err


def test_a_file_that_is_no_ledger_is_a_problem_of_the_machine(cli, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.db").write_text("this is no database, whatever its name says" * 100)
    ran = cli("ledger")
    assert ran.code == 4
    assert "ledger.db is broken" in ran.err
