"""What holds for every command: help, exit codes, nearest words, pipes."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys

import click
import pytest

import twintrack.cli
from twintrack import __version__
from twintrack.errors import ConfigError, EnvironmentProblem, LedgerError, TwintrackError

COMMANDS = (
    ("up",),
    ("init",),
    ("serve",),
    ("demo",),
    ("plan",),
    ("plan", "check"),
    ("plan", "licence"),
    ("catalog",),
    ("catalog", "list"),
    ("catalog", "show"),
    ("catalog", "check"),
    ("catalog", "update"),
    ("catalog", "undo"),
    ("catalog", "price"),
    ("scripted",),
    ("explain",),
    ("ledger",),
    ("ledger", "verdicts"),
    ("feedback",),
    ("route",),
    ("route", "bench"),
    ("route", "cascade"),
    ("route", "replay"),
    ("learn",),
    ("learn", "router"),
    ("learn", "verifier"),
    ("models",),
    ("doctor",),
    ("backup",),
    ("restore",),
    ("completion",),
    ("audit",),
    ("audit", "verify"),
    ("audit", "checkpoint"),
    ("audit", "prove"),
    ("audit", "list"),
    ("audit", "show"),
    ("audit", "export"),
    ("report",),
    ("privacy",),
    ("privacy", "scan"),
    ("privacy", "test"),
    ("privacy", "erase"),
    ("privacy", "bench"),
    ("config",),
    ("config", "check"),
    ("config", "explain"),
    ("config", "reference"),
    ("config", "schema"),
)


def test_help_names_every_command(cli):
    ran = cli("--help")
    assert ran.code == 0
    listed = [line.split()[0] for line in ran.out.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == list(dict.fromkeys(command[0] for command in COMMANDS))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_fits_a_terminal(cli, command):
    ran = cli(*command, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: twintrack {' '.join(command)}")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert len(ran.out.splitlines()) > 3


def test_help_imports_no_command():
    program = (
        "import sys; from twintrack.cli import command; command.main(['--help'], standalone_mode=False); "
        "assert not [m for m in sys.modules if m.startswith(('twintrack.control', 'twintrack.gateway', 'rich'))]"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(cli):
    assert cli("--version").out == f"twintrack, version {__version__}\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("legder",), "There is no command 'legder'. Did you mean ledger?"),
        (("qqqqqq",), "There is no command 'qqqqqq'. See twintrack --help."),
        (("config", "chekc"), "There is no command 'chekc'. Did you mean check?"),
        (("config", "qqqqqq"), "There is no command 'qqqqqq'. There are check, explain, reference, schema."),
        (("serve", "--confg", "x"), "--config"),
        (("ledger", "--by", "tire"), "Did you mean tier?"),
        (("models", "--class", "secret"), "'public', 'internal', 'confidential', 'restricted'"),
        (("up", "--listen", "here"), "'here' is no address. Use HOST:PORT"),
        (("serve", "--listen", "127.0.0.1:0"), "'127.0.0.1:0' is no address"),
        (("serve", "--workers", "0"), "1<=x<=1024"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_answered_with_the_nearest_right_one(cli, args, said):
    ran = cli(*args)
    assert ran.code == 2
    assert ran.out == ""
    assert said in " ".join(ran.err.split())


def test_without_a_command_there_is_help(cli):
    ran = cli()
    assert ran.code == 2
    assert "Commands:" in ran.out + ran.err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (TwintrackError("It failed", why="a reason", fix="Do this"), 1, "twintrack: It failed: a reason. Do this.\n"),
        (ConfigError("Wrong"), 3, "twintrack: Wrong.\n"),
        (EnvironmentProblem("Taken"), 4, "twintrack: Taken.\n"),
        (LedgerError("Broken"), 4, "twintrack: Broken.\n"),
        (click.Abort(), 130, ""),
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.ENOSPC, "full"), 4, "twintrack: What this has to say cannot be written: there is no space."),
        (ZeroDivisionError("oh"), 1, "twintrack: an internal error, ZeroDivisionError: oh. This is a defect:"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_kind_of_failure_has_its_exit_code(cli, monkeypatch, raised, code, said):
    @click.command("models")
    def failing() -> None:
        raise raised

    monkeypatch.setattr("twintrack.cli.models.command", failing)
    ran = cli("models")
    assert ran.code == code
    assert ran.out == ""
    assert ran.err.startswith(said)


def test_developers_get_the_trace_of_an_internal_error(monkeypatch):
    @click.command("models")
    def failing() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("twintrack.cli.models.command", failing)
    monkeypatch.setenv("TWINTRACK_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        twintrack.cli.main(["models"])


@pytest.mark.parametrize("module", ["twintrack", "twintrack.cli"])
def test_it_runs_as_a_module(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"twintrack, version {__version__}\n")


@pytest.mark.parametrize("args", [("models",), ("config", "schema")], ids=" ".join)
def test_a_reader_that_has_seen_enough_gets_no_complaint(args):
    process = subprocess.Popen(
        [sys.executable, "-m", "twintrack", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert said == ""
    process.wait(30)


@pytest.mark.parametrize("args", [("models",), ("models", "--search", "llama"), ("config", "reference")], ids=" ".join)
def test_a_pipe_gets_no_colour_and_no_trailing_blanks(cli, args):
    out = cli(*args).out
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_a_terminal_gets_lines_that_fit_and_nothing_is_cut_off():
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "twintrack", "models", "--search", "gpt-5.4"],
        stdout=theirs,
        env=dict(os.environ) | {"COLUMNS": "100", "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux ends a terminal whose other side is gone with an error
            while data := os.read(ours, 65536):
                shown += data
    os.close(ours)
    assert process.returncode == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r", "")
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 100
    assert "gpt-5.4-nano" in text
    words = "".join(text.split())
    assert "openrouter0.2in,1.25out" in words


def test_an_output_that_cannot_show_a_character_gets_its_number(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "twintrack", "feedback", "--help"],
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert rb"tt-\u2026" in ran.stdout
