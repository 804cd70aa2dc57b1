"""What the gateway's processes hold while they run: memory, files, sockets, threads."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    at_s: float
    rss_kb: int
    anonymous_kb: int
    """Of it what belongs to no file: the journal's pages are in the other part."""
    files: int
    sockets: int
    threads: int


def sample(pid: int, at_s: float) -> Sample | None:
    """None if the process is gone."""
    try:
        status = dict(
            line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        links = _links(pid)
    except (OSError, ValueError):
        return None
    rss, anonymous = (int(status[name].split()[0]) for name in ("VmRSS", "RssAnon"))
    sockets = sum(link.startswith("socket:") for link in links)
    return Sample(at_s, rss, anonymous, len(links), sockets, int(status["Threads"]))


def _links(pid: int) -> list[str]:
    """What a process has open. Raises OSError: it is gone."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except OSError:
            continue  # closed while we looked
    return found


def children(root: int) -> dict[str, int]:
    """Process ids by what they are: `worker 0`, `control plane`. Told apart by what they hold open."""
    found = {}
    for child in Path(f"/proc/{root}/task/{root}/children").read_text().split():
        try:
            names = {Path(link).name for link in _links(int(child))}
        except OSError:
            continue
        if "loader.lock" in names:
            found["control plane"] = int(child)
            continue
        for name in names:
            if name.startswith("w") and name.endswith(".journal"):
                found[f"worker {name[1:].partition('-')[0]}"] = int(child)
    return found


class Growth(NamedTuple):
    """Of one process over the last half of the run."""

    rss_kb: tuple[float, float]
    """Medians of its first and last quarter."""
    anonymous_kb: tuple[float, float]

    @property
    def share(self) -> float:
        """Of what belongs to the process alone: the rest is mostly the journal's mapped segment, which fills and is
        followed by an empty one."""
        before, after = self.anonymous_kb
        return after / before - 1 if before else 0.0


@dataclass
class Watch:
    """Samples of every process by name."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def look(self, processes: dict[str, int], at_s: float) -> None:
        for name, pid in processes.items():
            taken = sample(pid, at_s)
            if taken is not None:
                self.samples.setdefault(name, []).append(taken)

    def growth(self, name: str) -> Growth | None:
        """None with fewer than eight samples in the last half."""
        taken = self.samples.get(name, [])
        last_half = taken[len(taken) // 2 :]
        quarter = len(last_half) // 4
        if quarter < 2:
            return None
        first, last = last_half[:quarter], last_half[-quarter:]
        return Growth(
            (statistics.median(each.rss_kb for each in first), statistics.median(each.rss_kb for each in last)),
            (
                statistics.median(each.anonymous_kb for each in first),
                statistics.median(each.anonymous_kb for each in last),
            ),
        )
