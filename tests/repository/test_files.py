"""What must not stand in any file: traces of the machine it was written on, and promises to finish later."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

# Written in pieces, so that this file may be searched too.
_FORBIDDEN = {
    "path of somebody's machine": r"(?<![\w.~-])/(?:wo" + r"rk|ro" + r"ot)/|/ho" + r"me/\w+/",
    "package index": r"\bpypi\." + r"org|\bpythonho" + r"sted\.org|--(?:extra-)?index-" + r"url|--trusted-" + r"host\b",
    "unfinished": r"\bTO" + r"DO\b|\bFIX" + r"ME\b|\bX" + r"XX\b",
}
_ALLOWED = {
    # It asks for these options to be absent.
    ("Makefile", "package index"): "--no-emit-index-" + "url",
}


def test_no_file_mentions_a_machine_an_index_or_unfinished_work(root, tracked):
    patterns = {what: re.compile(pattern) for what, pattern in _FORBIDDEN.items()}
    found = []
    for path in tracked:
        for number, line in enumerate(_lines(root / path), 1):
            for what, pattern in patterns.items():
                allowed = _ALLOWED.get((str(path), what))
                if pattern.search(line.replace(allowed, "") if allowed else line):
                    found.append(f"{path}:{number}: {what}: {line.strip()[:120]}")
    assert found == []


def test_no_file_mentions_where_this_machine_gets_its_packages(root, tracked):
    places = _package_sources()
    found = [
        f"{path}:{number}"
        for path in tracked
        for number, line in enumerate(_lines(root / path), 1)
        if any(place in line for place in places)
    ]
    assert found == []


def test_no_tracked_file_is_a_secret_or_a_leftover(tracked):
    suffixes = {".pem", ".key", ".db", ".sqlite", ".log", ".pyc", ".orig", ".rej", ".bak", ".env"}
    assert [str(path) for path in tracked if path.suffix in suffixes and "tests" not in path.parts] == []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:  # weights and pictures
        return []


def _package_sources() -> set[str]:
    """Hosts and folders that pip and uv are told to look in; loopback says nothing about a machine."""
    shown = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    shown += " ".join(value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_")))
    places = set()
    for address in re.findall(r"\w+://[^\s'\"\\]+", shown):
        parts = urlsplit(address)
        place = parts.hostname if parts.scheme != "file" else parts.path
        if place and place not in {"localhost", "127.0.0.1", "::1", "/"}:
            places.add(place)
    return places
