"""What stands in two texts of a request that follow each other: half of a card in one part of a message, the rest in
the next. Providers join the parts of a message, and a model reads its turns in one go.

Texts are read by themselves. Where one ends and the next begins so that a value, or its label and the value, may lie
across, the end of the one and the start of the other are read once more, together. Most texts end like a sentence, and
there nothing is read twice.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence

from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.surface import Part, Surface

_EDGE = 320
"""Characters of each text that are read again at most."""
_NEAR = 96
"""And at least: within so many a word says what a value is. A word at the end is not cut."""
_MOST = 1280
"""And before blanks at their ends are left out."""
_WORD = 32
"""The same where two halves of a word seem to meet."""
_LOOKED_AT = 40
_KEY = 12
"""Characters of two words that may be the halves of one key."""
_IN_KEYS = re.compile(r"[\d_]")
_NUMBER = re.compile(r"\d[ \-./]?\d[ \-./]?\d[ \-./]?\d[ \-./]?\d")
"""What may be a value of which the other text says what it is."""
_TURNS = ("$.messages[", "$.input[", "$.contents[")
_LIST = re.compile(r"\$\.(?:input|prompt)\[\d+\]$")
"""One of several texts that have nothing to do with each other, as inputs of embeddings."""
_DEFINITIONS = ("$.tools", "$.functions")
"""Here a text after another is another thing's description."""
_MARKS = "_@.+/=:-%\\"
_ENDS = frozenset(".!?;,)}>\"'`*…。！？»”’")
_BEGINS = frozenset(string.ascii_uppercase + "#*\"'`(<{$\\")
"""Characters between which nothing lies but what somebody wants to hide."""
_LABELS = (":", "=", "：")
_CAPITALS = re.compile(r"[A-Z0-9\-]{2,}$")
_BY_CONTEXT = frozenset(("labelled", "labelled_valid", "near", "near_valid"))


class Seam(Surface, frozen=True):
    """Ends and starts of texts that follow each other. Its parts are stretches of their texts."""

    fresh: int
    """What lies across two texts and ends before this was in the seam before."""
    offsets: tuple[int, ...]
    """Of each part: where it begins in the surface that its whole text is."""

    def own(self, findings: Iterable[Finding], texts: Sequence[tuple[Surface, tuple[Finding, ...]]]) -> list[Finding]:
        """Of what was found in it, what is no news from its texts alone.

        Args:
            texts: those that were read before, with what was found in each.
        """
        there = {part.path: part.start - offset for part, offset in zip(self.parts, self.offsets, strict=True)}
        alone: list[tuple[int, int, str]] = []
        together: list[tuple[str, str]] = []
        for surface, known in texts:
            if isinstance(surface, Seam):
                together += [(one.type, _bare(surface.text[one.start : one.end])) for one in known]
            elif surface.path in there:
                shift = there[surface.path]
                alone += [(one.start + shift, one.end + shift, one.category) for one in known]
        return [
            one
            for one in findings
            if (one.evidence in _BY_CONTEXT if self.holder(one) is not None else one.end > self.fresh)
            and not any(start < one.end and end > one.start and one.category == of for start, end, of in alone)
            and not any(one.type == of and value in _bare(self.text[one.start : one.end]) for of, value in together)
        ]

    def holder(self, one: Finding) -> Part | None:
        """The text that it stands in; None: it stands in more than one."""
        return next((part for part in self.parts if part.start <= one.start and one.end <= part.end), None)


def _bare(value: str) -> str:
    return "".join(filter(str.isalnum, value))


class Seams:
    """Of one request: takes its texts in their order."""

    __slots__ = ("_before", "_size", "_tail")

    def __init__(self) -> None:
        self._before: list[tuple[Surface, str]] = []
        """The last text, and those before it as far as they count, each with what stands between it and the one before
        as it seems to go on."""
        self._size = 0
        """Characters of these."""
        self._tail = "."
        """How the last ends."""

    def add(self, surface: Surface) -> Sequence[Seam]:
        """A text that stands alone; where it meets those before, if something may lie across."""
        text, start, tail = surface.text, surface.parts[0].start, self._tail
        head = text[start : start + _LOOKED_AT]
        numbers = _NUMBER.search(head) is not None
        if not numbers and tail[-1] in _ENDS and head[0] in _BEGINS:
            # As most do: the one ends like a sentence, the other begins like one, and with no number.
            self._tail = text[-_LOOKED_AT:]
            self._keep(surface, "\n")
            return ()
        return self._met(surface, tail, head, numbers=numbers)

    def _met(self, surface: Surface, tail: str, head: str, *, numbers: bool) -> Sequence[Seam]:
        path, text, start = surface.path, surface.text, surface.parts[0].start
        if path[-1] == "]" and _LIST.match(path):
            return ()
        apart = tail[-1].isspace() or head[0].isspace()
        if apart:
            tail = tail.rstrip() or self._before[-1][0].text.rstrip()[-_LOOKED_AT:]
            head = head.lstrip() or text[start:].lstrip()[:_LOOKED_AT]
            if not head:
                return ()
        met: Sequence[Seam] = ()
        between = "\n"
        if self._before:
            spaced, glued = _judged(tail, head, (self._before[-1][0].path, path), apart=apart, numbers=numbers)
            if glued:
                between = ""
            if spaced or glued:
                met = [self._seam(surface, sign, near) for sign, near in ((" ", spaced), ("", glued)) if near]
        self._tail = text[-_LOOKED_AT:]
        self._keep(surface, between)
        return met

    def _keep(self, surface: Surface, between: str) -> None:
        size = len(surface.text) - surface.parts[0].start
        before = self._before
        if size >= _EDGE:
            before.clear()
            self._size = 0
        before.append((surface, between))
        self._size += size
        while self._size > _EDGE and len(before) > 1:
            first = before[0][0]
            rest = self._size - (len(first.text) - first.parts[0].start)
            if rest < _EDGE:
                break
            self._size = rest
            del before[0]

    def _seam(self, surface: Surface, between: str, near: int) -> Seam:
        """Where a text meets what is before it; `near`: characters of each."""
        made = ""
        parts: list[Part] = []
        offsets: list[int] = []
        for each, itself in self._before:
            offset = max(each.parts[0].start, len(each.text) - _MOST)
            said = each.text[offset:].lstrip()
            offset, said = len(each.text) - len(said), said.rstrip()
            if parts:
                made += between or itself
            parts.append(Part(len(made), len(made) + len(said), each.path))
            offsets.append(offset)
            made += said
        cut = _start(made, near)
        offsets = [offset + max(0, cut - part.start) for offset, part in zip(offsets, parts, strict=True)]
        parts = [Part(max(0, part.start - cut), max(0, part.end - cut), part.path) for part in parts]
        made = made[cut:] + between
        start = surface.parts[0].start
        whole = surface.text[start : start + _MOST]
        said = whole.lstrip()
        offsets.append(start + len(whole) - len(said))
        said = said[: _end(said, near)]
        parts.append(Part(len(made), len(made) + len(said), surface.path))
        return Seam(surface.path, made + said, tuple(parts), len(made), tuple(offsets))


def _start(text: str, near: int) -> int:
    """Of the end of a text."""
    latest = len(text) - near
    if latest <= 0:
        return 0
    earliest = max(0, len(text) - _EDGE)
    return max(text.rfind(" ", earliest, latest) + 1, earliest)


def _end(text: str, near: int) -> int:
    """Of the start of a text."""
    blank = text.find(" ", near, _EDGE)
    return min(len(text), _EDGE if blank < 0 else blank)


def _judged(before: str, after: str, paths: tuple[str, str], *, apart: bool, numbers: bool) -> tuple[int, int]:
    """How much of two texts to read for what may lie across them, with a blank between them and without; 0: nothing.

    Args:
        before, after: the end of the one, the start of the other, without blanks where they meet.
        paths: where they stand; within a turn more lies across.
        apart: there is one.
        numbers: one stands in `after`.
    """
    last, first = before[-1], after[0]
    spaced = 0
    if numbers or last in _LABELS or (_within(paths) and _NUMBER.search(before)):
        spaced = _NEAR
    if not ((last.isalnum() or last in _MARKS) and (first.isalnum() or first in _MARKS)):
        return spaced, 0
    if apart and not numbers and last.isalpha() and last.islower():
        return spaced, 0
    both = before.rsplit(None, 1)[-1] + after.split(None, 1)[0]
    if both.isalpha():
        return spaced, _WORD if not apart and _within(paths) else 0
    digits = (last.isdecimal() or last == "-") and (first.isdecimal() or first == "-")
    if digits or _CAPITALS.match(both):
        return _NEAR, 0 if apart else _NEAR
    if apart:
        return spaced, 0
    if "@" in both or (len(both) >= _KEY and last != "." and _IN_KEYS.search(both)):
        return spaced, _NEAR
    return spaced, _WORD if _within(paths) else 0


def _within(paths: tuple[str, str]) -> bool:
    """Whether two texts stand in one turn, or in one member of the request."""
    one, other = paths
    if one.startswith(_TURNS):
        turn = one.find("]") + 1
        return turn < len(one) and one[:turn] == other[:turn]
    member = one.partition("[")[0]
    return other.partition("[")[0] == member and not one.startswith(_DEFINITIONS)
