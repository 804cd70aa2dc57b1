from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Folder of the repository."""
    return _ROOT


@pytest.fixture(scope="session")
def tracked(needs, root: Path) -> list[Path]:
    """Every file git has or would add, relative to the repository."""
    needs("git")
    listing = ["git", "-C", str(root), "-c", f"safe.directory={root}", "ls-files", "-z"]
    listing += ["--cached", "--others", "--exclude-standard"]
    shown = subprocess.run(listing, check=True, capture_output=True, text=True).stdout
    return sorted({Path(name) for name in shown.split("\0") if name and (root / name).is_file()})
