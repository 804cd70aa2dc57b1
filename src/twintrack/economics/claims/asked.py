"""Statements about what requests of stated lengths cost with a model they name, against its price."""

from __future__ import annotations

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
    sides = [each.tags & {"input", "output"} for each in lengths]
    parts: list[_Priced]
    if sides in ([{"input"}, {"output"}], [{"output"}, {"input"}]):
        by_side = {"input": price.input_nusd_per_mtok / 1e15, "output": price.output_nusd_per_mtok / 1e15}
        parts = [(each, by_side[name := next(iter(side))], name) for each, side in zip(lengths, sides, strict=True)]
    elif sides == [set()]:
        parts = [(lengths[0], blended(price), "3 in : 1 out (assumed)")]
    else:
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
