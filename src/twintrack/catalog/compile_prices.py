"""Writes the price table that `prices.py` reads. Imports genai-prices; run as a short process:

    python -m twintrack.catalog.compile_prices PATH [--as-of YYYY-MM-DD]

writes PATH in one step (never half a file). The shipped `prices.json` is made the same way.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from twintrack.catalog import facts
from twintrack.catalog.cost import nusd
from twintrack.catalog.prices import (
    SCHEMA,
    Listing,
    Match,
    ModelPrices,
    Special,
    Table,
    Tier,
    installed_version,
    overrides_hash,
)
from twintrack.catalog.providers import providers

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, MatchLogic, ModelInfo, ModelPrice, Provider


class Override(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of overrides.toml, where its fields are explained."""

    provider: str
    model: str
    since: str = msgspec.field(name="from")
    until: str = ""
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cache_read_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    cache_write_1h_usd_per_mtok: float | None = None
    source: str
    as_of: str
    why: str


class HourRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a provider takes for cache writes kept for an hour, for models whose price list does not say it."""

    provider: str
    times_input: float
    source: str
    as_of: str


def table(as_of: str, price_lists: Sequence[Provider] | None = None, *, version: str | None = None) -> Table:
    """All list prices of the providers in providers.toml.

    Args:
        price_lists: of another day than the installed genai-prices, and `version` says which.
    Raises:
        ValueError: an override names a provider that has no price list.
    """
    from genai_prices.data import providers as installed

    lists = {price_list.id: price_list for price_list in (installed if price_lists is None else price_lists)}
    hours = {rule.provider: rule for rule in facts.rows("overrides.toml", "cache_write_1h", HourRule)}
    by_provider = {
        row.name: [_model(model, hours.get(row.name)) for model in lists[row.price_list].models]
        for row in providers().values()
        if row.price_list in lists
    }
    rows = facts.rows("overrides.toml", "overrides", Override)
    overrides = [row for row in rows if not row.until or row.until >= as_of]  # what ended is never asked for here
    # The newest goes first, because the first match whose day has come counts.
    for override in sorted(overrides, key=lambda row: row.since):
        if override.provider not in by_provider:
            raise ValueError(f"overrides.toml: {override.provider!r} has no price list")
        by_provider[override.provider].insert(0, _overridden(override, hours.get(override.provider)))
    return Table(
        schema=SCHEMA,
        genai_prices=version or installed_version() or "unknown",
        overrides=overrides_hash(),
        as_of=as_of,
        providers={name: msgspec.Raw(_json_lines(models)) for name, models in by_provider.items()},
    )


def encode(prices: Table) -> bytes:
    """One model a line, so that a new version of the shipped table can be read as a difference."""
    return msgspec.json.encode(prices) + b"\n"


def _json_lines(models: Iterable[ModelPrices]) -> bytes:
    return b"[\n" + b",\n".join(msgspec.json.encode(model) for model in models) + b"\n]"


def _overridden(row: Override, rule: HourRule | None) -> ModelPrices:
    cached = (row.cache_read_usd_per_mtok, row.cache_write_usd_per_mtok)
    fresh = nusd(row.input_usd_per_mtok)
    read, write = (fresh if usd is None else nusd(usd) for usd in cached)
    hour = None if row.cache_write_1h_usd_per_mtok is None else nusd(row.cache_write_1h_usd_per_mtok)
    if hour is None and rule is not None and row.cache_write_usd_per_mtok is not None:
        hour = _by_rule(fresh, rule)
    tier = Tier(0, fresh, nusd(row.output_usd_per_mtok), read, write, Special(hour))
    return ModelPrices(
        Match("is", (row.model.lower(),)),
        (Listing(row.since, (tier,), dearest=False),),
        f"override of {row.as_of} ({row.source})",
    )


def _by_rule(input_nusd_per_mtok: int, rule: HourRule) -> int:
    return int(input_nusd_per_mtok * Decimal(repr(rule.times_input)))


def _model(model: ModelInfo, rule: HourRule | None) -> ModelPrices:
    from genai_prices.types import ConditionalPrice, ModelPrice

    prices = model.prices
    conditions = [ConditionalPrice(prices=prices)] if isinstance(prices, ModelPrice) else prices
    listings = tuple(
        Listing(since, *_tiers(_in_force(conditions, since), rule, embeddings="embed" in model.id))
        for since in _days(conditions)
    )
    return ModelPrices(_match(model.match), listings, "")


def _days(conditions: list[ConditionalPrice]) -> list[str]:
    """Every day on which some price begins, the beginning of time first."""
    from genai_prices.types import StartDateConstraint

    starts = {
        condition.constraint.start_date.isoformat()
        for condition in conditions
        if isinstance(condition.constraint, StartDateConstraint)
    }
    return ["", *sorted(starts)]


def _in_force(conditions: list[ConditionalPrice], day: str) -> list[ModelPrice]:
    """Prices that hold at some hour of `day`: the last one begun, and every daily window listed after it.

    genai-prices takes the last condition that holds, and the first of all if none does.
    """
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    base = conditions[0].prices
    windows: list[ModelPrice] = []
    for condition in conditions:
        constraint = condition.constraint
        if isinstance(constraint, TimeOfDateConstraint):
            windows.append(condition.prices)
        elif constraint is None or (
            isinstance(constraint, StartDateConstraint) and constraint.start_date.isoformat() <= day
        ):
            base, windows = condition.prices, []
    return [base, *windows]


_SPECIAL: Final = {
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "input_audio": ("input_audio_mtok", "input_mtok"),
    "output_audio": ("output_audio_mtok", "output_mtok"),
    "input_image": ("input_image_mtok", "input_mtok"),
    "output_image": ("output_image_mtok", "output_mtok"),
}
"""By member of `Special`: the price list's word, then those that hold where it has none."""


def _tiers(prices: list[ModelPrice], rule: HourRule | None, *, embeddings: bool) -> tuple[tuple[Tier, ...], bool]:
    """Price by input length, dearest of `prices`; empty unless every one of them gives a complete price per token."""
    words = {"input_mtok", "output_mtok", "cache_read_mtok", *(word for names in _SPECIAL.values() for word in names)}
    for price in prices:
        if price.input_mtok is None or (price.output_mtok is None and not embeddings):
            return (), False
    starts = {0}
    for price in prices:
        for word in words:
            starts.update(tier.start for tier in getattr(getattr(price, word), "tiers", ()))
    tiers = []
    for start in sorted(starts):
        rates = [_rates(price, start) for price in prices]
        fresh, output, read, write = (max(column) for column in zip(*rates, strict=True))
        tiers.append(Tier(start, fresh, output, read, write, _special(prices, start, rule)))
    return tuple(tiers), len({_rates(price, 0) for price in prices}) > 1


def _rates(price: ModelPrice, over_tokens: int) -> tuple[int, int, int, int]:
    """Input, output, cache read and cache write. Cached tokens without a price of their own are billed as input; an
    embedding model without an output price has no output."""
    return (
        _rate(price, over_tokens, "input_mtok") or 0,
        _rate(price, over_tokens, "output_mtok") or 0,
        _rate(price, over_tokens, "cache_read_mtok", "input_mtok") or 0,
        _rate(price, over_tokens, "cache_write_mtok", "input_mtok") or 0,
    )


def _special(prices: list[ModelPrice], over_tokens: int, rule: HourRule | None) -> Special:
    """The dearest of `prices` for each kind of token that has a price of its own in one of them."""
    dearest = {
        name: max(_rate(price, over_tokens, *words) or 0 for price in prices)
        for name, words in _SPECIAL.items()
        if any(_rate(price, over_tokens, words[0]) is not None for price in prices)
    }
    if rule is not None and any(_rate(price, over_tokens, "cache_write_mtok") is not None for price in prices):
        fresh = max(_rate(price, over_tokens, "input_mtok") or 0 for price in prices)
        dearest.setdefault("cache_write_1h", _by_rule(fresh, rule))
    return Special(**dearest)


def _rate(price: ModelPrice, over_tokens: int, *words: str) -> int | None:
    """Nano-dollars per million tokens, for requests just over `over_tokens`: the first of `words` that is listed."""
    from genai_prices.types import TieredPrices

    for word in words:
        value: object = getattr(price, word)
        if isinstance(value, TieredPrices):
            reached = [tier.price for tier in value.tiers if tier.start <= over_tokens]
            value = reached[-1] if reached else value.base
        if isinstance(value, Decimal):
            return nusd(value)
    return None


def _match(logic: MatchLogic) -> Match:
    from genai_prices import types

    match logic:
        case types.ClauseEquals(equals=word):
            return Match("is", (word.lower(),))
        case types.ClauseStartsWith(starts_with=word):
            return Match("starts", (word.lower(),))
        case types.ClauseEndsWith(ends_with=word):
            return Match("ends", (word.lower(),))
        case types.ClauseContains(contains=word):
            return Match("contains", (word.lower(),))
        case types.ClauseRegex(regex=word):
            return Match("regex", (word,))
        case types.ClauseOr(or_=clauses):
            return Match("any", tuple(_match(clause) for clause in clauses))
        case types.ClauseAnd(and_=clauses):
            return Match("all", tuple(_match(clause) for clause in clauses))
    raise ValueError(f"genai-prices has a clause we do not know: {logic!r}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m twintrack.catalog.compile_prices", description=__doc__)
    parser.add_argument("path", help="where to write the table")
    parser.add_argument("--as-of", default=datetime.datetime.now(datetime.UTC).date().isoformat())
    options = parser.parse_args(arguments)
    temporary = f"{options.path}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(encode(table(options.as_of)))
    os.replace(temporary, options.path)


if __name__ == "__main__":
    main(sys.argv[1:])
