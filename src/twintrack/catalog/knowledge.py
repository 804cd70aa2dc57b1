"""What else is known of a model: public scores with their dates, the languages it was made for, and who sells it."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Mapping

import msgspec

from twintrack.catalog import facts, models, prices
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.prices import Prices
from twintrack.catalog.providers import Zone, providers

BENCHMARKS_SOURCE = "models.dev f3fc6922"
BENCHMARKS_AS_OF = "2026-11-20"


class Score(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A public result. Measured by others on their own terms: your own evaluation comes first."""

    model: str
    """maker/model, as models.dev writes it."""
    benchmark: str
    score: float
    metric: str
    dated: str = ""
    """YYYY-MM-DD of the result; empty: not said."""
    source: str
    as_of: str = BENCHMARKS_AS_OF


class Languages(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    models: tuple[str, ...]
    languages: tuple[str, ...]
    """ISO 639-1."""
    about: int = 0
    """How many there are said to be, where they are not all named."""
    source: str
    as_of: str


class Offer(msgspec.Struct, frozen=True):
    """A model at a provider, on a day."""

    model: str
    provider: str
    upstream_model: str
    zone: Zone
    open: bool
    """The weights can be had: a managed open offer."""
    price: TokenPrice | None
    """None: nobody lists one."""


@functools.cache
def scores() -> tuple[Score, ...]:
    return facts.lines("benchmarks.json", Score)


def scores_of(name: str) -> tuple[Score, ...]:
    """Results of a catalogue model, the newest first."""
    wanted = {_spelling(name)}
    model = models.resolve(name)
    if model is not None:
        words = (model.name, model.weights, *model.upstream.values())
        wanted |= {_spelling(word) for word in words if word}
        wanted |= {_spelling(model.name).removesuffix(suffix) for suffix in ("-instruct", "-it")}
    found = [score for score in scores() if _spelling(score.model) in wanted]
    return tuple(sorted(found, key=lambda score: score.dated, reverse=True))


@functools.cache
def _languages() -> Mapping[str, Languages]:
    return {name: row for row in facts.rows("languages.toml", "languages", Languages) for name in row.models}


def languages_of(name: str) -> Languages | None:
    """None: not known."""
    return _languages().get(name)


def all_languages() -> tuple[Languages, ...]:
    return facts.rows("languages.toml", "languages", Languages)


def offers(name: str, *, on: datetime.date, listed: Prices | None = None) -> tuple[Offer, ...]:
    """Who sells a catalogue model, the cheapest first at three tokens in for one out; without a price last."""
    model = models.resolve(name)
    if model is None:
        return ()
    listed = listed or prices.load(None, on=on)
    found = [
        Offer(model.name, provider, upstream, providers()[provider].zone, model.kind == "open", price)
        for provider, upstream in model.upstream.items()
        if providers()[provider].kind == "managed"
        for price in [listed.find(provider, upstream)]
    ]
    return tuple(sorted(found, key=_blended))


def _blended(offer: Offer) -> float:
    price = offer.price
    return float("inf") if price is None else 3 * price.input_nusd_per_mtok + price.output_nusd_per_mtok


def _spelling(name: str) -> str:
    return re.sub(r"[-_ .:]+", "-", name.rpartition("/")[2].lower())
