"""When a deployment is passed over, and who finds out that it works again."""

from __future__ import annotations

from twintrack.gateway.breaker import FAILURES_TO_OPEN, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.dispatched()
        breaker.failed(now)
    return breaker


def test_three_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    for _ in range(2):
        breaker.failed(100.0)
        assert breaker.healthy
    breaker.failed(100.0)
    assert not breaker.healthy
    breaker.tick(100.9)
    assert not breaker.healthy
    breaker.tick(101.0)
    assert breaker.healthy
    assert breaker.open  # one may go and see


def test_a_success_forgets_failures() -> None:
    breaker = Breaker()
    breaker.failed(0.0)
    breaker.failed(0.0)
    breaker.alive()
    breaker.failed(0.0)
    assert breaker.healthy


def test_half_open_it_lets_one_probe_through_and_nobody_beside_it() -> None:
    breaker = opened()
    breaker.tick(1.0)
    assert breaker.healthy
    assert breaker.dispatched()
    assert not breaker.healthy
    breaker.tick(100.0)  # however long the probe takes
    assert not breaker.healthy
    breaker.alive()
    assert breaker.healthy
    assert not breaker.dispatched()


def test_each_probe_that_fails_opens_it_for_twice_as_long() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(7):
        pauses.append(breaker.until - now)
        now = breaker.until
        breaker.tick(now)
        assert breaker.dispatched()
        breaker.failed(now, probe=True)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_pause() -> None:
    """A hundred requests that die with one server are one outage."""
    breaker = opened()
    for _ in range(100):
        breaker.failed(0.5)
    assert breaker.until == 1.0


def test_nor_does_it_count_against_the_probe() -> None:
    breaker = opened()
    breaker.tick(1.0)
    assert breaker.dispatched()
    breaker.failed(1.1)  # an old one, at last
    assert not breaker.healthy
    breaker.alive()  # the probe
    assert breaker.healthy


def test_a_probe_whose_client_left_is_made_by_the_next_request() -> None:
    breaker = opened()
    breaker.tick(1.0)
    assert breaker.dispatched()
    breaker.undecided()
    assert breaker.healthy
    assert breaker.dispatched()


def test_a_probe_that_is_asked_to_wait_no_longer_ends_all_the_same() -> None:
    breaker = Breaker()
    breaker.wished(0.0, 1.0)
    breaker.tick(1.0)
    assert breaker.dispatched()
    breaker.wished(1.0, 0.0)  # an empty account, with a retry-after of now
    breaker.tick(1.2)
    assert breaker.half_open


def test_a_wish_is_granted_at_once_and_within_reason() -> None:
    breaker = Breaker()
    breaker.wished(10.0, 7.0)
    assert not breaker.healthy
    assert breaker.until == 17.0
    breaker.wished(10.0, 2.0)  # the longer of two holds
    assert breaker.until == 17.0
    breaker.wished(10.0, 1e300)
    assert breaker.until == 310.0
