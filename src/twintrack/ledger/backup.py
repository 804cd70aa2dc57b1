"""Make a backup of a data folder, also while a gateway writes to it.

The journals are copied first, the database after them: what is loaded and removed in between is then in the copy of
the database, and what is in both is stored once when it is restored, since loading a record twice changes nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from twintrack.catalog.revisions import CURRENT, FOLDER
from twintrack.errors import EnvironmentProblem, LedgerError
from twintrack.ledger import archive
from twintrack.ledger.archive import CONFIGURATION, Manifest
from twintrack.ledger.copies import copy_database
from twintrack.ledger.database import DATABASE, FOREIGN, explained, foreign, version_of
from twintrack.ledger.folder import on_disk
from twintrack.ledger.segment import SUFFIX, EmptySegment, JournalReader, journal_folder, without_content
from twintrack.signals.weights import ROUTER, VERIFIER

_RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Configuration:
    """What belongs to the ledger but does not lie in its folder."""

    name: str
    text: bytes
    needs: tuple[str, ...]


def back_up(
    folder: Path, to: Path, configuration: Configuration | None, *, version: str, replace: bool = False
) -> Manifest:
    """Write a backup of the data folder to `to`, which appears there whole or not at all.

    Args:
        version: of the program.
        replace: an earlier file at `to` may go.
    Raises:
        LedgerError: the database is broken or cannot be read.
        EnvironmentProblem: `to` exists or cannot be written, there is no space, or nothing to back up.
    """
    if to.exists() and not replace:
        raise EnvironmentProblem(f"{to} exists already", fix="Name a new file, or say --replace")
    if not folder.is_dir():
        raise EnvironmentProblem(f"There is no data folder {folder}", fix="Name it with --data")
    try:
        with _workshop(to) as shop:
            contents = shop / "contents"
            contents.mkdir(mode=0o700)
            manifest = _gathered(folder, contents, configuration, version)
            archive.write(shop / "backup", manifest, contents)
            on_disk(shop / "backup")
            _publish(shop / "backup", to, replace)
            on_disk(to.absolute().parent)
    except sqlite3.Error as error:
        raise explained(error, folder / DATABASE) from error
    except OSError as error:
        raise EnvironmentProblem(
            f"The backup {to} cannot be written",
            why=f"{error.strerror or error}",
            fix="It needs a folder you may write, and as much space as the data folder takes twice",
        ) from None
    return manifest


def _gathered(folder: Path, contents: Path, configuration: Configuration | None, program: str) -> Manifest:
    files = []
    for name, data in _journals(folder):
        (contents / "journal").mkdir(exist_ok=True)
        (contents / "journal" / name).write_bytes(data)
        files.append(f"journal/{name}")
    for name, data in _imported(folder):
        (contents / "catalog").mkdir(exist_ok=True)
        (contents / "catalog" / name).write_bytes(data)
        files.append(f"catalog/{name}")
    for fitted in (ROUTER, VERIFIER):
        if (folder / fitted).exists():
            shutil.copyfile(folder / fitted, contents / fitted)
            files.append(fitted)
    version = attempts = 0
    for path in sorted(folder.glob("*.db")):
        copy_database(path, contents / path.name)
        if path.name == DATABASE:
            version, attempts = _about(contents / path.name)
            if version == FOREIGN:
                raise foreign(path)
            if not version:  # a gateway that has just started is making it: the journals are all there is
                (contents / path.name).unlink()
                continue
        files.append(path.name)
    if configuration is not None:
        (contents / CONFIGURATION).mkdir()
        (contents / CONFIGURATION / configuration.name).write_bytes(configuration.text)
        files.append(CONFIGURATION + configuration.name)
    return Manifest(
        format=archive.FORMAT,
        twintrack=program,
        made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        data=str(folder.absolute()),
        schema_version=version,
        attempts=attempts,
        files=tuple(archive.described(name, contents / name) for name in sorted(files)),
        needs=configuration.needs if configuration is not None else (),
    )


def _about(ledger: Path) -> tuple[int, int]:
    """Version and attempts."""
    with closing(sqlite3.connect(ledger)) as db:
        version = version_of(db)
        return version, db.execute("SELECT count(*) FROM attempts").fetchone()[0] if version > 0 else 0


def _journals(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of what lies in the journal, put-aside files included."""
    try:
        names = sorted(os.listdir(journal_folder(folder)))
    except FileNotFoundError:
        return
    for name in names:
        path = journal_folder(folder) / name
        try:
            data = whole_part(path) if name.endswith(SUFFIX) else path.read_bytes()
        except FileNotFoundError:
            continue  # loaded meanwhile: the database has it
        if data:
            yield name, data


def _imported(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What an operator imported. Which revision holds is read first: those it may name are there by then."""
    catalog = folder / FOLDER
    try:
        yield CURRENT, (catalog / CURRENT).read_bytes()
    except FileNotFoundError:
        return
    for path in sorted(catalog.glob("*.json")):
        yield path.name, path.read_bytes()


def whole_part(path: Path) -> bytes:
    """A segment up to the last record that is whole, while its worker may be writing the next; without what was asked
    and answered, where a route has that written.

    Of a segment that is damaged, or that this program does not understand, all of it.

    Raises:
        FileNotFoundError: it is gone.
    """
    try:
        reader = JournalReader(path)
    except EmptySegment:
        return b""
    except LedgerError:
        return path.read_bytes()
    try:
        offset, stop = reader.start, "limit"
        while stop == "limit":
            chunk = reader.read(offset, _RECORDS)
            offset, stop = chunk.offset, chunk.stop
        if stop == "unfinished" and reader.verdict(offset)[0] == "damaged" and not _goes_on(reader, offset):
            return path.read_bytes()  # a record may end in zeros
        mark = 4 if stop in ("continued", "closed") else 0
        return without_content(os.pread(reader.fd, offset + mark, 0))
    finally:
        reader.close()


def _goes_on(reader: JournalReader, offset: int) -> bool:
    """Whether what could not be read a moment ago was a record that was being written."""
    time.sleep(0.01)
    return reader.read(offset, 1).offset > offset


@contextmanager
def _workshop(to: Path) -> Iterator[Path]:
    """A folder beside `to` for what is being made; empty at first, gone afterwards."""
    shop = to.absolute().parent / f".{to.name}.unfinished"
    shop.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(shop, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentProblem(f"Another backup to {to} is running", fix="Wait for it") from None
        for left in shop.iterdir():  # by one that was killed
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield shop
        finally:
            shutil.rmtree(shop, ignore_errors=True)
    finally:
        os.close(handle)


def _publish(made: Path, to: Path, replace: bool) -> None:
    if replace:
        made.replace(to)
        return
    try:
        os.link(made, to)
    except FileExistsError:
        raise EnvironmentProblem(f"{to} exists already", fix="Name a new file, or say --replace") from None
    except OSError:  # a file system without links
        made.rename(to)
