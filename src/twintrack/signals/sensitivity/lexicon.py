"""Words and token prefixes that the detectors know, and where they stand in a text.

Each literal belongs to one or more concepts. A word counts as a whole one only: `lic` in `public` is none. A stem,
written with a star at its end, may have up to six more letters, for languages that bend their words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from twintrack.signals.sensitivity.fold import View, low
from twintrack.signals.sensitivity.nominate import nominator
from twintrack.signals.sensitivity.nominations import Nominations

_BENT = 6
_MANY = 64
"""Of one literal in one window; more add nothing."""
Hits = dict[str, list[tuple[int, int]]]
"""Of each concept that stands in a window: where, in order."""


class Lexicon:
    """Immutable once made."""

    def __init__(
        self,
        words: Mapping[str, Iterable[str]],
        prefixes: Mapping[str, Iterable[str]],
        shapes: Mapping[str, Iterable[str]],
        endings: Mapping[str, Iterable[str]],
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
        self._words = tuple(
            tuple(dict.fromkeys(entry for entry in entries if entry[1] != _ANYWHERE)) for entries in patterns.values()
        )
        self._anywhere = tuple(
            tuple(dict.fromkeys(concept for concept, how in entries if how == _ANYWHERE))
            for entries in patterns.values()
        )
        self._beyond_ascii = tuple(
            bool(self._words[at]) and all(self._is_beyond_ascii(literal, concept) for concept, _ in self._words[at])
            for at, literal in enumerate([*self._literals, *[""] * (len(patterns) - len(self._literals))])
        )
        """Of each pattern: its words have accents without which they are others, as né."""
        self._exact_of = tuple(
            {concept: forms for concept, _ in self._words[at] if (forms := self._exact.get((literal, concept)))}
            for at, literal in enumerate(self._literals)
        )
        self.short = tuple(_among_letters(literal, literals[literal]) for literal in self._literals)
        """Of each literal: how it stands among letters, blanks and `0`; nothing: it is looked for as it is."""
        self.nominations = Nominations(
            self.patterns, self.short, lambda patterns: nominator(patterns, cache, compiles=compiles)
        )

    def _is_beyond_ascii(self, literal: str, concept: str) -> bool:
        exact = self._exact.get((literal, concept))
        return exact is not None and not any(word.isascii() for word in exact)

    def hits(self, view: View) -> Hits:
        hits: Hits = {}
        words, anywhere, literals, exact_of = self._words, self._anywhere, self._literals, self._exact_of
        asked = text = view.low
        plain = view.plain
        if ('"' in text or "=" in text) and plain != text:
            camels = [found.start() for found in _CAMEL_AT.finditer(plain)]  # patientMrn holds mrn
            if camels:
                parts = [f"{plain[max(0, at - _PART) : at]} {plain[at : at + _PART]}" for at in camels]
                asked = f"{text}\n{' '.join(parts).lower()}"
        accents = not plain.isascii()
        for at in self.nominations.nominate(asked):
            for concept in anywhere[at]:
                hits.setdefault(concept, [])
            entries = words[at]
            if not entries or (self._beyond_ascii[at] and not accents):
                continue
            literal, exact = literals[at], exact_of[at]
            found: list[tuple[int, int]] = []
            last_how = -1
            for concept, how in entries:
                if how != last_how:
                    found, last_how = _places(text, plain, literal, how), how
                if found and concept in exact:
                    said, last_how = exact[concept], -1
                    found = [place for place in found if plain[place[0] : place[1]].lower() in said]
                if found:
                    known = hits.get(concept)
                    if known is None:
                        hits[concept] = found.copy()
                    else:
                        known += found
        for places_of in hits.values():
            if len(places_of) > 1:
                places_of.sort()
        return hits


_CAMEL_AT = re.compile(r"[A-Z](?<=[a-z].)")
"""A capital after a small letter; it begins with the rarer of the two, which is what is looked for."""
_PART = 16
"""Characters before and after the capital in such a name."""
_SHORT = 3
"""Letters of a word whose accents have to stand: without them it may be another language's commonest."""
_LONG = 7
"""Characters of a word that hardly stands inside another: it is looked for without its borders, which costs less."""


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


def _places(text: str, plain: str, literal: str, how: int) -> list[tuple[int, int]]:
    """Where a literal stands as it has to; `text`: `plain` in lower case without accents."""
    size, length = len(literal), len(text)
    found: list[tuple[int, int]] = []
    first, last = how != _ENDING and _is_word(literal[0]), how == _WHOLE and _is_word(literal[-1])
    at = text.find(literal)
    while at >= 0 and len(found) < _MANY:
        end = at + size
        if not (
            first
            and at
            and text[at - 1].isalnum()
            and _is_word(text[at - 1])
            and not (plain[at - 1].islower() and plain[at].isupper())
        ):
            if how == _STEM:
                limit = min(length, end + _BENT + 1)
                while end < limit and _is_word(text[end]):
                    end += 1
                if end - at <= size + _BENT:
                    found.append((at, end))
            elif not (
                last
                and end < length
                and text[end].isalnum()
                and _is_word(text[end])
                and not (plain[end - 1].islower() and (plain[end].isupper() or plain[end].isdigit()))
            ):
                found.append((at, end))
        at = text.find(literal, at + size)
    return found


_WITHOUT_SPACES = (("\u0e00", "\u0e7f"), ("\u2e80", "\u9fff"), ("\uac00", "\ud7af"))
"""Thai, Chinese and Japanese put no space between words, Korean none between a word and its particle."""


def _is_word(char: str) -> bool:
    """Whether a word goes on here."""
    if char < "\u0e00":
        return char.isalnum()
    return char.isalnum() and not any(first <= char <= last for first, last in _WITHOUT_SPACES)
