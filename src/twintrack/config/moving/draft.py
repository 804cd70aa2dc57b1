"""The configuration to be: providers, deployments and routes, each with a name nobody else has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from twintrack.config.moving import write
from twintrack.config.moving.write import Value

_NOT_A_NAME = re.compile(r"[^!-~]+")
_ORDER = (
    "Routes ask their tiers in order, whatever their quality: that is what keep_quality = 0 means. With 0.98, say, the "
    "cheapest deployment that is good enough would answer. Savings are measured against the first deployment of the "
    "last tier, which here may be a fallback."
)
_PROVIDER_WORDS = ("url", "project", "region", "key", "zone")
_LONGEST_NAME = 100
"""Of 128 that a name may have, so that a number fits behind it."""


def plain_name(text: str) -> str:
    """`text` as a name clients can send."""
    return _NOT_A_NAME.sub("-", text)[:_LONGEST_NAME] or "-"


@dataclass
class Provider:
    name: str
    api: str
    fields: dict[str, Value]
    """Beside name and api."""
    comments: dict[str, str] = field(default_factory=dict)
    """Behind a field, by its word."""


@dataclass
class Deployment:
    name: str
    """Empty: MODEL@PROVIDER."""
    provider: str
    model: str
    fields: dict[str, Value]
    """Beside name, model and provider."""
    comments: dict[str, str] = field(default_factory=dict)
    embeddings: bool = False

    @property
    def called(self) -> str:
        return self.name or f"{self.model}@{self.provider}"


@dataclass
class Route:
    name: str
    tiers: list[tuple[str, list[Deployment]]]
    fields: dict[str, Value] = field(default_factory=dict)

    @property
    def deployments(self) -> list[Deployment]:
        return [each for _, tier in self.tiers for each in tier]


@dataclass
class Key:
    name: str
    key: str
    """A reference."""


@dataclass
class Draft:
    above: list[str]
    """What the file says first."""
    keys: list[Key] = field(default_factory=list)
    providers: list[Provider] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    deadlines: dict[str, Value] = field(default_factory=dict)
    listen: str = "127.0.0.1:8080"
    listen_comment: str = "only this machine; beyond it a key is required"

    def provider(
        self, name: str, api: str, fields: dict[str, Value], comments: dict[str, str] | None = None
    ) -> Provider:
        """The one that says the same; a new one gets `name`, with a number if another has it."""
        for each in self.providers:
            if (each.api, each.fields) == (api, fields):
                return each
        free = unused(plain_name(name), (each.name for each in self.providers))
        new = Provider(free, api, fields, comments or {})
        self.providers.append(new)
        return new

    def trade_names(self, one: Provider, two: Provider) -> None:
        """Each gets the other's name, unless a deployment would then be called as another is."""
        names = {one.name: two.name, two.name: one.name}
        called = [replace(each, provider=names.get(each.provider, each.provider)).called for each in self.deployments]
        if len(set(called)) == len(called):
            one.name, two.name = two.name, one.name
            for each in self.deployments:
                each.provider = names.get(each.provider, each.provider)

    def deployment(self, new: Deployment) -> Deployment:
        """The one that says the same, else `new` under a name nobody has."""
        for each in self.deployments:
            same = (each.provider, each.model, each.fields) == (new.provider, new.model, new.fields)
            if same and new.name in ("", each.name):
                return each
        taken = {each.called for each in self.deployments} | {route.name for route in self.routes}
        called = plain_name(new.called)
        if called in taken or called != new.called:
            new.name = unused(called, taken, ":")
        self.deployments.append(new)
        return new

    def text(self) -> str:
        blocks = ["\n".join(write.comment("\n".join(self.above)))] if self.above else []
        blocks.append(write.table("[server]", [write.pair("listen", self.listen, self.listen_comment)]))
        if self.deadlines:
            blocks.append(write.table("[server.deadlines]", _pairs(self.deadlines, {})))
        blocks += [write.table("[[keys]]", _pairs({"name": each.name, "key": each.key}, {})) for each in self.keys]
        blocks += map(_provider, self.providers)
        blocks += map(_deployment, self.deployments)
        if any(len(each.deployments) > 1 for each in self.routes):
            blocks.append("\n".join(write.comment(_ORDER)))
        blocks += map(_route, self.routes)
        return "\n".join(block if block.endswith("\n") else block + "\n" for block in blocks)


def unused(name: str, taken: Iterable[str], joint: str = "-") -> str:
    """`name`, or with the next number behind it."""
    used = set(taken)
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}{joint}{number}"
    return free


def _pairs(fields: dict[str, Any], comments: dict[str, str]) -> list[str]:
    return [write.pair(word, each, comments.get(word, "")) for word, each in fields.items()]


def _provider(each: Provider) -> str:
    api = {} if each.api == each.name else {"api": each.api}
    ordered = {word: each.fields[word] for word in (*_PROVIDER_WORDS, *each.fields) if word in each.fields}
    return write.table("[[providers]]", _pairs({"name": each.name} | api | ordered, each.comments))


def _deployment(each: Deployment) -> str:
    named = {"name": each.name} if each.name else {}
    fields = {"model": each.model, "provider": each.provider} | named | each.fields
    return write.table("[[deployments]]", _pairs(fields, each.comments))


def _route(each: Route) -> str:
    lines = ["tiers = ["]
    for name, tier in each.tiers:
        lines.append(f"  {write.value({'name': name, 'deployments': [one.called for one in tier]})},")
    lines.append("]")
    if len(each.deployments) > 1:
        lines.append(write.pair("keep_quality", 0))
    lines += _pairs(each.fields, {})
    return write.table(f"[routes.{write.key(each.name)}]", lines)
