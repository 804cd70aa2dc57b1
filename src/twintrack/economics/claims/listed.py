"""Statements about what APIs cost, against the price lists of the catalogue."""

from __future__ import annotations

import functools
import re

from twintrack.catalog import models, prices, tuning
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.prices import Prices
from twintrack.economics.claims.grammar import DAYS
from twintrack.economics.claims.named import NamedModel, named_providers
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.verdict import Check, Context, Range, fact_agrees, shown, span, tokens

INPUT_SHARE = 0.75
"""Three tokens in for one out, where a statement does not say."""
_OWN = (
    r"\bself.?host\w*|\byourself\b|\bourselves\b|\bown (?:gpu|server|hardware)|\bon (?:a |rented )?(?:cloud )?gpus?\b"
)
_MANAGED = r"\bmanaged open\b|\bopen (?:model )?api\b|\bopen.{0,12}(?:endpoint|inference)"
_CLOSED = r"\bclosed\b|\bapis?\b|\bproprietary\b"
_FLIPS = r"break.?even|pays? (?:off|for itself)|\bself.?host\w*"
_TUNES = r"\bfine.?tun\w+|\btraining\b|\btuning\b|\btuned\b"
_MAKERS = (
    (r"gpt|o\d|chatgpt|text-embedding", "openai"),
    (r"claude", "anthropic"),
    (r"gemini", "gemini"),
    (r"mistral|ministral|codestral|pixtral|magistral", "mistral"),
    (r"deepseek", "deepseek"),
    (r"grok", "xai"),
    (r"command", "cohere"),
)


@functools.lru_cache(4)
def _lists(day: str) -> Prices:
    import datetime

    return prices.load(None, on=datetime.date.fromisoformat(day))


def price_of(named: NamedModel, context: Context, provider: str | None = None) -> tuple[str, TokenPrice] | None:
    """Whose price, and the price: the provider named, else the model's maker, else the cheapest that serves it."""
    listed = _lists(context.on.isoformat())
    upstream = named.model.upstream if named.model else {}
    if provider is not None:
        found = listed.find(provider, upstream[provider]) if provider in upstream else None
        return (provider, found) if found else None
    spelt = re.sub(r"[ _]+", "-", named.title.lower())
    for pattern, maker in _MAKERS:
        if re.match(pattern, spelt):
            found = listed.find(maker, upstream.get(maker, spelt)) or listed.find(maker, spelt.replace(".", "-"))
            if found:
                return maker, found
    offers = [(name, listed.find(name, model)) for name, model in upstream.items()]
    known = [(name, price) for name, price in offers if price is not None]
    return min(known, key=lambda offer: blended(offer[1]), default=None)


def blended(price: TokenPrice) -> float:
    """Dollars per token at three tokens in for one out."""
    nusd = INPUT_SHARE * price.input_nusd_per_mtok + (1 - INPUT_SHARE) * price.output_nusd_per_mtok
    return nusd / 1e15


def class_range(kind: str, context: Context) -> Range:
    """Blended dollars per token over all models of the catalogue: `closed` at their makers, `open` where managed."""
    listed = _lists(context.on.isoformat())
    found = []
    for model in models.models().values():
        if model.embeddings or model.demo or model.kind != kind or model.quality < 0.83:
            continue
        for provider, upstream in model.upstream.items():
            if provider != "openrouter" and (price := listed.find(provider, upstream)) is not None:
                found.append(blended(price))
    return min(found), max(found)


def token_prices(sentence: Sentence, context: Context) -> list[Check]:
    """`GPT-4o costs $0.005 per 1K input tokens`, today and in the past."""
    checks = []
    stated = sentence.having("usd", "token")
    if not stated or sentence.having("token", "day") or sentence.having("times") or sentence.having("percent"):
        return []
    if sentence.says(_TUNES):
        return _tuning(sentence, stated[0])
    if sentence.says(_OWN) or not sentence.models:
        return []
    providers = named_providers(sentence.text)
    for amount in stated:
        before = [model for model in sentence.models if model.start < amount.start] or list(sentence.models)
        named = before[-1]
        found = price_of(named, context, providers[0] if providers and named.model else None)
        if found is not None:
            checks.append(_listed(sentence, amount, named, *found, context))
    return checks


def _listed(
    sentence: Sentence, amount: Quantity, named: NamedModel, provider: str, price: TokenPrice, context: Context
) -> Check:
    side = _side(sentence, amount)
    known = _known(price, side)
    right, factor = fact_agrees((amount.low, amount.high), known, about=amount.about)
    sums = [f"{named.title} at {provider}: {span((known[0] * 1e6, known[1] * 1e6), '$')} per 1M {side or 'in and out'}"]
    if not right and (since := _once(named, provider, (amount.low, amount.high), side, context)):
        sums.append(since)
    return Check(
        relation="token price",
        verdict="right" if right else "wrong",
        stated=(amount.low * 1e6, amount.high * 1e6),
        computed=(known[0] * 1e6, known[1] * 1e6),
        unit="USD per 1M tokens",
        factor=factor,
        sums=tuple(sums),
        facts=(price.source,),
    )


def _side(sentence: Sentence, amount: Quantity) -> str:
    """Which tokens the price is of: as its own words say, else the last that were spoken of before it."""
    for side, tags in (("input", {"input", "prompt"}), ("output", {"output", "completion"})):
        if amount.tags & tags:
            return side
    words = re.findall(r"\b(input|prompt|output|completion)s?\b", sentence.text[: amount.start].lower())
    return {"input": "input", "prompt": "input", "output": "output", "completion": "output"}[words[-1]] if words else ""


def _known(price: TokenPrice, side: str) -> Range:
    fresh, out = price.input_nusd_per_mtok / 1e15, price.output_nusd_per_mtok / 1e15
    return {"input": (fresh, fresh), "output": (out, out)}.get(side, (min(fresh, out), max(fresh, out)))


def _once(named: NamedModel, provider: str, stated: Range, side: str, context: Context) -> str:
    """When the price was the stated one; empty: never, as far as is known."""
    import datetime

    from twintrack.catalog.pricing import case_usd

    upstream = named.model.upstream.get(provider, named.title) if named.model else named.title
    counts = {
        "input_tokens": 0 if side == "output" else 1_000_000,
        "output_tokens": 1_000_000 if side == "output" else 0,
    }
    day = datetime.date(2023, 6, 1)
    while day < context.on:
        case = {"provider": provider, "model": upstream, "timestamp": day.isoformat(), **counts}
        usd = case_usd(case).usd
        if usd is not None and fact_agrees(stated, (float(usd) / 1e6, float(usd) / 1e6))[0]:
            return f"It was once: in {day:%B %Y} the list said ${usd.normalize():f}"
        day += datetime.timedelta(days=91)
    return ""


def _tuning(sentence: Sentence, amount: Quantity) -> list[Check]:
    rows = [
        tuning.jobs()[each.model.name] for each in sentence.models if each.model and each.model.name in tuning.jobs()
    ]
    if not rows and not sentence.models and sentence.says(r"\bclosed\b|\bapi\b"):
        rows = list(tuning.jobs().values())
    if not rows:
        return []
    known = min(row.usd_per_mtok for row in rows), max(row.usd_per_mtok for row in rows)
    stated = amount.low * 1e6, amount.high * 1e6
    right, factor = fact_agrees(stated, known, about=amount.about)
    return [
        Check(
            relation="tuning price",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=known,
            unit="USD per 1M training tokens",
            factor=factor,
            sums=tuple(f"{row.model}: ${row.usd_per_mtok:g} per 1M training tokens" for row in rows),
            facts=tuple(f"{row.source}, {row.as_of}" for row in rows),
        )
    ]


def volume_costs(sentence: Sentence, context: Context) -> list[Check]:
    """`10M tokens a day cost $1,300 a month`, with the price of the model or of the class it names."""
    volume, cost = sentence.having("token", "day"), sentence.having("usd", "day")
    if len(volume) != 1 or len(cost) != 1 or sentence.having("usd", "token") or sentence.says(_FLIPS):
        return []
    if any(each.tags & {"input", "output"} for each in sentence.having("token")):
        return []  # the other side's volume, which asked.py adds
    found = [each for named in sentence.models if (each := price_of(named, context)) is not None]
    if found:
        known = min(blended(price) for _, price in found), max(blended(price) for _, price in found)
        what = ", ".join(named.title for named in sentence.models)
        facts = tuple(price.source for _, price in found)
    elif sentence.says(_MANAGED):
        known, what, facts = class_range("open", context), "managed open models", ("the catalogue's price lists",)
    elif sentence.says(_CLOSED):
        known, what, facts = class_range("closed", context), "closed models", ("the catalogue's price lists",)
    else:
        return []
    period = next((word for word in DAYS if word in cost[0].tags), "day")
    days = DAYS[period]
    computed = volume[0].low * known[0] * days, volume[0].high * known[1] * days
    stated = cost[0].low * days, cost[0].high * days
    right, factor = fact_agrees(stated, computed, about=cost[0].about)
    return [
        Check(
            relation="volume cost",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=computed,
            unit=f"USD per {period}",
            factor=factor,
            sums=(
                f"{what}: {span((known[0] * 1e6, known[1] * 1e6), '$')} per 1M tokens, 3 in : 1 out (assumed)",
                f"{tokens(volume[0].mid)} tokens a day x {shown(days)} days = {span(computed, '$')} a {period}",
            ),
            facts=facts,
        )
    ]


def _job_total(sentence: Sentence, amounts: list[Quantity], costs: list[Quantity]) -> list[Check]:
    """`tuning GPT-4o on 15M training tokens costs $375`."""
    rows = [
        tuning.jobs()[each.model.name] for each in sentence.models if each.model and each.model.name in tuning.jobs()
    ]
    if len(rows) != 1:
        return []
    job = rows[0]
    computed = amounts[0].low / 1e6 * job.usd_per_mtok, amounts[0].high / 1e6 * job.usd_per_mtok
    right, factor = fact_agrees((costs[0].low, costs[0].high), computed, about=costs[0].about)
    return [
        Check(
            relation="tuning price",
            verdict="right" if right else "wrong",
            stated=(costs[0].low, costs[0].high),
            computed=computed,
            unit="USD",
            factor=factor,
            sums=(f"{tokens(amounts[0].mid)} tokens x ${job.usd_per_mtok:g} per 1M = {span(computed, '$')}",),
            facts=(f"{job.source}, {job.as_of}",),
        )
    ]


def amount_costs(sentence: Sentence, context: Context) -> list[Check]:
    """`1B input tokens cost $2,500 with GPT-4o`: an amount, not a rate."""
    amounts, costs = sentence.having("token"), sentence.having("usd")
    if len(amounts) != 1 or len(costs) != 1 or len(sentence.quantities) != 2 or len(sentence.models) != 1:
        return []
    found = price_of(sentence.models[0], context)
    if sentence.says(_TUNES):
        return _job_total(sentence, amounts, costs)
    if found is None or sentence.says(_OWN):
        return []
    side = next((each for each in ("input", "output") if each in amounts[0].tags or sentence.says(rf"\b{each}\b")), "")
    known = _known(found[1], side)
    computed = amounts[0].low * known[0], amounts[0].high * known[1]
    right, factor = fact_agrees((costs[0].low, costs[0].high), computed, about=costs[0].about)
    return [
        Check(
            relation="volume cost",
            verdict="right" if right else "wrong",
            stated=(costs[0].low, costs[0].high),
            computed=computed,
            unit="USD",
            factor=factor,
            sums=(
                f"{tokens(amounts[0].mid)} tokens x {span((known[0] * 1e6, known[1] * 1e6), '$')} per 1M "
                f"{side or 'in and out'} = {span(computed, '$')}",
            ),
            facts=(found[1].source,),
        )
    ]


def model_ratios(sentence: Sentence, context: Context) -> list[Check]:
    """`GPT-4o is 16x dearer than GPT-4o mini`, `switching from one to the other cuts the bill by 94 %`."""
    if len(sentence.models) != 2 or any(each.unit == "usd" for each in sentence.quantities):
        return []
    times, percents = sentence.having("times"), sentence.having("percent")
    compares = r"\bcheap\w*|\bexpensive\b|\bdearer\b|\bcosts?\b|\bbill\b|\bprice\w*|\bsav\w+"
    if not sentence.says(compares) or bool(times) == bool(percents):
        return []
    found = [price_of(named, context) for named in sentence.models]
    if found[0] is None or found[1] is None or sentence.says(r"\brout\w+|\bhybrid\b"):
        return []
    first, second = found[0][1], found[1][1]
    pairs = [
        (first.input_nusd_per_mtok, second.input_nusd_per_mtok),
        (first.output_nusd_per_mtok, second.output_nusd_per_mtok),
        (blended(first), blended(second)),
    ]
    ratios = [max(pair) / min(pair) for pair in pairs if min(pair) > 0]
    if not ratios or min(ratios) <= 1:
        return []
    known = min(ratios), max(ratios)
    amount = (times or percents)[0]
    if times:
        stated: Range = amount.low, amount.high
        right, factor = fact_agrees(stated, known, about=amount.about)
    else:
        stated, known = (amount.low / 100, amount.high / 100), (1 - 1 / known[0], 1 - 1 / known[1])
        right, factor = all(known[0] - 0.015 <= value <= known[1] + 0.015 for value in stated), stated[0] / known[0]
    names = " and ".join(named.title for named in sentence.models)
    return [
        Check(
            relation="price ratio",
            verdict="right" if right else "wrong",
            stated=stated,
            computed=known,
            unit="times" if times else "share of the bill",
            factor=factor,
            sums=(f"{names}: input, output and blended prices are {span((min(ratios), max(ratios)))} to 1",),
            facts=(first.source, second.source),
        )
    ]
