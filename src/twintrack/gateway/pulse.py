"""What one worker has lately seen of each deployment: load, health, speed, counts.

A `Pulse` belongs to a deployment's name and outlives a reload, so that a request begun before it still counts.
"""

from __future__ import annotations

from bisect import bisect_left

from twintrack.gateway.breaker import Breaker

BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000)
"""Upper bounds of the latency histogram; one more bucket holds the rest."""
_SMOOTHING = 0.2
_FADE_S = 60.0
"""After this long without an answer a speed is unknown again: what is passed over as slow would never be measured."""


class Pulse(Breaker):
    __slots__ = (
        "buckets",
        "cost_nusd",
        "in_flight",
        "input_tokens",
        "latency_ms",
        "latency_sum_ms",
        "measured_at",
        "name",
        "outcomes",
        "output_tokens",
        "ttft_ms",
        "unpriced",
    )

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.in_flight = 0
        self.ttft_ms = 0
        """Time to first token, smoothed; 0: not yet known."""
        self.latency_ms = 0
        self.measured_at = 0.0
        self.outcomes: dict[str, int] = {}
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost_nusd = 0
        self.unpriced = 0
        """Settled attempts whose cost is unknown."""
        self.buckets = [0] * (len(BUCKETS_MS) + 1)
        self.latency_sum_ms = 0

    def worked(self, ttft_ms: int | None, latency_ms: int, now: float) -> None:
        self.alive()
        self.measured_at = now
        if ttft_ms is not None:
            self.ttft_ms = _smooth(self.ttft_ms, ttft_ms)
        self.latency_ms = _smooth(self.latency_ms, latency_ms)
        self.buckets[bisect_left(BUCKETS_MS, latency_ms)] += 1
        self.latency_sum_ms += latency_ms

    def tick(self, now: float) -> None:
        """Let a pause end and old figures fade."""
        super().tick(now)
        if self.latency_ms and now - self.measured_at > _FADE_S:
            self.ttft_ms = self.latency_ms = 0

    def counted(self) -> tuple[dict[str, int], int, int, int, int, list[int], int]:
        """What /metrics shows, as one value that other workers can read."""
        return (
            self.outcomes,
            self.input_tokens,
            self.output_tokens,
            self.cost_nusd,
            self.unpriced,
            self.buckets,
            self.latency_sum_ms,
        )


def _smooth(old: int, new: int) -> int:
    return new if old == 0 else round(old + _SMOOTHING * (new - old)) or 1
