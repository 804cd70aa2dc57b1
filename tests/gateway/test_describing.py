"""Of which requests numbers are kept on routes that learn unasked."""

from __future__ import annotations

from twintrack.gateway.describing import AT_ONCE, PER_S, Describing


def count(describing, most=10_000):
    return sum(describing.wanted() for _ in range(most))


def test_a_busy_worker_that_nobody_judges_keeps_enough_to_begin():
    describing = Describing()
    assert count(describing) == AT_ONCE
    describing.tick(0.0)
    assert count(describing) == 0
    for tick in range(1, 11):
        describing.tick(tick / 5)
    assert count(describing) == 2 * PER_S
    describing.tick(1e6)
    assert count(describing) == AT_ONCE


def test_once_anybody_judges_all_are_kept():
    describing = Describing()
    count(describing)
    describing.judged = True
    assert count(describing) == 10_000
