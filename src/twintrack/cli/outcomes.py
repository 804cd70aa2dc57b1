"""Files of outcomes on the command line: what a reader of one should know is said on stderr."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twintrack.cli.file import USUAL
from twintrack.errors import ConfigError, nearest

if TYPE_CHECKING:
    from twintrack.training.files import Outcomes


def read(path: Path) -> Outcomes:
    """Raises what `read_outcomes` does."""
    from twintrack.training.files import read_outcomes

    outcomes = read_outcomes(path)
    if outcomes.best_mark != 1:
        click.echo(f"Scores in {path.name} run up to {outcomes.best_mark:g} and are divided by that.", err=True)
    if outcomes.dropped:
        click.echo(f"{outcomes.dropped:,} rows of {path.name} hold no prompt or are marked as contaminated.", err=True)
    return outcomes


def tell_unknown(names: Iterable[str], file: Path = USUAL) -> None:
    """Say which of these the configuration here does not know, as deployments or models: nothing is asked of them."""
    from twintrack.config.effective import deployment_name
    from twintrack.config.load import load

    if not file.exists():
        return
    try:
        deployments = load(file, environ=None)[0].deployments
    except ConfigError:
        return  # of another command's business, and said there
    known = {name for each in deployments for name in (deployment_name(each), each.model)}
    for name in names:
        if name not in known:
            close = nearest(name, known, 1)
            click.echo(
                f"{file} has no deployment or model {name!r}, so what is learned of it is not used"
                + (f"; did you mean {close[0]}?" if close else "."),
                err=True,
            )
