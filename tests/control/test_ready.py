"""/readyz tells a load balancer where to send requests, /healthz tells a manager whom to restart."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.gateway import Served, deployment, provider, wait_for_port
from support.provider import Provider
from support.raw import Answer, Raw
from support.waiting import eventually
from support.web import Server
from twintrack.control.notify import notify


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


def config(mine: Provider, more: str = "") -> str:
    return provider("mine", mine.url) + deployment("m", "mine") + more


def readyz(gateway: Served) -> tuple[int, str]:
    answer = gateway.get("/readyz")
    return answer.status, answer.body.decode()


def hold(pid: int) -> None:
    """Stop a process in its tracks, as a debugger does."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T"))


def asked_of_the_other(gateway: Served, path: str) -> Answer:
    """An answer of the worker that runs; connections that the kernel gave to the one on hold are let go."""

    def ask() -> Answer | None:
        try:
            with Raw(gateway.port, 0.5) as client:
                client.send(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                return client.answer()
        except (OSError, AssertionError):
            return None

    answer = eventually(ask)
    assert answer is not None
    return answer


def test_after_a_reload_it_is_ready_when_the_last_worker_has_the_new_configuration(
    mine: Provider, tmp_path: Path
) -> None:
    with Served(tmp_path, config(mine), workers=2) as gateway:
        assert readyz(gateway) == (200, "ready\n")
        slow = gateway.children()["worker 1"]
        hold(slow)
        try:
            gateway.file.write_text(config(mine, deployment("new", "mine")))
            why = b"not ready: worker 1 serves configuration 1, 2 is wanted\n"
            eventually(lambda: asked_of_the_other(gateway, "/readyz").body == why)
            assert asked_of_the_other(gateway, "/readyz").status == 503
            assert "configuration 2" not in gateway.stderr()
            assert asked_of_the_other(gateway, "/healthz").status == 200
        finally:
            os.kill(slow, signal.SIGCONT)
        eventually(lambda: "configuration 2 is serving" in gateway.stderr())
        assert readyz(gateway) == (200, "ready\n")


def test_a_configuration_that_is_refused_leaves_it_ready(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), clean=False) as gateway:
        gateway.file.write_text("[server\n")
        eventually(lambda: "is refused" in gateway.stderr())
        assert readyz(gateway) == (200, "ready\n")


def test_a_worker_that_died_is_missed_until_its_successor_serves(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine), workers=2, clean=False) as gateway:
        before = gateway.children()["worker 0"]
        os.kill(before, signal.SIGKILL)
        eventually(lambda: gateway.children()["worker 0"] != before)
        eventually(lambda: readyz(gateway) == (200, "ready\n"))


# Credentials that must be fetched first


@pytest.fixture
def tokens() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


def with_vertex(folder: Path, mine: Provider, tokens: Server) -> str:
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "client_email": "gateway@p.iam.gserviceaccount.com",
        "private_key_id": "k1",
        "private_key": pem.decode(),
        "token_uri": f"http://{tokens.address}/token",
    }
    (folder / "account.json").write_text(json.dumps(account))
    (folder / "account.json").chmod(0o600)
    vertex = provider(
        "vertex",
        mine.url.removesuffix("/v1") + "/v1/projects/p/locations/eu/publishers/google",
        api="vertex",
        more='key = "file:account.json"',
    )
    return config(mine, vertex + deployment("gemini", "vertex", model="gemini-3.8-flash"))


def test_it_is_ready_when_its_credentials_are_there_and_the_first_request_is_signed(
    mine: Provider, tokens: Server, tmp_path: Path
) -> None:
    granted = threading.Event()

    def answer() -> tuple[int, str]:
        granted.wait(20)
        return 200, json.dumps({"access_token": "ya29.late", "expires_in": 3_600})

    tokens.answer = answer
    gateway = Served(tmp_path, with_vertex(tmp_path, mine, tokens), {"NO_GCE_CHECK": "true"})
    gateway.start()
    try:
        wait_for_port(gateway.port, 20.0)
        eventually(lambda: bool(tokens.asked))
        assert readyz(gateway) == (503, "not ready: worker 0 waits for a provider's credentials\n")
        assert gateway.get("/healthz").status == 200
        assert "twintrack: serving" not in gateway.stderr()
        granted.set()
        gateway.until_ready()
        gateway.chat("gemini")
        assert mine.received[-1].headers["authorization"] == "Bearer ya29.late"
    finally:
        granted.set()
        assert gateway.stop() == 0


def test_credentials_nobody_gives_do_not_keep_the_others_from_serving(
    mine: Provider, tokens: Server, tmp_path: Path
) -> None:
    tokens.answer = lambda: (401, '{"error": "invalid_grant"}')
    config_ = with_vertex(tmp_path, mine, tokens)
    with Served(tmp_path, config_, {"NO_GCE_CHECK": "true"}, clean=False) as gateway:
        assert gateway.chat("m").status == 200
        assert gateway.chat("gemini").status == 503


# A service manager that asks to be told


def test_systemd_is_told_when_it_is_ready_and_when_it_stops(mine: Provider, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        with Served(tmp_path / "served", config(mine), {"NOTIFY_SOCKET": str(tmp_path / "notify")}):
            assert manager.recv(100) == b"READY=1"
        assert manager.recv(100) == b"STOPPING=1"


def test_where_nobody_asks_nothing_is_sent(tmp_path: Path) -> None:
    assert not notify("READY=1", {})
    assert not notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "gone")})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0twintrack-test-notify")
        assert notify("READY=1", {"NOTIFY_SOCKET": "@twintrack-test-notify"})
        assert manager.recv(100) == b"READY=1"
