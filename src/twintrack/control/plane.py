"""The control plane's process: loads the journal into the database, syncs it to disk, shows the pages.

If it dies, traffic goes on and the supervisor starts it again; the journal keeps what was not loaded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn

from twintrack.config.snapshot import Snapshot
from twintrack.control.app import application
from twintrack.control.notary import Notary
from twintrack.control.telling import Telling
from twintrack.control.watch import Watch
from twintrack.errors import LedgerError
from twintrack.ledger.folder import BUSY_S
from twintrack.ledger.load import Loader

_LOAD_EVERY_S = 0.25
_SYNC_EVERY_S = 1.0
_LONGEST_PAUSE_S = 10.0
_LOOK_S = 0.5
"""How often it is seen that somebody wants us to stop."""


class Keeper(threading.Thread):
    """Moves what workers write into the database, on a thread of its own, since SQLite waits for the disk."""

    def __init__(self, snapshot: Snapshot, watch: Watch, notary: Notary, telling: Telling) -> None:
        super().__init__(name="ledger")
        self.snapshot = snapshot
        self._watch = watch
        self._notary = notary
        self._telling = telling
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        pause = _LOAD_EVERY_S
        loader: Loader | None = None
        synced = 0.0
        while True:
            stopping = self._stopping.is_set()
            try:
                if loader is None:
                    loader = Loader(self.snapshot.data, watcher=self._watch, patience_s=BUSY_S)
                    self._watch.begin(loader.path)
                now = time.monotonic()
                if now - synced >= _SYNC_EVERY_S:
                    synced = now
                    loader.fsync()
                    now_us = time.time_ns() // 1000
                    loader.mark_up(now_us, self.snapshot.deployments)
                    self._watch.up(now_us)
                caught_up = False
                while not caught_up:
                    loaded = loader.load()
                    caught_up = loaded.caught_up
                    self._watch.loaded(loaded)
                    for problem in loaded.problems:
                        print(f"twintrack: {problem}", file=sys.stderr, flush=True)
                if stopping:
                    self._notary.last(loader)
                else:
                    self._notary.look(loader)
                    self._telling.tell(self.snapshot)
                pause = _LOAD_EVERY_S
            except LedgerError as error:
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                print(f"twintrack: the ledger falls behind, rows wait in the journal: {error}", file=sys.stderr)
                sys.stderr.flush()
            if stopping:
                if loader is not None:
                    loader.close()
                return
            self._stopping.wait(pause)


def run(
    snapshot: Snapshot,
    console_socket: str,
    snapshot_path: Path,
    supervisor: int,
    watch: Watch,
    notary: Notary,
    telling: Telling,
) -> int:
    """Run until SIGTERM or until the process `supervisor` is gone, then load what is left; return the exit status."""
    keeper = Keeper(snapshot, watch, notary, telling)
    keeper.start()
    try:
        asyncio.run(_pages(keeper, watch, notary, console_socket, snapshot_path, supervisor))
        return 0 if keeper.is_alive() else 1
    finally:
        keeper.stop()
        keeper.join()
        watch.stop()


async def _pages(
    keeper: Keeper, watch: Watch, notary: Notary, console_socket: str, snapshot_path: Path, supervisor: int
) -> None:
    config = uvicorn.Config(
        application(lambda: keeper.snapshot),
        uds=console_socket,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = _Server(config, keeper, supervisor)

    def reload() -> None:
        try:
            keeper.snapshot = msgspec.msgpack.decode(snapshot_path.read_bytes(), type=Snapshot)
            watch.use(keeper.snapshot)
            notary.use(keeper.snapshot)
        except (OSError, msgspec.DecodeError) as error:
            print(f"twintrack: the console still shows the old configuration: {error}", file=sys.stderr, flush=True)

    def leave() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reload)
    loop.add_signal_handler(signal.SIGTERM, leave)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor gets it too and tells us, workers first
    await server.serve()


class _Server(uvicorn.Server):
    """uvicorn wakes ten times a second; beside a data plane on the same core that is nine times too many."""

    def __init__(self, config: uvicorn.Config, keeper: Keeper, supervisor: int) -> None:
        super().__init__(config)
        self._keeper = keeper
        self._supervisor = supervisor

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Not uvicorn's: it would end the process by the signal before the ledger is loaded."""
        yield

    async def main_loop(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # by now there are handlers
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 10) % 864_000
            await asyncio.sleep(_LOOK_S)
            if os.getppid() != self._supervisor or not self._keeper.is_alive():
                return  # the supervisor was killed, or must start us anew
