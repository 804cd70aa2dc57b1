"""twintrack completion: what a shell needs to complete our commands, their options and names."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_VARIABLE = "_TWINTRACK_COMPLETE"
"""Click looks for it under this name, which it makes of the program's."""


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what SHELL reads to complete commands, options and names with Tab.

    \b
    bash: eval "$(twintrack completion bash)" in ~/.bashrc
    zsh:  twintrack completion zsh > DIR/_twintrack, for a DIR of $fpath
    fish: twintrack completion fish > ~/.config/fish/completions/twintrack.fish

    Names are those of ./twintrack.toml, of the catalogue and of the ledger. bash 4.4 or later.
    """
    complete = _SHELLS[shell](ctx.find_root().command, {}, "twintrack", _VARIABLE)
    click.echo(complete.source_template % complete.source_vars(), nl=False)
