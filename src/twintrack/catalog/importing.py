"""Reads a set of facts that somebody wants to import: an operator's rows, or a newer price list."""

from __future__ import annotations

import datetime
import hashlib
import tomllib
from typing import Any, Literal

import msgspec

from twintrack.catalog import own, prices
from twintrack.catalog.own import OwnRows
from twintrack.catalog.prices import Prices, Table
from twintrack.catalog.providers import providers
from twintrack.catalog.revisions import OwnSet, Revision
from twintrack.errors import BadRequest, nearest

MOST_BYTES = 32 << 20
TIMEOUT_S = 30


class Incoming(msgspec.Struct, frozen=True):
    """What was read; one of `rows` and `table` is there."""

    kind: Literal["rows", "prices"]
    source: str
    sha256: str
    rows: OwnRows | None = None
    table: bytes | None = None


def fetch(address: str) -> bytes:
    """What stands at an address the operator named.

    Raises:
        BadRequest: nothing could be had from there.
    """
    import urllib.error
    import urllib.request

    request = urllib.request.Request(address, headers={"user-agent": "twintrack catalog update"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the operator named it
            content: bytes = answer.read(MOST_BYTES + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise BadRequest(
            f"{address} cannot be fetched", why=str(error), fix="Fetch it yourself and name the file"
        ) from None
    if len(content) > MOST_BYTES:
        raise BadRequest(f"{address} is larger than {MOST_BYTES >> 20} MiB", fix="Name a set of facts")
    return content


def read(content: bytes, source: str, on: datetime.date) -> Incoming:
    """An operator's TOML, a compiled price table, or the price data of genai-prices.

    Raises:
        BadRequest: it is none of these, or a row is wrong; says which.
    """
    digest = hashlib.sha256(content).hexdigest()
    start = content.lstrip()[:1]
    if start == b"[" and content.lstrip()[1:2] in (b"{", b"\n", b"\r", b" "):
        return Incoming("prices", source, digest, table=_compiled(content, source, on))
    if start == b"{":
        return Incoming("prices", source, digest, table=_table(content, source))
    return Incoming("rows", source, digest, rows=_rows(content, source))


def merged(held: Revision, incoming: Incoming, name: str, at: str) -> Revision:
    """`held` with what came in. A set of rows replaces the one of its name; a price table replaces the table."""
    if incoming.rows is None:
        return msgspec.structs.replace(
            held, prices_source=incoming.source, prices_sha256=incoming.sha256, imported_at=at
        )  # fmt: skip
    new = OwnSet(name, incoming.source, incoming.sha256, at, incoming.rows)
    sets = tuple(each for each in held.sets if each.name != name)
    return msgspec.structs.replace(held, sets=(*sets, new), imported_at=at)


def priced(incoming: Incoming, held: Prices, rows: OwnRows, on: datetime.date) -> Prices:
    """The prices there would be."""
    if incoming.table is None:
        return Prices(held.table, on, rows)
    return Prices(msgspec.json.decode(incoming.table, type=Table), on, rows)


def _rows(content: bytes, source: str) -> OwnRows:
    try:
        document: dict[str, Any] = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRequest(
            f"{source} is no set of facts", why=str(error), fix="See docs/catalogue.md for what a set may say"
        ) from None
    for word in document:
        if word not in OwnRows.__struct_fields__:
            close = nearest(word, OwnRows.__struct_fields__, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Use {', '.join(OwnRows.__struct_fields__)}"
            raise BadRequest(f"{source}: there is no table {word!r}", fix=hint, param=word)
    try:
        rows = msgspec.convert(_plain(document), OwnRows)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{source}: {error}", fix="See docs/catalogue.md for what a row says") from None
    for table in OwnRows.__struct_fields__:
        for number, row in enumerate(getattr(rows, table)):
            if row.provider not in providers():
                close = nearest(row.provider, providers(), 1)
                hint = f"Did you mean {close[0]}?" if close else "See docs/providers.md"
                raise BadRequest(f"{source}: {table}[{number}]: there is no provider {row.provider!r}", fix=hint)
    wrong = own.faults(rows)
    if wrong:
        raise BadRequest(f"{source}: {wrong[0]}")
    if rows == OwnRows():
        raise BadRequest(f"{source} says nothing", fix=f"Add rows to {', '.join(OwnRows.__struct_fields__)}")
    return rows


def _plain(value: object) -> object:
    """TOML's own days as text, so that 2026-11-30 may be written with and without quotes."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _table(content: bytes, source: str) -> bytes:
    try:
        table = msgspec.json.decode(content, type=Table)
    except msgspec.DecodeError as error:
        raise BadRequest(f"{source} is no price table", why=str(error)) from None
    if table.schema != prices.SCHEMA:
        fix = "Compile it with this version: python -m twintrack.catalog.compile_prices PATH"
        raise BadRequest(f"{source} has layout {table.schema}, this version reads {prices.SCHEMA}", fix=fix)
    for name, raw in table.providers.items():
        try:
            msgspec.json.decode(raw, type=list[prices.ModelPrices])
        except msgspec.DecodeError as error:
            raise BadRequest(f"{source}: prices of {name}: {error}") from None
    return content


def _compiled(content: bytes, source: str, on: datetime.date) -> bytes:
    """Price data of genai-prices, as its repository publishes them."""
    from genai_prices.types import _providers_from_raw

    from twintrack.catalog import compile_prices

    try:
        raw = msgspec.json.decode(content)
        lists = _providers_from_raw(raw)
        made = compile_prices.table(on.isoformat(), lists, version=f"data of {on.isoformat()}")
    except (msgspec.DecodeError, ValueError, TypeError, KeyError, AssertionError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadRequest(f"{source} is no price data of genai-prices", why=words) from None
    return compile_prices.encode(made)
