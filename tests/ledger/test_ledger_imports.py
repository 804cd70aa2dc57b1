"""A worker writes its journal without a database in its memory."""

from __future__ import annotations

import subprocess
import sys


def test_what_a_worker_imports_brings_no_database_along():
    asked = "import sys, twintrack.control.supervise, twintrack.server.worker; print('sqlite3' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "False"
