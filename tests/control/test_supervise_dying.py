"""Processes that die under load, or as soon as they start: nothing is lost, and nobody starts in a frenzy."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gateway import Served, deployment, provider, question
from support.provider import Provider
from support.waiting import eventually

AGAIN = "ended with status 4 and is started again"


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


def config(mine: Provider) -> str:
    return provider("mine", mine.url) + deployment("m", "mine")


class Load:
    """Clients that ask one request after the other until they are told to stop; what they got by status, 0: nothing."""

    def __init__(self, gateway: Served, clients: int = 4) -> None:
        self.answers: Counter[int] = Counter()
        self._gateway = gateway
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self.answers[self._gateway.ask(question("m")).status] += 1
            except (OSError, AssertionError):
                self.answers[0] += 1

    def until(self, more: int) -> None:
        enough = self.answers[200] + more
        eventually(lambda: self.answers[200] >= enough, 30.0)


@pytest.mark.parametrize("victim", ["worker 0", "control plane"])
def test_under_load_a_death_costs_what_ran_there_and_not_one_row(mine: Provider, tmp_path: Path, victim: str) -> None:
    with Served(tmp_path, config(mine), workers=2, clean=False) as gateway:
        with Load(gateway) as load:
            for _ in range(3):
                load.until(40)
                before = gateway.children()[victim]
                os.kill(before, signal.SIGKILL)
                eventually(lambda before=before: gateway.children()[victim] != before)  # type: ignore[misc]
            load.until(40)
        # Four clients: each death breaks what they have under way at that moment, and nothing else.
        assert load.answers.keys() <= ({0, 200} if victim == "worker 0" else {200})
        assert load.answers[0] <= 3 * 4
        eventually(lambda: gateway.query("SELECT count(*) n FROM entries") == [{"n": mine.requests}])
        eventually(lambda: gateway.query("SELECT count(*) n FROM entries WHERE state = 'dispatched'") == [{"n": 0}])
        lost = gateway.query("SELECT count(*) n FROM entries WHERE outcome NOT IN ('ok', 'client_left')")[0]["n"]
        assert lost <= load.answers[0]


def unstartable() -> tuple[str, ...]:
    """Files end after 3 MB, a little less than a segment of the journal: no worker can begin one."""
    code = (
        "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({3 * 1024 * 1024}, {resource.RLIM_INFINITY})); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    return (sys.executable, "-c", code)


def test_what_cannot_start_is_tried_again_ever_more_slowly(mine: Provider, tmp_path: Path) -> None:
    gateway = Served(tmp_path, config(mine), clean=False, wrap=unstartable())
    gateway.start()
    try:
        eventually(lambda: gateway.stderr().count(AGAIN) >= 5, 20.0)
        before, began = gateway.stderr().count(AGAIN), time.monotonic()
        time.sleep(2.0)
        # Half a second apart at most by now; a machine that is slow only makes them fewer.
        deaths = gateway.stderr().count(AGAIN) - before
        assert deaths <= 2 * (time.monotonic() - began) + 2
        assert "twintrack: serving" not in gateway.stderr()
        assert "Traceback" not in gateway.stderr()
    finally:
        assert gateway.stop() == 0


def test_a_gateway_in_a_crash_loop_stops_when_it_is_told(mine: Provider, tmp_path: Path) -> None:
    gateway = Served(tmp_path, config(mine), clean=False, wrap=unstartable())
    gateway.start()
    eventually(lambda: AGAIN in gateway.stderr(), 20.0)
    began = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - began < 15  # the control plane alone is given ten
