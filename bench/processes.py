"""Processes of one core each, and what they cost according to /proc."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_STOP_S = 10.0


@dataclass(frozen=True)
class Cpu:
    """User and system time of processes up to now, kernel network work included."""

    coarse_s: float
    """In clock ticks, with the children they have waited for."""
    fine_s: float
    """To the nanosecond, of the threads alive now."""

    def until(self, later: Cpu) -> float:
        """Seconds between two readings: the fine ones, unless threads that ended took some of it with them."""
        coarse, fine = later.coarse_s - self.coarse_s, later.fine_s - self.fine_s
        return fine if abs(fine - coarse) <= 3 * _TICK_S + 0.02 * coarse else coarse


def start(
    command: list[str], core: int, log: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `command` on `core` alone; its output goes to `log`."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with log.open("wb") if log else open(os.devnull, "wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=kept | (environment or {}),
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything below it."""
    below = tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    for pid in below:
        if pid != process.pid or process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def tree(root: int) -> list[int]:
    """`root` and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found, ahead = [], [root]
    while ahead:
        pid = ahead.pop()
        found.append(pid)
        ahead += children.get(pid, [])
    return found


def cpu(pids: list[int]) -> Cpu:
    coarse = fine = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            coarse += sum(map(int, _stat(pid)[11:15]))
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                with contextlib.suppress(OSError):
                    fine += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return Cpu(coarse * _TICK_S, fine / 1e9)


def worker(root: int) -> int:
    """The process of the tree that serves: the one whose title says so, else the one that used most CPU so far.

    To be asked after some load.
    """
    below = tree(root)
    titled = [pid for pid in below if re.search(rb"\bworker\b", _title(pid))]
    return max(titled or below, key=lambda pid: cpu([pid]).fine_s)


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/comm").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
