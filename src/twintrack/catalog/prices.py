"""List prices: what a provider asks for a model on a day, or None where nobody lists one. Never 0 for unknown.

The prices come from genai-prices, whose import takes 0.3 s and 30 MB. So a short-lived process
(`compile_prices.py`) writes all of them, with the days from which they hold, into one JSON table, and only that
is read here. A compiled table ships with the package; when another version of genai-prices is installed, `load`
has the table made anew, once, and keeps it at the path it is given.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import sys
from typing import Literal

import msgspec

from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.facts import data_path
from twintrack.catalog.own import OwnRows, own_price

SCHEMA = 2
"""Version of the table's layout."""


class Match(msgspec.Struct, frozen=True, array_like=True):
    """When a model name is meant: compared in lower case, as genai-prices does."""

    how: Literal["is", "starts", "ends", "contains", "regex", "any", "all"]
    words: tuple[str | Match, ...]


class Special(msgspec.Struct, frozen=True, omit_defaults=True):
    """Prices of tokens that do not cost what the others of their kind do; None: they do."""

    cache_write_1h: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    input_image: int | None = None
    output_image: int | None = None


class Tier(msgspec.Struct, frozen=True, array_like=True):
    """Integer nano-dollars per million tokens, for requests with more input than `over_tokens`."""

    over_tokens: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    special: Special = Special()


class Listing(msgspec.Struct, frozen=True, array_like=True):
    since: str
    """First UTC day, YYYY-MM-DD; empty: as far back as the catalogue goes."""
    tiers: tuple[Tier, ...]
    """By rising `over_tokens`; the first starts at 0. Empty: known to be sold, but at no price per token."""
    dearest: bool
    """The price changes during the day; this is the dearest of it."""


class ModelPrices(msgspec.Struct, frozen=True, array_like=True):
    match: Match
    listings: tuple[Listing, ...]
    """By rising `since`."""
    source: str
    """Empty: genai-prices."""


class Table(msgspec.Struct, frozen=True):
    schema: int
    genai_prices: str
    """Version the prices were taken from."""
    overrides: str
    """First 12 hex digits of the SHA-256 of overrides.toml."""
    as_of: str
    """Day the table was compiled; prices with later days are in it already."""
    providers: dict[str, msgspec.Raw]
    """By name in providers.toml, each a list of `ModelPrices`; the first match counts. Decoded when asked for."""


class Prices:
    """List prices on one day."""

    def __init__(self, table: Table, on: datetime.date, own: OwnRows | None = None) -> None:
        """`own`: the operator's prices and discounts; they hold before the table's."""
        self._table = table
        self._own = own
        self._on = on.isoformat()
        self._models: dict[str, list[ModelPrices]] = {}

    @property
    def version(self) -> str:
        """Of genai-prices."""
        return self._table.genai_prices

    @property
    def as_of(self) -> str:
        """Day the prices were gathered, YYYY-MM-DD."""
        return self._table.as_of

    @property
    def table(self) -> Table:
        return self._table

    def find(self, provider: str, upstream_model: str) -> TokenPrice | None:
        """The standard price of what `provider` (a name of providers.toml) calls `upstream_model`.

        Batch, priority and per-request charges are left out, and so is what cached sound and images cost beyond
        cached text.
        None: no provider, model or complete price per token of that name.
        """
        if self._own is None:
            return self._listed(provider, upstream_model)
        return own_price(self._own, provider, upstream_model, self._on, self._listed)

    def _listed(self, provider: str, upstream_model: str) -> TokenPrice | None:
        name = upstream_model.lower()
        for model in self._provider(provider):
            if _matches(model.match, name):
                begun = [listing for listing in model.listings if listing.since <= self._on]
                if begun:  # else it is an override that holds later: the catalogue's price comes further down
                    return self._price(begun[-1], model.source)
        return None

    def _provider(self, provider: str) -> list[ModelPrices]:
        if provider not in self._models:
            raw = self._table.providers.get(provider)
            self._models[provider] = [] if raw is None else msgspec.json.decode(raw, type=list[ModelPrices])
        return self._models[provider]

    def _price(self, listing: Listing, source: str) -> TokenPrice | None:
        gathered = f"genai-prices {self._table.genai_prices} of {self._table.as_of}"
        source = f"{source or gathered}, price of {self._on}"
        if listing.dearest:
            source += ", the dearest of the day"
        price: TokenPrice | None = None
        threshold = 0
        for tier in reversed(listing.tiers):
            price = TokenPrice(
                tier.input,
                tier.output,
                tier.cache_read,
                tier.cache_write,
                threshold,
                price,
                source,
                tier.special.cache_write_1h,
                tier.special.input_audio,
                tier.special.output_audio,
                tier.special.input_image,
                tier.special.output_image,
            )
            threshold = tier.over_tokens
        return price


def _matches(match: Match, name: str) -> bool:
    how, words = match.how, match.words
    if how == "any":
        return any(_matches(word, name) for word in words if isinstance(word, Match))
    if how == "all":
        return all(_matches(word, name) for word in words if isinstance(word, Match))
    word = words[0]
    assert isinstance(word, str)
    if how == "is":
        return name == word
    if how == "starts":
        return name.startswith(word)
    if how == "ends":
        return name.endswith(word)
    if how == "contains":
        return word in name
    return re.search(word, name) is not None


def load(cache_path: str | None, *, on: datetime.date) -> Prices:
    """Prices for the UTC day `on`, from the shipped table, else the one at `cache_path`, else a fresh one there.

    A table fits if it was made from the installed genai-prices and the present overrides; days need no new table,
    they stand in it. Where none fits and none can be made, the shipped one serves: `Prices.version` says which.
    What an operator imported into the folder of `cache_path` goes before all of them.

    Raises:
        EnvironmentProblem: what was imported cannot be read.
    """
    if cache_path is not None and os.path.exists(os.path.join(os.path.dirname(cache_path), "catalog", "current")):
        return _imported(cache_path, on)
    return Prices(_fitting(cache_path, on), on)


def _imported(cache_path: str, on: datetime.date) -> Prices:
    from twintrack.catalog import revisions  # where nothing was imported, nobody needs it

    data = os.path.dirname(cache_path)
    revision = revisions.current(data)
    path = revisions.table_path(data, revision)
    table = _read(path) if path is not None else None
    rows = revision.rows
    return Prices(table or _fitting(cache_path, on), on, rows if rows.prices or rows.discounts else None)


def _fitting(cache_path: str | None, on: datetime.date) -> Table:
    version, overrides = installed_version(), overrides_hash()
    shipped = _read(data_path("prices.json"))
    assert shipped is not None
    if cache_path is None or version is None or _fits(shipped, version, overrides):
        return shipped
    cached = _read(cache_path)
    if cached is None or not _fits(cached, version, overrides):
        _compile(cache_path, on)
        cached = _read(cache_path)
    return cached if cached is not None and _fits(cached, version, overrides) else shipped


def _fits(table: Table, version: str, overrides: str) -> bool:
    return table.schema == SCHEMA and table.genai_prices == version and table.overrides == overrides


def _read(path: str) -> Table | None:
    """The table at `path`, or None if there is none that can be read."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=Table)
    except (OSError, msgspec.DecodeError):
        return None


def _compile(path: str, on: datetime.date) -> None:
    import subprocess  # costs 8 ms and is needed once after an upgrade

    command = [sys.executable, "-m", "twintrack.catalog.compile_prices", path, "--as-of", on.isoformat()]
    try:
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return  # the caller falls back on the shipped table


def overrides_hash() -> str:
    with open(data_path("overrides.toml"), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:12]


def installed_version() -> str | None:
    """Version of the installed genai-prices, without importing it.

    Read off the folder names: `importlib.metadata` alone would cost a third of the start-up budget.
    """
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if name.startswith("genai_prices-") and name.endswith(".dist-info"):
                return name[len("genai_prices-") : -len(".dist-info")]
    return None
