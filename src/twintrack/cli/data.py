"""Where the commands find the ledger, and how they make sure that it is up to date."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from twintrack.cli.file import USUAL
from twintrack.config.load import load as load_configuration
from twintrack.errors import ConfigError, LedgerError
from twintrack.ledger.behind import is_loaded, written
from twintrack.ledger.database import database, is_empty
from twintrack.ledger.load import Loader, LoaderBusy
from twintrack.ledger.pending import is_begun
from twintrack.ledger.segment import SUFFIX, journal_folder

_PATIENCE_S = 5.0
"""What a running gateway gets to load what we want to see; it does so four times a second."""
_POLL_S = 0.02

option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder. Default: TWINTRACK_HOME, else what ./twintrack.toml says, else ./.twintrack, else "
    "~/.local/share/twintrack.",
)


def folder(said: Path | None) -> Path:
    """The data folder a command works on."""
    if said is not None:
        return said
    if home := os.environ.get("TWINTRACK_HOME"):
        return Path(home)
    if USUAL.exists() and (configured := _configured()) is not None:
        return configured
    here = Path(".twintrack")
    return here if here.exists() else Path.home() / ".local" / "share" / "twintrack"


def _configured() -> Path | None:
    """What `serve` writes to here, by ./twintrack.toml. None: that cannot be read, which is for others to say."""
    try:
        settings, source = load_configuration(USUAL, environ=None)
    except ConfigError:
        return None
    return Path(source.absolute(settings.server.data))


def served(said: Path | None) -> Path:
    """The data folder that `serve` would use here: of ./twintrack.toml if there is one.

    Raises:
        ConfigError: the file cannot be read.
    """
    if said is None and USUAL.exists():
        settings, source = load_configuration(USUAL, environ=None)
        return Path(source.absolute(settings.server.data))
    return folder(said)


def ledger(data: Path) -> Path | None:
    """The database, with everything in it that workers have written so far; None if there is nothing yet.

    A running gateway loads its journals itself, within a fraction of a second. If none does, this command does it.
    """
    if not load(data):
        _warn(("The newest rows may be missing: the running gateway has not loaded them.",))
    path = database(data)
    return path if path.exists() and not is_empty(path) else None


def load(data: Path) -> bool:
    """Load what workers have written so far. False: another process does that, and is not done after some seconds."""
    path = database(data)
    waiting = any(journal_folder(data).glob(f"*{SUFFIX}"))
    if waiting or path.exists() or is_begun(data):
        try:
            with Loader(data) as loader:
                while not (loaded := loader.load()).caught_up:
                    _warn(loaded.problems)
                _warn(loaded.problems)
        except LoaderBusy:
            return _loaded_elsewhere(data)
        except LedgerError as error:
            if not path.exists():
                raise
            _warn((f"The newest rows may be missing: {error}",))
    return True


def _loaded_elsewhere(data: Path) -> bool:
    """A gateway that has just started may still be making its ledger, or bringing it up to date."""
    ends = written(data)
    late = time.monotonic() + _PATIENCE_S
    while not is_loaded(data, ends):
        if time.monotonic() >= late:
            return False
        time.sleep(_POLL_S)
    return True


def _warn(problems: tuple[str, ...]) -> None:
    for problem in problems:
        click.echo(f"twintrack: {problem}", err=True)
