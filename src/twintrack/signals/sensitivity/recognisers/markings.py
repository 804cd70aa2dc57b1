"""Markings of classified and export-controlled documents: rules/markings.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twintrack.signals.sensitivity.window import Raw, Window


class Markings:
    name = "markings"

    def __init__(self, markings: tuple[tuple[str, str, str, re.Pattern[str]], ...]) -> None:
        """`markings`: id, concept of its words, category and pattern."""
        self._markings = markings

    def find(self, window: Window) -> Iterator[Raw]:
        for rule, concept, category, pattern in self._markings:
            if concept in window.hits:
                for found in pattern.finditer(window.plain):
                    start, end = _trimmed(found)
                    yield Raw(start, end, "marking", category, "format", rule)


def _trimmed(found: re.Match[str]) -> tuple[int, int]:
    """Without the stars and blanks around a banner."""
    text = found[0]
    start = next((at for at, char in enumerate(text) if char.isalnum()), 0)
    end = next((at for at in range(len(text), 0, -1) if text[at - 1].isalnum() or text[at - 1] in ")]"), len(text))
    return found.start() + start, found.start() + max(end, start + 1)
