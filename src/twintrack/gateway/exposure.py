"""For which requests what stands in them could change anything: only those are read."""

from __future__ import annotations

from twintrack.config.settings import DATA_CLASSES, DataClass, Screen
from twintrack.config.snapshot import Snapshot
from twintrack.policy.compiled import Policy, callers_of
from twintrack.policy.objections import privacy_objection
from twintrack.policy.rules import ruled_categories, rules_of

_TOLD: tuple[DataClass, ...] = ("public", "internal")
"""Classes whose content a collector may be told."""


class Exposure:
    """Of one snapshot; found out once for each kind of request."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self._snapshot = snapshot
        self._policy = policy
        self._routes = {route.name: route for route in snapshot.routes}
        self._names = {each.name: each.index for each in snapshot.deployments}
        self._known: dict[tuple[str, DataClass, int], Screen] = {}

    def screen(self, name: str, data_class: DataClass, key: int) -> Screen:
        """How a request is read that names `name` as its model and has the class `data_class` unread."""
        kind = (name, data_class, key)
        known = self._known.get(kind)
        if known is None:
            if name not in self._names and name not in self._routes:  # such names come from clients, and have no end
                return "off"
            known = self._known[kind] = self._screen(name, data_class, key)
        return known

    def _screen(self, name: str, data_class: DataClass, key: int) -> Screen:
        route, detect = self._routes.get(name), self._snapshot.detect
        mode = detect.mode if route is None else route.detect
        if mode == "off" or detect.always:
            return mode
        if route is not None and (route.pseudonyms or (route.trace_content and data_class in _TOLD)):
            return mode
        if route is None:
            members = {self._names[name]}
        else:
            members = {each for tier in route.tiers for each in tier.deployments}
            members |= {route.observe} if route.observe >= 0 else set()
        return "off" if members.isdisjoint(self._policy.exposed(data_class, route=route, key=key)) else mode


def is_possible(snapshot: Snapshot, today: float) -> bool:
    """Whether any request may have to be read; `today` in days since 1970, UTC."""
    modes = {snapshot.detect.mode, *(route.detect for route in snapshot.routes)}
    if modes == {"off"}:
        return False
    if snapshot.detect.always or any(route.pseudonyms or route.trace_content for route in snapshot.routes):
        return True
    categories = tuple(ruled_categories(snapshot))
    highest = len(DATA_CLASSES) - 1
    callers = tuple(dict.fromkeys(callers_of(snapshot)))
    rules = {
        (rules_of(snapshot, route=route, key=key), rules_of(snapshot, route=route, key=key, categories=categories))
        for route in (None, *snapshot.routes)
        for key in callers
    }  # thousands of routes mostly have the same ones
    return any(
        privacy_objection(each, 0, now, today) is None and privacy_objection(each, highest, then, today) is not None
        for now, then in rules
        for each in snapshot.deployments
    )
