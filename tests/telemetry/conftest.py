from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_records import Books, opened


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """A data folder of its own, with a worker and a loader."""
    yield from opened(tmp_path / "data")


@pytest.fixture
def promtool() -> str:
    """The program; tests that use it are marked with `needs`."""
    path = shutil.which("promtool", path=os.environ.get("PATH", os.defpath))
    assert path is not None
    return path
