"""The detectors as a configuration has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from twintrack.cli.file import USUAL, present
from twintrack.config.load import load
from twintrack.config.settings import Detect, Settings
from twintrack.config.source import Source
from twintrack.signals.sensitivity.detector import CustomRule, Detector
from twintrack.signals.sensitivity.grade import Ladder, ladder


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
    custom = [
        CustomRule(
            name=rule.name,
            category=rule.category,
            terms=rule.terms,
            pattern=rule.pattern,
            words=rule.words,
            check=rule.check,
            finds=rule.finds,
            ignores=rule.ignores,
        )
        for rule in detect.rules
    ]
    return Detector(custom, cache())


def steps(detect: Detect) -> Ladder:
    return ladder(detect.classes, detect.thresholds)


def cache() -> Path:
    """Where compiled words are kept between runs (XDG Base Directory Specification 0.8)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "twintrack")
