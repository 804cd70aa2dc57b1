"""Processes that tests start: they end with the test process, however that ends, and find ports nobody else takes."""

from __future__ import annotations

import os
import shutil
import socket
from itertools import count

LEASH = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
"""Goes in front of a command (util-linux). It sends SIGTERM when the thread that started the command is gone."""

_LOWEST, _BLOCK, _BLOCKS = 12_000, 2_500, 8
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_taken = count(os.getpid())


def free_port() -> int:
    """A port nobody listens on and that nobody gets unasked: it lies below those that the kernel gives away, and each
    process of a run draws from a block of its own, in turn."""
    for number in _taken:
        port = _LOWEST + _worker % _BLOCKS * _BLOCK + number % _BLOCK
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("there is always a next number")
