"""One text read in slices: `feed` works until its time is up and says whether the text is done.

    scan = Scan(detector, text)
    while not scan.feed(500_000):
        await asyncio.sleep(0)
    scan.verdict  # Scanned or Unscanned

How long each slice may take changes nothing of what is found: the steps are the same, only the pauses differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import msgspec

from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.encoded import decoded
from twintrack.signals.sensitivity.finding import Finding, Scanned, Unscanned, Verdict, _Proof
from twintrack.signals.sensitivity.fold import view
from twintrack.signals.sensitivity.window import Window

WINDOW = 1280
"""Characters read at once: a step takes microseconds, and half a millisecond where identifiers stand in crowds."""
MARGIN = 320
"""Characters of the windows beside it that each window also sees."""
_STRIDE = WINDOW - MARGIN
MOST_CHARACTERS = 16 << 20
MOST_FINDINGS = 10_000
"""Of a text that are kept; behind them one of each kind that was not among them, so that none is overlooked."""
_SLACK = 1_000
_DEPTH = 2
"""Of base64 in base64."""


class Scan:
    __slots__ = ("_clock", "_detector", "_steps", "_text", "_until", "verdict_or_none")

    def __init__(self, detector: Detector, text: str, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._detector = detector
        self._clock = clock
        self._text = text
        self.verdict_or_none: Verdict | None = None
        if len(text) > MOST_CHARACTERS:
            self.verdict_or_none = Unscanned("too_large", f"{len(text)} characters")
        self._until = 0
        """When the slice is over, on the clock."""
        self._steps = self._read()

    @property
    def verdict(self) -> Verdict:
        """A scan that is not finished has found nothing out: it counts as sensitive."""
        found = self.verdict_or_none
        return Unscanned("error", "the scan is not finished") if found is None else found

    def feed(self, budget_ns: int) -> bool:
        """Read on for about `budget_ns`, a step longer at most. True: `verdict` is final."""
        if self.verdict_or_none is not None:
            return True
        self._until = self._clock() + budget_ns
        try:
            for _ in self._steps:
                return False
        except Exception as error:  # noqa: BLE001 - whatever fails, the text counts as sensitive, and requests go on
            self.verdict_or_none = Unscanned("error", f"{type(error).__name__} in a detector")
            return True
        return True

    def _read(self) -> Iterator[None]:
        """Each time that a slice is over."""
        found: list[Finding] = []
        inside: list[Finding] = []
        yield from self._level(self._text, 0, found, inside)
        once = joined(found)
        self.verdict_or_none = Scanned(tuple(sorted({*once, *inside})) if inside else once, _Proof())

    def _level(self, text: str, depth: int, found: list[Finding], inside: list[Finding]) -> Iterator[None]:
        """Windows of a text; `inside`: what is found in encoded text, each at the place of all that is encoded there.
        It stands at one place, but it is not one thing, and nothing of it outdoes the other."""
        detector, clock = self._detector, self._clock
        at = 0
        while True:
            piece = text[at : at + WINDOW] if at or len(text) > WINDOW else text
            folded = view(piece)
            window = Window(folded, detector.lexicon.hits(folded))
            if clock() >= self._until:
                yield
            for recogniser in detector.asked(window.hits):
                for raw in recogniser.find(window):
                    start, end, kind, category, evidence, rule = raw
                    if category == "secret" and detector.is_published(window.plain[start:end]):
                        continue
                    if folded.source is not None:
                        start, end = folded.span(start, end)
                    score = detector.score(kind, category, evidence)
                    found.append(Finding(at + start, at + end, kind, category, score, evidence, rule))
                if len(found) > MOST_FINDINGS + _SLACK:
                    _thin(found)
                if clock() >= self._until:
                    yield
            if depth < _DEPTH and "shape:blob" in window.hits:
                for start, end, inner in decoded(piece):
                    own: list[Finding] = []
                    deeper: list[Finding] = []
                    yield from self._level(inner, depth + 1, own, deeper)
                    inside += [
                        msgspec.structs.replace(one, start=at + start, end=at + end)
                        for one in dict.fromkeys((*joined(own), *deeper))
                    ]
                    if len(inside) > MOST_FINDINGS + _SLACK:
                        _thin(inside)
            if at + WINDOW >= len(text):
                return
            at += _STRIDE


def _thin(found: list[Finding]) -> None:
    kinds = {_kind(one) for one in found[:MOST_FINDINGS]}
    others = {_kind(one): one for one in found[MOST_FINDINGS:] if _kind(one) not in kinds}
    found[MOST_FINDINGS:] = others.values()


def _kind(one: Finding) -> tuple[str, str, str]:
    """Two of a kind have one score."""
    return one.type, one.rule, one.evidence


def scan(detector: Detector, text: str) -> Verdict:
    """The whole text at once, for tools: the gateway feeds."""
    running = Scan(detector, text)
    while not running.feed(1 << 60):
        pass
    return running.verdict


def with_more(verdict: Scanned, more: tuple[Finding, ...]) -> Scanned:
    """A finished scan with what somebody else found in the same text."""
    if not more:
        return verdict
    # Once found stays found: what was encoded at one place is not judged again by its place.
    return Scanned(tuple(sorted({*verdict.findings, *joined([*verdict.findings, *more])})), _Proof())


def with_only(verdict: Scanned, findings: Iterable[Finding]) -> Scanned:
    """A finished scan of what was partly read before: of its findings those that are news."""
    news = frozenset(findings)
    return Scanned(tuple(one for one in verdict.findings if one in news), _Proof())


_GENERIC = frozenset(
    ("medical_record", "health_insurance", "passport", "driving_licence", "national_id", "tax_id", "social_security",
     "bank_account", "professional_id", "phone")
)  # fmt: skip


_CLEARLY = 0.1
_BLOCK = 64
_SOME = 2
_FEW = 16
"""So many are compared with one another."""
_BESIDE = frozenset(("secret", "export", "health", "person"))
"""Categories whose finds stand beside any other's."""


def _outdone(one: Finding, by: Finding) -> bool:
    if by.start >= one.end or by.end <= one.start:
        return False
    return by.category == one.category or (
        one.category not in _BESIDE and by.category != "health" and by.score > one.score + _CLEARLY
    )


def _rank(one: Finding) -> tuple[float, int, int, str, str]:
    return _CLEARLY * (one.type in _GENERIC) - one.score, one.start - one.end, one.start, one.type, one.rule


def joined(found: list[Finding]) -> tuple[Finding, ...]:
    """In order and each once.

    Of finds at one place the surest of a category stays, the longer if they are equal. Those of other categories stay
    beside it unless they are clearly less sure: what may be a card and may be a record number is treated as both.
    """
    if len(found) < _SOME:
        return tuple(found)
    found = sorted(found)
    kept: list[Finding] = []
    crowd: list[Finding] = []
    """Of which each begins before one of the others ends: only these can outdo each other."""
    reach = -1
    for one in found:
        if one.start >= reach:
            kept += crowd if len(crowd) < _SOME else _surest(crowd)
            crowd = []
        crowd.append(one)
        reach = max(reach, one.end)
    kept += crowd if len(crowd) < _SOME else _surest(crowd)
    return tuple(kept)


def _surest(crowd: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    if len(crowd) <= _FEW:
        for one in sorted(dict.fromkeys(crowd), key=_rank):
            if not any(_outdone(one, other) for other in kept):
                kept.append(one)
        kept.sort()
        return kept
    places: dict[int, list[Finding]] = {}
    for one in sorted(dict.fromkeys(crowd), key=_rank):
        first, last = one.start // _BLOCK, (one.end - 1) // _BLOCK
        blocks = (first,) if first == last else range(first, last + 1)
        if not any(_outdone(one, other) for block in blocks if block in places for other in places[block]):
            kept.append(one)
            for block in blocks:
                places.setdefault(block, []).append(one)
    kept.sort()
    return kept
