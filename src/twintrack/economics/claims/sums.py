"""Statements whose total is a sum: each of two volumes at a price of its own."""

from __future__ import annotations

from twintrack.economics.claims.grammar import DAYS
from twintrack.economics.claims.quantities import Sentence
from twintrack.economics.claims.verdict import Check, span, sums_agree


def summed(sentence: Sentence) -> list[Check]:
    """`10M tokens a day at $2.50 per million and 2M at $10 per million are $45 a day`."""
    volumes, prices = sentence.having("token", "day"), sentence.having("usd", "token")
    costs = sentence.having("usd", "day")
    if (len(volumes), len(prices), len(costs), len(sentence.quantities)) != (2, 2, 1, 5):
        return []
    terms = [each for each in sentence.quantities if each is not costs[0]]
    if any(first.unit == second.unit for first, second in zip(terms[::2], terms[1::2], strict=True)):
        return []
    cost = costs[0]
    period = next((word for word in DAYS if word in cost.tags), "day")
    days = DAYS[period]
    pairs = list(zip(volumes, prices, strict=True))
    low, high = (sum(getattr(v, end) * getattr(p, end) for v, p in pairs) * days for end in ("low", "high"))
    stated = cost.low * days, cost.high * days
    right, factor = sums_agree(stated, (low, high), about=cost.about)
    return [
        Check(
            relation="sum",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=(low, high),
            unit=f"USD per {period}",
            factor=factor,
            sums=(
                f"{' + '.join(f'{v.text} x {p.text}' for v, p in pairs)} = {span((low, high), '$')} a {period}",
                f"stated: {cost.text}",
            ),
        )
    ]
