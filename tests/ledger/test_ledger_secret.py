"""The data folder's secret is made once, by whoever comes first."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from twintrack.errors import EnvironmentProblem
from twintrack.ledger.secret import secret


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    first = secret(tmp_path / "data")
    assert len(first) == 32
    assert secret(tmp_path / "data") == first
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(secret, [tmp_path] * 16))) == 1


def test_replicas_share_what_the_configuration_says(tmp_path: Path) -> None:
    assert secret(tmp_path / "one", "shared") == secret(tmp_path / "two", "shared")
    assert secret(tmp_path / "one", "shared") != secret(tmp_path / "one", "other")
    assert not (tmp_path / "one").exists()


def test_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(EnvironmentProblem, match="It has 5 bytes"):
        secret(tmp_path)
