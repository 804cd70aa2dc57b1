"""LiteLLM's model_list: each entry becomes a deployment, or a line of the list of what did not make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import inf

import msgspec

from twintrack.config import settings
from twintrack.config.moving.account import Account
from twintrack.config.moving.document import Node
from twintrack.config.moving.draft import Deployment, Draft, plain_name
from twintrack.config.moving.litellm_entry import Entry, NotCarried, decimal
from twintrack.config.moving.litellm_facts import facts, price
from twintrack.config.moving.litellm_places import follow_credential, key_of, place_of, prefix_of, stripped
from twintrack.config.moving.moved import World
from twintrack.config.moving.upstream import Identity, Place, default_upstream, fits, identity, offered
from twintrack.config.moving.variables import Variables
from twintrack.config.moving.words import Prefix, Words
from twintrack.config.moving.write import Value

_CHAT, _EMBEDDING = ("chat", "completion", "responses"), "embedding"


@dataclass
class Member:
    """A deployment of a group."""

    order: float
    """LiteLLM asks those with the least first, and those without one last."""
    deployment: Deployment


class Models:
    def __init__(self, account: Account, draft: Draft, variables: Variables, world: World, words: Words) -> None:
        self._account = account
        self._draft = draft
        self._variables = variables
        self._world = world
        self._words = words
        self.credentials: dict[str, Node] = {}
        """By name, from credential_list."""
        self.environment: Mapping[str, Node] = {}
        """What environment_variables sets."""
        self.groups: dict[str, list[Member]] = {}
        """By model_name."""
        self.ids: dict[str, Member] = {}
        """By model_info.id."""
        self.names: dict[str, list[Node]] = {}
        """Where each group got its name."""

    def add(self, entries: Node) -> None:
        def is_pattern(entry: Node) -> bool:
            return "model_name" in entry.fields and "*" in str(entry.fields["model_name"].scalar)

        for entry in sorted(entries.items, key=is_pattern):  # names that stand there win over those a pattern gives
            self._add(Entry(entry, self.environment, self._world.environ))

    def _add(self, entry: Entry) -> None:
        try:
            self._carry(entry)
        except NotCarried as why:
            unset = ", ".join(dict.fromkeys(entry.unset))
            told = f"{why} Not set here: {unset}; set it and run this again." if unset else str(why)
            self._account.lose(entry.node, told)

    def _carry(self, entry: Entry) -> None:
        """Raises NotCarried before anything has changed that is written."""
        named, wanting = entry.node.fields.get("model_name"), entry.params.get("model")
        group, wanted = entry.text(named), entry.text(wanting)
        if named is None or wanting is None or not group or not wanted:
            raise NotCarried("A model needs model_name and litellm_params.model, as texts.")
        follow_credential(entry, self.credentials)
        mode = _mode(entry)
        name, prefix, rest = prefix_of(entry, wanted, self._words)
        upstream, region = stripped(rest, prefix)
        at = place_of(entry, name, prefix, region)
        if not mode and "*" not in upstream:
            mode = self._mode_by_name(entry, group, upstream, at, prefix)
        reference = key_of(entry, at, prefix, self._variables, self._world.environ)
        entry.take(named, "routes")
        entry.take(wanting, "deployments.upstream_model")
        if "*" in upstream:
            self._pattern(entry, group, upstream, at)
        elif "*" in group:
            raise NotCarried("The name is a pattern and its model is not: write each name clients send.")
        else:
            if prefix.models and not upstream.startswith(prefix.models.partition("/")[0] + "/"):
                upstream = prefix.models + upstream
            self._one(entry, group, upstream, at, prefix, mode)
        entry.commit(self._account)
        self._variables.use(reference)
        self.names.setdefault(group, []).append(named)

    def _one(self, entry: Entry, group: str, upstream: str, at: Place, prefix: Prefix, mode: str) -> None:
        which = self._identity(entry, group, upstream, at, prefix)
        embeddings = mode == _EMBEDDING or bool(which.known and which.known.embeddings)
        fields: dict[str, Value] = {}
        comments: dict[str, str] = {}
        if upstream != default_upstream(which, at):
            fields["upstream_model"] = upstream
        if costs := price(entry, embeddings=embeddings):
            fields["price"] = costs
        said, comments["facts"] = facts(entry, which, upstream, self._world.guess, embeddings=embeddings)
        if said:
            fields["facts"] = said
        in_flight = entry.count(entry.params.get("max_parallel_requests"), "deployments.max_in_flight")
        if in_flight:
            fields["max_in_flight"] = in_flight
        plain = _plain({"model": which.model, "provider": at.name} | fields)
        if wrong := fits(msgspec.convert(plain, settings.Deployment), at):
            raise NotCarried(wrong)
        order = decimal(entry.params.get("order"))
        if order is not None:
            entry.take(entry.params["order"], "routes.tiers")
        name = self._id(entry)
        provider = self._draft.provider(at.name, at.api, dict(at.fields), at.comments)
        new = Deployment(name, provider.name, which.model, fields, comments, embeddings=embeddings)
        member = Member(inf if order is None else float(order), self._draft.deployment(new))
        members = self.groups.setdefault(group, [])
        if all(each.deployment is not member.deployment for each in members):
            members.append(member)
        if name:
            self.ids[name] = member
        if prefix.changed:
            entry.say(entry.params["model"], "changed", prefix.changed)

    def _mode_by_name(self, entry: Entry, group: str, upstream: str, at: Place, prefix: Prefix) -> str:
        """Raises NotCarried: its name tells that it neither chats nor embeds."""
        if self._identity(entry, group, upstream, at, prefix).known is not None:
            return ""
        base = entry.text(entry.info.get("base_model")) or ""
        names = [base] if base else [upstream, group] if prefix.named == "group" else [upstream]
        does = next(filter(None, map(self._words.does, names)), "")
        if does and does != "embeddings":
            raise NotCarried(
                f"By its name it {does}, and Twintrack serves chat and embeddings: let clients ask it without "
                "Twintrack. If it chats all the same, write mode: chat into its model_info and run this again."
            )
        return _EMBEDDING if does else ""

    def _identity(self, entry: Entry, group: str, upstream: str, at: Place, prefix: Prefix) -> Identity:
        """Which model it is: base_model knows best, then what the provider calls it."""
        base = entry.text(entry.info.get("base_model")) or ""
        for name in (base, base.partition("/")[2]):
            which = identity(at, name) if name else None
            if which is not None and which.known is not None:
                entry.take(entry.info["base_model"], "deployments.model")
                return which
        if prefix.named != "group":
            return identity(at, upstream)
        which = identity(at, upstream, group)
        return which if which.known is not None else Identity(plain_name(group), None)

    def _id(self, entry: Entry) -> str:
        """Clients of LiteLLM may ask for a deployment by its id, and fallbacks may name it."""
        node = entry.info.get("id")
        name = entry.text(node)
        if node is None or not name or plain_name(name) != name or name in self.ids:
            return ""
        entry.take(node, "deployments.name")
        return name

    def _pattern(self, entry: Entry, group: str, upstream: str, at: Place) -> None:
        """Every model the catalogue knows of that provider; there are no patterns in Twintrack."""
        if "*" not in group or upstream != "*":
            raise NotCarried("Only patterns like openai/* for both names can be written out: name the models.")
        known = offered(at.api)
        if not known or not at.at_home:
            raise NotCarried("The catalogue does not know what is served there: name the models.")
        provider = self._draft.provider(at.name, at.api, dict(at.fields), at.comments)
        for model, name in known:
            called = group.replace("*", name)
            if called in self.groups:
                continue
            new = Deployment("", provider.name, model.name, {}, embeddings=model.embeddings)
            if name != default_upstream(Identity(model.name, model), at):
                new.fields["upstream_model"] = name
            self.groups[called] = [Member(inf, self._draft.deployment(new))]
        why = (
            f"A pattern: the {len(known)} models of {provider.api} that the catalogue knows are written out. Any other "
            "needs a deployment and a route of its own."
        )
        entry.say(entry.params["model"], "changed", why)


def _mode(entry: Entry) -> str:
    node = entry.info.get("mode") or entry.params.get("mode")
    mode = entry.text(node)
    if node is None or mode is None:
        return ""
    if mode not in (*_CHAT, _EMBEDDING):
        raise NotCarried(f"Twintrack serves chat and embeddings, not {mode[:40]!r}.")
    entry.take(node, "facts.embeddings")
    return mode


def _plain(fields: Mapping[str, Value]) -> dict[str, object]:
    """As msgspec takes them."""
    return {
        word: _plain(each) if isinstance(each, Mapping) else float(each) if isinstance(each, Decimal) else each
        for word, each in fields.items()
    }
