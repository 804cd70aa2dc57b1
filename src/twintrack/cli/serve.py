"""twintrack serve: run a configuration file."""

from __future__ import annotations

from pathlib import Path

import click

from twintrack.cli.run import Configuration, run
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
@click.option("--listen", metavar="HOST:PORT", help="Listen here instead of where the file says.")
@click.option("--workers", type=click.IntRange(1, 256), help="Data-plane processes instead of what the file says.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of ledger and journal.")
def command(config: Path, listen: str | None, workers: int | None, data: Path | None) -> int:
    """Serve a configuration file until Ctrl-C or SIGTERM.

    A changed file is served at once; a wrong one is refused with its line while the old one keeps serving.
    """
    return run(Configuration(config, listen=listen, workers=workers, data=data), _announce)


def _announce(snapshot: Snapshot) -> None:
    scheme = "https" if snapshot.tls_cert else "http"
    host = f"[{snapshot.listen_host}]" if ":" in snapshot.listen_host else snapshot.listen_host
    names = ", ".join(route.name for route in snapshot.routes) or "no route"
    click.echo(
        f"twintrack: serving {names} and {len(snapshot.deployments)} deployments on {scheme}://{host}:{snapshot.listen_port}",
        err=True,
    )
