"""Patterns that begin with a literal, looked for where the literal stands.

Python's `re` tries a pattern that looks back first at every place of a text, which takes longer than all else that is
done with most texts. What begins with one of a few literals is tried only there, with the same matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from re import Match, Pattern
from typing import Any

_MOST = 8
"""Literals that a pattern may begin with."""
_SHORTEST = 2


def beginnings(parsed: Any) -> tuple[str, ...]:
    """Literals one of which each match of a parsed pattern begins with; none: it may begin otherwise."""
    found = _beginnings(parsed)
    return tuple(dict.fromkeys(found)) if found and min(map(len, found)) >= _SHORTEST else ()


def _beginnings(parsed: Any) -> list[str]:
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
        elif kind == "SUBPATTERN" and not value[1] and not value[2]:
            more = _beginnings(value[3])
        elif kind == "BRANCH":
            branches = [_beginnings(branch) for branch in value[1]]
            more = [each for branch in branches for each in branch] if all(branches) else []
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
