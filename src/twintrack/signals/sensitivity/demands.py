"""What every match of a pattern holds at least, so that a text which does not is not searched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

PARSER: Any = re.__dict__["_parser"]
"""Of the standard library, so that a pattern means what it means there. It has no public name."""
_FIGURES = range(48, 58)
_SOLID = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_~.+/=|:-")


class Demands(NamedTuple):
    width: int
    """Characters."""
    figures: int
    solid: bool
    """All of it is small letters, figures and the marks that stand in credentials."""


def demands(pattern: str) -> Demands:
    return _of(PARSER.parse(pattern))


def for_bytes(pattern: str) -> str:
    """A pattern for a text's bytes that matches wherever `pattern` does in the text, and perhaps elsewhere: nothing in
    it looks ahead or back, and its classes are of ASCII characters.

    Raises:
        ValueError: it cannot be said so.
    """
    return _for_bytes(PARSER.parse(pattern))


def _for_bytes(parsed: Any) -> str:
    said = ""
    for op, value in parsed:
        kind = str(op)
        if kind == "BRANCH":
            said += f"(?:{'|'.join(map(_for_bytes, value[1]))})"
        elif kind == "SUBPATTERN":
            said += f"(?:{_for_bytes(value[3])})"
        elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            said += f"(?:{_for_bytes(inner)}){{{least if least == most else f'{least},{most}'}}}"
        elif kind in ("LITERAL", "IN"):
            codes = sorted((value,) if kind == "LITERAL" else _class(value))
            if not 0 < codes[0] <= codes[-1] < 128:
                raise ValueError("Only ASCII stands for itself in a text's bytes")
            said += f"[{re.escape(bytes(codes).decode())}]"
        elif kind not in ("ASSERT", "ASSERT_NOT", "AT"):
            raise ValueError(f"{kind} cannot be said of a text's bytes")
    return said


def _of(parsed: Any) -> Demands:
    width = figures = 0
    solid = True
    for op, value in parsed:
        kind, times = str(op), 1
        if kind == "BRANCH":
            each = [_of(branch) for branch in value[1]]
            own = Demands(
                min(one.width for one in each), min(one.figures for one in each), all(one.solid for one in each)
            )
        elif kind == "SUBPATTERN":
            own = _of(value[3])
        elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
            own, times = _of(value[2]), value[0]
        elif kind in ("LITERAL", "IN"):
            chars = (value,) if kind == "LITERAL" else _class(value)
            own = Demands(1, int(all(code in _FIGURES for code in chars)), all(code in _SOLID for code in chars))
        else:
            own = Demands(0, 0, False)  # looks ahead or back, or anything else: nothing is known of it
        width, figures, solid = width + own.width * times, figures + own.figures * times, solid and own.solid
    return Demands(width, figures, solid)


def _class(parts: Any) -> Sequence[int]:
    """Codes of a class of characters; 0 among them where it holds more."""
    codes: list[int] = []
    for op, value in parts:
        kind = str(op)
        if kind == "LITERAL":
            codes.append(value)
        elif kind == "RANGE":
            codes += range(value[0], value[1] + 1)
        else:
            codes += _FIGURES if str(value) == "CATEGORY_DIGIT" else (0,)
    return codes
