"""What one worker has lately seen of each deployment: load, health, speed, counts.

A `Pulse` belongs to a deployment's name and outlives a reload, so that a request begun before it still counts.
"""

from __future__ import annotations

from twintrack.gateway.breaker import Breaker

_SMOOTHING = 0.2
_FADE_S = 60.0
"""After this long without an answer a speed is unknown again: what is passed over as slow would never be measured."""


class Pulse(Breaker):
    __slots__ = (
        "in_flight",
        "latency_ms",
        "measured_at",
        "name",
        "outcomes",
        "ttft_ms",
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

    def worked(self, ttft_ms: int | None, latency_ms: int, now: float) -> None:
        if self.failures or self.half_open or not self.healthy:
            self.alive()
        self.measured_at = now
        if ttft_ms is not None:
            self.ttft_ms = _smooth(self.ttft_ms, ttft_ms)
        self.latency_ms = _smooth(self.latency_ms, latency_ms)

    def tick(self, now: float) -> None:
        """Let a pause end and old figures fade."""
        super().tick(now)
        if self.latency_ms and now - self.measured_at > _FADE_S:
            self.ttft_ms = self.latency_ms = 0


def _smooth(old: int, new: int) -> int:
    return new if old == 0 else round(old + _SMOOTHING * (new - old)) or 1
