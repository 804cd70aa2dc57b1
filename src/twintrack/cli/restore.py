"""twintrack restore: a backup becomes what a data folder holds."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.cli.backup import attempts, spoken
from twintrack.cli.interrupt import orderly
from twintrack.config.secrets import is_reference, trouble
from twintrack.errors import EnvironmentProblem
from twintrack.ledger import restore as restoring
from twintrack.ledger.restore import Restored


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option(
    "--to",
    "to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Data folder. Default: that of ./twintrack.toml, else TWINTRACK_HOME, ./.twintrack, ~/.local/share/twintrack.",
)
@click.option("--replace", is_flag=True, help="DIR may hold a ledger: it is kept in DIR/backups.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="NEW",
    help="Also write the configuration of the backup to this new file.",
)
@click.option("--check", is_flag=True, help="Only see whether FILE is whole and could be restored.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(file: Path, to: Path | None, replace: bool, config: Path | None, check: bool, as_json: bool) -> None:
    """Make a backup what a data folder holds, with the gateway stopped.

    FILE is what `twintrack backup` wrote, or a copy that was kept before an upgrade. Every byte of it is checked before
    anything is touched, and an interruption leaves either what was there or what was to be.
    """
    if config is not None and config.exists():
        raise EnvironmentProblem(f"{config} exists already", fix="Name a new file for the configuration")
    folder = data_folder.served(to)
    with orderly():
        done = restoring.check(file) if check else restoring.restore(file, folder, replace=replace)
    for problem in done.problems:
        click.echo(f"twintrack: {problem}", err=True)
    written = not check and config is not None and done.configuration is not None
    if written:
        assert config is not None
        assert done.configuration is not None
        _write(config, done.configuration)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_for_programs(done, None if check else folder))))
        return
    made = f", made on {done.manifest.made} by Twintrack {done.manifest.twintrack}" if done.manifest else ""
    if check:
        click.echo(f"{file} is whole{made}: a ledger with {attempts(done.attempts)}.")
        return
    click.echo(f"{folder} holds the ledger of {file} now{made}: {attempts(done.attempts)}.")
    if done.replaced is not None:
        click.echo(f"What was there before lies in {done.replaced}; remove it when you are sure.")
    if written:
        click.echo(f"Wrote the configuration to {config}.")
    elif config is not None:
        click.echo("There is no configuration in this backup.")
    elif done.manifest is not None and done.manifest.configuration:
        click.echo(f"Its configuration {done.manifest.configuration} was left alone; --config NEW writes it to a file.")
    missing = [spoken(each) for each in _needs(done) if not _is_there(each)]
    if missing:
        click.echo(f"Not in a backup and not found here: {', '.join(missing)}.")


def _needs(done: Restored) -> tuple[str, ...]:
    return done.manifest.needs if done.manifest is not None else ()


def _is_there(need: str) -> bool:
    return not trouble(need) if is_reference(need) else os.path.exists(need)


def _write(config: Path, text: bytes) -> None:
    try:
        with config.open("xb") as new:
            new.write(text)
    except OSError as error:
        raise EnvironmentProblem(f"{config} cannot be written", why=error.strerror or str(error)) from None


def _for_programs(done: Restored, folder: Path | None) -> dict[str, object]:
    return {
        "data": None if folder is None else str(folder),
        "attempts": done.attempts,
        "schema_version": done.schema_version,
        "replaced": None if done.replaced is None else str(done.replaced),
        "problems": done.problems,
        "backup": done.manifest,
    }
