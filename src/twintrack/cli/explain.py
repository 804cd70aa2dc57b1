"""twintrack explain: why a request went where it went, and what became of it."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from twintrack.cli import complete
from twintrack.cli import data as data_folder
from twintrack.errors import TwintrackError
from twintrack.ledger.audit.decisions import decision_of
from twintrack.ledger.audit.told import was_read
from twintrack.ledger.database import database, reading
from twintrack.ledger.entries import Entry, entries
from twintrack.ledger.story import told
from twintrack.ledger.verdicts import sentences


@click.command("explain")
@click.argument("request_id", metavar="ID", shell_complete=complete.requests)
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="The ledger's rows, for programs.")
def command(request_id: str, data: Path | None, as_json: bool) -> None:
    """Say in sentences why a request went where it went.

    ID is what the answer carried in its x-twintrack-id header.
    """
    folder = data_folder.folder(data)
    found = _found(folder, request_id)
    if not found:
        raise TwintrackError(
            f"There is no request {request_id!r} in the ledger of {folder}",
            fix="Use the x-twintrack-id of an answer, and --data for another ledger",
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    for line in (*told(found), *_read(folder, request_id), *sentences(database(folder), request_id)):
        click.echo(line)


def _read(folder: Path, request_id: str) -> list[str]:
    with reading(database(folder)) as db:
        decision = decision_of(db, request_id)
    return was_read(decision) if decision is not None else []


def _found(folder: Path, request_id: str) -> list[Entry]:
    """The entries of a request; where another process loads the ledger, after it had time to do so."""
    data_folder.load(folder)
    path = database(folder)
    return entries(path, request_id) if path.exists() else []
