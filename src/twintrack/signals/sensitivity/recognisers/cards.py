"""Payment cards (ISO/IEC 7812, Luhn) and IBANs (ISO 13616, modulus 97)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twintrack.signals.sensitivity.checks import digits, iban, luhn
from twintrack.signals.sensitivity.window import AFTER, Raw, Window

_CARD = re.compile(rf"\d(?<![A-Za-z0-9_.,+]\d)(?:[ \-.+_]?\d|[ \-]?\n ?\d){{11,18}}{AFTER}(?!\.\d)")
_IN_LINE = re.compile(rf"\d(?<![A-Za-z0-9_.,+]\d)(?:[ \-.+_]?\d){{11,18}}{AFTER}(?!\.\d)")
_ROW = re.compile(r"[0-9]+(?:(?:[ \-.+_]|[ \-]?\n ?)[0-9]+)*")
"""All figures that may stand in one card number."""
_FEWEST = 12
_BEHIND = 2
"""Characters behind a number that say whether it ends there."""
_ISSUED = re.compile(
    # First digits and lengths as the networks publish them: Visa, Mastercard (51-55, 2221-2720), American Express,
    # Discover, Diners, JCB, UnionPay, Maestro, Mir, RuPay, Troy.
    r"4\d{12}(?:\d{3})?(?:\d{3})?$|5[1-5]\d{14}$|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}$|3[47]\d{13}$"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}(?:\d{3})?$|3(?:0[0-5]|095|[689]\d)\d{11,12}(?:\d{2})?$|35(?:2[89]|[3-8]\d)\d{12}$"
    r"|62\d{14}(?:\d{3})?$|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}$|220[0-4]\d{12}$|(?:60|81|82|508)\d{13,14}$"
    r"|9792\d{12}$"
)
_GROUPED = re.compile(r"\d{4}[ \-.+_]\d{4}[ \-.+_]\d{4}[ \-.+_]\d{4}$|\d{4}[ \-]\d{6}[ \-]\d{5}$")
_CROWD = 3
_IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9À-ɏ].)[A-Z]\d{2}(?:[ \-+_.\n]{0,2}[A-Z0-9]){11,30}")
_IBAN_LENGTH = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""SWIFT, IBAN registry, release 98 (2024-11): characters of the whole number."""


def _numbers(text: str, figures: bytes) -> Iterator[re.Match[str]]:
    """All of `_CARD`, looked for where figures enough stand in a row. What is a card in its own line is one, whatever
    figures the lines beside it begin or end with: when it expires, or how many there are."""
    first = figures.find(b"0")
    while first >= 0:
        row = _ROW.match(text, first)
        assert row is not None  # a figure stands there
        end = row.end()
        if figures.count(b"0", first, end) >= _FEWEST:
            found = _CARD.finditer(text, first, end + _BEHIND)
            yield from found if text.find("\n", first, end) < 0 else _by_line(text, first, end + _BEHIND, list(found))
        first = figures.find(b"0", end)


def _by_line(text: str, start: int, end: int, across: list[re.Match[str]]) -> list[re.Match[str]]:
    """`across`: what was found without regard to lines."""
    within = [one for one in _IN_LINE.finditer(text, start, end) if _is_card(digits(one[0]))]
    behind = 0
    for one in across:
        while behind < len(within) and within[behind].end() <= one.start():
            behind += 1
        if behind == len(within) or within[behind].start() >= one.end():
            within.insert(behind, one)
            behind += 1
    return within


def _is_card(number: str) -> bool:
    return _ISSUED.match(number) is not None and luhn(number)


class Cards:
    name = "cards"
    concepts = frozenset(("cased:card", "cased:card-alone"))

    def find(self, window: Window) -> Iterator[Raw]:
        if "shape:card" not in window.hits or not ("card" in window.hits or "cased:card-alone" in window.hits):
            return
        crowd: dict[int, list[Raw | None]] = {}
        for found in _numbers(window.plain, window.figures):
            number = digits(found[0])
            start, end = found.span()
            if len(set(number)) < 2:
                continue
            right = luhn(number)
            issued = _ISSUED.match(number) is not None
            if window.near("card", start, end, 80, 48):
                if right:
                    yield Raw(start, end, "credit_card", "financial", "near_valid", "card")
                elif issued and len(number) in (15, 16) and window.labelled("card", start):
                    yield Raw(start, end, "credit_card", "financial", "labelled", "card")
                continue
            if len(number) < 14 or not issued:
                continue
            if not (_GROUPED.match(found[0]) or found[0] == number):
                continue
            raw = Raw(start, end, "credit_card", "financial", "valid", "card") if right else None
            crowd.setdefault(len(number), []).append(raw)
        for seen in crowd.values():
            valid = [raw for raw in seen if raw is not None]
            if len(seen) < _CROWD or 2 * len(valid) > len(seen):
                yield from valid


class Ibans:
    name = "ibans"
    concepts = frozenset(("cased:iban",))

    def find(self, window: Window) -> Iterator[Raw]:
        if "shape:iban" not in window.hits:
            return
        labelled = bool(window.hits.get("iban"))
        text = window.upper if labelled else window.plain
        for found in _IBAN.finditer(text):
            length = _IBAN_LENGTH.get(found[0][:2])
            if length is None:
                continue
            cut = _first(found[0], length)
            if cut is None:
                continue
            start, end = found.start(), found.start() + len(cut)
            if end < len(text) and text[end].isalnum():
                continue
            if iban(cut):
                near = labelled and window.near("iban", start, end)
                yield Raw(start, end, "iban", "financial", "labelled_valid" if near else "valid", "iban")
            elif labelled and window.near("iban", start, end):
                yield Raw(start, end, "iban", "financial", "labelled", "iban")


def _first(text: str, count: int) -> str | None:
    """The start of `text` that holds so many letters and digits; None: it has fewer."""
    for at, char in enumerate(text):
        if char.isalnum():
            count -= 1
            if not count:
                return text[: at + 1]
    return None
