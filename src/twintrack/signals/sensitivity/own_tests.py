"""The rules' own examples, and whether they hold: what `twintrack privacy test` runs."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from typing import NamedTuple

from twintrack.signals.sensitivity import rules
from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.finding import Finding, Unscanned
from twintrack.signals.sensitivity.scan import scan

_DRAWN = re.compile(r"\{([aAhHdbBwmru])(\d*)\}")
_ALPHABETS = {
    "a": string.ascii_lowercase + string.digits,
    "A": "ABCDEFGHJKLMNPQRSTUVWXYZ234567",  # base32, which some keys are held to
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "d": string.digits,
    "b": string.ascii_letters + string.digits + "-_",
    "B": string.ascii_letters + string.digits + "+/",
    "w": string.ascii_letters + string.digits,
    "m": string.ascii_letters,
    "r": "abcdefghijklmnopqrstuvwxyz234567",
}
_SEED = 1


class Outcome(NamedTuple):
    rule: str
    text: str
    wanted: str
    """What should be found; empty: nothing."""
    right: bool
    found: tuple[str, ...]
    """Types and rules of what was."""


def drawn(example: str, seed: int = _SEED) -> str:
    """An example with its `{w36}` filled in, the same for the same seed."""
    source = random.Random(f"{seed}:{example}")  # noqa: S311 - no secret: an example's filling

    def fill(found: re.Match[str]) -> str:
        if found[1] == "u":
            return "-".join("".join(source.choices(_ALPHABETS["h"], k=size)) for size in (8, 4, 4, 4, 12))
        size = int(found[2] or 1)
        filling = source.choices(_ALPHABETS[found[1]], k=size)
        if found[1] in "abBw" and size > 1:  # as nearly every key has
            filling[size // 2] = source.choice(string.digits)
        return "".join(filling)

    return _DRAWN.sub(fill, example)


def outcomes(detector: Detector) -> Iterator[Outcome]:
    for token in rules.secrets().token:
        text = token.example_fixed or drawn(token.example)
        name = token.near[0] if token.near else "value"
        yield _finds(detector, token.id, f"{name} {text} end", "secret")
    for keyed in rules.secrets().keyed:
        filled = _value(keyed.value)
        if filled is not None:
            name = re.sub(r"\W", "_", keyed.near[0]).upper()
            yield _finds(detector, keyed.id, f'{name}_KEY = "{filled}"', "secret")
    for number in rules.identifiers().type:
        for said in number.words.values():
            yield _finds(detector, number.id, f"{said[0]}: {number.number}", number.id)
    for marking in rules.markings().marking:
        yield _finds(detector, marking.id, marking.example, "marking")
    for street in rules.addresses().street:
        yield _finds(detector, f"address-{street.languages[0]}", street.example, "address")
    for own in detector.custom:
        for text in own.finds:
            yield _finds(detector, own.name, text, own.name)
        for text in own.ignores:
            found = _found(detector, text)
            wrong = [one for one in found if one.type == own.name]
            yield Outcome(own.name, text, "", not wrong, _names(found))


def _finds(detector: Detector, rule: str, text: str, wanted: str) -> Outcome:
    found = _found(detector, text)
    category = next((kind.category for kind in rules.identifiers().type if kind.id == wanted), "")
    right = any(one.type == wanted or (category and one.category == category) for one in found)
    return Outcome(rule, text, wanted, right, _names(found))


def _found(detector: Detector, text: str) -> tuple[Finding, ...]:
    verdict = scan(detector, text)
    return () if isinstance(verdict, Unscanned) else verdict.findings


def _names(found: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(f"{one.type} ({one.rule})" for one in found)


_CLASS = re.compile(r"(\[[^\]]+\]|\\d)\{(\d+)(?:,\d+)?\}")


def _value(pattern: str) -> str | None:
    """A value for a plain pattern like [a-z0-9]{32}; None for patterns of any other form."""
    found = _CLASS.fullmatch(pattern)
    if found is None:
        return None
    allowed = [char for char in string.ascii_letters + string.digits if re.match(found[1], char)]
    source = random.Random(pattern)  # noqa: S311 - no secret: an example's filling
    filling = source.choices(allowed, k=int(found[2]))
    if "7" in allowed:
        filling[1] = "7"
    return "".join(filling)
