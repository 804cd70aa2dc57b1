"""A request or a preset of OpenRouter, said in ours: its models become a route, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from twintrack.catalog import models as catalogue
from twintrack.catalog import providers
from twintrack.config.moving import write
from twintrack.config.moving.account import Account, Advice
from twintrack.config.moving.document import Document, Node
from twintrack.config.moving.draft import Deployment, Draft, Route, plain_name, unused
from twintrack.config.moving.moved import Moved, World
from twintrack.config.moving.upstream import Place, default_upstream, identity, place
from twintrack.config.moving.variables import Variables
from twintrack.config.moving.words import Prefix, words
from twintrack.config.moving.write import Value

_US = "openrouter"
_PRESET = "@preset/"
_MARKS = ("model", "models", "provider", "data")


def is_one(root: Node) -> bool:
    """Whether it looks like a request, a preset, or a list of them."""
    return any(mark in each.fields for each in (root.items or [root]) for mark in _MARKS)


def translate(document: Document, world: World) -> Moved:
    account = Account(document, _advice())
    variables = Variables(document.root)
    draft = Draft(
        [
            f"Moved from {document.name}, a request or preset of OpenRouter, by `twintrack init --from`.",
            "`twintrack config check` says whether it is right, `twintrack serve` serves it, and",
            "`twintrack config reference` tells what every word means.",
        ]
    )
    for node in document.root.items or [document.root]:
        _Request(node, account, draft, variables, world).carry()
    account.close()
    hints = tuple(dict.fromkeys(_hints(draft, world)))
    return Moved(document.name, draft, account.remarks, account.summary, account.carried, variables.used, (), hints)


def _advice() -> list[Advice]:
    """Each also for what stands in the configuration of a preset."""
    own = words(_US).advice
    below = ("data", "designated_version", "config")
    return [*own, *(replace(each, path=(*below, *each.path)) for each in own if each.path[0] != "data")]


class _Request:
    def __init__(self, node: Node, account: Account, draft: Draft, variables: Variables, world: World) -> None:
        self._account = account
        self._draft = draft
        self._variables = variables
        self._world = world
        self._slug: Node | None = None
        preset = node.fields.get("data", node)
        version = preset.fields.get("designated_version")
        if version is not None and "config" in version.fields:
            self._slug = preset.fields.get("slug")
            node = version.fields["config"]
        self._fields = node.fields

    def carry(self) -> None:
        wanted = list(self._models())
        at = place(_US, Prefix((_US,), api=(_US,)), "", {})
        if isinstance(at, str):
            for node in wanted:
                self._account.lose(node, at)
            return
        tiers: list[tuple[str, list[Deployment]]] = []
        names: list[str] = []
        for node in wanted:
            name = str(node.scalar)
            if name.startswith(_PRESET):
                self._account.lose(
                    node, "What the preset says is kept at OpenRouter. Save its JSON, and run this on it."
                )
                continue
            if name not in names:
                number = len(tiers)
                called = "main" if number == 0 else "fallback" if number == 1 else f"fallback-{number}"
                tiers.append((called, [self._deployment(name, at)]))
                names.append(name)
            self._account.carry(node, "routes.tiers")
        if not tiers:
            return
        if len(tiers) > self._world.attempts:
            self._limited(wanted)
        self._variables.use(self._variables.need(providers.providers()[_US].key_env, 0, f"the key of {_US}"))
        self._draft.routes.append(Route(self._name(names[0]), tiers))
        way = self._fields.get("route")
        if way is not None and way.scalar == "fallback":
            self._account.carry(way, "routes.tiers")

    def _models(self) -> Iterator[Node]:
        first = self._fields.get("model")
        rest = self._fields["models"].items if "models" in self._fields else []
        for node in ([first] if first is not None else []) + rest:
            if isinstance(node.scalar, str) and node.scalar:
                yield node

    def _limited(self, wanted: list[Node]) -> None:
        for node in wanted[self._world.attempts :]:
            why = (
                f"It stands in the route, but a request is sent to at most {self._world.attempts} deployments: it is "
                "asked only where those before it are passed over as unhealthy, busy or too small."
            )
            if not str(node.scalar).startswith(_PRESET):
                self._account.remark(node, "changed", why)

    def _name(self, first: str) -> str:
        """What clients sent as model, so that they need not change."""
        name = first
        if self._slug is not None and isinstance(self._slug.scalar, str):
            name = _PRESET + self._slug.scalar
            self._account.carry(self._slug, "routes")
        taken = {route.name for route in self._draft.routes} | {each.called for each in self._draft.deployments}
        return unused(plain_name(name), taken)

    def _deployment(self, name: str, at: Place) -> Deployment:
        provider = self._draft.provider(at.name, at.api, dict(at.fields))
        which = identity(at, name, name.partition(":")[0])
        fields: dict[str, Value] = {}
        comments: dict[str, str] = {}
        if name != default_upstream(which, at):
            fields["upstream_model"] = name
        if which.known is None:
            quality, how = self._world.guess(name)
            fields["facts"] = {"modalities": ["text"], "tools": True, "quality": quality}
            comments["facts"] = f"quality: {how}; inputs and tools: assumed"
        return self._draft.deployment(Deployment("", provider.name, which.model, fields, comments))


def _hints(draft: Draft, world: World) -> Iterator[str]:
    """The same models without the broker between, where their provider's key is in the environment."""
    for each in draft.deployments:
        known = catalogue.find(each.model)
        for name in known.upstream if known else ():
            row = providers.find(name)
            if name == _US or row is None or not row.key_env or row.key_env not in world.environ:
                continue
            yield "\n".join(
                [
                    f"{row.key_env} is set: the same model at {name} itself. Add it to the tier of {each.called}.",
                    "",
                    "[[providers]]",
                    write.pair("name", name),
                    "",
                    "[[deployments]]",
                    write.pair("model", each.model),
                    write.pair("provider", name),
                ]
            )
