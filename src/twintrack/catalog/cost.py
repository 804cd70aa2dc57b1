"""What a request costs, in integers only. The request path calls `cost_nusd`, so this file imports nothing heavy."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import msgspec

from twintrack.wire.usage import Usage


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
    cache_write_1h_nusd_per_mtok: int | None = None
    """Of what is kept for an hour; None: as any cache write."""
    input_audio_nusd_per_mtok: int | None = None
    """None here and below: as text."""
    output_audio_nusd_per_mtok: int | None = None
    input_image_nusd_per_mtok: int | None = None
    output_image_nusd_per_mtok: int | None = None

    def unsourced(self) -> TokenPrice:
        """The same, wherever it was read."""
        return msgspec.structs.replace(self, source="", long=self.long and self.long.unsourced())


def cost_nusd(
    price: TokenPrice,
    input_tokens: int,
    output_tokens: int,
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    surcharge: int = 0,
) -> int:
    """Cost in nano-dollars, rounded half up once at the end.

    Args:
        input_tokens: all input tokens, those read from and written to the provider's cache included.
        cache_read_tokens: of the input, those billed as cache reads.
        cache_write_tokens: of the input, those billed as cache writes.
        surcharge: what some of them cost beyond these prices, in millionths of a nano-dollar; see `reported_nusd`.
    """
    while price.long is not None and input_tokens > price.long_input_tokens:
        price = price.long
    if not (cache_read_tokens or cache_write_tokens or surcharge) and input_tokens >= 0:  # nearly always
        fresh = input_tokens * price.input_nusd_per_mtok
        return (fresh + output_tokens * price.output_nusd_per_mtok + 500_000) // 1_000_000
    fresh_tokens = input_tokens - cache_read_tokens - cache_write_tokens
    if fresh_tokens < 0:  # a provider that counts cached tokens beside the input; never turn that into a discount
        fresh_tokens = 0
    total = (
        fresh_tokens * price.input_nusd_per_mtok
        + output_tokens * price.output_nusd_per_mtok
        + cache_read_tokens * price.cache_read_nusd_per_mtok
        + cache_write_tokens * price.cache_write_nusd_per_mtok
        + surcharge
    )
    return (total + 500_000) // 1_000_000


def reported_nusd(price: TokenPrice | None, usage: Usage) -> int | None:
    """Cost of what a provider reported, in nano-dollars; None without a price, or where it did not say the tokens in
    and out."""
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    surcharge = 0
    if (
        usage.cache_write_1h_tokens
        or usage.input_audio_tokens
        or usage.output_audio_tokens
        or usage.input_image_tokens
        or usage.output_image_tokens
    ):
        surcharge = _surcharge(price, usage, usage.input_tokens, usage.output_tokens)
    return cost_nusd(
        price,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens or 0,
        usage.cache_write_tokens or 0,
        surcharge,
    )


def _surcharge(price: TokenPrice, usage: Usage, input_tokens: int, output_tokens: int) -> int:
    """What tokens with a price of their own cost beyond those without, in millionths of a nano-dollar.

    No token is counted twice: sound and images are taken to be fresh input, as far as that goes, since usage does
    not say which tokens were cached.
    """
    while price.long is not None and input_tokens > price.long_input_tokens:
        price = price.long
    total = 0
    write = usage.cache_write_tokens or 0
    if price.cache_write_1h_nusd_per_mtok is not None:
        hour = min(usage.cache_write_1h_tokens or 0, write)
        total += hour * (price.cache_write_1h_nusd_per_mtok - price.cache_write_nusd_per_mtok)
    plain = max(input_tokens - (usage.cache_read_tokens or 0) - write, 0)
    for tokens, special in (
        (usage.input_audio_tokens, price.input_audio_nusd_per_mtok),
        (usage.input_image_tokens, price.input_image_nusd_per_mtok),
    ):
        if special is not None and tokens:
            tokens = min(tokens, plain)
            plain -= tokens
            total += tokens * (special - price.input_nusd_per_mtok)
    plain = output_tokens
    for tokens, special in (
        (usage.output_audio_tokens, price.output_audio_nusd_per_mtok),
        (usage.output_image_tokens, price.output_image_nusd_per_mtok),
    ):
        if special is not None and tokens:
            tokens = min(tokens, plain)
            plain -= tokens
            total += tokens * (special - price.output_nusd_per_mtok)
    return total


def nusd(usd: Decimal | float) -> int:
    """Nano-dollars of an amount as somebody wrote it: 0.1 is a tenth, not the nearest binary fraction."""
    exact = usd if isinstance(usd, Decimal) else Decimal(repr(usd))
    return int((exact * 1_000_000_000).to_integral_value(ROUND_HALF_UP))
