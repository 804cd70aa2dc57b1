"""twintrack audit show: all that the chain says of one request."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.errors import LedgerError
from twintrack.ledger.audit.decisions import decision_of
from twintrack.ledger.audit.opened import reading_chain
from twintrack.ledger.audit.told import told


@click.command("show")
@click.argument("request", metavar="ID")
@data_folder.option
def command(request: str, data: Path | None) -> None:
    """Show as JSON all that the chain says of one request, by its x-twintrack-id or by the number of an entry.

    What routing weighed and what it cost is in the ledger: `twintrack explain ID`.
    """
    folder = data_folder.served(data)
    path = data_folder.ledger(folder)
    found = None
    if path is not None:
        with reading_chain(path) as db:
            found = decision_of(db, request)
    if found is None:
        raise LedgerError(
            f"The chain in {folder} has no request {request}",
            why="it is not there, it was erased, or it is older than the chain",
            fix="Name its x-twintrack-id, or the number of an entry that `twintrack audit list` shows",
        )
    click.echo(msgspec.json.format(msgspec.json.encode(told(found))))
