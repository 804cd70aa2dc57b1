"""The data folder: who holds it, and what of it has to be kept together.

A gateway holds `run/lock` for as long as it runs, whoever loads journals holds `loader.lock`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from twintrack.errors import EnvironmentProblem

RUN: Final = "run"
BACKUPS: Final = "backups"
"""Copies that we made unasked: before an upgrade, and of what a restore replaced."""
_LOCK: Final = "lock"
_GLANCE_S: Final = 0.5
"""What a glance at the lock takes at most, on a machine that has much to do: `holder` has it for a moment."""
LOADER_LOCK: Final = "loader.lock"
BUSY_S: Final = 5.0
"""What a command that loads the journals gets to finish, where a gateway wants to; it began while none did."""
_LOOK_S: Final = 0.02


def claim(folder: Path) -> int:
    """Hold the data folder, made if missing, until the returned file is closed.

    Raises:
        EnvironmentProblem: it cannot be written, or another gateway holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / RUN).mkdir(exist_ok=True, mode=0o700)
        handle = os.open(folder / RUN / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"The data folder {folder} cannot be used",
            why=str(error),
            fix="Set server.data to a folder this user may write.",
        ) from None
    try:
        hold(handle, _GLANCE_S)
    except OSError:
        owner = os.pread(handle, 32, 0).decode().strip() or "unknown"
        os.close(handle)
        raise EnvironmentProblem(
            f"Another gateway (process {owner}) uses the data folder {folder}",
            fix="Stop it, or set server.data to another folder.",
        ) from None
    os.pwrite(handle, f"{os.getpid():<31}\n".encode(), 0)
    return handle


def hold(handle: int, patience_s: float = 0.0) -> None:
    """Lock a file for ourselves; raises BlockingIOError if somebody else has it all that time."""
    late = time.monotonic() + patience_s
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= late:
                raise
            time.sleep(_LOOK_S)


def holder(folder: Path) -> int | None:
    """Process of the gateway that holds the folder; None: nobody does, 0: somebody whose number is not known."""
    try:
        handle = os.open(folder / RUN / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        said = os.pread(handle, 32, 0).decode(errors="replace").strip()
        return int(said) if said.isdecimal() else 0
    finally:
        os.close(handle)
    return None


@contextmanager
def loading(folder: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Keep everybody else from loading the folder's journals.

    Raises:
        BlockingIOError: somebody does, all that time.
        OSError: the folder cannot be written.
    """
    handle = os.open(folder / LOADER_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        hold(handle, patience_s)
        yield
    finally:
        os.close(handle)


def on_disk(path: Path) -> None:
    """Return when a file, or the names in a folder, cannot be lost any more."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
