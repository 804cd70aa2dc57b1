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

from collections.abc import Callable, Sequence

from twintrack.signals.sensitivity.demands import demands
from twintrack.signals.sensitivity.nominate import Nominator

_RUN = 20
"""Letters, figures and marks of credentials in a row: few words are that long."""
_LONG_RUN = b"[a-z0-9_~.+/=|:-]{%d}" % _RUN
_FEWEST_FIGURES = 2
_FIGURES = b"0123456789"
_LETTERS = bytes(code if 97 <= code <= 122 else 48 if 48 <= code <= 57 else 32 for code in range(256))
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
                least = demands(pattern.decode())
                if least.solid and least.width >= _RUN:
                    kind = runs
                elif least.figures >= _FEWEST_FIGURES:
                    kind = figures
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
        found = self._others.nominate(data)
        long_run = self._long_run in found
        if long_run:
            found.remove(self._long_run)
        if found:
            found = [others[at] for at in found]
        if self._words is not None:
            for at in self._words.nominate(b" %b " % data.translate(_LETTERS)):
                found.append(words[at])
        if self._figures is not None and len(data) - len(data.translate(None, _FIGURES)) >= _FEWEST_FIGURES:
            for at in self._figures.nominate(data):
                found.append(figures[at])
        if long_run and self._runs is not None:
            for at in self._runs.nominate(data):
                found.append(runs[at])
        return found
