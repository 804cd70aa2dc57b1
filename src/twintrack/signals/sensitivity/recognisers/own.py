"""A company's own: names from its dictionaries, and rules from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from twintrack.signals.sensitivity.checks import Check
from twintrack.signals.sensitivity.linear import Linear
from twintrack.signals.sensitivity.window import Raw, Window


@dataclass(frozen=True, slots=True)
class OwnRule:
    id: str
    category: str
    concept: str
    pattern: Linear | None
    """None: a dictionary; its words are the finds."""
    check: Check | None
    words: str
    """Concept of words one of which has to stand nearby; empty: none has to."""


class Own:
    name = "own"

    def __init__(self, rules: tuple[OwnRule, ...]) -> None:
        self._rules = rules
        self.concepts = (
            None
            if any(rule.pattern is not None and not rule.words for rule in rules)
            else frozenset(rule.words if rule.pattern is not None else rule.concept for rule in rules)
        )

    def find(self, window: Window) -> Iterator[Raw]:
        for rule in self._rules:
            if rule.pattern is None:
                for start, end in window.hits.get(rule.concept, ()):
                    yield Raw(start, end, rule.id, rule.category, "format", rule.id)
                continue
            if rule.words and rule.words not in window.hits:
                continue
            for start, end in rule.pattern.spans(window.plain):
                if rule.check is not None and not rule.check(window.plain[start:end]):
                    continue
                if not rule.words:
                    yield Raw(start, end, rule.id, rule.category, "format", rule.id)
                elif window.near(rule.words, start, end):
                    yield Raw(start, end, rule.id, rule.category, "labelled", rule.id)
