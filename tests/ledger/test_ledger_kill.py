"""A worker killed at any moment loses nothing it was told is written."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from ledger_records import Books

from twintrack.ledger.audit.verify import verify
from twintrack.ledger.balance import balance
from twintrack.ledger.database import reading

_WORKER = """
import os, signal, sys, time
from ledger_records import NAMES, dispatch, refuse, settle
from twintrack.ledger.journal import Journal

journal = Journal(sys.argv[1], "w0", 65_536)
journal.start(NAMES)
for number in range(2_000):
    if number % 100 == 99:
        time.sleep(0.0005)  # so that it is killed while it writes, and has not written too much for a test
    request_id = f"{sys.argv[2]}-{number}"
    journal.append(dispatch(request_id))
    os.write(1, f"D {request_id}\\n".encode())
    if number % 3 < 2:
        journal.append(settle(request_id))
        os.write(1, f"S {request_id}\\n".encode())
signal.pause()
"""


def test_thirty_kills_lose_and_double_nothing(books: Books):
    books.worker.close()
    rng = random.Random(20)
    dispatched: set[str] = set()
    settled: set[str] = set()
    for life in range(30):
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(books.journals), f"life{life}"],
            cwd=Path(__file__).parent,
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        said = os.read(worker.stdout.fileno(), 65_536)
        books.loader.load()
        time.sleep(rng.random() * 0.02)
        books.loader.load()
        time.sleep(rng.random() * 0.01)
        worker.send_signal(signal.SIGKILL)
        said += worker.stdout.read()
        worker.wait()
        worker.stdout.close()
        for line in said[: said.rindex(b"\n")].decode().splitlines():
            (dispatched if line[0] == "D" else settled).add(line[2:])
        if life % 3 == 0:
            books.reopen_loader()
    loaded = books.loader.load()
    assert loaded.caught_up
    assert loaded.problems == ()
    state = {row["request_id"]: row["state"] for row in books.rows("SELECT request_id, state FROM entries")}
    assert len(dispatched) > 1_000
    assert dispatched <= state.keys()
    assert len(state) - len(dispatched) <= 30, "at most one more than it said for each life"
    assert all(state[request_id] == "settled" for request_id in settled)
    unsettled = dispatched - settled
    assert {state[request_id] for request_id in unsettled} <= {"unknown", "settled"}
    assert sum(state[request_id] == "settled" for request_id in unsettled) <= 30
    assert "dispatched" not in state.values()
    assert books.journal_files() == []
    assert balance(books.path) == []
    with reading(books.path) as db:
        assert verify(db).problems == ()
