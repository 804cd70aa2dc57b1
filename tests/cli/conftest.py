"""The command line as its users meet it: in process for what only prints, as a process for what serves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.processes import LEASH, free_port
from twintrack.catalog import providers
from twintrack.cli import main
from twintrack.engines.start import Engine, EngineProcess, bundled

READY_S = 30.0

CONFIG = """\
[server]
listen = "127.0.0.1:8080"

[[providers]]
name = "gpu-room"
api = "vllm"
url = "http://10.0.0.5:8000/v1"
zone = "own"
region = "eu-west"

[[providers]]
name = "openai"

[[deployments]]
model = "llama-3.3-70b-instruct"
provider = "gpu-room"
price = { per_hour_usd = 9.6 }

[[deployments]]
model = "gpt-5.4"
provider = "openai"

[[deployments]]
model = "our-model"
provider = "gpu-room"
facts = { context_tokens = 8192, tools = true }

[routes.auto]
tiers = [
  { name = "small", deployments = ["llama-3.3-70b-instruct@gpu-room"] },
  { name = "premium", deployments = ["gpt-5.4@openai"] },
]
max_usd_per_request = 0.05
"""
"""An own engine by the hour, a third party by the token, and a model nobody knows the price of."""


@dataclass
class Ran:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder, a data folder of its own, and no key of anybody."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWINTRACK_HOME", str(tmp_path / "home"))
    for row in providers.providers().values():
        monkeypatch.delenv(row.key_env or "OPENAI_BASE_URL", raising=False)
    for name in ("OLLAMA_HOST", "FORCE_COLOR", "TTY_COMPATIBLE", "TWINTRACK_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process."""

    def run(*args: str) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main(list(args))
        out, err = capfd.readouterr()
        return Ran(int(stopped.value.code or 0), out, err)

    return run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(CONFIG)
    return file


class Served:
    """A command that serves, as a process."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.said: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._more:
                    self.said.append(line.rstrip("\n"))
                    self._more.notify_all()

    def wait_for(self, text: str, within_s: float = READY_S) -> str:
        """The next line that holds `text`, counted from the one found before."""
        late = time.monotonic() + within_s
        with self._more:
            while True:
                for number, line in enumerate(self.said):
                    if text in line:
                        del self.said[: number + 1]
                        return line
                if time.monotonic() > late or (not self._more.wait(0.2) and not self._reader.is_alive()):
                    raise AssertionError(f"it did not say {text!r} but: " + "\n".join(self.said))

    def request(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"content-type": "application/json"} if sent else {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def chat(self, model: str, text: str = "What is the capital of Norland?") -> tuple[int, dict[str, str], bytes]:
        asked = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 32}
        return self.request("POST", "/v1/chat/completions", asked)

    def ended(self) -> int:
        """Wait for its end; returns its exit status."""
        status = self.process.wait(READY_S)
        self._reader.join()
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; returns its exit status."""
        self.process.send_signal(number)
        return self.ended()

    def kill(self) -> None:
        """However it is, it is gone afterwards."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join()


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a command that serves; it ends with the test. A free port is added unless `port` says another."""
    running: list[Served] = []

    def start(*args: str, port: int | None = None, environ: dict[str, str] | None = None) -> Served:
        where = free_port() if port is None else port
        command = [*LEASH, sys.executable, "-m", "twintrack", *args, "--listen", f"127.0.0.1:{where}"]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=dict(os.environ) | {"PYTHONUNBUFFERED": "1"} | (environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        running.append(Served(process, where))
        return running[-1]

    yield start
    for served in running:
        served.kill()


@pytest.fixture(scope="session")
def engines(needs: Callable[..., None]) -> Iterator[dict[str, str]]:
    """Addresses of both bundled models, by name."""
    needs("xllamacpp", "runs the bundled models")
    processes = [EngineProcess(Engine(name, bundled(name), free_port())) for name in ("demo-nano", "demo-small")]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.wait_ready(30.0)
        yield {process.engine.name: process.engine.url for process in processes}
    finally:
        for process in processes:
            process.stop()


def shape(value: Any) -> Any:
    """The same with a word for its type in place of each value; a list is what its items have in common."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        items = [shape(each) for each in value]
        merged = items[0] if items else "nothing"
        for item in items[1:]:
            merged = _both(merged, item)
        return [merged]
    if value is None:
        return "null"
    return {bool: "flag", int: "integer", float: "number", str: "text"}[type(value)]


def _both(one: Any, two: Any) -> Any:
    if one == two:
        return one
    if isinstance(one, dict) and isinstance(two, dict) and "or null" not in one | two:
        assert one.keys() == two.keys(), "objects of a list differ in their members"
        return {name: _both(one[name], two[name]) for name in one}
    if isinstance(one, list) and isinstance(two, list):
        return [_both(one[0], two[0]) if "nothing" not in (one[0], two[0]) else max(one[0], two[0], key=len)]
    if isinstance(one, str) and isinstance(two, str):
        return " or ".join(sorted({*one.split(" or "), *two.split(" or ")}))
    filled = two if one == "null" else one
    return filled if isinstance(filled, dict) and "or null" in filled else {"or null": filled}
