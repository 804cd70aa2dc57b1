"""Options that several of the audit's commands have."""

from __future__ import annotations

import time
from pathlib import Path

import click

from twintrack.errors import LedgerError
from twintrack.ledger.audit import checkpoint
from twintrack.ledger.moment import FORMS, moment_us


def _moment(ctx: click.Context, param: click.Parameter, value: str) -> int:
    if value == "now":
        return time.time_ns() // 1000
    if value == "begin":
        return 0
    try:
        return moment_us(value, time.time_ns() // 1000)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time. {FORMS}", ctx, param) from None


since = click.option(
    "--from",
    "since",
    callback=_moment,
    default="begin",
    show_default=True,
    metavar="TIME",
    help="30d, 12h, 2026-11-01, 2026-11-01T09:00 (UTC).",
)
until = click.option(
    "--to", "until", callback=_moment, default="now", show_default=True, metavar="TIME", help="The end, likewise."
)


def no_chain(folder: Path, checkpoints: tuple[Path, ...], *, as_json: bool) -> None:
    """Say that there is none. Raises LedgerError if checkpoints tell of one: then it was there."""
    if any(checkpoint.read(file) for file in checkpoints):
        raise LedgerError(
            f"There is no chain in {folder}, and the checkpoints tell of one",
            why="its database was removed, or lies in another folder",
            fix="Name its folder with --data, or restore a backup",
        )
    click.echo("null" if as_json else f"There is no chain in {folder}: no request has been answered yet.")


checkpoints = click.option(
    "--checkpoints",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="File or folder with checkpoints from outside; can be said several times.",
)
public_key = click.option(
    "--public-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="PEM file of an Ed25519 key that signed checkpoints.",
)
