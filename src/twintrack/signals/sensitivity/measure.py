"""How much is found, and how much is found that is not there: rates with Wilson intervals on labelled documents."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.grade import Grade, Ladder, grade
from twintrack.signals.sensitivity.scan import scan

_Z = 1.959964
"""Of 95 %."""
_KB = 1024
CATEGORY_OF_LABEL = {
    "EMAIL": "pii", "PHONE": "pii", "NATIONAL_ID": "pii", "PASSPORT": "pii", "DRIVER_LICENSE": "pii", "IP": "pii",
    "MEDICAL_ID": "phi", "CREDIT_CARD": "financial", "IBAN": "financial", "SECRET": "secret",
    "EXPORT_MARKING": "export",
}  # fmt: skip
SOFT_LABELS = frozenset(("ADDRESS", "USERNAME", "POSTCODE", "DATE"))
"""Sensitive or not, as the rest of the document has it: such documents count neither as found nor as false."""
HARMLESS_LABELS = frozenset(
    ("PERSON", "LOCATION", "ORG", "AGE", "SEX", "TITLE", "NRP", "URL", "FAMILY", "PROFESSION",
     "PROFESSIONAL_ID")
)  # fmt: skip
"""Not sensitive by themselves."""


class Span(msgspec.Struct, frozen=True):
    start: int
    end: int
    label: str


class Document(msgspec.Struct, frozen=True):
    """A line of a data file; members that are not here are left alone."""

    text: str
    id: str = ""
    spans: tuple[Span, ...] = ()
    lang: str = "und"
    source: str = "unnamed"
    strong: bool = False
    """Holds something sensitive by itself."""
    soft: bool = False
    classes: tuple[str, ...] | None = None
    neg_kind: str | None = None
    doc_level_only: bool = False
    """Its spans are not exact."""


class Rate(msgspec.Struct, frozen=True):
    rate: float | None
    """None: there is nothing to count."""
    low: float | None
    high: float | None
    n: int


class Cpu(msgspec.Struct, frozen=True):
    p50: float
    p99: float
    n: int


class Rates(msgspec.Struct, frozen=True):
    found: Rate
    """Of documents that hold something sensitive: those whose class says so."""
    found_right_span: Rate
    """Of those with exact spans: those where a finding overlaps one that is sensitive by itself."""
    false_positives: Rate
    """Of documents that hold nothing sensitive: those whose class says they do."""
    spans_found: Rate
    """Of the sensitive spans themselves."""


class Bench(Rates, frozen=True, kw_only=True):
    by_category: dict[str, Rates]
    by_language: dict[str, Rates]
    by_source: dict[str, Rates]
    by_label: dict[str, Rates]
    by_kind: dict[str, Rates]
    """Kinds of documents without anything sensitive."""
    unscanned: int
    cpu_ms_per_kb: Cpu
    detector: str
    documents: int


def rate(hits: int, n: int) -> Rate:
    """Wilson's interval (Wilson 1927), which is right for rates near 0 and 1."""
    if not n:
        return Rate(None, None, None, 0)
    share = hits / n
    middle = share + _Z * _Z / (2 * n)
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    whole = 1 + _Z * _Z / n
    return Rate(share, max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole), n)


class Judged(msgspec.Struct, frozen=True):
    """A document and what was made of it."""

    document: Document
    grade: Grade
    spans_found: tuple[bool, ...]
    """For each sensitive span."""

    @property
    def sensitive_spans(self) -> tuple[Span, ...]:
        return sensitive_spans(self.document)

    @property
    def harmless(self) -> bool:
        document = self.document
        labels = {span.label for span in document.spans}
        return not document.strong and labels <= HARMLESS_LABELS and not (document.soft and not labels)


def sensitive_spans(document: Document) -> tuple[Span, ...]:
    if not document.strong or document.doc_level_only:
        return ()
    return tuple(span for span in document.spans if span.label not in HARMLESS_LABELS | SOFT_LABELS)


def judged(detector: Detector, by: Ladder, document: Document) -> Judged:
    found = grade([scan(detector, document.text)], by)
    overlaps = tuple(
        any(one.start < span.end and one.end > span.start for one in found.findings)
        for span in sensitive_spans(document)
    )
    return Judged(document, found, overlaps)


def bench(detector: Detector, by: Ladder, documents: Sequence[Document]) -> Bench:
    seen = [judged(detector, by, document) for document in documents]
    whole = rates(seen)
    return Bench(
        whole.found,
        whole.found_right_span,
        whole.false_positives,
        whole.spans_found,
        by_category=_by_category(seen),
        by_language=_grouped(seen, lambda one: (one.document.lang,)),
        by_source=_grouped(seen, lambda one: (one.document.source,)),
        by_label=_by_label(seen),
        by_kind=_grouped([one for one in seen if one.document.neg_kind], lambda one: (one.document.neg_kind or "",)),
        unscanned=sum(bool(one.grade.unscanned) for one in seen),
        cpu_ms_per_kb=cpu_ms_per_kb(detector, [document.text for document in documents]),
        detector=detector.version,
        documents=len(seen),
    )


def rates(seen: Sequence[Judged]) -> Rates:
    positives = [one for one in seen if one.document.strong]
    exact = [one for one in positives if one.spans_found]
    negatives = [one for one in seen if one.harmless]
    spans = [hit for one in exact for hit in one.spans_found]
    return Rates(
        rate(sum(one.grade.sensitive for one in positives), len(positives)),
        rate(sum(any(one.spans_found) for one in exact), len(exact)),
        rate(sum(one.grade.sensitive for one in negatives), len(negatives)),
        rate(sum(spans), len(spans)),
    )


def categories_of(document: Document) -> tuple[str, ...]:
    """Of its sensitive content: as labelled, else by the labels of its spans."""
    if document.classes:
        return document.classes
    return tuple(dict.fromkeys(CATEGORY_OF_LABEL.get(span.label, "pii") for span in document.spans if _counts(span)))


def _counts(span: Span) -> bool:
    return span.label not in HARMLESS_LABELS | SOFT_LABELS


def _by_category(seen: Sequence[Judged]) -> dict[str, Rates]:
    """False positives of a category: documents without anything sensitive where it was found all the same."""
    negatives = [one for one in seen if one.harmless]
    names = sorted(
        {name for one in seen if one.document.strong for name in categories_of(one.document)}
        | {name for one in negatives for name in one.grade.categories}
    )
    found = {}
    for name in names:
        of_it = rates([one for one in seen if one.document.strong and name in categories_of(one.document)])
        false = rate(sum(name in one.grade.categories for one in negatives), len(negatives))
        found[name] = Rates(of_it.found, of_it.found_right_span, false, of_it.spans_found)
    return found


def _by_label(seen: Sequence[Judged]) -> dict[str, Rates]:
    found = {}
    for label in sorted({span.label for one in seen for span in one.sensitive_spans}):
        with_it = [one for one in seen if any(span.label == label for span in one.sensitive_spans)]
        hits = [
            hit
            for one in with_it
            for span, hit in zip(one.sensitive_spans, one.spans_found, strict=True)
            if span.label == label
        ]
        base = rates(with_it)
        found[label] = Rates(base.found, base.found_right_span, rate(0, 0), rate(sum(hits), len(hits)))
    return found


def _grouped(seen: Sequence[Judged], names: Any) -> dict[str, Rates]:
    groups: dict[str, list[Judged]] = {}
    for one in seen:
        for name in names(one):
            groups.setdefault(name, []).append(one)
    return {name: rates(groups[name]) for name in sorted(groups)}


def cpu_ms_per_kb(detector: Detector, texts: Iterable[str]) -> Cpu:
    """CPU time of this process for a kilobyte of text: the documents one after another, cut to a kilobyte each."""
    pieces = kilobytes(texts)
    spent = []
    for piece in pieces:
        least = min(_spent_ns(detector, piece) for _ in range(_TIMES))
        spent.append(least / 1e6 / (len(piece.encode("utf-8", "replace")) / _KB))
    if not spent:
        return Cpu(0.0, 0.0, 0)
    spent.sort()
    return Cpu(spent[len(spent) // 2], spent[min(len(spent) - 1, int(len(spent) * 0.99))], len(spent))


_TIMES = 3
"""Each kilobyte is read so often and the least counts: what others do to the caches is not the detectors' cost."""


def _spent_ns(detector: Detector, text: str) -> int:
    before = time.process_time_ns()
    scan(detector, text)
    return time.process_time_ns() - before


def kilobytes(texts: Iterable[str], most: int = 4000) -> list[str]:
    pieces: list[str] = []
    waiting = ""
    for text in texts:
        waiting = f"{waiting}\n{text}" if waiting else text
        while len(waiting.encode("utf-8", "replace")) >= _KB:
            cut = waiting.encode("utf-8", "replace")[:_KB].decode("utf-8", "ignore")
            pieces.append(cut)
            if len(pieces) >= most:
                return pieces
            waiting = waiting[len(cut) :]
    return pieces
