"""Reads a request for what must not leave, before anybody is chosen to see it.

The text is read in slices of half a millisecond: the first at once, so that a short request does not wait, the rest one
a turn of the loop. Whatever goes wrong on the way, a detector that fails, a text that takes too long, a part that is
no text, makes the request sensitive: nothing here can turn an error into "nothing was found".
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Iterator

from twintrack.config.settings import DATA_CLASSES, Screen
from twintrack.errors import BadRequest
from twintrack.gateway.choosing import RUNG, class_unread
from twintrack.gateway.ner import Question
from twintrack.gateway.report import Report
from twintrack.gateway.slices import SLICE_NS, Slices
from twintrack.gateway.sticky import with_earlier_turns
from twintrack.gateway.undecided import Undecided
from twintrack.signals.sensitivity.finding import Scanned, Unscanned, Verdict
from twintrack.signals.sensitivity.grade import grade
from twintrack.signals.sensitivity.pieces import Malformed
from twintrack.signals.sensitivity.scan import Scan, with_more, with_only
from twintrack.signals.sensitivity.seams import Seam
from twintrack.signals.sensitivity.surface import Part, Surface, Unscannable
from twintrack.signals.sensitivity.surfaces import reading

_HASHED_BYTES = 65_536
"""Of the body at once: some 40 µs."""
_HMAC_BYTES = 16
_END = Unscanned("error", "behind the last text")


def screening(undecided: Undecided) -> Screening | None:
    """The inquiry for a request; None: nothing that could stand in it would change anything."""
    serving = undecided.serving
    unread = class_unread(serving, undecided.asked, undecided.labels, undecided.key)
    mode = serving.exposure.screen(undecided.asked.model, unread, undecided.key)
    if mode == "off":
        return None
    route = serving.routes.get(undecided.asked.model)
    return Screening(undecided, mode, sticks=route is None or not route.pseudonyms)


class Screening:
    """An `Inquiry`."""

    __slots__ = ("_again", "_done", "_dropped", "_hash", "_hashed", "_name", "_places", "_question", "_read_texts",
                 "_scan", "_slices", "_sticks", "_surface", "_surfaces", "_undecided", "_verdicts",
                 "report")  # fmt: skip

    def __init__(
        self, undecided: Undecided, mode: Screen, *, sticks: bool, again: frozenset[str] | None = None
    ) -> None:
        """
        Args:
            sticks: what is found is the conversation's as well; else `stick` says so later.
            again: it was read before; these placeholders stand in its new body.
        """
        self._undecided = undecided
        self._sticks = sticks
        self._again = again
        self.report = Report(undecided, mode)
        self._verdicts: list[Verdict] = []
        self._surfaces: Iterator[Surface | Verdict | None] = iter(())
        self._scan: Scan | None = None
        """Of the text that is being read, which is the next."""
        self._surface: Surface | None = None
        self._name = b""
        """Under which its verdict is kept."""
        self._slices = Slices(undecided.serving.snapshot.detect.max_s)
        self._hash: hmac.HMAC | None = None
        self._hashed = 0
        """Bytes of the body so far."""
        self._dropped = False
        self._read_texts: dict[bytes, str] = {}
        """By name, where somebody else is asked about them."""
        self._places: dict[int, tuple[bytes, Surface]] = {}
        """Of verdicts on them."""
        self._question: Question | None = None

    def begin(self, done: Callable[[], None]) -> bool:
        self._done = done
        self._surfaces = self._all_surfaces()
        if self._slice():
            return self._ask_beside()
        self._undecided.gateway.turns.add(self._turn)
        return False

    def drop(self) -> None:
        self._dropped = True
        if self._question is not None:
            self._question.drop()

    def _turn(self) -> bool:
        if self._dropped:
            return True
        if not self._slice():
            return False
        if self._ask_beside():
            self._done()
        return True

    # ---- who else is asked

    def _ask_beside(self) -> bool:
        """Ask the recogniser of names about what it was not asked about before. True: all is found out."""
        undecided = self._undecided
        ner = undecided.serving.ner
        if ner is None or undecided.refused is not None:
            self._finish()
            return True
        known = undecided.gateway.remembered.entities(ner.said)
        new = {name: self._read_texts[name] for name in self._read_texts if name not in known}
        if not new:
            self._finish()
            return True

        def heard() -> None:
            if question.found is not None:
                known.update(zip(new, question.found, strict=True))
            self._finish()
            self._done()

        question = self._question = Question(ner, tuple(new.values()), heard)
        if question.begin(undecided.gateway.pool):
            return False
        self._finish()
        return True

    def _with_names(self) -> None:
        """Adds what the recogniser of names found."""
        undecided = self._undecided
        ner = undecided.serving.ner
        if ner is None:
            return
        known = undecided.gateway.remembered.entities(ner.said)
        if any(name not in known for name in self._read_texts):
            self._verdicts.append(Unscanned("ner", "it said nothing"))
        for at, (name, surface) in self._places.items():
            verdict = self._verdicts[at]
            more = known.get(name)
            if more and self._again:  # a model may take a placeholder for anything
                more = tuple(one for one in more if not _within(surface.text[one.start : one.end], self._again))
            if more and isinstance(verdict, Scanned):
                self._verdicts[at] = both = with_more(verdict, more)
                texts = [each for each in self.report.texts if each[0] is not surface]
                self.report.texts = [*texts, (surface, both.findings)]

    def _finish(self) -> None:
        try:
            self._with_names()
            self._conclude()
        except Exception:  # noqa: BLE001 - whatever fails, the request counts as sensitive and goes on
            self._blind()

    # ---- a slice

    def _slice(self) -> bool:
        """True: all is read, and what was found is noted."""
        until = self._slices.begin()
        try:
            finished = self._read(until)
        except Malformed as error:
            self._refuse(error)
            finished = True
        except Exception as error:  # noqa: BLE001 - whatever fails, the request counts as sensitive and goes on
            self._verdicts.append(Unscanned("error", f"{type(error).__name__} in screening"))
            finished = True
        if self._slices.end() and not finished:
            self._verdicts.append(Unscanned("time", "reading took too long"))
            finished = True
        self._undecided.gateway.screened_ns += time.perf_counter_ns() - until + SLICE_NS
        return finished

    def _read(self, until: int) -> bool:
        """Read on until then. True: there is no more."""
        clock = time.perf_counter_ns
        body, hashed = self._undecided.body, self._hash
        if hashed is None:
            hashed = self._hash = self._undecided.gateway.body_hash()
        while self._hashed < len(body) and self._again is None:
            hashed.update(memoryview(body)[self._hashed : self._hashed + _HASHED_BYTES])
            self._hashed += _HASHED_BYTES
            if clock() >= until:
                return False
        detector = self._undecided.serving.detector
        if detector is None:
            self._verdicts.append(Unscanned("error", "there is no detector"))
            return True
        self.report.detector = detector.version
        kept = self._undecided.gateway.remembered.verdicts(detector.version)
        while True:
            surface = self._surface
            if surface is None:
                following = next(self._surfaces, _END)
                if following is None:
                    if clock() >= until:
                        return False
                    continue
                if following is _END:
                    return True
                if isinstance(following, (Scanned, Unscanned)):
                    self._verdicts.append(following)
                    continue
                surface = self._surface = following
            scan = self._scan
            if scan is None:
                self._name = kept.name(surface.text)
                known = kept.get(self._name)
                if known is not None:
                    self._note(surface, known)
                    continue
                scan = self._scan = Scan(detector, surface.text)
            if not scan.feed(max(until - clock(), 0)):
                return False
            kept.put(self._name, scan.verdict)
            self._note(surface, scan.verdict)
            if clock() >= until:
                return False

    def _note(self, surface: Surface, verdict: Verdict) -> None:
        if isinstance(surface, Seam):
            if isinstance(verdict, Scanned) and verdict.findings:
                verdict = with_only(verdict, surface.own(verdict.findings, self.report.texts))
        elif self._undecided.serving.ner is not None:
            self._read_texts[self._name] = surface.text
            self._places[len(self._verdicts)] = (self._name, surface)
        self._verdicts.append(verdict)
        if isinstance(verdict, Scanned) and verdict.findings:
            self.report.texts.append((surface, verdict.findings))
        self._surface = self._scan = None

    def _all_surfaces(self) -> Iterator[Surface | Verdict | None]:
        """Of the body, and of what else goes on to a provider: headers that are its own business."""
        undecided = self._undecided
        for each in reading(undecided.body):
            yield Unscanned(each.kind, "") if isinstance(each, Unscannable) else each
        for name in undecided.endpoint.forwarded:
            value = undecided.headers.get(name)
            if value:
                text = value.decode("utf-8", "replace")
                yield Surface(f"header {name.decode()}", text, (Part(0, len(text), ""),))

    # ---- what comes of it

    def _refuse(self, error: Malformed) -> None:
        """Another reader might see something else in it."""
        self._verdicts.append(Unscanned("error", "malformed"))
        if self.report.mode == "enforce":
            why = "requests are read before they are sent, and what everybody must read alike is not clear here"
            self._undecided.refused = BadRequest(error.what, why=why, fix=error.fix)

    def _conclude(self) -> None:
        undecided, report = self._undecided, self.report
        graded = grade(self._verdicts, undecided.serving.ladder)
        report.found = RUNG[graded.data_class]
        report.counts = graded.counts
        report.scores = tuple(one.score for one in graded.findings)
        report.unscanned = graded.unscanned
        report.body_hmac = self._hash.digest()[:_HMAC_BYTES] if self._hash is not None else b""
        report.graded = graded
        undecided.report = report
        if self._again is None:
            undecided.gateway.count_screened(graded.data_class, report.mode)
        if report.mode == "enforce":
            categories = set(graded.categories)
            if graded.blind:
                categories |= undecided.serving.policy.categories
            undecided.found, undecided.categories = graded.data_class, tuple(sorted(categories))
            if self._sticks:
                self.stick()

    def stick(self) -> None:
        """What was found is the conversation's as well, and what that brought is the request's."""
        undecided = self._undecided
        found, categories = self.report.found, undecided.categories
        rung, together = with_earlier_turns(undecided, found, categories)
        self.report.sticky = rung > found or len(together) > len(categories)
        undecided.found, undecided.categories = DATA_CLASSES[rung], together

    def _blind(self) -> None:
        """What was read means nothing: it may be anything."""
        undecided, report = self._undecided, self.report
        report.graded, report.found, report.unscanned = None, len(RUNG) - 1, ("error",)
        undecided.report = report
        if report.mode == "enforce":
            undecided.found, undecided.categories = DATA_CLASSES[-1], tuple(undecided.serving.policy.categories)


def _within(text: str, placeholders: frozenset[str]) -> bool:
    return any(text.strip() in each for each in placeholders)
