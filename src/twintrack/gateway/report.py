"""What was read of a request: counts, scores and classes for the journal, no word of the text."""

from __future__ import annotations

import time
from typing import get_args

from twintrack.config.settings import DATA_CLASSES, Screen
from twintrack.config.settings import Unscannable as Kind
from twintrack.config.snapshot import Route
from twintrack.gateway.choosing import RUNG
from twintrack.gateway.override import said
from twintrack.gateway.undecided import Undecided
from twintrack.ledger.records import Screened
from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.grade import Grade
from twintrack.signals.sensitivity.surface import Surface

_BANDS = (0.7, 0.9)
_TOLD = frozenset(get_args(Kind))
"""Kinds of which a configuration may say what class they have."""
_LONG = frozenset(("too_large", "time"))


class Report:
    """What was read of a request."""

    __slots__ = ("_undecided", "body_hmac", "counts", "detector", "found", "graded", "mode", "pseudonyms", "scores",
                 "sticky", "texts", "unscanned")  # fmt: skip

    def __init__(self, undecided: Undecided, mode: Screen) -> None:
        self._undecided = undecided
        self.mode = mode
        self.detector = ""
        """Its version."""
        self.found = 0
        """Rung that the findings make."""
        self.sticky = False
        self.graded: Grade | None = None
        """All that was found; None: it is not known."""
        self.pseudonyms = 0
        """Values that were replaced."""
        self.counts: dict[str, int] = {}
        """Findings by type."""
        self.scores: tuple[float, ...] = ()
        self.unscanned: tuple[str, ...] = ()
        self.body_hmac = b""
        self.texts: list[tuple[Surface, tuple[Finding, ...]]] = []
        """Those in which something was found; offsets of the findings are in the text of their own."""

    def causes(self, rung: int) -> list[str]:
        """What would have to go so that what was read does not make a request this class, as phrases."""
        if self.mode != "enforce":
            return []
        serving = self._undecided.serving
        by = serving.ladder
        found = [
            name
            for name in (self.graded.categories if self.graded is not None else ())
            if RUNG[by.classes.get(name, by.own_class)] >= rung or name in serving.policy.categories
        ]
        unread = [kind for kind in self.unscanned if RUNG[by.unscannable.get(kind, DATA_CLASSES[-1])] >= rung]
        told = [kind for kind in unread if kind in _TOLD]
        phrases = []
        if found:
            phrases.append(f"leave out what was found in the request ({', '.join(found)})")
        if told:
            phrases.append(
                f"leave out what could not be read ({', '.join(told)}) or say its class in [detect.unscannable]"
            )
        if not _LONG.isdisjoint(unread):
            phrases.append("shorten it, since reading it took too long")
        if self.sticky:
            phrases.append("begin another conversation, since this one held what may not leave")
        return phrases

    def record(self, route: Route | None, data_class: str) -> Screened:
        """For the journal. `data_class`: the one that held."""
        undecided = self._undecided
        label = undecided.labels.data_class
        low = sum(score < _BANDS[0] for score in self.scores)
        middle = sum(score < _BANDS[1] for score in self.scores) - low
        return Screened(
            undecided.request_id,
            time.time_ns() // 1000,
            undecided.serving.snapshot.generation,
            route.index if route is not None else -1,
            undecided.key,
            self.detector,
            self.mode,
            self.found,
            RUNG.get(label, len(RUNG) - 1) if label is not None else -1,
            RUNG[data_class],
            self.sticky,
            said(undecided),
            tuple(sorted(self.counts.items())),
            (low, middle, len(self.scores) - low - middle),
            self.unscanned,
            self.body_hmac,
            self.pseudonyms,
            categories=undecided.categories,
        )
