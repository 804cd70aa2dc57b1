"""National, tax, health and bank identifiers: rules/identifiers.toml."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from twintrack.signals.sensitivity.checks import Check
from twintrack.signals.sensitivity.demands import demands
from twintrack.signals.sensitivity.finding import Evidence
from twintrack.signals.sensitivity.recognisers.labelled import odd_value
from twintrack.signals.sensitivity.window import AFTER, BEFORE, Raw, Window

_FEWEST_DIGITS = 4
_NEAR_BEFORE, _NEAR_AFTER = 64, 40
_CROWD = 3
"""So many look-alikes without a word beside them are a table: most must be valid, or those that are were chance."""


@dataclass(frozen=True, slots=True)
class NumberType:
    id: str
    category: str
    label: str
    """Concept of its labels."""
    shape: re.Pattern[str]
    alone: re.Pattern[str] | None
    """A writing that needs no word beside it."""
    alone_unchecked: bool
    """Whether even with wrong check digits: the shape itself is like nothing else."""
    labelled_only: bool
    check: Check | None
    figures: int
    """It has at least so many."""
    near: tuple[str, ...]


def compiled(shape: str) -> re.Pattern[str]:
    """`_` is one optional separator, `<9>` nine digits with such separators."""
    shape = re.sub(r"<(\d+)>", lambda found: rf"\d(?:_\d){{{int(found[1]) - 1}}}", shape)
    return re.compile(f"{BEFORE}(?:{shape.replace('_', _SEPARATOR)}){AFTER}")


_SEPARATOR = r"(?:[ .\-/]|[ \-]?\n ?)?"
_TAIL = re.compile(r"\d[A-Z0-9]*(?:(?:[ .\-/+(]|[ \-]?\n ?)[A-Z0-9]+\)?)*")
_ZONE = re.compile(rf"{BEFORE}(?:[A-Z]{{1,6}}[ \-.]?){{0,2}}{_TAIL.pattern}")
"""Where a number may stand: groups with figures, and what may stand between them."""
_MOST_LETTERS = 14
"""Characters of a zone before its first figure."""
_LATIN = re.compile("[A-Za-z0-9À-ɏ]")
_CAPITAL = re.compile("[A-Z]")
Zone = tuple[int, int, int]
"""Start, end, and figures between them."""


class Numbers:
    name = "numbers"

    def __init__(self, types: tuple[NumberType, ...]) -> None:
        self._types = types
        self._labels = frozenset(kind.label for kind in types)
        self.concepts = self._labels | {"shape:number"}
        concepts: dict[str, list[int]] = {}
        for at, kind in enumerate(types):
            for concept in (kind.label, *(() if kind.check is None or kind.labelled_only else kind.near)):
                concepts.setdefault(concept, []).append(at)
        self._asked_by = concepts
        self._alone = tuple(kind for kind in types if kind.alone is not None)
        widths = [demands(_numbered(kind.alone)).width for kind in self._alone]
        self._widths_alone = sorted(set(widths))
        self._any_alone = tuple(self._those(widths, most) for most in self._widths_alone)
        """For each of these, those that fit into so many characters."""
        shapes = [demands(kind.shape.pattern) for kind in types]
        self._fewest = tuple(max(kind.figures, least.figures) for kind, least in zip(types, shapes, strict=True))
        self._widths = tuple(least.width for least in shapes)

    def find(self, window: Window) -> Iterator[Raw]:
        hits = window.hits
        zones = _zones(window.plain) if "shape:number" in hits else []
        if not zones and self._labels.isdisjoint(hits):
            return
        asked = {at for concept in self._asked_by.keys() & hits.keys() for at in self._asked_by[concept]}
        for at in sorted(asked):
            kind = self._types[at]
            labels = hits.get(kind.label)
            if labels:
                yield from self._labelled(window, kind, labels)
            fewest, width = self._fewest[at], self._widths[at]
            fitting = [zone for zone in zones if zone[2] >= fewest and zone[1] - zone[0] >= width]
            if fitting:
                yield from self._near(window, kind, bool(labels), fitting)
        yield from self._by_shape(window, zones)

    def _labelled(self, window: Window, kind: NumberType, labels: list[tuple[int, int]]) -> Iterator[Raw]:
        for _, end in labels:
            start = window.value_at(end)
            found = kind.shape.match(window.upper, start)
            if found is not None and _has_figures(found[0], kind.figures):
                evidence: Evidence = "labelled_valid" if _holds(kind, found[0]) else "labelled"
                yield Raw(found.start(), found.end(), kind.id, kind.category, evidence, kind.id)
            elif start > end and not kind.labelled_only:  # mistyped, or of a form that the rule does not know
                span = odd_value(window, start)
                if span is not None:
                    yield Raw(*span, kind.id, kind.category, "near", kind.id)

    def _near(self, window: Window, kind: NumberType, own_word: bool, zones: list[Zone]) -> Iterator[Raw]:
        if kind.labelled_only:
            return
        for found in (each for start, end, _ in zones for each in kind.shape.finditer(window.plain, start, end)):
            start, end = found.span()
            if not _has_figures(found[0], kind.figures):
                continue
            valid = kind.check is not None and _holds(kind, found[0])
            if own_word and window.near(kind.label, start, end, _NEAR_BEFORE, _NEAR_AFTER):
                yield Raw(start, end, kind.id, kind.category, "near_valid" if valid else "near", kind.id)
            elif valid and any(window.near(near, start, end, _NEAR_BEFORE, _NEAR_AFTER) for near in kind.near):
                yield Raw(start, end, kind.id, kind.category, "near_valid", kind.id)

    def _those(self, widths: list[int], most: int) -> re.Pattern[str]:
        """What finds any that needs no word beside it and may be as short as `most`."""
        groups = "|".join(
            f"(?P<t{at}>{_numbered(kind.alone)})"
            for at, (kind, width) in enumerate(zip(self._alone, widths, strict=True))
            if width <= most
        )
        return re.compile(f"{BEFORE}(?:{groups}){AFTER}")

    def _alone_in(self, text: str, zones: list[Zone]) -> Iterator[re.Match[str]]:
        for start, end, _ in zones:
            fitting = bisect_right(self._widths_alone, end - start)
            if fitting:
                yield from self._any_alone[fitting - 1].finditer(text, start, end)

    def _by_shape(self, window: Window, zones: list[Zone]) -> Iterator[Raw]:
        counts: dict[int, list[Raw | None]] = {}
        for found in self._alone_in(window.plain, zones):
            at = int((found.lastgroup or "t0")[1:])
            kind = self._alone[at]
            right = _holds(kind, found[0])
            raw = None
            if right or kind.alone_unchecked:
                how: Evidence = "valid" if right and kind.check is not None else "bare"
                raw = Raw(found.start(), found.end(), kind.id, kind.category, how, kind.id)
            counts.setdefault(at, []).append(raw)
        for seen in counts.values():
            found_ones = [raw for raw in seen if raw is not None]
            if len(seen) < _CROWD or 2 * len(found_ones) > len(seen):
                yield from found_ones


def _zones(text: str) -> list[Zone]:
    """All of `_ZONE` with enough figures. Each goes on to where `_TAIL` does from its first figure, and begins there
    unless a capital stands right before."""
    zones = []
    at = 0
    for tail in _TAIL.finditer(text):
        first, end = tail.span()
        start, at = at, end
        if end - first < _FEWEST_DIGITS:
            continue
        count = sum(map(str.isdigit, tail[0]))
        if count < _FEWEST_DIGITS:
            continue
        if first and (_LATIN.match(text, first - 1) or _CAPITAL.search(text, max(start, first - 2), first)):
            found = _ZONE.search(text, max(start, first - _MOST_LETTERS), end)
            if found is None:
                continue
            if found.start() > first:
                count = sum(map(str.isdigit, found[0]))
                if count < _FEWEST_DIGITS:
                    continue
            first, end = found.span()
        zones.append((first, end, count))
    return zones


def _numbered(pattern: re.Pattern[str] | None) -> str:
    """A pattern for use among others: no numbered groups, since their numbers would shift."""
    return "" if pattern is None else pattern.pattern


def _holds(kind: NumberType, written: str) -> bool:
    if kind.check is None:
        return True
    try:
        return kind.check(written.replace("\n", ""))
    except (ValueError, IndexError, KeyError):
        return False  # not of the form that the check expects


def _figures(written: str) -> int:
    return sum(map(str.isdigit, written))


def _has_figures(written: str, fewest: int) -> bool:
    return _figures(written) >= fewest and len(set(written)) > 2  # 000 000 000 is a form
