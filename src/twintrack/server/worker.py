"""One data-plane process: an event loop, a listening socket, a journal.

Started by fork from the supervisor, so it inherits the snapshot, the sockets and the board, and is serving
milliseconds later. It never touches a database, a log or another worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop

from twintrack.config.snapshot import Snapshot
from twintrack.errors import EnvironmentProblem, TwintrackError
from twintrack.gateway import detecting, fault
from twintrack.gateway.open import dialing
from twintrack.gateway.serving import Serving
from twintrack.gateway.state import TICK_S, GatewayState
from twintrack.gateway.steering import Told
from twintrack.ledger.journal import Journal
from twintrack.ledger.segment import journal_folder
from twintrack.providers.outbox import Outbox
from twintrack.providers.pool import Pool
from twintrack.server import metrics
from twintrack.server.api import Api
from twintrack.server.board import MOST_BYTES, Board
from twintrack.server.http import ClientConnection
from twintrack.server.openapi import document
from twintrack.server.readiness import pending, state, unready
from twintrack.server.relay import Relay
from twintrack.telemetry.counters import Counters, decoded, encoded
from twintrack.telemetry.exposition import text

if TYPE_CHECKING:
    from twintrack.signals.sensitivity.detector import Detector

_SHOW_EVERY_TICKS = 5
_SHOW_QUIET = 15
"""Seconds after which an idle worker shows itself again, for what it takes of memory and processor."""
_BACKLOG = 4096
_DOOR_S = 1.0
"""What it may take to take in who waits when we stop."""


@dataclass(frozen=True)
class Post:
    """A worker's place: what it inherits."""

    slot: int
    socket: socket.socket
    board: Board
    snapshot_path: Path
    """Where a newer snapshot lies when SIGHUP comes."""
    console_socket: str
    """Path of the control plane's Unix socket; empty: no console."""
    secret: Callable[[str], str | None]
    supervisor: int
    """Its process; a worker does not outlive it."""
    detector: Detector | None = None
    """What requests are read with, made before the fork, so that all workers share its memory."""

    @property
    def name(self) -> str:
        return f"w{self.slot}"


def run(post: Post, snapshot: Snapshot) -> int:
    """Serve until SIGTERM; return the exit status."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(post, snapshot))
    except TwintrackError as error:
        print(f"twintrack worker {post.slot}: {error}", file=sys.stderr, flush=True)
        return error.exit_code


async def _serve(post: Post, snapshot: Snapshot) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(fault.tell_of_loop)
    journal = Journal(journal_folder(snapshot.data), post.name)
    outbox = Outbox(loop)
    pool = Pool(loop, dialing(snapshot, post.secret), outbox)
    gateway = GatewayState(
        snapshot,
        worker=post.name,
        journal=journal,
        pool=pool,
        secret=post.secret,
        now=loop.time(),
        later=loop.call_soon,
        detector=post.detector,
    )
    journal.start(gateway.serving.record_names(post.name))
    before = decoded(post.board.read(post.slot)).past()  # of a worker that died in this place

    def here() -> Counters:
        return before.plus(metrics.counted(gateway, len(api.connections)))

    def all_metrics() -> bytes:
        total = metrics.total(post.board, post.slot, here())
        return text(metrics.scene(total, gateway.serving.snapshot, post.board))

    def put() -> None:
        post.board.write(post.slot, encoded(here(), MOST_BYTES))

    relay = Relay(post.console_socket) if post.console_socket else None
    api = Api(
        gateway,
        metrics=all_metrics,
        openapi=document,
        relay=relay,
        outbox=outbox,
        unready=lambda: unready(post.board.wanted, post.board.standings(), time.monotonic()),
    )
    stopped = asyncio.Event()
    swapped_at = loop.time()

    def report() -> None:
        """Say how we stand; in time for whoever asks any worker whether all are ready."""
        how = state(
            draining=api.draining,
            writable=journal.has_room(),
            pending=pending(each.authoriser for each in gateway.serving.upstreams),
            serving_s=loop.time() - swapped_at,
        )
        post.board.report(post.slot, gateway.serving.snapshot.generation, how, time.monotonic())

    told = b""

    def hear() -> None:
        """Once a second, if there is news of all workers."""
        nonlocal told
        news = post.board.told()
        if news != told:
            told = news
            gateway.hear(msgspec.msgpack.decode(news, type=Told))

    reloading: asyncio.Task[None] | None = None

    def reload() -> None:
        nonlocal reloading
        if reloading is not None and not reloading.done():
            reloading.cancel()  # a newer configuration is there
        reloading = loop.create_task(_reload())

    async def _reload() -> None:
        nonlocal swapped_at, told
        try:
            fresh = msgspec.msgpack.decode(post.snapshot_path.read_bytes(), type=Snapshot)
            how = dialing(fresh, post.secret)
            gateway.swap(fresh, await _detector(gateway.serving, fresh))
            pool.use(how)
            swapped_at = loop.time()
            told = b""  # what steers the new routes has heard nothing yet
        except (OSError, msgspec.DecodeError, TwintrackError) as error:
            print(f"twintrack worker {post.slot}: still serving the old configuration: {error}", file=sys.stderr)
        report()
        put()

    def drain() -> None:
        api.draining = True
        report()
        for connection in list(api.connections):
            connection.drain()
        stopped.set()

    tls = server_tls(snapshot)
    server = await loop.create_server(
        lambda: ClientConnection(api),
        sock=post.socket,
        backlog=_BACKLOG,
        ssl=tls,
        ssl_handshake_timeout=snapshot.deadlines.head_s if tls else None,
    )
    loop.add_signal_handler(signal.SIGTERM, drain)
    loop.add_signal_handler(signal.SIGHUP, reload)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor gets it too and tells us

    shown, quiet = -1, 0

    def show() -> None:
        """Once a second, if there is news; now and then without."""
        nonlocal shown, quiet
        opened = sum(pulse.open for pulse in gateway.pulses.values())
        refused = sum(gateway.refusals.values()) + sum(gateway.verdicts.values())
        news = hash((sum(gateway.answered.values()), len(gateway.exchanges), len(api.connections), refused, opened))
        quiet += 1
        if news != shown or quiet >= _SHOW_QUIET:
            shown, quiet = news, 0
            put()

    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the supervisor had them wait for the handlers above
    ticks = 0

    def tick() -> None:
        loop.call_later(TICK_S, tick)  # first: whatever goes wrong below, deadlines are looked at again
        now = loop.time()
        try:
            gateway.tick(now)
        finally:  # a fault with one request, tick after tick, is no reason to keep connections or serve on for ever
            look_around(now)

    def look_around(now: float) -> None:
        """At what is a worker's own: its connections, what others ask of it, and whether its supervisor lives."""
        nonlocal ticks
        report()
        slept_s = gateway.slept_s
        for connection in list(api.connections):
            if not connection.deadline:
                continue
            if slept_s:
                connection.deadline += slept_s  # nobody is late because we slept
            elif connection.deadline < now:
                connection.on_late()
        ticks += 1
        if ticks % _SHOW_EVERY_TICKS == 0:
            show()
            hear()
            if os.getppid() != post.supervisor and not stopped.is_set():
                drain()  # the supervisor was killed: nobody would tell us of a new configuration

    put()
    gc.collect()
    gc.freeze()  # what is here now stays; the collector need not look at it again
    loop.call_later(TICK_S, tick)
    report()
    await stopped.wait()
    await _emptied(post.socket, loop)
    server.close()
    await _drained(gateway, api, loop, snapshot.deadlines.drain_s)
    put()
    pool.close()
    journal.close()
    return 0


async def _detector(before: Serving, snapshot: Snapshot) -> Detector | None:
    """For a new configuration: the one we have if it finds the same, else one made on a thread beside the loop. Its
    words are compiled already: the supervisor saw to it."""
    if not detecting.is_needed(snapshot):
        return None
    if before.detector is not None and before.snapshot.detect.rules == snapshot.detect.rules:
        return before.detector
    return await asyncio.to_thread(detecting.of, snapshot)


async def _emptied(door: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    """Take in who connected before we closed, to be told so: a socket that closes resets all that wait at it."""
    late = loop.time() + _DOOR_S
    while waiting_at(door) and loop.time() < late:
        await asyncio.sleep(0.001)


def waiting_at(door: socket.socket) -> int:
    """Connections that a listening socket has and nobody took (`tcpi_unacked` of tcp(7), which is that for these)."""
    told = door.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    waiting: int = struct.unpack_from("=I", told, 24)[0]
    return waiting


async def _drained(gateway: GatewayState, api: Api, loop: asyncio.AbstractEventLoop, drain_s: float) -> None:
    """Let running requests finish; what is not done in time is ended as an error, never as a clean end."""
    late = loop.time() + drain_s
    while gateway.exchanges and loop.time() < late:
        await asyncio.sleep(0.02)
    try:
        gateway.look(float("inf"))
    except ExceptionGroup as faults:  # of ours; the journal is closed all the same
        print(f"twintrack worker {gateway.worker}: {faults}", file=sys.stderr, flush=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1.0):
            while api.connections:
                for connection in list(api.connections):
                    connection.drain(last=True)
                await asyncio.sleep(0.01)


def server_tls(snapshot: Snapshot) -> ssl.SSLContext | None:
    """None: plain HTTP. Raises EnvironmentProblem if the certificate cannot be used."""
    if not snapshot.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(snapshot.tls_cert, snapshot.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise EnvironmentProblem("The TLS certificate cannot be loaded", why=str(error)) from None
    return context
