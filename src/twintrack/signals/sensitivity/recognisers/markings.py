"""Markings of classified and export-controlled documents: rules/markings.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twintrack.signals.sensitivity.sought import Alternatives
from twintrack.signals.sensitivity.window import Raw, Window

_ENDS = re.compile(r"[.!?\n](?=\s|$)")
_ASKING = re.compile(
    r"\W*(?:what|which|how|explain|describe|define|compare|does|do|is|are|can|could|should|why|who|when|tell me|"
    r"give me|list|summari[sz]e|write (?:a|an)|was|wann|wie|erkl|que|quelle?s?|comment|expli|cuál|cual|qué|cómo|come|"
    r"cosa|quali)\b"
)


def _asked(low: str, start: int, end: int) -> bool:
    """Whether the sentence around asks about it."""
    first = max((found.end() for found in _ENDS.finditer(low, max(0, start - 200), start)), default=max(0, start - 200))
    last = _ENDS.search(low, end)
    return _ASKING.match(low, first) is not None or (last is not None and last[0] == "?")


class Markings:
    name = "markings"

    def __init__(self, markings: tuple[tuple[str, str, str, Alternatives, bool], ...]) -> None:
        """`markings`: id, concept of its words, category, pattern, and whether its form is a sentence."""
        self._markings = markings
        self.concepts = frozenset(concept for _, concept, *_ in markings)

    def find(self, window: Window) -> Iterator[Raw]:
        for rule, concept, category, pattern, statement in self._markings:
            if concept in window.hits:
                for found in pattern.finditer(window.plain, window.low):
                    if statement and _asked(window.low, found.start(), found.end()):
                        continue
                    start, end = _trimmed(found)
                    yield Raw(start, end, "marking", category, "format", rule)


def _trimmed(found: re.Match[str]) -> tuple[int, int]:
    """Without the stars and blanks around a banner."""
    text = found[0]
    start = next((at for at, char in enumerate(text) if char.isalnum()), 0)
    end = next((at for at in range(len(text), 0, -1) if text[at - 1].isalnum() or text[at - 1] in ")]"), len(text))
    return found.start() + start, found.start() + max(end, start + 1)
