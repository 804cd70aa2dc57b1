"""TOML with comments, as a person would lay it out."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

COLUMNS = 118
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Value: TypeAlias = "str | bool | int | float | Decimal | Sequence[Value] | Mapping[str, Value]"


def value(what: Value) -> str:
    """A value on one line; a mapping becomes an inline table."""
    if isinstance(what, bool):
        return "true" if what else "false"
    if isinstance(what, str):
        return _text(what)
    if isinstance(what, int):
        return str(what)
    if isinstance(what, float | Decimal):
        return number(what)
    if isinstance(what, Mapping):
        inside = ", ".join(f"{key(name)} = {value(each)}" for name, each in what.items())
        return f"{{ {inside} }}" if inside else "{}"
    return "[" + ", ".join(value(each) for each in what) + "]"


def number(what: float | Decimal) -> str:
    """Without an exponent, so that a price can be read."""
    text = f"{Decimal(str(what)):f}"
    if "." in text:
        text = text.rstrip("0")
        return text + "0" if text.endswith(".") else text
    return text + ".0"


def key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """Every JSON string is a TOML basic string, but for what TOML wants escaped beside."""
    return _UNPRINTABLE.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04X}"  # half a pair is no character


def pair(name: str, what: Value, comment: str = "") -> str:
    return f"{key(name)} = {value(what)}" + (f"  # {_plain(comment)}" if comment else "")


def comment(text: str, *, indent: str = "", hang: str = "") -> list[str]:
    """Comment lines, wrapped; `indent` stands before the text, and `hang` before its further lines."""
    lines: list[str] = []
    for line in _plain(text, keep_breaks=True).split("\n"):
        wrapped = textwrap.wrap(
            line,
            COLUMNS - 2,
            initial_indent=indent,
            subsequent_indent=indent + hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += [f"# {each}".rstrip() for each in wrapped or [""]]
    return lines


def _plain(text: str, *, keep_breaks: bool = False) -> str:
    """TOML allows no control characters in comments."""
    return "\n".join(_UNPRINTABLE.sub("?", line) for line in (text.split("\n") if keep_breaks else [text]))


def table(header: str, lines: Iterable[str], *, above: Iterable[str] = ()) -> str:
    """A block: comments, a header and its lines."""
    return "\n".join([*above, header, *lines]) + "\n"
