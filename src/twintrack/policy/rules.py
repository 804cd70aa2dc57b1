"""Which rules hold for a request: the general ones, and beside them those of its route, key, tenant and findings."""

from __future__ import annotations

from collections.abc import Iterator

from twintrack.config.settings import CATEGORIES, DATA_CLASSES, ZONES
from twintrack.config.snapshot import Narrowing, PrivacyRule, Route, Snapshot
from twintrack.policy.objections import ORIGINS, Rules

NOTHING = Narrowing()
_OPEN = PrivacyRule(ZONES, ("*",))


def rules_of(
    snapshot: Snapshot, *, route: Route | None = None, key: int = -1, categories: tuple[str, ...] = ()
) -> tuple[Rules, ...]:
    """All of them have to let a deployment pass.

    Args:
        categories: of what was found in the request.
    """
    general = Narrowing(snapshot.privacy, snapshot.categories)
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
