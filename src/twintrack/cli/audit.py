"""twintrack audit: who saw data of which class, in a chain that shows every change."""

from __future__ import annotations

import click

from twintrack.cli.lazy import LazyGroup

_COMMANDS = {
    "checkpoint": "Print the newest signed end of the chain.",
    "prove": "State that no request of a class met anybody outside policy.",
    "list": "Decisions, newest last.",
    "show": "All that the chain says of one request.",
    "export": "Entries as JSON lines, to be checked by another program.",
    "verify": "Compute the chain again, and hold it against checkpoints.",
}
"""Name and one line of help; the module of `x` is `audit_x.py`."""


@click.group("audit", cls=LazyGroup, modules="twintrack.cli.audit_{}", lines=_COMMANDS)
def command() -> None:
    """Who saw data of which class: an entry for each decision, without text, in a chain that shows every change."""
