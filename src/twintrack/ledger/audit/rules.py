"""Whether a deployment was allowed to see a request, by the rules that were recorded with the policy version."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from twintrack.config.recorded import Recorded, read
from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.audit.decisions import Asked, Decision
from twintrack.ledger.audit.entry import Policy
from twintrack.ledger.audit.search import block_of
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import privacy_objection
from twintrack.policy.rules import rules_of

_DAY_US: Final = 86_400_000_000


class Checked(NamedTuple):
    violation: str = ""
    """Why it should not have seen it; empty: it was allowed to."""
    unknown: str = ""
    """Why that cannot be said; empty: it can."""
    partly: bool = False
    """Rules of a key or tenant could not be looked at, since who asked was erased."""


class Policies:
    """By version, as the chain has them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[str, Recorded | None] = {}
        self.checked: dict[tuple[object, ...], Checked] = {}
        """By all that a check looks at: most requests are like others."""

    def get(self, version: str) -> Recorded | None:
        """None: what it says was not recorded."""
        if version not in self._known:
            self._known[version] = self._find(version)
        return self._known[version]

    def _find(self, version: str) -> Recorded | None:
        found = self._db.execute("SELECT seq FROM audit_policies WHERE version = ?", (version,)).fetchone()
        for entry in block_of(self._db, found[0]) if found else ():
            body = entry.body
            if entry.seq == found[0] and isinstance(body, Policy) and body.version == version and body.content:
                try:
                    return read(body.content)
                except ValueError:
                    return None
        return None


def checked(decision: Decision, asked: Asked, policies: Policies) -> Checked:
    """
    Where it was sent is what the entry says; the rules and the provider's terms are those of its policy version.
    """
    erased = decision.key is None and decision.erased
    # What entries refer to is one value each, so its identity says what it is.
    alike = (
        id(asked.about),
        id(decision.screen),
        decision.key,
        erased,
        bool(decision.pseudonyms),
        decision.at_us // _DAY_US,
    )
    known = policies.checked.get(alike)
    if known is None:
        known = policies.checked[alike] = _checked(decision, asked, policies)
    return known


def _checked(decision: Decision, asked: Asked, policies: Policies) -> Checked:
    about = asked.about
    screen = decision.screen
    if screen is not None and _rung(screen.data_class) > _rung(about.data_class):
        return Checked(f"it was sent as {about.data_class}, and read as {screen.data_class}")
    lowered = screen is None or screen.mode != "enforce" or screen.override or decision.pseudonyms
    if screen is not None and not lowered and _rung(screen.found) > _rung(about.data_class):
        return Checked(f"it was sent as {about.data_class}, and what was found makes it {screen.found}")
    policy = policies.get(about.policy)
    if policy is None:
        return Checked(unknown=f"what policy {about.policy or 'unknown'} says was not recorded")
    place = next((each for each in policy.deployments if each.name == about.deployment), None)
    if place is None:
        return Checked(f"policy {about.policy} has no deployment {about.deployment}")
    if (place.zone, place.region, place.provider) != (about.zone, about.region, about.provider):
        return Checked(f"policy {about.policy} says that {about.deployment} is somewhere else")
    route = next((each for each in policy.routes if each.name == about.route), None)
    key = next((at for at, each in enumerate(policy.keys) if each.name == decision.key), -1)
    rules = rules_of(policy, route=route, key=key, categories=decision.categories)
    today = decision.at_us // _DAY_US  # a request that was decided before a record ended goes on as it began
    objection = privacy_objection(place, _rung(about.data_class), rules, today)
    partly = decision.key is None and decision.erased and bool(policy.keys)
    return Checked(objection_sentence(*objection) if objection is not None else "", partly=partly)


def _rung(data_class: str) -> int:
    """The strictest if there is no such class."""
    return DATA_CLASSES.index(data_class) if data_class in DATA_CLASSES else len(DATA_CLASSES) - 1
