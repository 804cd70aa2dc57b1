"""How clients behave: some leave, some dawdle, some ask ahead, some vanish. Nobody else notices, and nothing stays."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, question, rss_bytes
from support.provider import Provider
from support.raw import Raw, events, request, words
from support.waiting import eventually
from twintrack.providers.scripted import Script, chat_answer, chat_events, message_events, stream
from twintrack.providers.scripted.shapes import Tokens, response_events

MB = 1024 * 1024
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
SPEAKS = {"chat": "mine", "messages": "claude", "responses": "other"}
"""By client endpoint: a provider that speaks its dialect."""
CONFIG = """
[server.deadlines]
head_s = 2.0
body_s = 3.0
idle_s = 1.5
between_chunks_s = 2.0
total_s = 5.0
"""


@pytest.fixture(scope="module")
def gateway(
    mine: Provider, other: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    config += provider("other", other.url, more='dialects = ["responses"]')
    config += "".join(deployment(f"at-{name}", name) for name in ("mine", "claude", "other"))
    with Served(tmp_path_factory.mktemp("conduct"), config) as gateway:
        gateway.entries(gateway.chat("at-mine").id)  # the first request opens what stays open
        yield gateway


def asked(endpoint: str, model: str, *, streamed: bool) -> dict[str, Any]:
    if endpoint == "responses":
        return {"model": model, "input": "Hi"} | ({"stream": True} if streamed else {})
    return question(model, stream=streamed) | ({"max_tokens": 99} if endpoint == "messages" else {})


def metric(gateway: Served, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", gateway.get("/metrics").body.decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


def sockets(gateway: Served) -> int:
    worker = gateway.children()["worker 0"]
    found = 0
    for link in Path(f"/proc/{worker}/fd").iterdir():
        try:
            found += os.readlink(link).startswith("socket:")
        except OSError:
            continue  # it was closed while we looked
    return found


def comes_to_rest(gateway: Served, before: int) -> None:
    """Nothing runs, nobody is connected, and every socket is closed again."""
    eventually(lambda: metric(gateway, "twintrack_in_flight") == 0)
    eventually(lambda: metric(gateway, "twintrack_connections") == 1)
    eventually(lambda: sockets(gateway) <= before, 8.0, 0.1)


# ---- leaving


TALKS: dict[str, list[bytes]] = {
    "mine": chat_events([" word"] * 40),
    "claude": message_events([" word"] * 40),
    "other": response_events([" word"] * 40, Tokens(12, 40)),
}
"""By provider: a stream of forty words."""


def talking(name: str, pause_s: float) -> Script:
    """A stream that pauses before each event."""
    return stream([piece for event in TALKS[name] for piece in (event, pause_s)])


WHEN: dict[str, tuple[Callable[[str], Script], bytes]] = {
    "before the first token": (lambda name: stream([TALKS[name][0], 30.0]), b""),
    "at the first token": (lambda name: talking(name, 0.02), b" word"),
    "after the first token": (lambda name: talking(name, 0.02), b" word" * 1 + b'"'),
}
"""What the provider plays, and what the client waits for before it leaves."""


def reaches(provider_: Provider, what: str, count: int) -> None:
    eventually(lambda: getattr(provider_, what) >= count, 5.0)
    assert getattr(provider_, what) == count


def closed(gateway: Served, model: str, since_us: int, count: int) -> list[dict[str, Any]]:
    """Exactly so many rows of a model since then, once all of them are closed."""

    def look() -> list[dict[str, Any]]:
        rows = gateway.query("SELECT * FROM entries WHERE deployment = ? AND at_us >= ?", model, since_us)
        return rows if len(rows) >= count and all(row["state"] != "dispatched" for row in rows) else []

    found = eventually(look)
    assert len(found) == count
    return found


@pytest.mark.parametrize("translated", [False, True], ids=["straight", "translated"])
@pytest.mark.parametrize("endpoint", PATHS)
def test_whenever_a_client_leaves_its_provider_stops_and_its_row_is_closed(
    gateway: Served, mine: Provider, other: Provider, claude: Provider, endpoint: str, translated: bool
) -> None:
    providers = {"mine": mine, "other": other, "claude": claude}
    name = SPEAKS[endpoint] if not translated else {"chat": "claude", "messages": "mine", "responses": "mine"}[endpoint]
    provider_, model = providers[name], f"at-{name}"
    before = sockets(gateway)
    for play, wait in WHEN.values():
        provider_.default = play(name)
        since_us = time.time_ns() // 1000
        requests, disconnects = provider_.requests, provider_.disconnects
        for reset in (False, True):
            client = gateway.connect()
            client.post(PATHS[endpoint], asked(endpoint, model, streamed=True))
            reaches(provider_, "requests", requests + 1)
            if wait:
                client.until(wait)
                client.until(wait)
            client.reset() if reset else client.socket.close()
            requests, disconnects = requests + 1, disconnects + 1
            reaches(provider_, "disconnects", disconnects)
        ended = closed(gateway, model, since_us, 2)
        assert [(row["state"], row["outcome"]) for row in ended] == [("settled", "client_left")] * 2
    provider_.default = chat_answer("hello")
    comes_to_rest(gateway, before)


def test_a_hundred_that_leave_at_once_leave_nothing(gateway: Served, mine: Provider) -> None:
    mine.default = talking("mine", 0.05)
    before, requests, disconnects = sockets(gateway), mine.requests, mine.disconnects
    clients = [gateway.connect() for _ in range(100)]
    for client in clients:
        client.post(PATHS["chat"], asked("chat", "at-mine", streamed=True))
    eventually(lambda: mine.requests == requests + 100)
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.socket.close()
    reaches(mine, "disconnects", disconnects + 100)
    mine.default = chat_answer("hello")
    comes_to_rest(gateway, before)
    assert gateway.chat("at-mine").status == 200


# ---- half-open


def test_a_client_that_closes_its_sending_side_has_left(gateway: Served, mine: Provider) -> None:
    """As with nginx: a request whose client said that it says no more is given up. Whoever wants the answer waits."""
    mine.default = talking("mine", 0.05)
    requests, disconnects = mine.requests, mine.disconnects
    with gateway.connect() as client:
        client.post(PATHS["chat"], asked("chat", "at-mine", streamed=True))
        eventually(lambda: mine.requests == requests + 1)
        client.socket.shutdown(1)
        reaches(mine, "disconnects", disconnects + 1)
    mine.default = chat_answer("hello")


def test_a_client_that_vanished_in_a_stream_is_given_up_at_the_deadline(gateway: Served, mine: Provider) -> None:
    """Its kernel takes what fits, and nobody ever reads: the provider waits, and is let go when time is up."""
    word = chat_events(["x" * 60_000], None, done=False)[1]
    mine.default = stream([*chat_events([], None, done=False), *[word] * 2_000])
    before, disconnects = sockets(gateway), mine.disconnects
    worker = gateway.children()["worker 0"]
    memory, since_us = rss_bytes(worker), time.time_ns() // 1000
    with Raw(gateway.port, receive_buffer=16_384) as client:
        client.post(PATHS["chat"], asked("chat", "at-mine", streamed=True))
        eventually(lambda: metric(gateway, "twintrack_in_flight") == 1)
        eventually(lambda: mine.disconnects == disconnects + 1, 9.0, 0.1)
        assert rss_bytes(worker) - memory < 16 * MB
        (row,) = closed(gateway, "at-mine", since_us, 1)
        # It is no fault of the provider's, and what it said until then is booked.
        assert (row["state"], row["outcome"], row["usage_source"]) == ("settled", "client_left", "estimated")
        mine.default = chat_answer("hello")
        comes_to_rest(gateway, before)


# ---- asking ahead


def test_answers_to_requests_sent_ahead_come_in_order_and_whole(gateway: Served, mine: Provider) -> None:
    mine.default = lambda received: (
        talking("mine", 0.001) if json.loads(received.body).get("stream") else chat_answer(received.body.decode()[-6:])
    )
    requests = mine.requests
    kinds = [False, True, False, False, True] * 3
    with gateway.connect() as client:
        bodies = [
            asked("chat", "at-mine", streamed=streamed) | {"user": f"u{at:02}"} for at, streamed in enumerate(kinds)
        ]
        client.send(*[request("POST", PATHS["chat"], json.dumps(body).encode()) for body in bodies])
        for at, streamed in enumerate(kinds):
            answer = client.answer()
            assert answer.complete
            if streamed:
                assert words(answer.body) == " word" * 40
                assert events(answer.body)[-1] == "[DONE]"
            else:
                assert f"u{at:02}" in answer.json()["choices"][0]["message"]["content"]
    assert mine.requests == requests + len(kinds)
    mine.default = chat_answer("hello")


def test_who_asks_ahead_and_leaves_is_not_asked_for_what_was_not_begun(gateway: Served, mine: Provider) -> None:
    mine.default = talking("mine", 0.02)
    requests, disconnects, before = mine.requests, mine.disconnects, sockets(gateway)
    client = gateway.connect()
    body = json.dumps(asked("chat", "at-mine", streamed=True)).encode()
    client.send(*[request("POST", PATHS["chat"], body)] * 20)
    client.until(b" word")
    client.reset()
    reaches(mine, "disconnects", disconnects + 1)
    mine.default = chat_answer("hello")
    comes_to_rest(gateway, before)
    assert mine.requests == requests + 1


# ---- dawdling


@pytest.mark.parametrize("endpoint", PATHS)
def test_a_body_slower_than_a_byte_a_second_is_refused_in_its_dialect(
    gateway: Served, mine: Provider, endpoint: str
) -> None:
    requests = mine.requests
    began = time.monotonic()
    with gateway.connect() as client:
        client.send(request("POST", PATHS[endpoint], b"", {"content-length": "500"}))
        client.socket.settimeout(1.2)
        while time.monotonic() - began < 30.0:
            client.send(b" ")
            try:
                if client._more():
                    break
            except TimeoutError:
                continue
        answer = client.answer()
        assert client.rest() == b""
    assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert 2.5 < time.monotonic() - began < 30.0  # of the 500 that so slow a body would take
    error = answer.json()
    assert error["error"]["message"].startswith("The request did not arrive in time")
    assert (error.get("type") == "error") == (endpoint == "messages")
    assert mine.requests == requests


# ---- weight


def test_a_body_of_fifty_megabytes_reaches_the_provider_and_leaves_no_memory_behind(
    mine: Provider, tmp_path: Path
) -> None:
    config = "[server.limits]\nmax_body_bytes = 60_000_000\n" + provider("mine", mine.url) + deployment("m", "mine")
    body = json.dumps(question("m")).encode()
    body = body[:-1] + b',"user":"' + b"u" * (50 * MB) + b'"}'
    mine.default = chat_answer("hello")
    with Served(tmp_path, config) as gateway:
        gateway.chat("m")
        worker = gateway.children()["worker 0"]
        before, received, highest = rss_bytes(worker), mine.bytes_in, 0
        for _ in range(4):
            with gateway.connect(60.0) as client:
                client.post(PATHS["chat"], body)
                highest = max(highest, rss_bytes(worker))
                assert client.answer().status == 200
                mine.received.clear()
        assert mine.bytes_in - received > 4 * len(body)
        assert highest - before < 4 * len(body)
        eventually(lambda: rss_bytes(worker) < before + 16 * MB, 5.0, 0.2)


def test_by_default_fifty_megabytes_are_refused_before_they_are_read(mine: Provider, tmp_path: Path) -> None:
    config = provider("mine", mine.url) + deployment("m", "mine")
    with Served(tmp_path, config) as gateway:
        worker = gateway.children()["worker 0"]
        before, requests = rss_bytes(worker), mine.requests
        with gateway.connect() as client:
            client.send(request("POST", PATHS["chat"], b"", {"content-length": str(50 * MB)}))
            answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        with gateway.connect() as client:  # and chunk by chunk, where nobody knows before
            client.send(request("POST", PATHS["chat"], b"", {"content-length": "", "transfer-encoding": "chunked"}))
            piece = b"100000\r\n" + b" " * MB + b"\r\n"
            for _ in range(50):
                client.send(piece)
            assert client.answer().status == 413
        assert mine.requests == requests
        assert rss_bytes(worker) - before < 80 * MB


# ---- a thousand slow connections


SLOW = {
    "headers": ("-H", "-t", "GET", "-i", "2", "-x", "24"),
    "body": ("-B", "-t", "POST", "-f", "application/json", "-s", "8192", "-i", "2", "-x", "10"),
    "read": ("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "3"),
}
"""What `slowhttptest` does, by what is slow."""
MANY = 1_000
SLOW_S = 20
"""At most; it is stopped before."""


def p95_ms(gateway: Served, seconds: float) -> float:
    """Of requests to a model, one after another on one connection."""
    took = []
    until = time.monotonic() + seconds
    with gateway.connect() as client:
        while time.monotonic() < until or len(took) < 100:
            began = time.perf_counter()
            client.post(PATHS["chat"], question("m"))
            assert client.answer().status == 200
            took.append((time.perf_counter() - began) * 1000)
            time.sleep(0.002)
    return sorted(took)[int(0.95 * len(took))]


@contextmanager
def thousand(what: str, port: int) -> Iterator[None]:
    """While it lasts a thousand clients are slow in one way."""
    path = "/openapi.json" if what == "read" else PATHS["chat"]
    options = ["-c", str(MANY), "-r", str(MANY), "-l", str(SLOW_S), "-p", "5", "-u", f"http://127.0.0.1:{port}{path}"]
    with subprocess.Popen(["slowhttptest", *SLOW[what], *options], stdout=subprocess.DEVNULL) as slow:
        try:
            yield
        finally:
            slow.kill()


@contextmanager
def decoy() -> Iterator[int]:
    """A port where the kernel accepts and nobody answers: what the slow clients themselves cost this machine."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * MANY) as server:
        yield server.getsockname()[1]


@pytest.mark.needs("slowhttptest")
@pytest.mark.alone
@pytest.mark.parametrize("what", SLOW)
def test_a_thousand_slow_connections_leave_the_others_their_time(mine: Provider, tmp_path: Path, what: str) -> None:
    mine.default = chat_answer("hello")
    config = "[server.deadlines]\nhead_s = 30.0\nbody_s = 30.0\nidle_s = 30.0\n"
    config += provider("mine", mine.url) + deployment("m", "mine")
    with Served(tmp_path, config) as gateway:
        worker = gateway.children()["worker 0"]
        gateway.chat("m")
        before = rss_bytes(worker)
        tried: list[tuple[float, float]] = []
        # Neighbours on this machine come and go: side by side, up to five times.
        while not tried or min(busy for _, busy in tried) > 2 * max(quiet for quiet, _ in tried):
            assert len(tried) < 5, f"p95 in ms without and with slow {what}: {tried}"
            with decoy() as port, thousand(what, port):
                time.sleep(2.5)  # until all are there
                quiet = p95_ms(gateway, 1.2)
            with thousand(what, gateway.port):
                eventually(lambda: metric(gateway, "twintrack_connections") > 0.9 * MANY, 10.0, 0.1)
                busy = p95_ms(gateway, 1.2)
                assert rss_bytes(worker) - before < 64 * MB
            eventually(lambda: metric(gateway, "twintrack_connections") == 1)
            tried.append((round(quiet, 2), round(busy, 2)))
        print(f"slow {what}: p95 in ms without and with: {tried}")
