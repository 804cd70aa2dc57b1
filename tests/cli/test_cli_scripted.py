"""A provider for trying out clients, started as its users start it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.gateway import wait_for_port
from support.processes import free_port


@contextmanager
def scripted(*options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    port = free_port()
    command = [sys.executable, "-m", "twintrack", "scripted", "--listen", f"127.0.0.1:{port}", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_port(port)
        yield port, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)


def ask(port: int, prompt: str) -> int:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}]}).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/chat/completions", body, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_does_what_requests_ask_for_and_says_what_it_would_bill() -> None:
    with scripted() as (port, process):
        assert [ask(port, "Hello"), ask(port, "[fault: http(429)]")] == [200, 429]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/invoice", timeout=10) as answer:
            invoice = json.load(answer)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert [line["fault"] for line in invoice["lines"]] == ["", "http(429)"]
    assert invoice["billed_nusd"] == invoice["lines"][0]["billed_nusd"] > 0
    assert out == f"2 requests, 1 with a fault, would bill ${invoice['billed_nusd'] / 1e9:.6f}\n"
    assert f"127.0.0.1:{port}" in err
    assert process.returncode == 0


def test_a_share_of_all_requests_may_go_wrong() -> None:
    with scripted("--fault", "http(503)", "--fault", "quota", "--share", "0.5", "--seed", "3") as (port, _):
        statuses = [ask(port, "Hello") for _ in range(60)]
        assert ask(port, "[fault: http(418)]") == 418
    assert set(statuses) == {200, 429, 503}
    assert 15 < statuses.count(200) < 45


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--fault", "htp(503)"), "htp is no fault; known are wait, hang,"),
        (("--fault", "http(often)"), "http: status is int, not often"),
        (("--certificate", __file__), "--certificate and --key belong together"),
        (("--certificate", __file__, "--key", __file__), "cannot be used with the key"),
        (("--listen", "nowhere"), "is no address"),
    ],
)
def test_what_it_cannot_do_is_said_at_once(options: tuple[str, ...], complaint: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twintrack", "scripted", "--listen", f"127.0.0.1:{free_port()}", *options],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode in (2, 4)
    assert complaint in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named() -> None:
    with scripted() as (port, _):
        done = subprocess.run(
            [sys.executable, "-m", "twintrack", "scripted", "--listen", f"127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 4
    assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
