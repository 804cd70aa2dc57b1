"""Statements about GPUs: what they cost by the hour, and what a self-hosted model or token comes to."""

from __future__ import annotations

import math
import re

from twintrack.catalog import gpus
from twintrack.catalog.gpus import Rental
from twintrack.economics import calibration, finetune, memory
from twintrack.economics.claims.fits import least_gpus, shape_of
from twintrack.economics.claims.grammar import DAYS
from twintrack.economics.claims.named import NamedGpu
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.verdict import Check, Context, Range, Verdict, fact_agrees, shown, span
from twintrack.economics.roofline import Setup
from twintrack.economics.shape import Shape

MONTH = DAYS["month"]
_TUNES = r"\bfine.?tun\w+|\btraining\b|\btuning\b|\blora\b|\bqlora\b"
_HOSTS = r"\bself.?host\w*|\bcloud gpus?\b|\bown gpus?\b|\bhosting\b|\bgpus?\b"
_BUYS = r"\bhardware\b|\bupfront\b|\bbuy\w*|\bpurchas\w+|\bcapex\b"
_BUSY = (1.0, 0.3)
"""Full, and the share of a day's mean load servers are usually at."""


def rented(rows: tuple[str, ...]) -> list[Rental]:
    return [row for name in rows for row in gpus.rentals(name, mode="on_demand")]


def _hourly(rows: tuple[str, ...]) -> Range | None:
    found = [row.usd_per_gpu_hour for row in rented(rows)]
    return (min(found), max(found)) if found else None


def _facts(rows: tuple[str, ...]) -> tuple[str, ...]:
    seen = {f"{row.source}, prices of {row.dated}" for row in rented(rows)}
    return tuple(sorted(seen))


def gpu_prices(sentence: Sentence, context: Context) -> list[Check]:
    """`an A100 costs $1-2 an hour`, `4 H100 cost $9,000 a month`, `8 A100 for 10 hours cost $800`."""
    if not sentence.gpus or sentence.having("token", "day") or sentence.having("usd", "token"):
        return []
    hourly = _hourly(sentence.gpus[0].names)
    if hourly is None or sentence.says(_BUYS):
        return []
    count = _count(sentence)
    checks = []
    for amount in sentence.quantities:
        if amount.unit != "usd" or amount.per not in (("day",), ("gpu", "day"), ("day", "gpu"), ()):
            continue
        if not amount.per:
            spans = sentence.having("day")
            if not spans or sentence.having("usd", "day") or sentence.having("usd", "day", "gpu"):
                continue
            hours: Range = spans[0].low * 24, spans[0].high * 24
            checks.append(_rent(amount, count, hourly, hours, sentence.gpus[0], "in all"))
        else:
            period = next((word for word in DAYS if word in amount.tags), "day")
            hours = (DAYS[period] * 24,) * 2
            held: Range = (1, 1) if "gpu" in amount.per else count
            check = _rent(amount, held, hourly, hours, sentence.gpus[0], f"a {period}", DAYS[period])
            if check.verdict == "wrong" and period == "hour" and held != (1, 1):  # it may be the price of one
                one = _rent(amount, (1, 1), hourly, hours, sentence.gpus[0], f"a {period}", DAYS[period])
                check = one if one.verdict == "right" else check
            checks.append(check)
    return checks[:1]


def _count(sentence: Sentence) -> Range:
    counted = [each for each in sentence.having("gpu") if each.low >= 1]
    return (counted[0].low, counted[0].high) if counted else (1, 1)


def _rent(
    amount: Quantity, count: Range, hourly: Range, hours: Range, gpu: NamedGpu, when: str, days: float = 1.0
) -> Check:
    known = count[0] * hourly[0] * hours[0], count[1] * hourly[1] * hours[1]
    stated = amount.low * days, amount.high * days
    right, factor = fact_agrees(stated, known, about=amount.about)
    number = "" if count == (1, 1) else f"{span(count)} x "
    return Check(
        relation="GPU price",
        verdict="right" if right else "wrong",
        stated=stated,
        computed=known,
        unit=f"USD {when.replace('a hour', 'an hour')}",
        factor=factor,
        sums=(
            f"{number}{gpu.text.rstrip('s')} at {span(hourly, '$')} an hour x {span(hours)} h = "
            f"{span(known, '$')} {when.replace('a hour', 'an hour')}",
        ),
        facts=_facts(gpu.names),
    )


def hosting(sentence: Sentence, context: Context) -> list[Check]:
    """`70B on cloud GPUs: $2,000-5,000 a month`, `70B hardware: $30,000-50,000`."""
    if sentence.gpus or sentence.having("token", "day") or not sentence.says(_HOSTS + "|" + _BUYS):
        return []
    built = shape_of(sentence)
    if built is None:
        return []
    monthly = [each for each in sentence.having("usd", "day") if "month" in each.tags]
    if monthly and not sentence.says(_BUYS):
        return _hosted(built, monthly[0])
    bought = sentence.having("usd")
    if bought and sentence.says(_BUYS):
        return [_owned(built, bought[0])]
    return []


def _hosted(built: Shape, amount: Quantity) -> list[Check]:
    stated = amount.low * MONTH, amount.high * MONTH
    sums, agreed = [], []
    for bits, words in ((16, "16 bits"), (8, "8 bits")):
        options = []
        for name in ("a100-pcie", "h100-sxm", "h200-sxm"):
            count, hourly = least_gpus(built, gpus.gpus()[name], bits), _hourly((name,))
            if hourly is not None and count <= 8:
                options.append((count * hourly[0] * 730, count * hourly[1] * 730))
        if not options:  # not on one server
            continue
        known = min(low for low, _ in options), max(high for _, high in options)
        agreed.append(_overlap(stated, known))
        sums.append(f"{words}, as few A100, H100 or H200 as hold it, without a spare: {span(known, '$')} a month")
    if not agreed:
        return []
    verdict: Verdict = "right" if min(agreed) > 0.6 else "depends" if max(agreed) > 0 else "wrong"
    return [
        Check(
            relation="hosting cost",
            verdict=verdict,
            stated=stated,
            computed=known,
            unit="USD per month",
            factor=fact_agrees(stated, known)[1] if verdict == "wrong" else None,
            sums=tuple(sums),
            condition="it holds for few bits, few GPUs and no spare" if verdict == "depends" else "",
            facts=_facts(("a100-pcie", "h100-sxm", "h200-sxm")),
        )
    ]


def _overlap(stated: Range, known: Range) -> float:
    """Share of what is known that is stated too, on a scale of factors."""
    low, high = max(stated[0], known[0]), min(stated[1], known[1])
    return 0.0 if high <= low else math.log(high / low) / math.log(known[1] / known[0])


def _owned(built: Shape, amount: Quantity) -> Check:
    gpu, card = gpus.gpus()["h100-sxm"], gpus.purchase()["h100_card_usd"]
    few, many = least_gpus(built, gpu, 8), max(least_gpus(built, gpu, 16), 4)
    known = few * card.low, many * card.high
    right, factor = fact_agrees((amount.low, amount.high), known, about=amount.about)
    if right and amount.low < known[0] / 1.1:  # the low end would not even buy the fewest
        right, factor = False, amount.mid / math.sqrt(known[0] * known[1])
    return Check(
        relation="hardware cost",
        verdict="right" if right else "wrong",
        stated=(amount.low, amount.high),
        computed=known,
        unit="USD",
        factor=factor,
        sums=(
            f"{few} to {many} H100 at {span((card.low, card.high), '$')} = {span(known, '$')}, before their servers",
        ),
        facts=(f"{card.source}, {card.as_of}",),
    )


def token_costs(sentence: Sentence, context: Context) -> list[Check]:
    """`self-hosted Llama 3.3 70B costs $0.0003 per 1K tokens`, between a full server and a usual one."""
    stated = sentence.having("usd", "token")
    if (
        len(stated) != 1
        or not sentence.says(r"\bself.?host\w*|\bown gpus?\b|\bcloud gpu|\byourself\b|\bourselves\b")
        or sentence.says(_TUNES)
    ):
        return []
    built = shape_of(sentence)
    if built is None:
        return []
    gpu = gpus.gpus()["h100-sxm"]
    count = max(least_gpus(built, gpu, 16), 4 if built.total_b > 60 else 1)
    hourly = _hourly((gpu.name,)) or (0.0, 0.0)
    setup = Setup(built, gpu, count, 16)
    batch = min(memory.fit(setup, 1, 1000).most_sequences, 512)
    fast = calibration.throughput(calibration.shipped(), setup, batch, 500, 500)
    full = count * hourly[0] / (fast.high * 3600) * 1e6, count * hourly[1] / (fast.low * 3600) * 1e6
    usual = full[0], full[1] / _BUSY[1]
    per_mtok = stated[0].low * 1e6, stated[0].high * 1e6
    right, factor = fact_agrees(per_mtok, usual)
    return [
        Check(
            relation="self-hosted token cost",
            verdict="right" if right else "wrong",
            stated=per_mtok,
            computed=usual,
            unit="USD per 1M output tokens",
            factor=factor,
            sums=(
                f"{count} x {gpu.title} at {span(hourly, '$')} an hour = "
                f"{span((count * hourly[0], count * hourly[1]), '$')}",
                f"full, with {shown(batch)} sequences: {span((fast.low, fast.high))} tokens a second = "
                f"{span(full, '$')} per 1M",
                f"at {_BUSY[1]:.0%} of that load: up to ${shown(usual[1])} per 1M",
            ),
            facts=_facts((gpu.name,)),
        )
    ]


def latencies(sentence: Sentence, context: Context) -> list[Check]:
    """`a 7B answers in less than 100 ms`: how many tokens that is."""
    limits = [each for each in sentence.having("second") if each.high <= 30]
    built = shape_of(sentence)
    if not limits or built is None or sentence.having("token"):
        return []
    gpu = gpus.gpus()["h100-sxm"]
    setup = Setup(built, gpu, least_gpus(built, gpu, 16), 16)
    fast = calibration.throughput(calibration.shipped(), setup, 8, 200, 100)
    most = limits[0].high * fast.high / 8
    return [
        Check(
            relation="latency",
            verdict="depends",
            stated=(limits[0].low, limits[0].high),
            unit="seconds",
            sums=(
                f"{shown(built.total_b)}B in 16 bits on {setup.gpus} x {gpu.title}, 8 at a time: "
                f"{span((8000 / fast.high, 8000 / fast.low))} ms a token",
            ),
            condition=f"it holds for answers of at most {most:.0f} tokens, prompt and network aside",
        )
    ]


def tuning_rules(sentence: Sentence, context: Context) -> list[Check]:
    """`under 10,000 examples closed tuning is cheaper`: what training alone comes to."""
    from twintrack.catalog import architectures, tuning

    examples = sentence.having("example") or [
        each for each in sentence.quantities if re.match(r"\s*examples?", sentence.text[each.end :])
    ]
    if not examples or not sentence.says(r"\bclosed\b") or not sentence.says(r"\bcheap\w*|\bexpensive\b|\bcosts?\b"):
        return []
    count = round(examples[0].high)
    if not count:
        return []
    architecture = architectures.find("llama-3.3-70b-instruct")
    assert architecture is not None
    gpu = gpus.gpus()["a100-sxm"]
    plan = finetune.open_plan(
        architecture, "lora", examples=count, tokens_per_example=500, epochs=3, gpu=gpu, usd_per_gpu_hour=1.4
    )  # fmt: skip
    jobs = [
        finetune.closed_plan(job, examples=count, tokens_per_example=500, epochs=3) for job in tuning.jobs().values()
    ]
    return [
        Check(
            relation="tuning cost",
            verdict="depends",
            unit="USD",
            sums=(plan.sums[0], plan.sums[-1] + " (LoRA of 70B)", *(f"{job.model}: ${job.usd:,.0f}" for job in jobs)),
            condition="training alone is cheaper open; staff and an endpoint that is up all month decide",
            facts=tuple({f"{job.source}, {job.as_of}" for job in tuning.jobs().values()}),
        )
    ]
