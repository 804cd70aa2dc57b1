"""The tools a request offers and which of them it wants called."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.request import Tool, ToolChoice
from twintrack.wire.canonical.schema import arguments_schema
from twintrack.wire.canonical.strict import strictly
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.responses import shapes

T = TypeVar("T", bound=msgspec.Struct)

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
"""Function tools (OpenAI API reference, spec 2.3.0)."""
_NULL = msgspec.Raw(b"null")


class Kind(msgspec.Struct, gc=False):
    type: str | None = None
    role: str | None = None


_KIND = msgspec.json.Decoder(Kind)


def kind_of(raw: msgspec.Raw, path: str) -> Kind:
    try:
        return _KIND.decode(raw)
    except UNREADABLE as error:
        what, _, where = str(error).partition(" - at `$")
        path += where.rstrip("`")
        raise BadRequest(f"{path}: {what}", param=path) from None


def strictly_at(type_: type[T], raw: msgspec.Raw, path: str, drop: bool, dropped: list[str]) -> T:
    """`strictly` for a value that stands at `path` of the body."""
    try:
        value, left_out = strictly(type_, raw, drop)
    except BadRequest as error:
        if error.param is None:
            raise BadRequest(f"{path}: {error.why}", param=path) from None
        param = path + error.param[1:]
        raise BadRequest(path + error.what[1:], why=error.why, fix=error.fix, param=param) from None
    if left_out:
        dropped += [path + each[1:] for each in left_out]
    return value


def unknown(path: str, what: str) -> BadRequest:
    return BadRequest(
        f"{path}: {what[:80]!r} is not known, so it cannot be carried to a provider of another dialect",
        fix="Leave it out, or send x-twintrack-drop-unsupported: true to have it left out.",
        param=path,
    )


def is_said(raw: msgspec.Raw) -> bool:
    return bool(raw) and raw != _NULL


def full_name(namespace: str, name: str) -> str:
    return f"{namespace}{name}" if namespace.endswith("_") else f"{namespace}__{name}"


class ToolReader:
    """Reads the tools of the request and those that its items add; both may leave something out."""

    __slots__ = ("_beside", "_drop", "_dropped", "_names", "_tools", "_unsaid")

    def __init__(self, drop: bool, dropped: list[str], unsaid: list[str]) -> None:
        self._drop = drop
        self._dropped = dropped
        self._unsaid = unsaid
        self._names: set[str] = set()
        self._tools: list[Tool] = []
        self._beside: list[Tool] = []
        """All but the first of a namespace, so that the others keep their places in the client's list."""

    def read(self, tools: list[msgspec.Raw], path: str) -> None:
        for at, raw in enumerate(tools):
            self._read(raw, f"{path}[{at}]", self._tools)

    def all(self) -> tuple[Tool, ...]:
        return (*self._tools, *self._beside)

    def _read(self, raw: msgspec.Raw, path: str, into: list[Tool]) -> None:
        kind = kind_of(raw, path).type
        if kind == "function":
            into.append(self._function(raw, path, ""))
        elif kind == "custom":
            into.append(self._custom(raw, path, ""))
        elif kind == "namespace":
            self._namespace(raw, path, into)
        elif kind in shapes.OPAQUE_TOOLS:
            into.append(Tool(kind, kind="server", raw=raw))
        elif kind is None:
            raise BadRequest(f"{path}.type: must be there", param=f"{path}.type")
        elif self._drop:
            self._dropped.append(path)
        else:
            raise unknown(f"{path}.type", kind)

    def _namespace(self, raw: msgspec.Raw, path: str, into: list[Tool]) -> None:
        """Its description is a hint: the tools have theirs."""
        group = strictly_at(shapes.Namespace, raw, path, self._drop, self._dropped)
        for at, each in enumerate(group.tools):
            place = f"{path}.tools[{at}]"
            kind = kind_of(each, place).type
            if kind == "function":
                tool = self._function(each, place, group.name)
            elif kind == "custom":
                tool = self._custom(each, place, group.name)
            else:
                raise unknown(f"{place}.type", kind or "")
            (self._beside if at else into).append(tool)

    def _function(self, raw: msgspec.Raw, path: str, namespace: str) -> Tool:
        """`output_schema` and `defer_loading` are hints: offering a tool with its whole entry says more."""
        said = strictly_at(shapes.FunctionTool, raw, path, self._drop, self._dropped)
        name = self._checked(said.name, path, namespace)
        try:
            schema = arguments_schema(said.parameters)
        except ValueError as error:
            raise BadRequest(f"{path}.parameters: {error}", param=f"{path}.parameters") from None
        self._check_callers(said, path)
        return Tool(name, said.description or "", schema, said.strict, namespace=namespace)

    def _custom(self, raw: msgspec.Raw, path: str, namespace: str) -> Tool:
        said = strictly_at(shapes.CustomTool, raw, path, self._drop, self._dropped)
        name = self._checked(said.name, path, namespace)
        self._check_callers(said, path)
        grammar = raw if isinstance(said.format, shapes.GrammarFormat) else shapes.NO_RAW
        return Tool(name, said.description or "", kind="custom", raw=grammar, namespace=namespace)

    def _check_callers(self, said: shapes.FunctionTool | shapes.CustomTool, path: str) -> None:
        if said.allowed_callers and "direct" not in said.allowed_callers:
            self._unsaid.append(f"{path}.allowed_callers")
        if said.async_:
            self._unsaid.append(f"{path}.async")

    def _checked(self, name: str, path: str, namespace: str) -> str:
        if _NAME.fullmatch(name) is None:
            raise BadRequest(
                f"{path}.name: {name[:80]!r} is not of 1 to 128 letters a-z and A-Z, digits, _ and -",
                param=f"{path}.name",
            )
        if namespace:
            name = full_name(namespace, name)
        if name in self._names:
            raise BadRequest(f"{path}.name: another tool is called {name!r} as well", param=f"{path}.name")
        self._names.add(name)
        return name


class _Named(msgspec.Struct):
    """One of `allowed_tools`; of a server tool only its type."""

    type: str
    name: str | None = None
    namespace: str | None = None
    server_label: str | None = None


def read_choice(
    said: msgspec.Raw, tools: tuple[Tool, ...], drop: bool, dropped: list[str], unsaid: list[str]
) -> ToolChoice | None:
    """None for what is done anyway: auto with tools, none without."""
    path = "$.tool_choice"
    if not is_said(said):
        return None
    if bytes(said).startswith(b'"'):
        return _mode(msgspec.json.decode(said, type=str), path, tools)
    kind = kind_of(said, path).type
    if kind == "function":
        return _named(strictly_at(shapes.ChosenFunction, said, path, drop, dropped).name, path, _names(tools))
    if kind == "custom":
        return _named(strictly_at(shapes.ChosenCustom, said, path, drop, dropped).name, path, _names(tools))
    if kind == "allowed_tools":
        return _allowed(strictly_at(shapes.ChosenAllowed, said, path, drop, dropped), path, tools, unsaid)
    if kind in shapes.OPAQUE_CHOICES:
        unsaid.append(f"{path} ({kind})")
        return None
    raise unknown(f"{path}.type", kind or "")


def _allowed(said: shapes.ChosenAllowed, path: str, tools: tuple[Tool, ...], unsaid: list[str]) -> ToolChoice | None:
    names: list[str] = []
    offered = _names(tools)
    for at, raw in enumerate(said.tools):
        place = f"{path}.tools[{at}]"
        try:
            each = msgspec.json.decode(raw, type=_Named)
        except UNREADABLE as error:
            raise BadRequest(f"{place}: {str(error).partition(' - at')[0]}", param=place) from None
        if each.type in ("function", "custom") and each.name is not None:
            name = full_name(each.namespace, each.name) if each.namespace else each.name
            names.append(_named(name, place, offered).name)
        else:
            unsaid.append(f"{place} ({each.type[:60]})")
    if not said.tools:
        raise BadRequest(f"{path}.tools: needs at least one", param=f"{path}.tools")
    return ToolChoice(said.mode, allowed=tuple(names)) if names else None


def _mode(mode: str, path: str, tools: tuple[Tool, ...]) -> ToolChoice | None:
    if mode == "auto" or (mode == "none" and not tools):
        return None
    if mode == "none":
        return ToolChoice("none")
    if mode != "required":
        raise BadRequest(f"{path}: {mode[:80]!r} is none of none, auto and required", param=path)
    if not tools:
        raise BadRequest(f"{path}: required needs tools to choose from", param=path)
    return ToolChoice("required")


def _names(tools: tuple[Tool, ...]) -> set[str]:
    return {tool.name for tool in tools if tool.kind != "server"}


def _named(name: str, path: str, offered: set[str]) -> ToolChoice:
    if name not in offered:
        raise BadRequest(f"{path}.name: no tool of this request is called {name[:80]!r}", param=f"{path}.name")
    return ToolChoice("named", name)
