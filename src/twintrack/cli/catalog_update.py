"""twintrack catalog update: import a newer set of facts, after showing what it changes."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

import click
import msgspec

from twintrack.catalog import importing, models, prices, providers, revisions
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.importing import Incoming
from twintrack.catalog.prices import Prices
from twintrack.catalog.revisions import Revision
from twintrack.cli import data as data_folder
from twintrack.cli.file import USUAL
from twintrack.cli.table import show


class Change(msgspec.Struct, frozen=True):
    """A price per million tokens that would be another, in dollars; None: not known."""

    provider: str
    model: str
    input_before: float | None
    input_after: float | None
    output_before: float | None
    output_after: float | None
    source: str


class Difference(msgspec.Struct, frozen=True):
    changes: tuple[Change, ...]
    routes: tuple[str, ...]
    """Of the configuration, those with a deployment whose price changes."""
    deployments: tuple[str, ...]
    rows: int
    """Own rows that hold afterwards."""


@click.command("update")
@click.argument("source", metavar="[FILE|URL]", required=False)
@click.option("--set", "name", metavar="NAME", help="Name of a set of own rows. Default: the file's name.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Configuration whose routes are looked at. Default: ./{USUAL} if it is there.",
)
@data_folder.option
@click.option("--yes", is_flag=True, help="Import without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the difference, and whether it was imported.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str | None,
    name: str | None,
    config: Path | None,
    data: Path | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import a newer set of facts, after showing what it changes and which routes that touches.

    FILE or URL is your own rows (TOML: prices, discounts, commitments, credits, each with a day), the price data of
    genai-prices (JSON, as its repository publishes them), or a compiled price table. Without one, what was imported is
    listed. `twintrack catalog undo` takes the last import back.

    Nothing is ever fetched but the address named here. A running gateway takes new prices when it reads its
    configuration again.
    """
    folder = str(data_folder.folder(data))
    held = revisions.current(folder)
    if source is None:
        _tell_held(held, folder, as_json)
        return
    now = datetime.datetime.now(datetime.UTC)
    incoming = importing.read(_content(source), source, now.date())
    new = importing.merged(held, incoming, name or Path(source).stem, now.isoformat(timespec="seconds"))
    before = prices.load(os.path.join(folder, "prices.json"), on=now.date())
    after = importing.priced(incoming, before, new.rows, now.date())
    difference = _difference(before, after, new, config or (USUAL if USUAL.exists() else None), now.date())
    if not as_json:
        _tell(difference, incoming)
    imported = not dry_run and (yes or _agreed(ctx, as_json))
    if imported:
        saved = revisions.save(folder, new, incoming.table)
        if not as_json:
            click.echo(f"Imported as revision {saved.number} into {folder}. Take it back: twintrack catalog undo")
    if as_json:
        document = {"imported": imported, **msgspec.to_builtins(difference)}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))


def _content(source: str) -> bytes:
    if source.startswith(("http://", "https://")):
        return importing.fetch(source)
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{source} cannot be read: {error.strerror}.", param_hint="FILE") from None


def _agreed(ctx: click.Context, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        click.echo("Nothing was changed. Add --yes to import it.", err=True)
        ctx.exit(1)
    return click.confirm("Import it?")


def _difference(before: Prices, after: Prices, new: Revision, config: Path | None, on: datetime.date) -> Difference:
    pairs = {(name, each) for model in models.models().values() for name, each in model.upstream.items()}
    pairs |= {(row.provider, row.model) for row in new.rows.prices}
    deployments, routes = _touched(config, before, after) if config is not None else ((), ())
    changes = [
        change
        for provider, model in sorted(pairs)
        if provider in providers.providers()
        for change in [_change(provider, model, before.find(provider, model), after.find(provider, model))]
        if change is not None
    ]
    rows = new.rows
    count = sum(len(table) for table in (rows.prices, rows.discounts, rows.commitments, rows.credits))
    return Difference(tuple(changes), routes, deployments, count)


def _change(provider: str, model: str, before: TokenPrice | None, after: TokenPrice | None) -> Change | None:
    if _rates(before) == _rates(after):
        return None
    return Change(
        provider,
        model,
        _usd(before.input_nusd_per_mtok if before else None),
        _usd(after.input_nusd_per_mtok if after else None),
        _usd(before.output_nusd_per_mtok if before else None),
        _usd(after.output_nusd_per_mtok if after else None),
        after.source if after else "",
    )


def _rates(price: TokenPrice | None) -> object:
    """Everything of a price but where it comes from."""
    return None if price is None else msgspec.structs.replace(price, source="", long=None), _long(price)


def _long(price: TokenPrice | None) -> object:
    return None if price is None or price.long is None else (price.long_input_tokens, _rates(price.long))


def _usd(nusd_per_mtok: int | None) -> float | None:
    return None if nusd_per_mtok is None else nusd_per_mtok / 1e9


def _touched(config: Path, before: Prices, after: Prices) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deployments whose price changes, and the routes that have one.

    Raises:
        ConfigError: the configuration is wrong.
    """
    from twintrack.config.compile import compile_snapshot
    from twintrack.config.load import load

    settings, source = load(config, environ=None)
    old, new = (
        compile_snapshot(settings, source, generation=1, prices=listed, secrets=lambda reference: reference)
        for listed in (before, after)
    )
    changed = [
        number
        for number, (one, other) in enumerate(zip(old.deployments, new.deployments, strict=True))
        if _rates(one.price) != _rates(other.price)
    ]
    names = tuple(new.deployments[number].name for number in changed)
    routes = tuple(
        route.name
        for route in new.routes
        if any(number in changed for tier in route.tiers for number in tier.deployments)
    )
    return names, routes


def _tell(difference: Difference, incoming: Incoming) -> None:
    if difference.changes:
        show(
            ("provider", "model", "in before", "after", "out before", "after ", "from"),
            [
                (each.provider, each.model, *map(_word, (each.input_before, each.input_after)),
                 *map(_word, (each.output_before, each.output_after)), each.source)
                for each in difference.changes
            ],
            right=("in before", "after", "out before", "after "),
        )  # fmt: skip
    click.echo(f"{len(difference.changes)} prices of known models change; USD per million tokens.")
    if incoming.rows is not None:
        click.echo(f"{difference.rows} own rows hold afterwards.")
    if difference.routes:
        click.echo(f"Routes touched: {', '.join(difference.routes)}; deployments: {', '.join(difference.deployments)}.")
    else:
        click.echo("No route is touched.")


def _word(usd: float | None) -> str:
    return "unknown" if usd is None else f"{usd:g}"


def _tell_held(held: Revision, folder: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(held)))
        return
    if held.number == 0:
        click.echo(f"Nothing was imported into {folder}: the facts that ship hold.")
        return
    click.echo(f"Revision {held.number} in {folder}, of {held.imported_at}.")
    if held.prices:
        click.echo(f"Price table: {held.prices_source}")
    for each in held.sets:
        rows = each.rows
        counts = {
            "prices": rows.prices,
            "discounts": rows.discounts,
            "commitments": rows.commitments,
            "credits": rows.credits,
        }
        said = ", ".join(f"{len(table)} {word}" for word, table in counts.items() if table)
        click.echo(f"Set {each.name}: {said}; from {each.source}, {each.imported_at}")
