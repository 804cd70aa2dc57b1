"""The tools a request offers and which of them it wants called."""

from __future__ import annotations

import re

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.body import with_first
from twintrack.wire.canonical.request import Tool, ToolChoice
from twintrack.wire.dialects.chat import shapes

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""OpenAI API reference, spec 2.3.0: of functions and of response formats."""


class _Schema(msgspec.Struct):
    type: object = msgspec.UNSET


_SCHEMA = msgspec.json.Decoder(_Schema)
_EMPTY = re.compile(rb"\{\s*\}")


def read_tools(asked: shapes.ChatRequest) -> tuple[Tool, ...]:
    """Of `tools`, or of the older `functions`."""
    if asked.functions and asked.tools:
        raise BadRequest("$.functions: cannot stand beside tools", param="$.functions")
    tools: list[Tool] = []
    names: set[str] = set()
    for at, function in enumerate(asked.functions or ()):
        tools.append(_function(function, f"$.functions[{at}]", None, names))
    for at, tool in enumerate(asked.tools or ()):
        if isinstance(tool, shapes.FunctionTool):
            tools.append(_function(tool.function, f"$.tools[{at}].function", tool.cache_control, names))
        else:
            tools.append(_custom(tool, f"$.tools[{at}].custom", names))
    return tuple(tools)


def _checked(name: str, path: str, names: set[str]) -> str:
    if NAME.fullmatch(name) is None:
        raise BadRequest(
            f"{path}.name: {name[:80]!r} is not of 1 to 64 letters a-z and A-Z, digits, _ and -", param=f"{path}.name"
        )
    if name in names:
        raise BadRequest(f"{path}.name: another tool is called {name!r} as well", param=f"{path}.name")
    names.add(name)
    return name


def _function(function: shapes.Function, path: str, control: shapes.CacheControl | None, names: set[str]) -> Tool:
    control = control or function.cache_control
    return Tool(
        _checked(function.name, path, names),
        function.description or "",
        checked_schema(function.parameters, f"{path}.parameters"),
        function.strict,
        cache="" if control is None else control.ttl or "5m",
    )


def checked_schema(schema: msgspec.Raw, path: str) -> msgspec.Raw:
    """`schema` as it came; empty if it says nothing. Where it names no type it gets the one it must have.

    Raises:
        BadRequest: it is no schema of an object.
    """
    if not shapes.is_said(schema) or _EMPTY.fullmatch(schema):
        return shapes.NO_RAW
    try:
        said = _SCHEMA.decode(schema).type
    except msgspec.ValidationError:
        raise BadRequest(f"{path}: a JSON Schema is an object", param=path) from None
    if said is msgspec.UNSET:
        return msgspec.Raw(with_first(bytes(schema), b'"type":"object"'))
    if said != "object":
        raise BadRequest(f'{path}: the JSON Schema must be of type "object", not {said!r}'[:300], param=path)
    return schema


def _custom(tool: shapes.CustomTool, path: str, names: set[str]) -> Tool:
    custom = tool.custom
    control = tool.cache_control
    grammar = isinstance(custom.format, shapes.GrammarFormat)
    return Tool(
        _checked(custom.name, path, names),
        custom.description or "",
        kind="custom",
        raw=msgspec.Raw(msgspec.json.encode(shapes.CustomTool(custom))) if grammar else shapes.NO_RAW,
        cache="" if control is None else control.ttl or "5m",
    )


def read_choice(asked: shapes.ChatRequest, tools: tuple[Tool, ...]) -> ToolChoice | None:
    """None for what is done anyway: auto with tools, none without."""
    if asked.function_call is not None:
        if asked.tool_choice is not None:
            raise BadRequest("$.function_call: cannot stand beside tool_choice", param="$.function_call")
        if isinstance(asked.function_call, shapes.Named):
            return _named(asked.function_call.name, "$.function_call.name", _names(tools))
        return _mode(asked.function_call, "$.function_call", tools)
    choice = asked.tool_choice
    if choice is None:
        return None
    if isinstance(choice, str):
        return _mode(choice, "$.tool_choice", tools)
    if isinstance(choice, shapes.ChosenFunction):
        return _named(choice.function.name, "$.tool_choice.function.name", _names(tools))
    if isinstance(choice, shapes.ChosenCustom):
        return _named(choice.custom.name, "$.tool_choice.custom.name", _names(tools))
    allowed = choice.allowed_tools
    path = "$.tool_choice.allowed_tools.tools"
    if not allowed.tools:
        raise BadRequest(f"{path}: needs at least one", param=path)
    names: list[str] = []
    offered = _names(tools)
    for at, each in enumerate(allowed.tools):
        word = "function" if isinstance(each, shapes.ChosenFunction) else "custom"
        name = each.function.name if isinstance(each, shapes.ChosenFunction) else each.custom.name
        names.append(_named(name, f"{path}[{at}].{word}.name", offered).name)
    return ToolChoice(allowed.mode, allowed=tuple(names))


def _mode(mode: str, path: str, tools: tuple[Tool, ...]) -> ToolChoice | None:
    if mode == "auto" or (mode == "none" and not tools):
        return None
    if mode == "none":
        return ToolChoice("none")
    if not tools:
        raise BadRequest(f"{path}: {mode} needs tools to choose from", param=path)
    return ToolChoice("required")


def _names(tools: tuple[Tool, ...]) -> set[str]:
    return {tool.name for tool in tools}


def _named(name: str, path: str, offered: set[str]) -> ToolChoice:
    if name not in offered:
        raise BadRequest(f"{path}: no tool of this request is called {name[:80]!r}", param=path)
    return ToolChoice("named", name)
