"""A restore takes effect as a whole, whatever ends it in the middle.

What is to be in the data folder lies complete in `.restoring/new` before anything is touched. Then a file says so:

    .restoring/commit    what is there now goes to the folder that this file names
    .restoring/placing   that is done; what lies in `new` takes its place

Both steps are renames and can be begun again, so whoever opens the folder next finishes what was interrupted.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from twintrack.ledger.folder import BACKUPS, on_disk
from twintrack.signals.weights import ROUTER, VERIFIER

_STAGE: Final = ".restoring"
_COMMIT: Final = "commit"
_PLACING: Final = "placing"
_REPLACED: Final = ("*.db", "*.db-wal", "*.db-shm", "journal", "catalog", ROUTER, VERIFIER)


def stage(folder: Path) -> Path:
    """An empty folder for what is to be put in place; what an interrupted restore left there before is removed."""
    shutil.rmtree(folder / _STAGE, ignore_errors=True)
    (folder / _STAGE).mkdir(mode=0o700)
    new = folder / _STAGE / "new"
    new.mkdir(mode=0o700)
    return new


def drop(folder: Path) -> None:
    """Forget what was staged."""
    if is_begun(folder):
        shutil.rmtree(folder / _STAGE)


def occupied(folder: Path) -> list[str]:
    """Names of what a restore would replace."""
    return sorted(each.name for pattern in _REPLACED for each in folder.glob(pattern) if _holds(each))


def _holds(path: Path) -> bool:
    return not path.is_dir() or any(path.iterdir())


def is_begun(folder: Path) -> bool:
    """Whether a restore was begun and is not finished; it may be going on."""
    return (folder / _STAGE).exists()


def is_committed(folder: Path) -> bool:
    """Whether it is to be finished, rather than forgotten."""
    return any((folder / _STAGE / name).exists() for name in (_COMMIT, _PLACING))


def commit(folder: Path, aside: str) -> None:
    """What is staged shall be what the folder holds; what it holds now shall go to `backups/ASIDE` in it."""
    stage = folder / _STAGE
    for path in (stage / "new").rglob("*"):
        on_disk(path)
    on_disk(stage / "new")
    unsure = stage / "unsure"
    unsure.write_text(aside)
    on_disk(unsure)
    unsure.rename(stage / _COMMIT)
    on_disk(stage)


def finish(folder: Path) -> None:
    """Do what a committed restore has left to do, and forget one that was not committed. The caller keeps others from
    the folder meanwhile.

    Raises:
        OSError: the folder cannot be written.
    """
    stage = folder / _STAGE
    if (stage / _COMMIT).exists():
        aside = folder / BACKUPS / (stage / _COMMIT).read_text()
        for name in occupied(folder):
            aside.parent.mkdir(mode=0o700, exist_ok=True)
            aside.mkdir(mode=0o700, exist_ok=True)
            os.rename(folder / name, aside / name)
        on_disk(folder)
        (stage / _COMMIT).rename(stage / _PLACING)
        on_disk(stage)
    if (stage / _PLACING).exists():
        for path in sorted((stage / "new").iterdir()):
            if path.is_dir() and (folder / path.name).is_dir():
                (folder / path.name).rmdir()  # an empty one, as a program that starts makes it
            os.rename(path, folder / path.name)
        on_disk(folder)
        (stage / _PLACING).unlink()
    drop(folder)
