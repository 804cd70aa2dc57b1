"""twintrack privacy: what a text holds that must not leave, and how well that is found."""

from __future__ import annotations

import click

from twintrack.cli.lazy import LazyGroup

_COMMANDS = {
    "scan": "Say what a text holds, its class, and who may see it.",
    "test": "Try the rules on their own examples.",
    "erase": "Remove from the ledger what leads to somebody.",
    "bench": "Measure on labelled documents what is found and what is not.",
}
"""Name and one line of help; the module of `x` is `privacy_x.py`."""


@click.group("privacy", cls=LazyGroup, modules="twintrack.cli.privacy_{}", lines=_COMMANDS)
def command() -> None:
    """What a text holds that must not leave: everything is read on this machine, and nothing is kept. And how what the
    ledger keeps of somebody is erased."""
