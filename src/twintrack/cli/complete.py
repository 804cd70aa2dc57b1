"""Names that the shell completes: of the configuration that lies here, the catalogue, the ledger.

A shell asks while somebody types: nothing is printed but names, and where nothing can be read there are none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from twintrack.errors import TwintrackError

_NEWEST = 20
"""Requests that are offered; nobody reads more."""

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]


def _completer(names: Callable[[click.Context], Iterable[tuple[str, str]]]) -> Completer:
    """Of a function that gives names and what to say of each."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        try:
            found = list(names(ctx))
        except (TwintrackError, OSError, sqlite3.Error):
            return []
        return [CompletionItem(name, help=said or None) for name, said in found if name.startswith(incomplete)]

    return complete


def _configured(ctx: click.Context) -> Any:
    """Settings of the configuration the command line names, or of the one that lies here; None: there is none."""
    from twintrack.cli.file import USUAL
    from twintrack.config.load import load

    file = Path(ctx.params.get("config") or USUAL)
    return load(file, environ=None)[0] if file.exists() else None


def _offered(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Routes and deployments of the configuration; without one the models of the catalogue."""
    from twintrack.catalog import models
    from twintrack.config.effective import deployment_name

    settings = _configured(ctx)
    if settings is None or ctx.params.get("catalogue"):
        yield from ((name, model.kind) for name, model in models.models().items())
        return
    yield from ((name, "route") for name in settings.routes)
    yield from ((deployment_name(each), "deployment") for each in settings.deployments)


def _providers(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Of the configuration; without one, those that are known."""
    from twintrack.catalog import providers

    settings = _configured(ctx)
    if settings is None or ctx.params.get("catalogue"):
        yield from ((name, row.kind) for name, row in providers.providers().items())
        return
    yield from ((each.name, each.api) for each in settings.providers)


def _keyed(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Paid providers whose key is in the environment."""
    import os

    from twintrack.cli.found import keys_found

    yield from ((name, "its key is in the environment") for name in keys_found(os.environ))


def _models(ctx: click.Context) -> Iterable[tuple[str, str]]:
    from twintrack.catalog import models

    yield from ((name, model.licence) for name, model in models.models().items())


def _requests(ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The newest requests of the ledger."""
    from twintrack.cli.data import folder
    from twintrack.ledger.database import database, open_reader

    with closing(open_reader(database(folder(ctx.params.get("data"))))) as db:
        rows = db.execute(
            "SELECT request_id, coalesce(route, deployment), coalesce(outcome, 'running') FROM entries "
            "WHERE attempt = 0 ORDER BY id DESC LIMIT ?",
            (_NEWEST,),
        )
        yield from ((request_id, f"{to}, {outcome}") for request_id, to, outcome in rows)


offered = _completer(_offered)
providers = _completer(_providers)
keyed = _completer(_keyed)
models = _completer(_models)
requests = _completer(_requests)


def words(known: Iterable[str]) -> Completer:
    """Of a list with commas: the last word of it."""
    listed = tuple(known)

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        before, comma, last = incomplete.rpartition(",")
        chosen = set(before.split(","))
        return [
            CompletionItem(f"{before}{comma}{word}") for word in listed if word.startswith(last) and word not in chosen
        ]

    return complete
