"""twintrack catalog: the facts that prices and plans rest on, each with source and date."""

from __future__ import annotations

import click

from twintrack.cli.lazy import LazyGroup

_COMMANDS = {
    "list": "List the tables of facts, or the rows of one.",
    "show": "Show all that is known of a model, GPU, provider or place.",
    "check": "Say which facts are stale, contradictory or not verified.",
    "update": "Import a newer set of facts, after showing what it changes.",
    "undo": "Take the last import back.",
    "price": "Say what requests cost, to the last digit.",
}
"""Name and one line of help; the module of `x` is `catalog_x.py`."""


@click.group("catalog", cls=LazyGroup, modules="twintrack.cli.catalog_{}", lines=_COMMANDS)
def command() -> None:
    """Facts with source and date: models, prices, GPUs, licences, terms.

    Nothing here changes by itself: what ships stays until you import a newer set.
    """
