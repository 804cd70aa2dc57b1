"""twintrack backup: ledger, journal and configuration in one file."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from twintrack import __version__
from twintrack.cli import data as data_folder
from twintrack.cli.file import USUAL, present
from twintrack.cli.interrupt import orderly
from twintrack.config.load import load
from twintrack.config.portable import files, leaks, references
from twintrack.config.secrets import is_reference
from twintrack.errors import ConfigError
from twintrack.ledger.backup import Configuration, back_up


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False, metavar="[FILE]")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration to keep with it [default: ./twintrack.toml, if there is one].",
)
@data_folder.option
@click.option("--replace", is_flag=True, help="An earlier FILE may go.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the list of what is in it.")
def command(file: Path | None, config: Path | None, data: Path | None, replace: bool, as_json: bool) -> None:
    """Write ledger, journal and configuration to one FILE, also while a gateway serves.

    FILE is named by the time if nothing is said. It appears whole or not at all, with a digest of each part, and only
    its owner can read it. Secrets are not in it, only what they are called.
    """
    kept, folder, notes = _configuration(config, data)
    to = file or Path(time.strftime("twintrack-%Y%m%dT%H%M%SZ.backup", time.gmtime()))
    with orderly():
        manifest = back_up(folder, to, kept, version=__version__, replace=replace)
    for note in notes:
        click.echo(f"twintrack: {note}", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"file": str(to), **msgspec.to_builtins(manifest)})))
        return
    size = to.stat().st_size
    journals = sum(each.name.startswith("journal/") for each in manifest.files)
    waiting = f", and {journals} file{'' if journals == 1 else 's'} of the journal" if journals else ""
    click.echo(f"Wrote {to} ({size:,} bytes): the ledger of {folder} with {attempts(manifest.attempts)}{waiting}.")
    if manifest.configuration:
        click.echo(f"The configuration {manifest.configuration} is in it, with references to secrets but no secret.")
    if manifest.needs:
        click.echo(f"Keep these apart, they are not in it: {', '.join(map(spoken, manifest.needs))}.")
    click.echo(f"To see that it is whole: twintrack restore {to} --check")


def attempts(count: int) -> str:
    return f"{count:,} attempt{'' if count == 1 else 's'}"


def spoken(need: str) -> str:
    """A reference as people say it."""
    scheme, _, name = need.partition(":")
    return (f"the variable {name}" if scheme == "env" else name) if is_reference(need) else need


def _configuration(config: Path | None, data: Path | None) -> tuple[Configuration | None, Path, list[str]]:
    """The configuration to keep, the data folder, and what has to be said about them."""
    if config is None and not USUAL.exists():
        return None, data_folder.folder(data), []
    file = present(config or USUAL)
    try:
        settings, source = load(file, environ=None)
    except ConfigError as error:
        if data is None:
            raise  # it says where the data is
        return None, data, [f"the configuration is left out, since it cannot be read: {error}"]
    folder = data if data is not None else Path(source.absolute(settings.server.data))
    named = references(settings, source)
    if leaked := leaks(source.text, named):
        which = " and ".join(map(spoken, leaked))
        note = f"the configuration is left out: the secret of {which} stands in {file} itself. Take it out there."
        return None, folder, [note]
    return Configuration(file.name, file.read_bytes(), (*named, *files(settings, source))), folder, []
