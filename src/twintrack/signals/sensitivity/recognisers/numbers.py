"""National, tax, health and bank identifiers: rules/identifiers.toml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from twintrack.signals.sensitivity.checks import Check
from twintrack.signals.sensitivity.demands import demands
from twintrack.signals.sensitivity.finding import Evidence
from twintrack.signals.sensitivity.lexicon import NUMBER
from twintrack.signals.sensitivity.recognisers.labelled import odd_value
from twintrack.signals.sensitivity.sought import first_of
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
_TAIL = re.compile(r"[0-9][A-Z0-9]*(?:(?:[ .\-/+(]|[ \-]?\n ?)[A-Z0-9]+\)?)*")
_ZONE = re.compile(rf"{BEFORE}(?:[A-Z]{{1,6}}[ \-.]?){{0,2}}{_TAIL.pattern}")
"""Where a number may stand: groups with figures, and what may stand between them."""
_MOST_BEFORE_FIGURE = 48
"""Characters of any identifier before its first figure."""
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
        concepts: dict[str, list[int]] = {}
        for at, kind in enumerate(types):
            for concept in (kind.label, *(() if kind.check is None or kind.labelled_only else kind.near)):
                concepts.setdefault(concept, []).append(at)
        self._asked_by = concepts
        self._alone = {
            alone(kind.id): (kind, re.compile(f"{BEFORE}(?:{kind.alone.pattern}){AFTER}"))
            for kind in types
            if kind.alone is not None
        }
        self.concepts = frozenset((*self._asked_by, *self._alone))
        shapes = [demands(kind.shape.pattern) for kind in types]
        self._fewest = tuple(max(kind.figures, least.figures) for kind, least in zip(types, shapes, strict=True))
        self._widths = tuple(least.width for least in shapes)

    def find(self, window: Window) -> Iterator[Raw]:
        hits = window.hits
        asked: set[int] = set()
        for concept in self._asked_by.keys() & hits.keys():
            asked.update(self._asked_by[concept])
        shaped = NUMBER in hits
        lonely = shaped and not self._alone.keys().isdisjoint(hits)
        if not asked and not lonely:
            return
        zones = _zones(window.plain, window.figures) if shaped else []
        reached: dict[str, list[Zone]] = {}
        for at in sorted(asked):
            kind = self._types[at]
            labels = hits.get(kind.label)
            if labels:
                yield from self._labelled(window, kind, labels)
            if zones and not kind.labelled_only:
                yield from self._near(window, at, zones, reached)
        if lonely and zones:
            yield from self._by_shape(window, zones)

    def _labelled(self, window: Window, kind: NumberType, labels: list[tuple[int, int]]) -> Iterator[Raw]:
        for _, end in labels:
            if not window.has_figure(end, _MOST_BEFORE_FIGURE):
                continue
            start = window.value_at(end)
            found = kind.shape.match(window.upper, start)
            if found is not None and _has_figures(found[0], kind.figures):
                evidence: Evidence = "labelled_valid" if _holds(kind, found[0]) else "labelled"
                yield Raw(found.start(), found.end(), kind.id, kind.category, evidence, kind.id)
            elif start > end and not kind.labelled_only:  # mistyped, or of a form that the rule does not know
                span = odd_value(window, start)
                if span is not None:
                    yield Raw(*span, kind.id, kind.category, "near", kind.id)

    def _near(self, window: Window, at: int, zones: list[Zone], reached: dict[str, list[Zone]]) -> Iterator[Raw]:
        """`reached`: the zones in reach of each concept's words, as far as anybody asked."""
        kind, hits = self._types[at], window.hits
        concepts = [
            concept for concept in (kind.label, *(kind.near if kind.check is not None else ())) if hits.get(concept)
        ]
        for concept in concepts:
            if concept not in reached:
                reached[concept] = [zone for zone in zones if _in_reach(hits[concept], zone)]
        close = reached[concepts[0]] if len(concepts) == 1 else _either(zones, [reached[each] for each in concepts])
        if not close:
            return
        fewest, width = self._fewest[at], self._widths[at]
        own = hits.get(kind.label, ())
        others = [hit for concept in concepts if concept != kind.label for hit in hits[concept]]
        for first, last, count in close:
            if count < fewest or last - first < width:
                continue
            for found in kind.shape.finditer(window.plain, first, last):
                start, end = found.span()
                if not _has_figures(found[0], kind.figures):
                    continue
                if own and _beside(own, start, end):
                    valid = kind.check is not None and _holds(kind, found[0])
                    yield Raw(start, end, kind.id, kind.category, "near_valid" if valid else "near", kind.id)
                elif others and _beside(others, start, end) and _holds(kind, found[0]):
                    yield Raw(start, end, kind.id, kind.category, "near_valid", kind.id)

    def _by_shape(self, window: Window, zones: list[Zone]) -> Iterator[Raw]:
        fitting = [one for concept, one in self._alone.items() if concept in window.hits]
        patterns = [pattern for _, pattern in fitting]
        counts: dict[int, list[Raw | None]] = {}
        for zone in zones:
            for at, found in first_of(patterns, window.plain, zone[0], zone[1]):
                kind = fitting[at][0]
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


def alone(rule: str) -> str:
    """The concept of a number that needs no word beside it: its writing stands in the text, or may."""
    return f"alone:{rule}"


def _beside(words: Iterable[tuple[int, int]], start: int, end: int) -> bool:
    """Whether one of them stands near what stands between `start` and `end`."""
    for first, last in words:
        if (last <= start and start - last <= _NEAR_BEFORE) or (first >= end and first - end <= _NEAR_AFTER):
            return True
    return False


def _in_reach(words: Iterable[tuple[int, int]], zone: Zone) -> bool:
    """Whether one of them may stand near anything in a zone."""
    start, end, _ = zone
    for first, last in words:  # noqa: SIM110 - a generator takes longer than what it looks at
        if start - _NEAR_BEFORE <= last <= end or start <= first <= end + _NEAR_AFTER:
            return True
    return False


def _either(zones: list[Zone], reached: list[list[Zone]]) -> list[Zone]:
    return [zone for zone in zones if any(zone in each for each in reached)]


def _zones(text: str, figures: bytes) -> list[Zone]:
    """All of `_ZONE` with enough figures. Each goes on to where `_TAIL` does from its first figure, and begins there
    unless a capital stands right before."""
    zones = []
    at, first = 0, figures.find(b"0")
    while first >= 0:
        tail = _TAIL.match(text, first)
        assert tail is not None  # a figure stands there
        start, at = at, tail.end()
        end = at
        count = figures.count(b"0", first, end) if end - first >= _FEWEST_DIGITS else 0
        if count >= _FEWEST_DIGITS:
            if first and (_LATIN.match(text, first - 1) or _CAPITAL.search(text, max(start, first - 2), first)):
                found = _ZONE.search(text, max(start, first - _MOST_LETTERS), end)
                if found is not None:
                    begins, end = found.span()
                    if begins > first:
                        count = figures.count(b"0", begins, end)
                    if count >= _FEWEST_DIGITS:
                        zones.append((begins, end, count))
            else:
                zones.append((first, end, count))
        first = figures.find(b"0", at)
    return zones


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
