#!/usr/bin/env python3
"""Compare the CPU a request costs in Twintrack and in other gateways, nginx above all.

    bench/run.py --targets nginx,twintrack --rounds 3 --json results.json
    bench/run.py --peer 'litellm=litellm --config peer.yaml --port {port}'

The gateway runs on one core; a mock of an upstream and a load generator run on another. The figure is CPU time of the
gateway's processes per request, which other work on the machine hardly changes; throughput and latency it does.
Rounds take turns between the targets and start each one afresh; figures are medians over rounds. `worker` is the
process that serves; `all` is every process of the gateway, read only when each request of the phase stands in its
ledger. Needs Linux, two cores and a C compiler.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import targets
from targets import Launch, NotInstalled, Target

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".bench"
READY_S = 30.0
LEDGER_S = 120.0
STREAM_CHUNKS, STREAM_GAP_US = 100, 20_000

Result = dict[str, Any]


@dataclass(frozen=True)
class Phase:
    title: str
    connections: int
    prompt_bytes: int
    routed: bool = False
    stream: bool = False
    path: str = "/v1/chat/completions"
    """Of another dialect than the upstream's it is translated, which only a gateway of several dialects can do."""

    def body(self, launch: Launch) -> bytes:
        sentence = "Explain in plain words how a queue of requests behaves when work arrives faster than it is done. "
        question = ("Case #00000000. " + sentence * (self.prompt_bytes // len(sentence) + 1))[: self.prompt_bytes]
        request: dict[str, Any] = {
            "model": launch.routed_model if self.routed else launch.translated_model if self.translated else "mock",
            "messages": [{"role": "user", "content": question}],
            "max_tokens": 256,
        }
        if self.stream:
            request["stream"] = True
        return json.dumps(request).encode()

    @property
    def translated(self) -> bool:
        return self.path == "/v1/messages"

    @property
    def expected(self) -> str:
        if not self.stream:
            return "mock's answer"
        return "message_stop" if self.translated else "[DONE]"


PHASES = {
    "json": Phase("JSON, 32 connections", 32, 200),
    "auto": Phase("route auto, 1 KB prompt, 32 connections", 32, 1024, routed=True),
    "sse": Phase(
        f"SSE, 32 streams of {STREAM_CHUNKS} chunks, one each {STREAM_GAP_US // 1000} ms", 32, 200, stream=True
    ),
    "translated": Phase("Messages to chat, 32 connections", 32, 200, path="/v1/messages"),
    "translated-sse": Phase("Messages to chat, the same SSE", 32, 200, stream=True, path="/v1/messages"),
}


class Failed(Exception):
    """A target did not do its part."""


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("bench: two cores are needed, one for the gateway and one for the load", file=sys.stderr)
        return 4
    gateway_core, load_core = cores[:2]
    os.sched_setaffinity(0, {load_core})
    try:
        tools = build()
        peers = [targets.peer(each) for each in options.peer]
    except NotInstalled as error:
        print(f"bench: {error}", file=sys.stderr)
        return 4
    chosen = [named(name, options) for name in options.targets.split(",")] + peers
    if options.against:
        chosen.append(targets.twintrack(options.against, "before"))
    phases = [name for name in options.phases.split(",") if name]
    runs: dict[str, list[Result]] = {target.name: [] for target in chosen}
    upstream = free_port()
    mock = processes.start([str(tools / "mock"), str(upstream), str(STREAM_CHUNKS), str(STREAM_GAP_US)], load_core)
    failures = []
    try:
        for turn in range(options.rounds):
            for target in chosen:
                print(f"round {turn + 1}, {target.name}: ", end="", file=sys.stderr, flush=True)
                try:
                    result = measure(target, phases, options.seconds, tools, upstream, gateway_core)
                except (Failed, NotInstalled) as error:
                    print(error, file=sys.stderr)
                    failures.append(target.name)
                    continue
                runs[target.name].append(result)
                print(
                    ", ".join(f"{name} {result[name]['all_us']:.1f} µs" for name in phases if name in result),
                    file=sys.stderr,
                )
    finally:
        processes.stop(mock)
    summary = {target.name: medians(runs[target.name], phases) for target in chosen if runs[target.name]}
    if options.json:
        about = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds}
        options.json.write_text(json.dumps({**about, "medians": summary, "runs": runs}, indent=1) + "\n")
    if summary:
        print(report(summary, phases, options.rounds))
    return 1 if failures else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = "of nginx, twintrack and everything (default: the first two)"
    parser.add_argument("--targets", default="nginx,twintrack", help=names)
    parser.add_argument(
        "--peer", action="append", default=[], metavar="NAME=CMD", help="one more, with {port} and {upstream}"
    )
    parser.add_argument(
        "--twintrack", type=Path, default=Path(sys.executable).with_name("twintrack"), metavar="PROGRAM"
    )
    parser.add_argument("--against", type=Path, metavar="PROGRAM", help="another twintrack, as of an earlier version")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a phase (default: 2)")
    parser.add_argument("--phases", default=",".join(PHASES), help=f"of {', '.join(PHASES)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    options = parser.parse_args()
    for kind, words, known in (
        ("phase", options.phases, set(PHASES)),
        ("target", options.targets, {"nginx", "twintrack", "everything"}),
    ):
        unknown = [word for word in words.split(",") if word not in known]
        if unknown:
            parser.error(f"there is no {kind} {unknown[0]!r}; use {', '.join(sorted(known))}")
    return options


def named(name: str, options: argparse.Namespace) -> Target:
    if name == "nginx":
        return targets.nginx()
    return (targets.everything if name == "everything" else targets.twintrack)(options.twintrack)


def build() -> Path:
    """Compile mock and load generator where they are older than their source.

    Raises:
        NotInstalled: there is no C compiler.
    """
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        raise NotInstalled(f"there is no C compiler {compiler!r}; install gcc, or set CC")
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    for name in ("mock", "load"):
        source, program = HERE / "src" / f"{name}.c", CACHE / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return CACHE


# ---- one target, one round


def measure(target: Target, phases: list[str], seconds: float, tools: Path, upstream: int, core: int) -> Result:
    """Raises Failed or NotInstalled."""
    folder = CACHE / target.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    port = free_port()
    launch = target.prepare(folder, port, upstream)
    log = folder / "log"
    try:
        gateway = processes.start(launch.command, core, log, launch.environment)
    except OSError as error:  # as where a script names an interpreter that is not there
        raise Failed(f"{launch.command[0]} cannot be started: {error.strerror}") from None
    try:
        started = time.monotonic()
        wait_ready(port, launch, gateway, log)
        result: Result = {"start_s": round(time.monotonic() - started, 3)}
        booked = await_entries(launch, 1)
        booked = run_phase(PHASES["json"], launch, port, min(seconds, 1.0), tools, gateway.pid, 0, booked)["booked"]
        worker = processes.worker(gateway.pid)
        for name in phases:
            if PHASES[name].translated and not launch.translated_model:
                continue
            result[name] = run_phase(PHASES[name], launch, port, seconds, tools, gateway.pid, worker, booked)
            booked = result[name].pop("booked")
        return result
    finally:
        processes.stop(gateway)


def run_phase(
    phase: Phase, launch: Launch, port: int, seconds: float, tools: Path, root: int, worker: int, booked: int
) -> Result:
    """Send the load of one phase, and count what it cost. `booked`: entries in the ledger before it.

    Raises:
        Failed: an answer was wrong, or an entry is missing in the ledger.
    """
    body = CACHE / "body.json"
    body.write_bytes(phase.body(launch))
    command = [str(tools / "load"), str(port), str(phase.connections), str(seconds)]
    command += [phase.path, str(body), phase.expected]
    command.append(f"Authorization: Bearer {targets.KEY}")
    tree_before, worker_before = processes.cpu(processes.tree(root)), processes.cpu([worker])
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    worker_after = processes.cpu([worker])
    if ran.returncode:
        raise Failed(f"{phase.title}: {ran.stderr.strip()}")
    load: Result = json.loads(ran.stdout)
    if load["errors"] or not load["ok"]:
        raise Failed(f"{phase.title}: {load['errors']} of {load['sent']} answers wrong, status {load['bad_status']}")
    booked = await_entries(launch, booked + load["sent"])
    tree_after = processes.cpu(processes.tree(root))
    return {
        **load,
        "per_s": round(load["ok"] / load["seconds"], 1),
        "worker_us": round(worker_before.until(worker_after) / load["ok"] * 1e6, 2),
        "all_us": round(tree_before.until(tree_after) / load["ok"] * 1e6, 2),
        "booked": booked,
    }


def await_entries(launch: Launch, count: int) -> int:
    """Wait until the ledger holds `count` attempts; returns that number.

    Raises:
        Failed: it never did, or it holds more than were sent.
    """
    if launch.entries is None:
        return 0
    late = time.monotonic() + LEDGER_S
    while (held := launch.entries()) != count:
        if held > count or time.monotonic() > late:
            raise Failed(f"the ledger holds {held:,} attempts where {count:,} requests were sent")
        time.sleep(0.05)
    return held


def wait_ready(port: int, launch: Launch, gateway: subprocess.Popen[bytes], log: Path) -> None:
    """Until one request has been answered. Raises Failed."""
    body = PHASES["json"].body(launch)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {targets.KEY}"}
    said = "no answer"
    late = time.monotonic() + READY_S
    while time.monotonic() < late:
        if gateway.poll() is not None:
            raise Failed(f"it ended with {gateway.returncode}: {log.read_text(errors='replace')[-600:].strip()}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/v1/chat/completions", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200 and PHASES["json"].expected.encode() in text:
                return
            raise Failed(f"the first answer is {answer.status}: {text[:300]!r}")
        except ConnectionRefusedError:
            time.sleep(0.01)
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
            time.sleep(0.05)
        finally:
            connection.close()
    raise Failed(f"not ready after {READY_S:.0f} s: {said}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# ---- report


def medians(runs: list[Result], phases: list[str]) -> Result:
    fields = ("worker_us", "all_us", "per_s", "p50_us", "p99_us")
    figures: Result = {"start_s": statistics.median(run["start_s"] for run in runs)}
    for phase in phases:
        if any(phase not in run for run in runs):
            continue
        figures[phase] = {name: statistics.median(run[phase][name] for run in runs) for name in fields}
    return figures


def report(summary: dict[str, Result], phases: list[str], rounds: int) -> str:
    yardstick = "nginx" if "nginx" in summary else next(iter(summary), "")
    lines = [f"{machine()}; median of {rounds} rounds", ""]
    columns = ("worker", "all", "worker ×", "all ×", "per s", "p50 ms", "p99 ms")
    head = f"{'CPU µs per request':<20}" + "".join(f"{column:>10}" for column in columns)
    for phase in phases:
        lines += [PHASES[phase].title, head]
        for name, figures in summary.items():
            if phase not in figures:
                continue
            here = figures[phase]
            base: Result = summary[yardstick].get(phase) or here
            worker, everything = here["worker_us"], here["all_us"]
            cells = [
                f"{worker:.1f}",
                f"{everything:.1f}",
                f"{worker / base['worker_us']:.2f}",
                f"{everything / base['all_us']:.2f}",
                f"{here['per_s']:,.0f}",
                f"{here['p50_us'] / 1000:,.2f}",
                f"{here['p99_us'] / 1000:,.2f}",
            ]
            lines.append(f"  {name:<18}" + "".join(f"{cell:>10}" for cell in cells))
        lines.append("")
    starts = ", ".join(f"{name} {figures['start_s'] * 1000:,.0f} ms" for name, figures in summary.items())
    return "\n".join([*lines, f"× is relative to {yardstick}. From start to first answer: {starts}."])


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}"


if __name__ == "__main__":
    sys.exit(main())
