"""What a request's reading may take is counted as the processor does, so that a busy machine ends none of them."""

from __future__ import annotations

import time

import pytest

from twintrack.gateway.slices import SLICE_NS, Slices


def test_only_the_processor_s_time_counts_and_not_the_first_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, processor = [0], [0]
    monkeypatch.setattr(time, "perf_counter_ns", lambda: clock[0])
    monkeypatch.setattr(time, "thread_time_ns", lambda: processor[0])
    slices = Slices(most_s=0.001)

    def takes(wall_ns: int, cpu_ns: int) -> bool:
        assert slices.begin() == clock[0] + SLICE_NS
        clock[0] += wall_ns
        processor[0] += cpu_ns
        return slices.end()

    assert not takes(10_000_000, 10_000_000)
    assert not takes(60_000_000_000, 900_000)
    assert not takes(60_000_000_000, 100_000)
    assert takes(1, 1)
