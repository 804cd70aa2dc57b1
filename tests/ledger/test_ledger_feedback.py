"""`twintrack feedback`, with and without a gateway that runs."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from ledger_records import Books, dispatch, settle

from twintrack.cli import main
from twintrack.ledger.verdicts import judgements


@pytest.fixture
def say(books: Books, capsys: pytest.CaptureFixture[str]):
    """Run `twintrack feedback` on the books' folder; (exit code, stdout, stderr)."""

    def run_it(*words: str, data: Path | None = None) -> tuple[int, str, str]:
        books.loader.close()
        with pytest.raises(SystemExit) as left:
            main(["feedback", *words, "--data", str(data or books.folder)])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run_it


def scores(books: Books) -> dict[str, tuple[float, str]]:
    return {each.request_id: (each.score, each.source) for each in judgements(books.path)}


@pytest.mark.parametrize(
    ("words", "score", "source"),
    [
        (("up",), 1.0, "human"),
        (("down", "--label", "wrong"), 0.0, "human"),
        (("--score", "0.25"), 0.25, "human"),
        (("--correct", "--source", "check"), 1.0, "check"),
        (("--incorrect",), 0.0, "human"),
    ],
)
def test_one_answer(books: Books, say, words: tuple[str, ...], score: float, source: str):
    books.load(dispatch("a"), settle("a"))
    assert say("a", *words) == (0, "Recorded: 1 verdict.\n", "")
    assert scores(books) == {"a": (score, source)}
    assert not [name for name in books.journal_files() if name.startswith("feedback")], "it is loaded and gone"


def test_what_is_no_verdict_or_on_no_request_records_nothing(books: Books, say, tmp_path: Path):
    books.load(dispatch("a"), settle("a"))
    for words, status, says in (
        (("b", "up"), 1, "There is no request 'b' in the ledger of"),
        (("a",), 1, "There is no verdict"),
        (("a", "up", "--score", "1"), 1, "thumbs and score together are no verdict"),
        (("a", "up", "--label", "rubbish"), 1, "$.label: Invalid enum value 'rubbish'. Use wrong, incomplete,"),
        (("a", "--score", "nan"), 2, "nan is not in the range"),
        (("a", "sideways"), 2, "'sideways' is not one of"),
        ((), 2, "Say which answer"),
        (("a", "up", "--from", "x"), 2, "not both"),
        (("--from", "x", "--score", "1"), 2, "Each line of --from FILE says its own verdict"),
        (("--from", "none.jsonl"), 1, "none.jsonl cannot be read"),
    ):
        code, _, err = say(*words)
        assert (code, says in err) == (status, True), err
    assert scores(books) == {}
    code, _, err = say("a", "up", data=tmp_path / "elsewhere")
    assert (code, "There is no ledger in" in err) == (1, True)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_is_recorded_whole_or_not_at_all(books: Books, say, tmp_path: Path):
    count = 500
    for number in range(count):
        books.write(dispatch(f"r{number}"), settle(f"r{number}"))
    books.load()
    lines = [json.dumps({"id": f"r{number}", "score": number / count}) for number in range(count)]
    lines += ["", json.dumps({"id": "r1", "correct": True, "source": "check"}), json.dumps({"id": "x", "thumbs": "up"})]
    file = tmp_path / "verdicts.jsonl"

    file.write_text("\n".join([*lines, '{"id": "r2"}', "nonsense"]))
    code, out, err = say("--from", str(file))
    assert (code, out) == (1, "")
    assert f"{file}:504: There is no verdict." in err
    assert f"{file}:505: The body is not JSON" in err
    assert "2 of 504 lines are no verdicts: nothing was recorded." in err
    assert scores(books) == {}

    file.write_text("\n".join(lines))
    code, out, _ = say("--from", str(file), "--source", "feedback")
    assert (code, out) == (0, "Recorded: 502 verdicts.\nApart: 1 on requests that this ledger does not hold.\n")
    found = scores(books)
    assert (len(found), found["r1"], found["r100"]) == (count, (1.0, "check"), (0.2, "feedback"))
    assert json.loads(say("--from", str(file), "--json")[1]) == {"recorded": 502, "counts": 501, "unknown": 1}


def test_a_gateway_that_runs_loads_it(books: Books, say, monkeypatch: pytest.MonkeyPatch):
    books.load(dispatch("a"), settle("a"))
    monkeypatch.setattr(books.loader, "close", lambda: None)  # the gateway's, in a process of its own
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            books.loader.load()
            time.sleep(0.05)

    gateway = threading.Thread(target=serve)
    gateway.start()
    try:
        assert say("a", "up") == (0, "Recorded: 1 verdict.\n", "")
    finally:
        stop.set()
        gateway.join()
    assert scores(books) == {"a": (1.0, "human")}


def test_what_the_gateway_could_not_read_is_not_written(books: Books, say, monkeypatch: pytest.MonkeyPatch):
    books.load(dispatch("a"), settle("a"))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    code, _, err = say("a", "up")
    assert (code, f"sudo -u '#{owner}' twintrack feedback" in err) == (1, True)
    assert not [name for name in books.journal_files() if name.startswith("feedback")]
