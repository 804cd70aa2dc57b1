"""What the tests themselves rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import LEASH, free_port
from support.waiting import eventually

_PARENT = """
import subprocess, sys
child = subprocess.Popen([*sys.argv[1:], "sleep", "60"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(not LEASH, reason="setpriv of util-linux is not on this machine")
def test_what_a_test_starts_ends_with_a_test_that_is_killed():
    command = [sys.executable, "-c", _PARENT, *LEASH]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        eventually(lambda: (child / "comm").read_text() == "sleep\n")
        parent.kill()
    eventually(lambda: not child.exists() or ") Z " in (child / "stat").read_text())


def test_ports_are_drawn_in_turn_from_below_those_that_the_kernel_gives_away():
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < lowest
