"""What takes minutes: fifty killed workers, a million requests."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from twintrack.ledger.balance import balance

BENCH = Path(__file__).parents[2] / "bench"
KEY = "sk-endurance"
pytestmark = [pytest.mark.long, pytest.mark.needs("cc")]

CONFIG = """
[server]
listen = "127.0.0.1:{port}"

[[keys]]
name = "load"
key = "env:ENDURANCE_KEY"

[[providers]]
name = "upstream"
api = "vllm"
url = "http://127.0.0.1:{upstream}/v1"
zone = "own"

[[deployments]]
name = "mock"
model = "mock"
provider = "upstream"
price = {{ input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }}
facts = {{ context_tokens = 131072, modalities = ["text"], tools = true, quality = 0.7 }}
"""
BODY = json.dumps({"model": "mock", "messages": [{"role": "user", "content": "How does a queue behave?"}]}).encode()


@pytest.fixture(scope="module")
def tools() -> Path:
    sys.path.insert(0, str(BENCH))
    try:
        import run
    finally:
        sys.path.remove(str(BENCH))
    built: Path = run.build()
    return built


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class CountingProvider(threading.Thread):
    """Counts the requests that reach it, whatever becomes of the connection; answers each at once."""

    ANSWER = json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "model": "mock",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
        }
    ).encode()

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listener.getsockname()[1]
        self.reached = 0
        self._lock = threading.Lock()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        held = b""
        answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(self.ANSWER)
        with connection:
            while True:
                try:
                    data = connection.recv(65_536)
                    if not data:
                        return
                    held += data
                    while (end := held.find(b"\r\n\r\n")) >= 0:
                        length = int(held[:end].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                        if len(held) < end + 4 + length:
                            break
                        held = held[end + 4 + length :]
                        with self._lock:
                            self.reached += 1
                        time.sleep(0.002)
                        connection.sendall(answer + self.ANSWER)
                except OSError:
                    return


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    port: int
    database: Path

    def workers(self) -> list[int]:
        """The children that hold no database: everyone but the control plane."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if not _opens(int(pid), "ledger.db")]

    def count(self, where: str = "1") -> int:
        if not self.database.exists():
            return 0
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as ledger:
            return int(ledger.execute(f"SELECT count(*) FROM attempts WHERE {where}").fetchone()[0])


def _opens(pid: int, name: str) -> bool:
    try:
        return any(os.readlink(link).endswith(name) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return True


@contextmanager
def served(folder: Path, upstream: int) -> Iterator[Served]:
    port = free_port()
    config = folder / "twintrack.toml"
    config.write_text(CONFIG.format(port=port, upstream=upstream))
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "twintrack", "serve", "--config", str(config)],
        env=os.environ | {"ENDURANCE_KEY": KEY},
        stderr=log,
    )
    try:
        late = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < late
                time.sleep(0.05)
        yield Served(process, port, folder / ".twintrack" / "ledger.db")
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def test_fifty_killed_workers_lose_no_dispatch(tmp_path: Path) -> None:
    provider = CountingProvider()
    provider.start()
    stop = threading.Event()
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (KEY.encode(), len(BODY), BODY)
    )

    def client(port: int) -> None:
        while not stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    while not stop.is_set():
                        connection.sendall(request)
                        if not connection.recv(65_536):
                            break
            except OSError:
                time.sleep(0.005)

    clients = 8
    with served(tmp_path, provider.port) as gateway:
        threads = [threading.Thread(target=client, args=(gateway.port,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        kills, chance = 0, random.Random(7)
        while kills < 50:
            time.sleep(chance.uniform(0.1, 0.4))
            for pid in gateway.workers():
                os.kill(pid, signal.SIGKILL)
                kills += 1
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
    reached = provider.reached
    rows = gateway.count()
    assert reached > 1_000
    assert reached <= rows <= reached + kills * clients, f"{rows} rows for {reached} requests that arrived"
    assert gateway.count("ending IS NULL") == 0
    assert balance(gateway.database) == []


def test_memory_is_flat_from_a_hundred_thousand_requests_to_a_million(tmp_path: Path, tools: Path) -> None:
    upstream = free_port()
    mock = subprocess.Popen([str(tools / "mock"), str(upstream), "10", "1000"])
    body = tmp_path / "body.json"
    body.write_bytes(BODY)
    try:
        with served(tmp_path, upstream) as gateway:

            def load_until(count: int) -> int:
                """Send load until that many attempts are booked; return the worker's memory in KiB."""
                while (held := gateway.count()) < count:
                    seconds = max(1.0, min(20.0, (count - held) / 8_000))
                    command = [str(tools / "load"), str(gateway.port), "32", str(seconds), str(body), "mock's answer"]
                    ran = subprocess.run([*command, f"Authorization: Bearer {KEY}"], capture_output=True, check=True)
                    assert json.loads(ran.stdout)["errors"] == 0
                    time.sleep(1.0)
                (worker,) = gateway.workers()
                for line in Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Rss:"):
                        return int(line.split()[1])
                raise AssertionError("no memory figure")

            early, late = load_until(100_000), load_until(1_000_000)
    finally:
        mock.kill()
        mock.wait()
    print(f"worker memory: {early} KiB after 10^5 requests, {late} KiB after 10^6 ({late / early - 1:+.2%})")
    assert late <= early * 1.05
