"""Which rules hold for a request: the general ones, and beside them those of its route, key, tenant and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from twintrack.config.settings import CATEGORIES, DATA_CLASSES, ZONES, DataClass
from twintrack.config.snapshot import Narrowing, PrivacyRule, Snapshot
from twintrack.policy.objections import ORIGINS, Rules

NOTHING = Narrowing()
_OPEN = PrivacyRule(ZONES, ("*",))


class Narrows(Protocol):
    """A route, a tenant; now, or as it was recorded."""

    @property
    def privacy(self) -> Narrowing: ...


class Caller(Narrows, Protocol):
    """A key."""

    @property
    def tenant(self) -> int: ...


class Ruled(Protocol):
    """Of a snapshot what rules are made of, now or as it was recorded."""

    @property
    def privacy(self) -> Mapping[DataClass, PrivacyRule]: ...

    @property
    def categories(self) -> Mapping[str, PrivacyRule]: ...

    @property
    def keys(self) -> Sequence[Caller]: ...

    @property
    def tenants(self) -> Sequence[Narrows]: ...


def rules_of(
    snapshot: Ruled, *, route: Narrows | None = None, key: int = -1, categories: tuple[str, ...] = ()
) -> tuple[Rules, ...]:
    """All of them have to let a deployment pass.

    Args:
        categories: of what was found in the request.
    """
    general = Narrowing(dict(snapshot.privacy), dict(snapshot.categories))
    narrowed = [route.privacy if route is not None else NOTHING, NOTHING, NOTHING]
    if key >= 0:
        who = snapshot.keys[key]
        narrowed[1] = who.privacy
        if who.tenant >= 0:
            narrowed[2] = snapshot.tenants[who.tenant].privacy
    assert len(ORIGINS) == 1 + len(narrowed)
    return tuple(
        rules for origin, each in enumerate((general, *narrowed)) for rules in _rules(each, origin, categories)
    )


def all_rules(snapshot: Snapshot) -> tuple[Rules, ...]:
    """For whoever may be shown any request: of every route, key, tenant and category."""
    found = tuple(ruled_categories(snapshot))
    asked = [rules_of(snapshot, categories=found)]
    asked += [rules_of(snapshot, route=route, categories=found) for route in snapshot.routes]
    asked += [rules_of(snapshot, key=key.index, categories=found) for key in snapshot.keys]
    return tuple(dict.fromkeys(rules for each in asked for rules in each))


def ruled_categories(snapshot: Snapshot) -> frozenset[str]:
    """Those any rule speaks of."""
    narrowings = [route.privacy for route in snapshot.routes]
    narrowings += [key.privacy for key in snapshot.keys] + [tenant.privacy for tenant in snapshot.tenants]
    return frozenset(snapshot.categories).union(*(each.categories for each in narrowings))


def _rules(said: Narrowing, origin: int, categories: tuple[str, ...]) -> Iterator[Rules]:
    if said.classes:
        yield Rules(tuple(said.classes.get(name, _OPEN) for name in DATA_CLASSES), origin)
    for name in categories:
        if name in said.categories:
            own = len(CATEGORIES)
            number = CATEGORIES.index(name) if name in CATEGORIES else own
            yield Rules((said.categories[name],), origin, 1 + number)
