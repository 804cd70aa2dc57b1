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
MANY = 64
"""Places of words in one text that are told as they are nominated; of a word in a row behind that, first and last."""
_FEWEST_FIGURES = 2
_FIGURES = b"0123456789"
_LETTERS = bytes(code if 97 <= code <= 122 else 48 if 48 <= code <= 57 else 32 for code in range(256))
Make = Callable[[Sequence[bytes], int], Nominator]


class Nominations:
    """Immutable once made."""

    def __init__(
        self, patterns: Sequence[bytes], short: Sequence[tuple[bytes, ...]], cased: Sequence[bytes], make: Make
    ) -> None:
        """
        Args:
            patterns: for the bytes of a text in lower case.
            short: of the first of them: how the same word stands among letters, blanks and `0`, or nothing.
            cased: for the bytes of a text in its own case.
        """
        words = [at for at, said in enumerate(short) for _ in said]
        self._borders = [len(each) - len(each.strip(b" 0")) for said in short for each in said]
        """Of each: how much of a match is no word."""
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
        every = sum(at < len(short) for at in others)
        self._others = make([*(patterns[at] for at in others), _LONG_RUN], every)
        self._words = make([each for said in short for each in said], len(words)) if words else None
        self._figures = make([patterns[at] for at in figures], 0) if figures else None
        self._runs = make([patterns[at] for at in runs], 0) if runs else None
        self._cased = make(cased, 0)
        self._places = (others, words, figures, runs)
        self._long_run = len(others)

    def nominate(self, low: str) -> list[tuple[int, int]]:
        """Positions of the patterns that may match in `low`, in no order, each with a place in it.

        Of a word that is where it ends, or one character behind that, and there is a pair for each time that it stands
        there; -1: nobody knows where, nor how often.
        """
        data = low.encode("utf-8", "replace")
        others, words, figures, runs = self._places
        pairs = self._others.ends(data)
        long_run = self._long_run in dict(pairs)
        found = [(others[at], end) for at, end in pairs if at != self._long_run]
        if self._words is not None:
            borders = self._borders
            among_letters = self._words.ends(b" %b " % data.translate(_LETTERS))
            found += [(words[at], end - borders[at] if end >= 0 else end) for at, end in among_letters]
        if len(found) > MANY:  # the same words again and again: it is quicker to look for each once
            found = [(at, -1) for at in dict(found)]
        elif len(data) != len(low):
            found = [(at, end if end < 0 else _characters(data, end)) for at, end in found]
        if self._figures is not None and len(data) - len(data.translate(None, _FIGURES)) >= _FEWEST_FIGURES:
            found += [(figures[at], -1) for at in self._figures.nominate(data)]
        if long_run and self._runs is not None:
            found += [(runs[at], -1) for at in self._runs.nominate(data)]
        return found

    def in_case(self, plain: str) -> list[int]:
        """Positions of the patterns for text in its own case that may match in `plain`, in no order."""
        return self._cased.nominate(plain.encode("utf-8", "replace"))


def _characters(data: bytes, end: int) -> int:
    """How many whole characters stand before a place in UTF-8."""
    return len(data[:end].decode("utf-8", "ignore"))
