"""Checks what a text says about volumes, prices, machines, licences and energy, sentence by sentence."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence

import msgspec

from twintrack.economics.claims import arithmetic, asked, fits, flips, joules, listed, machines, texts
from twintrack.economics.claims.quantities import Sentence, read
from twintrack.economics.claims.verdict import Check, Context, Verdict

_Relation = Callable[[Sentence, Context], list[Check]]
_RELATIONS: tuple[_Relation, ...] = (
    arithmetic.products,
    arithmetic.ratios,
    listed.token_prices,
    listed.volume_costs,
    asked.request_costs,
    asked.volumes_by_side,
    listed.amount_costs,
    listed.model_ratios,
    machines.token_costs,
    machines.gpu_prices,
    machines.hosting,
    fits.fits,
    machines.tuning_rules,
    machines.latencies,
    flips.flips,
    joules.energies,
    texts.texts,
    texts.existence,
    texts.growth,
    texts.laws,
    texts.images,
)
_ORDER: tuple[Verdict, ...] = ("cannot_check", "right", "depends", "wrong")
_LONGEST = 20_000
"""Characters that are read; statements are shorter."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence and what it comes to."""

    text: str
    verdict: Verdict
    """The worst of its checks."""
    factor: float | None
    """Of the check that is furthest off."""
    checks: tuple[Check, ...]
    missing: tuple[str, ...]
    """Why it cannot be checked; empty where it can."""


def check_text(text: str, *, on: datetime.date) -> tuple[Claim, ...]:
    """Each sentence of `text`. A sentence may rely on prices, volumes and models of those before it."""
    claims = []
    before: list[Sentence] = []
    for part in sentences(text[:_LONGEST]):
        sentence = read(part)
        context = Context(on=on, before=tuple(before))
        claims.append(_claim(part, sentence, context))
        before.append(sentence)
    return tuple(claims)


def sentences(text: str) -> list[str]:
    parts = re.split(r"(?<=[.!?])\s+(?=[A-Z\"'$\d])|[\n;]+\s*", text)
    return [part.strip() for part in parts if part.strip()]


def overall(claims: Sequence[Claim]) -> tuple[Verdict, float | None]:
    """The worst verdict of several, and the factor that goes with it."""
    worst: Verdict = max((claim.verdict for claim in claims), key=_ORDER.index, default="cannot_check")
    factors = [claim.factor for claim in claims if claim.verdict == worst and claim.factor is not None]
    return worst, max(factors, key=_off, default=None)


def _claim(text: str, sentence: Sentence, context: Context) -> Claim:
    checks = tuple(check for relation in _RELATIONS for check in relation(sentence, context))
    verdict: Verdict = max((check.verdict for check in checks), key=_ORDER.index, default="cannot_check")
    factors = [check.factor for check in checks if check.verdict == verdict and check.factor is not None]
    missing = () if verdict != "cannot_check" else tuple(m for c in checks for m in c.missing) or _missing(sentence)
    return Claim(
        text=text,
        verdict=verdict,
        factor=max(factors, key=_off, default=None),
        checks=checks,
        missing=missing,
    )


def _off(factor: float) -> float:
    return abs(math.log(factor)) if 0 < factor < math.inf else math.inf


def _missing(sentence: Sentence) -> tuple[str, ...]:
    """What would have to be said, from what is."""
    units = {(each.unit, "day" in each.per) for each in sentence.quantities}
    if not sentence.quantities and not sentence.models:
        return ("a number or a model: there is nothing to compute",)
    if ("usd", True) in units or ("usd", False) in units:
        if not any(unit in ("token", "request") for unit, _ in units):
            return ("what the money is for: tokens or requests, and the price of one", "or the GPUs and their hours")
        return ("the price, or the model whose price is meant",)
    if ("token", True) in units or ("request", True) in units:
        return ("what it is said to cost, or what follows from the volume",)
    if any(unit == "percent" for unit, _ in units):
        return ("what the share is of, and the two prices or costs it compares",)
    if any(unit == "times" for unit, _ in units):
        return ("the two amounts that are compared",)
    if any(unit == "joule" for unit, _ in units):
        return ("how many requests take that energy, and of which model",)
    if any(unit == "user" for unit, _ in units):
        return ("requests of a user, tokens of a request, and the model",)
    if sentence.quantities:
        return ("a second number it could be compared with",)
    return ("a number: a price, a volume, a size or a licence",)
