"""The chain, open to read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from twintrack.errors import LedgerError
from twintrack.ledger.database import reading


@contextmanager
def reading_chain(path: Path) -> Iterator[sqlite3.Connection]:
    """As `reading`, of the ledger at `path`, for whoever reads entries.

    Raises:
        LedgerError: the ledger cannot be read, or somebody wrote something into the chain that is no entry.
    """
    with reading(path) as db:
        try:
            yield db
        except (msgspec.MsgspecError, ValueError) as error:
            raise LedgerError(
                f"The audit chain in {path} cannot be read",
                why=str(error),
                fix="`twintrack audit verify` says where it is damaged",
            ) from error
