"""The tools a request offers and which of them it wants called."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Tool, ToolChoice
from twintrack.wire.dialects.responses import shapes

Choice = str | shapes.ChosenFunction | shapes.ChosenCustom | shapes.ChosenAllowed

_NO_ARGUMENTS = msgspec.Raw(b'{"type":"object","properties":{}}')


class _Grammar(msgspec.Struct):
    definition: str = ""
    syntax: str = ""


class _Form(_Grammar):
    """Flat as here, or one level down as in a chat completion."""

    grammar: _Grammar | None = None


class _Custom(msgspec.Struct):
    format: _Form | None = None


class _Entry(_Custom):
    custom: _Custom | None = None


_ENTRY = msgspec.json.Decoder(_Entry)


def write_tools(tools: tuple[Tool, ...], losses: Losses) -> list[shapes.FunctionTool | shapes.CustomTool]:
    """What another dialect leaves unsaid is not strict there, and would be here: so it is said."""
    written: list[shapes.FunctionTool | shapes.CustomTool] = []
    for at, tool in enumerate(tools):
        description = tool.description or None
        if tool.kind == "function":
            schema = tool.schema if len(tool.schema) else _NO_ARGUMENTS
            written.append(
                shapes.FunctionTool(
                    name=tool.name, description=description, parameters=schema, strict=bool(tool.strict)
                )
            )
        elif tool.kind == "custom":
            written.append(shapes.CustomTool(name=tool.name, description=description, format=_format(tool)))
        else:
            losses.tool(at, tool.name)
    return written


def _format(tool: Tool) -> shapes.GrammarFormat | None:
    if not len(tool.raw):
        return None
    entry = _ENTRY.decode(tool.raw)
    said = entry.format or (entry.custom.format if entry.custom is not None else None)
    grammar = said.grammar or said if said is not None else None
    if grammar is None or not grammar.definition:
        return None
    return shapes.GrammarFormat("regex" if grammar.syntax == "regex" else "lark", grammar.definition)


def write_choice(choice: ToolChoice | None, tools: tuple[Tool, ...]) -> Choice | None:
    if choice is None:
        return None
    kinds = {tool.name: tool.kind for tool in tools}
    if choice.mode == "named":
        return _chosen(choice.name, kinds) if kinds.get(choice.name) != "server" else None
    if not choice.allowed:
        return choice.mode
    names = [name for name in choice.allowed if kinds.get(name) != "server"]
    entries = [msgspec.Raw(msgspec.json.encode(_chosen(name, kinds))) for name in names]
    return shapes.ChosenAllowed("required" if choice.mode == "required" else "auto", entries) if entries else None


def _chosen(name: str, kinds: Mapping[str, str]) -> shapes.ChosenFunction | shapes.ChosenCustom:
    return shapes.ChosenCustom(name) if kinds.get(name) == "custom" else shapes.ChosenFunction(name)
