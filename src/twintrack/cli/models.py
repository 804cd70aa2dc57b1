"""twintrack models: what the catalogue knows, or what a configuration makes of it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from twintrack.catalog import models as known_models
from twintrack.catalog import prices as price_lists
from twintrack.catalog import providers as known_providers
from twintrack.cli import complete, models_configured, models_known
from twintrack.cli.file import USUAL, present
from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.errors import nearest


@click.command("models")
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"List what this configuration offers. Default: ./{USUAL} if it is there, else the catalogue.",
)
@click.option("--catalogue", is_flag=True, help=f"List the catalogue even if ./{USUAL} is there.")
@click.option(
    "--search",
    metavar="TEXT",
    shell_complete=complete.offered,
    help="Only models with TEXT in their name, licence or kind.",
)
@click.option("--provider", metavar="NAME", shell_complete=complete.providers, help="Only what this provider serves.")
@click.option(
    "--class",
    "data_class",
    type=click.Choice(DATA_CLASSES),
    help="Say of each deployment whether it may see data of this class, or why not.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: nano-dollars, null for unknown.")
@click.pass_context
def command(
    ctx: click.Context,
    config: Path | None,
    catalogue: bool,
    search: str | None,
    provider: str | None,
    data_class: DataClass | None,
    as_json: bool,
) -> None:
    """List models, tiers and prices.

    Of a configuration: routes, tiers and deployments, with zone, price, window, quality and the data each may see.
    Of the catalogue: every model it knows, with the list prices of its providers.

    Nothing is called and no secret is read. Exit code 1 if nothing matches.
    """
    if config is not None and catalogue:
        raise click.UsageError("--config and --catalogue exclude each other.", ctx)
    if config is None and not catalogue and USUAL.exists():
        config = USUAL
    today = datetime.datetime.now(datetime.UTC).date()
    if config is None:
        if data_class is not None:
            raise click.UsageError("--class asks about a configuration: name one with --config.", ctx)
        _expect(ctx, provider, known_providers.providers())
        listed = models_known.catalogue(price_lists.load(None, on=today), today, search, provider)
        matched = bool(listed.models)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(listed)))
        elif matched:
            models_known.tell(listed, provider)
    else:
        configured = models_configured.configured(present(config), today, data_class)
        _expect(ctx, provider, dict.fromkeys(each.provider for each in configured.deployments))
        configured = models_configured.narrowed(configured, search, provider)
        matched = bool(configured.deployments) or not (search or provider)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(configured)))
        elif matched:
            models_configured.tell(configured)
    if not matched:
        close = nearest((search or "").lower(), known_models.models(), 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        click.echo(f"Nothing here matches.{hint}", err=True)
        ctx.exit(1)


def _expect(ctx: click.Context, name: str | None, known: Iterable[str]) -> None:
    names = list(known)
    if name is not None and name not in names:
        close = nearest(name, names, 1)
        hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(names)}." if names else "There is none."
        raise click.BadParameter(f"There is no provider {name!r}. {hint}", ctx, param_hint="--provider")
