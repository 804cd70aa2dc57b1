"""Sums over a group of attempts: how they add up, and the line they come to."""

from __future__ import annotations

from math import sqrt
from typing import Final

import msgspec

from twintrack.ledger import histogram

Z_95: Final = 1.959964

SUMS: Final = (
    "requests", "attempts", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "cache_write_1h_tokens", "input_audio_tokens", "output_audio_tokens", "input_image_tokens",
    "output_image_tokens", "usage_estimated", "usage_unknown", "cost_nusd", "cost_known", "cost_unknown", "cost_hourly",
    "estimated_nusd", "estimated", "baseline_nusd", "baseline_known", "energy_measured_mj", "energy_estimated_mj",
    "energy_unknown",
)  # fmt: skip
COUNTED: Final = {
    "refused": "s.state = 'refused' THEN r.requests",
    "ok": "s.outcome = 'ok' THEN r.attempts",
    "client_left": "s.outcome = 'client_left' THEN r.attempts",
    "lost": "s.outcome = 'lost' THEN r.attempts",
    "set_aside": "s.outcome = 'set_aside' THEN r.attempts",
}


class Savings(msgspec.Struct, frozen=True):
    """Baseline minus cost, over the attempts where both are known; negative is a loss.

    An attempt that gave the client nothing has a baseline of 0: its cost is a loss.
    """

    nusd: int
    low_nusd: int | None
    """Ends of the 95 % interval (normal approximation over attempts); None with fewer than two."""
    high_nusd: int | None
    attempts: int
    coverage: float
    """These attempts as a share of all, 0 to 1."""


class Line(msgspec.Struct, frozen=True):
    """Sums over one group of attempts."""

    group: dict[str, str | None]
    """By word of `by`; None: there is no such thing, as the route of a request that named its deployment."""
    requests: int
    """Counted where their first attempt went; refused ones included."""
    refused: int
    """Requests sent to nobody."""
    attempts: int
    ok: int
    client_left: int
    set_aside: int
    """Complete, and not what the client got: drafts that were not believed, and what classifiers said."""
    failed: int
    lost: int
    input_tokens: int
    """Cache reads and writes included."""
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cache_write_1h_tokens: int
    """Of the cache writes, those kept for an hour."""
    input_audio_tokens: int
    output_audio_tokens: int
    input_image_tokens: int
    output_image_tokens: int
    usage_estimated: int
    """Attempts whose tokens the provider did not report, so that tokens and cost are estimates."""
    usage_unknown: int
    cost_nusd: int | None
    """Of the attempts whose cost is known, the part of own engines' hours included; None: of none it is known."""
    hourly_nusd: int
    """What of it is own engines' hours."""
    cost_unknown: int
    """Attempts whose cost is not known; not in `cost_nusd`."""
    estimated_nusd: int
    """Predicted for attempts whose cost can never be known, to reconcile with invoices; not in `cost_nusd`."""
    estimated: int
    baseline_nusd: int | None
    baseline_unknown: int
    savings: Savings | None
    """None: for no attempt are both sides known."""
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    total_p50_ms: float | None
    """Durations are those of attempts that went well, unless the question is by outcome."""
    total_p95_ms: float | None
    energy_measured_mj: int
    energy_estimated_mj: int
    energy_unknown: int
    """Attempts."""


class Tally:
    """What adds up to a line."""

    __slots__ = ("durations", "hourly_nusd", "saved", "saving_nusd", "saving_sq", "sums", "ttft")

    def __init__(self) -> None:
        self.sums = dict.fromkeys((*SUMS, *COUNTED), 0)
        self.hourly_nusd = 0
        self.saved = 0
        self.saving_nusd = 0
        self.saving_sq = 0.0
        self.ttft = 0
        self.durations = 0

    def add(self, other: Tally) -> None:
        for name, amount in other.sums.items():
            self.sums[name] += amount
        self.hourly_nusd += other.hourly_nusd
        self.saved += other.saved
        self.saving_nusd += other.saving_nusd
        self.saving_sq += other.saving_sq
        self.ttft += other.ttft
        self.durations += other.durations

    def line(self, group: dict[str, str | None]) -> Line:
        s = self.sums
        attempts = s["attempts"]
        known = s["cost_known"] + s["cost_hourly"]
        cost: int | None = s["cost_nusd"] + self.hourly_nusd
        if attempts and not known and not self.hourly_nusd:
            cost = None
        return Line(
            group=group,
            requests=s["requests"],
            refused=s["refused"],
            attempts=attempts,
            ok=s["ok"],
            client_left=s["client_left"],
            set_aside=s["set_aside"],
            failed=attempts - s["ok"] - s["client_left"] - s["set_aside"] - s["lost"],
            lost=s["lost"],
            input_tokens=s["input_tokens"],
            output_tokens=s["output_tokens"],
            cache_read_tokens=s["cache_read_tokens"],
            cache_write_tokens=s["cache_write_tokens"],
            reasoning_tokens=s["reasoning_tokens"],
            cache_write_1h_tokens=s["cache_write_1h_tokens"],
            input_audio_tokens=s["input_audio_tokens"],
            output_audio_tokens=s["output_audio_tokens"],
            input_image_tokens=s["input_image_tokens"],
            output_image_tokens=s["output_image_tokens"],
            usage_estimated=s["usage_estimated"],
            usage_unknown=s["usage_unknown"],
            cost_nusd=cost,
            hourly_nusd=self.hourly_nusd,
            cost_unknown=s["cost_unknown"],
            estimated_nusd=s["estimated_nusd"],
            estimated=s["estimated"],
            baseline_nusd=s["baseline_nusd"] if s["baseline_known"] or not attempts else None,
            baseline_unknown=attempts - s["baseline_known"],
            savings=self._savings(attempts),
            ttft_p50_ms=histogram.quantile_ms(self.ttft, 0.5),
            ttft_p95_ms=histogram.quantile_ms(self.ttft, 0.95),
            total_p50_ms=histogram.quantile_ms(self.durations, 0.5),
            total_p95_ms=histogram.quantile_ms(self.durations, 0.95),
            energy_measured_mj=s["energy_measured_mj"],
            energy_estimated_mj=s["energy_estimated_mj"],
            energy_unknown=s["energy_unknown"],
        )

    def _savings(self, attempts: int) -> Savings | None:
        n = self.saved
        if not n and not self.saving_nusd:
            return None  # the latter without the former: the end of attempts counted in the hour before
        low = high = None
        if n > 1:
            spread = max(0.0, self.saving_sq - float(self.saving_nusd) ** 2 / n)
            half = round(Z_95 * sqrt(n / (n - 1) * spread))
            low, high = self.saving_nusd - half, self.saving_nusd + half
        return Savings(self.saving_nusd, low, high, n, n / attempts if attempts else 1.0)
