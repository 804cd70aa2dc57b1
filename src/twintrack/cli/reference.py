"""The reference of the command line, written from the commands themselves:

    python -m twintrack.cli.reference

prints it as Markdown. The same commands give the same text, whatever the terminal and the environment.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import click

from twintrack.cli import command as root

_COLUMNS = 118
_OPENING = """# Command line

Results go to stdout; progress and errors go to stderr, so a result can be piped. Into a pipe nothing is coloured or
cut. Every command has `--help`, and Tab completes commands, options and names once the shell was told
([completion](#twintrack-completion)).

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed, nothing matched, or a check found something: `doctor`, `ledger --check` |
| 2 | the command line is wrong |
| 3 | the configuration is wrong |
| 4 | the machine lacks something: a port, a folder, a package, disk space |
| 130 | interrupted; `serve` and `up` end with 0 when they are told to stop |

| variable | meaning |
|---|---|
| `TWINTRACK_HOME` | data folder of `up`, `demo` and whatever else has `--data`, where that does not say another |
| `TWINTRACK_TRACEBACK` | 1: an internal error shows its traceback |
| `NO_COLOR` | set: no colour on a terminal either |

Keys of providers stand in variables too; [configuration.md](configuration.md) says which.
"""


def reference() -> str:
    """Markdown: a section for each command, a row for each argument and option."""
    return "\n".join([_OPENING, *_sections(root, click.Context(root, info_name="twintrack"))])


def _sections(group: click.Group, ctx: click.Context) -> Iterator[str]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=ctx)
        yield _section(command, below)
        if isinstance(command, click.Group):
            yield from _sections(command, below)


def _section(command: click.Command, ctx: click.Context) -> str:
    path = ctx.command_path
    usage = " ".join([path, *command.collect_usage_pieces(ctx)])
    lines = [f"{'##' if path.count(' ') == 1 else '###'} `{path}`", "", *_prose(command.help or ""), f"    {usage}"]
    rows = [_row(param, ctx) for param in command.get_params(ctx)]
    rows = [row for row in rows if row and "--help" not in row]
    if rows:
        lines += ["", "| option | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _prose(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), _COLUMNS, break_long_words=False, break_on_hyphens=False)
        yield ""


def _row(param: click.Parameter, ctx: click.Context) -> str:
    record = param.get_help_record(ctx)
    if record is None or not record[1]:  # an argument: the help text tells what it is
        return ""
    names, meaning = record[0], " ".join(record[1].split())
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{names}`", meaning)) + " |"


if __name__ == "__main__":
    sys.stdout.write(reference())
