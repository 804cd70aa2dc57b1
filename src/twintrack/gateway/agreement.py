"""What two answers must have in common to agree: the answer itself, without the words around it.

Two models never write the same sentences. Compared is what they end with: a tool call, a JSON value, or a short text
or number that the answer itself marks as its result. An answer that marks none has nothing to agree about, and agrees
with no other.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from twintrack.wire.canonical.parts import ToolCall
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.held import Draft

_SHORT_CHARS = 80
"""A text of one line up to this long is an answer as a whole."""
_TAIL_CHARS = 2_000
"""Of a longer one so much of its end is looked at."""
_MEMBERS = ("answer", "final_answer", "result")
_BOXED = re.compile(r"\\boxed\{([^{}]{1,200})\}")
_MARKED = re.compile(r"(?:####|\b(?:final )?answer(?: is|:)+)[ \t]*([^\n]{1,200})", re.IGNORECASE)
_ALL_NUMBER = re.compile(r"([-+]?)[$€£]?\s?([-+]?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)\s?(?:%|[a-z]{1,12})?")


def final_answer(draft: Draft) -> str | None:
    """In one spelling; None: the answer marks none."""
    calls = [part for part in draft.parts if isinstance(part, ToolCall)]
    if calls:
        return _encoded(sorted([call.name, _arguments(call)] for call in calls))
    text = draft.text.strip()
    value = _json(text)
    if value is not None:
        return _of_json(value)
    tail = text[-_TAIL_CHARS:]
    for pattern in (_BOXED, _MARKED):
        found = pattern.findall(tail)
        if found:
            return spelled(found[-1])
    embedded = _last_object(tail)
    if embedded is not None:
        return _of_json(embedded)
    if text and len(text) <= _SHORT_CHARS and "\n" not in text:
        return spelled(text)
    return None


def spelled(answer: str) -> str | None:
    """`answer` without what two writers differ in: case, signs around it, and how a number is written."""
    text = unicodedata.normalize("NFKC", answer).casefold().strip().strip("*_`\"' ").rstrip(".!").strip("*_`\"' ")
    number = _ALL_NUMBER.fullmatch(text)
    if number is not None:
        digits = number[3].replace(",", "")
        sign = "-" if (number[1] == "-") != (number[2] == "-") else ""
        whole, _, part = digits.partition(".")
        part = part.rstrip("0")
        spelt = (whole.lstrip("0") or "0") + (f".{part}" if part else "")
        return spelt if spelt == "0" else sign + spelt
    return " ".join(text.split()) or None


def _of_json(value: Any) -> str | None:
    if isinstance(value, dict):
        for name in _MEMBERS:
            if name in value:
                value = value[name]
                break
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return spelled(str(value))
    return _encoded(value)


def _json(text: str) -> Any:
    """The value a text is, fenced or not; None: it is none, or null."""
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0].strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return None


def _last_object(text: str) -> Any:
    """A JSON object at the end of a text."""
    end = text.rfind("}")
    start = text.rfind("{", 0, end)
    if start < 0:
        return None
    try:
        found = msgspec.json.decode(text[start : end + 1])
    except UNREADABLE:
        return None
    return found if any(name in found for name in _MEMBERS) else None


def _arguments(call: ToolCall) -> Any:
    try:
        return _encoded(msgspec.json.decode(call.arguments))
    except UNREADABLE:
        return call.arguments


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
