"""Who is asked next after an attempt failed, and when: pure, so clock and chance are values here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.config.settings import Failover
from twintrack.errors import UpstreamError
from twintrack.gateway.pulse import Pulse
from twintrack.gateway.recovery import Course, Failure, Kind, Repeats, Step

LATE = 1e9


class Bench:
    """Deployments a, b, c … in this order."""

    def __init__(
        self,
        *providers: str,
        rules: Failover | None = None,
        repeats: bool = True,
        random: float = 0.5,
        windows: tuple[int, ...] = (),
    ):
        self.pulses = [Pulse(f"d{place}") for place in range(len(providers))]
        order: Any = [
            SimpleNamespace(
                deployment=SimpleNamespace(
                    index=place, provider=provider, max_in_flight=2, context_tokens=windows[place] if windows else 0
                )
            )
            for place, provider in enumerate(providers)
        ]
        self.course = Course(order, self.pulses, rules or Failover(), lambda: random, repeats=repeats)

    def fail(self, position: int, kind: Kind = "server_error", *, wait_s: float | None = None, at: float = 0.0) -> None:
        self.course.failed(position, Failure(kind, UpstreamError("no"), wait_s), at)

    def next(self, now: float = 0.0, late: float = LATE) -> Step | None:
        return self.course.next(now, late)


@pytest.mark.parametrize(
    "kind", ["unreachable", "rate_limited", "spent", "server_error", "refused", "timeout", "broken"]
)
def test_the_next_of_the_order_is_asked_at_once(kind: Kind) -> None:
    bench = Bench("x", "y", "z")
    bench.fail(0, kind, wait_s=99.0)
    assert bench.next(5.0) == Step(1, 5.0)


def test_who_is_passed_over_or_busy_waits_behind_those_who_are_ready() -> None:
    bench = Bench("x", "y", "z", "w")
    bench.pulses[1].wished(0.0, 3.0)
    bench.pulses[2].in_flight = 2
    bench.fail(0)
    assert bench.next() == Step(3, 0.0)


def test_nobody_with_the_same_account_is_asked_where_it_is_spent() -> None:
    bench = Bench("x", "x", "y")
    bench.fail(0, "spent")
    assert bench.next() == Step(2, 0.0)
    bench.fail(2, "spent")
    assert bench.next() is None


@pytest.mark.parametrize(
    ("windows", "said", "then"),
    [
        ((512, 512, 4096, 8192), 512, 2),
        ((8192, 4096, 8192, 16384), 0, 3),
        ((8192, 4096, 8192, 0), 0, None),  # who knows how large the last one's is
        ((0, 4096, 8192, 0), 4096, 2),
        ((0, 4096, 8192, 0), 0, None),
    ],
)
def test_a_prompt_that_is_too_long_goes_to_larger_windows_alone(
    windows: tuple[int, ...], said: int, then: int | None
) -> None:
    bench = Bench("x", "y", "z", "w", windows=windows)
    bench.course.failed(0, Failure("too_long", UpstreamError("no"), window=said), 0.0)
    assert bench.next() == (None if then is None else Step(then, 0.0))


def test_where_nobody_else_is_left_the_same_is_asked_after_a_random_pause_that_grows() -> None:
    bench = Bench("x")
    pauses = []
    for _ in range(3):
        bench.fail(0)
        step = bench.next()
        assert step is not None
        pauses.append(step.at)
    assert pauses == [0.25, 0.5, 1.0]  # half of what is allowed, since chance says 0.5 here


@pytest.mark.parametrize("kind", ["spent", "refused", "timeout", "broken", "client"])
def test_what_cost_something_or_will_not_change_is_not_asked_again(kind: Kind) -> None:
    bench = Bench("x")
    bench.fail(0, kind)
    assert bench.next() is None


def test_a_wish_is_the_least_pause_and_those_who_got_the_same_do_not_come_together() -> None:
    bench = Bench("x")
    bench.fail(0, "rate_limited", wait_s=2.0)
    assert bench.next() == Step(0, pytest.approx(2.1))


@pytest.mark.parametrize("wait_s", [9.0, 86_400.0, 1e300])
def test_a_wish_beyond_our_patience_is_the_clients_to_grant(wait_s: float) -> None:
    bench = Bench("x")
    bench.fail(0, "rate_limited", wait_s=wait_s)
    assert bench.next() is None


def test_pauses_of_a_request_are_capped_together() -> None:
    bench = Bench("x", rules=Failover(max_attempts=16, max_wait_s=2.0))
    bench.fail(0, "rate_limited", wait_s=1.0)
    assert bench.next(0.0) is not None
    bench.fail(0, "rate_limited", wait_s=1.0)
    assert bench.next(0.0) is None


def test_no_pause_goes_beyond_the_requests_own_deadline() -> None:
    bench = Bench("x")
    bench.fail(0, "rate_limited", wait_s=2.0)
    assert bench.next(0.0, late=2.0) is None


def test_a_client_that_repeats_itself_gets_each_alternative_and_no_repetition() -> None:
    bench = Bench("x", "y", repeats=False)
    bench.fail(0)
    assert bench.next() == Step(1, 0.0)
    bench.fail(1)
    assert bench.next() is None


def test_who_cannot_be_told_costs_no_attempt() -> None:
    bench = Bench("x", "y", rules=Failover(max_attempts=2))
    bench.course.impossible(0)
    assert bench.next() == Step(1, 0.0)
    bench.fail(1)
    assert bench.next() == Step(1, 0.25)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["server_error", "rate_limited", "spent", "broken", "unreachable", "timeout"]),
            st.one_of(st.none(), st.floats(0, 1e6)),
        ),
        max_size=20,
    ),
    st.integers(1, 5),
    st.integers(1, 6),
    st.floats(0, 20),
    st.floats(0, 0.999),
)
def test_attempts_and_pauses_are_always_bounded(
    failures: list[tuple[Kind, float | None]], deployments: int, attempts: int, patience_s: float, random: float
) -> None:
    rules = Failover(max_attempts=attempts, max_wait_s=patience_s)
    bench = Bench(*(f"p{place}" for place in range(deployments)), rules=rules, random=random)
    now, position, sent = 0.0, 0, 0
    for kind, wait_s in failures:
        sent += 1
        bench.fail(position, kind, wait_s=wait_s, at=now)
        step = bench.next(now)
        if step is None:
            break
        assert 0 <= step.position < deployments
        assert step.at >= now
        position, now = step
    assert sent <= attempts
    assert now <= patience_s + 1e-6


def test_repeats_are_known_for_a_minute_and_kept_in_bounds() -> None:
    repeats = Repeats()
    for asked in range(10_000):
        repeats.note(asked, 0.0)
    assert repeats.known(9_999, 59.0)
    assert not repeats.known(9_999, 61.0)
    assert not repeats.known(0, 1.0)  # the oldest go
