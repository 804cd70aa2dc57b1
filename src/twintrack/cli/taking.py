"""Fitted weights in the data folder: what they are fitted to, taken whole, and taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from twintrack.cli import data as data_folder
from twintrack.errors import ConfigError, TwintrackError, nearest
from twintrack.wire.feedback import SOURCES

if TYPE_CHECKING:
    from twintrack.ledger.verdicts import Judgement

Command = Callable[..., Any]
_Weights = TypeVar("_Weights")
LEDGER = "ledger"
TAKEN_UP = "A running gateway takes it up within two seconds; --undo takes it back."


def options(what: str, rows: str) -> Callable[[Command], Command]:
    """Of a command that fits `what` to verdicts; `rows` of a file."""
    each = (
        click.option("--from", "source", metavar="FILE", help=f"{rows}: .parquet, .jsonl or .csv; or the word ledger."),
        click.option(
            "--source",
            "sources",
            multiple=True,
            type=click.Choice(SOURCES),
            help="Of the ledger's verdicts only those by human, check, judge or feedback; may be given several times.",
        ),
        click.option("--dry-run", is_flag=True, help="Fit and compare, and leave everything as it is."),
        click.option("--undo", is_flag=True, help=f"Take back the {what} that was in use before the last one."),
        click.option(
            "--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the folds and the bootstrap."
        ),
        data_folder.option,
        click.option("--json", "as_json", is_flag=True, help="For programs."),
        click.pass_context,
    )
    return lambda command: reduce(lambda inner, option: option(inner), reversed(each), command)


def named(source: str | None, sources: tuple[str, ...], ctx: click.Context) -> str:
    """Where the verdicts are. Raises click.UsageError: nobody said so, or it does not go together."""
    if source is None:
        raise click.UsageError("Say where the verdicts are: --from ledger, or --from FILE", ctx)
    if source != LEDGER and nearest(source, (LEDGER,), 1) and not Path(source).exists():
        raise click.UsageError(f"There is no file {source}. Did you mean --from {LEDGER}?", ctx)
    if sources and source != LEDGER:
        raise click.UsageError("--source is about the ledger's verdicts: --from ledger", ctx)
    return source


def undo_alone(source: str | None, sources: tuple[str, ...], dry_run: bool, ctx: click.Context) -> None:
    """Raises click.UsageError: something is to be taken back, and something else be done or not be done as well."""
    if source is not None or sources or dry_run:
        also = "--from" if source is not None else "--source" if sources else "--dry-run"
        raise click.UsageError(f"--undo takes back what is in use, and {also} does not go with it.", ctx)


def judged(folder: Path, sources: tuple[str, ...]) -> list[Judgement]:
    """Verdicts of the ledger. Raises TwintrackError: it holds none."""
    from twintrack.ledger.verdicts import judgements

    database = data_folder.ledger(folder)
    found = judgements(database, sources=sources or SOURCES) if database is not None else []
    if not found:
        raise TwintrackError(
            f"The ledger in {folder} holds no verdicts{' by ' + ', '.join(sources) if sources else ''}",
            fix="Send them to POST /v1/feedback or use `twintrack feedback`; or give a file: --from FILE",
        )
    return found


def usable(what: str, read: Callable[[], _Weights]) -> _Weights | None:
    """The fitted `what` in use. None, which is said: it cannot be used, as one of another version. The gateway does
    without it too, and fitting another one is the way out."""
    try:
        return read()
    except ConfigError as error:
        why = f" ({error.why})" if error.why else ""
        click.echo(f"The {what} in use cannot be used, and nothing is compared with it: {error.what}{why}.", err=True)
        return None


def take(folder: Path, name: str, weights: bytes) -> None:
    """Swap the file whole: a reader sees the old one or the new one. Raises TwintrackError: it cannot be written."""
    new, before = (folder / f".{each}.{os.getpid()}" for each in (name, _before(name)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(weights)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(0o600)  # a router's holds hashed words of your traffic
        path = folder / name
        if path.exists():
            before.unlink(missing_ok=True)
            os.link(path, before)
            before.replace(folder / _before(name))
        else:
            (folder / _before(name)).unlink(missing_ok=True)
        new.replace(path)
    except OSError as error:
        raise TwintrackError(
            f"{folder / name} cannot be written",
            why=error.strerror or "",
            fix="Run it as the gateway's user, and with space left; or with --dry-run.",
        ) from None


def undone(folder: Path, name: str, what: str, without: str, *, as_json: bool = False) -> str:
    """Take back the last one, and say so.

    Args:
        what: it is called.
        without: what happens where there is none.
    """
    path, before = folder / name, folder / _before(name)
    if before.exists():
        before.replace(path)
        said = f"The {what} before the last one is back: {path}"
    elif path.exists():
        path.unlink()
        said = f"The {what} is gone, and there was none before it: {without}. {path} is no more."
    else:
        raise TwintrackError(f"There is no learned {what} in {folder}", fix="Name another data folder with --data.")
    return json.dumps({"undone": True, "weights": str(path) if path.exists() else None}) if as_json else said


def _before(name: str) -> str:
    return name.replace(".json", ".before.json")
