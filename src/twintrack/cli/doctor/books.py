"""The ledger: can it be read, is it whole, and does it keep up with what workers write?"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from twintrack.cli.doctor.finding import Finding, note, ok, problem, size
from twintrack.errors import LedgerError
from twintrack.ledger.database import FOREIGN, database, explained, foreign, refuse_newer, version_of
from twintrack.ledger.folder import holder
from twintrack.ledger.pending import is_begun
from twintrack.ledger.schema import VERSION
from twintrack.ledger.segment import SUFFIX, journal_folder

_DATABASE, _JOURNAL = "database", "journal"
_CHECK_S = 5.0
"""How long a ledger is gone through: a gibibyte takes some seconds."""
_STEPS = 100_000
"""Of SQLite's machine between two looks at the clock: some milliseconds."""
_BEHIND = 4
"""Segments of a worker: the one it writes, its spare, one being loaded. More, and nobody loads them."""


_NEWEST = "SELECT max(at_us) FROM (SELECT at_us FROM attempts ORDER BY id DESC LIMIT 1000)"
"""Without going through all of them."""


@dataclass(frozen=True)
class Books:
    findings: tuple[Finding, ...]
    newest_us: int | None
    """Of the newest row; None: there is none."""


def look(folder: Path, workers: int) -> Books:
    path = database(folder)
    findings = [*_journal(folder, workers)]
    newest_us: int | None = None
    if is_begun(folder):
        fix = "If no restore is going on: start the gateway, or run twintrack ledger; either finishes it."
        findings.append(note(_DATABASE, "a restore was begun and is not finished", fix))
    if not path.exists():
        return Books((_version(0, path), *findings), None)
    try:
        refuse_newer(path)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            version = version_of(db)
            if version == FOREIGN:
                raise foreign(path)
            found = _version(version, path)
            if version > 0:
                (newest_us,) = db.execute(_NEWEST).fetchone()
                findings += _incidents(db, folder)
                findings.insert(0, _whole(db, path))
    except sqlite3.Error as error:
        wrong = explained(error, path)
        fix = wrong.fix or "Restore a backup: twintrack restore FILE --replace"
        found = problem(_DATABASE, f"{wrong.what}: {wrong.why}", fix)
    except LedgerError as error:
        found = problem(_DATABASE, f"{error.what}: {error.why}" if error.why else error.what, error.fix)
    return Books((found, *findings), newest_us)


def _version(version: int, path: Path) -> Finding:
    if version == 0:
        return ok(_DATABASE, f"there is no ledger in {path.parent} yet: the first request makes it")
    if version < VERSION:
        what = f"{path} has schema {version}, and {VERSION} is the newest"
        return note(_DATABASE, what, "The next start brings it up to date, and keeps a copy in backups/.")
    return ok(_DATABASE, f"{path} has schema {version}, the newest")


def _whole(db: sqlite3.Connection, path: Path) -> Finding:
    """SQLite's quick check: every page, without comparing indexes to rows."""
    late = time.monotonic() + _CHECK_S
    db.set_progress_handler(lambda: time.monotonic() > late, _STEPS)
    try:
        said = [row[0] for row in db.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        what = f"the {size(path.stat().st_size)} of the ledger could not be gone through in {_CHECK_S:.0f} s"
        return note(_DATABASE, what, "In a quiet hour: twintrack ledger --check")
    finally:
        db.set_progress_handler(None, 0)
    if said != ["ok"]:
        fix = "Stop the gateway and restore a backup: twintrack restore FILE --replace"
        return problem(_DATABASE, f"{path} is damaged: {'; '.join(said)}", fix)
    return ok(_DATABASE, f"the {size(path.stat().st_size)} of the ledger are whole")


def _incidents(db: sqlite3.Connection, folder: Path) -> Iterator[Finding]:
    kept = [row[0] for row in db.execute("SELECT kept_as FROM incidents ORDER BY id")]
    there = [name for name in kept if (journal_folder(folder) / name).exists()]
    if there:
        what = f"{len(there)} damaged files of the journal were put aside, {there[-1]} last: their rows are missing"
        fix = f"See incidents in the ledger for when; remove them from {journal_folder(folder)} when you know why."
        yield note(_JOURNAL, what, fix)


def _journal(folder: Path, workers: int) -> Iterator[Finding]:
    pid = holder(folder)  # first: one that ends meanwhile has loaded its files before it lets go
    segments = sum(1 for _ in journal_folder(folder).glob(f"*{SUFFIX}"))
    yield backlog(segments, workers, pid)


def backlog(segments: int, workers: int, pid: int | None) -> Finding:
    """Whether what was written is loaded.

    Args:
        segments: files in the journal.
        pid: of the gateway that holds the folder; None: none does.
    """
    if pid is None:
        if segments == 0:
            return ok(_JOURNAL, "nothing waits to be loaded")
        what = f"{segments} file{'s' if segments > 1 else ''} of a gateway that has ended wait to be loaded"
        return note(_JOURNAL, what, "The next start loads them; so does twintrack ledger.")
    if segments > _BEHIND * workers:
        what = f"{segments} files wait to be loaded, and the gateway (process {pid}) does not get on"
        return problem(_JOURNAL, what, "See what it says on stderr; the disk may be full, or the ledger locked.")
    return ok(_JOURNAL, f"the gateway (process {pid}) loads what its workers write")
