"""Fitted weights in the data folder: taken whole, and taken back."""

from __future__ import annotations

import os
from pathlib import Path

from twintrack.errors import TwintrackError


def take(folder: Path, name: str, weights: bytes) -> None:
    """Swap the file whole: a reader sees the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    new = folder / f".{name}.{os.getpid()}"
    with new.open("wb") as file:
        file.write(weights)
        file.flush()
        os.fsync(file.fileno())
    new.chmod(0o600)  # a router's holds hashed words of your traffic
    if path.exists():
        before = folder / f".{_before(name)}.{os.getpid()}"
        before.unlink(missing_ok=True)
        os.link(path, before)
        before.replace(folder / _before(name))
    else:
        (folder / _before(name)).unlink(missing_ok=True)
    new.replace(path)


def undone(folder: Path, name: str, what: str, without: str) -> str:
    """Take back the last one, and say so.

    Args:
        what: it is called.
        without: what happens where there is none.
    """
    path, before = folder / name, folder / _before(name)
    if before.exists():
        before.replace(path)
        return f"The {what} before the last one is back: {path}"
    if path.exists():
        path.unlink()
        return f"The {what} is gone, and there was none before it: {without}. {path} is no more."
    raise TwintrackError(f"There is no learned {what} in {folder}", fix="Name another data folder with --data.")


def _before(name: str) -> str:
    return name.replace(".json", ".before.json")
