"""A snapshot made ready for choosing: who may see what, and each route's candidates in order, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf

import msgspec

from twintrack.catalog.cost import TokenPrice
from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.config.snapshot import Key, Route, Snapshot
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
    Rules,
    privacy_objection,
)
from twintrack.policy.quality import Judge, Prior
from twintrack.policy.ranking import Tier
from twintrack.policy.rules import NOTHING, ruled_categories, rules_of

RUNG: dict[str, int] = {name: rung for rung, name in enumerate(DATA_CLASSES)}


@dataclass(frozen=True, slots=True)
class Lane:
    """A route as one class of data and endpoint sees it."""

    candidates: tuple[Candidate, ...]
    """Cheap to premium, each deployment once."""
    ruled_out: tuple[RuledOut, ...]
    worst: Candidate | None
    """As able as the least able in each respect, as dear as the dearest: what it can answer, all can. None: nobody."""
    view: View
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class _KeyRule:
    routes: frozenset[int]
    deployments: frozenset[int]


@dataclass(frozen=True, slots=True)
class View:
    """The deployments as one class of data sees them, under the rules that hold for one kind of request."""

    rules: tuple[Rules, ...]
    admissions: tuple[Admitted | Objection, ...]
    """By deployment, as are the candidates."""
    candidates: tuple[Candidate | Objection, ...]
    allowed: frozenset[int]
    """The privacy set."""


def privacy_set(
    snapshot: Snapshot, data_class: DataClass, *, route: Route | None = None, today: float = inf
) -> frozenset[int]:
    """Indexes of the deployments that may see data of `data_class`. A higher class never has a larger set.

    `today` as in `privacy_objection`.
    """
    rules = rules_of(snapshot, route=route)
    return frozenset(
        each.index for each in snapshot.deployments if privacy_objection(each, RUNG[data_class], rules, today) is None
    )


class Policy:
    """Everything that can be decided before a request is there. What keys, tenants and findings narrow is computed when
    it is first asked for; nothing else about it ever changes."""

    def __init__(self, snapshot: Snapshot, judge: Judge | None = None, today: float = inf) -> None:
        """
        Args:
            judge: predicts quality; default: the prior of `quality.py`.
            today: days since 1970, UTC. Without it every record that has an end counts as ended.
        """
        self.snapshot = snapshot
        self.judge: Judge = judge or Prior()
        self.today = today
        ends = [each.terms.until_day for each in snapshot.deployments if each.terms is not None]
        self.until_day = min((end for end in ends if end >= max(today, 0)), default=inf)
        """Its last: on the day after, some record has ended, and another policy holds."""
        self._narrows = tuple(route.privacy == NOTHING for route in snapshot.routes)
        self._callers = callers_of(snapshot)
        """By key, and at the end for nobody: the first of the keys whose rules are the same."""
        self.categories = ruled_categories(snapshot)
        """Of findings that any rule speaks of."""
        self._views: dict[tuple[DataClass, int, int, tuple[str, ...]], View] = {}
        self._keys = tuple(_key_rule(key, snapshot) for key in snapshot.keys)
        self._lanes: dict[tuple[int, DataClass, bool, int, tuple[str, ...]], Lane] = {}
        for data_class in DATA_CLASSES:
            self.view(data_class)
            for route in snapshot.routes:
                for endpoint in ("chat", "embeddings"):
                    self.lane(route, data_class, endpoint)

    def exposed(self, data_class: DataClass, *, route: Route | None, key: int) -> frozenset[int]:
        """Deployments that may see a request of a class if nothing is found in it, and may not whatever is found."""
        found = tuple(self.categories)
        now = self.view(data_class, route=route, key=key).allowed
        return now - self.view(DATA_CLASSES[-1], route=route, key=key, categories=found).allowed

    def on(self, today: float) -> Policy:
        """The same, on another day."""
        return Policy(self.snapshot, self.judge, today)

    def view(
        self, data_class: DataClass, *, route: Route | None = None, key: int = -1, categories: tuple[str, ...] = ()
    ) -> View:
        """Who may see data of a class that `key` sends to `route`, and in which `categories` were found.

        Every hop that chooses for itself takes its `Admitted` from here.

        Args:
            route: None: the client named a deployment.
            key: -1 where none is configured.
        """
        caller = self._callers[key]
        if categories:
            categories = self._that_matter(categories)
        narrowing = None if route is None or self._narrows[route.index] else route
        place = (data_class, -1 if narrowing is None else narrowing.index, caller, categories)
        known = self._views.get(place)
        if known is None:
            rules = rules_of(self.snapshot, route=narrowing, key=caller, categories=categories)
            known = self._views[place] = _view(self.snapshot, RUNG[data_class], rules, self.today)
        return known

    def lane(
        self, route: Route, data_class: DataClass, endpoint: str, key: int = -1, categories: tuple[str, ...] = ()
    ) -> Lane:
        """Who could answer, as far as class, findings, key and endpoint tell."""
        if categories:
            categories = self._that_matter(categories)
        place = (route.index, data_class, endpoint == "embeddings", self._callers[key], categories)
        known = self._lanes.get(place)
        if known is None:
            view = self.view(data_class, route=route, key=key, categories=categories)
            known = self._lanes[place] = self._lane(route, view, endpoint)
        return known

    def candidate(
        self,
        index: int,
        data_class: DataClass,
        endpoint: str,
        *,
        route: Route | None = None,
        key: int = -1,
        categories: tuple[str, ...] = (),
    ) -> Candidate | Objection:
        """A deployment as a candidate for the class, or what stands against it whatever the request says."""
        return for_endpoint(
            self.view(data_class, route=route, key=key, categories=categories).candidates[index], endpoint
        )

    def key_objection(self, key: int, deployment: int, route: int = -1) -> Objection | None:
        """A key that may use a route may use all that is behind it; `key` -1 is a gateway without keys."""
        if key < 0:
            return None
        rule = self._keys[key]
        return None if route in rule.routes or deployment in rule.deployments else (KEY, 0, 1)

    def _that_matter(self, categories: tuple[str, ...]) -> tuple[str, ...]:
        """Those a rule speaks of, in one order."""
        ruled = self.categories
        return tuple(sorted(ruled.intersection(categories))) if ruled else ()

    def _lane(self, route: Route, view: View, endpoint: str) -> Lane:
        places: dict[int, list[int]] = {}
        for tier, each in enumerate(route.tiers):
            for index in each.deployments:
                places.setdefault(index, []).append(tier)
        candidates, ruled_out = [], []
        for index, tiers in places.items():
            found = for_endpoint(view.candidates[index], endpoint)
            if isinstance(found, tuple):
                ruled_out.append((index, *found))
            else:
                candidates.append(msgspec.structs.replace(found, tier=tiers[0], last_tier=tiers[-1]))
        made = tuple(_tier([each for each in candidates if each.tier == tier]) for tier in range(len(route.tiers)))
        return Lane(tuple(candidates), tuple(ruled_out), _worst(candidates), view, made)


def _view(snapshot: Snapshot, rung: int, rules: tuple[Rules, ...], today: float) -> View:
    admissions = tuple(admit(each, rung, rules, today) for each in snapshot.deployments)
    return View(
        rules,
        admissions,
        tuple(each if isinstance(each, tuple) else _candidate(each) for each in admissions),
        frozenset(index for index, each in enumerate(admissions) if not isinstance(each, tuple)),
    )


def for_endpoint(candidate: Candidate | Objection, endpoint: str) -> Candidate | Objection:
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


def _tier(candidates: list[Candidate]) -> Tier:
    return Tier(one_price=len(set(map(_paid, candidates))) < 2, alone=len(candidates) < 2)


def _paid(candidate: Candidate) -> tuple[bool, TokenPrice | None]:
    """How it is charged, wherever that was read; one of unknown price is like another."""
    return candidate.per_hour, candidate.price and candidate.price.unsourced()


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


def callers_of(snapshot: Snapshot) -> tuple[int, ...]:
    """By key, and at the end for nobody: the first of the keys whose rules are the same."""
    first: dict[bytes, int] = {}
    callers = []
    for key in snapshot.keys:
        tenant = snapshot.tenants[key.tenant].privacy if key.tenant >= 0 else NOTHING
        same = msgspec.msgpack.encode((key.privacy, tenant), order="deterministic")
        callers.append(-1 if key.privacy == NOTHING == tenant else first.setdefault(same, key.index))
    return (*callers, -1)


def _key_rule(key: Key, snapshot: Snapshot) -> _KeyRule:
    return _KeyRule(
        frozenset(route.index for route in snapshot.routes if _covers(key, route.name)),
        frozenset(each.index for each in snapshot.deployments if _covers(key, each.name)),
    )


def _covers(key: Key, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in key.models)
