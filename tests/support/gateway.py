"""A real `twintrack serve`, as its users start it: a process of its own, on a free port, with a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.processes import LEASH, free_port
from support.raw import Answer, Raw
from support.waiting import eventually
from twintrack.ledger.audit.prove import prove
from twintrack.ledger.balance import balance
from twintrack.ledger.database import database, reading

_CALM = ("twintrack: serving ", "twintrack: configuration ", "twintrack: what changed in ")


@dataclass
class Served:
    """One gateway. Use as a context manager; leaving it stops the gateway and looks at its books."""

    folder: Path
    config: str
    """TOML."""
    env: dict[str, str] | None = None
    """Beside what every process needs."""
    workers: int | None = None
    wrap: tuple[str, ...] = ()
    """Commands that start the command."""
    clean: bool = True
    """Nothing is expected on stderr beside that it serves. A traceback never is."""
    ready_s: float = 20.0
    """Time to start in; thousands of deployments need some on a busy machine."""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    _has_ledger: bool = False
    _told: bool = False
    _attempts: dict[str, int] = field(default_factory=dict)
    """Of requests that needed more than one, by id."""

    def __enter__(self) -> Self:
        self.start()
        try:
            self.until_ready()
        except BaseException:  # nobody will leave what was not entered
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        status = self.stop()
        if kind is None:
            assert status == 0, self.stderr()
            assert "Traceback" not in self.stderr(), self.stderr()
            if self.clean:
                complaints = [line for line in self.stderr().splitlines() if not line.startswith(_CALM)]
                assert not complaints, complaints
            self.check_books()

    # ---- the process

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file.write_text(self.config)
        self.port = self.port or free_port()
        command = [*LEASH, *self.wrap, sys.executable, "-m", "twintrack", "serve", "--config", str(self.file)]
        command += ["--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        command += ["--workers", str(self.workers)] if self.workers else []
        with open(self.folder / "stderr", "ab") as stderr:
            self.process = subprocess.Popen(command, stdout=stderr, stderr=stderr, env=self._environment())

    def until_ready(self) -> None:
        def ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.stderr()
            try:
                with Raw(self.port, 5.0) as client:
                    client.send(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                    return client.answer().status == 200
            except (OSError, AssertionError):
                return False

        # With TLS nobody answers plain text; the line on stderr comes when everything is started.
        eventually(lambda: "twintrack: serving" in self.stderr() and (self._tls or ready()), self.ready_s)

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM, unless it was told to stop already, and the exit status. Told twice it would stop at once."""
        assert self.process is not None
        if self.process.poll() is None and not self._told:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not stop within {within_s:g} s: {self.stderr()}") from None

    def kill(self) -> None:
        """At once, and whatever became of it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self._told = self._told or number in (signal.SIGTERM, signal.SIGINT)
        self.process.send_signal(number)

    def children(self) -> dict[str, int]:
        """Process ids by the name the supervisor calls them: `worker 0`, `control plane`. Waits until all are there."""
        names = {f"worker {slot}" for slot in range(self.workers or 1)} | {"control plane"}

        def look() -> dict[str, int]:
            found = self._children()
            return found if found.keys() == names else {}

        return eventually(look)

    def _children(self) -> dict[str, int]:
        """Told apart by what they hold open: a worker its journal, the control plane the lock on loading them."""
        assert self.process is not None
        pid = self.process.pid
        found = {}
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                names = {Path(os.readlink(link)).name for link in Path(f"/proc/{child}/fd").iterdir()}
                if "loader.lock" in names:  # it reads journals as well
                    found["control plane"] = int(child)
                    continue
                for name in names:
                    if name.startswith("w") and name.endswith(".journal"):
                        found[f"worker {name[1:].partition('-')[0]}"] = int(child)
            except OSError:
                continue  # it ended, or closed a file, while we looked
        return found

    @property
    def file(self) -> Path:
        return self.folder / "twintrack.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def _tls(self) -> bool:
        return "[server.tls]" in self.config

    def _environment(self) -> dict[str, str]:
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "PYTHONPATH", "VIRTUAL_ENV")
            if name in os.environ
        }
        return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | (self.env or {})

    # ---- as a client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, timeout_s: float = 20.0) -> Raw:
        return Raw(self.port, timeout_s)

    def ask(
        self, body: dict[str, Any] | bytes, path: str = "/v1/chat/completions", headers: dict[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        with self.connect() as client:
            client.post(path, body, headers)
            answer = client.answer()
        if "x-twintrack-attempts" in answer.headers:
            self._attempts[answer.id] = int(answer.headers["x-twintrack-attempts"])
        return answer

    def chat(self, model: str, *, stream: bool = False, **more: Any) -> Answer:
        return self.ask(question(model, stream=stream, **more))

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        with self.connect() as client:
            lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            client.send(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n".encode())
            return client.answer()

    # ---- its books

    def check_books(self) -> None:
        """What holds after anything: each attempt is closed, once, every sum can be made again from its parts, and the
        audit chain verifies and shows that nobody saw what the policy did not allow."""
        if (self.data / "ledger.db").exists():
            assert self.query("SELECT * FROM entries WHERE state = 'dispatched'") == []
            assert self.query("SELECT request_id FROM entries GROUP BY request_id, attempt HAVING count(*) > 1") == []
            assert balance(database(self.data)) == []
            with reading(database(self.data)) as db:
                proof = prove(db, "public", 0, time.time_ns() // 1000 + 3_600_000_000)
            assert proof.chain.problems == ()
            assert proof.breaches == ()

    def _ledger_is_there(self) -> bool:
        try:
            with closing(sqlite3.connect(f"{database(self.data).as_uri()}?mode=ro", uri=True)) as db:
                return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchall())
        except sqlite3.OperationalError:
            return False

    def entries(self, request_id: str, most: int = 9) -> list[dict[str, Any]]:
        """The request's attempts, oldest first, when all of them are closed."""

        def look() -> list[dict[str, Any]]:
            rows = self.query("SELECT * FROM entries WHERE request_id = ? ORDER BY attempt", request_id)
            done = len(rows) >= attempts and all(row["state"] != "dispatched" for row in rows)
            return rows if done else []

        attempts = self._attempts.get(request_id, 1)

        return eventually(look)[:most]

    def refusals(self, request_id: str) -> list[dict[str, Any]]:
        return eventually(lambda: self.query("SELECT * FROM refusals WHERE request_id = ?", request_id))

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the ledger; it may come to life a moment after the gateway serves."""
        if not self._has_ledger:
            eventually(self._ledger_is_there)
            self._has_ledger = True
        with closing(sqlite3.connect(f"{database(self.data).as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, values)]


def question(model: str, *, stream: bool = False, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]}
    return asked | ({"stream": True} if stream else {}) | more


def rss_bytes(pid: int, *, files: bool = True) -> int:
    """Memory of a process. Without `files`: not what is mapped, which the kernel fetches and drops as it likes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:" if files else "RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


# ---- configurations


def provider(name: str, url: str, *, zone: str = "own", api: str = "openai", more: str = "") -> str:
    return f'[[providers]]\nname = "{name}"\napi = "{api}"\nurl = "{url}"\nzone = "{zone}"\n{more}\n'


def deployment(name: str, at: str, *, model: str = "", quality: float = 0.9, facts: str = "", more: str = "") -> str:
    """`model`: what the provider hears; default: the name. Priced at 2 and 8 dollars a million tokens."""
    return (
        f'[[deployments]]\nname = "{name}"\nmodel = "{name}"\nupstream_model = "{model or name}"\nprovider = "{at}"\n'
        f"facts = {{ context_tokens = 100000, tools = true, quality = {quality}{facts} }}\n"
        f"{more or 'price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }'}\n"
    )


def route(name: str, *tiers: str, more: str = "") -> str:
    """Each tier holds one deployment; good enough is who has the quality of the last."""
    steps = ", ".join(f'{{ name = "t{place}", deployments = ["{each}"] }}' for place, each in enumerate(tiers))
    return f"[routes.{json.dumps(name)}]\ntiers = [{steps}]\n{more}\n"


def cost_nusd(prompt_tokens: int, completion_tokens: int) -> int:
    """What the scripted provider's bill would say at the prices of `deployment`."""
    return prompt_tokens * 2_000 + completion_tokens * 8_000


def wait_for_port(port: int, within_s: float = 10.0) -> None:
    def open_() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    eventually(open_, within_s)


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
