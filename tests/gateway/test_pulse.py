"""What a worker has lately seen of a deployment: when it is passed over, and when it gets another chance."""

from __future__ import annotations

import pytest

from twintrack.gateway.pulse import BUCKETS_MS, Pulse


def test_three_failures_in_a_row_pause_a_deployment() -> None:
    pulse = Pulse("d")
    pulse.failed(100.0)
    pulse.failed(100.0)
    assert pulse.healthy
    pulse.failed(100.0)
    assert not pulse.healthy
    pulse.rest(100.9)
    assert not pulse.healthy
    pulse.rest(101.0)
    assert pulse.healthy


def test_one_more_failure_pauses_it_again_and_for_longer() -> None:
    pulse, now = Pulse("d"), 0.0
    pauses = []
    for _ in range(9):
        pulse.failed(now)
        if not pulse.healthy:
            pauses.append(pulse.paused_until - now)
            now = pulse.paused_until
            pulse.rest(now)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_success_forgets_failures() -> None:
    pulse = Pulse("d")
    pulse.failed(0.0)
    pulse.failed(0.0)
    pulse.worked(5, 10, 0.0)
    pulse.failed(0.0)
    assert pulse.healthy


def test_speeds_are_smoothed_and_fade() -> None:
    pulse = Pulse("d")
    pulse.worked(100, 1_000, 0.0)
    assert (pulse.ttft_ms, pulse.latency_ms) == (100, 1_000)
    pulse.worked(200, 2_000, 1.0)
    assert (pulse.ttft_ms, pulse.latency_ms) == (120, 1_200)
    pulse.worked(None, 2_000, 1.0)  # not streamed
    assert pulse.ttft_ms == 120
    pulse.rest(60.0)
    assert pulse.ttft_ms == 120
    pulse.rest(62.0)
    assert (pulse.ttft_ms, pulse.latency_ms) == (0, 0)


@pytest.mark.parametrize(("latency_ms", "bucket"), [(0, 0), (5, 0), (6, 1), (120_000, 13), (120_001, 14)])
def test_latencies_fall_into_buckets(latency_ms: int, bucket: int) -> None:
    pulse = Pulse("d")
    pulse.worked(None, latency_ms, 0.0)
    assert pulse.buckets.index(1) == bucket
    assert len(pulse.buckets) == len(BUCKETS_MS) + 1
