"""Copies of a ledger: whole, consistent while it is written to, and one file each."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from twintrack.ledger.folder import BACKUPS, on_disk

KEPT: Final = 3
"""Copies of before an upgrade that stay; older ones go."""
_NAME: Final = re.compile(r"ledger-version(\d+)-\d{8}T\d{6}Z\.db")


def copy_database(source: Path, to: Path) -> None:
    """Copy an SQLite database as it is at one moment, with what still lies in its write-ahead log.

    `to` must not exist; it is readable for its owner alone, and on disk.

    Raises:
        sqlite3.Error, OSError: it cannot be read or written; nothing is left of `to`.
    """
    os.close(os.open(to, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as old,
            closing(sqlite3.connect(to, isolation_level=None)) as new,
        ):
            old.backup(new)  # in one step: one state, and writers do not wait for us
            new.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        on_disk(to)
    except BaseException:
        to.unlink(missing_ok=True)
        raise


def keep_before_upgrade(path: Path, version: int) -> Path:
    """Copy a ledger of schema `version` into the folder `backups` beside it; of such copies `KEPT` remain.

    Raises:
        sqlite3.Error, OSError: there is no space, say.
    """
    folder = path.parent / BACKUPS
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / f"ledger-version{version}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.db"
    unfinished = folder / f"{kept.name}.unfinished"
    unfinished.unlink(missing_ok=True)
    copy_database(path, unfinished)
    unfinished.replace(kept)
    on_disk(folder)
    for old in upgrades_kept(path)[:-KEPT]:
        old.unlink(missing_ok=True)
    return kept


def upgrades_kept(path: Path) -> list[Path]:
    """Copies made before upgrades of the ledger at `path`, oldest first."""
    found = [each for each in (path.parent / BACKUPS).glob("ledger-version*.db") if _NAME.fullmatch(each.name)]
    return sorted(found, key=lambda each: each.name.rpartition("-")[2])


def kept_for(path: Path, version: int) -> Path | None:
    """The newest copy that a program which knows schemas up to `version` can read."""
    fitting = [each for each in reversed(upgrades_kept(path)) if _version(each) <= version]
    return max(fitting, key=_version, default=None)


def _version(copy: Path) -> int:
    named = _NAME.fullmatch(copy.name)
    assert named is not None
    return int(named[1])
