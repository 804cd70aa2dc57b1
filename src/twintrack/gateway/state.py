"""What one worker holds: the snapshot it serves, made ready, and everything that changes while it runs.

`Serving` is immutable and swapped whole. `GatewayState` is the one mutable value; nothing lives in module globals.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from twintrack import __version__
from twintrack.config.recorded import recorded
from twintrack.config.settings import DataClass
from twintrack.config.snapshot import Deployment, Route, Snapshot
from twintrack.errors import EnvironmentProblem, TwintrackError
from twintrack.gateway.believed import Believed
from twintrack.gateway.conversations import Conversations
from twintrack.gateway.describing import Describing
from twintrack.gateway.detecting import steps
from twintrack.gateway.exposure import Exposure, is_possible
from twintrack.gateway.kinds import Kinds
from twintrack.gateway.ner import Recogniser, recogniser
from twintrack.gateway.pulse import Pulse
from twintrack.gateway.recovery import Repeats
from twintrack.gateway.remembered import Remembered
from twintrack.gateway.steering import Steerings, Told, renewed, steerings
from twintrack.gateway.turns import Later, Turns
from twintrack.gateway.verifier import Verifier
from twintrack.gateway.verifier import made_ready as verifier_of
from twintrack.ledger.records import SCHEMA, Content, Dispatch, Judged, Names, Refuse, Screened, Settle
from twintrack.ledger.secret import secret as secret_of
from twintrack.policy.choose import Decision
from twintrack.policy.compiled import Policy
from twintrack.policy.quality import Learned
from twintrack.providers.auth import Authoriser
from twintrack.providers.auth.select import authoriser
from twintrack.providers.pool import Pool
from twintrack.providers.upstream import Upstream, upstream
from twintrack.signals.predictor import Predictor, made_ready
from twintrack.signals.sensitivity.grade import Ladder
from twintrack.signals.signals import Signals
from twintrack.signals.weights import ROUTER, VERIFIER
from twintrack.telemetry.buckets import OVERHEAD_NS, empty
from twintrack.telemetry.counters import RequestKind
from twintrack.wire.dialect import Endpoint

_DAY_S = 86_400
_EARLY_S = 2.0
"""By which a record ends before its day does: nothing is decided by it after midnight, whatever a tick takes."""
if TYPE_CHECKING:
    from twintrack.signals.sensitivity.detector import Detector

_ASLEEP_S = 1.0
"""Between two ticks: so long a busy or suspended machine did not let us look."""


Kind = tuple[int, int, str, bool | None, DataClass, tuple[str, ...]]
"""Of a request that names a deployment: that and the key, endpoint, whether it is streamed, what was found in it."""


class Running(Protocol):
    """What the sweeper looks after."""

    def on_tick(self, now: float) -> None: ...


class Book(Protocol):
    """Where records go; a worker's journal."""

    def append(self, record: Dispatch | Settle | Refuse | Screened | Judged) -> None: ...

    def offer(self, record: Content | Judged) -> bool: ...

    def names(self, names: Names) -> None: ...


class Serving:
    """A snapshot with its policy and its upstreams, ready for the request path."""

    def __init__(
        self,
        snapshot: Snapshot,
        pulses: dict[str, Pulse],
        secret: Callable[[str], str | None],
        before: Serving | None = None,
        *,
        today: int,
        random: Callable[[], float] = random.random,
        detector: Detector | None = None,
    ) -> None:
        """
        Args:
            secret: resolves a reference.
            pulses: gains what it lacks.
            before: was served until now.
            today: days since 1970, UTC.
            detector: what requests are read with; where one is needed and there is none, all are sensitive.
        """
        self.snapshot = snapshot
        self.predictor = _predictor(snapshot, before)
        """Of the router fitted to verdicts; None: there is none."""
        self.verifier = _verifier(snapshot, before)
        """What judges drafts; None: none was fitted."""
        judge = None if self.predictor is None else Learned(self.predictor)
        self.policy = Policy(snapshot, judge, today)
        self._authorisers: dict[tuple[str, ...], Authoriser] = {}
        """By what they are made from."""
        earlier = before._authorisers if before is not None else {}
        self.upstreams = tuple(self._upstream(each, secret, earlier) for each in snapshot.deployments)
        self.load = [pulses.setdefault(each.name, Pulse(each.name)) for each in snapshot.deployments]
        self._accounts: dict[str, list[Pulse]] = {}
        for each, pulse in zip(snapshot.deployments, self.load, strict=True):
            self._accounts.setdefault(each.provider, []).append(pulse)
        self.believed: Believed = before.believed if before is not None else Believed()
        self.routes = {route.name: route for route in snapshot.routes}
        self.names = {each.name: each.index for each in snapshot.deployments}
        self._answer_heads: dict[tuple[int, str, str], bytes] = {}
        self._route_lines: dict[tuple[int, int], bytes] = {}
        self.random = random
        same = before is not None and before.names == self.names
        self.conversations: Conversations = before.conversations if before is not None and same else Conversations()
        self.describing: Describing = before.describing if before is not None else Describing()
        self.steering: Steerings = steerings(snapshot, self.predictor)
        if before is not None:
            self.steering = renewed(self.steering, snapshot, before.snapshot, before.steering)
        self._keys = {key.sha256: key.index for key in snapshot.keys}
        self._seen: dict[bytes, int] = {}
        self.exposure = Exposure(snapshot, self.policy)
        self._classifies = any(route.classifier is not None for route in snapshot.routes)
        self.inquires = self._classifies or is_possible(snapshot, today)
        """Whether something may have to be found out about a request before it is decided."""
        self.detector = detector
        self.ner: Recogniser | None = recogniser(snapshot) if detector is not None else None
        self.ladder = steps(snapshot.detect) if detector is not None else Ladder({}, {})
        self.named: dict[Kind, tuple[Signals, Decision]] = {}
        """Decisions about requests that name a deployment and carry no label: one for each kind there is."""
        self._tiers = {
            (route.index, deployment): tier_index
            for route in snapshot.routes
            for tier_index, tier in reversed(tuple(enumerate(route.tiers)))  # of several the cheapest stays
            for deployment in tier.deployments
        }
        self.may_use = lru_cache(4096)(self._may_use)

    def _upstream(
        self, deployment: Deployment, secret: Callable[[str], str | None], earlier: Mapping[tuple[str, ...], Authoriser]
    ) -> Upstream:
        if deployment.auth == "key":
            return upstream(deployment, secret(deployment.key) if deployment.key else None, __version__)
        source = (deployment.auth, deployment.host, deployment.region, deployment.key)
        made = self._authorisers.get(source)
        if made is None:
            made = self._authorisers[source] = authoriser(deployment)
            if source in earlier:
                made.take_over(earlier[source])  # to fetch takes a moment
            made.start()
        return upstream(deployment, None, __version__, made)

    def on(self, today: int) -> Serving:
        """The same on another day, when records of what is agreed with providers have ended."""
        serving = copy(self)
        serving.policy = self.policy.on(today)
        serving.exposure = Exposure(serving.snapshot, serving.policy)
        serving.inquires = self._classifies or is_possible(serving.snapshot, today)
        serving.named = {}
        return serving

    def answer_head(self, deployment: int, endpoint: Endpoint, data_class: DataClass) -> bytes:
        """The header lines of an answer by a deployment: a format that takes content type and, twice, our id."""
        head = self._answer_heads.get((deployment, endpoint.name, data_class))
        if head is None:
            each = self.snapshot.deployments[deployment]
            lines = b"x-twintrack-model: %b\r\nx-twintrack-provider: %b\r\nx-twintrack-class: %b\r\n%b" % (
                each.model.encode(),
                each.provider.encode(),
                data_class.encode(),
                b"x-twintrack-simulated: true\r\n" if each.simulated else b"",
            )
            head = b"content-type: %b\r\n" + endpoint.id_lines + lines.replace(b"%", b"%%")
            self._answer_heads[deployment, endpoint.name, data_class] = head
        return head

    def route_lines(self, route: Route, deployment: int) -> bytes:
        """The header lines that say by which route and from which of its tiers an answer comes."""
        lines = self._route_lines.get((route.index, deployment))
        if lines is None:
            tier = self.tier_of(route, deployment)
            name = route.tiers[tier].name if tier >= 0 else "-"
            lines = b"x-twintrack-route: %b\r\nx-twintrack-tier: %b\r\n" % (route.name.encode(), name.encode())
            self._route_lines[route.index, deployment] = lines
        return lines

    def promises(self) -> Iterator[tuple[str, tuple[float, float, float, float, float]]]:
        """By route, of those that something steers; see `Steering.promise`."""
        for index, each in self.steering.items():
            yield self.snapshot.routes[index].name, each.promise()

    def busy(self, deployment: int) -> bool:
        return self.load[deployment].in_flight >= self.snapshot.deployments[deployment].max_in_flight

    def rest_account(self, deployment: Deployment, now: float, wait_s: float) -> None:
        """The provider's account is out of money or quota: all that is asked with its key rests."""
        for pulse in self._accounts[deployment.provider]:
            pulse.wished(now, wait_s)

    def close(self) -> None:
        """Nothing new is asked any more; what is under way keeps what it has."""
        for each in self._authorisers.values():
            each.close()

    def key(self, secret: bytes) -> int | None:
        """Index of the caller's key; found by digest, so that no comparison leaks its bytes.

        Keys that proved right are remembered as they came: a lookup by Python's keyed hash is a tenth of a digest.
        """
        known = self._seen.get(secret)
        if known is None:
            known = self._keys.get(hashlib.sha256(secret).digest())
            if known is not None:
                self._seen[secret] = known
        return known

    def floor(self, key: int) -> DataClass:
        """The least class of what a key sends."""
        return self.snapshot.keys[key].data_class if key >= 0 else "public"

    def tier_of(self, route: Route | None, deployment: int) -> int:
        return -1 if route is None else self._tiers.get((route.index, deployment), -1)

    def allowed_names(self, key: int) -> list[str]:
        return [name for name in (*self.routes, *self.names) if self.may_use(key, name)]

    def _may_use(self, key: int, name: str) -> bool:
        return key < 0 or any(fnmatchcase(name, pattern) for pattern in self.snapshot.keys[key].models)

    def record_names(self, worker: str) -> Names:
        snapshot = self.snapshot
        return Names(
            SCHEMA,
            snapshot.generation,
            snapshot.policy_version,
            worker,
            tuple((d.name, d.model, d.provider, d.zone, d.region, d.simulated) for d in snapshot.deployments),
            tuple(d.per_hour_nusd for d in snapshot.deployments),
            tuple((route.name, tuple(tier.name for tier in route.tiers)) for route in snapshot.routes),
            tuple(key.name for key in snapshot.keys),
            tuple(route.index for route in snapshot.routes if route.trace_content),
            recorded(snapshot),
            time.time_ns() // 1000,
            tuple(snapshot.tenants[key.tenant].name if key.tenant >= 0 else "" for key in snapshot.keys),
        )


def _predictor(snapshot: Snapshot, before: Serving | None) -> Predictor | None:
    """Raises ConfigError: the weights cannot be used."""
    if not snapshot.router:
        return None
    if before is not None and before.snapshot.router == snapshot.router:
        return before.predictor
    return made_ready(snapshot.router, ROUTER)


def _verifier(snapshot: Snapshot, before: Serving | None) -> Verifier | None:
    """Raises ConfigError, likewise."""
    if not snapshot.verifier:
        return None
    if before is not None and before.snapshot.verifier == snapshot.verifier:
        return before.verifier
    return verifier_of(snapshot.verifier, VERIFIER)


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
        self._slept = False
        """The last tick came late."""
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
        self._slept = now - self.now > _ASLEEP_S and not self._slept
        self.now = now
        if (today := self._today()) > self.serving.policy.until_day:
            self.serving = self.serving.on(today)  # what is running ends as it began
        try:
            if not self._slept:
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
