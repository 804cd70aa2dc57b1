"""twintrack catalog undo: take the last import back."""

from __future__ import annotations

from pathlib import Path

import click

from twintrack.catalog import revisions
from twintrack.cli import data as data_folder


@click.command("undo")
@data_folder.option
def command(data: Path | None) -> None:
    """Take the last import back. Once more takes the one before it back, down to the facts that ship."""
    folder = str(data_folder.folder(data))
    held, back = revisions.undo(folder)
    holds = f"revision {back.number} of {back.imported_at}" if back.number else "what ships"
    click.echo(f"Revision {held.number} of {held.imported_at} no longer holds; {holds} does.")
