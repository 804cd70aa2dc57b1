"""What an installation downloads: few packages, each with a hash, from wherever the installing machine looks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = ("core", "local", "dev", "build")
MOST_CORE_PACKAGES = 30


@pytest.fixture(scope="session")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def text_of(root: Path, name: str) -> str:
    return (root / "requirements" / f"{name}.txt").read_text()


def pins(root: Path, name: str) -> list[Requirement]:
    """The entries of a requirement file, with versions and markers."""
    lines = text_of(root, name).splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if line and line[0].isalnum()]


def versions(root: Path, name: str) -> dict[str, str]:
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in pins(root, name)}


def installed_on(requirements: list[Requirement], **environment: str) -> list[str]:
    where = {**default_environment(), "extra": "", **environment}
    return [each.name for each in requirements if each.marker is None or each.marker.evaluate(where)]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_core_install_is_small(root, python, record_property):
    core = installed_on(pins(root, "core"), python_version=python, python_full_version=f"{python}.0")
    record_property("core packages", len(core))
    assert len(core) <= MOST_CORE_PACKAGES, f"{len(core)} packages: {', '.join(core)}"


def test_the_readme_says_how_many_packages_that_is(root):
    core = installed_on(pins(root, "core"))
    assert f"{len(core)} packages" in (root / "README.md").read_text()


@pytest.mark.parametrize("name", FILES)
def test_every_entry_has_a_version_and_hashes(root, name):
    entries = re.split(r"\n(?=\S)", text_of(root, name))
    named = [each for each in entries if each[0].isalnum()]
    assert len(named) == len(pins(root, name)) > 0
    for entry in named:
        assert re.match(r"\S+==\S+ ", entry), f"no version: {entry}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), f"no hash: {entry}"


@pytest.mark.parametrize("name", FILES)
def test_requirement_files_name_no_address(root, name):
    text = text_of(root, name)
    assert "make requirements" in text.splitlines()[1]
    assert "://" not in text
    assert {line.split()[0] for line in text.splitlines() if line.startswith("-")} == set()
    assert set(re.findall(r"(?<!\S)--[a-z-]+", text)) <= {"--hash"}


def test_requirement_files_hold_what_pyproject_asks_for(root, project):
    extras = project["project"]["optional-dependencies"]
    core = project["project"]["dependencies"]
    asked = {
        "core": core,
        "local": core + extras["local"],
        "dev": core + extras["local"] + extras["dev"],
        "build": project["build-system"]["requires"],
    }
    for name, requirements in asked.items():
        pinned = versions(root, name)
        for requirement in map(Requirement, requirements):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version is not None, f"requirements/{name}.txt lacks {requirement}: run `make requirements`"
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is pinned to {version}"


def test_all_requirement_files_fit_into_one_environment(root):
    dev = versions(root, "dev")
    for name in ("core", "local"):
        assert versions(root, name).items() <= dev.items()
    for package, version in versions(root, "build").items():
        assert dev.get(package, version) == version
