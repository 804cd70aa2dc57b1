"""The one file that a backup is: a tar archive that begins with a list of what is in it and the digest of each.

    manifest.json            see `Manifest`
    manifest.sha256          digest of that, 64 hex digits
    ledger.db                a copy of the database, whole
    journal/*.journal        what was not in the database yet, of each segment the part that is written
    catalog/*                facts and prices that an operator imported
    router.json              the router fitted to verdicts, where there is one
    verifier.json            what judges drafts, likewise
    configuration/NAME       the configuration file

It holds no secret: the configuration has references only, and what they lead to stays where it is.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

import msgspec

from twintrack.errors import TwintrackError

FORMAT: Final = 1
CONFIGURATION: Final = "configuration/"
_MANIFEST: Final = "manifest.json"
_DIGEST: Final = "manifest.sha256"
_MOST_MANIFEST_BYTES: Final = 16 * 1024 * 1024
_PART: Final = 1024 * 1024
_NAME: Final = re.compile(
    r"([A-Za-z0-9_-]+\.db|(?:router|verifier)\.json|(?:journal|catalog|configuration)/[A-Za-z0-9_.-]+)"
)


class BackupBroken(TwintrackError):
    """The file is not a whole backup of ours. Nothing was changed."""

    code = "backup_broken"


class File(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    twintrack: str
    """The version that wrote it."""
    made: str
    """UTC, like 2026-11-30T02:00:00Z."""
    data: str
    """The folder it was made of."""
    schema_version: int
    """Of the ledger; 0: there was none."""
    attempts: int
    """Rows of the ledger; those that lay in the journal only come on top."""
    files: tuple[File, ...]
    needs: tuple[str, ...] = ()
    """References to secrets and names of files that the configuration leads to; none of them is in here."""

    @property
    def configuration(self) -> str:
        """Name of the configuration file; empty: there is none in it."""
        return next((each.name.removeprefix(CONFIGURATION) for each in self.files if CONFIGURATION in each.name), "")


def described(name: str, path: Path) -> File:
    """Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
            size += len(part)
    return File(name, size, digest.hexdigest())


def write(to: Path, manifest: Manifest, folder: Path) -> None:
    """Write what `manifest` lists, as it lies below `folder`, to a new file that only its owner can read.

    Raises:
        OSError: no space, or `to` exists.
    """
    with (
        open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        text = msgspec.json.format(msgspec.json.encode(manifest))
        digest = hashlib.sha256(text).hexdigest().encode()
        for name, content in ((_MANIFEST, text), (_DIGEST, digest)):
            archive.addfile(_header(name, len(content)), io.BytesIO(content))
        for each in manifest.files:
            with (folder / each.name).open("rb") as source:
                archive.addfile(_header(each.name, each.bytes), source)


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o600
    return header


def unpack(file: Path, wanted: Callable[[Manifest], None], to: Path) -> Manifest:
    """Check every byte of a backup and lay its files below `to`, under their names.

    Args:
        wanted: is shown the list before anything is written; raises to stop.
    Raises:
        BackupBroken: it is cut off, changed, of a newer form, or no backup at all.
        OSError: `file` cannot be read or `to` not written.
    """
    try:
        with file.open("rb") as opened, tarfile.open(fileobj=opened, mode="r:") as archive:
            manifest = _manifest(archive, file)
            wanted(manifest)
            for each in manifest.files:
                member = archive.next()
                if member is None or member.name != each.name or not member.isreg() or member.size != each.bytes:
                    raise _broken(file, f"{each.name} is missing or of another size")
                content = archive.extractfile(member)
                assert content is not None
                _lay_down(file, each, content, to)
            if archive.next() is not None:
                raise _broken(file, "it holds more than it lists")
            return manifest
    except (tarfile.TarError, ValueError) as error:  # ValueError: a header with a number that is none
        raise _broken(file, str(error)) from None


def _small(archive: tarfile.TarFile, name: str) -> bytes | None:
    """Content of the next member; None if it has another name, or is no file of a reasonable size."""
    member = archive.next()
    if member is None or member.name != name or not member.isreg() or member.size > _MOST_MANIFEST_BYTES:
        return None
    content = archive.extractfile(member)
    assert content is not None
    return content.read()


def _manifest(archive: tarfile.TarFile, file: Path) -> Manifest:
    text = _small(archive, _MANIFEST)
    if text is None:
        raise _broken(file, "it does not begin with a list of its files")
    if _small(archive, _DIGEST) != hashlib.sha256(text).hexdigest().encode():
        raise _broken(file, "its list is not what was written: its digest differs")
    try:
        form = msgspec.json.decode(text, type=_Form).format
        if form > FORMAT:
            raise BackupBroken(
                f"{file} was made by a newer version of Twintrack",
                why=f"it has form {form}, this program reads up to {FORMAT}",
                fix="Restore it with that version.",
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _broken(file, f"its list cannot be read: {error}") from None
    _check_names(file, [each.name for each in manifest.files])
    return manifest


class _Form(msgspec.Struct):
    format: int


def _check_names(file: Path, names: list[str]) -> None:
    """Names come from outside: none may lead out of the folder, or stand for two files."""
    odd = [name for name in names if not _NAME.fullmatch(name) or ".." in name]
    if odd or len(set(names)) != len(names):
        raise _broken(file, f"it lists {odd[0] if odd else 'a name twice'}")


def _lay_down(file: Path, listed: File, content: IO[bytes], to: Path) -> None:
    target = to / listed.name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as new:
        for part in _parts(content):
            digest.update(part)
            new.write(part)
    if digest.hexdigest() != listed.sha256:
        raise _broken(file, f"{listed.name} is not what was written: its digest differs")


def _parts(content: IO[bytes]) -> Iterable[bytes]:
    while part := content.read(_PART):
        yield part


def _broken(file: Path, why: str) -> BackupBroken:
    return BackupBroken(f"{file} is not a whole backup", why=why, fix="Use another one; nothing was changed.")
