"""The console starts fast: importing it loads neither templates nor price lists."""

from __future__ import annotations

import json
import subprocess
import sys

MOST = 2.0
"""Times what as much of the standard library takes; measured 1.1."""
_PROBE = """
import json, sys, time
start = time.process_time()
import twintrack.control.app
took_ms = (time.process_time() - start) * 1000
json.dump([took_ms, sorted({name.partition(".")[0] for name in sys.modules})], sys.stdout)
"""
_AS_MUCH = """
import json, sys, time
start = time.process_time()
import asyncio, decimal, doctest, http.server, multiprocessing.pool, pydoc, smtplib, ssl, tarfile, unittest.mock
import xml.etree.ElementTree, zipfile
json.dump([(time.process_time() - start) * 1000, []], sys.stdout)
"""


def imported(probe: str = _PROBE) -> tuple[float, set[str]]:
    """CPU milliseconds, and top-level modules loaded."""
    run = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, check=True)
    took_ms, loaded = json.loads(run.stdout)
    return took_ms, set(loaded)


def test_importing_the_console_is_quick():
    pairs = [(imported()[0], imported(_AS_MUCH)[0]) for _ in range(5)]
    assert min(console for console, _ in pairs) <= MOST * min(as_much for _, as_much in pairs)


def test_importing_the_console_loads_nothing_it_may_never_need():
    assert imported()[1].isdisjoint({"jinja2", "genai_prices", "pydantic", "numpy", "click", "rich", "uvicorn"})
