"""A statement about who saw data of a class, that anybody with the ledger can check again.

It proves policy on classified data: every deployment that was asked was allowed to see the class the request was sent
under. It does not prove that no other request held such data; how many probably did is what `misses` says.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.ledger.audit.checkpoint import Checkpoint
from twintrack.ledger.audit.decisions import Decision, decisions
from twintrack.ledger.audit.rules import Policies, checked
from twintrack.ledger.audit.seal import Seal
from twintrack.ledger.audit.verify import Verified, verify
from twintrack.ledger.moment import moment
from twintrack.signals.sensitivity.measured import Misses, measured, misses

_MOST_SHOWN: Final = 50
NOT_SAID: Final = (
    "This is about the class each request was sent under: its label, its route's default, its key's and tenant's "
    "floor, and what was found in it. It does not say that no other request held such data, and nothing about what a "
    "provider did with what it was sent. Zones, regions and terms are what the configuration said at the time."
)


class Place(msgspec.Struct, frozen=True):
    zone: str
    region: str
    provider: str
    deployment: str
    attempts: int


class Breach(msgspec.Struct, frozen=True):
    entry: int
    at: str
    request_id: str | None
    data_class: str
    deployment: str
    zone: str
    region: str
    policy: str
    why: str


class Reading(msgspec.Struct, frozen=True):
    """Of all requests in the time, whatever their class."""

    requests: int
    read: int
    not_read: int
    """Nothing looked into them: their class is what label, key and route say."""
    with_unscanned: int
    """Read, but for parts that could not be."""
    unscanned_share: float | None
    """Of those read; None: none was."""
    unscanned_kinds: dict[str, int]
    found_higher: int
    """Their findings made a higher class than the one that held: the screen only observed, an operator lowered it, or
    placeholders took the place of what was found."""
    overridden: int
    replaced: int
    """Placeholders took the place of what was found before they left."""
    detectors: dict[str, int]
    """Requests by version."""


class Proof(msgspec.Struct, frozen=True):
    holds: bool
    statement: str
    data_class: str
    since: str
    until: str
    requests: int
    """Of the class or above."""
    refused: int
    """Of these, sent to nobody."""
    attempts: int
    """Of these requests, each at a deployment that was asked."""
    places: tuple[Place, ...]
    violations: int
    unknown: int
    """Attempts whose policy was not recorded, so that nothing can be said."""
    not_fully_checked: int
    """Who asked was erased: rules of a key or tenant of its own were left out of account."""
    breaches: tuple[Breach, ...]
    """The first of both."""
    policies: dict[str, int]
    """Attempts by version."""
    reading: Reading
    misses: tuple[Misses, ...]
    chain: Verified
    does_not_say: str = NOT_SAID


def prove(
    db: sqlite3.Connection,
    data_class: DataClass,
    since_us: int,
    until_us: int,
    outside: Iterable[Checkpoint] = (),
    seals: Iterable[Seal] = (),
) -> Proof:
    """
    Args:
        data_class: and all above it.
        db, outside, seals: as for `verify`.
    Raises:
        msgspec.MsgspecError: the chain holds something that is no entry; `verify` says where.
    """
    chain = verify(db, outside, seals)
    count = _Count(data_class, Policies(db))
    for decision in decisions(db, since_us, until_us):
        count.add(decision)
    return count.proof(since_us, until_us, chain)


class _Count:
    def __init__(self, data_class: DataClass, policies: Policies) -> None:
        self._class = data_class
        self._classes = DATA_CLASSES[DATA_CLASSES.index(data_class) :]
        self._policies = policies
        self._requests = self._refused = 0
        self._places: Counter[tuple[str, str, str, str]] = Counter()
        self._versions: Counter[str] = Counter()
        self._violations = self._unknown = self._partly = 0
        self._breaches: list[Breach] = []
        self._all = self._read = self._with_unscanned = self._higher = self._overridden = self._replaced = 0
        self._kinds: Counter[str] = Counter()
        self._detectors: Counter[str] = Counter()
        self._categories: Counter[str] = Counter()

    def add(self, decision: Decision) -> None:
        if not decision.continues and (decision.asked or decision.refused is not None or decision.screen is not None):
            self._reading(decision)
            if decision.data_class in self._classes:
                self._requests += 1
                self._refused += decision.refused is not None
        for asked in decision.asked:
            about = asked.about
            higher = decision.screen is not None and decision.screen.data_class in self._classes
            if about.data_class not in self._classes and not higher:
                continue
            self._places[about.zone, about.region, about.provider, about.deployment] += 1
            self._versions[about.policy] += 1
            result = checked(decision, asked, self._policies)
            self._violations += bool(result.violation)
            self._unknown += bool(result.unknown)
            self._partly += result.partly
            why = result.violation or result.unknown
            if why and len(self._breaches) < _MOST_SHOWN:
                self._breaches.append(
                    Breach(
                        asked.seq,
                        moment(asked.at_us),
                        decision.request_id,
                        about.data_class,
                        about.deployment,
                        about.zone,
                        about.region,
                        about.policy,
                        why,
                    )
                )

    def _reading(self, decision: Decision) -> None:
        self._all += 1
        screen = decision.screen
        if screen is None or not screen.detector:
            return
        self._read += 1
        self._detectors[screen.detector] += 1
        self._with_unscanned += bool(screen.unscanned)
        self._kinds.update(set(screen.unscanned))
        self._higher += _above(screen.found, screen.data_class)
        self._overridden += bool(screen.override)
        self._replaced += bool(decision.pseudonyms)
        if not screen.unscanned:  # where something could not be read, every category's rules hold
            self._categories.update(set(screen.categories))

    def proof(self, since_us: int, until_us: int, chain: Verified) -> Proof:
        attempts = sum(self._places.values())
        holds = not (self._violations or self._unknown or chain.problems)
        since, until = moment(max(since_us, chain.began_us)), moment(until_us)
        above = " or above" if len(self._classes) > 1 else ""
        what = f"{_count(self._requests, 'request')} of class {self._class}{above}"
        went = f"{_count(attempts, 'attempt')} at {_count(len(self._places), 'deployment')}"
        if holds:
            said = f"{what} from {since} to {until}: {went}, none outside the policy valid at the time."
        else:
            said = (
                f"Not shown to be within policy: {what} from {since} to {until}: {went}, {self._violations:,} outside "
                f"the policy valid at the time, {self._unknown:,} that cannot be checked, and {len(chain.problems):,} "
                "findings in the chain."
            )
        found = [misses(category, count) for category, count in sorted(self._all_categories().items())]
        return Proof(
            holds=holds,
            statement=said,
            data_class=self._class,
            since=since,
            until=until,
            requests=self._requests,
            refused=self._refused,
            attempts=attempts,
            places=tuple(Place(*place, count) for place, count in sorted(self._places.items())),
            violations=self._violations,
            unknown=self._unknown,
            not_fully_checked=self._partly,
            breaches=tuple(self._breaches),
            policies=dict(sorted(self._versions.items())),
            reading=Reading(
                requests=self._all,
                read=self._read,
                not_read=self._all - self._read,
                with_unscanned=self._with_unscanned,
                unscanned_share=self._with_unscanned / self._read if self._read else None,
                unscanned_kinds=dict(sorted(self._kinds.items())),
                found_higher=self._higher,
                overridden=self._overridden,
                replaced=self._replaced,
                detectors=dict(sorted(self._detectors.items())),
            ),
            misses=tuple(each for each in found if each is not None),
            chain=chain,
        )

    def _all_categories(self) -> dict[str, int]:
        """Those that were measured, found or not, as far as anything was read."""
        known = {row.category: 0 for row in measured()} if self._read else {}
        return known | self._categories


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _above(one: str, other: str) -> bool:
    return DATA_CLASSES.index(one) > DATA_CLASSES.index(other)
