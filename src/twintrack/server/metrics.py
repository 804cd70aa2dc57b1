"""What a worker has counted, what all processes have, and the moment at which somebody asks."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from twintrack.config.snapshot import Snapshot
from twintrack.gateway.state import GatewayState
from twintrack.ledger.segment import SUFFIX, journal_folder
from twintrack.server.board import Board
from twintrack.server.readiness import unready
from twintrack.telemetry.counters import Counters, Process, Promise, Pulse, decoded
from twintrack.telemetry.families import Scene

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def counted(gateway: GatewayState, connections: int) -> Counters:
    """A worker's own."""
    deployments = gateway.serving.snapshot.deployments
    return Counters(
        generation=gateway.serving.snapshot.generation,
        in_flight=len(gateway.exchanges),
        connections=connections,
        breakers={(each.name, gateway.worker): int(gateway.pulses[each.name].open) for each in deployments},
        processes={gateway.worker: process()},
        promises={name: Promise(*promise) for name, promise in gateway.serving.promises()},
        overhead_ns=gateway.overhead_ns,
        requests=gateway.answered,
        failovers=gateway.failovers,
        refusals=gateway.refusals,
        overrides=gateway.overrides,
        screened=gateway.screened,
        screened_ns=gateway.screened_ns,
        verdicts=gateway.verdicts,
        pulses={
            name: Pulse(pulse.outcomes, pulse.in_flight)
            for name, pulse in gateway.pulses.items()
            if pulse.outcomes or pulse.in_flight
        },
    )


def total(board: Board, own: int, here: Counters) -> Counters:
    """Of all processes; `here` stands for what the board shows in place `own`."""
    for slot in range(board.slots):
        if slot != own:
            here = here.plus(decoded(board.read(slot)))
    return here


def scene(counters: Counters, snapshot: Snapshot, board: Board) -> Scene:
    """With what is seen of the data folder."""
    files, free_bytes = 0, 0
    with contextlib.suppress(OSError):
        files = sum(name.endswith(SUFFIX) for name in os.listdir(journal_folder(snapshot.data)))
        disk = os.statvfs(Path(snapshot.data))
        free_bytes = disk.f_bavail * disk.f_frsize
    now_ns = time.monotonic_ns()
    ready = not unready(board.wanted, board.standings(), now_ns / 1e9)
    return Scene(counters, snapshot, now_ns, ready, files, free_bytes)


def process() -> Process:
    """Of the process that asks, as Linux tells it; what another system does not tell is 0."""
    pages = files = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/statm", "rb") as statm:
            pages = int(statm.read().split()[1])
        # Since Linux 6.2 the folder's size is the number of files; a list of ten thousand would take milliseconds.
        files = os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))
    spent = os.times()
    return Process(pages * _PAGE_BYTES, files, round((spent.user + spent.system) * 1000))
