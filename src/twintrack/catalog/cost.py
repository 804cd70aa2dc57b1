"""What a request costs, in integers only. The request path calls `cost_nusd`, so this file imports nothing heavy."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import msgspec


class TokenPrice(msgspec.Struct, frozen=True):
    """Integer nano-dollars per million tokens."""

    input_nusd_per_mtok: int
    output_nusd_per_mtok: int
    cache_read_nusd_per_mtok: int
    cache_write_nusd_per_mtok: int
    long_input_tokens: int = 0
    """Over this many input tokens `long` holds for the whole request; it may have a `long` of its own."""
    long: TokenPrice | None = None
    """None: one price at any length."""
    source: str = ""
    """Where the price comes from, with its date."""


def cost_nusd(
    price: TokenPrice,
    input_tokens: int,
    output_tokens: int,
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
) -> int:
    """Cost in nano-dollars, rounded half up once at the end.

    Args:
        input_tokens: all input tokens, those read from and written to the provider's cache included.
        cache_read_tokens: of the input, those billed as cache reads.
        cache_write_tokens: of the input, those billed as cache writes (the standard lifetime: catalogues list
            dearer ones, but usage objects of most providers do not tell them apart).
    """
    while price.long is not None and input_tokens > price.long_input_tokens:
        price = price.long
    fresh_tokens = input_tokens - cache_read_tokens - cache_write_tokens
    if fresh_tokens < 0:  # a provider that counts cached tokens beside the input; never turn that into a discount
        fresh_tokens = 0
    total = (
        fresh_tokens * price.input_nusd_per_mtok
        + output_tokens * price.output_nusd_per_mtok
        + cache_read_tokens * price.cache_read_nusd_per_mtok
        + cache_write_tokens * price.cache_write_nusd_per_mtok
    )
    return (total + 500_000) // 1_000_000


def nusd(usd: Decimal | float) -> int:
    """Nano-dollars of an amount as somebody wrote it: 0.1 is a tenth, not the nearest binary fraction."""
    exact = usd if isinstance(usd, Decimal) else Decimal(repr(usd))
    return int((exact * 1_000_000_000).to_integral_value(ROUND_HALF_UP))
