"""Columns for people: cut to the terminal, uncut and without colour into a pipe."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNCUT = 10_000
"""Columns where nobody looks at a screen."""


def show(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """Print a table to stdout.

    Args:
        right: columns that hold numbers.
        whole: columns that are never broken, so that what stands in them can be copied.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    piped = not console.is_terminal
    if piped:
        console = Console(
            file=io.StringIO(), width=_UNCUT, highlight=False, markup=False, emoji=False, color_system=None
        )
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", no_wrap=title in whole, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    if piped:
        assert isinstance(console.file, io.StringIO)
        for line in console.file.getvalue().splitlines():
            click.echo(line.rstrip())
