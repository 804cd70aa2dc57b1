"""The wheel holds all of the package, its data and its licence, and nothing that runs at start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest


@pytest.fixture(scope="module")
def names(needs, root: Path, tmp_path_factory) -> list[str]:
    """Files in a wheel built from this tree."""
    needs("hatchling", "builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-qq", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(root)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        return archive.namelist()


def test_it_holds_every_file_of_the_package(names, tracked):
    package = {str(path.relative_to("src")) for path in tracked if path.is_relative_to("src/twintrack")}
    assert {name for name in names if name.startswith("twintrack/")} == package


@pytest.mark.parametrize("suffix", [".gguf", ".toml", ".json", ".html", ".css", "py.typed"])
def test_it_holds_data(names, suffix):
    assert any(name.endswith(suffix) for name in names)


def test_it_holds_the_licence(names):
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_holds_nothing_beside_the_package(names):
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"twintrack"}
    assert not any(name.endswith(".pth") for name in names)
