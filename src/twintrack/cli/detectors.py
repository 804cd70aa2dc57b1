"""The detectors as a configuration has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from twintrack.cli.file import USUAL, present
from twintrack.config.load import load
from twintrack.config.settings import Detect, Settings
from twintrack.config.source import Source
from twintrack.gateway import detecting
from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.grade import Ladder


def option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"Configuration with rules of your own. Default: ./{USUAL} if it is there, else what is built in.",
    )(function)


def configured(config: Path | None) -> tuple[Settings, Source] | None:
    """The configuration named, or the usual one if it is there; None: neither.

    Raises:
        ConfigError: it cannot be read or is wrong.
    """
    if config is None and not USUAL.exists():
        return None
    return load(present(config or USUAL), environ=None)


def detector(detect: Detect) -> Detector:
    """Raises ConfigError: a rule's pattern or check is none."""
    return detecting.detector(detect, detecting.cache())


def steps(detect: Detect) -> Ladder:
    return detecting.steps(detect)
