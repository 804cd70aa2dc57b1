"""Sums over attempts that were the same kind of request and ended the same way.

An attempt is the tuple of its columns in `attempts`, in the order of the table, up to `response_bytes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import mul
from typing import Any, Final, NamedTuple

from twintrack.ledger import histogram
from twintrack.ledger.hours import HOUR_US, by_hour
from twintrack.ledger.words import Ending

AttemptRow = tuple[Any, ...]

KINDS: Final = (
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
)
"""Counts that few attempts have. They are no part of an `AttemptRow`."""
Kinds = tuple[int | None, ...]
"""Those of one attempt, in the order of `KINDS`."""

MOST: Final = 1 << 44
"""More tokens, nano-dollars, bytes or microseconds than one attempt can have; larger numbers are a provider's error."""

NO_ANSWER: Final = frozenset({"upstream_refused", "upstream_failed", "upstream_timeout", "set_aside"})
"""Outcomes of attempts that gave the client nothing: the baseline would have cost nothing more for them."""

NOTHING_FOLLOWS: Final = frozenset({"client_left", "lost"})
"""How asking a classifier ends where it is all that came of its request."""


class Sums(NamedTuple):
    """One row of `rollups` behind hour and slice, in the order of the table."""

    requests: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage_estimated: int = 0
    usage_unknown: int = 0
    cost_nusd: int = 0
    cost_known: int = 0
    cost_unknown: int = 0
    cost_hourly: int = 0
    estimated_nusd: int = 0
    estimated: int = 0
    baseline_nusd: int = 0
    baseline_known: int = 0
    both_known: int = 0
    saving_nusd: int = 0
    saving_sq: float = 0.0
    both_us: int = 0
    saving_t: float = 0.0
    saving_tt: float = 0.0
    hourly_us: int = 0
    ttft_known: int = 0
    ttft_us: int = 0
    ttft_histogram: int = 0
    total_us: int = 0
    total_histogram: int = 0
    energy_measured_mj: int = 0
    energy_estimated_mj: int = 0
    energy_unknown: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_image_tokens: int = 0

    def plus(self, other: Sums) -> Sums:
        return Sums._make([a + b for a, b in zip(self, other, strict=True)])

    def absurd(self) -> bool:
        """Whether some amount is so large that one number in it may be beyond reason."""
        amounts = [int(self[i]) for i in _AMOUNTS]
        return max(amounts) >= MOST or min(amounts) <= -MOST

    def columns(self) -> tuple[Any, ...]:
        """As the table holds them."""
        values: list[Any] = list(self)
        values[_TTFT] = histogram.to_bytes(self.ttft_histogram)
        values[_TOTAL] = histogram.to_bytes(self.total_histogram)
        return tuple(values)

    @classmethod
    def from_columns(cls, columns: Iterable[Any]) -> Sums:
        values = list(columns)
        values[_TTFT] = histogram.from_bytes(values[_TTFT])
        values[_TOTAL] = histogram.from_bytes(values[_TOTAL])
        return cls._make(values)


_AMOUNTS: Final = [i for i, name in enumerate(Sums._fields) if name.endswith(("_nusd", "_us", "_tokens", "_mj"))]
_TTFT: Final = Sums._fields.index("ttft_histogram")
_TOTAL: Final = Sums._fields.index("total_histogram")


def total(column: Iterable[int | None]) -> int:
    """The sum of what is known."""
    return sum(filter(None, column))


def sums(rows: Sequence[AttemptRow], ending: Ending, *, hourly: bool, baseline_counts: bool = True) -> Sums:
    """Sum attempts that share an ending.

    `hourly_us` and `both_us` count each duration as if it lay in one hour; see `beyond_the_hour`. `requests` counts
    first attempts.

    Args:
        hourly: their deployment is paid by the hour.
        baseline_counts: see `Basis`.
    """
    n = len(rows)
    columns = tuple(zip(*rows, strict=True))
    attempt, predicted = columns[2], columns[6]
    ttft, duration = columns[16], columns[17]
    tokens, cost, baseline, energy = columns[18:23], columns[23], columns[24], columns[25]

    if ending.state == "released":
        cost = tuple([0 if c is None else c for c in cost])
    known = n - cost.count(None)
    estimated: list[int] = []
    if ending.state == "unknown" and not hourly:
        estimated = [p for p, c in zip(predicted, cost, strict=True) if c is None and p is not None]

    if not baseline_counts:
        baseline = (None,) * n
    would_cost = baseline
    if ending.outcome in NO_ANSWER:
        would_cost = tuple([b or 0 for b in baseline])
    both_us = 0
    saving_t = saving_tt = 0.0
    if hourly:
        pairs = [(b, t) for b, t in zip(would_cost, duration, strict=True) if b is not None]
        saving = [b for b, _ in pairs]
        both_us = total(t for _, t in pairs)
        saving_t = float(sum(b * t for b, t in pairs))
        saving_tt = float(sum(t * t for _, t in pairs))
    else:
        saving = [b - c for b, c in zip(would_cost, cost, strict=True) if b is not None and c is not None]

    ttft_known = [t for t in ttft if t is not None]
    duration_us = total(duration)
    source = ending.energy_source
    energy_mj = total(energy)
    return Sums(
        requests=attempt.count(0),
        attempts=n,
        input_tokens=total(tokens[0]),
        output_tokens=total(tokens[1]),
        cache_read_tokens=total(tokens[2]),
        cache_write_tokens=total(tokens[3]),
        reasoning_tokens=total(tokens[4]),
        usage_estimated=n if ending.usage_source == "estimated" else 0,
        usage_unknown=n if ending.usage_source == "none" else 0,
        cost_nusd=total(cost),
        cost_known=0 if hourly else known,
        cost_unknown=0 if hourly else n - known,
        cost_hourly=n if hourly else 0,
        estimated_nusd=total(estimated),
        estimated=len(estimated),
        baseline_nusd=total(baseline),
        baseline_known=n - baseline.count(None),
        both_known=len(saving),
        saving_nusd=total(saving),
        saving_sq=float(sum(map(mul, saving, saving))),
        both_us=both_us,
        saving_t=saving_t,
        saving_tt=saving_tt,
        hourly_us=duration_us if hourly else 0,
        ttft_known=len(ttft_known),
        ttft_us=total(ttft_known),
        ttft_histogram=histogram.packed(ttft_known),
        total_us=duration_us,
        total_histogram=histogram.packed(duration),
        energy_measured_mj=energy_mj if source == "measured" else 0,
        energy_estimated_mj=energy_mj if source == "estimated" else 0,
        energy_unknown=n if source == "unknown" else energy.count(None),
    )


def of_kinds(rows: Sequence[Kinds]) -> Sums:
    """What `KINDS` add to the sums of the same attempts."""
    return Sums(**{name: total(column) for name, column in zip(KINDS, zip(*rows, strict=True), strict=True)})


def beyond_the_hour(
    rows: Sequence[AttemptRow], hour: int, ending: Ending, *, baseline_counts: bool
) -> dict[int, tuple[int, int]]:
    """By later hour, the microseconds by which attempts dispatched in `hour` reach into it: (hourly_us, both_us)."""
    later: dict[int, tuple[int, int]] = {}
    border_us = (hour + 1) * HOUR_US
    for row in rows:
        end_us = row[3] + row[17]
        if end_us <= border_us:
            continue
        both = ending.outcome in NO_ANSWER or (baseline_counts and row[24] is not None)
        for where, part_us in by_hour(border_us, end_us):
            before = later.get(where, (0, 0))
            later[where] = before[0] + part_us, before[1] + (part_us if both else 0)
    return later
