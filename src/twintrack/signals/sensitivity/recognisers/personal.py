"""Dates of birth, postal addresses, people named by a label, and words of care."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twintrack.signals.sensitivity.demands import PARSER
from twintrack.signals.sensitivity.sought import at_any, beginnings
from twintrack.signals.sensitivity.window import Raw, Window

_DATE = re.compile(
    r"(?:\d{1,2}\s?[./\-]\s?\d{1,2}\s?[./\-]\s?(?:19|20)?\d{2}|(?:19|20)\d{2}\s?[./\-]\s?\d{1,2}\s?[./\-]\s?\d{1,2}"
    r"|\d{1,2}(?:st|nd|rd|th|er|º|\.)?[ \-](?:of |de |di |d')?[^\W\d_]{3,14}\.?,?[ \-](?:of |de |del )?(?:19|20)\d{2}"
    r"|[^\W\d_]{3,14}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2}"
    r"|(?:19|20)\d{2}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|(?:昭和|平成|令和|大正)\d{1,2}年\d{1,2}月\d{1,2}日"
    r"|(?:19|20)\d{2}\s?년\s?\d{1,2}\s?월\s?\d{1,2}\s?일|(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|\d{2}-[A-Za-z]{3}-\d{2})(?!\d)"
)
_REACH = 32
_BEFORE = 24
_AHEAD = 100
"""Characters behind a label within which a date that is its value has a figure."""


class Birth:
    name = "birth"
    concepts = frozenset(("birth",))

    def find(self, window: Window) -> Iterator[Raw]:
        if window.figures.count(b"0") < 4:
            return
        for begin, end in window.hits.get("birth", ()):
            if window.figures.find(b"0", max(0, begin - _BEFORE), end + _AHEAD) < 0:
                continue
            start = window.value_at(end)
            found = _DATE.match(window.low, start) or _DATE.search(window.low, end, end + _REACH)
            if found is None:  # 3 May 1980 生まれ, (12.3.1970 doğumlu)
                found = _last(window.low, max(0, begin - _BEFORE), begin)
            if found is not None:
                yield Raw(found.start(), found.end(), "date_of_birth", "pii", "labelled", "birth")


def _last(text: str, start: int, end: int) -> re.Match[str] | None:
    found = max(_DATE.finditer(text, start, end), key=lambda one: one.end(), default=None)
    return found if found is not None and end - found.end() <= 3 else None


class _Street:
    """A street's form, tried where one of the words stands that it begins with, if it does with any."""

    __slots__ = ("_any_case", "_begins", "_pattern")

    def __init__(self, pattern: re.Pattern[str]) -> None:
        literals, self._any_case = beginnings(PARSER.parse(pattern.pattern))
        self._begins = re.compile("|".join(map(re.escape, literals))) if literals else None
        self._pattern = pattern

    def finditer(self, window: Window, start: int, end: int) -> Iterator[re.Match[str]]:
        if self._begins is None:
            return self._pattern.finditer(window.plain, start, end)
        where = window.low if self._any_case else window.plain
        return at_any(self._pattern, window.plain, self._begins, where, start, end)


def _around(street: _Street, window: Window, hits: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """Matches close to one of the words, where a figure stands as well."""
    figures = window.figures
    done = 0
    for start, end in hits:
        first, last = max(done, start - _STREET), end + _STREET
        if last <= done or figures.find(b"0", first, last) < 0:
            continue
        for found in street.finditer(window, first, last):
            done = found.end()
            yield found
        done = max(done, end)


_STREET = 60
"""Characters on either side of the word that makes a street."""
_TAIL = 90
"""Characters between the street and the postcode, floor and town among them."""
_ENDED = re.compile(r"\n\s*\n|[;?!]|\.\s+[A-Z][a-z]+ [a-z]")


class Addresses:
    name = "addresses"

    def __init__(self, streets: tuple[tuple[str, re.Pattern[str], bool], ...], tail: re.Pattern[str]) -> None:
        """`streets`: concept of its words, pattern, and whether it is an address to write to by itself."""
        self._streets = [(concept, _Street(pattern), complete) for concept, pattern, complete in streets]
        self.concepts = frozenset(concept for concept, _, _ in streets)
        self._tail = tail

    def find(self, window: Window) -> Iterator[Raw]:
        if b"0" not in window.figures:
            return
        for concept, street, complete in self._streets:
            if concept not in window.hits:
                continue
            for found in _around(street, window, window.hits[concept]):
                start, end = found.span()
                tail = None if complete else self._tail.search(window.plain, end, end + _TAIL)
                if tail is not None and _ENDED.search(window.plain, end, tail.start()) is not None:
                    tail = None
                if complete or tail is not None:
                    yield Raw(start, tail.end() if tail else end, "address", "pii", "format", concept)
                elif window.near("address", start, end, 40, 12):
                    yield Raw(start, end, "address", "pii", "near", concept)
                else:
                    yield Raw(start, end, "address", "pii", "bare", concept)


_CAPITAL = r"(?:[A-Z]\.|[^\W\d_a-zß-öø-ÿ][\w'’\-]{1,24})"
_NAME = re.compile(
    rf"{_CAPITAL}(?:[ \t]+(?:(?:de|del|de la|da|dos|van|von|der|den|di|bin|al|la|le|el|y)[ \t]+){{0,2}}"
    rf"{_CAPITAL}){{1,3}}"
)
_NAME_CJK = re.compile("[\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7a3]{2,6}")


class People:
    """A name alone is not sensitive, and none is looked for; beside words of care a labelled one makes a patient."""

    name = "people"
    concepts = frozenset(("person",))

    def find(self, window: Window) -> Iterator[Raw]:
        if "person" not in window.hits or not ("health" in window.hits or "care" in window.hits):
            return
        for _, end in window.hits["person"]:
            start = window.value_at(end)
            found = _NAME.match(window.plain, start)
            if found is None and start > end:
                found = _NAME_CJK.match(window.plain, start)
            if found is None or any(
                begin < found.end() and hit_end > found.start()
                for concept in ("health", "care", "person")
                for begin, hit_end in window.hits.get(concept, ())
            ):
                continue
            yield Raw(found.start(), found.end(), "person", "person", "labelled", "person")


_ICD = re.compile(r"\.(?<=[A-TV-Z]\d{2}\.)(?<![\w.\-][A-TV-Z]\d{2}\.)\d{1,2}(?!\w)")
"""From its point on, for which it is quickly looked for."""
_BEFORE_POINT = 3


class Health:
    """Words of care: `health` where one says that somebody's health is spoken of, `care` where several do."""

    name = "health"
    concepts = frozenset(("health", "care"))

    def find(self, window: Window) -> Iterator[Raw]:
        for concept, kind in (("health", "health_content"), ("care", "care_word")):
            seen: set[str] = set()
            for start, end in window.hits.get(concept, ()):
                word = window.low[start:end]
                if word not in seen:
                    seen.add(word)
                    yield Raw(start, end, kind, "health", "near", word)
        if "care" in window.hits or "health" in window.hits:
            for found in _ICD.finditer(window.plain):
                yield Raw(found.start() - _BEFORE_POINT, found.end(), "health_content", "health", "near", "icd-10")
