"""The tools a client offers and which of them it wants called."""

from __future__ import annotations

import re

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.request import Tool, ToolChoice
from twintrack.wire.canonical.schema import arguments_schema
from twintrack.wire.canonical.strict import strictly
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.media import life

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


class _Kind(msgspec.Struct):
    type: object = None
    name: str = ""
    mcp_server_name: str = ""


_CUSTOM = msgspec.json.Decoder(shapes.Tool)
_KIND = msgspec.json.Decoder(_Kind)


def read_tools(said: list[msgspec.Raw], drop: bool, dropped: list[str], unsaid: list[str]) -> tuple[Tool, ...]:
    """Members left out are added to `dropped`, those without a canonical word to `unsaid`."""
    tools: list[Tool] = []
    names: set[str] = set()
    for at, raw in enumerate(said):
        try:
            tool = _CUSTOM.decode(raw)
        except UNREADABLE:
            theirs = _of_provider(raw, at)
            if theirs is not None:
                tools.append(theirs)
                continue
            tool = _strictly(raw, at, drop, dropped)
        name = tool.name
        if _NAME.fullmatch(name) is None:
            raise _wrong(at, "name", f"{name[:80]!r} is not of 1 to 128 letters a-z and A-Z, digits, _ and -")
        if name in names:
            raise _wrong(at, "name", f"tool names must be unique; {name} is not")
        names.add(name)
        tools.append(_tool(tool, at, unsaid))
    return tuple(tools)


def _wrong(at: int, member: str, what: str) -> BadRequest:
    path = f"$.tools[{at}].{member}"
    return BadRequest(f"{path}: {what}", param=path)


def _of_provider(raw: msgspec.Raw, at: int) -> Tool | None:
    """A tool of the provider itself; None: a tool of the client."""
    try:
        kind = _KIND.decode(raw)
    except UNREADABLE:
        return None
    if not isinstance(kind.type, str) or kind.type == "custom":
        return None
    return Tool(kind.name or kind.mcp_server_name or kind.type, kind="server", raw=raw)


def _strictly(raw: msgspec.Raw, at: int, drop: bool, dropped: list[str]) -> shapes.Tool:
    here = f"$.tools[{at}]"
    try:
        tool, left_out = strictly(shapes.Tool, bytes(raw), drop)
    except BadRequest as error:
        path = here + (error.param or "$")[1:]
        raise BadRequest(here + error.what[1:], why=error.why, fix=error.fix, param=path) from None
    dropped += [here + path[1:] for path in left_out]
    return tool


def _tool(tool: shapes.Tool, at: int, unsaid: list[str]) -> Tool:
    try:
        schema = arguments_schema(tool.input_schema)
    except ValueError as error:
        raise _wrong(at, "input_schema", str(error)) from None
    if shapes.is_said(tool.input_examples):
        unsaid.append(f"$.tools[{at}].input_examples")
    if tool.allowed_callers is not None and "direct" not in tool.allowed_callers:
        unsaid.append(f"$.tools[{at}].allowed_callers")
    return Tool(tool.name, tool.description or "", schema, tool.strict, cache=life(tool.cache_control))


def read_choice(
    said: shapes.AutoChoice | shapes.AnyChoice | shapes.ToolChoice | shapes.NoneChoice, tools: tuple[Tool, ...]
) -> tuple[ToolChoice, bool | None]:
    """The choice, and False where calls may not be parallel."""
    if isinstance(said, (shapes.AnyChoice, shapes.ToolChoice)) and not tools:
        raise BadRequest("$.tool_choice: only together with tools", param="$.tool_choice")
    parallel = False if said.disable_parallel_tool_use and tools else None
    if isinstance(said, shapes.ToolChoice):
        if all(tool.name != said.name for tool in tools):
            raise BadRequest(
                f"$.tool_choice.name: {said.name[:80]!r} is no name of a tool in tools", param="$.tool_choice.name"
            )
        return ToolChoice("named", said.name), parallel
    if isinstance(said, shapes.AnyChoice):
        return ToolChoice("required"), parallel
    return ToolChoice("auto" if isinstance(said, shapes.AutoChoice) else "none"), parallel
