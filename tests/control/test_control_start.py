"""The console starts fast: importing it loads neither templates nor price lists."""

from __future__ import annotations

import json
import subprocess
import sys

IMPORT_MS = 150
_PROBE = """
import json, sys, time
start = time.process_time()
import twintrack.control.app
took_ms = (time.process_time() - start) * 1000
json.dump([took_ms, sorted({name.partition(".")[0] for name in sys.modules})], sys.stdout)
"""


def imported() -> tuple[float, set[str]]:
    """CPU milliseconds, and top-level modules loaded."""
    run = subprocess.run([sys.executable, "-I", "-c", _PROBE], capture_output=True, text=True, check=True)
    took_ms, loaded = json.loads(run.stdout)
    return took_ms, set(loaded)


def test_importing_the_console_is_quick():
    assert min(imported()[0] for _ in range(5)) <= IMPORT_MS


def test_importing_the_console_loads_nothing_it_may_never_need():
    assert imported()[1].isdisjoint({"jinja2", "genai_prices", "pydantic", "numpy", "click", "rich", "uvicorn"})
