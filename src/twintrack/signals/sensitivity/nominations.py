"""Which of the lexicon's patterns occur in a text, asked as little as that takes.

One database of all ten thousand patterns answers that too, and costs three times as much: short words between borders
are slow to look for, and so are shapes as 24 letters or figures in a row, which hardly any text holds. So four are
asked. Words of a few letters are looked for where figures are `0` and all else that is no letter is a blank: ` nif ` is
as quick to find there as any other literal. Shapes of figures are looked for where there are figures, those of long
credentials where `_RUN` characters stand in a row without a blank. All else is looked for in the text as it is.

More may be nominated than occurs, never less: what a word's place is worth is looked at afterwards, and what a shape's
is by the pattern that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twintrack.signals.sensitivity.nominate import Nominator

_RUN = 16
"""Characters in a row without a blank: few words are that long."""
_LONG_RUN = b"[!-~]{%d}" % _RUN
_FEWEST_FIGURES = 2
_FIGURES = b"0123456789"
_LETTERS = bytes(code if 97 <= code <= 122 else 48 if 48 <= code <= 57 else 32 for code in range(256))
_PARSER: Any = re.__dict__["_parser"]
"""Of the standard library; it has no public name."""
Make = Callable[[Sequence[bytes]], Nominator]


class Nominations:
    """Immutable once made."""

    def __init__(self, patterns: Sequence[bytes], short: Sequence[tuple[bytes, ...]], make: Make) -> None:
        """
        Args:
            patterns: for the bytes of a text in lower case.
            short: of the first of them: how the same word stands among letters, blanks and `0`, or nothing.
        """
        words = [at for at, said in enumerate(short) for _ in said]
        runs: list[int] = []
        figures: list[int] = []
        others: list[int] = []
        for at, pattern in enumerate(patterns):
            if at < len(short) and short[at]:
                continue
            kind = others
            if at >= len(short):
                width, count, solid = _demands(_PARSER.parse(pattern.decode()))
                kind = runs if solid and width >= _RUN else figures if count >= _FEWEST_FIGURES else others
            kind.append(at)
        self._others = make([*(patterns[at] for at in others), _LONG_RUN])
        self._words = make([each for said in short for each in said]) if words else None
        self._figures = make([patterns[at] for at in figures]) if figures else None
        self._runs = make([patterns[at] for at in runs]) if runs else None
        self._places = (others, words, figures, runs)
        self._long_run = len(others)

    def nominate(self, low: str) -> list[int]:
        """Positions of the patterns that may match in `low`, in no order."""
        data = low.encode("utf-8", "replace")
        others, words, figures, runs = self._places
        found = []
        long_run = False
        for at in self._others.nominate(data):
            if at == self._long_run:
                long_run = True
            else:
                found.append(others[at])
        if self._words is not None:
            found += [words[at] for at in self._words.nominate(b" %b " % data.translate(_LETTERS))]
        if self._figures is not None and len(data) - len(data.translate(None, _FIGURES)) >= _FEWEST_FIGURES:
            found += [figures[at] for at in self._figures.nominate(data)]
        if long_run and self._runs is not None:
            found += [runs[at] for at in self._runs.nominate(data)]
        return found


def _demands(parsed: Any) -> tuple[int, int, bool]:
    """Fewest characters and fewest figures of a match, and whether all of it is ASCII without a blank."""
    width = figures = 0
    solid = True
    for op, value in parsed:
        kind, times = str(op), 1
        if kind == "BRANCH":
            each = [_demands(branch) for branch in value[1]]
            own = min(one[0] for one in each), min(one[1] for one in each), all(one[2] for one in each)
        elif kind == "SUBPATTERN":
            own = _demands(value[3])
        elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
            own, times = _demands(value[2]), value[0]
        elif kind in ("LITERAL", "IN"):
            chars = (value,) if kind == "LITERAL" else _class(value)
            own = 1, int(all(48 <= code <= 57 for code in chars)), all(33 <= code <= 126 for code in chars)
        else:
            own = 0, 0, False
        width, figures, solid = width + own[0] * times, figures + own[1] * times, solid and own[2]
    return width, figures, solid


def _class(parts: Any) -> Sequence[int]:
    """Codes of a class of characters; of one that says what is none of it, 0."""
    codes: list[int] = []
    for op, value in parts:
        if str(op) not in ("LITERAL", "RANGE"):
            return (0,)
        codes += (value,) if str(op) == "LITERAL" else range(value[0], value[1] + 1)
    return codes
