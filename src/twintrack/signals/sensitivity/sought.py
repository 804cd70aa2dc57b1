"""Patterns looked for only where their literals stand, with the same matches.

Python's `re` tries a pattern that looks back first at every place of a text, which takes longer than all else that is
done with most texts. What begins with one of a few literals is tried only there. Of a pattern with many alternatives
only those are tried whose literals stand in the text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from re import Match, Pattern
from typing import Any

from twintrack.signals.sensitivity.demands import PARSER
from twintrack.signals.sensitivity.fold import low

_MOST = 40
"""Literals that a pattern may begin with."""
_SHORTEST = 2


def beginnings(parsed: Any) -> tuple[tuple[str, ...], bool]:
    """Literals one of which each match of a parsed pattern begins with, and whether in any case: then they stand as in
    `View.low`. None: it may begin otherwise."""
    any_case = _folds_case(parsed)
    found = _beginnings(parsed, any_case)
    return (tuple(dict.fromkeys(found)) if found and min(map(len, found)) >= _SHORTEST else ()), any_case


def _beginnings(parsed: Any, any_case: bool) -> list[str]:
    literals = [""]
    for op, value in parsed:
        kind = str(op)
        if kind in ("ASSERT", "ASSERT_NOT", "AT"):
            continue  # takes no character
        more: list[str] = []
        if kind == "LITERAL":
            more = [chr(value)]
        elif kind == "IN" and all(str(each) == "LITERAL" for each, _ in value):
            more = [chr(code) for _, code in value]
        elif kind == "SUBPATTERN":
            more = _beginnings(value[3], any_case)
        elif kind == "BRANCH":
            branches = [_beginnings(branch, any_case) for branch in value[1]]
            more = [each for branch in branches for each in branch] if all(branches) else []
        if any_case:
            more = list(map(low, more))
            if not all(map(str.isascii, more)):
                more = []  # of some letters beyond there are more forms than two
        if not more or len(literals) * len(more) > _MOST:
            break
        literals = [before + each for before in literals for each in more]
        if kind not in ("LITERAL", "IN"):
            break  # it may have ended before its own end
    return literals if literals != [""] else []


def at(pattern: Pattern[str], text: str, literals: tuple[str, ...], where: str) -> Iterator[Match[str]]:
    """As `pattern.finditer(text)`, of which each match begins where one of `literals` stands in `where`."""
    places = {literal: where.find(literal) for literal in literals}
    while True:
        begins = min((place for place in places.values() if place >= 0), default=-1)
        if begins < 0:
            return
        found = pattern.match(text, begins)
        behind = begins + 1
        if found is not None:
            yield found
            behind = max(behind, found.end())
        for literal, place in places.items():
            if 0 <= place < behind:
                places[literal] = where.find(literal, behind)


def at_any(
    pattern: Pattern[str], text: str, literals: Pattern[str], where: str, start: int = 0, end: int = sys.maxsize
) -> Iterator[Match[str]]:
    """As `pattern.finditer(text, start, end)`, with many literals in one pattern."""
    begins = literals.search(where, start, end)
    while begins is not None:
        found = pattern.match(text, begins.start(), end)
        behind = begins.start() + 1
        if found is not None:
            yield found
            behind = max(behind, found.end())
        begins = literals.search(where, behind, end)


def first_of(patterns: Sequence[Pattern[str]], text: str, start: int, end: int) -> Iterator[tuple[int, Match[str]]]:
    """As `finditer` of all of `patterns` with a bar between them, each match with the place of its pattern."""
    found = [pattern.search(text, start, end) for pattern in patterns]
    while True:
        best, begins = -1, end + 1
        for place, match in enumerate(found):
            if match is not None and match.start() < begins:
                best, begins = place, match.start()
        if best < 0:
            return
        first = found[best]
        assert first is not None
        yield best, first
        behind = first.end()
        for place, match in enumerate(found):
            if match is not None and match.start() < behind:
                found[place] = patterns[place].search(text, behind, end)


class Alternatives:
    """A pattern of many alternatives, none with a literal that has to stand somewhere but does not."""

    def __init__(self, source: str, flags: re.RegexFlag) -> None:
        each = _split(source)
        self._patterns = [re.compile(one, flags) for one in each]
        parsed = [PARSER.parse(one, int(flags)) for one in each]
        self._any_case = [_folds_case(one) for one in parsed]
        self._needs = [_needs(one, any_case) for one, any_case in zip(parsed, self._any_case, strict=True)]

    def finditer(self, plain: str, low: str) -> Iterator[Match[str]]:
        """As `re`'s of the whole pattern. `low`: `plain` in lower case, without accents."""
        possible = [
            pattern
            for pattern, needs, any_case in zip(self._patterns, self._needs, self._any_case, strict=True)
            if not needs or any(map((low if any_case else plain).__contains__, needs))
        ]
        return (found for _, found in first_of(possible, plain, 0, len(plain)))


_MOST_NEEDS = 12


def _split(source: str) -> list[str]:
    """The alternatives of a pattern."""
    each = [""]
    depth, at, in_class = 0, 0, False
    while at < len(source):
        char = source[at]
        size = 2 if char == "\\" else 1
        if char == "[" and not in_class:
            in_class = True
            size += source.startswith("^", at + size)
            size += source.startswith("]", at + size)  # that comes first, and is one of the class
        elif char == "]":
            in_class = False
        elif not in_class:
            depth += (char == "(") - (char == ")")
        if char == "|" and not depth and not in_class:
            each.append("")
        else:
            each[-1] += source[at : at + size]
        at += size
    return each


def _folds_case(parsed: Any) -> bool:
    return any(str(op) == "SUBPATTERN" and (value[1] & re.IGNORECASE or _folds_case(value[3])) for op, value in parsed)


def _needs(parsed: Any, any_case: bool) -> tuple[str, ...]:
    """Literals one of which stands in each match, the longest that there are; none: none has to."""
    best: tuple[str, ...] = ()
    run = ""
    for op, value in (*parsed, (None, None)):
        kind = str(op)
        if kind == "LITERAL" and (chr(value).isascii() or not any_case):
            run += chr(value).lower() if any_case else chr(value)
            continue
        if kind == "AT":
            continue  # takes no character
        if len(run) > min(map(len, best), default=_SHORTEST - 1):
            best = (run,)
        run = ""
        inner: list[tuple[str, ...]] = []
        if kind == "SUBPATTERN":
            inner = [_needs(value[3], any_case)]
        elif kind == "BRANCH":
            inner = [_needs(branch, any_case) for branch in value[1]]
        elif kind in ("MAX_REPEAT", "MIN_REPEAT") and value[0]:
            inner = [_needs(value[2], any_case)]
        if inner and all(inner):
            together = tuple(dict.fromkeys(each for one in inner for each in one))
            if len(together) <= _MOST_NEEDS and min(map(len, together)) > min(map(len, best), default=0):
                best = together
    return best
