"""Two processes of a run share the machine. A test that measures time by the clock gets it for itself."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Files that are there anyway serve as locks; the kernel lets go of them when their holder dies.
_DOOR = Path(__file__)
_ROOM = Path(__file__).with_name("__init__.py")


@contextmanager
def inside(*, alone: bool) -> Iterator[None]:
    """Together with others who are not `alone`; who wants to be alone waits for those inside and lets nobody pass."""
    with _locked(_DOOR, fcntl.LOCK_EX) as door, _locked(_ROOM, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(file, how)
        yield file
    finally:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)  # a child that was forked meanwhile holds it too
        os.close(file)
