"""LiteLLM's model groups and fallbacks become routes: the group first, then whoever it falls back to, tier by tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from twintrack.config.moving.account import Account, Kind
from twintrack.config.moving.document import Node
from twintrack.config.moving.draft import Deployment, Draft, Route, plain_name, unused
from twintrack.config.moving.litellm_models import Member, Models

_ANY = "*"


_WINDOW = (
    "It stands in the route like any fallback: it is asked where the prompt is longer than the window of those before "
    "it, if that is known, and also where they fail."
)
_ITSELF = "It falls back to itself."
_OTHER_VECTORS = "It answers with other vectors, or with none: embeddings do not mix."
_NOBODY_NEEDS = "Every model has fallbacks of its own."


@dataclass(eq=False)
class _Target:
    node: Node
    """Where the old file names it."""
    name: str
    for_window: bool = False
    """Only where the prompt is too long."""
    carried: bool = False
    kind: Kind | None = None
    why: str = ""

    def say(self, kind: Kind, why: str) -> None:
        """What holds for one route; a route that carries it outdoes another that does not."""
        if self.kind != "changed":
            self.kind, self.why = kind, why


class Routes:
    def __init__(self, account: Account, draft: Draft, models: Models, attempts: int) -> None:
        self._account = account
        self._draft = draft
        self._models = models
        self._attempts = attempts
        self._fallbacks: dict[str, list[_Target]] = {}
        """By group."""
        self._windows: dict[str, list[_Target]] = {}
        self._default: list[_Target] = []
        self._aliases: dict[str, _Target] = {}
        self._all: list[_Target] = []
        self.drop_unsupported = False

    # ---- what the settings say

    def fallbacks(self, node: Node) -> None:
        """A list of {group: [group, …]}; for the group * it holds for all that have none."""
        for item in node.items:
            for name, targets in item.fields.items():
                found = self._targets(targets)
                if name == _ANY:
                    self._default += found
                else:
                    self._fallbacks.setdefault(name, []).extend(found)

    def window_fallbacks(self, node: Node) -> None:
        for item in node.items:
            for name, targets in item.fields.items():
                self._windows.setdefault(name, []).extend(self._targets(targets, for_window=True))

    def default_fallbacks(self, node: Node) -> None:
        self._default += self._targets(node)

    def aliases(self, node: Node) -> None:
        for alias, target in node.fields.items():
            model = target.fields.get("model", target)
            if isinstance(model.scalar, str):
                self._aliases[alias] = _Target(model, model.scalar)
            hidden = target.fields.get("hidden")
            if hidden is not None:
                self._account.lose(hidden, "A key sees the names it may use: leave the alias out of its `models`.")

    def _targets(self, node: Node, *, for_window: bool = False) -> list[_Target]:
        found = []
        for item in node.items:
            named = item.fields.get("model", item)
            if isinstance(named.scalar, str):
                found.append(_Target(named, named.scalar, for_window))
        self._all += found
        return found

    # ---- what they become

    def write(self) -> None:
        for name in self._models.groups:
            self._route(name, name)
        for alias, target in self._aliases.items():
            if alias in self._models.groups:
                self._account.lose(target.node, f"A model is called {alias[:80]!r} itself, and that one answers.")
            elif target.name not in self._models.groups:
                self._account.lose(target.node, f"No model called {target.name[:80]!r} was carried.")
            else:
                self._account.carry(target.node, "routes")
                self._route(alias, target.name)
        for name, targets in (*self._fallbacks.items(), *self._windows.items()):
            for target in targets:
                if target.kind is None and not target.carried:
                    target.say("not carried", f"No model called {name[:80]!r} was carried.")
        for target in self._all:
            if target.carried:
                self._account.carry(target.node, "routes.tiers")
                if target.kind == "changed":
                    self._account.remark(target.node, target.kind, target.why)
            else:
                self._account.remark(target.node, target.kind or "not needed", target.why or _NOBODY_NEEDS)

    def _route(self, name: str, group: str) -> None:
        called = unused(plain_name(name), (route.name for route in self._draft.routes))
        if called != name:
            self._say_renamed(name, called)
        self._make_room(called)
        route = Route(called, [])
        for number, tier in enumerate(_by_order(self._models.groups[group])):
            self._tier(route, "main" if number == 0 else f"next-{number + 1}", tier)
        for target in (
            *self._after(self._fallbacks, name, group, self._default),
            *self._after(self._windows, name, group),
        ):
            self._fall_back(route, target, group)
        if self.drop_unsupported:
            route.fields["drop_unsupported"] = True
        self._draft.routes.append(route)

    def _after(
        self, said: dict[str, list[_Target]], name: str, group: str, default: Sequence[_Target] = ()
    ) -> Sequence[_Target]:
        return said.get(name) or said.get(group) or default

    def _fall_back(self, route: Route, target: _Target, group: str) -> None:
        resolved = self._aliases[target.name].name if target.name in self._aliases else target.name
        if resolved == group:
            target.say("not needed", _ITSELF)
            return
        members = self._models.groups.get(resolved)
        if members is None and resolved in self._models.ids:
            members = [self._models.ids[resolved]]
        if members is None:
            target.say("not carried", f"No model called {target.name[:80]!r} was carried.")
            return
        kept, before = False, len(route.deployments)
        for tier in _by_order(members):
            number = sum(name.startswith("fallback") for name, _ in route.tiers)
            kept |= self._tier(route, f"fallback-{number + 1}" if number else "fallback", tier)
        if not kept:
            target.say("not carried", _OTHER_VECTORS)
            return
        target.carried = True
        if target.for_window:
            target.say("changed", _WINDOW)
        elif before >= self._attempts:
            why = (
                f"It stands in the route, but a request is sent to at most {self._attempts} deployments: it is asked "
                "only where those before it are passed over as unhealthy, busy or too small."
            )
            target.say("changed", why)

    def _tier(self, route: Route, name: str, tier: list[Deployment]) -> bool:
        """Add what fits the route and is not in it yet. False: nothing fits."""
        fitting = [each for each in tier if _mixes(each, (route.deployments or tier)[0])]
        for each in tier:
            if each not in fitting and not route.tiers:
                each.comments["model"] = f"not in the route {route.name}: vectors of two models do not mix"
        new = [each for each in fitting if each not in route.deployments]
        if new:
            route.tiers.append((name, new))
        return bool(fitting)

    def _make_room(self, name: str) -> None:
        """A route goes before a deployment of the same name: clients that send it mean all of them."""
        for each in self._draft.deployments:
            if each.called == name:
                routes = {plain_name(other) for other in (*self._models.groups, *self._aliases)}
                routes |= {name, *(route.name for route in self._draft.routes)}
                taken = routes | {other.called for other in self._draft.deployments}
                each.name = unused(f"{each.model}@{each.provider}", taken, ":")

    def _say_renamed(self, name: str, called: str) -> None:
        for entry in self._models.names.get(name, ()):
            self._account.remark(entry, "changed", f"Clients now send {called}: a name is plain ASCII without spaces.")


def _by_order(members: list[Member]) -> list[list[Deployment]]:
    ranked = sorted(members, key=lambda each: each.order)
    return [[each.deployment for each in rank] for _, rank in groupby(ranked, key=lambda each: each.order)]


def _mixes(one: Deployment, two: Deployment) -> bool:
    return one.model == two.model or not (one.embeddings or two.embeddings)
