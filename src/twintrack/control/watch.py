"""What the control plane makes of the rows it stores: counts on the board, and spans for a collector.

Both are by-products. Whatever goes wrong here is said on the log, and the ledger goes on.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twintrack import __version__
from twintrack.config.snapshot import Snapshot
from twintrack.errors import TwintrackError
from twintrack.ledger.entries import unfinished
from twintrack.ledger.load import Loaded
from twintrack.ledger.records import Record
from twintrack.ledger.watcher import Group
from twintrack.ledger.words import Words
from twintrack.server import metrics
from twintrack.server.board import MOST_BYTES, Board
from twintrack.telemetry.counters import Counters, decoded, encoded
from twintrack.telemetry.families import Scene
from twintrack.telemetry.joined import Joiner
from twintrack.telemetry.usage import count, count_engines, upstreams

if TYPE_CHECKING:
    from twintrack.telemetry.otlp import Exporter

_SHOW_EVERY_S = 1.0
_LATE_S = 2.0
"""By how much a record may reach us later than it was written, beside what `max_wait_s` allows between two attempts."""
NAME = "control"


class Watch:
    """Used by the ledger's thread; `use` and `stop` by whoever leads the process."""

    def __init__(self, snapshot: Snapshot, board: Board, secret: Callable[[str], str | None]) -> None:
        self._snapshot = snapshot
        self._board = board
        self._slot = board.slots - 1
        self._secret = secret
        self._counters = decoded(board.read(self._slot)).past()  # of a control plane that died
        self._spans_before = self._counters.spans
        self._upstreams = upstreams(snapshot)
        self._joiner = Joiner()
        self._ledger = Path()
        self._exporter: Exporter | None = None
        self._exporters: list[Exporter] = []
        """That one, and those whose configuration is past."""
        self._begun = False
        self._shown_s = 0.0
        self._marked_us = 0
        self._said = False

    # ---- what the ledger's thread calls

    def begin(self, ledger: Path) -> None:
        """Before anything is loaded."""
        self._ledger = ledger
        if not self._begun:
            self._begun = True
            self._start_exporter()

    @property
    def wants_records(self) -> bool:
        return self._exporter is not None

    def on_ended(self, groups: list[Group]) -> None:
        try:
            for group in groups:
                count(self._counters, group, self._upstreams)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not keep rows out of the ledger
            self._say(error)

    def on_records(self, records: Sequence[Record], generations: Mapping[int, Words]) -> None:
        try:
            if self._exporter is not None:
                self._exporter.offer(self._joiner.take(records, generations))
        except Exception as error:  # noqa: BLE001  # as above
            self._say(error)

    def loaded(self, loaded: Loaded) -> None:
        counters = self._counters
        counters.rows += loaded.rows
        counters.problems += len(loaded.problems)
        now_ns = time.monotonic_ns()
        if loaded.caught_up:
            counters.stored_until_ns = now_ns
        if loaded.rows or now_ns / 1e9 - self._shown_s >= _SHOW_EVERY_S:
            self._shown_s = now_ns / 1e9
            self._board.write(self._slot, encoded(self._here(), MOST_BYTES))

    def up(self, now_us: int) -> None:
        """The gateway is up; called every second or so."""
        if self._marked_us:
            count_engines(self._counters, self._snapshot, self._marked_us, now_us)
        self._marked_us = now_us

    # ---- what the process calls

    def use(self, snapshot: Snapshot) -> None:
        """Another configuration serves."""
        before, self._snapshot = self._snapshot, snapshot
        self._upstreams = {**self._upstreams, **upstreams(snapshot)}
        same = (before.telemetry, before.ca) == (snapshot.telemetry, snapshot.ca)
        if self._begun and (not same or snapshot.telemetry.headers):  # whose secrets may be new
            old, self._exporter = self._exporter, None
            if old is not None:
                threading.Thread(target=old.stop, daemon=True).start()
            self._start_exporter()

    def stop(self) -> None:
        """Send what is left; it may take a few seconds."""
        if self._exporter is not None:
            self._exporter.stop()

    def _start_exporter(self) -> None:
        telemetry = self._snapshot.telemetry
        if not telemetry.otlp:
            return
        try:
            # What was running when the control plane ended, or when nobody wanted spans.
            self._joiner = Joiner(unfinished(self._ledger))
            from twintrack.telemetry.otlp import Exporter

            exporter = Exporter(
                telemetry,
                version=__version__,
                patience_s=self._snapshot.failover.max_wait_s + _LATE_S,
                ca=self._snapshot.ca,
                instance=f"{self._snapshot.listen_host}:{self._snapshot.listen_port}",
                started_ns=self._board.started_ns,
                scene=self._scene,
                upstreams=lambda: self._upstreams,
                secret=self._secret,
            )
            exporter.start()
            self._exporters.append(exporter)
            self._exporter = exporter
        except (ImportError, TwintrackError) as error:
            print(f"twintrack: no telemetry is sent to {telemetry.otlp}: {error}", file=sys.stderr, flush=True)

    def _here(self) -> Counters:
        counters = self._counters
        counters.processes = {NAME: metrics.process()}
        spans = Counter(self._spans_before)
        for exporter in self._exporters:
            spans.update(exporter.counts)
        counters.spans = dict(spans)
        return counters

    def _scene(self) -> Scene:
        """By the exporter's thread: what was last shown, not what is being counted this moment."""
        return metrics.scene(metrics.total(self._board, -1, Counters()), self._snapshot, self._board)

    def _say(self, error: Exception) -> None:
        if not self._said:
            self._said = True
            what = f"{type(error).__name__}: {error}"
            print(f"twintrack: metrics of usage and cost are incomplete: {what}"[:400], file=sys.stderr, flush=True)
