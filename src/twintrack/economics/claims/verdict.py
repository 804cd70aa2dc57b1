"""What a statement comes to: right, wrong by a factor, right under a condition, or not to be checked and why."""

from __future__ import annotations

import datetime
import math
from typing import Literal

import msgspec

from twintrack.economics.claims.quantities import Quantity, Sentence

Verdict = Literal["right", "wrong", "depends", "cannot_check"]
Range = tuple[float, float]

_EXACT = 1.1
"""Sums that are off by less are called right: statements are rounded, and months have 28 to 31 days."""
_ABOUT = 1.15


class Check(msgspec.Struct, frozen=True, kw_only=True):
    relation: str
    """Which kind of statement it was taken for."""
    verdict: Verdict
    stated: Range | None = None
    computed: Range | None = None
    unit: str = ""
    """Of both."""
    factor: float | None = None
    """What is stated, times what comes out; of ranges the nearest ends."""
    sums: tuple[str, ...] = ()
    """The arithmetic, a line each."""
    condition: str = ""
    """When it holds, where it depends."""
    missing: tuple[str, ...] = ()
    """What would have to be said to check it."""
    facts: tuple[str, ...] = ()
    """Sources with dates."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a sentence may rely on."""

    on: datetime.date
    """Prices are those of this day."""
    before: tuple[Sentence, ...] = ()

    def earlier(self, unit: str, *per: str) -> list[Quantity]:
        """Quantities of the nearest earlier sentence that has any such."""
        for sentence in reversed(self.before):
            if found := sentence.having(unit, *per):
                return found
        return []

    def all_earlier(self, unit: str, *per: str) -> list[Quantity]:
        return [each for sentence in self.before for each in sentence.having(unit, *per)]


def sums_agree(stated: Range, computed: Range, *, about: bool = False) -> tuple[bool, float]:
    """Compare two results of the same sum: low with low, high with high. Gives the factor too."""
    low, high = _over(stated[0], computed[0]), _over(stated[1], computed[1])
    limit = _ABOUT if about else _EXACT
    agree = all(1 / limit <= ratio <= limit for ratio in (low, high))
    return agree, math.sqrt(low * high) if low > 0 and high > 0 else max(low, high)


def fact_agrees(stated: Range, known: Range, *, about: bool = False) -> tuple[bool, float]:
    """Compare with what is known to lie in a range. The factor is 1 inside, else that to the nearer end."""
    if known[0] <= 0:
        return stated[1] <= known[1], 1.0 if stated[1] <= known[1] else math.inf
    limit = _ABOUT if about else _EXACT
    middle = math.sqrt(stated[0] * stated[1]) if stated[0] > 0 else stated[1]
    inside = known[0] / limit <= middle <= known[1] * limit
    around = stated[0] <= known[0] * limit and known[1] <= stated[1] * limit
    if inside or around:
        known_middle = math.sqrt(known[0] * known[1])
        near = known[0] <= middle <= known[1] or around
        return True, 1.0 if near else middle / (known[0] if middle < known_middle else known[1])
    return False, middle / (known[0] if middle < known[0] else known[1])


def shown(value: float, *, digits: int = 3) -> str:
    """A number for people: 1,331; 43.8; 0.0003."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(known: Range, prefix: str = "") -> str:
    """A range for people; one number where both ends are the same."""
    if math.isclose(known[0], known[1], rel_tol=1e-6):
        return prefix + shown(known[0])
    return f"{prefix}{shown(known[0])} to {prefix}{shown(known[1])}"


def tokens(amount: float) -> str:
    """1,250,000,000 as 1.25B."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if amount >= size:
            return f"{shown(amount / size)}{letter}"
    return shown(amount)


def _over(stated: float, computed: float) -> float:
    if computed == 0:
        return 1.0 if stated == 0 else math.inf
    return stated / computed
