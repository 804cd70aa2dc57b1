"""The audit chain: an entry for each decision, bound to the one before. Every way to change it afterwards is found."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing

import msgspec
import pytest
from audit_attacks import bodies_of, rewrite
from ledger_records import (
    MANAGED,
    OWN,
    PREMIUM,
    T0,
    Books,
    dispatch,
    left_by,
    names,
    refuse,
    released,
    screened,
    settle,
)

from twintrack.config.settings import DATA_CLASSES
from twintrack.errors import LedgerError
from twintrack.ledger.audit.blocks import block_entries, blocks
from twintrack.ledger.audit.checkpoint import Checkpoint
from twintrack.ledger.audit.decisions import decisions, newest
from twintrack.ledger.audit.entry import (
    About,
    Decided,
    Ended,
    Policy,
    Refused,
    RuledOut,
    Screen,
    Serving,
    commitment,
    to_msgpack,
)
from twintrack.ledger.audit.opened import reading_chain
from twintrack.ledger.audit.seal import HmacSeal
from twintrack.ledger.audit.verify import Verified, verify
from twintrack.ledger.database import reading

SEAL = HmacSeal(b"k" * 32)


def entries(books: Books) -> list[object]:
    with reading(books.path) as db:
        return [entry for block in blocks(db) for entry in block_entries(block.seq, block.bodies, block.personal)]


def bodies(books: Books, kind: type) -> list[object]:
    return [entry.body for entry in entries(books) if type(entry.body) is kind]


def verified(books: Books, *outside: Checkpoint) -> Verified:
    with reading(books.path) as db:
        return verify(db, outside, [SEAL])


def traffic(books: Books, requests: int = 100, start: int = 0) -> None:
    for number in range(start, start + requests):
        books.write(dispatch(f"r{number}", at_us=T0 + number), settle(f"r{number}", at_us=T0 + number + 50))
    books.load()


def checkpoint(books: Books) -> Checkpoint:
    made = books.loader.checkpoint(SEAL)
    assert made is not None
    return made


# ---- what is in it


def test_a_request_that_is_over_is_one_entry_that_says_who_saw_it(books: Books):
    books.load(dispatch("a", deployment=MANAGED, data_class=2), settle("a"))
    (decided,) = bodies(books, Decided)
    (about,) = bodies(books, About)
    assert (about.data_class, about.zone, about.region, about.deployment) == (
        "confidential",
        "contracted",
        "eu-west",
        "mid@managed",
    )
    assert about.policy == "0123456789ab"
    (entry,) = [entry for entry in entries(books) if entry.body is decided or entry.body == decided]
    assert (entry.personal.request_id, entry.personal.key) == ("a", "dev")
    assert bodies(books, RuledOut) == [RuledOut((("gpt@openai", "context"),))]
    assert bodies(books, Ended) == [Ended("settled", "ok", 200)]


def test_it_stands_who_sees_the_data_before_the_answer_is_there(books: Books):
    books.load(dispatch("a", data_class=2))
    (running,) = bodies(books, Decided)
    assert running.attempt[2:] == (0, 0)
    books.load(settle("a"))
    _, end = bodies(books, Decided)
    first = next(entry.seq for entry in entries(books) if entry.body == running)
    assert end.first == first
    assert end.attempt[3] == settle().at_us


def test_every_deployment_that_was_asked_is_told_of(books: Books):
    books.load(
        dispatch("a", deployment=OWN),
        released("a"),
        dispatch("a", 1, deployment=MANAGED),
        released("a", 1),
        dispatch("a", 2, deployment=PREMIUM),
    )
    books.reopen_loader()  # a control plane that died remembers nothing
    books.load(settle("a", 2))
    told = bodies(books, Decided)
    assert [each.attempt[0] for each in told] == [0, 1, 2, 2]
    assert len({each.first for each in told[1:]}) == 1
    assert {each.deployment for each in bodies(books, About)} == {"llama@gpu", "mid@managed", "gpt@openai"}
    assert verified(books).problems == ()


def test_what_was_read_of_a_request_stands_with_its_decision(books: Books):
    books.load(
        screened("a", found=3, data_class=3, counts=(("iban", 2),), bands=(0, 0, 2), body_hmac=b"h" * 16, pseudonyms=2),
        dispatch("a", deployment=OWN, data_class=3),
        settle("a"),
    )
    (decided,) = bodies(books, Decided)
    (screen,) = bodies(books, Screen)
    assert decided.screen[1:] == ((("iban", 2),), (0, 0, 2), 2)
    assert (screen.found, screen.data_class, screen.detector) == ("restricted", "restricted", "d1")
    (entry,) = [entry for entry in entries(books) if entry.body == decided]
    assert entry.personal.body_hmac == b"h" * 16


def test_what_was_read_and_then_decided_after_a_crash_belongs_together(books: Books):
    books.load(screened("a"))
    books.reopen_loader()
    books.load(dispatch("a"), settle("a"))
    read, decided = bodies(books, Decided)
    assert read.screen is not None
    assert decided.first == next(entry.seq for entry in entries(books) if entry.body == read)


def test_a_refused_request_has_an_entry(books: Books):
    books.load(screened("f", found=3), refuse("f"))
    (decided,) = bodies(books, Decided)
    (refused,) = bodies(books, Refused)
    assert (refused.data_class, refused.code, refused.status) == ("restricted", "no_eligible_model", 422)
    assert decided.screen is not None
    assert decided.attempt is None


def test_a_policy_stands_there_with_the_time_it_began(books: Books):
    second = books.new_worker("w1", names(policy_version="ffff", policy=b"content", at_us=T0 + 7))
    books.load()
    assert Policy(T0 + 7, "ffff", b"content") in bodies(books, Policy)
    assert Serving(T0 + 7, "w0", "ffff") in bodies(books, Serving)
    second.close()


def test_nothing_is_told_twice_when_a_journal_comes_back(books: Books, tmp_path):
    books.write(screened("a"), dispatch("a"), settle("a"), screened("f"), refuse("f"))
    kept = books.kept_copy(tmp_path / "kept")
    books.load()
    before = len(bodies(books, Decided))
    books.worker.close()
    books.loader.load()
    for path in kept.iterdir():
        shutil.copy(path, books.journals / path.name)
    books.loader.load()
    assert len(bodies(books, Decided)) == before
    assert verified(books).problems == ()


# ---- what was done to it is found


def test_a_chain_that_nobody_touched_verifies(books: Books):
    traffic(books, 200)
    made = checkpoint(books)
    traffic(books, 100, start=200)
    found = verified(books, made)
    assert found.problems == ()
    assert (found.checkpoints_elsewhere, found.newest_us) == (1, made.at_us)
    assert found.entries > 300
    assert books.loader.checkpoint(SEAL) is not None
    assert books.loader.checkpoint(SEAL) is None, "nothing came since"


def _edit(books: Books) -> None:
    with closing(sqlite3.connect(books.path)) as db:
        seq, block = db.execute("SELECT seq, bodies FROM audit ORDER BY seq LIMIT 1 OFFSET 1").fetchone()
        changed = block.replace(b"\xcf", b"\xce", 1) if b"\xcf" in block else block[:-1] + b"\x00"
        db.execute("UPDATE audit SET bodies = ? WHERE seq = ?", (changed, seq))
        db.commit()


def _edit_words(books: Books) -> None:
    """A third party becomes a machine of our own."""
    with closing(sqlite3.connect(books.path)) as db:
        for seq, block in db.execute("SELECT seq, bodies FROM audit").fetchall():
            db.execute("UPDATE audit SET bodies = ? WHERE seq = ?", (block.replace(b"contracted", b"own-roomss"), seq))
        db.commit()


def _edit_ledger(books: Books) -> None:
    books.change("UPDATE deployments SET zone = 'own' WHERE name = 'mid@managed'")


def _delete_in_the_middle(books: Books) -> None:
    books.change("DELETE FROM audit WHERE seq = (SELECT seq FROM audit ORDER BY seq LIMIT 1 OFFSET 1)")


def _cut_off(books: Books) -> None:
    books.change("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")


def _delete_one_entry(books: Books) -> None:
    with closing(sqlite3.connect(books.path)) as db:
        (seq, entries, personal), *_ = bodies_of(db)
        del entries[5], personal[5]
        db.execute(
            "UPDATE audit SET bodies = ?, personal = ? WHERE seq = ?",
            (
                msgspec.msgpack.encode([msgspec.msgpack.encode(entry) for entry in entries]),
                msgspec.msgpack.encode(personal),
                seq,
            ),
        )
        db.commit()


def _reorder(books: Books) -> None:
    with closing(sqlite3.connect(books.path)) as db:
        one, two = db.execute("SELECT seq FROM audit WHERE entries = 64 ORDER BY seq LIMIT 2 OFFSET 1").fetchall()
        columns = "bodies, personal, hash"
        a = db.execute(f"SELECT {columns} FROM audit WHERE seq = ?", one).fetchone()
        b = db.execute(f"SELECT {columns} FROM audit WHERE seq = ?", two).fetchone()
        db.execute("UPDATE audit SET bodies = ?, personal = ?, hash = ? WHERE seq = ?", (*b, *one))
        db.execute("UPDATE audit SET bodies = ?, personal = ?, hash = ? WHERE seq = ?", (*a, *two))
        db.commit()


def _somebody_else(books: Books) -> None:
    """What is personal is bound too."""
    with closing(sqlite3.connect(books.path)) as db:
        for seq, personal in db.execute("SELECT seq, personal FROM audit").fetchall():
            db.execute("UPDATE audit SET personal = ? WHERE seq = ?", (personal.replace(b"\xa3dev", b"\xa3app"), seq))
        db.commit()


def _all_gone(books: Books) -> None:
    books.change("DELETE FROM audit")


@pytest.mark.parametrize(
    ("attack", "finding"),
    [
        (_edit, "are not what was written|cannot be read"),
        (_edit_words, "are not what was written"),
        (_edit_ledger, "The ledger has"),
        (_delete_in_the_middle, "are missing"),
        (_delete_one_entry, "cannot be read"),
        (_cut_off, "The ledger has 300 attempts"),
        (_reorder, "are not what was written"),
        (_somebody_else, "are not what was written"),
        (_all_gone, "There is no first entry"),
    ],
)
def test_a_change_is_found_even_without_checkpoints(books: Books, attack: Callable[[Books], None], finding: str):
    traffic(books, 300)
    assert verified(books).problems == ()
    attack(books)
    assert any(re.search(finding, problem) for problem in verified(books).problems)


def test_a_chain_that_was_written_anew_is_found_by_a_checkpoint_from_outside(books: Books):
    traffic(books, 300)
    kept_elsewhere = checkpoint(books)

    def forge(entry: list[object]) -> None:
        if entry[0] == 2:
            entry[entry.index("contracted")] = "own"

    rewrite(books.path, forge)
    books.change("DELETE FROM audit_checkpoints")
    books.change("UPDATE deployments SET zone = 'own'")
    assert verified(books).problems == (), (
        "by itself such a chain is perfect, and verify says that nothing was compared"
    )
    assert verified(books).checkpoints_elsewhere == 0
    (problem,) = verified(books, kept_elsewhere).problems
    assert "is not the one that the checkpoint of" in problem


def test_an_older_database_that_was_put_back_is_found_by_a_checkpoint_from_outside(books: Books, tmp_path):
    traffic(books, 50)
    with closing(sqlite3.connect(books.path)) as now, closing(sqlite3.connect(tmp_path / "old.db")) as old:
        now.backup(old)
    traffic(books, 50, start=50)
    kept_elsewhere = checkpoint(books)
    with closing(sqlite3.connect(books.path)) as now, closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.backup(now)
    assert verified(books).problems == ()
    (problem,) = verified(books, kept_elsewhere).problems
    assert "an older database was put in its place" in problem


def test_a_cut_at_the_end_with_its_rows_is_found_by_a_checkpoint(books: Books):
    traffic(books, 300)
    kept_elsewhere = checkpoint(books)
    books.change("DELETE FROM attempts WHERE id >= (SELECT max(reach) - 300 FROM audit)")
    books.change("DELETE FROM audit")
    assert any("its end was cut off" in problem for problem in verified(books, kept_elsewhere).problems)


def test_a_forged_checkpoint_is_found(books: Books):
    traffic(books, 10)
    made = checkpoint(books)
    forged = msgspec.structs.replace(made, entries=3)
    assert any("was not signed" in problem for problem in verified(books, forged).problems)
    with reading(books.path) as db:
        found = verify(db, [made], [])
    assert found.problems == ()
    assert found.unsigned == 2, "the one in the database and the one from outside"


def test_another_chain_is_not_taken_for_this_one(books: Books, tmp_path):
    other = Books(tmp_path / "other")
    traffic(other, 10)
    made = checkpoint(other)
    other.close()
    traffic(books, 10)
    assert any("of another chain" in problem for problem in verified(books, made).problems)


def test_a_chain_that_was_thrown_away_and_begun_anew_is_found(books: Books):
    traffic(books, 10)
    _all_gone(books)
    books.reopen_loader()
    traffic(books, 10, start=10)
    assert any("and should at 1" in problem for problem in verified(books).problems)


def test_rows_from_before_there_was_a_chain_are_no_finding(tmp_path):
    books = Books(left_by(2, tmp_path / "data"))
    with reading(books.path) as db:
        assert verify(db).problems == ()
    traffic(books, 5)
    assert verified(books).problems == ()
    books.close()


def test_a_damaged_chain_stops_no_loading_and_is_told(books: Books, tmp_path):
    traffic(books, 10)
    checkpoint(books)
    books.load(dispatch("open"))
    books.change("UPDATE audit SET bodies = x'c1', personal = x'91a161'")
    books.change("UPDATE audit_checkpoints SET body = '{}'")
    books.reopen_loader()
    books.load(settle("open"), dispatch("later"), settle("later"))
    assert books.loader.unsent_checkpoints() == []
    checkpoint(books)
    problems = verified(books).problems
    assert any("cannot be read" in problem for problem in problems)
    assert any("The checkpoint at entry" in problem for problem in problems)
    with pytest.raises(LedgerError, match="cannot be read"), reading_chain(books.path) as db:
        list(decisions(db))


@pytest.mark.parametrize("change", ["last_us = 1", "first_us = 4000000000000000"])
def test_a_block_that_is_given_another_time_is_found(books: Books, change: str):
    """Whoever looks at a period finds its blocks by these two, and no hash stands over them."""
    traffic(books, 10)
    with closing(sqlite3.connect(books.path)) as db:
        db.execute(f"UPDATE audit SET {change}")
        db.commit()
    assert any("time" in each for each in verified(books).problems)


def test_whom_an_entry_is_about_does_not_go_unsaid(books: Books):
    """By hand: what an erasure leaves behind, without the entry that says it was one."""
    traffic(books, 10)
    with closing(sqlite3.connect(books.path)) as db:
        for seq, _, personal in bodies_of(db):
            gone = [(commitment(each),) if each else each for each in personal]
            db.execute("UPDATE audit SET personal = ? WHERE seq = ?", (to_msgpack(gone), seq))
        db.commit()
    assert any("erased" in each for each in verified(books).problems)


def test_more_decisions_than_a_number_can_count_may_be_asked_for(books: Books):
    traffic(books, 3)
    with reading(books.path) as db:
        assert len(newest(db, 10**30, 0, T0 * 2, DATA_CLASSES)) == 3
