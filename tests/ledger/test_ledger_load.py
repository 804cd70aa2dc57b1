"""Every record of every journal is in the database once, whatever came in between."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_records import (
    DEPLOYMENTS,
    MANAGED,
    OWN,
    PREMIUM,
    SIMULATED,
    T0,
    Books,
    dispatch,
    names,
    on_own_engine,
    refuse,
    released,
    settle,
)

from twintrack.errors import LedgerError
from twintrack.ledger.balance import balance
from twintrack.ledger.database import database, open_writer
from twintrack.ledger.load import Loader, LoaderBusy
from twintrack.ledger.records import Settle
from twintrack.ledger.segment import Chunk, JournalReader


def test_a_request_is_one_row_with_words_for_everything(books: Books):
    loaded = books.load(dispatch("a"), settle("a"))
    assert (loaded.rows, loaded.problems) == (3, ())
    assert books.row() == {
        "id": 1,
        "request_id": "a",
        "attempt": 0,
        "at_us": T0,
        "policy_version": "0123456789ab",
        "route": "auto",
        "tier": "balanced",
        "key": "dev",
        "endpoint": "chat",
        "stream": 1,
        "data_class": "internal",
        "reason": "good_enough",
        "task": "code",
        "language": "en",
        "deployment": "mid@managed",
        "model": "mid",
        "provider": "managed",
        "zone": "contracted",
        "region": "eu-west",
        "simulated": 0,
        "per_hour_nusd": 0,
        "chosen": "mid@managed",
        "baseline": "gpt@openai",
        "prompt_tokens_est": 800,
        "predicted_nusd": 120_000,
        "p_good": 0.93,
        "p_enough": 0.9,
        "p_best": 0.95,
        "complexity": 0.4,
        "propensity": 1.0,
        "ruled_out": '[["gpt@openai","context",512,812]]',
        "request_bytes": 4312,
        "state": "settled",
        "outcome": "ok",
        "status": 200,
        "detail": None,
        "settled_us": T0 + 2_000_000,
        "ttft_us": 300_000,
        "total_us": 2_000_000,
        "input_tokens": 812,
        "output_tokens": 301,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "reasoning_tokens": None,
        "cache_write_1h_tokens": None,
        "input_audio_tokens": None,
        "output_audio_tokens": None,
        "input_image_tokens": None,
        "output_image_tokens": None,
        "usage_source": "reported",
        "cost_nusd": 100_000,
        "baseline_nusd": 1_000_000,
        "energy_mj": 12_000,
        "energy_source": "estimated",
        "response_bytes": 9000,
        "role": "answer",
    }


def test_an_attempt_that_ends_later_gives_the_same_row(books: Books, tmp_path: Path):
    books.load(dispatch("a"))
    assert books.row()["state"] == "dispatched"
    books.load(settle("a"))
    assert books.row()["state"] == "settled"
    other = Books(tmp_path / "other")
    other.load(dispatch("a"), settle("a"))
    assert books.contents() == other.contents()
    other.close()


def test_what_has_no_word_is_null(books: Books):
    books.load(dispatch("a", route=-1, tier=-1, key=-1, baseline=-1, chosen=-1, ruled_out=()))
    row = books.row()
    assert [row[name] for name in ("route", "tier", "key", "baseline", "chosen", "ruled_out")] == [None] * 6


def test_a_refused_request_stands_beside_the_attempts(books: Books):
    books.load(refuse("f"))
    row = books.row("SELECT * FROM refusals")
    assert (row["request_id"], row["code"], row["status"], row["data_class"]) == (
        "f",
        "no_eligible_model",
        422,
        "restricted",
    )
    assert books.rows() == []


def test_loading_again_changes_nothing(books: Books):
    books.load(dispatch("a"), settle("a"), dispatch("b"), refuse("f"))
    before = books.contents()
    for _ in range(2):
        assert books.load().rows == 0
        books.reopen_loader()
        assert books.load().rows == 0
    assert books.contents() == before


def test_journals_brought_back_from_a_backup_change_nothing(books: Books, tmp_path: Path):
    for number in range(300):
        books.write(dispatch(f"a{number}"), settle(f"a{number}"), refuse(f"f{number}"))
    books.write(dispatch("open"))
    books.worker.close()
    backup = books.kept_copy(tmp_path / "backup")
    books.load()
    assert books.journal_files() == []
    before = books.contents()
    for name in backup.iterdir():
        shutil.copy(name, books.journals / name.name)
    again = books.load()
    assert again.rows > 600
    assert books.contents() == before
    assert balance(books.path) == []


def test_a_second_settle_changes_nothing(books: Books):
    books.load(dispatch("a"), settle("a"), settle("a", cost_nusd=7, outcome="upstream_failed"))
    before = books.contents()
    books.load(settle("a", cost_nusd=8))
    assert books.contents() == before
    assert books.row()["cost_nusd"] == 100_000


def test_a_second_dispatch_changes_nothing(books: Books):
    books.load(dispatch("a"), settle("a"), dispatch("a", at_us=T0 + 5), dispatch("b"), dispatch("b"))
    books.load(dispatch("a", at_us=T0 + 9), settle("a", cost_nusd=9), settle("b"))
    assert [row["cost_nusd"] for row in books.rows()] == [100_000, 100_000]
    assert balance(books.path) == []


def test_fallbacks_are_rows_of_their_own(books: Books):
    books.load(dispatch("a"), released("a"), dispatch("a", 1, deployment=PREMIUM, tier=2), settle("a", 1))
    assert [(row["attempt"], row["state"], row["tier"]) for row in books.rows()] == [
        (0, "released", "balanced"),
        (1, "settled", "premium"),
    ]


def test_after_a_reload_each_attempt_keeps_the_words_it_was_sent_with(books: Books):
    renamed = (("llama-2@gpu", "llama-2", "gpu-room", "own", "eu-west", False), *DEPLOYMENTS[1:])
    books.write(dispatch("before", deployment=OWN))
    books.worker.names(names(generation=2, deployments=renamed))
    books.write(dispatch("after", generation=2, deployment=OWN))
    books.write(dispatch("late", generation=1, deployment=OWN))
    books.load()
    # Far enough for a new segment, which starts with the new names only.
    for number in range(400):
        books.write(dispatch(f"x{number:03}", generation=2), settle(f"x{number:03}"))
    books.load(dispatch("later", generation=1, deployment=OWN))
    books.reopen_loader()
    books.load(dispatch("latest", generation=1, deployment=OWN))
    found = {row["request_id"]: row["deployment"] for row in books.rows()}
    assert {name: found[name] for name in ("before", "after", "late", "later", "latest")} == {
        "before": "llama@gpu",
        "after": "llama-2@gpu",
        "late": "llama@gpu",
        "later": "llama@gpu",
        "latest": "llama@gpu",
    }


# ---- workers that die, segments that end


def test_what_a_dead_worker_left_open_is_lost_and_to_be_reconciled(books: Books):
    books.write(dispatch("done"), settle("done"), dispatch("a", at_us=T0 + 5), dispatch("b", predicted_nusd=None))
    books.worker.close()
    loaded = books.load()
    assert loaded.lost == 2
    rows = {row["request_id"]: row for row in books.rows()}
    assert (rows["a"]["state"], rows["a"]["outcome"]) == ("unknown", "lost")
    assert rows["a"]["cost_nusd"] is None
    assert rows["a"]["predicted_nusd"] == 120_000
    assert rows["done"]["state"] == "settled"
    rollup = books.row(
        "SELECT sum(cost_nusd) AS cost, sum(cost_unknown) AS unknown, sum(estimated_nusd) AS nusd, "
        "sum(estimated) AS n FROM rollups"
    )
    assert rollup == {"cost": 100_000, "unknown": 2, "nusd": 120_000, "n": 1}
    assert books.journal_files() == []
    assert balance(books.path) == []


def test_what_a_living_worker_runs_is_not_lost(books: Books):
    books.load(dispatch("a"))
    for number in range(400):
        books.write(dispatch(f"x{number}"), settle(f"x{number}"))
    files_before = len(books.journal_files())
    loaded = books.load()
    assert loaded.lost == 0
    assert 1 <= len(books.journal_files()) < files_before
    books.load(settle("a"))
    assert books.row("SELECT state FROM entries WHERE request_id = 'a'") == {"state": "settled"}


def test_a_worker_that_comes_back_under_its_name_starts_afresh(books: Books):
    books.write(dispatch("a"))
    books.worker.close()
    books.worker = books.new_worker()
    books.load(dispatch("b"))
    rows = {row["request_id"]: row["state"] for row in books.rows()}
    assert rows == {"a": "unknown", "b": "dispatched"}


def test_a_loader_that_starts_later_finds_who_died_meanwhile(books: Books):
    books.load(dispatch("a"))
    books.loader.close()
    books.worker.close()
    for path in books.journals.iterdir():
        path.unlink()
    books.loader = Loader(books.folder)
    assert books.loader.load().lost == 1
    assert books.row()["outcome"] == "lost"


def test_nothing_is_kept_of_a_worker_that_is_gone(books: Books):
    books.load(dispatch("a"), settle("a"))
    books.worker.close()
    books.load()
    for table in ("journal_cursor", "journal_writers", "journal_names", "engine_busy"):
        assert books.rows(f"SELECT * FROM {table}") == []


# ---- damage


def flip(path: Path, needle: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(needle)] ^= 1
    path.write_bytes(data)


def test_damage_is_reported_put_aside_and_does_not_stop_the_others(books: Books):
    books.write(dispatch("a"), settle("a"), dispatch("broken"), settle("broken"), dispatch("behind"))
    other = books.new_worker("w1")
    other.append(dispatch("other"))
    path = books.journals / "w0-000001.journal"
    flip(path, b"broken")
    books.worker.close()
    loaded = books.load()
    assert len(loaded.problems) == 1
    assert loaded.problems[0].startswith("w0-000001.journal is damaged at byte ")
    assert loaded.problems[0].endswith("the file is kept as w0-000001.journal.damaged")
    assert {row["request_id"] for row in books.rows()} == {"a", "other"}
    assert "w0-000001.journal.damaged" in books.journal_files()
    (discrepancy,) = balance(books.path)
    assert "bytes from there were not loaded" in discrepancy
    (books.journals / "w0-000001.journal.damaged").unlink()
    assert balance(books.path) == []
    other.close()


def test_damage_in_a_living_workers_segment_is_said_and_waits_for_it_to_move_on(books: Books):
    books.load(dispatch("a"))
    books.write(dispatch("broken"))
    flip(books.journals / "w0-000001.journal", b"broken")
    assert books.load().problems == ()
    assert "cannot be read from byte" in books.load().problems[0]
    assert books.load().problems == ()
    for number in range(400):
        books.write(dispatch(f"x{number}"), settle(f"x{number}"))
    loaded = books.load()
    assert "w0-000001.journal is damaged" in loaded.problems[0]
    assert loaded.lost == 0
    assert books.rows("SELECT request_id FROM attempts WHERE request_id = 'x399'")


def test_an_end_without_a_beginning_is_booked_under_unknown(books: Books):
    books.load(settle("a"))
    row = books.row()
    assert (row["deployment"], row["route"], row["cost_nusd"], row["at_us"]) == ("unknown", None, 100_000, T0)
    assert row["data_class"] == "restricted"
    assert balance(books.path) == []


def test_what_is_known_of_such_an_end_is_kept_and_what_is_absurd_is_not(books: Books):
    loaded = books.load(
        settle("a", cache_write_1h_tokens=7, input_audio_tokens=1 << 63), settle("b", cost_nusd=1 << 63)
    )
    assert "beyond reason" in loaded.problems[0]
    rows = books.rows()
    assert [(row["cache_write_1h_tokens"], row["input_audio_tokens"], row["cost_nusd"]) for row in rows] == [
        (7, None, 100_000),
        (None, None, None),
    ]
    assert balance(books.path) == []


def test_numbers_without_a_word_stop_nothing(books: Books):
    books.load(dispatch("a", generation=9), dispatch("b", deployment=77, route=55, tier=44, key=33, data_class=22))
    assert [row["deployment"] for row in books.rows()] == ["unknown", "unknown"]
    assert books.rows()[1]["data_class"] == "restricted"


def test_a_number_no_provider_can_mean_is_stored_as_unknown(books: Books):
    loaded = books.load(
        dispatch("a"),
        settle("a", output_tokens=1 << 63, cost_nusd=(1 << 64) - 1),
        dispatch("b"),
        settle("b", cost_nusd=1 << 60),
        dispatch("c"),
    )
    assert "beyond reason" in loaded.problems[0]
    rows = books.rows()
    assert [row["cost_nusd"] for row in rows] == [None, None, None]
    assert rows[0]["output_tokens"] is None
    books.load(settle("c", energy_mj=(1 << 64) - 1))
    assert books.rows()[2]["energy_mj"] is None
    assert balance(books.path) == []


@pytest.mark.parametrize("number", ["cost_nusd", "input_tokens", "cache_write_1h_tokens", "output_image_tokens"])
def test_a_number_the_database_could_hold_is_doubted_all_the_same(books: Books, number):
    assert "beyond reason" in books.load(dispatch("a"), settle("a", **{number: 1 << 60})).problems[0]
    assert books.row()[number] is None


def test_a_foreign_file_among_the_journals_is_put_aside(books: Books):
    (books.journals / "w9-000001.journal").write_bytes(b"what is this doing here, in our folder?")
    (books.journals / "w9-000002.journal").write_bytes(bytes(4096))
    loaded = books.load(dispatch("a"))
    assert "does not begin like a journal segment" in loaded.problems[0]
    assert books.journal_files() == ["w0-000001.journal", "w9-000001.journal.damaged"]


def test_a_journal_of_a_newer_version_waits(books: Books):
    books.write(dispatch("a"))
    newer = books.new_worker("w1")
    newer.append(dispatch("b"))
    path = books.journals / "w1-000001.journal"
    data = bytearray(path.read_bytes())
    data[8] = 99
    path.write_bytes(data)
    newer.close()
    loaded = books.load()
    assert "newer version" in loaded.problems[0]
    assert [row["request_id"] for row in books.rows()] == ["a"]
    assert path.exists()


def test_a_worker_whose_journal_cannot_be_read_is_not_taken_for_dead(books: Books):
    books.load(dispatch("a"))
    path = books.journals / "w0-000001.journal"
    data = bytearray(path.read_bytes())
    data[8] = 99
    path.write_bytes(data)
    books.reopen_loader()
    assert books.load().lost == 0
    assert books.row()["state"] == "dispatched"


class Meanwhile:
    """Lets the worker go on just before or just after the loader reads a segment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None], *, before: bool) -> None:
        self.then: Callable[[], None] | None = then
        self.before = before
        self.real = JournalReader.read
        monkeypatch.setattr(JournalReader, "read", lambda reader, *where: self.read(reader, *where))

    def read(self, reader: JournalReader, *where: int) -> Chunk:
        then, self.then = self.then, None
        if then and self.before:
            then()
        chunk = self.real(reader, *where)
        if then and not self.before:
            then()
        return chunk


def until_there_is_a_spare(books: Books) -> None:
    number = 0
    while len(books.journal_files()) == 1:
        books.write(refuse(f"f{number}"))
        number += 1


def go_on(books: Books) -> None:
    """Into the second segment, with an attempt that begins in the first and ends there."""
    books.write(dispatch("long"))
    first = books.worker._segment
    number = 0
    while books.worker._segment is first:
        books.write(refuse(f"g{number}"))
        number += 1
    books.write(settle("long"))


def test_a_worker_that_goes_on_while_it_is_read_is_read_in_order(books: Books, monkeypatch):
    books.write(dispatch("a"))
    until_there_is_a_spare(books)
    Meanwhile(monkeypatch, lambda: go_on(books), before=False)
    books.load()
    books.load()
    assert {row["request_id"]: row["deployment"] for row in books.rows()} == {"a": "mid@managed", "long": "mid@managed"}
    assert balance(books.path) == []


def test_a_worker_that_goes_on_while_it_is_read_is_not_taken_for_dead(books: Books, monkeypatch):
    books.write(dispatch("a"))
    Meanwhile(monkeypatch, lambda: go_on(books), before=True)
    assert books.load().lost == 0
    assert "w0-000001.journal" not in books.journal_files()
    books.load(settle("a"))
    assert {row["state"] for row in books.rows()} == {"settled"}


# ---- the database


def test_a_locked_database_delays_rows_and_loses_none(books: Books):
    books.write(dispatch("a"), settle("a"))
    books.loader._connection().execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(books.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked"):
            books.loader.load()
        books.write(dispatch("b"))
        with pytest.raises(LedgerError, match="locked"):
            books.loader.mark_up(T0, [])
        other.execute("ROLLBACK")
    books.load()
    assert [row["state"] for row in books.rows()] == ["settled", "dispatched"]


def test_a_full_disk_delays_rows_and_loses_none(books: Books):
    for number in range(400):
        books.write(dispatch(f"a{number}"), settle(f"a{number}"))
    db = books.loader._connection()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(LedgerError, match="no space"):
        books.loader.load()
    assert books.rows() == []
    db.execute("PRAGMA max_page_count = 1000000")
    books.load()
    assert len(books.rows()) == 400
    assert balance(books.path) == []


def test_only_one_loader_works_on_a_folder(books: Books):
    with pytest.raises(LoaderBusy):
        Loader(books.folder)
    books.loader.close()
    with Loader(books.folder) as loader:
        assert loader.load().caught_up
    with pytest.raises(LedgerError, match="closed"):
        loader.load()
    books.loader = Loader(books.folder)


def test_the_ledger_is_private(books: Books):
    books.load(dispatch("a"))
    for path in books.folder.glob("ledger.db*"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_ledger_is_not_touched(tmp_path: Path):
    path = database(tmp_path)
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO schema_version VALUES (99, 'tomorrow')")
        db.commit()
    with pytest.raises(LedgerError, match=r"written by a newer version.*knows up to"):
        Loader(tmp_path)


def test_a_broken_ledger_says_so(tmp_path: Path):
    database(tmp_path).write_bytes(b"not a database at all, but long enough to look at" * 100)
    with pytest.raises(LedgerError, match=r"is broken.*Restore it from a backup"):
        Loader(tmp_path)


def test_some_other_database_is_left_alone(tmp_path: Path):
    path = database(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="some other SQLite database"):
        Loader(tmp_path)
    assert path.read_bytes() == before


def test_journals_are_put_on_disk_while_they_are_written_and_removed(books: Books):
    books.write(dispatch("a"))
    books.loader.fsync()
    books.worker.close()
    books.load()
    books.loader.fsync()


# ---- all of it at once


KINDS = [name for name in Settle.__struct_fields__ if name.endswith("_tokens")]


class Life:
    """Random work of three workers, and what must come of it."""

    def __init__(self, books: Books, rng: random.Random) -> None:
        self.books = books
        self.rng = rng
        self.workers = {name: books.new_worker(name) for name in ("w1", "w2", "w3")}
        self.running: dict[str, list[tuple[str, int]]] = {name: [] for name in self.workers}
        self.states: dict[tuple[str, int], str] = {}
        self.refused: set[str] = set()
        self.cost = 0
        self.number = 0
        self.generation = 1

    def step(self, what: str) -> None:
        name = self.rng.choice(list(self.workers))
        worker, running = self.workers[name], self.running[name]
        self.number += 1
        at_us = T0 + self.number * 400_000_000
        if what == "send":
            key = (f"q{self.number}", 0)
            worker.append(dispatch(*key, at_us=at_us, deployment=self.rng.randrange(5), key=self.rng.randrange(-1, 2)))
            running.append(key)
            self.states[key] = "dispatched"
        elif what == "end" and running:
            key = running.pop(self.rng.randrange(len(running)))
            total_us = self.rng.randrange(9_000_000_000)
            if self.rng.random() < 0.2:
                worker.append(released(*key, at_us=at_us, total_us=total_us))
                self.states[key] = "released"
                worker.append(dispatch(key[0], key[1] + 1, at_us=at_us))
                running.append((key[0], key[1] + 1))
                self.states[running[-1]] = "dispatched"
            else:
                cost = self.rng.choice([None, 0, self.rng.randrange(10**9)])
                kinds = {name: self.rng.choice([None, 0, self.rng.randrange(10**6)]) for name in KINDS}
                worker.append(settle(*key, at_us=at_us, total_us=total_us, cost_nusd=cost, **kinds))
                self.states[key] = "settled"
                self.cost += cost or 0
        elif what == "refuse":
            worker.append(refuse(f"f{self.number}", at_us=at_us))
            self.refused.add(f"f{self.number}")
        elif what == "reload":
            self.generation += 1
            worker.names(names(generation=self.generation))
        elif what == "die":
            worker.close()
            for key in running:
                self.states[key] = "unknown"
            running.clear()
            self.workers[name] = self.books.new_worker(name)
        elif what == "load":
            self.books.loader.load(limit=self.rng.choice([1, 100_000]))
        elif what == "restart":
            self.books.reopen_loader()
        elif what == "mark":
            self.books.loader.mark_up(at_us, [])

    def end(self) -> None:
        self.books.load()
        for worker in self.workers.values():
            worker.close()


_STEPS = {"send": 30, "end": 25, "refuse": 3, "reload": 1, "die": 1, "load": 6, "restart": 1, "mark": 1}


@given(st.integers(0, 1 << 32), st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_in_whatever_order_things_happen_the_books_balance(tmp_path_factory, seed, length):
    rng = random.Random(seed)
    books = Books(tmp_path_factory.mktemp("life") / "data", segment_bytes=16_384)
    life = Life(books, rng)
    for what in rng.choices(list(_STEPS), _STEPS.values(), k=length):
        life.step(what)
    life.end()
    rows = books.rows()
    assert {(row["request_id"], row["attempt"]): row["state"] for row in rows} == life.states
    assert sum(row["cost_nusd"] or 0 for row in rows) == life.cost
    assert {row["request_id"] for row in books.rows("SELECT request_id FROM refusals")} == life.refused
    assert balance(books.path) == []
    books.close()


@given(st.integers(0, 1 << 32))
@settings(max_examples=15, deadline=None)
def test_how_often_it_is_loaded_makes_no_difference(tmp_path_factory, seed):
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("order")
    once, often = Books(folder / "once"), Books(folder / "often")
    events = []
    for number in range(rng.randrange(1, 80)):
        at_us, total_us = T0 + rng.randrange(20_000) * 1_000_000, rng.randrange(4_000_000_000)
        begin, end = on_own_engine(f"o{number}", at_us, total_us)
        if rng.random() < 0.5:
            begin = dispatch(f"o{number}", at_us=at_us, deployment=rng.choice([MANAGED, SIMULATED]))
        events += [(at_us, number, begin), (at_us + total_us, number, end)]
    for at_us, _, record in sorted(events, key=lambda event: event[:2]):
        often.now_us = at_us
        once.write(record)
        often.write(record)
        if rng.random() < 0.4:
            often.load()
    once.load()
    often.load()
    mine, theirs = once.contents(), often.contents()
    assert mine["entries"] == theirs["entries"]
    assert mine["engines"] == theirs["engines"]
    assert balance(once.path) == balance(often.path) == []
    once.close()
    often.close()
