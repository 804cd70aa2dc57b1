"""Generated documents are as the commands and settings are now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twintrack.cli.reference import reference

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("module", "document"),
    [
        ("twintrack.cli.reference", "cli.md"),
        ("twintrack.config.reference", "configuration.md"),
        ("twintrack.providers.scripted.reference", "failures.md"),
        ("twintrack.catalog.licences_page", "licences.md"),
        ("twintrack.telemetry.reference", "metrics.md"),
    ],
)
def test_a_generated_document_is_up_to_date(module, document):
    printed = subprocess.check_output([sys.executable, "-m", module], text=True)
    assert (DOCS / document).read_text() == printed, f"run: python -m {module} > docs/{document}"


def test_terminal_and_environment_change_nothing():
    elsewhere = dict(os.environ) | {"COLUMNS": "40", "TERM": "xterm-256color", "FORCE_COLOR": "1", "LANG": "C"}
    printed = subprocess.check_output([sys.executable, "-m", "twintrack.cli.reference"], env=elsewhere)
    assert printed.decode() == reference()


def test_every_command_has_a_section_and_every_option_a_row():
    text = reference()
    for command in ("up", "serve", "demo", "explain", "ledger", "models", "config", "config check", "config schema"):
        assert f"# `twintrack {command}`\n" in text
    assert "| `--use PROVIDER[:MODEL]` | " in text
    assert "--help" not in text.partition("## `twintrack up`")[2]
