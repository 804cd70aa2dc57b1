"""Decoding that knows every member: one it does not know is refused by name, or left out if the client says so."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from twintrack.errors import BadRequest
from twintrack.wire.dialect import UNREADABLE

T = TypeVar("T")
_LONGEST_NAME = 200
"""Of a path or a client's own word in a message; a member's name may be as long as the body."""
_LONG_VALUE = re.compile(r"(Invalid (?:enum )?value) '.{33,}'", re.DOTALL)
"""No word of an API is so long: it is somebody's text, which no error repeats."""


def strictly(type_: Callable[..., T], body: bytes, drop: bool) -> tuple[T, tuple[str, ...]]:
    """`body` as a `type_`, whose structs all forbid unknown fields, and the paths of what was left out.

    Raises:
        BadRequest: an unknown member (without `drop`), a value of the wrong type, no JSON or not UTF-8.
    """
    if isinstance(body, bytes) and not body.isascii():  # a msgspec.Raw is a part of what was checked
        try:
            body.decode()  # decoding skips over what is read later, or never
        except UnicodeDecodeError as error:
            raise BadRequest("The body is not UTF-8", why=f"byte {error.start} begins no character") from None
    try:
        return _decoder(type_).decode(body), ()
    except msgspec.ValidationError as error:
        if not drop:
            raise refused(error) from None
    except UNREADABLE as error:
        raise BadRequest("The body is not JSON", why=str(error)) from None
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE as error:  # behind what the first decoding stopped at
        raise BadRequest("The body is not JSON", why=str(error)) from None
    dropped: list[str] = []
    kept = _kept(value, _known(type_), "$", dropped)
    try:
        return _decoder(type_).decode(msgspec.json.encode(kept)), tuple(dropped)
    except msgspec.ValidationError as error:
        raise refused(error) from None
    except UNREADABLE as error:
        raise BadRequest("The body is not JSON", why=str(error)) from None


def refused(error: msgspec.ValidationError) -> BadRequest:
    what, _, where = str(error).partition(" - at `")
    where = where.rstrip("`") or "$"
    unknown = what.removeprefix("Object contains unknown field `")
    if unknown != what:
        path = _cut(f"{where}.{unknown.rstrip('`')}")
        return BadRequest(
            f"{path} is not known, so it cannot be carried to a provider of another dialect",
            fix="Leave it out, or send x-twintrack-drop-unsupported: true to have such members left out.",
            param=path,
        )
    where, what = _cut(where), _cut(_LONG_VALUE.sub(r"\1", what))
    return BadRequest(f"{where}: {what}", param=where)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "..."


@functools.cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


_NOTHING = object()
"""A part whose kind the dialect does not know: it is left out of the list it stands in."""


def _kept(value: Any, kind: Any, path: str, dropped: list[str]) -> Any:
    """`value` without what `kind` does not know. What is wrong otherwise stays, for the decoder to refuse."""
    if isinstance(value, dict):
        shape = _shape(kind, value)
        if shape is _NOTHING:
            return _NOTHING
        if isinstance(shape, inspect.DictType):
            return {name: _kept(each, shape.value_type, f"{path}.{name}", dropped) for name, each in value.items()}
        if not isinstance(shape, inspect.StructType):
            return value
        fields = {field.encode_name: field.type for field in shape.fields}
        known = {}
        for name, each in value.items():
            if name in fields:
                kept = _kept(each, fields[name], f"{path}.{name}", dropped)
                if kept is not _NOTHING:
                    known[name] = kept
                    continue
            elif name == shape.tag_field:
                known[name] = each
                continue
            dropped.append(f"{path}.{name}")
        return known
    if isinstance(value, list):
        items = [each for each in _choices(kind) if isinstance(each, (inspect.ListType, inspect.VarTupleType))]
        if not items:
            return value
        kept_items = []
        for number, each in enumerate(value):
            kept = _kept(each, items[0].item_type, f"{path}[{number}]", dropped)
            if kept is _NOTHING:
                dropped.append(f"{path}[{number}]")
            else:
                kept_items.append(kept)
        return kept_items
    return value


def _shape(kind: Any, value: dict[str, Any]) -> Any:
    """Which of the types in `kind` an object is of; None if any will do."""
    structs = [each for each in _choices(kind) if isinstance(each, inspect.StructType)]
    for each in structs:
        if each.tag_field is None or value.get(each.tag_field) == each.tag:
            return each
    if structs:
        return _NOTHING if isinstance(value.get(structs[0].tag_field or ""), str) else structs[0]
    return next((each for each in _choices(kind) if isinstance(each, inspect.DictType)), None)


def _choices(kind: Any) -> tuple[Any, ...]:
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type)
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


@functools.cache
def _known(type_: Any) -> Any:
    return inspect.type_info(type_)
