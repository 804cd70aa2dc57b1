"""Start a local engine as a subprocess of its own, see when it is ready, and start it again if it dies.

The engine is `python -m twintrack.engines.llama`: a fault in llama.cpp, or a kill, ends that process and no other. It
ends by itself when this process does. Nothing here imports xllamacpp.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twintrack.engines.bundled import bundled
from twintrack.engines.llama import require_llama
from twintrack.errors import EnvironmentProblem

__all__ = ["Engine", "EngineProcess", "bundled", "free_port", "restart_delay_s"]

FIRST_RESTART_S = 0.2
LONGEST_RESTART_S = 10.0
STEADY_S = 60.0
"""An engine that lived this long counts as sound: after it the delays begin anew."""
_POLL_S = 0.02


@dataclass(frozen=True)
class Engine:
    """One model on one port of this machine."""

    name: str
    """What the engine calls the model."""
    model: Path
    port: int
    host: str = "127.0.0.1"
    parallel: int = 4
    """Requests served at a time."""
    context_tokens: int = 2048
    """Shared out: one request has `context_tokens / parallel`."""
    threads: int = 1

    @property
    def url(self) -> str:
        """Base address for OpenAI clients."""
        return f"http://{self.host}:{self.port}/v1"


class EngineProcess:
    """The running side of an `Engine`. Not for use by several threads at once."""

    def __init__(self, engine: Engine, *, log: Path | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            log: llama.cpp's lines are appended to this file; None drops them.
            clock: seconds, never going back.
        """
        self.engine = engine
        self._log = log
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._started_at = 0.0
        self._seen_dead_at: float | None = None
        self._restarts = 0
        self._wanted = False

    @property
    def pid(self) -> int | None:
        """Of the process started last; None before the first start and after `stop`."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process and return at once; `wait_ready` says when it serves. Does nothing if it runs already.

        Raises:
            MissingExtra: xllamacpp is not installed.
        """
        if self.alive():
            return
        require_llama()
        self._forget()
        engine = self.engine
        command = [sys.executable, "-m", "twintrack.engines.llama"]
        command += ["--model", str(engine.model), "--alias", engine.name]
        command += ["--host", engine.host, "--port", str(engine.port)]
        command += ["--parallel", str(engine.parallel), "--context", str(engine.context_tokens)]
        command += ["--threads", str(engine.threads), "--parent-pid", str(os.getpid())]
        if self._log is not None:
            command += ["--log", str(self._log)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,  # one error message at most: llama.cpp's own lines go to the log
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C in a terminal reaches us alone, so that we can finish what runs first
        )
        self._started_at = self._clock()
        self._seen_dead_at = None
        self._wanted = True

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Block until the model is loaded and served.

        Raises:
            EnvironmentProblem: the process ended instead, or `timeout_s` seconds passed.
        """
        deadline = self._clock() + timeout_s
        while self.alive():
            if _serves(self.engine):
                return
            if self._clock() >= deadline:
                raise EnvironmentProblem(
                    f"Engine {self.engine.name} is not ready after {timeout_s:g} s",
                    why="A large model takes longer to load, and a busy machine to start it",
                    fix="Wait longer, or choose a smaller model",
                )
            time.sleep(_POLL_S)
        raise EnvironmentProblem(f"Engine {self.engine.name} did not start", why=self._last_words())

    def alive(self) -> bool:
        """Whether the process runs; it may still be loading."""
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the process: SIGTERM, and SIGKILL if it is still there after `timeout_s` seconds."""
        self._wanted = False
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._forget()

    def restart_if_dead(self) -> bool:
        """Start the process again if it died and its delay has passed; returns whether it did. Never blocks.

        For a supervisor to call often. An engine never started, or stopped on purpose, stays down.
        """
        now = self._clock()
        if not self._wanted or self.alive():
            return False
        if self._seen_dead_at is None:
            self._seen_dead_at = now
            if now - self._started_at >= STEADY_S:
                self._restarts = 0
        if now - self._seen_dead_at < restart_delay_s(self._restarts):
            return False
        self.start()
        self._restarts += 1
        return True

    def _last_words(self) -> str:
        process = self._process
        if process is None or process.stderr is None:
            return "It was not started"
        said = process.stderr.read().strip().splitlines()
        return said[-1] if said else f"It ended with code {process.wait()}"

    def _forget(self) -> None:
        if self._process is not None and self._process.stderr is not None:
            self._process.stderr.close()
        self._process = None


def restart_delay_s(restarts: int) -> float:
    """Seconds to wait before starting a dead engine again, after `restarts` restarts in a row."""
    return min(FIRST_RESTART_S * 2.0 ** min(restarts, 32), LONGEST_RESTART_S)


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on just now. Another program may take it first; then the engine fails and says so."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
    return port


def _serves(engine: Engine) -> bool:
    """Whether the model is loaded. Its name tells our engine from a stranger that took the port first."""
    connection = http.client.HTTPConnection(engine.host, engine.port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        health = connection.getresponse()
        health.read()
        if health.status != 200:
            return False
        connection.request("GET", "/v1/models")
        listing = json.loads(connection.getresponse().read())
        return [card["id"] for card in listing["data"]] == [engine.name]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return False
    finally:
        connection.close()
