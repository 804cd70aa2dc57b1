"""Importing starts nothing, reads little, and loads only what it uses."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORT_MS = 150
HEAVY = {
    "click",
    "genai_prices",
    "jinja2",
    "numpy",
    "pyarrow",
    "pydantic",
    "rich",
    "sqlite3",
    "starlette",
    "uvicorn",
    "xllamacpp",
}
_PROBE = """
import json, os, sys, time
before = set(sys.modules)
start = time.process_time()
for name in sys.argv[1:]:
    __import__(name)
took_ms = (time.process_time() - start) * 1000
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
json.dump([took_ms, loaded, len(os.listdir("/proc/self/task"))], sys.stdout)
"""


def imported(*names: str) -> tuple[float, set[str], int]:
    """Processor time in ms, top-level modules loaded, and threads alive after importing `names` in a new process.

    numpy's OpenBLAS starts a pool of threads, one a core, as it is loaded; that pool is not ours to forbid.
    """
    run = subprocess.run(
        [sys.executable, "-I", "-c", _PROBE, *names],
        capture_output=True, text=True, check=False, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    took_ms, loaded, threads = json.loads(run.stdout)  # anything else printed would not be JSON
    return took_ms, set(loaded), threads


def test_importing_twintrack_takes_no_time():
    assert min(imported("twintrack")[0] for _ in range(5)) <= IMPORT_MS


def test_importing_twintrack_loads_nothing_heavy_and_starts_no_thread():
    _, loaded, threads = imported("twintrack")
    assert loaded & HEAVY == set()
    assert threads == 1


def test_a_worker_loads_no_framework_no_database_and_no_foreign_code():
    _, loaded, threads = imported("twintrack.server.worker")
    assert loaded & (HEAVY | {"ctypes"}) == set()
    assert threads == 1


def sources(root: Path) -> list[Path]:
    return sorted((root / "src" / "twintrack").rglob("*.py"))


def test_every_module_can_be_imported_and_starts_nothing(root):
    modules = [
        ".".join(path.relative_to(root / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in sources(root)
        if path.stem != "__main__"
    ]
    assert imported(*modules)[2] == 1


def test_every_module_says_what_it_is(root):
    silent = [
        str(path.relative_to(root))
        for path in sources(root)
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def test_every_public_function_has_a_docstring_or_types(root):
    bare = []
    for path in sources(root):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            if ast.get_docstring(node) is None and node.returns is None:
                bare.append(f"{path.relative_to(root)}:{node.lineno} {node.name}")
    assert bare == []


@pytest.mark.parametrize("module", ["twintrack", "twintrack.cli"])
def test_running_as_a_module_shows_the_version(module):
    run = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("twintrack, version ")
