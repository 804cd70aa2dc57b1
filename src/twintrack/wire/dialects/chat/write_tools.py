"""The tools a request offers and which of them it wants called, for a provider."""

from __future__ import annotations

from typing import Literal

import msgspec

from twintrack.wire.body import with_first
from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Request, Tool, ToolChoice
from twintrack.wire.dialects.chat import shapes
from twintrack.wire.dialects.chat.spelling import Spelling


def write_tools(request: Request, body: shapes.ChatRequest, spelling: Spelling, losses: Losses) -> None:
    """Set `tools`, `tool_choice` and `parallel_tool_calls`; OpenAI refuses the latter two without the first."""
    tools: list[shapes.FunctionTool | shapes.CustomTool] = []
    names: dict[str, bool] = {}
    """Of the tools written, and whether it is a custom one there."""
    for at, tool in enumerate(request.tools):
        if tool.kind == "function":
            tools.append(_function(tool))
            names[tool.name] = False
        elif tool.kind == "custom":
            tools.append(_custom(tool, at, spelling, losses))
            names[tool.name] = spelling.custom_tools
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


class _Said(msgspec.Struct):
    """A custom tool with a grammar, as chat completions say it or as Responses do."""

    custom: _Custom | None = None
    format: _Format | None = None


class _Custom(msgspec.Struct):
    format: _Format | None = None


class _Format(msgspec.Struct):
    grammar: shapes.Grammar | None = None
    definition: str = ""
    syntax: str = ""


_SAID = msgspec.json.Decoder(_Said)


def _grammar(tool: Tool) -> shapes.Grammar | None:
    if not tool.raw:
        return None
    try:
        said = _SAID.decode(tool.raw)
    except msgspec.ValidationError:
        return None
    form = said.custom.format if said.custom is not None else said.format
    if form is None:
        return None
    if form.grammar is not None:
        return form.grammar
    if form.definition and form.syntax in ("lark", "regex"):
        return shapes.Grammar(form.definition, form.syntax)  # type: ignore[arg-type]  # just compared
    return None


def _custom(tool: Tool, at: int, spelling: Spelling, losses: Losses) -> shapes.FunctionTool | shapes.CustomTool:
    grammar = _grammar(tool)
    if tool.raw and (grammar is None or not spelling.custom_tools):
        losses.tool(at, "a grammar")
    description = tool.description or None
    if not spelling.custom_tools:
        return shapes.FunctionTool(shapes.Function(tool.name, description, custom.SCHEMA))
    form = None if grammar is None else shapes.GrammarFormat(grammar)
    return shapes.CustomTool(shapes.Custom(tool.name, description, form))


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
