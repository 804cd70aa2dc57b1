"""What a command that takes long is at, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Each text takes the place of the one before, on stderr; the last is wiped away. In a pipe there is nothing."""
    watched = sys.stderr.isatty()

    def show(text: str) -> None:
        if watched:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    def tell(text: str) -> None:
        show(f"{text} …")

    try:
        yield tell
    finally:
        show("")
