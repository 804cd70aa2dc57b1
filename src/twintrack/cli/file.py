"""The configuration file a command works on."""

from __future__ import annotations

from pathlib import Path

from twintrack.errors import ConfigError

USUAL = Path("twintrack.toml")


def present(file: Path) -> Path:
    """`file`, if it is there.

    Raises:
        ConfigError: it is not; says how to come by one.
    """
    if not file.exists():
        raise ConfigError(
            f"There is no configuration {file}",
            fix="Name another, or write one from what is on this machine: twintrack init",
        )
    return file
