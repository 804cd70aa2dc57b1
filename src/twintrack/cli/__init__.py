"""The command line: one module a command, imported only when it is called.

Exit codes: 0 ok, 1 failed, 2 usage, 3 configuration, 4 environment, 130 interrupted. Results go to stdout,
progress and errors to stderr.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

import click

from twintrack import __version__
from twintrack.cli.lazy import LazyGroup
from twintrack.errors import EnvironmentProblem, TwintrackError

_COMMANDS = {
    "up": "Start everything here, with whatever models are found.",
    "init": "Write a configuration, by questions or from LiteLLM's.",
    "serve": "Serve a configuration file.",
    "demo": "The idea in a minute: real engines, simulated prices, no key.",
    "plan": "What to build on, and what it costs.",
    "catalog": "The facts that prices and plans rest on.",
    "scripted": "A provider that fails as you ask, to try out a client.",
    "explain": "Say in sentences why a request went where it went.",
    "ledger": "What was spent and saved.",
    "feedback": "Say whether an answer was good.",
    "route": "What a router or policy is worth, on files and old traffic.",
    "learn": "Fit the router, and what judges drafts, to your own verdicts.",
    "models": "List models, tiers and prices.",
    "doctor": "Find what is wrong here, and say what to do.",
    "backup": "Keep ledger, journal and configuration in one file.",
    "restore": "Make a backup what a data folder holds.",
    "completion": "Let a shell complete commands, options and names.",
    "audit": "Prove who saw what: a chain of entries, without text.",
    "report": "What reviewers ask for: GDPR, AI Act, HIPAA, SOX, exports.",
    "privacy": "What a text holds that must not leave.",
    "config": "Check a configuration; show each value and where it is from.",
}
"""Name and one line of help, so that `twintrack --help` imports nothing."""


@click.group(
    cls=LazyGroup,
    modules="twintrack.cli.{}",
    lines=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="twintrack")
def command() -> None:
    """Open and closed language models as one service.

    `twintrack up` starts a gateway with the models found on this machine; `twintrack demo` shows the idea.
    """


def main(args: list[str] | None = None) -> Any:
    """Run the command line and leave the process with one of the documented exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal or file that is not UTF-8 gets what it can show
            stream.reconfigure(errors="backslashreplace")
    try:
        status = command.main(args, prog_name="twintrack", standalone_mode=False)
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except TwintrackError as error:
        click.echo(f"twintrack: {error}", err=True)
        status = error.exit_code
    except KeyboardInterrupt:
        status = 130
    except Exception as error:  # the outermost frame: a user gets a sentence, a developer the trace
        if os.environ.get("TWINTRACK_TRACEBACK"):
            raise
        said, status = _explained(error)
        click.echo(f"twintrack: {said}", err=True)
    sys.exit(status if isinstance(status, int) else 0)


def _explained(error: Exception) -> tuple[str, int]:
    """What is said of an error nobody expected, and the exit code."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        full = EnvironmentProblem("What this has to say cannot be written", why="there is no space", fix="Free some")
        return str(full), full.exit_code
    return (
        f"an internal error, {type(error).__name__}: {error}. This is a defect: please report it with "
        "what TWINTRACK_TRACEBACK=1 prints.",
        1,
    )
