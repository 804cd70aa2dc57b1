from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # ledger_records, which tests and the processes they start share

from ledger_records import Books, opened  # needs the path


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    yield from opened(tmp_path / "data")
