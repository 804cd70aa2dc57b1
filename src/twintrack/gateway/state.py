"""What changes while a worker runs: the one mutable value there is; nothing lives in module globals."""

from __future__ import annotations

import hmac
import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from twintrack.config.settings import DataClass
from twintrack.config.snapshot import Snapshot
from twintrack.errors import EnvironmentProblem, TwintrackError
from twintrack.gateway.kinds import Kinds
from twintrack.gateway.pulse import Pulse
from twintrack.gateway.recovery import Repeats
from twintrack.gateway.remembered import Remembered
from twintrack.gateway.serving import Serving
from twintrack.gateway.steering import Told
from twintrack.gateway.turns import Later, Turns
from twintrack.ledger.records import Content, Dispatch, Judged, Names, Refuse, Screened, Settle
from twintrack.ledger.secret import secret as secret_of
from twintrack.providers.pool import Pool
from twintrack.telemetry.buckets import OVERHEAD_NS, empty
from twintrack.telemetry.counters import RequestKind

if TYPE_CHECKING:
    from twintrack.signals.sensitivity.detector import Detector

_DAY_S = 86_400
_EARLY_S = 2.0
"""By which a record ends before its day does: nothing is decided by it after midnight, whatever a tick takes."""
TICK_S = 0.2
"""How often whoever runs a gateway calls `tick`."""
_ASLEEP_S = 0.5
"""Between two ticks: so long a busy or suspended machine did not let us look."""


class Running(Protocol):
    """What the sweeper looks after."""

    def on_tick(self, now: float) -> None: ...


class Book(Protocol):
    """Where records go; a worker's journal."""

    def append(self, record: Dispatch | Settle | Refuse | Screened | Judged) -> None: ...

    def offer(self, record: Content | Judged) -> bool: ...

    def names(self, names: Names) -> None: ...


class GatewayState:
    """One worker's state."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        worker: str,
        journal: Book,
        pool: Pool,
        secret: Callable[[str], str | None],
        now: float,
        later: Later,
        random: Callable[[], float] = random.random,
        wall: Callable[[], float] = time.time,
        detector: Detector | None = None,
    ) -> None:
        """
        Args:
            later: calls in the next turn of the loop.
            wall: seconds since 1970.
            detector: of this snapshot.
        """
        self.turns = Turns(later)
        self.worker = worker
        self.journal = journal
        self.pool = pool
        self.now = now
        """Seconds on the event loop's clock as of the last tick."""
        self.slept_s = 0.0
        """By how much the last tick came late; 0: in time, or late for the second time running."""
        self.pulses: dict[str, Pulse] = {}
        self._wall = wall
        self.serving = Serving(snapshot, self.pulses, secret, today=self._today(), random=random, detector=detector)
        self.remembered = Remembered()
        self._body_hash: tuple[str, hmac.HMAC] | None = None
        """Of which reference's secret."""
        self.screened: dict[tuple[str, str], int] = {}
        """Requests that were read, by what was found and how it counts."""
        self.screened_ns = 0
        """Processor time that took."""
        self.exchanges: set[Running] = set()
        self.refusals: dict[str, int] = {}
        """Requests nobody was asked for, by error code."""
        self.failovers: dict[str, int] = {}
        """Further attempts, by the kind of failure they followed (`recovery.Kind`)."""
        self.overrides: dict[str, int] = {}
        """Requests whose class an operator lowered, by the class that held."""
        self.repeats = Repeats()
        self.kinds = Kinds()
        """What classifiers said lately."""
        self.random = random
        self.verdicts: dict[str, int] = {}
        """What was said about earlier answers, by source."""
        self.answered: dict[RequestKind, int] = {}
        """Requests that were understood, by how they ended."""
        self.overhead_ns = empty()
        """Of those that were sent to somebody, what was not spent waiting for providers."""
        self._secret = secret
        self._own_secret: tuple[str, bytes] | None = None
        """By its reference; read when it is first needed."""
        if self.serving.inquires:
            self.body_hash()  # what is wrong with the secret is said before requests come
        self._prefix = f"tt-{int(time.time()):08x}{os.urandom(4).hex()}-"
        self._count = 0

    def next_id(self) -> str:
        """Unique for ever: start time, 32 random bits and a counter."""
        self._count += 1
        return f"{self._prefix}{self._count:x}"

    def own_secret(self) -> bytes:
        """What placeholders and fingerprints are made with. Raises EnvironmentProblem: it cannot be read or written."""
        snapshot = self.serving.snapshot
        known = self._own_secret
        if known is None or known[0] != snapshot.secret:
            shared = self._secret(snapshot.secret) if snapshot.secret else None
            if snapshot.secret and shared is None:
                raise EnvironmentProblem(f"The secret {snapshot.secret} leads nowhere", fix="Set it.")
            known = self._own_secret = (snapshot.secret, secret_of(Path(snapshot.data), shared))
        return known[1]

    def swap(self, snapshot: Snapshot, detector: Detector | None = None) -> None:
        """Serve `snapshot` from now on, with its detector; what is running ends as it began."""
        serving = Serving(
            snapshot,
            self.pulses,
            self._secret,
            self.serving,
            today=self._today(),
            random=self.random,
            detector=detector,
        )
        self.journal.names(serving.record_names(self.worker))
        before, self.serving = self.serving, serving
        before.close()

    def hear(self, told: Told) -> None:
        """What the control plane knows of all workers together."""
        if told.judged:
            self.serving.describing.judged = True
        router = self.serving.snapshot.policy_version.partition("+")[2]
        for each in self.serving.steering.values():
            each.hear(told, router)

    def _today(self) -> int:
        return int(self._wall() + _EARLY_S) // _DAY_S

    def count_override(self, data_class: DataClass) -> None:
        self.overrides[data_class] = self.overrides.get(data_class, 0) + 1

    def body_hash(self) -> hmac.HMAC:
        """HMAC-SHA256 of a body to come, with a key from the data folder's secret. Raises EnvironmentProblem."""
        reference, known = self.serving.snapshot.secret, self._body_hash
        if known is None or known[0] != reference:
            key = hmac.digest(self.own_secret(), b"bodies", "sha256")
            known = self._body_hash = (reference, hmac.new(key, digestmod="sha256"))
        return known[1].copy()

    def note(self, record: Refuse | Screened) -> None:
        """Record a refusal if there is room; it matters less than what was dispatched."""
        try:
            self.journal.append(record)
        except TwintrackError as error:
            self.count_refusal(error)

    def count_refusal(self, error: TwintrackError) -> None:
        self.refusals[error.code] = self.refusals.get(error.code, 0) + 1

    def count_screened(self, found: DataClass, mode: str) -> None:
        self.screened[found, mode] = self.screened.get((found, mode), 0) + 1

    def count_failover(self, kind: str) -> None:
        self.failovers[kind] = self.failovers.get(kind, 0) + 1

    def count_request(self, kind: RequestKind) -> None:
        self.answered[kind] = self.answered.get(kind, 0) + 1

    def finished(self, kind: RequestKind, overhead_ns: int) -> None:
        """A request was sent to somebody and is over."""
        answered, overhead = self.answered, self.overhead_ns
        answered[kind] = answered.get(kind, 0) + 1
        overhead.counts[bisect_left(OVERHEAD_NS, overhead_ns)] += 1
        overhead.total += overhead_ns

    def tick(self, now: float) -> None:
        """Five times a second: what is late, what recovers, which connections are stale."""
        # If it was us who slept, what providers said meanwhile is read before they are judged, at the next tick.
        gap_s = now - self.now
        self.slept_s = gap_s - TICK_S if gap_s > _ASLEEP_S and not self.slept_s else 0.0
        self.now = now
        if (today := self._today()) > self.serving.policy.until_day:
            self.serving = self.serving.on(today)  # what is running ends as it began
        try:
            if not self.slept_s:
                self.look(now)
        finally:
            for pulse in self.pulses.values():
                pulse.tick(now)
            self.serving.conversations.now = now
            self.serving.describing.tick(now)
            for each in self.serving.steering.values():
                each.tick(self._wall())
            self.serving.believed.tick(now)
            self.pool.sweep(now)

    def look(self, now: float) -> None:
        """Tell all that run what time it is; infinity ends them. A fault of ours with one of them is raised when the
        others have heard it."""
        faults = []
        for exchange in list(self.exchanges):
            try:
                exchange.on_tick(now)
            except Exception as error:  # noqa: BLE001  # raised below
                faults.append(error)
        if faults:
            raise ExceptionGroup("requests whose deadline could not be looked at", faults)
