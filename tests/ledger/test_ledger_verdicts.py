"""Verdicts in the ledger: which count, which are told apart, and what they add up to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_records import (
    MANAGED,
    NAMES,
    OWN,
    PREMIUM,
    SIMULATED,
    T0,
    Books,
    dispatch,
    refuse,
    released,
    settle,
)

from twintrack.cli import main
from twintrack.ledger.decisions import decided
from twintrack.ledger.journal import Journal
from twintrack.ledger.records import Judged
from twintrack.ledger.verdicts import judgements, verdicts, wilson
from twintrack.signals.features import NAMES as FEATURES
from twintrack.signals.features import packed, unpacked

NUMBERS = tuple(float(place) for place in range(len(FEATURES)))


def judged(request_id: str = "r", score: float = 1.0, **changes: object) -> Judged:
    said = {"key": 0, "source": "feedback", "at_us": T0 + 9_000_000, "generation": 1} | changes
    return Judged(request_id=request_id, score=score, **said)  # type: ignore[arg-type]


def standing(books: Books) -> dict[str, str]:
    return {row["request_id"]: row["standing"] for row in books.rows("SELECT request_id, standing FROM judged")}


def test_a_verdict_is_on_the_answer_the_client_got(books: Books):
    books.load(
        dispatch("a", deployment=MANAGED), released("a"),
        dispatch("a", 1, deployment=PREMIUM), settle("a", 1),
        judged("a", 0.5),
    )  # fmt: skip
    (found,) = judgements(books.path)
    assert (found.deployment, found.chosen, found.score) == ("gpt@openai", "mid@managed", 0.5)


def test_it_may_be_loaded_before_its_request(books: Books):
    books.load(judged("a"))
    assert standing(books) == {"a": "unknown"}
    books.load(dispatch("a"))
    assert standing(books) == {"a": "unanswered"}
    books.load(settle("a"))
    assert standing(books) == {"a": "counts"}


def test_whose_it_is(books: Books):
    for request_id in "abcd":
        books.write(dispatch(request_id), settle(request_id))
    books.load(
        dispatch("e"), released("e"),
        judged("a", key=0), judged("b", key=1), judged("c", key=1, source="human"), judged("d", key=-1),
        judged("e"), judged("f"),
    )  # fmt: skip
    assert standing(books) == {
        "a": "counts", "b": "foreign", "c": "counts", "d": "counts", "e": "unanswered", "f": "unknown",
    }  # fmt: skip
    assert verdicts(books.path).apart == {"foreign": 1, "unanswered": 1, "unknown": 1}


def test_a_key_without_a_name_is_nobody(books: Books):
    books.load(dispatch("a"), settle("a"), judged("a", key=7))
    assert standing(books) == {"a": "foreign"}


def test_the_last_word_holds_in_whatever_order_it_is_loaded(books: Books):
    books.load(dispatch("a"), settle("a"), judged("a", 1.0, at_us=T0 + 20), judged("a", 0.0, at_us=T0 + 10))
    assert [each.score for each in judgements(books.path)] == [1.0]
    books.load(judged("a", 0.25, at_us=T0 + 30))
    assert [each.score for each in judgements(books.path)] == [0.25]


def test_of_several_sources_the_most_trusted_is_believed(books: Books):
    books.load(
        dispatch("a"), settle("a"), dispatch("b"), settle("b"),
        judged("a", 0.0), judged("a", 0.4, source="judge"), judged("a", 1.0, source="human", key=1),
        judged("a", 0.5, source="human", key=-1), judged("b", 0.0), judged("b", 1.0, source="judge"),
    )  # fmt: skip
    assert [(each.request_id, each.score, each.source) for each in judgements(books.path)] == [
        ("a", 0.75, "human"),
        ("b", 1.0, "judge"),
    ]


def test_one_may_listen_to_some_sources_alone(books: Books):
    books.load(
        dispatch("a"), settle("a"), dispatch("b"), settle("b"),
        judged("a", 0.0), judged("a", 1.0, source="human"), judged("b", 1.0, source="judge"),
    )  # fmt: skip
    found = judgements(books.path, sources=("feedback", "judge"))
    assert [(each.request_id, each.score) for each in found] == [("a", 0.0), ("b", 1.0)]


def test_a_refused_request_has_no_answer_to_judge(books: Books):
    books.load(refuse("f", key=0), judged("f", key=0), refuse("g", key=0), judged("g", key=1))
    assert standing(books) == {"f": "unanswered", "g": "foreign"}


def test_while_nobody_loads_the_journal_verdicts_wait_outside(tmp_path: Path):
    now = 0.0
    journal = Journal(tmp_path, "w0", 16_384, clock=lambda: now)
    journal.start(NAMES)
    taken = 0
    while journal.offer(judged("r" * 60)):
        taken += 1
        now += 2.0  # it looks once a second
    assert taken * 100 > 16 * 16_384 * 0.8
    assert len(list(tmp_path.iterdir())) in range(17, 20)
    journal.append(dispatch("a"))  # a request is still taken
    journal.close()


def test_features_stand_beside_the_first_attempt_and_come_back_as_they_were(books: Books):
    books.load(dispatch("a", features=packed(NUMBERS)), settle("a"), dispatch("b"), settle("b"))
    books.load(dispatch("c", features=packed(NUMBERS)), judged("a"), judged("b"), judged("c"))
    books.load(settle("c", seen=b"of the draft"))
    assert {each.request_id: each.draft for each in judgements(books.path)} == {
        "a": None,
        "b": None,
        "c": b"of the draft",
    }
    found = {each.request_id: each.features for each in judgements(books.path)}
    assert found["b"] is None
    assert unpacked(found["a"] or b"") == NUMBERS == unpacked(found["c"] or b"")
    assert (verdicts(books.path).with_features, verdicts(books.path).on_drafts) == (2, 1)
    assert unpacked(b"\xff" + packed(NUMBERS)[1:]) is None, "of another version"
    assert unpacked(b"") is None


def test_a_journal_that_is_loaded_again_changes_nothing(books: Books, tmp_path: Path):
    books.write(dispatch("a", features=packed(NUMBERS)), settle("a"), judged("a"), judged("a", 0.5, at_us=T0 + 99))
    kept = books.kept_copy(tmp_path / "kept")
    books.load()
    before = books.rows("SELECT * FROM judged"), books.rows("SELECT * FROM features")
    books.worker.close()
    books.load()
    for file in kept.iterdir():
        (books.journals / file.name).write_bytes(file.read_bytes())
    books.reopen_loader()
    books.loader.load()
    assert (books.rows("SELECT * FROM judged"), books.rows("SELECT * FROM features")) == before
    books.worker = books.new_worker("w9", NAMES)


@pytest.mark.parametrize(
    ("good", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval(good: int, count: int, low: float, high: float):
    """Examples of Newcombe, "Two-sided confidence intervals for the single proportion" (1998), method 3."""
    assert [round(end, 4) for end in wilson(good / count, count)] == [low, high]
    assert [round(1 - end, 4) for end in wilson(1 - good / count, count)] == [high, low]


def test_without_a_verdict_anything_is_possible():
    assert wilson(0.5, 0) == (0.0, 1.0)


def test_the_table_is_by_route_and_deployment_with_simulated_ones_marked(books: Books, capsys: pytest.CaptureFixture):
    for number in range(10):
        request_id = f"a{number}"
        books.write(dispatch(request_id), settle(request_id), judged(request_id, float(number < 7)))
    books.load(dispatch("s", deployment=SIMULATED), settle("s"), judged("s", source="check"))

    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as left:
            main(["ledger", "verdicts", *words, "--data", str(books.folder)])
        assert not left.value.code
        return capsys.readouterr().out

    text = said()
    assert "auto   mid@managed                10  0.700  0.397 to 0.892  feedback 10" in text
    assert "demo@demo SIMULATED" in text
    found = json.loads(said("--json"))
    assert (found["counts"], found["with_features"], found["rows"][0]["verdicts"]) == (11, 0, 10)
    assert json.loads(said("--json", "--since", "2027-02-01"))["counts"] == 0
    with pytest.raises(SystemExit) as left:
        main(["ledger", "--json", "verdicts"])
    assert left.value.code == 2
    assert "Options stand behind the word verdicts" in capsys.readouterr().err


def test_a_story_ends_with_what_was_said(books: Books, capsys: pytest.CaptureFixture[str]):
    books.load(
        dispatch("a"), settle("a"), judged("a", 0.0, label="wrong"),
        judged("a", 1.0, key=1, at_us=T0 + 10_000_000), judged("a", 0.5, key=-1, source="human", at_us=T0 + 11_000_000),
    )  # fmt: skip
    with pytest.raises(SystemExit):
        main(["explain", "a", "--data", str(books.folder)])
    first, second, third = capsys.readouterr().out.splitlines()[-3:]
    assert first == "Judged 0 of 1, wrong (feedback, key dev) on 2027-01-15 08:00:09 UTC."
    assert second.endswith("It does not count: by a key on another key's request.")
    assert third.startswith("Judged 0.5 of 1 (human) on ")


def test_of_a_cascade_it_is_on_what_the_client_saw_and_teaches_nothing(books: Books):
    books.load(
        dispatch("a", role="classifier", deployment=OWN), settle("a"),
        dispatch("a", 1, role="draft", deployment=MANAGED, features=packed(NUMBERS)), settle("a", 1),
        dispatch("a", 2, deployment=PREMIUM), settle("a", 2), judged("a"),
        dispatch("b", role="draft", deployment=MANAGED, features=packed(NUMBERS)), settle("b"), judged("b"),
        dispatch("c", role="classifier", deployment=OWN), settle("c"), dispatch("c", 1), released("c", 1), judged("c"),
    )  # fmt: skip
    found = judgements(books.path)
    assert [(each.request_id, each.deployment, each.drafted) for each in found] == [
        ("a", "gpt@openai", True),
        ("b", "mid@managed", True),
    ]
    assert standing(books)["c"] == "unanswered"
    assert verdicts(books.path).with_features == 0
    assert [(each.request_id, each.drafted) for each in decided(books.path)] == [("a", True), ("b", True)]
