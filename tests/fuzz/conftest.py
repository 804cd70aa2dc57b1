"""A gateway for fuzzing, with secrets in it that must come out nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fuzzing.answers import good
from support.fuzzing.inside import Inside
from support.fuzzing.secrets import ENVIRON, config


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Takes requests without a key, whose providers answer well."""
    found = Inside(config({}, keys=False), tmp_path_factory.mktemp("inside"), good, ENVIRON)
    with found.turning():
        yield found


@pytest.fixture(autouse=True)
def failing_cases_are_kept(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    monkeypatch.setenv("FUZZ_FOUND", str(Path(pytestconfig.rootpath) / ".fuzz"))
