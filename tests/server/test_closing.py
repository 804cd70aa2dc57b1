"""Connections end so that nothing is lost: what was sent before is answered, and an answer can be read whole."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.gateway import Served, deployment, provider, question
from support.provider import Provider
from support.raw import Raw, request
from support.waiting import eventually
from twintrack.providers.scripted import Received, Script, chat_answer

CHAT = "/v1/chat/completions"
IDLE_S = 0.8


@pytest.fixture(autouse=True)
def said_again(mine: Provider) -> Iterator[None]:
    yield
    mine.scripts.clear()


def held(mine: Provider, answer: Script) -> threading.Event:
    """The model's answer waits for it."""
    go = threading.Event()

    def script(received: Received) -> Script:
        assert go.wait(20)
        return answer

    mine.scripts["m"] = script
    return go


def config(mine: Provider, more: str = "") -> str:
    return f"[server.deadlines]\nidle_s = {IDLE_S}\n{more}" + provider("mine", mine.url) + deployment("m", "mine")


@contextmanager
def asleep(gateway: Served) -> Iterator[int]:
    """The worker, without a processor, as on a machine that has too much to do."""
    worker = gateway.children()["worker 0"]
    os.kill(worker, signal.SIGSTOP)
    try:
        eventually(lambda: _status(worker, "State").startswith("T"))
        yield worker
    finally:
        os.kill(worker, signal.SIGCONT)


def _status(pid: int, name: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split(":")[1].strip()
    raise AssertionError(name)


def was_told_to_stop(pid: int) -> bool:
    """SIGTERM waits for it."""
    return bool(int(_status(pid, "ShdPnd"), 16) >> (signal.SIGTERM - 1) & 1)


def is_open(client: Raw) -> bool:
    client.socket.setblocking(False)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        client.socket.settimeout(20)


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return True
    return False


def test_a_request_that_came_in_time_is_answered_though_its_worker_slept_past_the_idle_limit(
    mine: Provider, tmp_path: Path
) -> None:
    with Served(tmp_path, config(mine)) as gateway, ExitStack() as connections:
        clients = [connections.enter_context(gateway.connect()) for _ in range(8)]
        for client in clients:
            client.post(CHAT, question("m"))
            assert client.answer().status == 200
        with asleep(gateway):
            kept = [client for client in clients if is_open(client)]
            for client in kept:
                client.post(CHAT, question("m"))
            time.sleep(2 * IDLE_S)  # whoever's limit that is, it has passed
        assert [client.answer().status for client in kept] == [200] * len(kept)


def test_who_asked_before_the_end_is_told_of_it(mine: Provider, tmp_path: Path) -> None:
    """On a kept-alive connection, on a new one, and on one that nobody accepted yet."""
    with Served(tmp_path, config(mine).replace(str(IDLE_S), "60")) as gateway, ExitStack() as connections:
        kept = [connections.enter_context(gateway.connect()) for _ in range(5)]
        for client in kept:
            client.post(CHAT, question("m"))
            assert client.answer().status == 200
        with asleep(gateway) as worker:
            new = [connections.enter_context(gateway.connect()) for _ in range(20)]
            for client in kept + new:
                client.post(CHAT, question("m"))
            gateway.signal(signal.SIGTERM)
            eventually(lambda: was_told_to_stop(worker))
        for client in kept + new:
            answer = client.answer()
            # Which the worker hears of first, the request or the signal, is up to the kernel.
            assert answer.status in (200, 503)
            assert answer.complete
            if answer.status == 503:
                assert (answer.headers["connection"], answer.headers["retry-after"]) == ("close", "1")
            assert client.closed()
        assert gateway.stop() == 0


@pytest.mark.parametrize("start", [b"POST /v1/chat", request("POST", CHAT, b"", {"content-length": "10"})])
def test_half_a_request_is_told_to_come_again_when_the_gateway_ends(
    mine: Provider, tmp_path: Path, start: bytes
) -> None:
    with Served(tmp_path, config(mine)) as gateway, gateway.connect() as client:
        client.send(start)
        with gateway.connect() as other:  # answered behind it, so the half was read
            other.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
            assert other.answer().status == 200
        gateway.signal(signal.SIGTERM)
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert gateway.stop() == 0


def test_what_a_client_sends_behind_its_last_request_does_not_cost_it_the_answer(
    mine: Provider, tmp_path: Path
) -> None:
    """A connection that is closed with unread bytes is reset, and a reset throws away what is on its way."""
    long = "word " * 40_000
    go = held(mine, chat_answer(long))
    with Served(tmp_path, config(mine)) as gateway, Raw(gateway.port, receive_buffer=4_096) as client:
        client.post(CHAT, question("m"), {"connection": "close"})
        client.send(b"x" * 200_000)
        go.set()
        time.sleep(0.6)  # so that the gateway would have closed before we read
        answer = client.answer()
        assert answer.complete
        assert answer.json()["choices"][0]["message"]["content"] == long
        assert client.rest() == b""


def test_a_running_answer_is_whole_when_its_client_asked_ahead_of_the_end(mine: Provider, tmp_path: Path) -> None:
    go = held(mine, chat_answer("hello"))
    with Served(tmp_path, config(mine)) as gateway, gateway.connect() as client:
        before = mine.requests
        client.post(CHAT, question("m"))
        eventually(lambda: mine.requests > before)
        client.post(CHAT, question("m"))
        gateway.signal(signal.SIGTERM)
        eventually(lambda: is_refused(gateway.port))
        go.set()
        answer = client.answer()
        assert (answer.status, answer.complete, answer.headers["connection"]) == (200, True, "close")
        assert client.closed()
        assert gateway.stop() == 0
