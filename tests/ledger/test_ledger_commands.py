"""`twintrack ledger` and `twintrack explain`, as they are typed."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from ledger_records import (
    MANAGED,
    OWN,
    PREMIUM,
    SIMULATED,
    T0,
    UNPRICED,
    Books,
    deployment,
    dispatch,
    on_own_engine,
    refuse,
    released,
    settle,
)

from twintrack.cli import data as data_folder
from twintrack.cli import main
from twintrack.cli.data import folder
from twintrack.ledger.database import database
from twintrack.ledger.folder import loading
from twintrack.ledger.load import Loader


@pytest.fixture
def run(books: Books, capsys: pytest.CaptureFixture[str]):
    """Run a command on the books' folder; (exit code, stdout, stderr)."""

    def run_it(*words: str, data: bool = True) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([*words, *(["--data", str(books.folder)] if data else [])])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run_it


def test_an_empty_ledger_says_how_to_fill_it(run, tmp_path):
    status, out, _ = run("ledger", "--data", str(tmp_path / "nothing"), data=False)
    assert status == 0
    assert "is empty: no request has been answered yet. Start a gateway with `twintrack up`" in out


def test_a_ledger_without_a_finished_request_says_so(run, books: Books):
    books.load(dispatch("a"))
    status, out, _ = run("ledger")
    assert status == 0
    assert "no finished request in this time. 1 attempt still running." in out


def test_money_stands_with_enough_digits_and_savings_with_interval_and_coverage(run, books: Books):
    books.load(
        dispatch("a"), settle("a"),
        dispatch("b"), settle("b", cost_nusd=250_000),
        dispatch("c"), settle("c", baseline_nusd=None),
    )  # fmt: skip
    status, out, _ = run("ledger")
    assert status == 0
    assert "\x1b" not in out, "no colour in a pipe"
    header, row, total = out.splitlines()[:3]
    assert header.split()[:4] == ["route", "tier", "requests", "failed"]
    assert "$0.00045" in row
    assert "$0.0020" in row
    assert "+$0.0017" in row
    assert "(of 67%)" in row
    assert total.split()[0] == "all"
    assert "Saved against the baseline: +$0.0017" in out
    assert "95 % interval +$0.00" in out
    assert "over the 2 attempts (66.7%) with both sides known" in out


def test_unknown_is_said_and_never_zero(run, books: Books):
    books.load(dispatch("a", deployment=UNPRICED), settle("a", cost_nusd=None, state="unknown"))
    _, out, _ = run("ledger", "--by", "model")
    row = out.splitlines()[1]
    assert row.split()[0] == "new"
    assert row.count("unknown") == 2, "cost and savings"
    assert "$0.00" not in row.replace("$0.0010", "")
    assert "The cost is unknown." in out
    assert "for 1 of them $0.000120 were predicted, to reconcile with invoices" in out
    assert "Savings are unknown" in out


def test_a_partly_unknown_cost_says_so_beside_the_sum(run, books: Books):
    books.load(dispatch("a"), settle("a"), dispatch("b"), settle("b", cost_nusd=None))
    assert "$0.00010 + 1 unknown" in run("ledger")[1].replace("$0.000100", "$0.00010")


def test_simulated_rows_stand_apart(run, books: Books):
    books.load(dispatch("a"), settle("a"), dispatch("s", deployment=SIMULATED), settle("s", cost_nusd=10**10))
    _, out, _ = run("ledger", "--by", "deployment")
    real, simulated = out.split("SIMULATED:")
    assert "demo@demo" not in real
    assert "$10.00" not in real
    assert "demo@demo" in simulated
    assert "mid@managed" not in simulated


def test_engines_say_what_their_idle_time_cost(run, books: Books):
    books.load(*on_own_engine("a", T0, 600_000_000))
    for second in range(0, 1201, 10):
        books.loader.mark_up(T0 + second * 1_000_000, [deployment(OWN)])
    _, out, _ = run("ledger")
    assert "Engine llama@gpu was up for 0.33 h and busy for 0.17 h: $3.20, of which $1.60 idle." in out
    assert "With idle engines it cost $3.20." in out
    assert "Lost against the baseline: -$1.60" in out
    assert "Idle engines paid, that is -$3.20." in out


def test_json_is_the_whole_summary(run, books: Books):
    books.load(dispatch("a"), settle("a"))
    status, out, _ = run("ledger", "--json", "--by", "day,model")
    found = json.loads(out)
    assert status == 0
    assert found["by"] == ["day", "model"]
    assert found["rows"][0]["group"] == {"day": "2027-01-15", "model": "mid"}
    assert found["total"]["cost_nusd"] == 100_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "modle"], "Did you mean model?"),
        (["--by", "xyzzy"], "is none of month, day, hour"),
        (["--since", "yesterdy"], "is no time"),
        (["--until", "7y"], "is no time"),
    ],
)
def test_a_wrong_word_is_a_usage_error(run, words, said):
    status, _, err = run("ledger", *words)
    assert status == 2
    assert said in err


@pytest.mark.parametrize("since", ["2027-01-15", "2027-01-15T08:30", "2027-01-15T08:30+00:00"])
def test_a_time_is_a_date_or_an_age(run, books: Books, since):
    books.load(dispatch("a"), settle("a"), dispatch("b", at_us=T0 - 10**12), settle("b"))
    assert json.loads(run("ledger", "--json", "--since", since)[1])["total"]["requests"] == 1
    assert json.loads(run("ledger", "--json", "--until", since)[1])["total"]["requests"] in (1, 2)
    assert json.loads(run("ledger", "--json", "--since", "999999w")[1])["total"]["requests"] == 2


def test_check_leaves_with_1_when_the_books_do_not_balance(run, books: Books):
    books.load(dispatch("a"), settle("a"))
    status, out, _ = run("ledger", "--check")
    assert status == 0
    assert "The books balance" in out
    books.change("UPDATE attempts SET cost_nusd = 1")
    status, out, _ = run("ledger", "--check")
    assert status == 1
    assert "cost_nusd of 2027-01-15T08" in out
    status, out, _ = run("ledger", "--check", "--json")
    assert status == 1
    assert len(json.loads(out)["discrepancies"]) >= 1


def test_rows_nobody_loads_are_loaded_by_the_command(run, books: Books):
    books.loader.close()
    books.write(dispatch("a"), settle("a"))
    assert json.loads(run("ledger", "--json")[1])["total"]["requests"] == 1
    books.loader = Loader(books.folder)


def test_a_running_gateway_loads_for_itself_and_is_waited_for(run, books: Books):
    books.load(dispatch("a"), settle("a"))
    books.write(dispatch("b"), settle("b"))
    soon = threading.Timer(0.25, books.loader.load)
    soon.start()
    status, out, err = run("ledger", "--json")
    soon.join()
    assert (status, err) == (0, "")
    assert json.loads(out)["total"]["requests"] == 2


def test_rows_a_gateway_does_not_load_are_missed(run, books: Books, monkeypatch):
    monkeypatch.setattr(data_folder, "_PATIENCE_S", 0.0)
    books.load(dispatch("a"), settle("a"))
    books.write(dispatch("b"), settle("b"))
    status, out, err = run("ledger", "--json")
    assert (status, err) == (0, "twintrack: The newest rows may be missing: the running gateway has not loaded them.\n")
    assert json.loads(out)["total"]["requests"] == 1


def test_a_broken_ledger_is_a_matter_of_the_environment(run, books: Books):
    books.loader.close()
    books.path.write_bytes(b"no database" * 1000)
    for suffix in ("-wal", "-shm"):
        Path(f"{books.path}{suffix}").unlink(missing_ok=True)
    status, _, err = run("ledger")
    assert status == 4
    assert "is broken" in err
    books.path.unlink()
    books.loader = Loader(books.folder)


def test_the_data_folder_is_said_or_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TWINTRACK_HOME", raising=False)
    assert folder(None) == tmp_path / "home" / ".local" / "share" / "twintrack"
    (tmp_path / ".twintrack").mkdir()
    assert folder(None) == Path(".twintrack")
    (tmp_path / "twintrack.toml").write_text(
        '[server]\ndata = "books"\n[[providers]]\nname = "a"\napi = "vllm"\nurl = "http://127.0.0.1:1/v1"\n'
        'zone = "own"\n[[deployments]]\nmodel = "m"\nprovider = "a"\nfacts = { context_tokens = 99 }\n'
        '[routes.auto]\ntiers = [{ name = "x", deployments = ["m@a"] }]\n'
    )
    assert folder(None) == tmp_path / "books"  # what is learned or asked here is about the gateway that serves here
    (tmp_path / "twintrack.toml").write_text("[server")
    assert folder(None) == Path(".twintrack")
    monkeypatch.setenv("TWINTRACK_HOME", str(tmp_path / "elsewhere"))
    assert folder(None) == tmp_path / "elsewhere"
    assert folder(Path("said")) == Path("said")


# ---- explain


def test_explain_tells_the_story_of_a_request(run, books: Books):
    ruled_out = ((PREMIUM, "context", 512, 812), (OWN, "busy", 64, 64))
    books.load(
        dispatch("tt-1", ruled_out=ruled_out),
        released("tt-1", detail="overloaded", total_us=150_000),
        dispatch("tt-1", 1, deployment=PREMIUM, tier=2, ruled_out=ruled_out),
        settle("tt-1", 1, cost_nusd=400_000),
    )
    status, out, _ = run("explain", "tt-1")
    assert status == 0
    assert out.splitlines() == [
        "Request tt-1 came on 2027-01-15 08:00:00 UTC with key dev and asked for auto (chat, streamed).",
        "Its data class is internal; about 800 tokens, task code, language en, complexity 0.40.",
        "Ruled out:",
        "  gpt@openai: prompt and allowed output have about 812 tokens, its window is 512.",
        "  llama@gpu: it has 64 requests in flight, its limit is 64.",
        "Chosen: mid@managed, tier balanced. It is in the cheapest tier that is good enough for a request like this.",
        "Expected were a chance of 93% that its answer is good enough (90% would do: 94.7% of the best one's 95%) and "
        "a cost of $0.00012 (policy 0123456789ab).",
        "Attempt 1: mid@managed (mid at managed) refused (HTTP 503, overloaded), done after 0.15 s. "
        "Its tokens are unknown. It was not charged.",
        "Attempt 2: gpt@openai (gpt at openai) answered, first token after 0.30 s, done after 2.00 s. "
        "It took 812 tokens and gave 301. It cost $0.0004.",
        "Together they cost $0.0004.",
        "Without routing, gpt@openai would have answered for $0.001: $0.0006 saved.",
    ]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([dispatch("x")], "has been running since 2027-01-15 08:00:00 UTC."),
        ([dispatch("x", deployment=UNPRICED), settle("x", cost_nusd=None)], "What it cost is unknown."),
        (
            [dispatch("x"), settle("x", cost_nusd=None, state="unknown", outcome="upstream_failed")],
            "What it cost cannot be known; predicted were $0.00012, to reconcile.",
        ),
        ([dispatch("x"), settle("x", cost_nusd=None)], "so what that saved is unknown."),
        ([dispatch("x"), settle("x", cost_nusd=2_000_000)], "would have answered for $0.001: $0.001 lost."),
        ([dispatch("x"), settle("x", baseline_nusd=None)], "what that would have cost is unknown."),
        ([dispatch("x", deployment=SIMULATED), settle("x")], "SIMULATED"),
        ([dispatch("x", route=-1, tier=-1, key=-1)], "without a key and named the deployment mid@managed"),
        (
            [dispatch("x", deployment=PREMIUM, chosen=MANAGED)],
            "It was only recorded: the route observes, and gpt@openai answered.",
        ),
        (
            [*on_own_engine("x", T0, 3_600_000)],
            "Its engine is paid by the hour, $9.600000007; its part of that is $0.0096",
        ),
        ([dispatch("x"), settle("x", usage_source="estimated")], "gave 301, estimated."),
    ],
)
def test_explain_says(run, books: Books, records, said):
    books.load(*records)
    status, out, _ = run("explain", "x")
    assert status == 0
    assert said in out


def test_explain_tells_of_a_lost_attempt(run, books: Books):
    books.write(dispatch("x"))
    books.worker.close()
    books.load()
    out = run("explain", "x")[1]
    assert "was running when our worker died" in out
    assert "predicted were $0.00012, to reconcile" in out


def test_explain_tells_why_a_request_was_refused(run, books: Books):
    books.load(refuse("f"))
    out = run("explain", "f")[1]
    assert "restricted data stays on your own machines, and this is a third party." in out
    assert "It was sent to nobody and cost nothing: no_eligible_model (HTTP 422)." in out


def test_explain_json_is_the_ledgers_rows(run, books: Books):
    books.load(dispatch("a"), settle("a"), refuse("f"))
    (attempt,) = json.loads(run("explain", "a", "--json")[1])
    assert (attempt["type"], attempt["cost_nusd"]) == ("attempt", 100_000)
    (refusal,) = json.loads(run("explain", "f", "--json")[1])
    assert refusal["type"] == "refusal"


def test_explain_waits_for_a_running_gateway_to_load_what_it_just_wrote(run, books: Books):
    books.load()
    books.write(dispatch("x"), settle("x"))
    soon = threading.Timer(0.25, books.loader.load)
    soon.start()
    status, out, _ = run("explain", "x")
    soon.join()
    assert status == 0
    assert out.startswith("Request x came on")


def test_explain_waits_for_nothing_where_all_is_loaded_that_was_written(run, books: Books, monkeypatch):
    books.load(dispatch("a"), settle("a"))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits for nobody"))
    status, _, err = run("explain", "nobody")
    assert status == 1
    assert "There is no request 'nobody'" in err


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, since TEXT)")
        db.execute("INSERT INTO schema_version VALUES (1000, '')")


def _other(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE songs (name TEXT)")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_newer, "was written by a newer version"),
        (_other, "is some other SQLite database"),
        (lambda path: path.write_bytes(b"no database" * 1000), "is broken"),
        (Path.mkdir, "cannot be used"),
    ],
    ids=["newer", "another program's", "broken", "a folder"],
)
def test_a_ledger_that_nothing_comes_into_is_said_at_once_though_somebody_holds_its_folder(
    run, tmp_path: Path, monkeypatch, make, says
):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits for nobody"))
    make(database(tmp_path))
    with loading(tmp_path):
        status, _, err = run("ledger", "--data", str(tmp_path), data=False)
    assert status == 4
    assert says in err


def test_explain_of_an_unknown_request_fails_at_once_where_no_gateway_runs(run, books: Books, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits for nobody"))
    books.load(dispatch("a"), settle("a"))
    books.loader.close()
    status, _, err = run("explain", "nobody")
    assert status == 1
    assert "There is no request 'nobody'" in err
    assert run("explain", "nobody", "--data", str(tmp_path / "nothing"), data=False)[0] == 1
    books.loader = Loader(books.folder)
