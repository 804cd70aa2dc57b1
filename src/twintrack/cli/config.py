"""twintrack config: is a configuration right, and what does it come to?"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from twintrack.catalog import prices
from twintrack.cli.doctor import records
from twintrack.cli.doctor.files import UNVERIFIED
from twintrack.cli.file import USUAL, present
from twintrack.cli.table import show
from twintrack.config import secrets
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import load
from twintrack.config.rules import days
from twintrack.config.settings import DATA_CLASSES, Settings
from twintrack.config.snapshot import Snapshot
from twintrack.config.source import InvalidConfig, Source
from twintrack.errors import ConfigError, TwintrackError, nearest
from twintrack.gateway.open import dialing
from twintrack.policy.compiled import privacy_set
from twintrack.signals.weights import VERIFIER
from twintrack.telemetry.extra import require

_WRONG = ConfigError.exit_code


class _Group(click.Group):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            close = nearest(args[0], self.commands, 1)
            hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(self.commands)}."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)


def _file(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument(
        "file", type=click.Path(path_type=Path, dir_okay=False), default=USUAL, required=False, metavar="[FILE]"
    )(function)


@click.group("config", cls=_Group)
def command() -> None:
    """Check a configuration; show every value and where it comes from.

    FILE is ./twintrack.toml unless said otherwise.
    """


@command.command("check", short_help="Say everything that is wrong with a configuration.")
@_file
@click.option(
    "--text-only",
    is_flag=True,
    help="Look at nothing but the text: variables, key files and certificates need not be there.",
)
@click.pass_context
def check(ctx: click.Context, file: Path, text_only: bool) -> None:
    """Say everything that is wrong with a configuration, a line each; exit code 3 if anything is.

    What is right but probably not meant is noted: it does not change the exit code.
    """
    try:
        settings, source = load(present(file), environ=None if text_only else os.environ)
    except InvalidConfig as error:
        for problem in error.problems:
            click.echo(problem)
        ctx.exit(_WRONG)
    snapshot = _compiled(settings, source)
    if not text_only:
        try:
            _look_outside(snapshot)
        except TwintrackError as error:
            click.echo(f"{file}: {error}")
            ctx.exit(_WRONG)
    routes = ", ".join(settings.routes) or "no route"
    counted = f"{_counted(len(settings.deployments), 'deployment')}, {_counted(len(settings.keys), 'key')}"
    click.echo(f"{file} is right: {routes}; {counted}; policy {snapshot.policy_version}.")
    for note in _notes(settings, source, snapshot):
        click.echo(f"Note: {note}")


@command.command("explain", short_help="Show every value and where it comes from.")
@_file
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of path, value and origin.")
def explain(file: Path, as_json: bool) -> None:
    """Show every value that will hold and where it comes from: a line of the file, the catalogue, or a default.

    Secrets appear as references only; nothing outside the file is looked at.
    """
    from twintrack.config.explain import explain_values

    settings, source = load(present(file), environ=None)
    values = explain_values(settings, source, _prices(settings, source))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(values)))
        return
    show(("value", "is", "from"), [(each.path, _spelled(each.value), each.origin) for each in values], whole=("value",))


@command.command("reference", short_help="Print what every word means.")
def reference() -> None:
    """Print every word of the configuration with its meaning, as Markdown."""
    from twintrack.config import reference as written

    click.echo(written.reference(), nl=False)


@command.command("schema", short_help="Print its JSON Schema, for editors.")
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(msgspec.json.format(msgspec.json.encode(json_schema())))


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, made from the types; meanings come from their docstrings."""
    from twintrack.config.reference import docstrings

    meanings = docstrings()
    made = msgspec.json.schema(Settings)
    for name, table in made["$defs"].items():
        for word, value in table["properties"].items():
            if meaning := meanings.get((name, word)):
                value["description"] = meaning
            if "$ref" in value.get("items", value):
                value.pop("default", None)  # of a table: it would only repeat what stands there
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": str(USUAL), **made}


def _compiled(settings: Settings, source: Source) -> Snapshot:
    """Without resolving secrets."""
    return compile_snapshot(
        settings, source, generation=1, prices=_prices(settings, source), secrets=lambda reference: reference
    )


def _look_outside(snapshot: Snapshot) -> None:
    """Raises ConfigError or EnvironmentProblem if a certificate or the proxy could not be used."""
    from twintrack.server.worker import server_tls

    dialing(snapshot)
    server_tls(snapshot)
    require(snapshot.telemetry)


def _prices(settings: Settings, source: Source) -> prices.Prices:
    today = datetime.datetime.now(datetime.UTC).date()
    return prices.load(str(Path(source.absolute(settings.server.data)) / "prices.json"), on=today)


def _notes(settings: Settings, source: Source, snapshot: Snapshot) -> Iterator[str]:
    unpriced = [each.name for each in snapshot.deployments if each.price is None and not each.per_hour_nusd]
    if len(unpriced) == 1:
        yield f"the price of {unpriced[0]} is unknown, so what it costs and saves will be unknown."
    elif unpriced:
        yield f"the prices of {_listed(unpriced)} are unknown, so what they cost and save will be unknown."
    today = days(datetime.datetime.now(datetime.UTC).date())
    refusing: dict[tuple[str, ...], list[str]] = {}
    for route in snapshot.routes:
        members = {index for tier in route.tiers for index in tier.deployments}
        closed = [name for name in DATA_CLASSES if not members & privacy_set(snapshot, name, route=route, today=today)]
        if closed:
            refusing.setdefault(tuple(closed), []).append(route.name)
    for classes, names in refusing.items():
        one = len(names) == 1
        who = f"route {names[0]} refuses" if one else f"routes {_listed(names)} refuse"
        yield f"{who} {_listed(classes)} requests: none of {'its' if one else 'their'} deployments may see them."
    for name, said in settings.routes.items():
        if said.trace_content and not settings.telemetry.otlp:
            yield f"route {name} says trace_content, but [telemetry] has no otlp: nobody is told anything."
        elif said.trace_content:
            what = "what is asked and answered in public and internal requests"
            yield f"route {name} tells the collector at {settings.telemetry.otlp} {what}."
    fitted = Path(source.absolute(settings.server.data)) / VERIFIER
    for route in snapshot.routes:
        if route.cascade is not None and "verifier" in route.cascade.check and not fitted.exists():
            yield f"nobody drafts for route {route.name}: no verifier is fitted to judge drafts. {UNVERIFIED}"
    for finding in records.check(settings, datetime.datetime.now(datetime.UTC).date()):
        if finding.state != "ok":
            yield f"{finding.what}. {finding.fix}".strip()
    references = [*(key.key for key in settings.keys), *(each.key for each in snapshot.deployments)]
    for reference in dict.fromkeys(source.reference(each) for each in references if each):
        if warning := secrets.warning(reference):
            yield warning


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _spelled(value: object) -> str:
    """As it would stand in the file; null is a value nobody said and nothing fills in."""
    return msgspec.json.encode(value).decode()
