"""Tab: commands, options and names, in the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONFIG = """\
[[providers]]
name = "gpu-room"
api = "vllm"
url = "http://10.0.0.5:8000/v1"
zone = "own"

[[deployments]]
model = "our-model"
provider = "gpu-room"
facts = { context_tokens = 8192, quality = 0.5 }

[[deployments]]
model = "other-model"
provider = "gpu-room"
facts = { context_tokens = 8192, quality = 0.5 }

[routes.support]
tiers = [{ name = "only", deployments = ["our-model@gpu-room"] }]
"""


def offered(line: str, **environ: str) -> list[str]:
    """What is offered at the end of a line, as the shell asks for it."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_TWINTRACK_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-m", "twintrack"],
        env=dict(os.environ) | asked | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [answer.partition(",")[2] for answer in done.stdout.splitlines() if answer]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("twintrack rest", ["restore"]),
        ("twintrack config ch", ["check"]),
        ("twintrack completion ", ["bash", "zsh", "fish"]),
        ("twintrack doctor --wi", ["--with-keys"]),
        ("twintrack ledger --by route,ti", ["route,tier"]),
        ("twintrack ledger --by route,rout", []),
        ("twintrack models --search ", ["support", "our-model@gpu-room", "other-model@gpu-room"]),
        ("twintrack models --search su", ["support"]),
        ("twintrack models --provider ", ["gpu-room"]),
        ("twintrack models --catalogue --provider anth", ["anthropic"]),
        ("twintrack explain ", []),
    ],
)
def test_what_is_offered(line: str, names: list[str]) -> None:
    Path("twintrack.toml").write_text(CONFIG)
    assert offered(line) == names


def test_behind_a_word_that_is_no_command_commands_are_offered_again() -> None:
    assert "up" in offered("twintrack nonsense ")
    assert "check" in offered("twintrack config nonsense ")


def test_names_of_the_configuration_that_the_line_names() -> None:
    Path("other.toml").write_text(CONFIG.replace("support", "elsewhere"))
    assert offered("twintrack models --config other.toml --search e") == ["elsewhere"]


@pytest.mark.parametrize("text", ["[server", "x = 1", None], ids=["not toml", "wrong", "absent"])
def test_where_the_configuration_cannot_be_read_nothing_is_said(text: str | None) -> None:
    if text is not None:
        Path("twintrack.toml").write_text(text)
        assert offered("twintrack models --provider ") == []
    else:
        assert "openai" in offered("twintrack models --provider ")


def test_keys_in_the_environment_are_what_up_may_use() -> None:
    assert offered("twintrack up --use ", OPENAI_API_KEY="sk-x") == ["openai"]


def test_a_name_that_was_completed_is_one_the_command_takes(cli) -> None:
    Path("twintrack.toml").write_text(CONFIG)
    ran = cli("models", "--search", "support")
    assert "our-model@gpu-room" in ran.out
    assert "other-model@gpu-room" not in ran.out


def test_it_is_quick_enough_to_type_with() -> None:
    offered("twintrack mod")
    began = time.process_time(), os.times().children_user
    offered("twintrack mod")
    assert os.times().children_user - began[1] < 0.5, "no command is imported to complete its name"


# In the shells


def script(cli, shell: str, to: Path) -> Path:
    ran = cli("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    to.write_text(ran.out)
    return to


def typed(command: list[str], lines: list[tuple[bytes, bytes]], environ: dict[str, str]) -> str:
    """All that a shell on a terminal shows, where each line is typed once the one before led to what it waits for.

    Args:
        lines: what is typed, and a pattern that must then appear.
    """
    pid, terminal = pty.fork()
    if not pid:
        os.execvpe(command[0], command, environ)
    seen = b""
    try:
        for line, pattern in lines:
            start = len(seen)
            os.write(terminal, line)
            late = time.monotonic() + 20
            while not re.search(pattern, seen[start:]):
                assert time.monotonic() < late, f"{line!r} led to {seen[start:]!r}"
                if select.select([terminal], [], [], 0.2)[0]:
                    seen += os.read(terminal, 65_536)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)
    return seen.decode(errors="replace")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """With our program on the path, under its name."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "twintrack").write_text(f'#!/bin/sh\nexec {sys.executable} -m twintrack "$@"\n')
    (bin_ / "twintrack").chmod(0o755)
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "TWINTRACK_HOME") if name in os.environ}
    path = f"{bin_}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return kept | {"PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def test_in_bash(cli, environ: dict[str, str], tmp_path: Path) -> None:
    Path("twintrack.toml").write_text(CONFIG)
    source = script(cli, "bash", tmp_path / "completion.bash")
    typed(
        ["bash", "--norc", "--noprofile", "-i"],
        [
            (f"PS1='ready> '; source {source}; echo so\\urced\n".encode(), rb"sourced\r?\n"),
            (b"twintrack resto\t", rb"twintrack restore "),
            (b"\x15twintrack models --search su\t", rb"--search support "),
            (b"\x15twintrack models --search support | grep -q our-model@ && echo ta''ken\n", rb"\ntaken"),
        ],
        environ,
    )


@pytest.mark.needs("zsh")
def test_in_zsh(cli, environ: dict[str, str], tmp_path: Path) -> None:
    Path("twintrack.toml").write_text(CONFIG)
    folder = tmp_path / "functions"
    folder.mkdir()
    script(cli, "zsh", folder / "_twintrack")
    start = f"PS1='ready> '; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; echo so'urced'\n"
    typed(
        ["zsh", "-f", "-i"],
        [
            (start.encode(), rb"sourced\r?\n"),
            (b"twintrack resto\t", rb"re ?"),
            (b"--check\x15print -r -- done\n", rb"done"),
        ],
        environ,
    )
    assert subprocess.run(["zsh", "-n", str(folder / "_twintrack")], check=False).returncode == 0


@pytest.mark.needs("fish")
def test_in_fish(cli, environ: dict[str, str], tmp_path: Path) -> None:
    Path("twintrack.toml").write_text(CONFIG)
    source = script(cli, "fish", tmp_path / "twintrack.fish")
    asked = f"source {source}; complete -C 'twintrack resto'; complete -C 'twintrack models --search su'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["restore", "support"]


def test_another_shell_is_refused(cli) -> None:
    ran = cli("completion", "tcsh")
    assert ran.code == 2
    assert "'bash', 'zsh', 'fish'" in ran.err


def test_bash_is_not_asked_for_its_version_where_it_is_not(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *arguments, **words: None)
    assert cli("completion", "bash").err == ""
