"""twintrack plan: what to build on. Its other questions are commands of their own, one module each."""

from __future__ import annotations

import click

from twintrack.cli.lazy import LazyGroup

_COMMANDS = {
    "check": "Recompute what a text says about costs, machines and licences.",
    "licence": "Say whether a model may be used so, and which clause says it.",
    "throughput": "How fast engines will be, next to how fast they were.",
}
"""Name and one line of help; the module of `x` is `plan_x.py`."""


@click.group("plan", cls=LazyGroup, modules="twintrack.cli.plan_{}", lines=_COMMANDS)
def command() -> None:
    """What to build on, and what it costs."""
