"""What findings make of a document: categories and the rung of the ladder. Pure; the table is rules/classes.toml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from twintrack.config.settings import DATA_CLASSES, DataClass, Unscannable
from twintrack.signals.sensitivity import rules
from twintrack.signals.sensitivity.finding import Finding, Scanned, Unscanned, Verdict

HIGHEST = DATA_CLASSES[-1]
_RUNG: dict[str, int] = {name: rung for rung, name in enumerate(DATA_CLASSES)}


class Grade(msgspec.Struct, frozen=True):
    data_class: DataClass
    """What the text suggests; `public` says that nothing was found, not that it may be published."""
    categories: tuple[str, ...]
    findings: tuple[Finding, ...]
    """Those that count, of all texts, each with offsets in its own."""
    counts: dict[str, int]
    """Findings by type: all that an audit keeps."""
    unscanned: tuple[str, ...]
    """Kinds of what could not be read."""
    blind: bool = False
    """Some of it may be anything: nobody said that its kind is less."""

    @property
    def sensitive(self) -> bool:
        return self.data_class != DATA_CLASSES[0]


class Ladder(msgspec.Struct, frozen=True):
    """Class and threshold of each category."""

    classes: dict[str, DataClass]
    thresholds: dict[str, float]
    own_class: DataClass = "confidential"
    """Of categories that are a company's own."""
    unscannable: dict[str, DataClass] = {}
    """By kind; one that is not here makes the highest class."""


_UNSCANNABLE: Mapping[str, DataClass] = {"sealed": "public"}
"""A seal says nothing to anybody but the provider that made it, from what it had been shown."""


def ladder(
    classes: Mapping[str, DataClass] = {},
    thresholds: Mapping[str, float] = {},
    unscannable: Mapping[Unscannable, DataClass] = {},
) -> Ladder:
    """The packaged table with a configuration's changes."""
    table = rules.classes().category
    return Ladder(
        {name: _rung(row.data_class) for name, row in table.items()} | dict(classes),
        {name: row.threshold for name, row in table.items()} | dict(thresholds),
        unscannable=dict(_UNSCANNABLE) | dict[str, DataClass](unscannable.items()),
    )


def _rung(name: str) -> DataClass:
    return DATA_CLASSES[DATA_CLASSES.index(name)] if name in DATA_CLASSES else HIGHEST


def grade(verdicts: Iterable[Verdict], by: Ladder) -> Grade:
    """The class of a document from the verdicts on all its texts."""
    everything: list[Finding] = []
    unscanned: list[str] = []
    for verdict in verdicts:
        match verdict:
            case Unscanned():
                unscanned.append(verdict.kind)
            case Scanned():
                everything += verdict.findings
    if not everything and not unscanned:
        return _NOTHING
    counted = [
        one
        for one in everything
        if one.category not in _HELPERS and one.score >= by.thresholds.get(one.category, _THRESHOLD)
    ]
    categories = {one.category for one in counted}
    patients = _patients(everything, counted)
    if patients:
        categories.add("phi")
        counted += [one for one in patients if one not in counted]
    rung = max((_RUNG[by.classes.get(name, by.own_class)] for name in categories), default=0)
    for kind in unscanned:
        rung = max(rung, _RUNG[by.unscannable.get(kind, HIGHEST)])
    blind = any(by.unscannable.get(kind, HIGHEST) == HIGHEST for kind in unscanned)
    return Grade(
        DATA_CLASSES[rung],
        tuple(sorted(categories)),
        tuple(counted),
        dict(Counter(one.type for one in counted)),
        tuple(dict.fromkeys(unscanned)),
        blind,
    )


_NOTHING = Grade(DATA_CLASSES[0], (), (), {}, (), False)
_THRESHOLD = 0.5
"""Of categories that are a company's own."""
_HELPERS = frozenset(("health", "person"))


def _patients(everything: list[Finding], counted: list[Finding]) -> list[Finding]:
    """Identifiers that words of care make a patient's; empty where there are none of the one or the other."""
    by = rules.classes().phi
    strong = {one.rule for one in everything if one.type == "health_content"}
    weak = {one.rule for one in everything if one.type == "care_word"}
    weight = 2 * len(strong) + len(weak)
    if weight < by.weight or not strong:
        return []
    identifiers = [
        one
        for one in counted
        if one.type not in by.not_identifiers
        and (one.type in by.identifiers or one.category in by.identifier_categories)
    ]
    if identifiers:
        return identifiers
    if weight >= by.labelled_name:
        return [one for one in everything if one.category == "person"]
    return []
