"""Upper bounds of the histograms, and counts over them.

The bounds of seconds and tokens are those that the conventions of OpenTelemetry advise for `gen_ai.client.*`
(open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md, read 2026-11-30).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
OVERHEAD_S: Final = (0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 1.0)
"""Of what the gateway itself adds: 20 microseconds and up."""

OVERHEAD_NS: Final = tuple(round(bound * 1e9) for bound in OVERHEAD_S)
US: Final = tuple(round(bound * 1e6) for bound in SECONDS)


class Histogram(msgspec.Struct, array_like=True):
    """Counts below each bound, one more for the rest, and the sum in the unit they came in."""

    counts: list[int]
    total: int = 0

    def plus(self, other: Histogram) -> Histogram:
        if not other.counts or not self.counts:
            return Histogram(self.counts or other.counts, self.total + other.total)
        return Histogram([a + b for a, b in zip(self.counts, other.counts, strict=True)], self.total + other.total)


def empty() -> Histogram:
    """All of ours have as many bounds."""
    return Histogram([0] * (len(SECONDS) + 1))


def add_all(histogram: Histogram, bounds: Sequence[int], values: Iterable[int | None]) -> None:
    """Add what is known of `values`, in the unit of `bounds`."""
    known = sorted([value for value in values if value is not None])
    before = 0
    for place, bound in enumerate(bounds):
        if before == len(known):
            break
        reached = bisect_right(known, bound)
        histogram.counts[place] += reached - before
        before = reached
    histogram.counts[-1] += len(known) - before
    histogram.total += sum(known)
