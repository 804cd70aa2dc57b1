"""twintrack audit checkpoint: the newest signed end of the chain, to keep elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from twintrack.cli import data as data_folder
from twintrack.cli.audit_keys import signer
from twintrack.errors import LedgerError
from twintrack.ledger.audit import checkpoints
from twintrack.ledger.audit.checkpoint import line
from twintrack.ledger.database import reading
from twintrack.ledger.load import Loader, LoaderBusy


@click.command("checkpoint")
@data_folder.option
def command(data: Path | None) -> None:
    """Print the newest checkpoint, a line of JSON, to be kept where nobody can change it later.

    Signs a new one if no gateway is running; one that runs does so itself, each minute. `twintrack audit verify
    --checkpoints FILE` holds the chain against a file of such lines.
    """
    folder = data_folder.served(data)
    path = data_folder.ledger(folder)
    if path is None:
        raise LedgerError(f"There is no chain in {folder}", fix="Send a request first, or name its folder with --data")
    try:
        with Loader(folder) as loader:
            loader.checkpoint(signer(folder))
    except LoaderBusy:
        pass  # a gateway has the ledger, and signs itself
    with reading(path) as db:
        made = checkpoints.newest(db)
    if made is None:
        raise LedgerError("There is no checkpoint yet", fix="Wait a minute: the gateway that runs will sign one")
    click.echo(line(made).decode())
