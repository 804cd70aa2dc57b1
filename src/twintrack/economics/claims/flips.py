"""Statements about when self-hosting pays: volumes, spends and rules of thumb, against one server that is paid for."""

from __future__ import annotations

from twintrack.catalog import gpus
from twintrack.economics.claims.grammar import DAYS
from twintrack.economics.claims.listed import blended, class_range, price_of
from twintrack.economics.claims.named import named_models
from twintrack.economics.claims.quantities import Quantity, Sentence
from twintrack.economics.claims.verdict import Check, Context, Range, Verdict, fact_agrees, shown, span, tokens

_EVEN = (
    r"break.?even|breaks? even|pays? (?:off|for itself)|starts? (?:to pay|paying)|makes? sense|flips?\b"
    r"|self.?host\w* (?:is cheaper|becomes)"
)
_RULE = r"\bown (?:gpus?|servers?|hardware)|\bclosed\b|\bapi\b|\bself.?host\w*|\bopen\b"
_OWN = r"\bself.?host\w*|\bown (?:gpu|server|hardware)|\bopen\b"
_UNDECIDED = r"\bdepends\b|\bcompar\w+|\beither\b"
_SERVER_GPUS = 4
"""H100, which hold Llama 3.3 70B in 16 bits with room for many sequences."""
_STAFF = (0.0, 0.5)
"""Engineers, where a statement does not say."""


def flips(sentence: Sentence, context: Context) -> list[Check]:
    """`break-even at 50-100M tokens a day`, `above 10M tokens a day self-host`, `$50K a month of API cost`."""
    amount = _amount(sentence)
    if amount is None or sentence.having("usd", "token"):
        return []
    even = sentence.says(_EVEN)
    rule = not even and sentence.says(_RULE) and (amount.bound != "" or sentence.says(_UNDECIDED))
    if not even and not rule and not (sentence.says(_UNDECIDED) and amount.unit == "token"):
        return []
    if sentence.having("token", "day") and sentence.having("usd", "day") and not even:
        return []
    price, what = _alternative(sentence, context)
    server = _server_usd_per_day(sentence)
    known = server[0] / price[1], server[1] / price[0]
    stated, shown_as = _volume(amount, price)
    sums = (
        f"{_SERVER_GPUS} x H100 and {span(_staff(sentence))} engineers: {span(server, '$')} a day",
        f"/ {span((price[0] * 1e6, price[1] * 1e6), '$')} per 1M ({what}) = "
        f"{tokens(known[0])} to {tokens(known[1])} tokens a day",
        shown_as,
    )
    verdict, factor = _judged(sentence, amount, stated, known, even=even)
    return [
        Check(
            relation="break-even" if even else "rule of thumb",
            verdict=verdict,
            stated=(stated[0] / 1e6, stated[1] / 1e6),
            computed=(known[0] / 1e6, known[1] / 1e6),
            unit="million tokens per day",
            factor=factor,
            sums=sums,
            facts=(_rental_source(), "staff at $200,000 a year", "the catalogue's price lists"),
        )
    ]


def _judged(
    sentence: Sentence, amount: Quantity, stated: Range, known: Range, *, even: bool
) -> tuple[Verdict, float | None]:
    right, factor = fact_agrees(stated, known, about=amount.about)
    if even:
        return ("right" if right else "wrong"), factor
    if sentence.says(_UNDECIDED) and not amount.bound:
        return ("right", None) if right else ("wrong", None)
    below = stated[1] <= known[1] * 1.1
    above = stated[0] >= known[0] / 1.1
    to_api = _recommends_api(sentence, amount)
    holds = below if to_api else above
    return ("right" if holds else "wrong"), (None if holds and to_api else factor)


def _recommends_api(sentence: Sentence, amount: Quantity) -> bool:
    if amount.bound == "below":
        return True
    if amount.bound == "above":
        return False
    return not sentence.says(_OWN)


def _amount(sentence: Sentence) -> Quantity | None:
    """The volume or the spend that is the threshold."""
    volumes = sentence.having("token", "day")
    spends = [each for each in sentence.having("usd", "day") if each.tags & {"month", "year", "day"}]
    return volumes[0] if volumes else spends[0] if spends else None


def _alternative(sentence: Sentence, context: Context) -> tuple[Range, str]:
    """Dollars per token of what self-hosting is compared with."""
    closed = [named for named in sentence.models if not (named.model and named.model.kind == "open")]
    for named in closed:
        offer = price_of(named, context)
        if offer is not None:
            return (blended(offer[1]),) * 2, named.title
    if sentence.says(r"\bmanaged\b|\bopen (?:model )?api\b"):
        (model,) = named_models("Llama 3.3 70B")
        offer = price_of(model, context, "groq")
        return (blended(offer[1]),) * 2 if offer else class_range("open", context), "managed Llama 3.3 70B"
    (model,) = named_models("GPT-4o")
    offer = price_of(model, context)
    return (blended(offer[1]),) * 2 if offer else class_range("closed", context), "GPT-4o, assumed"


def _server_usd_per_day(sentence: Sentence) -> Range:
    hour = gpus.rentals("h100-sxm", mode="on_demand")[0].usd_per_gpu_hour
    staff = gpus.purchase()["engineer_usd_per_year"].mid / DAYS["year"]
    low, high = _staff(sentence)
    return _SERVER_GPUS * hour * 24 + low * staff, _SERVER_GPUS * hour * 24 + high * staff


def _staff(sentence: Sentence) -> Range:
    said = sentence.having("fte")
    return (said[0].low, said[0].high) if said else _STAFF


def _volume(amount: Quantity, price: Range) -> tuple[Range, str]:
    if amount.unit == "token":
        return (amount.low, amount.high), f"stated: {amount.text}"
    volume = amount.low / price[1], amount.high / price[0]
    return volume, f"stated: {amount.text} = {tokens(volume[0])} tokens a day at ${shown(price[0] * 1e6)} per 1M"


def _rental_source() -> str:
    row = gpus.rentals("h100-sxm", mode="on_demand")[0]
    return f"{row.provider} {row.instance}: {row.source}, {row.as_of}"
