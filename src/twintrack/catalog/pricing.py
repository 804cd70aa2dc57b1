"""What one request costs to the last digit: at its moment, in its service class, with every kind of token.

`cost.py` is what the request path uses, in integers, at one price a day. This is the long form, for bills and plans:
it imports genai-prices (0.3 s) and knows prices by the hour, batch and priority, cached sound, and your own rows.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from twintrack.catalog import facts, own
from twintrack.catalog.compile_prices import HourRule, Override
from twintrack.catalog.own import OwnPrice, OwnRows
from twintrack.catalog.prices import installed_version
from twintrack.catalog.providers import providers
from twintrack.errors import BadRequest, nearest

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_MTOK = Decimal(1_000_000)
_CONTEXT = ("service_tier", "processing", "speed", "route")
"""Members of a case that say how it was served; the words are those of genai-prices."""
_BESIDE = ("provider", "model", "timestamp", "batch", "expected_usd", "basis", "usd", "source", "why")


class Priced(msgspec.Struct, frozen=True):
    usd: Decimal | None
    """None: nobody lists a price, and `why` says what is missing."""
    source: str
    """Where the price comes from, with its date."""
    why: str = ""


def case_usd(case: Mapping[str, Any], rows: OwnRows | None = None) -> Priced:
    """What a request cost.

    Args:
        case: `provider`, `model`, `timestamp` (ISO 8601; without an offset: UTC), and counts as genai-prices names
            them: `input_tokens` and `output_tokens`, all of them; of the input `cache_read_tokens`,
            `cache_write_tokens`, `cache_write_1h_tokens`, `input_audio_tokens`, …. Optional: `batch` (true),
            `service_tier` (batch, flex, priority), `speed`, `route`.
        rows: the operator's.
    Raises:
        BadRequest: a member is missing, unknown, or no count; `param` names it.
    """
    provider, model, moment = _text(case, "provider"), _text(case, "model"), _moment(case)
    usage, context = _usage(case), _context(case)
    rows = rows or OwnRows()
    ours = _our_name(provider)
    day = moment.astimezone(datetime.UTC).date().isoformat()
    row = own.price_of(rows, ours, model, day) or _override(ours, model, day)
    if row is not None:
        if context:
            return Priced(None, "", f"the row of {row.as_of} says nothing of {_said(context)}")
        usd, source = _by_row(row, usage, ours), f"{row.source}, {row.as_of}"
    else:
        found = _listed(provider, model)
        if isinstance(found, str):
            return Priced(None, "", found)
        price = _price(*found, moment, context, ours)
        if price is None:
            return Priced(None, "", f"no price of {found[1].id} is known for {_said(context)}")
        try:
            usd = _counted(price, usage)
        except ValueError as error:
            raise BadRequest("The counts contradict one another", why=str(error)) from None
        source = f"genai-prices {installed_version()}, {found[0].id}/{found[1].id} on {day}"
    discount = own.discount_of(rows, ours, model, day)
    if discount is not None:
        usd *= 1 - Decimal(repr(discount.share))
        source += f"; less {discount.share:.0%} ({discount.source}, {discount.as_of})"
    return Priced(usd, source)


# ---- reading a case


def _text(case: Mapping[str, Any], name: str) -> str:
    value = case.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} is missing", fix="Say provider, model and timestamp of each case", param=name)
    return value


def _moment(case: Mapping[str, Any]) -> datetime.datetime:
    text = _text(case, "timestamp")
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest(
            f"timestamp is {text!r}", fix="Write it as 2026-11-02T12:00:00+00:00", param="timestamp"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _usage(case: Mapping[str, Any]) -> dict[str, int]:
    from genai_prices.data_units import unit_data

    usage = {}
    for name, value in case.items():
        if name in _CONTEXT or name in _BESIDE:
            continue
        if name not in unit_data:
            close = nearest(name, [*unit_data, *_CONTEXT, *_BESIDE], 1)
            hint = f"Did you mean {close[0]}?" if close else "See docs/catalogue.md for what a case may say"
            raise BadRequest(f"There is no member {name!r} of a case", fix=hint, param=name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadRequest(f"{name} is {value!r}", fix="A count is a whole number, 0 or more", param=name)
        usage[name] = value
    if "input_tokens" not in usage and "output_tokens" not in usage:
        raise BadRequest("input_tokens and output_tokens are missing", fix="Say what was used", param="input_tokens")
    return usage


def _context(case: Mapping[str, Any]) -> dict[str, str]:
    context = {name: str(case[name]) for name in _CONTEXT if case.get(name)}
    if case.get("batch") not in (None, True, False):
        raise BadRequest(f"batch is {case['batch']!r}", fix="Write true or false", param="batch")
    if case.get("batch"):
        context["processing"] = "batch"
    tier = context.get("service_tier", "")
    if tier in ("default", "standard", "auto", "standard_only"):
        del context["service_tier"]
    elif tier == "batch":
        del context["service_tier"]
        context["processing"] = "batch"
    return context


def _said(context: Mapping[str, str]) -> str:
    return " and ".join(f"{name} {value}" for name, value in context.items())


# ---- whose prices


_LISTS = {
    "amazon-bedrock": "aws",
    "bedrock": "aws",
    "aws-bedrock": "aws",
    "vertex": "google",
    "vertex-ai": "google",
    "gemini-openai": "google",
    "google-vertex": "google",
    "azure-openai": "azure",
    "togetherai": "together",
    "together-ai": "together",
    "together_ai": "together",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "novita-ai": "novita",
    "moonshot": "moonshotai",
    "mistralai": "mistral",
    "xai": "x-ai",
    "z-ai": "zai",
    "cohere_chat": "cohere",
}
"""What other catalogues and our own table call the price lists of genai-prices."""


def _our_name(provider: str) -> str:
    """Our name of a provider, whatever the catalogue that named it."""
    name = provider.lower()
    if name in providers():
        return name
    listed = _LISTS.get(name, name)
    for row in providers().values():
        if row.price_list == listed:
            return row.name
    return listed


def _listed(provider: str, model: str) -> tuple[Provider, ModelInfo] | str:
    """The price list's row, or what is missing."""
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    lists = {row.id: row for row in snapshot.providers}
    row = providers().get(provider.lower())
    name = (row.price_list or (providers()[row.prices_of].price_list if row.prices_of else "")) if row else ""
    name = name or _LISTS.get(provider.lower(), provider.lower())
    if name not in lists:
        close = nearest(name, [*lists, *_LISTS], 1)
        return f"no price list of a provider {provider!r} is known" + (f"; did you mean {close[0]}?" if close else "")
    try:
        return snapshot.find_provider_model(model, None, name, None)
    except LookupError:
        named = next((each for each in lists[name].models if each.id.lower() == model.lower()), None)
        if named is not None:  # the list's own name for it, which is none of those a request uses
            return lists[name], named
        words = [each.id for each in lists[name].models]
        close = nearest(model.lower(), words, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{provider} lists no model {model!r}{hint}"


def _price(
    listed: Provider, model: ModelInfo, moment: datetime.datetime, context: Mapping[str, str], ours: str
) -> ModelPrice | None:
    """The price in force; None: the price list does not say what it is in this service class."""
    from copy import copy

    if context:
        variants = [
            variant
            for variant in model.price_variants or ()
            if (variant.constraint is None or variant.constraint.active(moment))
            and all(context.get(word) == value for word, value in variant.when.items())
        ]
        if not variants or not any(model is each for each in listed.models):
            return None
    price = model.get_prices(moment, context or None)
    rule = _hour_rules().get(ours)
    if rule is not None and price.cache_write_mtok is not None and price.cache_write_1h_mtok is None:
        fresh = price.input_mtok
        if isinstance(fresh, Decimal):
            price = copy(price)
            price.__dict__["cache_write_1h_mtok"] = fresh * Decimal(repr(rule.times_input))
    return price


def _counted(price: ModelPrice, usage: Mapping[str, int]) -> Decimal:
    from genai_prices import Usage

    counts = dict(usage)
    for name in ("input_tokens", "output_tokens"):
        counts.setdefault(name, 0)
    written = [counts.get(name, 0) for name in ("cache_write_5m_tokens", "cache_write_1h_tokens")]
    if any(written):
        counts.setdefault("cache_write_tokens", sum(written))
    return price.calc_price(Usage(**counts))["total_price"]


def _by_row(row: OwnPrice | Override, usage: Mapping[str, int], provider: str) -> Decimal:
    fresh = _usd(row.input_usd_per_mtok)
    read = fresh if row.cache_read_usd_per_mtok is None else _usd(row.cache_read_usd_per_mtok)
    write = fresh if row.cache_write_usd_per_mtok is None else _usd(row.cache_write_usd_per_mtok)
    hour = write if row.cache_write_1h_usd_per_mtok is None else _usd(row.cache_write_1h_usd_per_mtok)
    rule = _hour_rules().get(provider)
    if row.cache_write_1h_usd_per_mtok is None and row.cache_write_usd_per_mtok is not None and rule is not None:
        hour = fresh * Decimal(repr(rule.times_input))
    hour_tokens = usage.get("cache_write_1h_tokens", 0)
    written = max(usage.get("cache_write_tokens", 0), hour_tokens)
    cached = usage.get("cache_read_tokens", 0)
    plain = max(usage.get("input_tokens", 0) - cached - written, 0)
    total = plain * fresh + cached * read + (written - hour_tokens) * write + hour_tokens * hour
    return (total + usage.get("output_tokens", 0) * _usd(row.output_usd_per_mtok)) / _MTOK


def _usd(amount: float) -> Decimal:
    return Decimal(repr(amount))


def _override(provider: str, model: str, day: str) -> Override | None:
    held = [
        row
        for row in _overrides()
        if row.provider == provider
        and row.model.lower() == model.lower()
        and row.since <= day
        and (not row.until or day <= row.until)
    ]
    return max(held, key=lambda row: row.since, default=None)


@functools.cache
def _overrides() -> tuple[Override, ...]:
    return facts.rows("overrides.toml", "overrides", Override)


@functools.cache
def _hour_rules() -> dict[str, HourRule]:
    return {rule.provider: rule for rule in facts.rows("overrides.toml", "cache_write_1h", HourRule)}
