"""What was read of a request: counts, scores and classes for the journal, no word of the text."""

from __future__ import annotations

import time

from twintrack.config.settings import Screen
from twintrack.config.snapshot import Route
from twintrack.gateway.choosing import RUNG
from twintrack.gateway.override import said
from twintrack.gateway.undecided import Undecided
from twintrack.ledger.records import Screened
from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.grade import Grade
from twintrack.signals.sensitivity.surface import Surface

_BANDS = (0.7, 0.9)


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
