"""Put a backup in place: checked to its last byte before anything is touched, then as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from twintrack.errors import EnvironmentProblem, LedgerError
from twintrack.ledger import archive, pending
from twintrack.ledger.archive import CONFIGURATION, BackupBroken, Manifest
from twintrack.ledger.audit.entry import Restored as Audited
from twintrack.ledger.audit.note import note
from twintrack.ledger.copies import copy_database
from twintrack.ledger.database import DATABASE, explained, version_of
from twintrack.ledger.folder import BACKUPS, LOADER_LOCK, claim, loading
from twintrack.ledger.load import Loader
from twintrack.ledger.schema import VERSION

_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest | None
    """None: the file was a bare copy of a ledger."""
    schema_version: int
    """Of the ledger in the backup; 0: there was none."""
    attempts: int
    """In the ledger now, with those that lay in the journal."""
    problems: tuple[str, ...]
    """What of its journal could not be loaded."""
    replaced: Path | None
    """Where lies what was there before."""
    configuration: bytes | None


def check(file: Path) -> Restored:
    """Do everything but put it in place. Raises as `restore`."""
    _present(file)
    try:
        with tempfile.TemporaryDirectory(prefix="twintrack-check-") as folder:
            return _staged(file, Path(folder))
    except OSError as error:
        raise EnvironmentProblem(
            f"The backup {file} cannot be checked",
            why=str(error),
            fix=f"That takes its size twice in {tempfile.gettempdir()}; TMPDIR names another folder",
        ) from None


def restore(file: Path, to: Path, *, replace: bool = False) -> Restored:
    """Make the backup `file` what the data folder `to` holds.

    Args:
        file: a backup, or a copy of a ledger as it is kept before an upgrade.
        replace: what is there goes to a folder in `backups`; else only an empty folder is taken.
    Raises:
        BackupBroken: it is not whole.
        EnvironmentProblem: a gateway holds the folder, it is not empty, or cannot be written.
        LedgerError: its ledger is broken or of a newer version.
    """
    _present(file)
    made = not to.exists()
    lock = claim(to)
    try:
        try:
            with loading(to):
                pending.finish(to)
                return _restored(file, to, replace)
        except BlockingIOError:
            raise EnvironmentProblem(
                f"Another command works with the ledger in {to}", fix="Wait until it is done, and try again"
            ) from None
        except OSError as error:
            raise EnvironmentProblem(
                f"The backup cannot be restored to {to}",
                why=str(error),
                fix="It needs a folder you may write, and as much space as the backup takes twice",
            ) from None
    finally:
        os.close(lock)
        if made and not pending.occupied(to) and not pending.is_committed(to):
            shutil.rmtree(to, ignore_errors=True)


def _present(file: Path) -> None:
    if not file.is_file():
        raise EnvironmentProblem(f"There is no backup {file}", fix="Name the file that twintrack backup wrote")


def _restored(file: Path, to: Path, replace: bool) -> Restored:
    there = pending.occupied(to)
    if there and not replace:
        raise EnvironmentProblem(
            f"There is something in {to} already: {', '.join(there)}",
            fix="Name another folder with --to, or say --replace: what is there is then kept in a folder beside it",
        )
    try:
        found = _staged(file, pending.stage(to))
        aside = f"replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        while (to / BACKUPS / aside).exists():
            aside += "-2"
        pending.commit(to, aside)
    except BaseException:
        if not pending.is_committed(to):
            pending.drop(to)
        raise
    pending.finish(to)
    kept = to / BACKUPS / aside
    return Restored(
        found.manifest,
        found.schema_version,
        found.attempts,
        found.problems,
        kept if kept.exists() else None,
        found.configuration,
    )


def _staged(file: Path, new: Path) -> Restored:
    """Lay the backup's data folder down in `new`, with the journal loaded into its ledger."""
    manifest = _unpacked(file, new)
    configuration = None
    if manifest is not None and manifest.configuration:
        configuration = (new / CONFIGURATION / manifest.configuration).read_bytes()
        shutil.rmtree(new / CONFIGURATION)
    version = _checked(new / DATABASE, file) if (new / DATABASE).exists() else 0
    with Loader(new) as loader:
        problems: list[str] = []
        caught_up = False
        while not caught_up:
            loaded = loader.load()
            problems += loaded.problems
            caught_up = loaded.caught_up
    with closing(sqlite3.connect(new / DATABASE, isolation_level=None)) as db:
        _note(db, manifest.made if manifest is not None else "")
        attempts = db.execute("SELECT count(*) FROM attempts").fetchone()[0]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (new / LOADER_LOCK).unlink(missing_ok=True)
    with suppress(OSError):  # what could not be loaded stays
        (new / "journal").rmdir()
    # Loading may have upgraded it; the copy it kept of before is this very backup.
    shutil.rmtree(new / BACKUPS, ignore_errors=True)
    return Restored(manifest, version, attempts, tuple(problems), None, configuration)


def _note(db: sqlite3.Connection, made: str) -> None:
    """The audit chain says itself where something may be missing."""
    if db.execute("SELECT 1 FROM audit LIMIT 1").fetchone() is None:
        return
    now_us = time.time_ns() // 1000
    db.execute("BEGIN IMMEDIATE")
    note(db, Audited(now_us, made or "an unknown time"), now_us)
    db.execute("COMMIT")


def _unpacked(file: Path, new: Path) -> Manifest | None:
    with file.open("rb") as opened:
        bare = opened.read(len(_SQLITE)) == _SQLITE
    if not bare:
        return archive.unpack(file, _refuse_newer, new)
    try:
        copy_database(file, new / DATABASE)
    except sqlite3.Error as error:
        raise explained(error, file) from error
    return None


def _refuse_newer(manifest: Manifest) -> None:
    if manifest.schema_version > VERSION:
        raise _newer(manifest.schema_version, f"The backup was made by Twintrack {manifest.twintrack}")


def _newer(version: int, what: str) -> LedgerError:
    return LedgerError(
        what,
        why=f"its ledger has schema {version}, this program knows up to {VERSION}",
        fix="Restore it with that version; nothing was changed",
    )


def _checked(ledger: Path, file: Path) -> int:
    """The schema's version. Raises LedgerError or BackupBroken."""
    try:
        with closing(sqlite3.connect(ledger)) as db:
            version = version_of(db)
            (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupBroken(f"The ledger in {file} is broken", why=str(error), fix="Use another backup") from None
    if version > VERSION:
        raise _newer(version, f"The ledger in {file} was written by a newer version of Twintrack")
    if version <= 0 or said != "ok":
        why = "it is some other database" if version <= 0 else said
        raise BackupBroken(f"The ledger in {file} cannot be used", why=why, fix="Use another backup")
    return version
