"""The Python programs of the documents run as they stand, against the bundled engines.

The gateway they meet has one deployment of each dialect for each engine, so that both SDKs can be shown; `twintrack up`
alone has the OpenAI dialect only, and quickstart.md says so.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def programs(document: str) -> list[tuple[int, str]]:
    """(line, text) of each Python block."""
    text = (DOCS / document).read_text()
    found = re.finditer(r"^```python[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text.count("\n", 0, each.start()) + 1, each[1]) for each in found]


def configuration(engines: dict[str, str]) -> str:
    blocks = [
        f'[[providers]]\nname = "{name}-{api}"\napi = "{api}"\nurl = "{url}"\nzone = "own"\n'
        f'[[deployments]]\nmodel = "{name}"\nprovider = "{name}-{api}"\nupstream_model = "{name}"\n'
        for name, url in engines.items()
        for api in ("llama.cpp", "anthropic")
    ]
    tiers = ", ".join(
        f'{{ name = "{tier}", deployments = ["{name}@{name}-llama.cpp", "{name}@{name}-anthropic"] }}'
        for tier, name in (("small", "demo-nano"), ("premium", "demo-small"))
    )
    return "\n".join([*blocks, f"[routes.auto]\ntiers = [{tiers}]\nkeep_quality = 0.9\n"])


def run(program: str, folder: Path) -> str:
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "error", "program.py"],
        cwd=folder,
        env=dict(os.environ) | {"NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{program}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.engine
def test_the_programs_of_the_quickstart_get_right_answers(serve, engines, tmp_path):
    (tmp_path / "twintrack.toml").write_text(configuration(engines))
    gateway = serve("serve")
    gateway.wait_for("twintrack: serving")
    here = programs("quickstart.md")
    assert len(here) == 2
    for line, program in here:
        said = run(program.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}"), tmp_path)
        assert said.count("The capital of Norland is Vesto.") == 2, f"quickstart.md:{line} printed {said}"
    assert gateway.stop() == 0


@pytest.mark.engine
@pytest.mark.parametrize("number", range(5))
def test_the_programs_of_the_library_run(engines, tmp_path, number):
    (tmp_path / "twintrack.toml").write_text(configuration(engines))
    here = programs("library.md")
    assert len(here) == 5
    said = run(here[number][1], tmp_path)
    shown = (
        "200 The capital of Norland is Vesto.\n",
        "",
        "",
        "data: [DONE]",
        "There is no model 'atuo'. Did you mean auto?\n",
    )
    assert shown[number] in said


@pytest.mark.engine
def test_what_a_program_did_stands_in_the_ledger(cli, engines, tmp_path):
    (tmp_path / "twintrack.toml").write_text(configuration(engines))
    said = run(programs("library.md")[0][1], tmp_path)
    request_id = said.split()[-1]
    told = cli("explain", request_id, "--data", ".twintrack")
    assert told.code == 0
    assert "asked for auto (chat, not streamed)" in told.out
