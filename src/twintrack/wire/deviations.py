"""How a server differs from the dialect it says it speaks: a closed set of words, and bodies changed accordingly.

The facts stand in `catalog/providers.toml`, one table a deviation, each with where it was read and when. `of_model`
keeps those that hold for one model; `adapter` makes them ready, once. A body changes only where it has the member
concerned, and every other value travels as it was written.

What a member asks for and the server cannot do is refused by name, unless leaving it out changes no meaning: a hint
(`HINTS`), or a value that says what saying nothing says (`UNSAID`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.dialect import KEPT_ELSEWHERE, UNREADABLE

EndpointName = Literal["chat", "embeddings", "responses", "messages", "count_tokens", "generate"]
Scalar = str | bool | int | float

HINTS = frozenset(
    (
        "user", "metadata", "store", "safety_identifier", "verbosity", "stream_options", "cache_control",
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "messages[].reasoning", "messages[].reasoning_content",
    )
)  # fmt: skip
"""Members that may be left out without a word: the answer means the same."""

UNSAID: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "logit_bias": ({},),
    "parallel_tool_calls": (True,),
    "tool_choice": ("auto",),
    "service_tier": ("auto", "default"),
    "modalities": (["text"],),
    "response_format": ({"type": "text"},),
    "encoding_format": ("float",),
    "truncation": ("disabled",),
    "background": (False,),
    "tools[].function.strict": (False,),
}
"""Values that say what leaving the member out says. So does null, for every member."""


Trigger = tuple[str, bytes]
"""A member of the body, and bytes without which nothing inside it is meant; empty: the member alone is enough. A name
inside that is written with escapes is the server's to judge."""
ALWAYS = ""
"""Stands for a member that every body has."""
Dropped = list[str] | None
"""Where what is left out is noted by its path, once for each place; None: nothing may be left out."""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="what"):
    """What every deviation says of itself."""

    endpoint: EndpointName = "chat"
    models: tuple[str, ...] = ()
    """Patterns of the models it holds for, by the provider's name or ours, in lower case; empty: all."""
    not_models: tuple[str, ...] = ()
    """Exceptions from these."""
    note: str = ""
    checked: Literal["docs", "source", "measured", "seen", "unverified"] = "docs"
    """How it is known: the vendor's pages; its source or SDK; we asked a running server; somebody else's code or
    report shows the server's answer; or nobody could confirm it, and it is here since being wrong costs little."""
    source: str
    as_of: str
    """YYYY-MM-DD."""

    def holds(self, names: Iterable[str]) -> bool:
        """For the model of these names, lower case."""
        names = tuple(names)
        if any(fnmatchcase(name, pattern) for pattern in self.not_models for name in names):
            return False
        return not self.models or any(fnmatchcase(name, pattern) for pattern in self.models for name in names)

    def triggers(self) -> tuple[Trigger, ...]:
        """What a body must have for anything to change."""
        return ()

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        return body


class Refuses(Row, frozen=True, tag="refuses"):
    """Answers 400 or 422 to these members, but for the values in `unless`."""

    members: tuple[str, ...]
    """Names or paths: `n`, `messages[].name`."""
    unless: tuple[Scalar, ...] = ()
    """Of an object its `type` counts."""
    unless_body_says: dict[str, Scalar] = {}
    """By path: where the body has one of these values, the members are taken after all."""

    def triggers(self) -> tuple[Trigger, ...]:
        return tuple(_trigger(member) for member in self.members)

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        if any(_says(body, path, value) for path, value in self.unless_body_says.items()):
            return body
        for path in self.members:
            if _trigger(path)[1] in body:
                body = _edited(body, path, partial(self._judge, path, provider, dropped))
        return body

    def _judge(self, path: str, provider: str, dropped: Dropped, members: _Members, name: str) -> bool:
        if name not in members:
            return False
        value = msgspec.json.decode(members[name])
        if _is_one(value.get("type") if isinstance(value, dict) else value, self.unless):
            return False
        if value is None or path in HINTS or _is_one(value, UNSAID.get(path, ())):
            del members[name]
            return True
        if dropped is not None and f"$.{path}" not in KEPT_ELSEWHERE:
            del members[name]
            dropped.append(f"$.{path}")
            return True
        only = f" It takes only {_listed(self.unless)}." if self.unless else ""
        raise BadRequest(
            f"{provider} cannot be asked with $.{path}",
            why=f"it answers such a request with an error ({self.source}, {self.as_of}).{only}",
            fix="Leave it out, or send x-twintrack-drop-unsupported: true to have such members left out.",
            param=f"$.{path}",
        )


class Ignores(Row, frozen=True, tag="ignores"):
    """Takes these members and does nothing with them. The body stays; whoever chooses may want to know."""

    members: tuple[str, ...]


class Renames(Row, frozen=True, tag="renames"):
    """Knows the member by another name. Where the body has both, the server's own counts."""

    member: str
    to: str

    def triggers(self) -> tuple[Trigger, ...]:
        return (_trigger(self.member),)

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        return _edited(body, self.member, self._rename)

    def _rename(self, members: _Members, name: str) -> bool:
        if name not in members:
            return False
        if self.to in members:
            del members[name]
            return True
        renamed = {self.to if each == name else each: value for each, value in members.items()}
        members.clear()
        members.update(renamed)
        return True


class Spells(Row, frozen=True, tag="spells"):
    """Has another word for a value."""

    member: str
    value: str
    to: str

    def triggers(self) -> tuple[Trigger, ...]:
        return ((_trigger(self.member)[0], msgspec.json.encode(self.value)),)

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        return _edited(body, self.member, self._spell)

    def _spell(self, members: _Members, name: str) -> bool:
        if name not in members or msgspec.json.decode(members[name]) != self.value:
            return False
        members[name] = msgspec.Raw(msgspec.json.encode(self.to))
        return True


class Sets(Row, frozen=True, tag="sets"):
    """Wants a member that the dialect does not have."""

    member: str
    value: str

    def triggers(self) -> tuple[Trigger, ...]:
        return ((ALWAYS, b""),)

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        return _edited(body, self.member, self._set)

    def _set(self, members: _Members, name: str) -> bool:
        if name in members:
            return False
        members[name] = msgspec.Raw(msgspec.json.encode(self.value))
        return True


class LeavesOut(Row, frozen=True, tag="leaves_out"):
    """Must not be told what it has from elsewhere, as the model from the path."""

    members: tuple[str, ...]

    def triggers(self) -> tuple[Trigger, ...]:
        return tuple(_trigger(member) for member in self.members)

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        for path in self.members:
            body = _edited(body, path, _remove)
        return body


class AsList(Row, frozen=True, tag="as_list"):
    """Takes a list where the dialect takes a single text as well."""

    member: str

    def triggers(self) -> tuple[Trigger, ...]:
        return (_trigger(self.member),)

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        return _edited(body, self.member, self._wrap)

    def _wrap(self, members: _Members, name: str) -> bool:
        if name not in members or not bytes(members[name]).startswith(b'"'):
            return False
        members[name] = msgspec.Raw(b"[%b]" % bytes(members[name]))
        return True


class ToolCallIds(Row, frozen=True, tag="tool_call_ids"):
    """Takes only ids of so many letters and digits: others become a digest, in calls of tools and results alike."""

    length: int

    def triggers(self) -> tuple[Trigger, ...]:
        return (("messages", b'"tool_call_id"'), ("messages", b'"tool_calls"'))

    def changed(self, body: bytes, provider: str, dropped: Dropped) -> bytes:
        return _edited(
            _edited(body, "messages[].tool_call_id", self._shorten), "messages[].tool_calls[].id", self._shorten
        )

    def _shorten(self, members: _Members, name: str) -> bool:
        said = msgspec.json.decode(members[name]) if name in members else None
        if not isinstance(said, str) or re.fullmatch(f"[A-Za-z0-9]{{{self.length}}}", said):
            return False
        digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[: self.length]
        members[name] = msgspec.Raw(msgspec.json.encode(digest))
        return True


class StreamUsage(Row, frozen=True, tag="stream_usage"):
    """always: usage comes in streams unasked. never: it does not come, asked or not."""

    value: Literal["always", "never"]


class ReasoningText(Row, frozen=True, tag="reasoning_text"):
    """Where thinking stands in an answer: a member of message and delta, or parts of the content."""

    value: Literal["reasoning_content", "reasoning", "content_parts"]


class FinishReason(Row, frozen=True, tag="finish_reason"):
    """A word of its own for why an answer ended, and the dialect's nearest."""

    value: str
    to: Literal["stop", "length", "tool_calls", "content_filter", "end_turn", "max_tokens", "tool_use", "refusal"]


class AskedAt(Row, frozen=True, tag="asked_at"):
    """Is asked at a path of its own below the base address; `{model}` stands for the model's name."""

    path: str
    stream: str = ""
    """For streamed answers; empty: the same."""


Deviation = (
    Refuses
    | Ignores
    | Renames
    | Spells
    | Sets
    | LeavesOut
    | AsList
    | ToolCallIds
    | StreamUsage
    | ReasoningText
    | FinishReason
    | AskedAt
)


class Deviations(msgspec.Struct, frozen=True):
    """Those of one model at one provider."""

    provider: str
    rows: tuple[Deviation, ...]

    @property
    def stream_usage(self) -> Literal["asked", "always", "never"]:
        """Whether usage comes in streams; asked: if `stream_options` says so."""
        return next((row.value for row in self.rows if isinstance(row, StreamUsage)), "asked")

    @property
    def reasoning_text(self) -> Literal["", "reasoning_content", "reasoning", "content_parts"]:
        return next((row.value for row in self.rows if isinstance(row, ReasoningText)), "")

    @property
    def finish_reasons(self) -> dict[str, str]:
        """The dialect's word by the server's own."""
        return {row.value: row.to for row in self.rows if isinstance(row, FinishReason)}

    def asked_at(self, endpoint: str) -> AskedAt | None:
        return next((row for row in self.rows if isinstance(row, AskedAt) and row.endpoint == endpoint), None)


def of_model(provider: str, rows: Iterable[Deviation], *names: str) -> Deviations | None:
    """What holds for the model that has these names at `provider`; None if it is nothing."""
    lower = tuple(name.lower() for name in names if name)
    holding = tuple(row for row in rows if row.holds(lower))
    return Deviations(provider, holding) if holding else None


Adapter = Callable[[bytes, Dropped], bytes]
"""Takes a body, and a list if the client lets unsupported members drop; gives the body to send.

Raises BadRequest naming a member the server cannot be asked with.
"""


def adapter(endpoint: str, deviations: Deviations | None) -> Adapter | None:
    """What is to be done with every body for `endpoint`; None if nothing ever is."""
    rows = () if deviations is None else deviations.rows
    steps = tuple((row.triggers(), row.changed) for row in rows if row.endpoint == endpoint and row.triggers())
    if deviations is None or not steps:
        return None
    provider = deviations.provider

    def adapt(body: bytes, dropped: Dropped) -> bytes:
        # To learn the names costs as much as to look for one of them among the bytes.
        try:
            names = _names(body)
            for triggers, changed in steps:
                for member, inside in triggers:
                    if member in names and inside in body:
                        was, body = body, changed(body, provider, dropped)
                        if body is not was:
                            names = _names(body)
                        break
        except UNREADABLE:
            pass  # no object: the server's to judge
        return body

    return adapt


def adapted(body: bytes, endpoint: str, deviations: Deviations | None, drop: bool = False) -> bytes:
    """`body`, a JSON object, as the server wants it.

    Args:
        drop: leave out what it refuses, instead of refusing it here.
    Raises:
        BadRequest: a member the server cannot be asked with, by its path.
    """
    adapt = adapter(endpoint, deviations)
    return body if adapt is None else adapt(body, [] if drop else None)


_Members = dict[str, msgspec.Raw]
_Change = Callable[[_Members, str], bool]
"""Changes the object that holds a member, and says whether it did."""
_OBJECT = msgspec.json.Decoder(_Members)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def _names(body: bytes) -> _Members:
    members = _OBJECT.decode(body)
    members[ALWAYS] = msgspec.Raw()
    return members


def _trigger(path: str) -> Trigger:
    head, _, rest = path.partition(".")
    return head.removesuffix("[]"), b'"%b"' % rest.rpartition(".")[2].encode() if rest else b""


def _edited(raw: bytes, path: str, change: _Change) -> bytes:
    """`raw` with `change` made in every object `path` leads to; what is no such object is the server's to judge."""
    head, _, rest = path.partition(".")
    try:
        members = _OBJECT.decode(raw)
        if not rest:
            return msgspec.json.encode(members) if change(members, head) else raw
        name = head.removesuffix("[]")
        if name not in members:
            return raw
        before = bytes(members[name])
        if name == head:
            after = _edited(before, rest, change)
        else:
            items = _LIST.decode(before)
            edited = [_edited(bytes(item), rest, change) for item in items]
            changed = any(one != bytes(other) for one, other in zip(edited, items, strict=True))
            after = msgspec.json.encode([msgspec.Raw(item) for item in edited]) if changed else before
    except UNREADABLE:
        return raw
    if after is before:
        return raw
    members[name] = msgspec.Raw(after)
    return msgspec.json.encode(members)


def _says(body: bytes, path: str, value: Scalar) -> bool:
    found: Any = body
    try:
        for part in path.split("."):
            found = _OBJECT.decode(found).get(part, b"null")
        return _is_one(msgspec.json.decode(found), (value,))
    except UNREADABLE:
        return False


def _remove(members: _Members, name: str) -> bool:
    return members.pop(name, None) is not None


def _is_one(value: object, among: Iterable[object]) -> bool:
    """JSON's equality: 1 is 1.0, and true is neither."""
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in among)


def _listed(values: Iterable[Scalar]) -> str:
    return ", ".join(msgspec.json.encode(value).decode() for value in values)
