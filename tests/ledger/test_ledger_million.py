"""Questions stay quick however many requests there were, and loading stays cheap."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from ledger_records import DEPLOYMENTS, HOUR_US, NAMES, OWN, T0, Books, dispatch, settle

from twintrack.ledger.balance import balance
from twintrack.ledger.entries import entries, recent
from twintrack.ledger.summary import summary

_HOURS = 30 * 24


def fill(books: Books, requests: int) -> None:
    """Thirty days of traffic: five deployments, two routes, three keys, a few outcomes."""
    rng = random.Random(1)
    books.now_us = T0 + _HOURS * HOUR_US
    choices = [
        [dispatch(deployment=which, route=which % 2, tier=0, key=rng.randrange(-1, 2)) for _ in range(20)]
        for which in range(len(DEPLOYMENTS))
    ]
    from msgspec.structs import replace

    done = settle()
    step_us = _HOURS * HOUR_US // requests
    for number in range(requests):
        which = rng.choices(range(5), (50, 30, 15, 3, 2))[0]
        at_us = T0 + number * step_us
        request_id = f"{at_us:x}"
        books.worker.append(replace(rng.choice(choices[which]), request_id=request_id, at_us=at_us))
        failed = rng.random() < 0.02
        books.worker.append(
            replace(
                done,
                request_id=request_id,
                at_us=at_us + 1_000_000,
                outcome="upstream_failed" if failed else "ok",
                ttft_us=rng.randrange(50_000, 900_000),
                total_us=rng.randrange(900_000, 3_000_000),
                cost_nusd=None if which == OWN else rng.randrange(1_000_000),
            )
        )


def insert_us() -> float:
    """CPU of a plain insertion of as many columns, with one index of two of them."""
    with closing(sqlite3.connect(":memory:")) as db:
        names = ", ".join(f"c{place}" for place in range(28))
        db.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {names}, UNIQUE (c0, c1))")
        rows = [(n, f"{n:032x}", 0, n * 7, 3, "other", 5_000, *(0.5,) * 12, *range(10)) for n in range(50_000)]
        began = time.process_time()
        db.executemany(f"INSERT INTO t VALUES ({', '.join('?' * 29)})", rows)
        return (time.process_time() - began) / len(rows) * 1e6


def measure(folder: Path, requests: int) -> None:
    books = Books(folder, segment_bytes=4 << 20)
    fill(books, requests)
    began = time.process_time()
    while not books.loader.load().caught_up:
        continue
    load_us = (time.process_time() - began) / requests * 1e6
    took = {}
    for by in (("route", "tier"), ("day", "model"), ("key", "outcome"), ("hour", "deployment")):
        began = time.process_time()
        found = summary(books.path, by)
        took[by] = time.process_time() - began
        simulated = found.simulated_total.requests if found.simulated_total else 0
        assert found.total.requests + simulated == requests
    began = time.process_time()
    newest = recent(books.path, 50)
    assert entries(books.path, newest[0].request_id) == [newest[0]] or newest[0].request_id
    one_s = time.process_time() - began
    print(f"load {load_us:.1f} us/request, summaries {took}, recent and one entry {one_s:.4f} s")
    assert max(took.values()) < 1.0
    assert one_s < 0.2
    assert load_us < 14 * insert_us(), "measured 5 to 6 times an insertion"
    assert balance(books.path) == []
    assert NAMES.worker == "w0"
    books.close()


def test_a_hundred_thousand_requests(tmp_path: Path):
    measure(tmp_path / "data", 100_000)


@pytest.mark.long
def test_a_million_requests(tmp_path: Path):
    measure(tmp_path / "data", 1_000_000)
