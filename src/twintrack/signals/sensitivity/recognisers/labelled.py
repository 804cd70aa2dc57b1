"""Identifiers of any form that stand behind their label: passport, licence, record, policy, account."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twintrack.signals.sensitivity.window import Raw, Window

_VALUE = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Z]{1,6}[ \-./#]?|[a-z]{1,4}-?)?\d[A-Za-z0-9]*(?:[ .\-/][A-Za-z]{0,3}\d[A-Za-z0-9]*)*"
    r"(?:[ \-/][A-Z]{1,2}\d?)?(?![A-Za-z0-9])"
)
_DATE = re.compile(
    r"(?:\d{1,2}[./\-]\d{1,2}[./\-](?:19|20)?\d{2}|(?:19|20)\d{2}[./\-]\d{1,2}[./\-]\d{1,2})"
    r"(?:[ T]\d{1,2}(?::\d\d)?)?$|(?:19|20)\d\d$"
)
_QUANTITY = re.compile(
    r"\s?(?:usd|eur|gbp|years?|yrs?|jahre|ans|años|anni|times?|days?|weeks?|months?|hours?|mg|ml|kg|km|gb|mb|ms)\b"
    r"|\s?[%€$£¥]"
)
CONCEPTS: dict[str, tuple[str, str, int, int]] = {
    # concept: (type, category, fewest digits, fewest characters)
    "mrn": ("medical_record", "phi", 3, 4),
    "health_id": ("health_insurance", "phi", 5, 6),
    "passport": ("passport", "pii", 4, 6),
    "driving_licence": ("driving_licence", "pii", 3, 5),
    "national_id": ("national_id", "pii", 5, 6),
    "tax_id": ("tax_id", "pii", 7, 8),
    "social_id": ("social_security", "pii", 6, 7),
    "bank_account": ("bank_account", "financial", 6, 6),
    "professional_id": ("professional_id", "pii", 4, 4),
    "card_code": ("card_code", "financial", 3, 3),
}
_LONGEST = 40


def odd_value(window: Window, start: int, fewest: int = 6, shortest: int = 7) -> tuple[int, int] | None:
    """Start and end of something like an identifier at `start`; None where a date, a quantity or a word stands."""
    found = _VALUE.match(window.plain, start, start + _LONGEST)
    if found is None:
        return None
    value = found[0]
    if len(value) < shortest or sum(map(str.isdigit, value)) < fewest or _DATE.match(value) is not None:
        return None
    if _QUANTITY.match(window.low, found.end()) is not None:
        return None
    return found.span()


class Labelled:
    name = "labelled"
    concepts = frozenset(CONCEPTS)

    def find(self, window: Window) -> Iterator[Raw]:
        if window.figures.count(b"0") < 3:
            return
        for concept, (kind, category, fewest, shortest) in CONCEPTS.items():
            if concept not in window.hits:
                continue
            for _, end in window.hits[concept]:
                if not window.has_figure(end, _LONGEST):
                    continue
                start = window.value_at(end)
                span = odd_value(window, start, fewest, shortest)
                if span is not None:
                    yield Raw(*span, kind, category, "labelled", concept)
