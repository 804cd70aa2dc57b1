"""Statements about the energy of requests: open models against what an engine takes, closed ones against what is
published. The GPU alone and the whole stack are never set against one another."""

from __future__ import annotations

from twintrack.catalog import carbon, gpus
from twintrack.economics import calibration, shape
from twintrack.economics.claims.named import NamedModel
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.verdict import Check, Context, Range, fact_agrees, shown, span
from twintrack.economics.roofline import Setup

_ANSWER_TOKENS = 400
_CLOSED = r"\bgpt\b|chatgpt|claude|gemini"
_BATCHES = (512, 8)


def energies(sentence: Sentence, context: Context) -> list[Check]:
    """`1M requests to Mistral 7B take 0.5 kWh`, `a prompt takes 3 Wh`."""
    amount = next((each for each in sentence.quantities if each.unit == "joule"), None)
    if amount is None:
        return []
    per_request = _per_request(amount, sentence, context)
    if per_request is None:
        return []
    stated, sums = per_request
    models = sentence.models or next((each.models for each in reversed(context.before) if each.models), ())
    built = next((named for named in models if named.architecture is not None), None)
    if built is not None:
        known, how, facts = _engine(built)
    elif models or sentence.says(_CLOSED):
        known, how, facts = _published()
    else:
        return []
    right, factor = fact_agrees(stated, known, about=amount.about)
    return [
        Check(
            relation="energy",
            verdict="right" if right else "wrong",
            stated=(stated[0] / 3600, stated[1] / 3600),
            computed=(known[0] / 3600, known[1] / 3600),
            unit="Wh per request",
            factor=factor,
            sums=(*sums, *how),
            facts=facts,
        )
    ]


def _per_request(amount: Quantity, sentence: Sentence, context: Context) -> tuple[Range, tuple[str, ...]] | None:
    if amount.per == ("request",):
        return (amount.low, amount.high), (f"stated: {amount.text}",)
    if amount.per not in ((), ("day",)) or amount.tags & {"year", "month"}:
        return None
    counted = [each for each in sentence.quantities if each.unit == "request" and each.per in ((), ("day",))]
    if not counted:
        counted = context.earlier("request", "day") or context.earlier("request")
    if not counted:
        if sentence.says(r"\b(?:prompt|query|request|call|answer|reply|response)\b"):
            return (amount.low, amount.high), (f"stated: {amount.text} a request",)
        return None
    if counted[0].low <= 0:
        return None
    low, high = amount.low / counted[0].high, amount.high / counted[0].low
    return (low, high), (f"{amount.text} / {shown(counted[0].mid)} = {span((low, high))} J a request",)


def _engine(named: NamedModel) -> tuple[Range, tuple[str, ...], tuple[str, ...]]:
    """Of an answer of middling length on an H100, from a full engine to a nearly idle one; the GPU alone."""
    assert named.architecture is not None
    gpu, constants = gpus.gpus()["h100-sxm"], calibration.shipped()
    built = shape.of(named.architecture)
    count = max(1, round(built.total_b * built.weight_bits / 8 / 55 + 0.5)) if built.total_b > 30 else 1
    setup = Setup(built, gpu, count, built.weight_bits)
    full, idle = (calibration.joules_per_token(constants, setup, batch, 500, _ANSWER_TOKENS) for batch in _BATCHES)
    known = full.low * _ANSWER_TOKENS, idle.high * _ANSWER_TOKENS
    return (
        known,
        (
            f"{named.title} on {count} x H100, {_ANSWER_TOKENS} tokens an answer (assumed), "
            f"{_BATCHES[0]} to {_BATCHES[1]} at a time: {span(known)} J, the GPUs alone",
        ),
        constants.sources,
    )


def _published() -> tuple[Range, tuple[str, ...], tuple[str, ...]]:
    rows = [row for row in carbon.published_energy() if row.wh_per_prompt < 1]
    known = min(row.wh_per_prompt for row in rows) * 3600, max(row.wh_per_prompt for row in rows) * 3600
    return (
        known,
        tuple(f"{row.system}: {row.wh_per_prompt:g} Wh a prompt ({row.scope.replace('_', ' ')})" for row in rows),
        tuple(f"{row.source}, {row.dated}" for row in rows),
    )
