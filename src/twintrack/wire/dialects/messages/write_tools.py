"""The tools a request offers and which of them it wants called, for a provider."""

from __future__ import annotations

import msgspec

from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import ToolCall
from twintrack.wire.canonical.request import Request, Tool
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.marks import Marks
from twintrack.wire.dialects.messages.model import Model

_EMPTY = msgspec.Raw(b'{"type":"object","properties":{}}')
_Choice = shapes.AutoChoice | shapes.AnyChoice | shapes.ToolChoice | shapes.NoneChoice


def write_tools(request: Request, marks: Marks, losses: Losses) -> tuple[list[shapes.Tool], bool]:
    """Tools, and whether they may be called.

    Where the client allows only some, the others are not shown to the model at all.
    """
    allowed = request.tool_choice.allowed if request.tool_choice is not None else ()
    tools: list[shapes.Tool] = []
    for at, tool in enumerate(request.tools):
        if tool.kind == "server":
            losses.tool(at, "a tool of one provider")
        elif not allowed or tool.name in allowed:
            tools.append(_tool(tool, at, marks, losses))
    return (tools, True) if tools else (_once_called(request), False)


def _tool(tool: Tool, at: int, marks: Marks, losses: Losses) -> shapes.Tool:
    control = marks.control(tool.cache) if tool.cache else None
    if tool.kind == "custom":
        description = custom.description(tool, at, losses)
        return shapes.Tool(tool.name, custom.SCHEMA, description=description or None, cache_control=control)
    return shapes.Tool(
        tool.name,
        tool.schema or _EMPTY,
        description=tool.description or None,
        strict=tool.strict or None,
        cache_control=control,
    )


def _once_called(request: Request) -> list[shapes.Tool]:
    """A conversation with calls needs its tools, also where none may be called any more."""
    names = {
        part.name: None
        for turn in request.turns
        if turn.role == "assistant"
        for part in turn.parts
        if isinstance(part, ToolCall)
    }
    return [shapes.Tool(name, _EMPTY) for name in names]


def write_choice(
    request: Request, tools: list[shapes.Tool], callable: bool, model: Model, losses: Losses
) -> _Choice | None:
    choice = request.tool_choice
    if not callable:
        if choice is not None and choice.mode in ("required", "named"):
            losses.member("tool_choice", "a tool that is not carried")
        return shapes.NoneChoice() if tools else None
    single = True if request.parallel_tool_calls is False else None
    mode = "auto" if choice is None else choice.mode
    if choice is not None and mode == "named":
        if all(tool.name != choice.name for tool in tools):
            losses.member("tool_choice", "a tool that is not carried")
        elif model.forced_tools:
            return shapes.ToolChoice(choice.name, single)
        else:
            losses.member("tool_choice", "this model cannot be made to call a tool")
    elif mode == "required":
        if model.forced_tools:
            return shapes.AnyChoice(single)
        losses.member("tool_choice", "this model cannot be made to call a tool")
    elif mode == "none":
        return shapes.NoneChoice()
    return shapes.AutoChoice(single) if single or choice is not None else None
