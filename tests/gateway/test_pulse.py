"""What a worker has lately seen of a deployment: how fast it is."""

from __future__ import annotations

from twintrack.gateway.pulse import Pulse


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
