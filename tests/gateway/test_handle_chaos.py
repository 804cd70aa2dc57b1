"""A bad day: a third of the answers are faulty, a tenth of the clients leave, and a worker dies now and then."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from support.faults import AFTER_CONTENT, BEFORE_CONTENT, BEFORE_STREAMED_CONTENT
from support.gateway import Served, deployment, provider, question, route, rss_bytes
from support.provider import Provider
from support.waiting import eventually
from twintrack.providers.scripted import Received, Script, chat_answer, chat_events, stream

CONFIG = """
[server.deadlines]
connect_s = 0.5
first_byte_s = 0.4
between_chunks_s = 0.4
[server.limits]
max_answer_bytes = 2_000_000
"""
CLIENTS, ROUTES = 12, 60
WARM_UP = 240


class Day:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.statuses: dict[int, int] = {}
        self.left = 0
        self.broken = 0

    def answer(self, received: Received) -> Script:
        streamed = json.loads(received.body).get("stream", False)
        with self._lock:
            if self._random.random() < 0.3:
                before = BEFORE_STREAMED_CONTENT if streamed else BEFORE_CONTENT
                faults = list((before | AFTER_CONTENT if streamed else before).values())
                return self._random.choice(faults).script
        return stream(chat_events(["one", " two"])) if streamed else chat_answer("one")

    def ask(self, gateway: Served, choose: random.Random) -> None:
        streamed = choose.random() < 0.5
        asked = question(choose.choice("rst") + str(choose.randrange(ROUTES)), stream=streamed)
        with gateway.connect() as client:
            client.post("/v1/chat/completions", asked)
            if choose.random() < 0.1:
                time.sleep(choose.random() * 0.02)
                with self._lock:
                    self.left += 1
                return
            answer = client.answer()
        with self._lock:
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            self.broken += not answer.complete

    def run(self, gateway: Served, seed: int, requests: int) -> None:
        def work(number: int) -> None:
            choose = random.Random(seed * 100 + number)
            for _ in range(requests // CLIENTS):
                self.ask(gateway, choose)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def total(self) -> int:
        return sum(self.statuses.values()) + self.left


def metric(gateway: Served, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", gateway.get("/metrics").body.decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def config(mine: Provider, other: Provider) -> str:
    text = CONFIG
    for number in range(ROUTES):
        # Accounts of their own: one without money rests as a whole.
        text += provider(f"mine{number}", mine.url) + provider(f"other{number}", other.url)
        text += deployment(f"a{number}", f"mine{number}") + deployment(f"b{number}", f"other{number}")
        text += deployment(f"c{number}", f"mine{number}")
        text += route(f"r{number}", f"a{number}", f"b{number}") + route(f"s{number}", f"b{number}", f"c{number}")
        text += route(f"t{number}", f"c{number}")
    return text


@pytest.mark.parametrize(
    ("seed", "requests"), [(1, 600), pytest.param(2, 12_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_every_request_is_answered_or_broken_off_and_on_record_once(
    mine: Provider, other: Provider, tmp_path: Path, seed: int, requests: int
) -> None:
    day = Day(seed)
    mine.default = other.default = day.answer
    before = mine.requests + other.requests
    with Served(tmp_path, config(mine, other)) as gateway:
        worker = gateway.children()["worker 0"]
        day.run(gateway, seed + 2, WARM_UP)  # what detectors learn lazily takes some megabytes, once
        day.run(gateway, seed, requests // 2)
        half = rss_bytes(worker, files=False)
        day.run(gateway, seed + 1, requests // 2)

        assert set(day.statuses) <= {200, 402, 408, 429, 500, 502, 503, 504, 529}
        eventually(lambda: metric(gateway, "twintrack_in_flight") == 0)
        eventually(lambda: metric(gateway, "twintrack_connections") == 1)
        # Nothing piles up: what a request needed is given back, however it ended.
        assert rss_bytes(worker, files=False) < 1.05 * half + 4 * 1024 * 1024

    rows = gateway.query("SELECT * FROM entries")
    refused = gateway.query("SELECT request_id FROM refusals")
    assert len({row["request_id"] for row in rows} | {row["request_id"] for row in refused}) == day.total
    assert {row["request_id"] for row in rows}.isdisjoint({row["request_id"] for row in refused})
    assert sum(row["outcome"] == "client_left" for row in rows) <= day.left
    asked = mine.requests + other.requests - before
    # A row whose request reached nobody: the connection had closed just then, or the client left just then.
    unsent = [row for row in rows if row["status"] == 0 and row["outcome"] in ("upstream_failed", "client_left")]
    assert asked <= len(rows) <= asked + len(unsent)
    assert max(row["attempt"] for row in rows) <= 4  # four, and one more where a connection was stale
    assert day.broken > 0


def test_killed_workers_lose_no_record_of_what_they_sent(mine: Provider, other: Provider, tmp_path: Path) -> None:
    day = Day(5)
    mine.default = other.default = day.answer
    before = mine.requests + other.requests
    with Served(tmp_path, config(mine, other), workers=2, clean=False) as gateway:
        stopped = threading.Event()

        def kill() -> None:
            choose = random.Random(5)
            while not stopped.wait(0.3):
                os.kill(gateway.children()[f"worker {choose.randrange(2)}"], signal.SIGKILL)

        def work(number: int) -> None:
            choose = random.Random(number)
            for _ in range(40):
                try:
                    day.ask(gateway, choose)
                except (OSError, AssertionError):
                    continue  # its worker died

        killer = threading.Thread(target=kill)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in [killer, *threads]:
            thread.start()
        for thread in threads:
            thread.join()
        stopped.set()
        killer.join()
        eventually(lambda: gateway.chat("t0").status < 600)
    rows = gateway.query("SELECT * FROM entries")
    assert len(rows) >= mine.requests + other.requests - before
    assert sum(row["outcome"] == "lost" for row in rows) > 0
