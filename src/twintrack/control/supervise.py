"""The parent of everything: opens the sockets, forks workers and control plane, starts engines, keeps them running.

One thread, no event loop, so forking is safe; it waits for signals and otherwise sleeps. Configuration is read
here alone: a good new file becomes the next snapshot, a bad one is reported with its line and changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from twintrack.config.snapshot import Snapshot
from twintrack.control import sockets
from twintrack.control.claiming import claimed
from twintrack.control.notify import notify
from twintrack.errors import EnvironmentProblem, TwintrackError
from twintrack.ledger.folder import RUN
from twintrack.server.board import Board
from twintrack.server.readiness import AUTHORISERS_S, unready

if TYPE_CHECKING:
    from twintrack.engines.start import EngineProcess
    from twintrack.signals.sensitivity.detector import Detector

_ENGINE_S = 20.0
"""What engines get to load before we serve without them."""
_READY_S = AUTHORISERS_S + 5.0
"""What workers get to become ready before we say what they wait for."""
_READY_LOOK_S = 0.01
"""How often we look whether they are."""
_LOOK_S = 1.0
"""How often files are looked at for changes."""
_LONGEST_PAUSE_S = 0.5
_HEALTHY_S = 2.0
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


@dataclass
class Child:
    """A process that should always run."""

    name: str
    run: Callable[[], int]
    slot: int = -1
    """Of a worker, on the board."""
    pid: int = 0
    started: float = 0.0
    deaths: int = 0
    """In a row, without a healthy while between them."""
    due: float = 0.0
    """When to start it again."""


@dataclass
class Plan:
    """What to run, and how to read the configuration again."""

    snapshot: Snapshot
    compile: Callable[[int], Snapshot]
    """From a generation to a snapshot of the files as they are now. Raises ConfigError."""
    watched: Callable[[], list[Path]]
    """Files whose change means a reload."""
    secret: Callable[[str], str | None]
    engines: list[EngineProcess] = field(default_factory=list)
    on_ready: Callable[[Snapshot], None] = lambda snapshot: None
    """Called once, when every worker is ready."""


class Supervisor:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._snapshot = plan.snapshot
        self._data = Path(plan.snapshot.data)
        self._run = self._data / RUN
        self._board = Board(plan.snapshot.workers, 1)  # one further place for the control plane
        self._board.want(plan.snapshot.generation)
        self._served = False
        self._announced = False
        """What is newest serves, and it was said so."""
        self._waits_for_restart = False
        self._complain_at = float("inf")
        """When to say why we are not ready."""
        self._pid = os.getpid()
        self._children: list[Child] = []
        self._sockets: list[socket.socket] = []
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._detector: Detector | None = None
        """What workers read requests with; they inherit it."""

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit status.

        Raises:
            EnvironmentProblem: the address is taken, the data folder is in use or not writable, the certificate
                cannot be used, or an engine does not start.
            LedgerError: the ledger is of a newer version.
        """
        if self._snapshot.tls_cert:
            from twintrack.server.worker import server_tls

            server_tls(self._snapshot)  # a worker would find out too late
        _raise_file_limit()
        with claimed(self._data):
            self._serve()
        return 0

    def _serve(self) -> None:
        self._sockets = sockets.listening(self._snapshot)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._stamps = self._look()
        self._children = [Child(f"worker {slot}", self._worker(slot), slot) for slot in range(len(self._sockets))]
        self._children.append(Child("control plane", self._control))
        try:
            for engine in self._plan.engines:
                engine.start()
            self._detector = self._made_detector(self._snapshot)
            for child in self._children:
                self._start(child)
            for engine in self._plan.engines:
                _await(engine)
            self._complain_at = time.monotonic() + _READY_S
            self._watch()
        finally:
            notify("STOPPING=1")
            self._stop()

    # ---- start

    def _worker(self, slot: int) -> Callable[[], int]:
        def run() -> int:
            from twintrack.server.worker import Post, run

            # Each keeps its own alone: what others hold open could not be closed when the gateway stops.
            sock = self._sockets.pop(slot)
            self._close_sockets()
            return run(
                Post(
                    slot,
                    sock,
                    self._board,
                    self._snapshot_path,
                    self._console_socket,
                    self._plan.secret,
                    self._pid,
                    self._detector,
                ),
                self._snapshot,
            )

        return run

    def _control(self) -> int:
        from twintrack.control.notary import Notary
        from twintrack.control.plane import run
        from twintrack.control.telling import Telling
        from twintrack.control.watch import Watch
        from twintrack.ledger.database import database

        self._close_sockets()
        watch = Watch(self._snapshot, self._board, self._plan.secret)
        notary = Notary(self._snapshot, self._plan.secret)
        telling = Telling(self._board, database(self._data))
        return run(self._snapshot, self._console_socket, self._snapshot_path, self._pid, watch, notary, telling)

    def _close_sockets(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    @property
    def _snapshot_path(self) -> Path:
        return self._run / "snapshot.msgpack"

    @property
    def _console_socket(self) -> str:
        return str(self._run / "console.sock")

    def _start(self, child: Child) -> None:
        child.started = time.monotonic()
        child.due = 0.0
        pid = os.fork()
        if pid:
            child.pid = pid
            return
        status = 1
        try:
            # Signals stay blocked until the child has its handlers: one that came before them would just kill it.
            for each in _SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            _call_me(child.name)
            status = child.run()
        except KeyboardInterrupt:
            status = 130
        except BaseException:  # noqa: BLE001  # a defect: nobody above us can report it, `os._exit` would swallow it
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    # ---- watch

    def _watch(self) -> None:
        look_at = time.monotonic() + _LOOK_S
        while True:
            if not self._announced:
                self._announce()
            next_at = min(look_at, self._next_due())
            wait_s = max(0.0, next_at - time.monotonic())
            caught = signal.sigtimedwait(_SIGNALS, wait_s if self._announced else min(wait_s, _READY_LOOK_S))
            number = caught.si_signo if caught is not None else 0
            if number in (signal.SIGTERM, signal.SIGINT):
                return
            if number == signal.SIGHUP:
                self._reload()
            if number == signal.SIGCHLD:
                self._reap()
            now = time.monotonic()
            for child in self._children:
                if child.due and now >= child.due:
                    self._start(child)
            if now >= look_at:
                look_at = now + _LOOK_S
                for engine in self._plan.engines:
                    engine.restart_if_dead()
                if self._look() != self._stamps:
                    self._reload()

    def _announce(self) -> None:
        """Say that the newest configuration serves, once it does everywhere; or, when that takes long, why not."""
        why = unready(self._board.wanted, self._board.standings(), time.monotonic())
        if not why:
            self._announced = True
            if self._served:
                self._say(f"configuration {self._snapshot.generation} is serving")
                if self._waits_for_restart:
                    self._say("what changed in listen, workers, data and tls waits for a restart")
                return
            self._served = True
            self._plan.on_ready(self._snapshot)
            notify("READY=1")
        elif time.monotonic() >= self._complain_at:
            self._complain_at = float("inf")
            self._say(f"not ready yet: {why}")

    def _say(self, what: str) -> None:
        print(f"twintrack: {what}", file=sys.stderr, flush=True)

    def _next_due(self) -> float:
        return min((child.due for child in self._children if child.due), default=float("inf"))

    def _reap(self) -> None:
        ours = {child.pid: child for child in self._children}
        for pid, child in ours.items():
            if not pid:
                continue
            try:
                done, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                done, status = pid, 0
            if done:
                self._died(child, status)

    def _died(self, child: Child, status: int) -> None:
        child.pid = 0
        if child.slot >= 0:
            self._board.forget(child.slot)
        now = time.monotonic()
        child.deaths = 1 if now - child.started > _HEALTHY_S else child.deaths + 1
        pause = 0.0 if child.deaths == 1 else min(0.02 * 2.0 ** (child.deaths - 1), _LONGEST_PAUSE_S)
        child.due = now + pause
        how = (
            f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.waitstatus_to_exitcode(status)}"
        )
        self._say(f"the {child.name} ended with {how} and is started again")

    def _look(self) -> dict[Path, tuple[int, int]]:
        stamps = {}
        for path in self._plan.watched():
            try:
                about = path.stat()
            except OSError:
                stamps[path] = (0, 0)
            else:
                stamps[path] = (about.st_mtime_ns, about.st_size)
        return stamps

    def _reload(self) -> None:
        self._stamps = self._look()
        try:
            wanted = self._plan.compile(self._snapshot.generation + 1)
            snapshot = self._as_started(wanted)
            detector = self._made_detector(snapshot)
            temporary = self._snapshot_path.with_suffix(".new")
            temporary.write_bytes(msgspec.msgpack.encode(snapshot))
            temporary.replace(self._snapshot_path)
        except (TwintrackError, OSError) as error:
            self._say(f"the new configuration is refused, the old one keeps serving: {error}")
            return
        self._snapshot, self._detector = snapshot, detector
        self._waits_for_restart = snapshot != wanted
        self._announced = False
        self._complain_at = time.monotonic() + _READY_S
        self._board.want(snapshot.generation)
        for child in self._children:
            if child.pid:
                os.kill(child.pid, signal.SIGHUP)

    def _made_detector(self, snapshot: Snapshot) -> Detector | None:
        """The one we have if it finds the same.

        Raises:
            ConfigError: a rule of the configuration's own is none.
            EnvironmentProblem: there is no library to look for words with.
        """
        from twintrack.gateway import detecting

        if self._detector is not None and self._snapshot.detect.rules == snapshot.detect.rules:
            return self._detector if detecting.is_needed(snapshot) else None
        return detecting.made_apart(snapshot)

    def _as_started(self, snapshot: Snapshot) -> Snapshot:
        """With what cannot change while we run: sockets, certificate, the folder we hold, how many workers."""
        now = self._snapshot
        return msgspec.structs.replace(
            snapshot,
            listen_host=now.listen_host,
            listen_port=now.listen_port,
            workers=now.workers,
            data=now.data,
            tls_cert=now.tls_cert,
            tls_key=now.tls_key,
        )

    # ---- stop

    def _stop(self) -> None:
        """Workers drain first, then the control plane loads what they wrote, then engines go."""
        self._close_sockets()  # nobody may wait in a queue that nobody serves any more
        *workers, control = self._children
        self._end(workers, self._snapshot.deadlines.drain_s + 3.0)
        self._end([control], 10.0)
        for engine in self._plan.engines:
            engine.stop()

    def _end(self, children: list[Child], patience_s: float) -> None:
        running = [child for child in children if child.pid]
        for child in running:
            os.kill(child.pid, signal.SIGTERM)
        late = time.monotonic() + patience_s
        while running and time.monotonic() < late:
            caught = signal.sigtimedwait(_SIGNALS, 0.1)
            if caught is not None and caught.si_signo in (signal.SIGTERM, signal.SIGINT):
                late = 0.0  # asked twice: no more patience
            running = [child for child in running if not _gone(child.pid)]
        for child in running:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _await(engine: EngineProcess) -> None:
    """Raises EnvironmentProblem if the engine died; one that loads a large model is left to it."""
    try:
        engine.wait_ready(_ENGINE_S)
    except EnvironmentProblem as error:
        if not engine.alive():
            raise
        print(f"twintrack: {error} Requests to it fail until then.", file=sys.stderr, flush=True)


def _call_me(name: str) -> None:
    """What ps and top show, where the system has a place for it: 15 characters on Linux."""
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as comm:
        comm.write(f"tt {name}")


def _raise_file_limit() -> None:
    """A request takes two connections, and many systems start programs with a limit of 1,024 of them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _gone(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True
