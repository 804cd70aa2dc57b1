"""What reports tell, from the audit chain: gathered once for all of them."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from twintrack.config.recorded import plain
from twintrack.ledger.audit.blocks import block_entries, blocks
from twintrack.ledger.audit.decisions import Decision, decisions
from twintrack.ledger.audit.entry import Erased, Policy, Restored, Serving
from twintrack.ledger.moment import moment

_MOST_CHANGES: Final = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Who received something."""

    provider: str
    deployment: str
    model: str
    zone: str
    region: str
    simulated: bool


@dataclass(slots=True)
class Received:
    attempts: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    first_us: int = 0
    last_us: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A policy, and when it served in the period."""

    version: str
    began_us: int
    ended_us: int | None
    """When another one had taken its place everywhere; None: it serves, or did when the ledger was written last."""
    changes: tuple[str, ...]
    """Against the one before."""
    recorded: bool


@dataclass(slots=True)
class Gathered:
    places: dict[Place, Received] = field(default_factory=lambda: defaultdict(Received))
    routes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Attempts by route and class."""
    requests: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By class."""
    read: int = 0
    detectors: Counter[str] = field(default_factory=Counter)
    pseudonyms: int = 0
    overrides: Counter[str] = field(default_factory=Counter)
    versions: list[Version] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    policy: dict[str, Any] | None = None
    """The newest, all of it; None: none was recorded."""


def gather(db: sqlite3.Connection, since_us: int, until_us: int) -> Gathered:
    """
    Raises:
        msgspec.MsgspecError: the chain holds something that is no entry; `verify` says where.
    """
    found = Gathered()
    for decision in decisions(db, since_us, until_us):
        _count(found, decision)
    _history(found, db, since_us, until_us)
    return found


def _count(found: Gathered, decision: Decision) -> None:
    if not decision.continues:
        found.requests += 1
        found.pseudonyms += bool(decision.pseudonyms)
        if decision.refused is not None:
            found.refused[decision.refused.data_class] += 1
        screen = decision.screen
        if screen is not None and screen.detector:
            found.read += 1
            found.detectors[screen.detector] += 1
            if screen.override:
                found.overrides[screen.override] += 1
    for asked in decision.asked:
        about = asked.about
        place = Place(about.provider, about.deployment, about.model, about.zone, about.region, about.simulated)
        received = found.places[place]
        received.attempts += 1
        received.classes[about.data_class] += 1
        received.categories.update(decision.categories)
        received.first_us = min(received.first_us or asked.at_us, asked.at_us)
        received.last_us = max(received.last_us, asked.at_us)
        found.routes[about.route or "(named by the client)"][about.data_class] += 1


def _history(found: Gathered, db: sqlite3.Connection, since_us: int, until_us: int) -> None:
    """Policies are few, but the one that served when the period began may be much older than it."""
    contents: dict[str, bytes] = {}
    served: list[Serving] = []
    for block in blocks(db, 0, until_us):
        for entry in block_entries(block.seq, block.bodies, block.personal):
            body = entry.body
            if isinstance(body, Policy):
                contents[body.version] = body.content
            elif isinstance(body, Serving):
                served.append(body)
            elif isinstance(body, Erased) and body.at_us >= since_us:
                found.erased.append(body)
            elif isinstance(body, Restored) and body.at_us >= since_us:
                found.restored.append(body)
    begun = _in_turn(served)
    known = {version: _plain(content) for version, content in contents.items()}
    spans = [(version, at_us, until) for (version, at_us), (_, until) in pairwise([*begun, ("", -1)])]
    before: dict[str, Any] | None = None
    for place, (version, at_us, until) in enumerate(spans):
        now = known.get(version)
        last = place == len(spans) - 1
        if last or until > since_us:
            found.versions.append(
                Version(
                    version,
                    at_us,
                    None if last else until,
                    tuple(changes(before, now)) if before is not None and now is not None else (),
                    now is not None,
                )
            )
        before = now
        found.policy = now or found.policy


def _in_turn(served: list[Serving]) -> list[tuple[str, int]]:
    """(version, when the first worker had it), each time another one began."""
    begun: list[tuple[str, int]] = []
    for each in sorted(served, key=lambda one: one.at_us):
        if not begun or begun[-1][0] != each.version:
            begun.append((each.version, each.at_us))
    return begun


def _plain(content: bytes) -> dict[str, Any] | None:
    try:
        return dict(plain(content)) if content else None
    except ValueError:
        return None


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between two policies, a line each: where, and from what to what."""
    old, new = _leaves(before), _leaves(now)
    found = [
        f"{path}: {old.get(path, 'nothing')} → {new.get(path, 'nothing')}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]
    if len(found) > _MOST_CHANGES:
        found = [*found[:_MOST_CHANGES], f"… and {len(found) - _MOST_CHANGES} more"]
    return found


def _leaves(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for name, each in value.items():
            found |= _leaves(each, f"{path}.{name}" if path else name)
        return found
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        found = {}
        for number, each in enumerate(value):
            name = each.get("name", str(number)) if isinstance(each, dict) else str(number)
            found |= _leaves(each, f"{path}[{name}]")
        return found
    return {path: ", ".join(map(str, value)) if isinstance(value, list) else str(value)}


def day(at_us: int) -> str:
    return moment(at_us) if at_us else ""
