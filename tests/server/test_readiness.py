"""When a gateway is ready: each worker says how it stands, and any of them answers for all."""

from __future__ import annotations

import os
from typing import cast

import pytest

from twintrack.providers.auth import Authoriser
from twintrack.server.board import Board
from twintrack.server.readiness import AUTHORISERS_S, Standing, State, pending, state, unready

READY = Standing(3, State.READY, 100.0)


def test_it_is_ready_when_every_worker_serves_what_is_wanted() -> None:
    assert unready(3, [READY, READY], 100.2) == ""


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (Standing(0, State.ABSENT, 0.0), "worker 1 is not running"),
        (Standing(2, State.READY, 100.0), "worker 1 serves configuration 2, 3 is wanted"),
        (Standing(3, State.NO_CREDENTIALS, 100.0), "worker 1 waits for a provider's credentials"),
        (Standing(3, State.NO_JOURNAL, 100.0), "worker 1 cannot write its journal: free disk space"),
        (Standing(3, State.DRAINING, 100.0), "worker 1 is draining"),
        (Standing(3, State.READY, 80.0), "worker 1 has not been heard of for 20 s"),
    ],
)
def test_one_worker_that_is_not_makes_all_of_it_unready(second: Standing, why: str) -> None:
    assert unready(3, [READY, second], 100.2) == why


def test_a_worker_that_drains_says_so_whatever_else_it_lacks() -> None:
    assert state(draining=True, writable=False, pending=True, serving_s=0.0) is State.DRAINING
    assert state(draining=False, writable=False, pending=True, serving_s=0.0) is State.NO_JOURNAL


def test_credentials_are_waited_for_but_not_for_ever() -> None:
    """The deployments that need none can serve."""
    assert state(draining=False, writable=True, pending=True, serving_s=AUTHORISERS_S - 1) is State.NO_CREDENTIALS
    assert state(draining=False, writable=True, pending=True, serving_s=AUTHORISERS_S) is State.READY
    assert state(draining=False, writable=True, pending=False, serving_s=0.0) is State.READY


class Signer:
    def __init__(self, fetched: bool, trouble: str = "") -> None:
        self.fetched = fetched
        self.trouble = trouble

    def wait(self, timeout_s: float) -> bool:
        assert timeout_s == 0, "the event loop must not wait"
        return self.fetched


@pytest.mark.parametrize(
    ("signers", "waits"),
    [
        ([None], False),
        ([None, Signer(True)], False),
        ([Signer(True), Signer(False)], True),
        ([Signer(False, "AWS has no credentials here.")], False),
    ],
    ids=["keys only", "fetched", "one is being fetched", "the first try failed"],
)
def test_a_first_try_that_is_over_is_not_waited_for(signers: list[Signer | None], waits: bool) -> None:
    assert pending(cast(list[Authoriser | None], signers)) is waits


def test_what_a_child_reports_its_parent_and_its_siblings_read() -> None:
    board = Board(2)
    board.want(7)
    pid = os.fork()
    if not pid:
        board.report(1, board.wanted, State.READY, 12.345)
        os._exit(0)
    os.waitpid(pid, 0)
    assert board.standings() == [Standing(0, State.ABSENT, 0.0), Standing(7, State.READY, 12.345)]
    board.forget(1)
    assert board.standings()[1].state is State.ABSENT
