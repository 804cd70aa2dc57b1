"""What leads to somebody goes, what is counted stays, and the chain still verifies and says that it was done."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_records import HOUR_US, OWN, T0, Books, dispatch, names, refuse, released, screened, settle

from twintrack.ledger.audit.blocks import block_entries, blocks
from twintrack.ledger.audit.decisions import decision_of
from twintrack.ledger.audit.entry import Erased, Restored
from twintrack.ledger.audit.prove import prove
from twintrack.ledger.audit.seal import HmacSeal
from twintrack.ledger.audit.verify import verify
from twintrack.ledger.backup import back_up
from twintrack.ledger.balance import balance
from twintrack.ledger.database import database, open_writer, reading
from twintrack.ledger.erase import Erasure, Subject, erase, kinds_of
from twintrack.ledger.records import Judged
from twintrack.ledger.restore import restore
from twintrack.ledger.summary import summary

SEAL = HmacSeal(b"k" * 32)
NAMED = "alice-4711"


@pytest.fixture
def busy(books: Books) -> Books:
    """Two keys, one of a tenant, over two hours."""
    books.worker.names(names(keys=(NAMED, "app"), tenants=("acme", "")))
    for number in range(40):
        at_us = T0 + number * HOUR_US // 20
        who = number % 2
        books.write(
            screened(f"r{number}", key=who, body_hmac=f"hmac-{number:011d}".encode()),
            dispatch(f"r{number}", key=who, at_us=at_us, deployment=OWN if number % 4 == 0 else 1),
            released(f"r{number}", at_us=at_us + 5),
            dispatch(f"r{number}", 1, key=who, at_us=at_us + 6),
            settle(f"r{number}", 1, at_us=at_us + 50, seen=f"seen-{number}".encode()),
        )
    books.write(refuse("f", key=0))
    books.load()
    return books


def erased(books: Books, kind: str, name: str, before_us: int | None = None, **more: bool) -> Erasure:
    with closing(open_writer(books.path)) as db:
        return erase(
            db,
            Subject(kind, name),  # type: ignore[arg-type]
            before_us=before_us,
            now_us=T0 + 9 * HOUR_US,
            fingerprint="ff" * 16,
            **({"alone": True} | more),
        )


def everything(path: Path) -> bytes:
    """Of the database, with what still lies beside it."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def bodies(books: Books, kind: type) -> list[object]:
    with reading(books.path) as db:
        found = [entry for block in blocks(db) for entry in block_entries(block.seq, block.bodies, block.personal)]
    return [entry.body for entry in found if type(entry.body) is kind]


def test_the_books_balance_and_the_chain_verifies_afterwards(busy: Books):
    made = busy.loader.checkpoint(SEAL)
    before = summary(busy.path).total
    done = erased(busy, "key", NAMED)
    assert (done.keys, done.attempts, done.refusals, done.entries) == ((NAMED,), 40, 1, 41)
    assert balance(busy.path) == []
    assert summary(busy.path).total == before
    with reading(busy.path) as db:
        found = verify(db, [made], [SEAL])
        assert prove(db, "public", 0, T0 * 2).requests == 41
    assert found.problems == ()
    assert (found.erased, found.checkpoints_elsewhere) == (41, 1)


def test_nothing_in_the_file_leads_to_the_subject(busy: Books):
    busy.worker.close()
    busy.loader.load()
    busy.loader.close()
    assert b"r10" in everything(busy.path)
    assert b"hmac-00000000010" in everything(busy.path)
    erased(busy, "key", NAMED)
    left = everything(busy.path)
    with closing(sqlite3.connect(busy.path)) as db:
        text = "\n".join(db.iterdump())
    assert NAMED not in text
    assert b"hmac-00000000010" not in left
    assert b"seen-10" not in left
    assert b"seen-11" in left, "of the other key's draft"
    assert b"hmac-00000000011" in left, "the other key's"
    assert NAMED.encode() not in left


def test_what_the_other_key_asked_is_untouched(busy: Books):
    erased(busy, "key", NAMED)
    by = {line.group["key"]: line.requests for line in summary(busy.path, ("key",)).rows}
    assert by.pop("app") == 20
    ((name, requests),) = by.items()
    assert name.startswith("erased-")
    assert requests == 21
    with reading(busy.path) as db:
        assert decision_of(db, "r11") is not None
        assert decision_of(db, "r10") is None


def test_it_is_logged_without_the_name(busy: Books):
    done = erased(busy, "key", NAMED)
    (entry,) = bodies(busy, Erased)
    assert (entry.what, entry.subject, entry.entries) == ("key", "ff" * 16, done.entries)
    assert done.logged_as > 0


def test_one_request_goes_alone(busy: Books):
    with reading(busy.path) as db:
        assert kinds_of(db, "r10") == ["request"]
        assert kinds_of(db, NAMED) == ["key"]
        assert kinds_of(db, "acme") == ["tenant"]
        assert kinds_of(db, "nobody") == []
    done = erased(busy, "request", "r10")
    assert (done.attempts, done.entries, done.keys) == (2, 2, ())
    assert balance(busy.path) == []
    with reading(busy.path) as db:
        assert verify(db).problems == ()
        assert decision_of(db, "r10") is None


def test_a_tenant_goes_with_its_keys(busy: Books):
    done = erased(busy, "tenant", "acme")
    assert (done.keys, done.attempts) == ((NAMED,), 40)
    assert balance(busy.path) == []


def test_only_what_came_before_goes(busy: Books):
    done = erased(busy, "key", NAMED, T0 + HOUR_US)
    assert 0 < done.attempts < 40
    assert balance(busy.path) == []
    with reading(busy.path) as db:
        assert decision_of(db, "r10") is None
        assert decision_of(db, "r30") is not None
        assert verify(db).problems == ()


def test_a_dry_run_changes_nothing(busy: Books):
    before = busy.contents()
    done = erased(busy, "key", NAMED, dry_run=True)
    assert (done.attempts, done.entries, done.logged_as) == (40, 41, 0)
    assert busy.contents() == before


def test_nothing_goes_while_something_of_it_runs(busy: Books):
    busy.load(dispatch("open", key=0))
    done = erased(busy, "key", NAMED)
    assert (done.running, done.logged_as) == (1, 0)
    with reading(busy.path) as db:
        assert kinds_of(db, NAMED) == ["key"]


def test_a_gateway_that_runs_goes_on_with_the_same_key(busy: Books):
    """Its loader remembers numbers of words, and how the chain ended when it looked last."""
    done = erased(busy, "key", NAMED, alone=False)
    assert done.name_stays
    busy.load(dispatch("later", key=0), settle("later"))
    assert balance(busy.path) == []
    by = {line.group["key"]: line.requests for line in summary(busy.path, ("key",)).rows}
    assert by[NAMED] == 1
    with reading(busy.path) as db:
        assert verify(db).problems == ()


def test_a_restored_backup_verifies_and_says_what_it_is(busy: Books, tmp_path: Path):
    old = busy.loader.checkpoint(SEAL)
    back_up(busy.folder, tmp_path / "backup", None, version="1")
    busy.load(dispatch("later"), settle("later"))
    newer = busy.loader.checkpoint(SEAL)
    restore(tmp_path / "backup", tmp_path / "elsewhere")
    with reading(database(tmp_path / "elsewhere")) as db:
        found = verify(db, [old], [SEAL])
        assert found.problems == ()
        assert len(found.restored) == 1
        again = verify(db, [newer], [SEAL])
    assert len(again.problems) == 1
    (entry,) = [body for body in bodies_of(tmp_path / "elsewhere") if type(body) is Restored]
    assert entry.made.startswith("20")


def bodies_of(folder: Path) -> list[object]:
    with reading(database(folder)) as db:
        return [e.body for block in blocks(db) for e in block_entries(block.seq, block.bodies, block.personal)]


def test_whatever_is_named_after_somebody_is_known_to_erase(busy: Books):
    """A new table that has the id of a request or the name of a key belongs into `erase.py` and into this list."""
    with reading(busy.path) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {name: {row[1] for row in db.execute(f"PRAGMA table_info({name})")} for name in tables}
    named = {name for name, has in columns.items() if has & {"request_id", "key", "tenant", "personal", "names"}}
    # `journal_names` is what workers that run call things; it goes with them.
    assert named == {"attempts", "audit", "contexts", "journal_names", "refusals", "slices", "verdicts"}
    assert {name for name, has in columns.items() if "attempt" in has} == {"attempts", "drafts", "features"}


def test_who_judged_an_erased_request_later_goes_with_it(busy: Books):
    """Its verdict came after the time that was named, and would lead from the nameless request to the name."""
    busy.load(Judged("r0", T0 + 5 * HOUR_US, 0, 1, "feedback", 1.0))
    erased(busy, "key", NAMED, T0 - T0 % HOUR_US + HOUR_US)
    with closing(sqlite3.connect(busy.path)) as db:
        ((request, key),) = db.execute("SELECT request_id, key FROM verdicts").fetchall()
        ((standing,),) = db.execute("SELECT standing FROM judged").fetchall()
    assert request.startswith("erased-")
    assert key != NAMED
    assert standing == "counts"


def test_a_request_from_after_the_time_stays_whole(busy: Books):
    done = erased(busy, "request", "r30", T0 - T0 % HOUR_US + HOUR_US)
    assert (done.attempts, done.entries, done.logged_as) == (0, 0, 0)
    with reading(busy.path) as db:
        assert decision_of(db, "r30") is not None


def test_a_request_that_outlasts_the_time_leaves_no_id_in_the_chain(busy: Books):
    before_us = T0 - T0 % HOUR_US + HOUR_US
    busy.write(dispatch("long-1", key=0, at_us=before_us - 5), released("long-1", at_us=before_us - 1))
    busy.load()
    busy.load(dispatch("long-1", 1, key=0, at_us=before_us + 5), settle("long-1", 1, at_us=before_us + 9))
    erased(busy, "key", NAMED, before_us)
    with reading(busy.path) as db:
        entries = [entry for block in blocks(db) for entry in block_entries(block.seq, block.bodies, block.personal)]
        assert verify(db).problems == ()
    assert all(entry.personal is None or entry.personal.request_id != "long-1" for entry in entries)


def test_what_the_subject_took_for_a_request_goes_too(busy: Books):
    """The id of a verdict is the client's word; the ledger never made this one."""
    busy.load(Judged("alice@example.com", T0 + 9, 0, 1, "feedback", 1.0), Judged("r1", T0 + 9, 0, 1, "feedback", 1.0))
    done = erased(busy, "key", NAMED)
    with closing(sqlite3.connect(busy.path)) as db:
        said = [request for (request,) in db.execute("SELECT request_id FROM verdicts")]
    assert "alice@example.com" not in said
    assert "r1" in said, "another key's request"
    assert done.verdicts == 1
