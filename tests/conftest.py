"""What the machine may lack: tests that need it are skipped with a reason, or fail when REQUIRE_ALL=1 forbids that."""

from __future__ import annotations

import compileall
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.append(str(Path(__file__).parent))  # `support`: what tests of several rooms share

from support.turnstile import inside  # needs the path

sys.dont_write_bytecode = False  # else pytest rewrites 60,000 lines of tests each time anew

Needs = Callable[..., None]
_ABSENT = "not on this machine: "


class _Thing(NamedTuple):
    present: Callable[[], bool]
    get_it: str


def _program(*names: str) -> Callable[[], bool]:
    path = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"
    return lambda: any(shutil.which(name, path=path) for name in names)


def _module(name: str) -> Callable[[], bool]:
    return lambda: find_spec(name) is not None


def _data_folder() -> Path | None:
    folder = os.environ.get("TWINTRACK_DATA")
    return Path(folder).resolve() if folder and Path(folder).is_dir() else None


_THINGS = {
    "xllamacpp": _Thing(_module("xllamacpp"), "pip install 'twintrack[local]'"),
    "hatchling": _Thing(_module("hatchling"), "make environment"),
    "nginx": _Thing(_program("nginx"), "install the system's nginx"),
    "chromium": _Thing(_program("chromium", "chromium-browser"), "install the system's chromium"),
    "cc": _Thing(_program("cc"), "install a C compiler"),
    "git": _Thing(_program("git"), "install git"),
    "promtool": _Thing(_program("promtool"), "install the system's prometheus"),
    "slowhttptest": _Thing(_program("slowhttptest"), "install slowhttptest"),
    "curl": _Thing(_program("curl"), "install curl"),
    "systemd-analyze": _Thing(_program("systemd-analyze"), "install systemd"),
    "zsh": _Thing(_program("zsh"), "install zsh"),
    "fish": _Thing(_program("fish"), "install fish"),
    "clients": _Thing(lambda: (Path(sys.prefix) / ".clients").exists(), "make clients"),
    "data": _Thing(lambda: _data_folder() is not None, "set TWINTRACK_DATA to the folder of evaluation data"),
}


def _need(what: str, reason: str = "") -> None:
    thing = _THINGS[what]
    if thing.present():
        return
    message = f"{_ABSENT}{what} ({reason + '; ' if reason else ''}{thing.get_it})"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def needs() -> Needs:
    """Call as `needs("nginx", "is the yardstick")`; the marker `@pytest.mark.needs("nginx")` does the same."""
    return _need


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of evaluation data that TWINTRACK_DATA names."""
    _need("data")
    folder = _data_folder()
    assert folder is not None
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Where Python may keep no bytecode, each of the many processes that tests start would compile all it imports: that
    is a third of starting a gateway."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background, and so in all that tests start
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parents[1] / "src", quiet=1)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with inside(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for what in marker.args:
            _need(what, marker.kwargs.get("reason", ""))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(_skip_reasons(terminalreporter.stats.get("skipped", [])))
    if reasons:
        listed = ", ".join(f"{reason} × {count}" for reason, count in sorted(reasons.items()))
        terminalreporter.write_line(f"Skipped: {listed} (what the machine lacks fails where REQUIRE_ALL=1)")


def _skip_reasons(reports: list[pytest.TestReport]) -> Iterator[str]:
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        yield reason.removeprefix(_ABSENT).split(" (")[0] if reason.startswith(_ABSENT) else reason
