"""A snapshot made ready for choosing: who may see what, and each route's candidates in order, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from twintrack.catalog.cost import TokenPrice
from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.config.snapshot import Key, PrivacyRule, Route, Snapshot
from twintrack.policy.admitted import Admitted, admit
from twintrack.policy.affinity import seed
from twintrack.policy.checks import Candidate, modality_bits
from twintrack.policy.objections import (
    DIALECT,
    DIALECTS,
    ENDPOINT,
    KEY,
    Objection,
    RuledOut,
    privacy_objection,
)
from twintrack.policy.quality import Judge, Prior

RUNG: dict[str, int] = {name: rung for rung, name in enumerate(DATA_CLASSES)}


@dataclass(frozen=True, slots=True)
class Lane:
    """A route as one class of data and endpoint sees it."""

    candidates: tuple[Candidate, ...]
    """Cheap to premium, each deployment once."""
    ruled_out: tuple[RuledOut, ...]
    worst: Candidate | None
    """As able as the least able in each respect, as dear as the dearest: what it can answer, all can. None: nobody."""


@dataclass(frozen=True, slots=True)
class _KeyRule:
    routes: frozenset[int]
    deployments: frozenset[int]


def privacy_set(snapshot: Snapshot, data_class: DataClass) -> frozenset[int]:
    """Indexes of the deployments that may see data of `data_class`. A higher class never has a larger set."""
    rules = _rules(snapshot)
    return frozenset(
        each.index for each in snapshot.deployments if privacy_objection(each, RUNG[data_class], rules) is None
    )


class Policy:
    """Everything that can be decided before a request is there. Immutable once made."""

    def __init__(self, snapshot: Snapshot, judge: Judge | None = None) -> None:
        """`judge` predicts quality; default: the prior of `quality.py`."""
        self.snapshot = snapshot
        self.judge: Judge = judge or Prior()
        rules = _rules(snapshot)
        self._admissions: tuple[tuple[Admitted | Objection, ...], ...] = tuple(
            tuple(admit(each, rung, rules) for each in snapshot.deployments) for rung in range(len(DATA_CLASSES))
        )
        """By rung and deployment."""
        self._candidates: tuple[tuple[Candidate | Objection, ...], ...] = tuple(
            tuple(each if isinstance(each, tuple) else _candidate(each) for each in row) for row in self._admissions
        )
        self.allowed: dict[DataClass, frozenset[int]] = {
            data_class: privacy_set(snapshot, data_class) for data_class in DATA_CLASSES
        }
        """The privacy set of each class."""
        self._keys = tuple(_key_rule(key, snapshot) for key in snapshot.keys)
        self._lanes = {
            (route.index, data_class, embeddings): self._lane(route, data_class, embeddings)
            for route in snapshot.routes
            for data_class in DATA_CLASSES
            for embeddings in (False, True)
        }

    def lane(self, route: Route, data_class: DataClass, endpoint: str) -> Lane:
        """Who could answer, as far as class and endpoint tell."""
        return self._lanes[(route.index, data_class, endpoint == "embeddings")]

    def candidate(self, index: int, data_class: DataClass, endpoint: str) -> Candidate | Objection:
        """A deployment as a candidate for the class, or what stands against it whatever the request says."""
        candidate = self._candidates[RUNG[data_class]][index]
        if isinstance(candidate, tuple):
            return candidate
        deployment = candidate.deployment
        embeddings = endpoint == "embeddings"
        if deployment.embeddings is not embeddings:
            return (ENDPOINT, int(deployment.embeddings), int(embeddings))
        if embeddings and "openai" not in deployment.dialects:
            # Conversations are translated; only one dialect has embeddings.
            return (DIALECT, DIALECTS.index(deployment.dialects[0]), DIALECTS.index("openai"))
        return candidate

    def admit(self, index: int, data_class: DataClass) -> Admitted | None:
        """The permission to show data of `data_class` to a deployment, for hops that choose by themselves."""
        admission = self._admissions[RUNG[data_class]][index]
        return None if isinstance(admission, tuple) else admission

    def key_objection(self, key: int, deployment: int, route: int = -1) -> Objection | None:
        """A key that may use a route may use all that is behind it; `key` -1 is a gateway without keys."""
        if key < 0:
            return None
        rule = self._keys[key]
        return None if route in rule.routes or deployment in rule.deployments else (KEY, 0, 1)

    def _lane(self, route: Route, data_class: DataClass, embeddings: bool) -> Lane:
        places: dict[int, list[int]] = {}
        for tier, each in enumerate(route.tiers):
            for index in each.deployments:
                places.setdefault(index, []).append(tier)
        candidates, ruled_out = [], []
        for index, tiers in places.items():
            found = self.candidate(index, data_class, "embeddings" if embeddings else "")
            if isinstance(found, tuple):
                ruled_out.append((index, *found))
            else:
                candidates.append(msgspec.structs.replace(found, tier=tiers[0], last_tier=tiers[-1]))
        return Lane(tuple(candidates), tuple(ruled_out), _worst(candidates))


def _candidate(admitted: Admitted) -> Candidate:
    deployment = admitted.deployment
    return Candidate(
        admitted,
        deployment,
        deployment.index,
        seed(deployment.name),
        modality_bits(deployment.modalities),
        deployment.tools,
        deployment.context_tokens,
        deployment.max_output_tokens,
        deployment.max_in_flight,
        deployment.price,
        deployment.per_hour_nusd > 0,
    )


def _worst(candidates: list[Candidate]) -> Candidate | None:
    if not candidates:
        return None
    bits = -1
    for candidate in candidates:
        bits &= candidate.modalities
    by_token = [candidate.price for candidate in candidates if not candidate.per_hour]
    known = [price for price in by_token if price is not None]
    return msgspec.structs.replace(
        candidates[0],
        modalities=bits,
        tools=all(candidate.tools for candidate in candidates),
        context_tokens=min((each.context_tokens for each in candidates if each.context_tokens), default=0),
        max_output_tokens=min((each.max_output_tokens for each in candidates if each.max_output_tokens), default=0),
        price=_dearest(known) if len(known) == len(by_token) else None,
        per_hour=not by_token,
    )


def _dearest(prices: list[TokenPrice]) -> TokenPrice | None:
    """At least as dear as each of `prices` at any length."""
    steps = []
    for price in prices:
        step: TokenPrice | None = price
        while step is not None:
            steps.append(step)
            step = step.long
    if not steps:
        return None
    return TokenPrice(
        max(step.input_nusd_per_mtok for step in steps),
        max(step.output_nusd_per_mtok for step in steps),
        0,
        0,
    )


def _rules(snapshot: Snapshot) -> tuple[PrivacyRule, ...]:
    return tuple(snapshot.privacy[data_class] for data_class in DATA_CLASSES)


def _key_rule(key: Key, snapshot: Snapshot) -> _KeyRule:
    return _KeyRule(
        frozenset(route.index for route in snapshot.routes if _covers(key, route.name)),
        frozenset(each.index for each in snapshot.deployments if _covers(key, each.name)),
    )


def _covers(key: Key, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in key.models)
