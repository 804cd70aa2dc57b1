"""Run it: start providers and gateway, play the plan, stop both, judge."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

from soak import verdict
from soak.books import check, read_rows
from soak.clients import PATIENCE_S, Clients
from soak.plan import NOBODY, Ask, Plan, configuration
from soak.providers import invoices
from soak.watch import Watch, children, sample
from twintrack.ledger.database import database

_LOOK_S = 5.0
_TELL_S = 30.0
_READY_S = 30.0
_REST_S = 2.0
"""Beyond what idle connections are kept."""
_LEFT_S = 10.0
"""More for a machine that has no time; what is stuck stays."""
_LEDGER_S = 60.0


class Gateway:
    """`twintrack serve` as its users start it."""

    def __init__(self, folder: Path, config: str) -> None:
        self.port = _free_port()
        self.log = folder / "gateway.log"
        self.data = folder / "data"
        file = folder / "twintrack.toml"
        file.write_text(config)
        command = [sys.executable, "-m", "twintrack", "serve", "--config", str(file), "--data", str(self.data)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--listen", f"127.0.0.1:{self.port}"], stdout=log, stderr=subprocess.STDOUT
            )

    def get(self, path: str) -> str:
        """The body; empty if nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
                answer = b""
                while data := connection.recv(65_536):
                    answer += data
        except OSError:
            return ""
        return answer.decode().partition("\r\n\r\n")[2]

    def until_ready(self, workers: int) -> None:
        late = time.monotonic() + _READY_S
        while (
            "ready" not in self.get("/readyz")
            or not database(self.data).exists()
            or len(children(self.process.pid)) < workers + 1
        ):
            if self.process.poll() is not None or time.monotonic() > late:
                raise SystemExit(f"The gateway did not start:\n{self.log.read_text()}")
            time.sleep(0.1)

    def metrics(self) -> dict[str, float]:
        return {
            name: float(value)
            for name, value in re.findall(r"^(twintrack_(?:in_flight|connections)) (\S+)$", self.get("/metrics"), re.M)
        }

    def at_rest(self) -> dict[str, Any]:
        found = {}
        for name, pid in children(self.process.pid).items():
            taken = sample(pid, 0.0)
            if taken is not None:
                found[name] = {"sockets": taken.sockets, "threads": taken.threads}
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Providers:
    def __init__(self, folder: Path, seed: int) -> None:
        self._log = (folder / "providers.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "soak.providers", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self.ports: dict[str, int] = self._answer()

    def tell(self, **said: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(said).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Run:
    def __init__(self, plan: Plan, gateway: Gateway, providers: Providers) -> None:
        self.plan = plan
        self.gateway = gateway
        self.providers = providers
        self.clients = Clients(gateway.port, plan.seed, plan.idle_s / 2)
        self.watch = Watch()
        self.asks: dict[int, Ask] = {}
        self.restarts: list[str] = []
        self._told = 0

    async def play(self) -> None:
        began = time.monotonic()
        self.clients.begin()
        helpers = [asyncio.create_task(each) for each in (self._phases(began), self._look(began), self._tell(began))]
        running: set[asyncio.Task[None]] = set()
        for ask in self.plan.asks():
            await asyncio.sleep(max(0.0, began + ask.at_s - time.monotonic()))
            self.asks[ask.number] = ask
            task = asyncio.create_task(self.clients.ask(ask))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.wait(running, timeout=PATIENCE_S + 5.0)
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        self.clients.close()

    async def _phases(self, began: float) -> None:
        for phase in self.plan.phases():
            await asyncio.sleep(max(0.0, began + phase.begins_s - time.monotonic()))
            await asyncio.to_thread(self.providers.tell, faults=phase.faults)

    async def _look(self, began: float) -> None:
        pids = children(self.gateway.process.pid)
        while True:
            self.watch.look(pids, time.monotonic() - began)
            await asyncio.sleep(_LOOK_S if self.plan.minutes >= 5 else self.plan.seconds / 60)
            now = await asyncio.to_thread(children, self.gateway.process.pid)
            if now.keys() == pids.keys() and now != pids:
                self.restarts.append(f"at {time.monotonic() - began:.0f} s: {pids} became {now}")
                pids = now

    async def _tell(self, began: float) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            ends = dict(Counter(each.ended for each in self.clients.heard).most_common())
            memory = {name: f"{taken[-1].rss_kb // 1024} MB" for name, taken in self.watch.samples.items()}
            _print(
                f"{time.monotonic() - began:6.0f} s  {len(self.clients.heard)} done {ends}, "
                f"{self.clients.running} running, {memory}"
            )
            for each in self.clients.heard[self._told :]:
                if each.ended in ("lied", "hung", "dropped"):
                    _print(f"          {each}")
            self._told = len(self.clients.heard)


def _until_booked(gateway: Gateway, expected: int) -> None:
    """The control plane loads records a moment after they were written."""
    late = time.monotonic() + _LEDGER_S
    while time.monotonic() < late:
        rows, _ = read_rows(database(gateway.data))
        if len(rows) >= expected and all(row["state"] != "dispatched" for row in rows):
            return
        time.sleep(0.5)


def soak(plan: Plan, folder: Path) -> list[verdict.Property]:
    providers = Providers(folder, plan.seed)
    gateway = Gateway(folder, configuration(plan, providers.ports | {NOBODY: _free_port()}))
    try:
        gateway.until_ready(plan.workers)
        run = Run(plan, gateway, providers)
        before = gateway.at_rest()
        uvloop.run(run.play())
        time.sleep(plan.idle_s + _REST_S)
        late = time.monotonic() + _LEFT_S
        while True:
            after, metrics = gateway.at_rest(), gateway.metrics()
            if verdict.leftovers(before, after, metrics).held or time.monotonic() > late:
                break
            time.sleep(0.5)
        told = providers.tell(write=str(folder / "invoices.json"))
        _until_booked(gateway, told["requests"])
        status = gateway.stop()
        log = gateway.log.read_text()
        invoiced = invoices(folder / "invoices.json")
        heard, asks = run.clients.heard, run.asks
        found = check(database(gateway.data), invoiced, heard, asks)
        complaints = [line for line in log.splitlines() if not line.startswith("twintrack: ")] + run.restarts
        return [
            verdict.traffic(heard, asks, plan, told["harmed"], told["odd"]),
            *verdict.answers(heard),
            *verdict.bookkeeping(found),
            verdict.rescue(found),
            verdict.leftovers(before, after, metrics),
            verdict.memory(run.watch),
            verdict.recovery(heard, asks, plan.phases()),
            verdict.Property(
                "no process fell, none complained", status == 0 and not complaints, {"exit status": status}, complaints
            ),
        ]
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait()
        providers.stop()


def _print(text: str) -> None:
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=30.0, help="requests a second")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--faults", type=float, default=0.6, help="share of faulty providers' answers, outside calms")
    parser.add_argument("--leaves", type=float, default=0.105, help="share of clients that leave")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--folder", type=Path, help="keep ledger, invoices and logs here; default: thrown away")
    given = parser.parse_args()
    plan = Plan(given.minutes, given.rate, given.workers, given.faults, given.leaves, given.seed)
    _print(f"{plan.minutes:g} minutes at {plan.rate:g} requests a second, {plan.workers} workers, seed {plan.seed}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"{folder} is not empty: an older ledger would be counted in")
        properties = soak(plan, folder)
    for each in properties:
        _print(each.line())
    failed = [each.name for each in properties if each.held is False]
    _print(f"FAILED: {'; '.join(failed)}" if failed else "Everything that was measured held.")
    if given.json is not None:
        report: dict[str, Any] = {
            "plan": vars(plan),
            "machine": os.uname().release,
            "cores": os.cpu_count(),
            "held": not failed,
        }
        report["properties"] = [each._asdict() for each in properties]
        given.json.write_text(json.dumps(report, indent=2, default=str) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
