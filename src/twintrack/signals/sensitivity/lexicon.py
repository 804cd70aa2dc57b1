"""Words and token prefixes that the detectors know, and where they stand in a text.

Each literal belongs to one or more concepts. A word counts as a whole one only: `lic` in `public` is none. A stem,
written with a star at its end, may have up to six more letters, for languages that bend their words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from twintrack.signals.sensitivity.fold import View, beyond_ascii, low
from twintrack.signals.sensitivity.nominate import nominator
from twintrack.signals.sensitivity.nominations import MANY, Nominations

_BENT = 6
NUMBER = "shape:number"
"""Figures enough for an identifier."""
_OF_FIGURES = frozenset((NUMBER, "shape:card", "shape:iban", "shape:phone"))
Hits = dict[str, list[tuple[int, int]]]
"""Of each concept that stands in a window: where, in order."""


@dataclass(frozen=True, slots=True)
class _Word:
    literal: str
    size: int
    entries: tuple[tuple[str, int], ...]
    """Its concepts, each with how it has to stand."""
    exact: dict[str, set[str]]
    """By concept: with which accents."""
    beyond_ascii: bool
    """It has accents without which it is another, as né."""
    bordered: bool
    """It is looked for between its borders."""
    plainly: bool
    """It is told where it ends, and stands in one way for all of its concepts."""
    concepts: tuple[str, ...]
    how: int
    first: bool
    """No letter may stand before it."""
    last: bool
    """None may stand behind it."""
    spaced: bool
    """Between its parts something else may stand where it is looked for."""


class Lexicon:
    """Immutable once made."""

    def __init__(
        self,
        words: Mapping[str, Iterable[str]],
        prefixes: Mapping[str, Iterable[str]],
        shapes: Mapping[str, Iterable[str]],
        endings: Mapping[str, Iterable[str]],
        cased: Mapping[str, str],
        cache: Path | None = None,
        *,
        compiles: bool = True,
    ) -> None:
        """
        Args:
            words: whole words and phrases of each concept, in any case; a star at the end makes a stem.
            prefixes: literals of each concept that may stand anywhere.
            endings: literals of each concept whose places count wherever they stand, as straße in Müllerstraße.
            shapes: patterns of each concept, for text in lower case; see `nominate.py` for what they may hold.
            cased: a pattern of each concept for text in its own case, with figures in it.
        """
        literals: dict[str, list[tuple[str, int]]] = {}
        self._exact: dict[tuple[str, str], set[str]] = {}
        for concept, said in words.items():
            for word in said:
                how = _STEM if word.endswith("*") else _WHOLE
                folded = low(word.rstrip("*").strip())
                if len(folded) <= _SHORT and how == _WHOLE:  # né is no ne, and thẻ no the
                    self._exact.setdefault((folded, concept), set()).add(word.lower())
                for form in _forms(folded):
                    literals.setdefault(form, []).append((concept, how))
        for concept, said in endings.items():
            for word in said:
                literals.setdefault(low(word), []).append((concept, _ENDING))
        self._exact = {name: said for name, said in self._exact.items() if name[0] not in said}
        patterns: dict[bytes, list[tuple[str, int]]] = {}
        self._literals: list[str] = []
        for literal in sorted(literals):
            patterns[_pattern(literal, literals[literal])] = literals[literal]
            self._literals.append(literal)
        for concept, said in prefixes.items():
            for literal in said:
                patterns.setdefault(re.escape(low(literal)).encode(), []).append((concept, _ANYWHERE))
        for concept, said in shapes.items():
            for shape in said:
                patterns.setdefault(shape.encode(), []).append((concept, _ANYWHERE))
        self.patterns = tuple(patterns)
        self._anywhere = tuple(
            tuple(dict.fromkeys(concept for concept, how in entries if how == _ANYWHERE))
            for entries in patterns.values()
        )
        self.short = tuple(_among_letters(literal, literals[literal]) for literal in self._literals)
        """Of each literal: how it stands among letters, blanks and `0`; nothing: it is looked for as it is."""
        self._words = tuple(
            self._word(literal, pattern, entries)
            for literal, (pattern, entries) in zip_longest(self._literals, patterns.items())
        )
        self._cased = tuple(cased)
        self.cased = tuple(each.encode() for each in cased.values())
        self.nominations = Nominations(
            self.patterns,
            self.short,
            self.cased,
            lambda patterns, every: nominator(patterns, cache, compiles=compiles, every=every),
        )

    def _word(self, literal: str | None, pattern: bytes, entries: list[tuple[str, int]]) -> _Word | None:
        """None: the pattern is no word's."""
        if literal is None:
            return None
        own = tuple(dict.fromkeys(entry for entry in entries if entry[1] != _ANYWHERE))
        exact = {concept: forms for concept, _ in own if (forms := self._exact.get((literal, concept)))}
        beyond = all(concept in exact and not any(map(str.isascii, exact[concept])) for concept, _ in own)
        hows = {how for _, how in own}
        how = max(hows)
        short = bool(_among_letters(literal, list(own)))
        bordered = pattern != re.escape(literal.encode())
        return _Word(
            literal,
            len(literal),
            own,
            exact,
            beyond,
            bordered,
            plainly=len(hows) == 1 and not exact and len(own) == len(set(entries)) and (short or not bordered),
            concepts=tuple(concept for concept, _ in own),
            how=how,
            first=how != _ENDING and _GOES_ON[literal[0]],
            last=how == _WHOLE and _GOES_ON[literal[-1]],
            spaced=short and " " in literal,
        )

    def hits(self, view: View) -> Hits:
        hits: Hits = {}
        words, anywhere = self._words, self._anywhere
        asked = text = view.low
        plain = view.plain
        camels = _camels(plain) if plain != text else []
        before, behind = _by_letter(text, camels) if camels else ({}, {})
        if camels != [] and ('"' in text or "=" in text):  # patientMrn holds mrn
            capitals = [found.start() for found in _CAMEL_AT.finditer(plain)] if camels is None else camels
            parts = [f"{plain[max(0, at - _PART) : at]} {plain[at : at + _PART]}" for at in capitals]
            asked = f"{text}\n{' '.join(parts).lower()}"
        accents = not plain.isascii()
        nominated = self.nominations.nominate(asked)
        length = len(text)
        rest: dict[int, list[int]] = {}
        for at, end in nominated:
            word = words[at]
            if word is None:
                for concept in anywhere[at]:
                    hits.setdefault(concept, [])
                continue
            at_camels = word.bordered and (camels is None or word.literal[0] in behind or word.literal[-1] in before)
            if end < 0 or at_camels or not word.plainly:
                rest.setdefault(at, []).append(end)
                continue
            # As `_starts` and `_places` do, for what nearly all words are.
            start = end - word.size
            if end > length or (word.spaced and not text.startswith(word.literal, start)):
                continue
            if word.first and start and _GOES_ON[text[start - 1]] and not _is_camel(plain, start):
                continue
            if word.how == _STEM:
                end = _bent(text, end)
                if end < 0:
                    continue
            elif word.last and end < length and _GOES_ON[text[end]] and not _ends_in_camel(plain, end):
                continue
            for concept in word.concepts:
                known = hits.get(concept)
                if known is None:
                    hits[concept] = [(start, end)]
                else:
                    known.append((start, end))
        for at, ends in rest.items():
            for concept in anywhere[at]:
                hits.setdefault(concept, [])
            word = words[at]
            if word is not None and (accents or not word.beyond_ascii):
                if word.bordered and camels is None:
                    ends = [-1]
                _add(hits, word, text, plain, _starts(word, text, ends, before, behind))
        if not _OF_FIGURES.isdisjoint(hits):
            for at in self.nominations.in_case(plain):
                hits[self._cased[at]] = []
        for places in hits.values():
            if len(places) > 1:
                places.sort()
        return hits


def _starts(
    word: _Word, text: str, ends: list[int], before: dict[str, list[int]], behind: dict[str, list[int]]
) -> list[int]:
    """Where a word may stand, in order: all places where it does as it has to, and perhaps others.

    Args:
        ends: as `Nominations.nominate` says.
        before, behind: places of capitals right behind small letters, by the small letter and by the capital.
    """
    literal, size = word.literal, word.size
    if ends[0] < 0:
        return _all_of(text, literal)
    starts: list[int] = []
    for end in ends:
        start = end - size
        if start >= 0 and text.startswith(literal, start):
            starts.append(start)
        elif start > 0 and text.startswith(literal, start - 1):
            starts.append(start - 1)
    if word.bordered:
        starts += [place for place in behind.get(literal[0], ()) if text.startswith(literal, place)]
        starts += [place - size for place in before.get(literal[-1], ()) if text.endswith(literal, 0, place)]
    return starts if len(starts) < _SOME else sorted(set(starts))


def _by_letter(text: str, camels: Sequence[int]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    before: dict[str, list[int]] = {}
    behind: dict[str, list[int]] = {}
    for place in camels:
        before.setdefault(text[place - 1], []).append(place)
        behind.setdefault(text[place], []).append(place)
    return before, behind


_SOME = 2
_CASES = bytes(97 if chr(code).islower() else 65 if chr(code).isupper() else 32 for code in range(256))


def _camels(plain: str) -> list[int] | None:
    """Where a capital stands right behind a small letter; None: letters beyond Latin-1 may be either."""
    try:
        data = plain.encode("latin-1")
    except UnicodeEncodeError:
        more = "".join(char for char in beyond_ascii(plain) if char > "\xff")
        if more.isupper() or more.islower() or more.lower() != more:
            return None
        data = plain.encode("latin-1", "replace")
    cases = data.translate(_CASES)
    places = []
    at = cases.find(b"aA")
    while at >= 0:
        places.append(at + 1)
        at = cases.find(b"aA", at + 2)
    return places


def _all_of(text: str, literal: str) -> list[int]:
    """Each place where a literal stands, one over another too."""
    starts = []
    at = text.find(literal)
    while at >= 0:
        starts.append(at)
        at = text.find(literal, at + 1)
    return starts


_CAMEL_AT = re.compile(r"[A-Z](?<=[a-z].)")
_BESIDE = 3
"""Characters between a word and itself that hold no value."""
_SHORT = 3
"""Letters of a word whose accents have to stand: without them it may be another language's commonest."""
_LONG = 7
"""Characters of a word that hardly stands inside another: it is looked for without its borders, which costs less."""
_PART = _LONG + 1
"""Characters before and after the capital in such a name: longer words are looked for without their borders."""


def _pattern(literal: str, entries: list[tuple[str, int]]) -> bytes:
    """The word between its borders. Beyond ASCII anything is a border: what stands there is looked at afterwards."""
    quoted = re.escape(literal.encode())
    if len(literal) >= _LONG or not literal.isascii() or any(how == _ENDING for _, how in entries):
        return quoted
    left = rb"(?:^|[^a-z0-9])" if literal[0].isalnum() else b""
    right = rb"(?:$|[^a-z])" if literal[-1].isalnum() and all(how == _WHOLE for _, how in entries) else b""
    return left + quoted + right


def _among_letters(literal: str, entries: list[tuple[str, int]]) -> tuple[bytes, ...]:
    """The same where figures are `0` and all else that is no letter is a blank; nothing: it does not stand there."""
    if len(literal) >= _LONG or _PLAIN_WORD.match(literal) is None or any(how == _ENDING for _, how in entries):
        return ()
    ends = (b" ", b"0") if all(how == _WHOLE for _, how in entries) else (b"",)
    return tuple(b" %b%b" % (literal.encode(), end) for end in ends)


_PLAIN_WORD = re.compile(r"[a-z][a-z ]*[a-z]$|[a-z]$")
_WHOLE, _STEM, _ENDING, _ANYWHERE = range(4)


def _forms(word: str) -> set[str]:
    """A phrase as people and programs write it: social security number, social_security_number, and so on."""
    if " " not in word or not word.isascii():
        return {word}
    return {word, word.replace(" ", "_"), word.replace(" ", "-"), word.replace(" ", ""), word.replace(" ", "\n")}


def _add(hits: Hits, word: _Word, text: str, plain: str, starts: list[int]) -> None:
    """Adds where a word stands of all places where it may. `text`: `plain` in lower case without accents."""
    found: list[tuple[int, int]] = []
    last_how = -1
    for concept, how in word.entries if starts else ():
        if how != last_how:
            found, last_how = _places(text, plain, word, how, starts), how
        if found and concept in word.exact:
            said, last_how = word.exact[concept], -1
            found = [place for place in found if plain[place[0] : place[1]].lower() in said]
        if found:
            hits.setdefault(concept, []).extend(found)


def _places(text: str, plain: str, word: _Word, how: int, starts: list[int]) -> list[tuple[int, int]]:
    """Those of `starts` where a word stands as it has to."""
    literal, size, length = word.literal, word.size, len(text)
    first, last = how != _ENDING and _GOES_ON[literal[0]], how == _WHOLE and _GOES_ON[literal[-1]]
    found: list[tuple[int, int]] = []
    behind = 0
    for at in starts:
        if at < behind:
            continue
        end = at + size
        if first and at and _GOES_ON[text[at - 1]] and not _is_camel(plain, at):
            continue
        if how == _STEM:
            end = _bent(text, end)
            if end < 0:
                continue
        elif last and end < length and _GOES_ON[text[end]] and not _ends_in_camel(plain, end):
            continue
        if len(found) >= MANY and at - found[-1][1] <= _BESIDE and found[-1][0] - found[-2][1] <= _BESIDE:
            found[-1] = (at, end)  # between the first and the last of a row nothing stands that they could speak of
        else:
            found.append((at, end))
        behind = at + size
    return found


def _is_camel(plain: str, at: int) -> bool:
    """Whether a word begins at a capital inside of a name."""
    return plain[at - 1].islower() and plain[at].isupper()


def _ends_in_camel(plain: str, end: int) -> bool:
    """Whether a word ends inside of a name, before a capital or a figure."""
    behind = plain[end]
    return plain[end - 1].islower() and (behind.isupper() or behind.isdigit())


def _bent(text: str, end: int) -> int:
    """Where a stem's word ends; -1: it has too many letters more."""
    limit = min(len(text), end + _BENT + 1)
    at = end
    while at < limit and _GOES_ON[text[at]]:
        at += 1
    return at if at - end <= _BENT else -1


_WITHOUT_SPACES = (("\u0e00", "\u0e7f"), ("\u2e80", "\u9fff"), ("\uac00", "\ud7af"))
"""Thai, Chinese and Japanese put no space between words, Korean none between a word and its particle."""


class _GoesOn(dict[str, bool]):
    """Whether a word goes on at a character."""

    def __missing__(self, char: str) -> bool:
        found = char.isalnum() and not any(first <= char <= last for first, last in _WITHOUT_SPACES)
        if len(self) < _MOST_KNOWN:
            self[char] = found
        return found


_MOST_KNOWN = 65_536
_GOES_ON = _GoesOn()
