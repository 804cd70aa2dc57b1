"""A value that expires: who reads it gets one that holds or an error that says why not, and never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from twintrack.errors import Unavailable
from twintrack.providers.auth import Authoriser
from twintrack.providers.auth.google import Google
from twintrack.providers.auth.renewal import Fetched, Renewal
from twintrack.providers.auth.sigv4 import SigV4


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twintrack.providers.auth.renewal._FIRST_RETRY_S", 0.005)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Source:
    """Gives 0, 1, 2 …, each good for `life_s`, or fails."""

    def __init__(self, life_s: float = 3_600.0, renew_s: float = 0.0) -> None:
        self.given = 0
        self.failing = False
        self._life_s = life_s
        self._renew_s = renew_s

    def __call__(self) -> Fetched[int]:
        if self.failing:
            raise Unavailable("The source is dry", why="it rained elsewhere")
        self.given += 1
        now = time.time()
        return Fetched(self.given - 1, now + self._renew_s, now + self._life_s)


def test_it_is_fetched_again_and_again():
    source = Source()
    renewal = Renewal("leaves", source, "Wait for spring.")
    renewal.start()
    renewal.start()
    assert renewal.wait(10)
    until(lambda: renewal.current() > 2)
    renewal.close()


def test_a_failed_renewal_keeps_what_still_holds():
    source = Source()
    renewal = Renewal("leaves", source, "Wait for spring.")
    renewal.start()
    assert renewal.wait(10)
    source.failing = True
    until(lambda: bool(renewal.trouble))
    assert renewal.current() >= 0
    source.failing = False
    last = renewal.current()
    until(lambda: renewal.current() > last)
    assert renewal.trouble == ""
    renewal.close()


def test_what_has_expired_is_not_given_away():
    source = Source(life_s=0.02)
    renewal = Renewal("leaves", source, "Wait for spring.")
    renewal.start()
    assert renewal.wait(10)
    source.failing = True
    until(lambda: bool(renewal.trouble))
    time.sleep(0.03)
    with pytest.raises(Unavailable) as raised:
        renewal.current()
    assert str(raised.value) == ("The leaves have expired. The source is dry: it rained elsewhere. Wait for spring.")
    renewal.close()


def test_a_reader_never_waits_for_a_fetch():
    blocked = threading.Event()

    def fetch() -> Fetched[int]:
        blocked.wait(10)
        return Fetched(1, time.time() + 60, time.time() + 60)

    renewal = Renewal("leaves", fetch, "")
    renewal.start()
    assert not renewal.wait(0.01)
    with pytest.raises(Unavailable, match="they are being fetched"):
        renewal.current()
    blocked.set()
    assert renewal.wait(10)
    renewal.close()


def test_closing_ends_the_thread():
    before = set(threading.enumerate())
    renewal = Renewal("leaves", Source(renew_s=3_600), "")
    renewal.start()
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    assert renewal.wait(10)
    renewal.close()
    thread.join(10)
    assert not thread.is_alive()
    renewal.start()
    assert set(threading.enumerate()) <= before


def test_both_kinds_are_authorisers():
    kinds: list[type[Authoriser]] = [SigV4, Google]
    assert kinds
