"""Regular expressions of an operator's own, in time that grows with the text and nothing else.

Python's `re` can take for ever on a text that somebody chose well, and a pattern written in a hurry lets it: `(a+)+$`.
Here a pattern becomes an automaton that is made while it is used (Thompson 1968; Cox, "Regular Expression Matching Can
Be Simple And Fast", 2007) and reads each place of a text once in each of its states. What no such automaton can do is
refused: looking ahead or back, references to groups. Of what begins at one place the longest counts, and `$` stands
before every line's end, since a text is read in windows.

Hyperscan would do, and crashes on some patterns when it is asked where a match begins (0.9.1, `(x+x+)+y`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

_MOST_NODES = 4000
"""Of a pattern whose repeats are written out."""
_MOST_STATES = 2000
"""Made so far; with more they are forgotten and made anew."""
_MOST_NEW = 20_000
"""Steps worked out for one text, each some microseconds: beyond that it counts as not read."""
_PARSER: Any = re.__dict__["_parser"]
"""Of the standard library, so that a pattern means what it means there. It has no public name."""

Char = Callable[[str], bool]
_START, _LINE, _WORD, _OTHER = range(4)
"""What stands before a place, or behind: nothing, the end of a line, a letter, something else."""


class Refused(ValueError):
    """Why a pattern cannot be used."""


class _Node:
    """Of the automaton: eats a character, or stands at a place, or leads on without either."""

    __slots__ = ("accepts", "at", "eats", "leads")

    def __init__(self, eats: Char | None = None, at: str = "") -> None:
        self.eats = eats
        self.at = at
        self.leads: list[_Node] = []
        self.accepts = False


_Steps = dict[str, "tuple[bool, _State | None]"]


class _State:
    """Where the automaton may be at once: `steps` says for the next character whether a match ends before it, and
    what follows; "" is the end of the text."""

    __slots__ = ("before", "nodes", "steps")

    def __init__(self, nodes: frozenset[_Node], before: int) -> None:
        self.nodes = nodes
        self.before = before
        self.steps: _Steps = {}


class TooLong(Exception):
    """A text makes a pattern take longer than any honest one does."""


class Linear:
    """One pattern. Raises Refused, which says why."""

    def __init__(self, pattern: str) -> None:
        try:
            parsed = _PARSER.parse(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise Refused(f"is no regular expression: {error}") from None
        self._flags = int(parsed.state.flags)
        self._left = _MOST_NODES
        end = self._node()
        end.accepts = True
        self._first = self._sequence(parsed, end)
        self._states: dict[tuple[frozenset[_Node], int], _State] = {}
        if self._longest(" ", 0, set()) == 0:
            raise Refused("matches nothing at all, and so everywhere")
        self._starts = _starts(parsed, self._flags)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it matches, in order, none over another. Raises TooLong."""
        if len(self._states) > _MOST_STATES:
            self._states.clear()
        self._new = 0
        failed: set[tuple[int, int]] = set()
        """(state, place) from which no match ends: whoever comes there later need not go on."""
        at = 0
        for start in self._places(text):
            if start < at:
                continue
            end = self._longest(text, start, failed)
            if end > start:
                yield start, end
                at = end

    def _places(self, text: str) -> Iterator[int]:
        if self._starts is None:
            return iter(range(len(text)))
        return (found.start() for found in self._starts.finditer(text))

    _new = 0

    def _longest(self, text: str, start: int, failed: set[tuple[int, int]]) -> int:
        """Where the longest match from `start` ends; -1: there is none."""
        before = _kind(text[start - 1]) if start else _START
        state: _State | None = self._state(frozenset((self._first,)), before)
        at, end = start, -1
        passed = []
        while state is not None:
            place = (id(state), at)
            if place in failed:
                break
            passed.append(place)
            char = text[at : at + 1]
            step = state.steps.get(char)
            if step is None:
                step = state.steps[char] = self._step(state, char)
            if step[0]:
                end = at
                passed.clear()
            state = step[1]
            at += 1
        failed.update(passed)
        return end

    def _step(self, state: _State, char: str) -> tuple[bool, _State | None]:
        self._new += 1
        if self._new > _MOST_NEW:
            raise TooLong
        behind = _kind(char) if char else _START
        reached = self._reached(state.nodes, state.before, behind, last=not char)
        accepts = any(node.accepts for node in reached)
        if not char:
            return accepts, None
        following = {each for node in reached if node.eats is not None and node.eats(char) for each in node.leads}
        return accepts, self._state(frozenset(following), behind) if following else None

    def _reached(self, nodes: frozenset[_Node], before: int, behind: int, *, last: bool) -> set[_Node]:
        """With all that is led to from there at this place."""
        reached: set[_Node] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node in reached:
                continue
            reached.add(node)
            if node.eats is None and (not node.at or _stands(node.at, before, behind, last=last)):
                waiting += node.leads
        return reached

    def _state(self, nodes: frozenset[_Node], before: int) -> _State:
        state = self._states.get((nodes, before))
        if state is None:
            state = self._states[nodes, before] = _State(nodes, before)
        return state

    # ---- from the parsed pattern, back to front

    def _node(self, eats: Char | None = None, at: str = "") -> _Node:
        self._left -= 1
        if self._left < 0:
            raise Refused("is too large once its repeats are written out")
        return _Node(eats, at)

    def _sequence(self, parsed: Any, then: _Node) -> _Node:
        for op, value in reversed(list(parsed)):
            then = self._part(str(op), value, then)
        return then

    def _part(self, op: str, value: Any, then: _Node) -> _Node:
        if op in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(value, then)
        if op == "BRANCH":
            node = self._node()
            node.leads = [self._sequence(each, then) for each in value[1]]
            return node
        if op == "SUBPATTERN":
            _, added, removed, inner = value
            before, self._flags = self._flags, (self._flags | added) & ~removed
            node = self._sequence(inner, then)
            self._flags = before
            return node
        if op == "AT":
            lines = str(value) == "AT_BEGINNING" and bool(self._flags & re.MULTILINE)
            node = self._node(at="AT_BEGINNING_LINE" if lines else str(value))
        else:
            node = self._node(_eats(op, value, self._flags))
        node.leads = [then]
        return node

    def _repeat(self, value: Any, then: _Node) -> _Node:
        least, most, inner = value
        if str(most) == "MAXREPEAT":
            again = self._node()
            again.leads = [then, self._sequence(inner, again)]
            then = again
        else:
            for _ in range(most - least):
                skip = self._node()
                skip.leads = [self._sequence(inner, then), then]
                then = skip
        for _ in range(least):
            then = self._sequence(inner, then)
        return then


def _kind(char: str) -> int:
    if char == "\n":
        return _LINE
    return _WORD if char.isalnum() or char == "_" else _OTHER


def _stands(at: str, before: int, behind: int, *, last: bool) -> bool:
    if at in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return before == _START
    if at == "AT_BEGINNING_LINE":
        return before in (_START, _LINE)
    if at == "AT_END_STRING":
        return last
    if at == "AT_END":
        return last or behind == _LINE
    border = (before == _WORD) is not (behind == _WORD)
    return border if at == "AT_BOUNDARY" else not border


def _eats(op: str, value: Any, flags: int) -> Char:
    if op == "ANY":
        return (lambda char: True) if flags & re.DOTALL else (lambda char: char != "\n")
    if op == "LITERAL":
        return _any_case(lambda char: ord(char) == value, flags)
    if op == "NOT_LITERAL":
        literal = _any_case(lambda char: ord(char) == value, flags)
        return lambda char: not literal(char)
    if op == "IN":
        parts = [(str(kind), each) for kind, each in value]
        negated = any(kind == "NEGATE" for kind, _ in parts)
        inside = _any_case(lambda char: any(_is_in(char, kind, each, flags) for kind, each in parts), flags)
        return (lambda char: not inside(char)) if negated else inside
    raise Refused("looks ahead or back, or refers to a group" if "ASSERT" in op or "GROUPREF" in op else f"holds {op}")


def _is_in(char: str, kind: str, value: Any, flags: int) -> bool:
    if kind == "LITERAL":
        return ord(char) == int(value)
    if kind == "RANGE":
        return int(value[0]) <= ord(char) <= int(value[1])
    if kind != "CATEGORY":
        return False
    name = str(value).removeprefix("CATEGORY_")
    plain = name.removeprefix("NOT_")
    known = not flags & re.ASCII or char.isascii()
    if plain == "DIGIT":
        found = char.isdecimal() and known
    elif plain == "SPACE":
        found = char.isspace() and known
    else:
        found = (char.isalnum() or char == "_") and known
    return found is not name.startswith("NOT_")


def _any_case(test: Char, flags: int) -> Char:
    if not flags & re.IGNORECASE:
        return test
    return lambda char: test(char) or test(char.lower()[:1]) or test(char.upper()[:1])


def _starts(parsed: Any, flags: int) -> re.Pattern[str] | None:
    """Where a match can begin, if the pattern begins with letters or one of some; None: anywhere."""
    literal = ""
    for op, value in parsed:
        if str(op) == "LITERAL":
            literal += chr(value)
        elif not literal and str(op) == "IN":
            parts = [(str(kind), each) for kind, each in value]
            if all(kind in ("LITERAL", "RANGE") for kind, _ in parts):
                chars = "".join(_class_part(kind, each) for kind, each in parts)
                return re.compile(f"[{chars}]", flags & re.IGNORECASE)
            break
        else:
            break
    return re.compile(re.escape(literal), flags & re.IGNORECASE) if literal else None


def _class_part(kind: str, value: Any) -> str:
    if kind == "LITERAL":
        return re.escape(chr(value))
    return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
