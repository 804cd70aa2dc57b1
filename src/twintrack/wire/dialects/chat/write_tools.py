"""The tools a request offers and which of them it wants called, for a provider."""

from __future__ import annotations

from typing import Literal

import msgspec

from twintrack.wire.body import with_first
from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Request, Target, Tool, ToolChoice
from twintrack.wire.dialects.chat import shapes


def write_tools(request: Request, body: shapes.ChatRequest, target: Target, losses: Losses) -> None:
    """Set `tools`, `tool_choice` and `parallel_tool_calls`; OpenAI refuses the latter two without the first."""
    tools: list[shapes.FunctionTool | shapes.CustomTool] = []
    names: dict[str, bool] = {}
    """Of the tools written, and whether it is a custom one there."""
    for at, tool in enumerate(request.tools):
        if tool.kind == "function":
            tools.append(_function(tool))
            names[tool.name] = False
        elif tool.kind == "custom":
            tools.append(_custom(tool, at, target, losses))
            names[tool.name] = target.custom_tools
        else:
            losses.tool(at, "a tool of one provider")
    choice = request.tool_choice
    if tools:
        body.tools = tools
        body.parallel_tool_calls = request.parallel_tool_calls
        if choice is not None:
            body.tool_choice = _choice(choice, names, losses)
    elif choice is not None and choice.mode in ("required", "named"):
        losses.member("tool_choice")


def _function(tool: Tool) -> shapes.FunctionTool:
    schema = tool.schema or shapes.NO_RAW
    if schema and b'"properties"' not in bytes(schema):
        # OpenAI refuses an object's schema without them (invalid_function_parameters, seen 2025).
        schema = msgspec.Raw(with_first(bytes(schema), b'"properties":{}'))
    return shapes.FunctionTool(shapes.Function(tool.name, tool.description or None, schema, tool.strict))


def _custom(tool: Tool, at: int, target: Target, losses: Losses) -> shapes.FunctionTool | shapes.CustomTool:
    if not target.custom_tools:
        description = custom.description(tool, at, losses)
        return shapes.FunctionTool(shapes.Function(tool.name, description or None, custom.SCHEMA))
    form = None
    grammar = custom.grammar(tool)
    if grammar is not None:
        form = shapes.GrammarFormat(shapes.Grammar(grammar.definition, grammar.syntax))
    elif tool.raw:
        losses.tool(at, "a grammar")
    return shapes.CustomTool(shapes.Custom(tool.name, tool.description or None, form))


_Choice = (
    Literal["none", "auto", "required"] | shapes.ChosenFunction | shapes.ChosenCustom | shapes.ChosenAllowed | None
)


def _choice(choice: ToolChoice, names: dict[str, bool], losses: Losses) -> _Choice:
    if choice.mode == "named":
        if choice.name in names:
            return _chosen(choice.name, names)
        losses.member("tool_choice", "a tool that is not carried")
        return None
    if not choice.allowed or choice.mode == "none":
        return choice.mode
    known = [_chosen(name, names) for name in choice.allowed if name in names]
    if len(known) < len(choice.allowed):
        losses.member("tool_choice", "a tool that is not carried")
    if not known:
        return "none" if choice.mode == "auto" else None
    return shapes.ChosenAllowed(shapes.Allowed(choice.mode, known))


def _chosen(name: str, names: dict[str, bool]) -> shapes.ChosenFunction | shapes.ChosenCustom:
    return shapes.ChosenCustom(shapes.Named(name)) if names[name] else shapes.ChosenFunction(shapes.Named(name))
