"""What a worker has lately seen of a deployment: how fast it is."""

from __future__ import annotations

import pytest

from twintrack.gateway.pulse import BUCKETS_MS, Pulse


def test_speeds_are_smoothed_and_fade() -> None:
    pulse = Pulse("d")
    pulse.worked(100, 1_000, 0.0)
    assert (pulse.ttft_ms, pulse.latency_ms) == (100, 1_000)
    pulse.worked(200, 2_000, 1.0)
    assert (pulse.ttft_ms, pulse.latency_ms) == (120, 1_200)
    pulse.worked(None, 2_000, 1.0)  # not streamed
    assert pulse.ttft_ms == 120
    pulse.tick(60.0)
    assert pulse.ttft_ms == 120
    pulse.tick(62.0)
    assert (pulse.ttft_ms, pulse.latency_ms) == (0, 0)


@pytest.mark.parametrize(("latency_ms", "bucket"), [(0, 0), (5, 0), (6, 1), (120_000, 13), (120_001, 14)])
def test_latencies_fall_into_buckets(latency_ms: int, bucket: int) -> None:
    pulse = Pulse("d")
    pulse.worked(None, latency_ms, 0.0)
    assert pulse.buckets.index(1) == bucket
    assert len(pulse.buckets) == len(BUCKETS_MS) + 1
