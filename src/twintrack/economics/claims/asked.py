"""Statements about what requests of stated lengths, or so many tokens in and out, cost with a model they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twintrack.catalog.cost import TokenPrice
from twintrack.economics.claims.grammar import DAYS
from twintrack.economics.claims.listed import blended, price_of
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.verdict import Check, Context, fact_agrees, span

_Priced = tuple[Quantity, float, str]
"""Tokens of a request, USD of one, and which tokens they are."""


def request_costs(sentence: Sentence, context: Context) -> list[Check]:
    """`1M requests a month at 500 input and 200 output tokens cost $3,250 with GPT-4o`."""
    volume, cost = sentence.having("request", "day"), sentence.having("usd", "day")
    if len(volume) != 1 or len(cost) != 1 or len(sentence.models) != 1 or sentence.having("token", "day"):
        return []
    if any(each.unit in ("user", "percent", "times", "gpu") for each in sentence.quantities):
        return []
    if len([each for each in sentence.quantities if each.unit == "usd"]) != 1:
        return []
    found = price_of(sentence.models[0], context)
    lengths = [each for each in sentence.quantities if each.unit == "token" and set(each.per) <= {"request"}]
    if found is None or not lengths:
        return []
    provider, price = found
    parts = _by_side(lengths, price)
    if not parts and len(lengths) == 1 and not lengths[0].tags & {"input", "output"}:
        parts = [(lengths[0], blended(price), "3 in : 1 out (assumed)")]
    if not parts:
        return []
    period = next((word for word in DAYS if word in cost[0].tags), "day")
    days = DAYS[period]
    each_low, each_high = (sum(getattr(part[0], end) * part[1] for part in parts) for end in ("low", "high"))
    computed = volume[0].low * each_low * days, volume[0].high * each_high * days
    stated = cost[0].low * days, cost[0].high * days
    right, factor = fact_agrees(stated, computed, about=cost[0].about)
    sums = [f"{part[0].text} x ${part[1] * 1e6:g} per 1M {part[2]}" for part in parts]
    return [
        Check(
            relation="request cost",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=computed,
            unit=f"USD per {period}",
            factor=factor,
            sums=(
                f"{sentence.models[0].title} at {provider}: {' + '.join(sums)} = "
                f"{span((each_low, each_high), '$')} a request",
                f"{volume[0].text} = {span(computed, '$')} a {period}",
            ),
            facts=(price.source,),
        )
    ]


def volumes_by_side(sentence: Sentence, context: Context) -> list[Check]:
    """`5M input tokens and 1M output tokens a day cost $22.50 a day with GPT-4o`."""
    volumes = [each for each in sentence.quantities if each.unit == "token"]
    cost = sentence.having("usd", "day")
    timed = [each for each in volumes if each.per == ("day",)]
    if len(volumes) != 2 or not timed or len(cost) != 1 or len(sentence.models) != 1 or len(sentence.quantities) != 3:
        return []
    period = next((word for word in DAYS if word in timed[0].tags), "day")
    alike = [
        each if each.per else replace(each, per=("day",), low=each.low / DAYS[period], high=each.high / DAYS[period])
        for each in volumes
    ]
    found = price_of(sentence.models[0], context)
    parts = _by_side(alike, found[1]) if found else []
    if found is None or not parts:
        return []
    period = next((word for word in DAYS if word in cost[0].tags), "day")
    days = DAYS[period]
    low, high = (sum(getattr(part[0], end) * part[1] for part in parts) * days for end in ("low", "high"))
    stated = cost[0].low * days, cost[0].high * days
    right, factor = fact_agrees(stated, (low, high), about=cost[0].about)
    sums = " + ".join(f"{part[0].text} x ${part[1] * 1e6:g} per 1M {part[2]}" for part in parts)
    return [
        Check(
            relation="volume cost",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=(low, high),
            unit=f"USD per {period}",
            factor=factor,
            sums=(f"{sentence.models[0].title} at {found[0]}: {sums} = {span((low, high), '$')} a {period}",),
            facts=(found[1].source,),
        )
    ]


def _by_side(amounts: Sequence[Quantity], price: TokenPrice) -> list[_Priced]:
    """Each with the price of its side; empty unless there is one of each."""
    usd = {"input": price.input_nusd_per_mtok / 1e15, "output": price.output_nusd_per_mtok / 1e15}
    sides = [[name for name in usd if name in each.tags] for each in amounts]
    if sorted(sides) != [["input"], ["output"]]:
        return []
    return [(each, usd[side[0]], side[0]) for each, side in zip(amounts, sides, strict=True)]
