"""A tool that takes any text, for dialects whose tools take only JSON: a function with one property, `input`.

A grammar for that text is told to the model in the function's description. It is not enforced there; but who asked
reads what comes by the same grammar and says what is wrong, as Codex and Cursor do with a patch.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Tool
from twintrack.wire.dialect import UNREADABLE

SCHEMA = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)


Syntax = Literal["lark", "regex"]


class Grammar(msgspec.Struct, frozen=True):
    syntax: Syntax
    definition: str


class _Form(msgspec.Struct):
    syntax: Syntax | None = None
    definition: str = ""
    grammar: Grammar | None = None


class _Custom(msgspec.Struct):
    format: _Form | None = None


class _Entry(_Custom):
    custom: _Custom | None = None


_ENTRY = msgspec.json.Decoder(_Entry)


def grammar(tool: Tool) -> Grammar | None:
    """From the entry as Responses write it or, one level deeper, chat completions; None: it has none we can read."""
    if not tool.raw:
        return None
    try:
        entry = _ENTRY.decode(tool.raw)
    except UNREADABLE:
        return None
    form = entry.format if entry.custom is None else entry.custom.format
    if form is None:
        return None
    if form.grammar is not None:
        return form.grammar
    return Grammar(form.syntax, form.definition) if form.syntax is not None and form.definition else None


def description(tool: Tool, at: int, losses: Losses) -> str:
    """Of the function that stands for `tool`, the `at`-th of the request."""
    said = grammar(tool)
    if said is None:
        if tool.raw:
            losses.tool(at, "a grammar")
        return tool.description
    form = "lark grammar" if said.syntax == "lark" else "regular expression"
    told = f"The input must match this {form}:\n{said.definition}"
    return f"{tool.description}\n\n{told}" if tool.description else told


class _Input(msgspec.Struct, forbid_unknown_fields=True):
    input: str


_INPUT = msgspec.json.Decoder(_Input)


def wrapped(text: str) -> str:
    """Arguments that say `text`."""
    return msgspec.json.encode(_Input(text)).decode()


def unwrapped(arguments: str) -> str:
    """The text that arguments say; what is not of that form is the text itself, as a model may have meant it."""
    try:
        return _INPUT.decode(arguments).input
    except (msgspec.DecodeError, UnicodeDecodeError, UnicodeEncodeError, RecursionError):
        return arguments
