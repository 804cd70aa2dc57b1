"""twintrack serve: run a configuration file."""

from __future__ import annotations

from pathlib import Path

import click

from twintrack.cli.run import Configuration, base_url, listen_option, run
from twintrack.config.snapshot import Snapshot


@click.command("serve")
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("twintrack.toml"),
    show_default=True,
    help="The configuration file; it is read again when it changes.",
)
@listen_option("Listen here instead of where the file says.")
@click.option(
    "--workers",
    metavar="NUMBER",
    type=click.IntRange(1, 1024),
    help="Data-plane processes instead of what the file says.",
)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of ledger and journal.")
def command(config: Path, listen: str | None, workers: int | None, data: Path | None) -> int:
    """Serve a configuration file until Ctrl-C or SIGTERM.

    A changed file is served at once; a wrong one is refused with its line while the old one keeps serving.
    """
    return run(Configuration(config, listen=listen, workers=workers, data=data), _announce)


def _announce(snapshot: Snapshot) -> None:
    count = len(snapshot.deployments)
    routes = ", ".join(route.name for route in snapshot.routes)
    what = f"{routes} over " if routes else ""
    click.echo(
        f"twintrack: serving {what}{count} deployment{'' if count == 1 else 's'} on {base_url(snapshot)}, "
        f"data in {snapshot.data}",
        err=True,
    )
