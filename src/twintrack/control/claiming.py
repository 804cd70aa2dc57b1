"""The data folder made ready for a gateway, and held by it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from twintrack.errors import EnvironmentProblem, LedgerError
from twintrack.ledger.folder import BUSY_S, claim, loading
from twintrack.ledger.pending import finish, is_begun
from twintrack.ledger.segment import journal_folder


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold `folder`: one gateway for each, since the journal's workers are named by their place.

    Raises:
        EnvironmentProblem: it cannot be used, or another gateway does.
        LedgerError: its ledger is of a newer version: rows would wait in the journal for ever.
    """
    lock = claim(folder)
    try:
        try:
            if is_begun(folder):
                _finish(folder)
            journal_folder(folder).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise EnvironmentProblem(
                f"The data folder {folder} cannot be used",
                why=str(error),
                fix="Set server.data to a folder this user may write.",
            ) from None
        _refuse_newer(folder)
        yield
    finally:
        os.close(lock)


def _finish(folder: Path) -> None:
    """A restore that was interrupted; perhaps a command is at it this moment. Raises OSError."""
    with loading(folder, BUSY_S):
        finish(folder)


def _refuse_newer(folder: Path) -> None:
    """Asked in a process of its own: what is imported here workers would have in their memory."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        said = b""
        try:
            from twintrack.ledger.database import database, refuse_newer

            refuse_newer(database(folder))
        except LedgerError as error:
            said = msgspec.msgpack.encode((error.what, error.why, error.fix))
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    if said:
        what, why, fix = msgspec.msgpack.decode(said, type=tuple[str, str, str])
        raise LedgerError(what, why=why, fix=fix)
