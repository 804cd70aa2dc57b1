"""Statements that can be checked by their own numbers: products of rates, amounts and times, ratios, and what moving a
share of the traffic saves."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from twintrack.economics.claims.grammar import DAYS
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.sums import summed
from twintrack.economics.claims.verdict import Check, Context, Range, shown, span, sums_agree, tokens

_AGAINST = r"\bvs\.?\b|\bversus\b|\bagainst\b|\binstead of\b|\bcompared\b"
_SAVES = r"\bsav\w+|\bcut\w*|\blower\w*|\bcheaper\b|\breduc\w+|\bfall\w*|\bless\b|\bdrop\w*|\bdown\b"
_SWITCH = r"\binstead of\b|\bfrom\b|\bdropping\b|\bgoing\b|\bswitch\w*|\breplac\w+"
_ROUTES = r"\brout\w+|\bhybrid\b|\bmov\w+|\bsend\w+|\bsplit\w*|\bshift\w*"
_SHARE = re.compile(r"\s*(?:of )?(?:the |all )?(?:requests|traffic|calls|queries|tokens|spend|volume)\b", re.IGNORECASE)
_MOST = 7
"""Quantities of which products are tried."""


def products(sentence: Sentence, context: Context) -> list[Check]:
    """A total that other numbers of the sentence multiply to."""
    pairs = summed(sentence) or _in_order(sentence, context)
    if pairs:
        return pairs
    if prices := _same_price(sentence) or _price_that_follows(sentence):
        return prices
    best: tuple[int, Check] | None = None
    for result in reversed(sentence.quantities):
        if not (result.unit == "usd" and result.per in ((), ("day",))) and not result.is_a("token", "day"):
            continue
        others = [each for each in sentence.quantities if each is not result and _counts(each)]
        lent = _lent(sentence, context)
        factors = _factors(result, others) or (_factors(result, [*others, *lent]) if lent else ())
        if factors and (best is None or len(factors) > best[0]):
            best = len(factors), _kinder(result, factors, sentence)
    return [best[1]] if best else []


def _in_order(sentence: Sentence, context: Context) -> list[Check]:
    """`$50 a day vs $800 a day` after two prices: the first belongs to the first, the second to the second."""
    results = sentence.having("usd", "day")
    volume = sentence.having("token", "day")
    prices = sentence.having("usd", "token") or context.all_earlier("usd", "token")
    own = len(sentence.having("usd", "token")) == 2
    if len(results) != 2 or len(prices) != 2 or len(volume) != 1 or not (own or sentence.says(_AGAINST)):
        return []
    return [_compared(result, (volume[0], price)) for result, price in zip(results, prices, strict=True)]


def _same_price(sentence: Sentence) -> list[Check]:
    """One price by different amounts of tokens: $0.002 per 1K is $2 per million."""
    prices = sentence.having("usd", "token")
    if len(prices) != 2 or sentence.models or sentence.having("token", "day") or len(sentence.quantities) != 2:
        return []
    first, second = prices
    if first.scale == second.scale or not sentence.says(r"=|\bis\b|\bmeans\b|\bequals?\b|\bmakes?\b|\bcomes? to\b"):
        return []
    stated, computed = (second.low * 1e6, second.high * 1e6), (first.low * 1e6, first.high * 1e6)
    right, factor = sums_agree(stated, computed, about=second.about)
    return [
        Check(
            relation="product",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=computed,
            unit="USD per 1M tokens",
            factor=factor,
            sums=(f"{first.text} = {span(computed, '$')} per 1M", f"stated: {second.text}"),
        )
    ]


def _price_that_follows(sentence: Sentence) -> list[Check]:
    """`$12 a day for 5 million tokens is $2.40 per million`."""
    if not sentence.quantities or len(sentence.quantities) != 3:
        return []
    price = sentence.quantities[-1]
    volume = [each for each in sentence.quantities[:2] if each.unit == "token" and each.per in ((), ("day",))]
    cost = [each for each in sentence.quantities[:2] if each.unit == "usd" and each.per in ((), ("day",))]
    if not price.is_a("usd", "token") or not volume or not cost or not volume[0].low or not _says_so(sentence, price):
        return []
    if cost[0].per == () and volume[0].per == ("day",):
        return []
    computed = cost[0].low / volume[0].low * 1e6, cost[0].high / volume[0].high * 1e6
    stated = price.low * 1e6, price.high * 1e6
    right, factor = sums_agree(stated, computed, about=price.about)
    return [
        Check(
            relation="product",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=computed,
            unit="USD per 1M tokens",
            factor=factor,
            sums=(f"{cost[0].text} / {volume[0].text} = {span(computed, '$')} per 1M", f"stated: {price.text}"),
        )
    ]


def _says_so(sentence: Sentence, result: Quantity) -> bool:
    """What is said to follow stands behind `is`, `=` or the like."""
    before = sentence.text[: result.start]
    return (
        re.search(
            r"(?:=|\bis|\bmeans|\bmakes?|\bcomes? to|\bworks? out (?:at|to))\s*(?:about|around|only)?\s*$", before
        )
        is not None
    )


def _lent(sentence: Sentence, context: Context) -> list[Quantity]:
    """A price or a volume an earlier sentence named, where this one has none of its own."""
    lent = []
    if not sentence.models and not sentence.having("usd", "token"):
        lent += context.earlier("usd", "token")[:1]
    if not sentence.having("token", "day") and not sentence.having("request", "day"):
        lent += (context.earlier("token", "day") or context.earlier("request", "day"))[:1]
    return lent


def _counts(each: Quantity) -> bool:
    return each.unit in ("usd", "token", "request", "user", "gpu", "day", "fte", "image")


def _factors(result: Quantity, others: Sequence[Quantity]) -> tuple[Quantity, ...]:
    """The most of `others` whose product has the unit of `result`; empty: none do."""
    wanted = _dimension([result])
    for size in range(min(len(others), _MOST), 0, -1):
        for chosen in itertools.combinations(others[:_MOST], size):
            if _dimension(chosen) == wanted and (size > 1 or _restated(result, chosen[0])):
                return chosen
    return ()


def _kinder(result: Quantity, factors: Sequence[Quantity], sentence: Sentence) -> Check:
    """`3 H100 at $2 an hour`, `3 engineers at $200k a year` may mean one or all of them: the reading that comes nearer
    to what is stated."""
    check = _compared(result, factors)
    kinds = ["fte", *(["gpu"] if any("hour" in each.tags for each in factors) else [])]
    counted = [each for kind in kinds for each in sentence.having(kind) if each not in factors and each.low > 1]
    if check.verdict == "right" or not counted:
        return check
    other = _compared(result, (counted[0], *factors))
    near = other.factor is not None and check.factor is not None and _far(other.factor) < _far(check.factor)
    return other if near else check


def _far(factor: float) -> float:
    return abs(math.log(factor)) if factor > 0 else math.inf


def _restated(result: Quantity, other: Quantity) -> bool:
    """One amount in two periods, as an hour and a month."""
    periods = [each.tags & set(DAYS) for each in (result, other)]
    return bool(periods[0]) and bool(periods[1]) and periods[0] != periods[1]


def _dimension(quantities: Iterable[Quantity]) -> dict[str, int]:
    powers: Counter[str] = Counter()
    for each in quantities:
        powers[each.unit] += 1
        powers.subtract(each.per)
    return {unit: power for unit, power in powers.items() if power}


def _compared(result: Quantity, factors: Sequence[Quantity]) -> Check:
    computed = math.prod(each.low for each in factors), math.prod(each.high for each in factors)
    period = next((word for word in DAYS if word in result.tags), "day")
    days = DAYS[period] if "day" in result.per else 1.0
    stated = result.low * days, result.high * days
    comes_to = computed[0] * days, computed[1] * days
    right, factor = sums_agree(stated, comes_to, about=result.about)
    what = "$" if result.unit == "usd" else ""
    every = f" a {period}" if "day" in result.per else ""
    amount = span(comes_to, what) if what else f"{tokens(comes_to[0])} tokens"
    unit = ("USD" if what else "tokens") + (f" per {period}" if every else "")
    return Check(
        relation="product",
        verdict="right" if right else "wrong",
        stated=stated,
        computed=comes_to,
        unit=unit,
        factor=factor,
        sums=(f"{' x '.join(each.text for each in factors)} = {amount}{every}", f"stated: {result.text}"),
    )


def ratios(sentence: Sentence, context: Context) -> list[Check]:
    """`16 times as much`, `saves 80 %`, `moving 70 % of requests saves 68 %`."""
    if sentence.having("token", "day"):
        return []
    pair = _pair(sentence)
    times = [each for each in sentence.having("times") if each.low > 1]
    percents = sentence.having("percent")
    if pair and times and not percents:
        ratio = pair[1] / pair[0]
        right, factor = sums_agree((times[0].low, times[0].high), (ratio, ratio), about=times[0].about)
        return [
            Check(
                relation="ratio",
                verdict="right" if right else "wrong",
                stated=(times[0].low, times[0].high),
                computed=(ratio, ratio),
                unit="times",
                factor=factor,
                sums=(f"{shown(pair[1])} / {shown(pair[0])} = {shown(ratio)} times",),
            )
        ]
    if percents and sentence.says(_SAVES) and not sentence.says(r"\bcases\b"):
        return _saving(sentence, pair, times, percents)
    return []


def _pair(sentence: Sentence) -> Range | None:
    """The two prices of the same thing that are set against one another, the lower first."""
    money = [each for each in sentence.quantities if each.unit == "usd" and each.low == each.high > 0]
    for first, second in itertools.combinations(money, 2):
        if (
            first.per == second.per
            and first.low != second.low
            and first.per in ((), ("token",), ("request",), ("day",))
        ):
            return min(first.low, second.low), max(first.low, second.low)
    return None


def _saving(
    sentence: Sentence, pair: Range | None, times: Sequence[Quantity], percents: Sequence[Quantity]
) -> list[Check]:
    shares = [each for each in percents if _SHARE.match(sentence.text, each.end)]
    savings = [each for each in percents if each not in shares]
    if not savings:
        return []
    saving = savings[-1]
    stated: Range = saving.low / 100, saving.high / 100
    ratio = pair[1] / pair[0] if pair else times[0].mid if times else None
    if ratio is None:
        if not sentence.says(_ROUTES) or saving.high >= 100:
            return []
        return [_needs(stated, math.inf)]
    whole = 1 - 1 / ratio
    if shares:
        computed = shares[0].low / 100 * whole, shares[0].high / 100 * whole
        right, factor = sums_agree(stated, computed, about=saving.about)
        return [_saved(stated, computed, right, factor, f"{shares[0].text} x (1 - 1 / {shown(ratio)})")]
    if stated[1] > whole * 1.005 and not _close(stated, whole):
        text = f"all of it moved: 1 - 1 / {shown(ratio)}"
        return [_saved(stated, (whole, whole), False, stated[1] / whole, text)]
    if stated[1] > whole:  # as near as rounding goes
        return [_saved(stated, (whole, whole), True, stated[1] / whole, f"all of it moved: 1 - 1 / {shown(ratio)}")]
    if sentence.says(_SWITCH) and not sentence.says(r"\brout\w+|\bhybrid\b"):
        right = _close(stated, whole)
        return [_saved(stated, (whole, whole), right, stated[1] / whole, f"1 - 1 / {shown(ratio)}")]
    return [_needs(stated, ratio)]


def _close(stated: Range, whole: float) -> bool:
    return all(abs(value - whole) <= 0.015 for value in stated)


def _saved(stated: Range, computed: Range, right: bool, factor: float, text: str) -> Check:
    low, high = computed
    amount = f"{low:.1%}" if math.isclose(low, high) else f"{low:.1%} to {high:.1%}"
    return Check(
        relation="saving",
        verdict="right" if right else "wrong",
        stated=stated,
        computed=computed,
        unit="share of the bill",
        factor=factor,
        sums=(f"{text} = {amount} saved",),
    )


def _needs(stated: Range, ratio: float) -> Check:
    whole = 1 - 1 / ratio
    low, high = stated[0] / whole, stated[1] / whole
    share = f"{low:.1%}" if math.isclose(low, high) else f"{low:.0%} to {high:.0%}"
    least = "at least " if math.isinf(ratio) else ""
    prices = "a model that costs nothing" if math.isinf(ratio) else f"prices {shown(ratio)} to 1"
    return Check(
        relation="saving",
        verdict="depends",
        stated=stated,
        unit="share of the bill",
        sums=(f"share moved = saving / (1 - 1 / price ratio) = {least}{share}, with {prices}",),
        condition=f"{least}{share} of spend has to move to the cheaper model; measure that share in your own traffic",
    )
