"""Commands that read a data folder while a gateway starts, serves, is killed and stops: none says anything untrue."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ledger_records import left_by

from support.gateway import Served, deployment, provider, question, route
from support.processes import free_port
from support.provider import Provider
from support.waiting import eventually
from twintrack.ledger.database import database, open_writer
from twintrack.ledger.folder import claim, holder, loading
from twintrack.ledger.load import Loader
from twintrack.ledger.schema import VERSION

OLD_REQUESTS = 5
"""Of the ledgers that older programs left."""

Ran = Any
Cli = Callable[..., Ran]

UNTRUE = ("Traceback", "broken", "damaged", "newer version", "some other", "cannot be")
NOTHING = ("no request has been answered", "There is no", "is empty")


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


class Life:
    """A gateway that starts, answers and stops, over and over; and what may be said of it meanwhile."""

    def __init__(self, gateway: Served, rounds: int, old: int) -> None:
        """`old`: requests that were in its ledger before."""
        self.gateway = gateway
        self.old = old
        self.answered: list[str] = []
        """Ids of answers that clients have."""
        self.asked = 0
        self.fault: BaseException | None = None
        self._rounds = rounds
        self._thread = threading.Thread(target=self._live)

    def __enter__(self) -> Life:
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._thread.join(120)

    @property
    def goes_on(self) -> bool:
        return self._thread.is_alive()

    def _live(self) -> None:
        try:
            for number in range(self._rounds):
                with ExitStack() as clean_up:
                    self.gateway._told = False
                    self.gateway.start()
                    clean_up.callback(self.gateway.kill)
                    self._ask_while_it_starts()
                    for _ in range(25):
                        self._ask()
                    if number % 3 == 1:
                        self.gateway.signal(signal.SIGKILL)
                        assert self.gateway.process is not None
                        self.gateway.process.wait()
                        eventually(lambda: holder(self.gateway.data) is None)  # its workers notice in a second
                    else:
                        assert self.gateway.stop() == 0, self.gateway.stderr()
        except BaseException as error:  # noqa: BLE001  # raised where the test waits
            self.fault = error

    def _ask_while_it_starts(self) -> None:
        def first() -> bool:
            assert self.gateway.process is not None
            assert self.gateway.process.poll() is None, self.gateway.stderr()
            try:
                return self._ask()
            except OSError:
                return False

        eventually(first, 30.0)

    def _ask(self) -> bool:
        self.asked += 1
        answer = self.gateway.ask(question("auto"))
        if answer.status == 200:
            self.answered.append(answer.id)
        return answer.status == 200


def _looks(cli: Cli, life: Life, folder: Path) -> dict[str, Callable[[], Ran]]:
    data = ("--data", str(life.gateway.data))
    return {
        "ledger": lambda: _ledger(cli, life, *data),
        "doctor": lambda: _doctor(cli, life, *data),
        "verify": lambda: cli("audit", "verify", *data),
        "list": lambda: cli("audit", "list", *data),
        "report": lambda: cli("report", "gdpr-art30", *data),
        "backup": lambda: _backup(cli, folder, *data),
        "replay": lambda: cli("route", "replay", str(life.gateway.file), *data),
        "learn": lambda: cli("learn", "router", "--from", "ledger", "--dry-run", *data),
        "explain": lambda: _explain(cli, life, *data),
        "export": lambda: cli("audit", "export", *data),
    }


def _ledger(cli: Cli, life: Life, *data: str) -> Ran:
    """What a client has the answer of is in it, and nothing that nobody asked."""
    answered = len(life.answered)
    ran = cli("ledger", "--json", "--check", *data)
    found = ran.json()
    requests = found["total"]["requests"] if found else 0
    assert life.old + answered <= requests <= life.old + life.asked, ran
    assert not found or found["discrepancies"] == [], ran
    return ran


def _doctor(cli: Cli, life: Life, *data: str) -> Ran:
    ran = cli("doctor", "--offline", "--json", "--config", str(life.gateway.file), *data)
    wrong = [each["what"] for each in ran.json() if each["state"] == "problem"]
    assert all("not ready: " in what for what in wrong), wrong  # on a slow machine it takes its time to start
    return ran


def _explain(cli: Cli, life: Life, *data: str) -> Ran | None:
    if not life.answered:
        return None
    ran = cli("explain", life.answered[-1], *data)
    assert ran.code == 0, ran
    return ran


def _backup(cli: Cli, folder: Path, *data: str) -> Ran:
    file = folder / "backup"
    ran = cli("backup", str(file), "--replace", *data)
    if ran.code == 0:
        checked = cli("restore", str(file), "--check")
        assert checked.code == 0, (ran, checked)
    return ran


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.long)])
@pytest.mark.parametrize("earlier", [0, VERSION - 1], ids=["no ledger", "an older ledger"])
def test_no_command_says_anything_untrue_while_a_gateway_comes_and_goes(
    cli: Cli, mine: Provider, tmp_path: Path, rounds: int, earlier: int
) -> None:
    port = free_port()
    config = f'[server]\nlisten = "127.0.0.1:{port}"\n' + provider("mine", mine.url)
    config += deployment("m", "mine") + deployment("n", "mine") + route("auto", "m", "n")
    gateway = Served(tmp_path / "gateway", config, workers=2, clean=False, port=port)
    gateway.folder.mkdir()
    gateway.file.write_text(gateway.config)
    old = 0
    if earlier:
        left_by(earlier, gateway.data)
        old = OLD_REQUESTS
    said: dict[str, int] = {}
    with Life(gateway, rounds, old) as life:
        looks = _looks(cli, life, tmp_path)
        if earlier:
            del looks["doctor"]  # has to say of these files that others can read them, and that they are of next year
        while life.goes_on:
            for name, look in looks.items():
                untrue = UNTRUE + NOTHING if life.answered else UNTRUE
                ran = look()
                if ran is None:
                    continue
                for word in untrue:
                    assert word not in ran.out + ran.err, (name, ran)
                said[name] = said.get(name, 0) + 1
    if life.fault is not None:
        raise life.fault
    assert len(said) == len(looks)  # each had its turn
    complaints = [line for line in gateway.stderr().splitlines() if not line.startswith("twintrack: serving ")]
    assert complaints == []


@pytest.mark.parametrize("command", ["ledger", "audit list", "explain a", "report sox"])
def test_a_ledger_that_somebody_brings_up_to_date_is_waited_for(cli: Cli, tmp_path: Path, command: str) -> None:
    folder = left_by(VERSION - 1, tmp_path / "data")
    made = threading.Event()

    def bring_up_to_date() -> None:
        with loading(folder):
            made.set()
            time.sleep(0.5)  # so that the command looks before
            open_writer(database(folder)).close()
        with Loader(folder) as loader:
            loader.load()

    gateway = threading.Thread(target=bring_up_to_date)
    gateway.start()
    try:
        assert made.wait(20)
        ran = cli(*command.split(), "--data", str(folder))
    finally:
        gateway.join()
    assert ran.code == 0, ran


def test_a_glance_at_who_holds_a_folder_keeps_no_gateway_from_it(tmp_path: Path, monkeypatch) -> None:
    os.close(claim(tmp_path))
    glancing = threading.Event()

    def slowly(handle: int, how: int) -> None:
        flock(handle, how)
        if how & fcntl.LOCK_SH:
            glancing.set()
            time.sleep(0.1)  # the one who looks lost its processor just now

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", slowly)
    looks = threading.Thread(target=holder, args=(tmp_path,))
    looks.start()
    try:
        assert glancing.wait(20)
        os.close(claim(tmp_path))
    finally:
        looks.join()
