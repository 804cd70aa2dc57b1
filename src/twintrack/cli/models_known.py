"""What `twintrack models` says of the catalogue."""

from __future__ import annotations

import datetime
import re

import click
import msgspec

from twintrack.catalog import models as known_models
from twintrack.catalog import providers as known_providers
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.prices import Prices
from twintrack.catalog.providers import Zone
from twintrack.cli.table import show

UNKNOWN = "unknown"
_CLASS = re.compile(r"class (\w+)")


class Offer(msgspec.Struct, frozen=True):
    """A model at a provider."""

    provider: str
    upstream_model: str
    """What the provider calls it."""
    zone: Zone
    price: TokenPrice | None
    """Integer nano-dollars per million tokens; None: unknown."""


class Known(msgspec.Struct, frozen=True):
    """A row of the catalogue."""

    name: str
    kind: str
    licence: str
    context_tokens: int
    max_output_tokens: int | None
    modalities: tuple[str, ...]
    tools: bool
    embeddings: bool
    quality: float
    quality_class: str | None
    """None: measured, not judged."""
    quality_why: str
    demo: bool
    offers: tuple[Offer, ...]
    source: str
    as_of: str


class Catalogue(msgspec.Struct, frozen=True):
    genai_prices: str
    prices_on: str
    models: tuple[Known, ...]


def catalogue(prices: Prices, today: datetime.date, search: str | None, provider: str | None) -> Catalogue:
    """Its models, or those with `search` in name, licence, kind or weights and served by `provider`."""
    rows = [
        _known(model, prices)
        for model in known_models.models().values()
        if matches(search, model.name, model.licence, model.kind, model.weights)
        and (provider is None or provider in model.upstream)
    ]
    return Catalogue(prices.version, today.isoformat(), tuple(rows))


def _known(model: known_models.Model, prices: Prices) -> Known:
    providers = known_providers.providers()
    return Known(
        name=model.name,
        kind=model.kind,
        licence=model.licence,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens or None,
        modalities=model.modalities,
        tools=model.tools,
        embeddings=model.embeddings,
        quality=model.quality,
        quality_class=judged(model),
        quality_why=model.quality_why,
        demo=model.demo,
        offers=tuple(
            Offer(name, upstream, providers[name].zone, prices.find(name, upstream))
            for name, upstream in model.upstream.items()
        ),
        source=model.source,
        as_of=model.as_of,
    )


def tell(listed: Catalogue, provider: str | None) -> None:
    """As a table; of `provider` alone the prices, if one is given."""
    titles = ("model", "kind", "licence", "window", "quality", "list price, USD per million tokens")
    show(
        titles,
        [
            (
                model.name,
                "embeddings" if model.embeddings else model.kind,
                model.licence,
                f"{model.context_tokens:,}",
                f"{model.quality:.2f} {model.quality_class or 'measured'}",
                "; ".join(_offer(each) for each in model.offers if provider in (None, each.provider))
                or ("bundled" if model.demo else UNKNOWN),
            )
            for model in listed.models
        ],
        right=("window",),
        whole=("model", "window"),
    )
    click.echo(
        f"\n{len(listed.models)} models. Prices: genai-prices {listed.genai_prices} with our dated overrides, on "
        f"{listed.prices_on}. Quality is a class we judged, not a measurement;\nwhere it says measured, it was in the "
        "closed world of the demo models. A licence is a name: read its text before you rely on it."
    )


def _offer(offer: Offer) -> str:
    if offer.price is not None:
        return f"{offer.provider} {by_token(offer.price)}"
    return f"{offer.provider} by your hour" if offer.zone == "own" else f"{offer.provider} {UNKNOWN}"


def by_token(price: TokenPrice) -> str:
    """`2.5 in, 15 out`, and what holds instead for long prompts."""
    text = f"{price.input_nusd_per_mtok / 1e9:g} in, {price.output_nusd_per_mtok / 1e9:g} out"
    if price.long is not None:
        text += f" (over {price.long_input_tokens:,} tokens {by_token(price.long)})"
    return text


def judged(model: known_models.Model) -> str | None:
    """The class its quality was judged by; None: it was measured."""
    found = _CLASS.match(model.quality_why)
    return found[1] if found else None


def matches(search: str | None, *texts: str) -> bool:
    """Whether one of the texts has `search` in it, in whatever case; None matches all."""
    return search is None or any(search.lower() in text.lower() for text in texts)
