"""The snapshot a worker serves, made ready: policy, upstreams and all that can be looked up before a request comes.

Immutable but for what it remembers of what it was asked before, and swapped whole: what is running keeps the one it
began with.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from twintrack import __version__
from twintrack.config.recorded import recorded
from twintrack.config.settings import DataClass
from twintrack.config.snapshot import Deployment, Route, Snapshot
from twintrack.gateway.believed import Believed
from twintrack.gateway.conversations import Conversations
from twintrack.gateway.describing import Describing
from twintrack.gateway.detecting import steps
from twintrack.gateway.exposure import Exposure, is_possible
from twintrack.gateway.ner import Recogniser, recogniser
from twintrack.gateway.pulse import Pulse
from twintrack.gateway.steering import Steerings, renewed, steerings
from twintrack.gateway.verifier import Verifier
from twintrack.gateway.verifier import made_ready as verifier_of
from twintrack.ledger.records import SCHEMA, Names
from twintrack.policy.choose import Decision
from twintrack.policy.compiled import Policy
from twintrack.policy.quality import Learned
from twintrack.providers.auth import Authoriser
from twintrack.providers.auth.select import authoriser
from twintrack.providers.upstream import Upstream, upstream
from twintrack.signals.predictor import Predictor, made_ready
from twintrack.signals.sensitivity.grade import Ladder
from twintrack.signals.signals import Signals
from twintrack.signals.weights import ROUTER, VERIFIER
from twintrack.wire.dialect import Endpoint

if TYPE_CHECKING:
    from twintrack.signals.sensitivity.detector import Detector

Kind = tuple[int, int, str, bool | None, DataClass, tuple[str, ...]]
"""Of a request that names a deployment: that and the key, endpoint, whether it is streamed, what was found in it."""


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
