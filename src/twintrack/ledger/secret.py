"""What placeholders and fingerprints of a data folder are made with: 32 bytes that never leave it."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from twintrack.errors import EnvironmentProblem
from twintrack.ledger.folder import on_disk

FILE: Final = "secret"
_BYTES = 32


def secret(folder: Path, shared: str | None = None) -> bytes:
    """The folder's, made when first asked for. `shared`: what the configuration says instead, for several replicas.

    Raises:
        EnvironmentProblem: it cannot be read or written, or is damaged.
    """
    if shared is not None:
        return hashlib.sha256(b"twintrack\0" + shared.encode()).digest()
    path = folder / FILE
    try:
        if not path.exists():
            _make(folder, path)
        found = path.read_bytes()
    except OSError as error:
        raise EnvironmentProblem(
            f"The secret of the data folder, {path}, cannot be used",
            why=error.strerror or str(error),
            fix="It has to be readable and writable by the user the gateway runs as.",
        ) from None
    if len(found) != _BYTES:
        raise EnvironmentProblem(
            f"The secret of the data folder, {path}, is damaged",
            why=f"It has {len(found)} bytes instead of {_BYTES}",
            fix="Restore it from a backup. If there is none, remove it: placeholders and fingerprints will be others.",
        )
    return found


def _make(folder: Path, path: Path) -> None:
    """Whole or not at all, and of several processes that try only one does."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder / f".{FILE}-{os.getpid()}"
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    on_disk(folder)
