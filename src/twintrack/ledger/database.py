"""The ledger's database, one SQLite file: opened to load or to read, brought up to date, and its errors explained."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from twintrack.errors import LedgerError
from twintrack.ledger.copies import keep_before_upgrade, kept_for
from twintrack.ledger.schema import MIGRATIONS, VERSION

DATABASE: Final = "ledger.db"
FOREIGN: Final = -1
"""Instead of a version: some other program's database."""


def database(folder: str | os.PathLike[str]) -> Path:
    """Where the ledger of a data folder lies."""
    return Path(folder) / DATABASE


def open_writer(path: Path) -> sqlite3.Connection:
    """Open for loading; made if missing, brought up to date if older.

    Raises:
        LedgerError: the file is broken, from a newer version, busy, or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite would make it readable for others; -wal and -shm take over the mode of the file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"The ledger {path} cannot be opened", why=str(error)) from error
    with _closed_if_it_fails(connection, path):
        connection.execute("PRAGMA page_size = 8192")  # of a new file; a sixth quicker to fill than with 4096
        _migrate(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 2000")
        connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open for queries only.

    Raises:
        LedgerError: there is none, it is broken, or of another version.
    """
    if not path.exists():
        raise _none(path)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", timeout=5.0, isolation_level=None, check_same_thread=False, uri=True
        )
    except sqlite3.Error as error:
        raise explained(error, path) from error
    with _closed_if_it_fails(connection, path):
        version = version_of(connection)
        _refuse_newer(version, path)
        if version == FOREIGN:
            raise foreign(path)
        if version == 0:
            raise _none(path)
        if version < VERSION:
            raise LedgerError(
                f"The ledger {path} has version {version}, this program reads version {VERSION}",
                fix="Start the gateway once, or run `twintrack ledger`, to bring it up to date",
            )
    return connection


def _none(path: Path) -> LedgerError:
    return LedgerError(f"There is no ledger at {path}", fix="Send requests first, or name its folder with --data")


def foreign(path: Path) -> LedgerError:
    """What to say of a database that some other program made."""
    return LedgerError(f"{path} is some other SQLite database", fix="Name another data folder")


@contextmanager
def _closed_if_it_fails(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        connection.close()
        raise explained(error, path) from error
    except LedgerError:
        connection.close()
        raise


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One state of the ledger for all the questions asked inside.

    Raises:
        LedgerError: it cannot be read.
    """
    db = open_reader(path)
    try:
        db.execute("BEGIN")
        yield db
    except sqlite3.Error as error:
        raise explained(error, path) from error
    finally:
        db.close()


def explained(error: sqlite3.Error, path: Path) -> LedgerError:
    """What an error of SQLite means for the ledger."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerError(f"The ledger {path} is locked", why="another process writes to it", fix="Try again")
    if is_broken(error):
        return LedgerError(
            f"The ledger {path} is broken",
            why=str(error),
            fix="Restore it from a backup, or move it away to begin a new one",
        )
    if code == sqlite3.SQLITE_FULL:
        return LedgerError(f"There is no space for the ledger {path}", why=str(error), fix="Free disk space")
    return LedgerError(f"The ledger {path} cannot be used", why=str(error))


def is_broken(error: sqlite3.Error) -> bool:
    """Whether it will be the same the next time: the file is no database, or a damaged one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def refuse_newer(path: Path) -> None:
    """Raises LedgerError if there is a ledger that this program is too old for."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            version = version_of(connection)
    except sqlite3.Error:
        return  # locked or broken: whoever works with it says so
    _refuse_newer(version, path)


def version_of(connection: sqlite3.Connection) -> int:
    """Version of a ledger's schema; 0 for a file that nothing was written to yet; or `FOREIGN`."""
    # In one question: a gateway may be making its ledger of the empty file meanwhile.
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not names:
        return 0
    if "schema_version" not in names:
        return FOREIGN
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0] or FOREIGN)


def is_empty(path: Path) -> bool:
    """Whether a gateway made the file and has not written the tables to it; False where it cannot be told."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
            return version_of(connection) == 0
    except sqlite3.Error:
        return False  # whoever works with it says what is wrong


def _refuse_newer(version: int, path: Path) -> None:
    if version > VERSION:
        kept = kept_for(path, VERSION)
        copy = f"the copy made before the upgrade, {kept}" if kept else "a backup made before the upgrade"
        way = f"twintrack restore {kept or 'FILE'} --to {path.parent} --replace"
        raise LedgerError(
            f"The ledger {path} was written by a newer version of Twintrack",
            why=f"its schema has version {version}, this program knows up to {VERSION}, and none is ever taken back",
            fix=f"Install the newer version again, or go back to {copy}: {way}",
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if version_of(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the lock: two processes may have come here at once.
        version = version_of(connection)
        _refuse_newer(version, path)
        if version == FOREIGN:
            raise foreign(path)
        if version == 0:
            connection.execute(
                "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, since TEXT NOT NULL) STRICT, WITHOUT ROWID"
            )
        else:
            _keep_copy(path, version)
        for step in range(version, VERSION):
            for statement in _statements(MIGRATIONS[step]):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO schema_version VALUES (?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))", (step + 1,)
            )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _keep_copy(path: Path, version: int) -> None:
    """A later program may turn out not to work; an older one cannot read what comes now."""
    try:
        keep_before_upgrade(path, version)
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(
            f"The ledger {path} is not brought up to date",
            why=f"no copy of it can be kept in case the new version does not work: {error}",
            fix=f"Free as much disk space as it takes, and let {path.parent} be written",
        ) from error


def _statements(script: str) -> list[str]:
    """Single statements, because `executescript` would commit the transaction around them."""
    statements: list[str] = []
    buffer = ""
    for line in script.splitlines(keepends=True):
        buffer += line
        if sqlite3.complete_statement(buffer):
            statements.append(buffer)
            buffer = ""
    return statements
