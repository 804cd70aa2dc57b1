"""A tool that takes any text, for dialects whose tools take only JSON: a function with one property, `input`."""

from __future__ import annotations

import msgspec

SCHEMA = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)


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
