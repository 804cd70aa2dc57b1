"""Mixed traffic, faulty providers, clients that leave: seconds of what `make soak` does for an hour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def soaked(folder: Path, *options: str) -> dict[str, Any]:
    """The report; AssertionError with all that was printed if a property failed."""
    report = folder / "report.json"
    ran = subprocess.run(
        [sys.executable, "-m", "soak", "--json", str(report), "--folder", str(folder / "run"), *options],
        env=os.environ | {"PYTHONPATH": str(BENCH)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    read: dict[str, Any] = json.loads(report.read_text())
    return read


@pytest.mark.alone
@pytest.mark.parametrize(
    "options",
    [
        ("--minutes", "0.17", "--workers", "2", "--seed", "7"),
        pytest.param(("--minutes", "1", "--workers", "3", "--seed", "8"), marks=pytest.mark.long),
    ],
    ids=["ten seconds", "a minute"],
)
def test_after_faults_and_leaving_clients_the_books_agree_and_nothing_is_left(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    report = soaked(tmp_path, *options)
    assert report["held"]
    held = {each["name"]: each["held"] for each in report["properties"]}
    assert held["the ledger equals the invoices"]
    assert held["no stuck task or socket"]
    traffic = report["properties"][0]["figures"]
    assert traffic["requests"] > 200
    assert set(traffic["endpoints"]) == {"chat", "messages", "responses", "embeddings"}
