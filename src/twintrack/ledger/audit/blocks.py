"""Entries as they lie in the database, a block of them in a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from twintrack.ledger.audit.entry import Body, Personal, opened, to_body

Sealed = bytes | tuple[bytes]
"""What leads to somebody, or [SHA-256] of it once it was erased."""

to_bodies = msgspec.msgpack.Decoder(list[bytes]).decode
to_sealed = msgspec.msgpack.Decoder(list[Sealed]).decode

COLUMNS: Final = "seq, entries, first_us, last_us, bodies, personal, hash"


class Entry(NamedTuple):
    seq: int
    body: Body
    personal: Personal | None
    """None: it leads to nobody, or no more."""
    erased: bool = False


class Block(NamedTuple):
    seq: int
    entries: int
    first_us: int
    last_us: int
    bodies: bytes
    personal: bytes
    hash: bytes


def block_entries(seq: int, bodies: bytes, personal: bytes) -> Iterator[Entry]:
    """Raises msgspec.MsgspecError if somebody wrote something else into it."""
    for place, (body, sealed) in enumerate(zip(to_bodies(bodies), to_sealed(personal), strict=True)):
        if isinstance(sealed, bytes):
            yield Entry(seq + place, to_body(body), opened(sealed))
        else:
            yield Entry(seq + place, to_body(body), None, True)


def blocks(
    db: sqlite3.Connection, since_us: int = 0, until_us: int | None = None, from_seq: int = 0
) -> Iterator[Block]:
    """In their order, those that tell of something between the two times, UTC microseconds.

    Args:
        from_seq: those that begin with this entry or a later one.
    """
    question = (
        f"SELECT {COLUMNS} FROM audit WHERE seq >= ? AND last_us >= ? AND (? IS NULL OR first_us < ?) "  # noqa: S608
        "ORDER BY seq"
    )
    for row in db.execute(question, (from_seq, since_us, until_us, until_us)):
        yield Block(*row)
