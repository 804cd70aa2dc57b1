"""A group whose commands are imported when they are called, one module each."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from twintrack.errors import nearest


class LazyGroup(click.Group):
    """`commands` says name and one line of help of each, so that `--help` imports none of them."""

    def __init__(self, *args: Any, modules: str, lines: Mapping[str, str], **kwargs: Any) -> None:
        """`modules`: the module of a command's name, as `twintrack.cli.plan_{}`; it has the command as `command`."""
        super().__init__(*args, **kwargs)
        self._modules = modules
        self._lines = lines

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lines)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._lines:
            return None
        command: click.Command = import_module(self._modules.format(name.replace("-", "_"))).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Names of commands, without importing them, and our own options."""
        found = [CompletionItem(name, help=line) for name, line in self._lines.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._lines and not args[0].startswith("-") and not ctx.resilient_parsing:
            close = nearest(args[0], self._lines, 1)
            hint = f"Did you mean {close[0]}?" if close else f"See {ctx.command_path} --help."
            raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self._lines:
            with formatter.section("Commands"):
                formatter.write_dl(list(self._lines.items()))
