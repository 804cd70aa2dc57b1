"""A stretch of text as the recognisers see it: its views, the words found in it, and what stands next to what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from twintrack.signals.sensitivity.finding import Evidence
from twintrack.signals.sensitivity.fold import View, beyond_ascii
from twintrack.signals.sensitivity.lexicon import Hits


class Raw(NamedTuple):
    """A find in a window's own offsets, before its score."""

    start: int
    end: int
    type: str
    category: str
    evidence: Evidence
    rule: str


class Recogniser(Protocol):
    """Knows one concern. Pure: the same window gives the same finds."""

    name: str

    @property
    def concepts(self) -> frozenset[str] | None:
        """It finds nothing where none of these stands; None: it looks at every window."""
        ...

    def find(self, window: Window) -> Iterable[Raw]: ...


_LINK = (
    "is|are|was|no|nr|num|nbr|number|numbers|id|code|of|for|the|my|his|her|your|their|our|to|as|has|with|reads?|"
    "equals|lautet|ist|nummer|von|der|die|hat|mit|und|est|le|la|numero|num|du|de|sont|vaut|es|el|son|del|il|e|di|della|"
    "het|een|van|met|is|to|jest|brzmi|numer|je|cislo|ma|za|sous|bajo|con|sob|com|pod|numarasi|numara|no:lu|"
    "al|at|auf|unter|bei|pod|na|au|pa|till|til|sul|ao|no|a|op|me|mi|mich|mig|min|mij|mnie|moi|us|uns|nous|"
    "er|ar|on|numret|este|are|este:|номер|это|равен|є|це|n|value|below|on file|provided|ends|end"
)
_MARKS = r"""[\s:：=#"'“”‘’«»()（）\[\]{}<>|*,，.;/\\~_→№º°–はがのは是为為は은는이가를:\-]"""
_LINKED = re.compile(rf"{_MARKS}{{0,6}}(?:(?:{_LINK})(?![^\W_]){_MARKS}{{0,4}}){{0,4}}")
_VALUE = 60
"""Characters behind a label in which its value begins."""
_GROWS = "ß\xb5ÿ"
"""Of Latin-1: capitals of them are two letters or stand elsewhere."""
_UPPER_LATIN_1 = bytes(code if chr(code) in _GROWS else ord(chr(code).upper()) for code in range(256))
_ONLY_FIGURES = bytes(48 if 48 <= code <= 57 else 32 for code in range(256))


class Window:
    """Made once for a stretch of text; recognisers share what they ask of it."""

    __slots__ = ("_figures", "_upper", "_values", "hits", "low", "plain")

    def __init__(self, view: View, hits: Hits) -> None:
        self.plain = view.plain
        self.low = view.low
        self.hits = hits
        self._values: dict[int, int] = {}
        self._figures: bytes | None = None
        self._upper: str | None = None

    @property
    def figures(self) -> bytes:
        """A byte for each character, `0` for a figure and a blank for all else: what stands there is soon found."""
        found = self._figures
        if found is None:
            found = self._figures = self.low.encode("ascii", "replace").translate(_ONLY_FIGURES)
        return found

    @property
    def upper(self) -> str:
        """`plain` in upper case, of the same length: if all of it cannot be, only its ASCII."""
        found = self._upper
        if found is None:
            found = self._upper = _upper(self.plain)
        return found

    def value_at(self, end: int) -> int:
        """Where the value begins that a label ending at `end` speaks of: behind colons, quotes and words like `is`."""
        found = self._values.get(end)
        if found is None:
            linked = _LINKED.match(self.low, end, end + _VALUE)
            found = self._values[end] = end if linked is None else linked.end()
        return found

    def has_figure(self, end: int, reach: int) -> bool:
        """Whether one stands within `reach` characters of where a value may begin whose label ends at `end`."""
        return self.figures.find(b"0", end, end + _VALUE + reach) >= 0

    def labelled(self, concept: str, start: int) -> bool:
        """Whether a word of `concept` stands right before `start`."""
        return any(
            end <= start <= self.value_at(end) + 1 and (end < start or not self.low[end - 1].isalnum())
            for begin, end in self.hits.get(concept, ())
            if start - 64 < end <= start
        )

    def near(self, concept: str, start: int, end: int, before: int = 64, after: int = 32) -> bool:
        """Whether a word of `concept` stands within so many characters."""
        for hit_start, hit_end in self.hits.get(concept, ()):
            if (hit_end <= start and start - hit_end <= before) or (hit_start >= end and hit_start - end <= after):
                return True
        return False


def _upper(plain: str) -> str:
    if plain.isascii():
        return plain.upper()
    try:
        data = plain.encode("latin-1")
    except UnicodeEncodeError:
        pass
    else:
        if not any(char in plain for char in _GROWS):
            return data.translate(_UPPER_LATIN_1).decode("latin-1")
    changed = [(char, char.upper()) for char in beyond_ascii(plain)]
    if all(len(upper) == 1 for _, upper in changed):
        for char, upper in changed:
            if char != upper:
                plain = plain.replace(char, upper)
    return plain.encode("utf-8", "surrogatepass").upper().decode("utf-8", "surrogatepass")


BEFORE = r"(?<![A-Za-z0-9À-ɏ])"
"""No Latin letter or digit before; an underscore may, and so may scripts that put no space between words."""
AFTER = r"(?![A-Za-z0-9À-ɏ])"
