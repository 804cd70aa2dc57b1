"""A request's JSON, read piece by piece and in one way only.

What stands twice in an object is read by some as the first value and by others as the last; a screen that reads the one
while a provider reads the other sees nothing. So two members of one name are an error here (RFC 8259 §4 calls what
happens then unpredictable), as is all that no JSON text may hold and some readers take: NaN, bytes behind the end,
bytes that are not UTF-8. Turns of a conversation come one by one, so that a long one need not be read at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from json import decoder
from typing import Any

TURNS = frozenset(("messages", "input", "contents"))
_MOST_SHOWN = 80
_SHORT = 8_192
"""Bytes that are read in some 50 us."""


class Malformed(Exception):
    """The bytes are no JSON that everybody reads alike."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


Piece = tuple[str, int, Any]
"""Name, place in the list of turns or -1, value."""


def pieces(body: bytes) -> Iterable[Piece]:
    """Members of the document. What is no object has the name "".

    Raises:
        Malformed: at any point; what came before is then worth nothing.
        RecursionError: nested too deeply.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"Byte {error.start} of the body begins no character") from None
    if len(body) > _SHORT:
        return _guarded(text)
    try:
        return _at_once(text)
    except ValueError as error:
        raise _no_json(error) from None


def _guarded(text: str) -> Iterator[Piece]:
    try:
        yield from _document(text)
    except ValueError as error:
        raise _no_json(error) from None


def _no_json(error: ValueError) -> Malformed:
    """Of the decoder: a string without an end, a number of thousands of digits. Its words may quote the text."""
    return Malformed(f"The body is not JSON: {type(error).__name__}")


def _at_once(text: str) -> list[Piece]:
    """Of a short text, whose reading need not be interrupted."""
    document, at = _value(text, _blank(text, 0))
    if _blank(text, at) != len(text):
        raise _behind()
    if not isinstance(document, dict):
        return [("", -1, document)]
    found: list[Piece] = []
    for name, value in document.items():
        if name in TURNS and isinstance(value, list) and value and isinstance(value[0], dict):
            found += [(name, place, turn) for place, turn in enumerate(value)]
        else:
            found.append((name, -1, value))
    return found


def _document(text: str) -> Iterator[Piece]:
    at = _blank(text, 0)
    if text[at : at + 1] != "{":
        value, at = _value(text, at)
        yield "", -1, value
    else:
        seen: set[str] = set()
        at = _blank(text, at + 1)
        while text[at : at + 1] != "}" or seen:
            _expect(text, at, '"')
            name, at = _STRING(text, at + 1, True)
            if name in seen:
                raise _twice(name)
            seen.add(name)
            at = _blank(text, at)
            _expect(text, at, ":")
            at = _blank(text, at + 1)
            if (
                name in TURNS
                and text[at : at + 1] == "["
                and text[(next_at := _blank(text, at + 1)) : next_at + 1] == "{"
            ):
                at = yield from _turns(text, at + 1, name)
            else:
                value, at = _value(text, at)
                yield name, -1, value
            at = _blank(text, at)
            if text[at : at + 1] == "}":
                break
            _expect(text, at, ",")
            at = _blank(text, at + 1)
        at += 1
    if _blank(text, at) != len(text):
        raise _behind()


def _turns(text: str, at: int, name: str) -> Generator[Piece, None, int]:
    """Elements of a list that has some; returns where it ends."""
    place = 0
    while True:
        value, at = _value(text, _blank(text, at))
        yield name, place, value
        place += 1
        at = _blank(text, at)
        if text[at : at + 1] == "]":
            return at + 1
        _expect(text, at, ",")
        at += 1


def _value(text: str, at: int) -> tuple[Any, int]:
    try:
        return _SCAN(text, at)
    except StopIteration:
        raise Malformed("The body ends too early, or holds what is no JSON value") from None


_BLANK = re.compile(r"[ \t\n\r]*")


def _blank(text: str, at: int) -> int:
    if text[at : at + 1] not in (" ", "\n", "\r", "\t"):  # as nearly everywhere
        return at
    found = _BLANK.match(text, at)
    assert found is not None  # it matches nothing as well
    return found.end()


def _expect(text: str, at: int, sign: str) -> None:
    if text[at : at + 1] != sign:
        raise Malformed("The body is not JSON")


def _behind() -> Malformed:
    return Malformed("Something stands behind the end of the body's JSON")


def _twice(name: str) -> Malformed:
    shown = json.dumps(name[:_MOST_SHOWN])
    return Malformed(f"{shown} stands twice in one object", "Name each member of an object once.")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) != len(members):
        seen: set[str] = set()
        for name, _ in members:
            if name in seen:
                raise _twice(name)
            seen.add(name)
    return made


def _no_number(word: str) -> None:
    raise Malformed(f"{word} is no JSON number")


_DECODER: Any = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once
"""One value from a position on; it and the next are the standard library's own parts, of no public type."""
_STRING: Callable[[str, int, bool], tuple[str, int]] = decoder.__dict__["scanstring"]
