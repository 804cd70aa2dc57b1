"""A look at the JSON Schema of a tool's arguments, which travels as it was written."""

from __future__ import annotations

import re

import msgspec

from twintrack.wire.body import with_first
from twintrack.wire.dialect import UNREADABLE


class _Typed(msgspec.Struct):
    type: object = msgspec.UNSET


_TYPED = msgspec.json.Decoder(_Typed)
_EMPTY = re.compile(rb"\{\s*\}")
NO_SCHEMA = msgspec.Raw(b"")


def arguments_schema(schema: msgspec.Raw) -> msgspec.Raw:
    """`schema`, which is JSON, as it came; empty if it says nothing. One without a type gets the one it must have.

    Raises:
        ValueError: it is no schema of an object; says so in a few words.
    """
    text = bytes(schema)
    if text in (b"", b"null") or (len(text) < 9 and _EMPTY.fullmatch(text)):
        return NO_SCHEMA
    try:
        type_ = _TYPED.decode(text).type
    except UNREADABLE:
        raise ValueError("a JSON Schema is an object") from None
    if type_ is msgspec.UNSET:
        return msgspec.Raw(with_first(text, b'"type":"object"'))
    if type_ != "object":
        said = msgspec.json.encode(type_).decode()[:80]
        raise ValueError(f'the JSON Schema of arguments must be of type "object", not {said}')
    return schema
