"""What an operator knows better than any list: own prices, discounts, commitments and credits, all dated.

They come from files an operator imports (`twintrack catalog update`), are kept in the data folder by `revisions.py`,
and hold before everything that ships.
"""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from twintrack.catalog.cost import TokenPrice, nusd


class OwnPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a provider asks you for a model."""

    provider: str
    """A name of providers.toml."""
    model: str
    """The provider's name for the model, exactly; capitals do not count."""
    since: str = msgspec.field(name="from")
    """First UTC day, YYYY-MM-DD."""
    until: str = ""
    """Last UTC day; empty: until another row begins."""
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cache_read_usd_per_mtok: float | None = None
    """None: as input, here and below."""
    cache_write_usd_per_mtok: float | None = None
    cache_write_1h_usd_per_mtok: float | None = None
    source: str
    as_of: str


class Discount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A share off the list price."""

    provider: str
    models: tuple[str, ...] = ("*",)
    """Patterns of the provider's names."""
    share: float
    """0.15: fifteen percent off."""
    since: str = msgspec.field(name="from")
    until: str = ""
    source: str
    as_of: str


class Commitment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What you pay a provider each month whether you use it or not; use counts against it."""

    provider: str
    usd_per_month: float
    since: str = msgspec.field(name="from")
    until: str = ""
    source: str
    as_of: str


class Credit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Money a provider gave you to spend."""

    provider: str
    usd: float
    since: str = msgspec.field(name="from")
    until: str
    """Credits expire."""
    source: str
    as_of: str


class OwnRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that an operator has added."""

    prices: tuple[OwnPrice, ...] = ()
    discounts: tuple[Discount, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    credits: tuple[Credit, ...] = ()


def own_price(
    rows: OwnRows,
    provider: str,
    model: str,
    day: str,
    listed: Callable[[str, str], TokenPrice | None],
) -> TokenPrice | None:
    """What you pay: your own row, else the list's, less the discount in force. None: nobody says."""
    row = price_of(rows, provider, model, day)
    price = listed(provider, model) if row is None else _as_price(row)
    discount = discount_of(rows, provider, model, day)
    return price if price is None or discount is None else _less(price, discount)


def _as_price(row: OwnPrice) -> TokenPrice:
    fresh = nusd(row.input_usd_per_mtok)
    read, write = (
        fresh if usd is None else nusd(usd) for usd in (row.cache_read_usd_per_mtok, row.cache_write_usd_per_mtok)
    )
    hour = None if row.cache_write_1h_usd_per_mtok is None else nusd(row.cache_write_1h_usd_per_mtok)
    return TokenPrice(
        fresh,
        nusd(row.output_usd_per_mtok),
        read,
        write,
        source=f"your own row of {row.as_of} ({row.source})",
        cache_write_1h_nusd_per_mtok=hour,
    )


def _less(price: TokenPrice, discount: Discount) -> TokenPrice:
    """Every rate of it, rounded half up to a nano-dollar per million tokens."""
    kept = 1_000_000 - round(discount.share * 1_000_000)
    changed: dict[str, Any] = {
        name: (value * kept + 500_000) // 1_000_000
        for name, value in msgspec.structs.asdict(price).items()
        if name.endswith("_nusd_per_mtok") and value is not None
    }
    changed["long"] = None if price.long is None else _less(price.long, discount)
    changed["source"] = f"{price.source}, less {discount.share:.4g} of it ({discount.source}, {discount.as_of})"
    return msgspec.structs.replace(price, **changed)


class Bill(msgspec.Struct, frozen=True):
    """A month at one provider, in dollars."""

    used_usd: float
    committed_usd: float
    """What is owed at least."""
    unused_usd: float
    """Paid for and not used."""
    credit_usd: float
    """Of what would be owed, paid by credits."""
    owed_usd: float
    credit_left_usd: float


def price_of(rows: OwnRows, provider: str, model: str, day: str) -> OwnPrice | None:
    """The row in force on `day`, the one that began last; None if there is none."""
    held = [
        row for row in rows.prices if row.provider == provider and row.model.lower() == model.lower() and _in(row, day)
    ]
    return max(held, key=lambda row: row.since, default=None)


def discount_of(rows: OwnRows, provider: str, model: str, day: str) -> Discount | None:
    """The largest discount in force on `day`: discounts do not add up."""
    held = [
        row
        for row in rows.discounts
        if row.provider == provider
        and _in(row, day)
        and any(fnmatch.fnmatchcase(model.lower(), pattern.lower()) for pattern in row.models)
    ]
    return max(held, key=lambda row: row.share, default=None)


def bill(rows: OwnRows, provider: str, used_usd: float, month: datetime.date, credit_spent_usd: float = 0) -> Bill:
    """What a month's use comes to after commitments and credits.

    Args:
        used_usd: at your prices, discounts included.
        month: any day of it; what is in force on that day counts.
        credit_spent_usd: of the credits, gone in the months before.
    """
    day = month.isoformat()
    committed = sum(row.usd_per_month for row in rows.commitments if row.provider == provider and _in(row, day))
    credits = sum(row.usd for row in rows.credits if row.provider == provider and _in(row, day))
    due = max(used_usd, committed)
    left = max(credits - credit_spent_usd, 0.0)
    paid = min(due, left)
    return Bill(used_usd, committed, max(committed - used_usd, 0.0), paid, due - paid, left - paid)


def faults(rows: OwnRows) -> list[str]:
    """What is wrong with rows that have the right shape, a sentence each."""
    return [f"{where}: {fault}" for where, fault in _faults(rows)]


def _faults(rows: OwnRows) -> Iterable[tuple[str, str]]:
    for table in ("prices", "discounts", "commitments", "credits"):
        for number, row in enumerate(getattr(rows, table)):
            where = f"{table}[{number}]"
            for word, value in (("from", row.since), ("until", row.until), ("as_of", row.as_of)):
                if value and not _is_day(value):
                    yield where, f"{word} is {value!r}. Write a day as 2026-11-30"
            if row.until and row.until < row.since:
                yield where, f"it ends on {row.until}, before it begins on {row.since}"
            for word, amount in msgspec.structs.asdict(row).items():
                if "usd" in word and amount is not None and amount < 0:
                    yield where, f"{word} is {amount:g}. A price or an amount is 0 or more"
    for number, discount in enumerate(rows.discounts):
        if not 0 < discount.share < 1:
            yield f"discounts[{number}]", f"share is {discount.share:g}. Write 0.15 for fifteen percent off"


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _in(row: OwnPrice | Discount | Commitment | Credit, day: str) -> bool:
    return row.since <= day and (not row.until or day <= row.until)
