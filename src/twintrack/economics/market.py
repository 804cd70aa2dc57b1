"""Who sells a model by the token, and what a request of a workload costs there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twintrack.catalog import models
from twintrack.catalog.cost import TokenPrice, cost_nusd, nusd
from twintrack.catalog.prices import Prices
from twintrack.economics.bill import Tokens
from twintrack.economics.workload import Cell, Price

_NO_BATCHES = frozenset({"openrouter", "deepseek", "cohere", "xai", "yours"})
"""Providers without a discount for batches, as far as their price pages said in autumn 2026."""
_EXACT = 1000
"""Lengths are means and therefore fractions; a thousand requests of each are priced, so that rounding is no matter."""


@dataclass(frozen=True, slots=True)
class Offer:
    model: str
    provider: str
    open_weights: bool
    price: TokenPrice
    quality: float | None


def offers(listed: Prices, own: Sequence[Price] = ()) -> list[Offer]:
    """All that is sold by the token and whose price is known; prices of your own come in place of listed ones."""
    found = []
    for price in own:
        model = models.resolve(price.model)
        found.append(
            Offer(
                price.model if model is None else model.name,
                price.provider,
                model is not None and model.kind == "open",
                _own(price),
                None if model is None else model.quality,
            )
        )
    said = {(offer.model, offer.provider) for offer in found}
    for model in models.models().values():
        if model.embeddings or model.demo:
            continue
        for provider, upstream in model.upstream.items():
            token_price = listed.find(provider, upstream)
            if token_price is not None and (model.name, provider) not in said:
                found.append(Offer(model.name, provider, model.kind == "open", token_price, model.quality))
    return found


def tokens(offer: Offer, lengths: Sequence[Cell]) -> Tokens:
    """What one request costs: the price function over the histogram, never over its mean."""
    fresh = cached = output = 0.0
    for cell in lengths:
        size_in, size_out = round(cell.input_tokens * _EXACT), round(cell.output_tokens * _EXACT)
        price = _step(offer.price, cell.input_tokens)
        fresh += cell.share * cost_nusd(price, size_in, 0) / _EXACT / 1e9
        cached += cell.share * cost_nusd(price, size_in, 0, size_in) / _EXACT / 1e9
        output += cell.share * cost_nusd(price, 0, size_out) / _EXACT / 1e9
    return Tokens(
        fresh_usd=fresh,
        cached_usd=cached,
        output_usd=output,
        batch=offer.provider not in _NO_BATCHES,
        input_tokens=sum(cell.input_tokens * cell.share for cell in lengths),
        output_tokens=sum(cell.output_tokens * cell.share for cell in lengths),
    )


def _step(price: TokenPrice, input_tokens: float) -> TokenPrice:
    """The step that holds for a request of this length, without further ones."""
    while price.long is not None and input_tokens > price.long_input_tokens:
        price = price.long
    return TokenPrice(
        price.input_nusd_per_mtok,
        price.output_nusd_per_mtok,
        price.cache_read_nusd_per_mtok,
        price.cache_write_nusd_per_mtok,
    )


def _own(price: Price) -> TokenPrice:
    """As a list price: nano-dollars per million tokens."""
    into, out = nusd(price.input_usd_per_mtok), nusd(price.output_usd_per_mtok)
    cached = into if price.cached_usd_per_mtok is None else nusd(price.cached_usd_per_mtok)
    return TokenPrice(into, out, cached, into, source="your price")
