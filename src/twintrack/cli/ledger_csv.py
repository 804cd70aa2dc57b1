"""Sums of the ledger for a spreadsheet: comma-separated, dollars with all their digits, empty where unknown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from twintrack.ledger.summary import Summary
from twintrack.ledger.tally import Line

_COUNTS = (
    "requests", "refused", "attempts", "ok", "client_left", "set_aside", "failed", "lost", "input_tokens",
    "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
_COLUMNS = (
    *_COUNTS, "cost_usd", "of_it_engine_hours_usd", "cost_unknown_attempts", "predicted_for_unknown_usd",
    "baseline_usd", "baseline_unknown_attempts", "saved_usd", "saved_low_95_usd", "saved_high_95_usd",
    "saved_over_attempts",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def written(found: Summary) -> str:
    """A line of titles, one for each group, and one for each group of hours of own engines that nobody used.

    `cost_usd` over all lines is what everything cost, as far as it is known. Simulated rows are not in it.
    """
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("what", *found.by, *_COLUMNS))
    for line in found.rows if found.by else (found.total,):
        rows.writerow(("attempts", *_names(found.by, line.group), *_amounts(line)))
    blank = [""] * len(_COLUMNS)
    for idle in found.idle_lines:
        cells = blank.copy()
        cells[_COLUMNS.index("cost_usd")] = cells[_COLUMNS.index("of_it_engine_hours_usd")] = usd(idle.idle_nusd)
        cells[_COLUMNS.index("saved_usd")] = usd(-idle.idle_nusd)
        rows.writerow(("idle engines", *_names(found.by, idle.group), *cells))
    return out.getvalue()


def _names(by: tuple[str, ...], group: dict[str, str | None]) -> Iterator[str]:
    for word in by:
        name = group.get(word) or ""
        yield f"'{name}" if name.startswith(_FORMULA) else name  # a name must not be run as a formula


def _amounts(line: Line) -> Iterator[str]:
    for name in _COUNTS:
        yield str(getattr(line, name))
    yield usd(line.cost_nusd)
    yield usd(line.hourly_nusd)
    yield str(line.cost_unknown)
    yield usd(line.estimated_nusd)
    yield usd(line.baseline_nusd)
    yield str(line.baseline_unknown)
    savings = line.savings
    yield from ("", "", "", "0") if savings is None else (
        usd(savings.nusd), usd(savings.low_nusd), usd(savings.high_nusd), str(savings.attempts),
    )  # fmt: skip


def usd(nusd: int | None) -> str:
    """Dollars to the last nano-dollar, with a point; empty where unknown."""
    if nusd is None:
        return ""
    whole, rest = divmod(abs(nusd), 1_000_000_000)
    return f"{'-' if nusd < 0 else ''}{whole}.{rest:09d}"
