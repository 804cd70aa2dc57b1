"""Columns for people: as wide as the terminal and no wider; uncut and without colour into a pipe."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNCUT = 10_000
"""Columns where nobody looks at a screen."""
_GAP = 2
_READABLE = 18
"""Columns that text needs at least to be read as text."""
_LEAST = 30
"""A terminal that says it is narrower is taken to be so wide."""


def show(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    keys: int = 0,
    footer: Sequence[str] | None = None,
) -> None:
    """Print a table to stdout.

    Where the terminal is too narrow for it to be read, numbers continue in a further table below, and of texts each row
    becomes a paragraph.

    Args:
        right: columns that hold numbers.
        whole: columns that are never broken, so that what stands in them can be copied.
        keys: so many columns in front say what a row is about, and all others are numbers.
        footer: a last row, of sums.
    """
    lines = [tuple(row) for row in rows]
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        _piped(_table(titles, lines, right, whole, footer))
        return
    wide = console.width = max(console.width, _LEAST)
    shown = [*lines, *([tuple(footer)] if footer else [])]
    natural = [max(map(_wide, (title, *column))) for title, column in _columns(titles, shown)]
    if keys and sum(natural[:keys]) + _GAP * keys + max(natural[keys:]) <= wide:
        for one, other in pairwise(_parts(natural, keys, wide)):
            places = [*range(keys), *range(one, other)]
            if one > keys:
                console.print()
            console.print(
                _table(
                    [titles[i] for i in places],
                    [[line[i] for i in places] for line in lines],
                    titles[keys:],
                    titles,
                    [footer[i] for i in places] if footer else None,
                ),
                crop=False,
            )
        return
    needed = [
        width if title in right or title in whole else min(width, _READABLE)
        for title, width in zip(titles, natural, strict=True)
    ]
    if not keys and sum(needed) + _GAP * (len(needed) - 1) <= wide:
        console.print(_table(titles, lines, right, whole, footer))
    else:
        for place, line in enumerate(shown):
            if place:
                console.print()
            for number, said in enumerate(_paragraph(titles, line, wide)):
                console.print(Text(said, "bold" if number == 0 else ""), soft_wrap=True)


def say(text: str) -> None:
    """Print a sentence: as wide as the terminal, in one line into a pipe."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        text = textwrap.fill(text, max(console.width, _LEAST), break_long_words=False, break_on_hyphens=False)
    click.echo(text)


def _columns(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
    for place, title in enumerate(titles):
        yield title, [line[place] for line in lines]


def _wide(cell: str) -> int:
    return max(map(cell_len, cell.split("\n")))


def _parts(natural: Sequence[int], keys: int, wide: int) -> list[int]:
    """Where each part begins and the last one ends: as many columns behind the keys as fit, one at least."""
    begins = [keys]
    left = room = wide - sum(natural[:keys]) - _GAP * keys
    for place, width in enumerate(natural[keys:], keys):
        if width > left and place > begins[-1]:
            begins.append(place)
            left = room
        left -= width + _GAP
    return [*begins, len(natural)]


def _paragraph(titles: Sequence[str], line: Sequence[str], wide: int) -> Iterator[str]:
    """A row under its first cell: a line for each other one that says something."""
    yield line[0] or "-"
    indent = max(map(cell_len, titles[1:]), default=0) + 4
    for title, cell in zip(titles[1:], line[1:], strict=True):
        if cell:
            yield textwrap.fill(
                " ".join(cell.split()),
                max(wide, indent + _READABLE),
                initial_indent=f"  {title}".ljust(indent),
                subsequent_indent=" " * indent,
                break_long_words=False,
                break_on_hyphens=False,
            )


def _table(
    titles: Sequence[str],
    lines: Iterable[Sequence[str]],
    right: Sequence[str],
    whole: Sequence[str],
    footer: Sequence[str] | None,
) -> Table:
    table = Table(box=None, pad_edge=False, show_footer=footer is not None)
    for place, title in enumerate(titles):
        table.add_column(
            title,
            footer=Text(footer[place] if footer else ""),
            justify="right" if title in right else "left",
            no_wrap=title in whole,
            overflow="fold",
        )
    for line in lines:
        table.add_row(*map(Text, line))
    return table


def _piped(table: Table) -> None:
    console = Console(file=io.StringIO(), width=_UNCUT, highlight=False, markup=False, emoji=False, color_system=None)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    for line in console.file.getvalue().splitlines():
        click.echo(line.rstrip())
