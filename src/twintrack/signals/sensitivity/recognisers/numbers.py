"""National, tax, health and bank identifiers: rules/identifiers.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twintrack.signals.sensitivity.checks import Check
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
_FIGURES = re.compile(rf"(?:\D*\d){{{_FEWEST_DIGITS}}}")
_ZONE = re.compile(rf"{BEFORE}(?:[A-Z]{{1,6}}[ \-.]?){{0,2}}\d[A-Z0-9]*(?:(?:[ .\-/+(]|[ \-]?\n ?)[A-Z0-9]+\)?)*")
"""Where a number may stand: groups with figures, and what may stand between them."""
_MOST_LETTERS = 14
"""Characters of a zone before its first figure."""
_FIGURE = re.compile("[0-9]")


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
        groups = "|".join(f"(?P<t{at}>{_numbered(kind.alone)})" for at, kind in enumerate(self._alone) if kind.alone)
        self._any_alone = re.compile(f"{BEFORE}(?:{groups}){AFTER}") if groups else None

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
            if zones:
                yield from self._near(window, kind, bool(labels), zones)
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

    def _near(self, window: Window, kind: NumberType, own_word: bool, zones: list[tuple[int, int]]) -> Iterator[Raw]:
        if kind.labelled_only:
            return
        for found in _within(kind.shape, window.plain, zones):
            start, end = found.span()
            if not _has_figures(found[0], kind.figures):
                continue
            valid = kind.check is not None and _holds(kind, found[0])
            if own_word and window.near(kind.label, start, end, _NEAR_BEFORE, _NEAR_AFTER):
                yield Raw(start, end, kind.id, kind.category, "near_valid" if valid else "near", kind.id)
            elif valid and any(window.near(near, start, end, _NEAR_BEFORE, _NEAR_AFTER) for near in kind.near):
                yield Raw(start, end, kind.id, kind.category, "near_valid", kind.id)

    def _by_shape(self, window: Window, zones: list[tuple[int, int]]) -> Iterator[Raw]:
        if self._any_alone is None:
            return
        counts: dict[int, list[Raw | None]] = {}
        for found in _within(self._any_alone, window.plain, zones):
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


def _zones(text: str) -> list[tuple[int, int]]:
    """All of `_ZONE` with enough figures. Each begins close to its first figure, so only there is it looked for."""
    zones = []
    at = 0
    while (figure := _FIGURE.search(text, at)) is not None:
        found = _ZONE.search(text, max(at, figure.start() - _MOST_LETTERS))
        if found is None:
            break
        at = found.end()
        if _FIGURES.match(found[0]) is not None:
            zones.append(found.span())
    return zones


def _within(pattern: re.Pattern[str], text: str, zones: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    for start, end in zones:
        yield from pattern.finditer(text, start, end)


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
    return sum(char.isdigit() for char in written)


def _has_figures(written: str, fewest: int) -> bool:
    return _figures(written) >= fewest and len(set(written)) > 2  # 000 000 000 is a form
