"""The sums of the overview: today, the last days, and the last hours one by one; simulated ones apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twintrack.control.chart import Chart, Hour, chart
from twintrack.control.figures import Books, Row, Share, headline, real, rows, shares, simulated
from twintrack.ledger.hours import HOUR_US
from twintrack.ledger.summary import Summary, summary
from twintrack.ledger.tally import Line

HOURS = 24
DAYS = 7
_DAY_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class Sums:
    headline: list[str]
    columns: list[str]
    rows: list[Row]
    shares: list[Share]
    """By route and tier, over the longest span."""
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class Overview:
    real: Sums | None
    """None: nothing real in all this time."""
    simulated: Sums | None
    running: int
    """Attempts."""


def overview(path: Path, now_us: int) -> Overview:
    """What the ledger at `path` sums up to; nothing if there is none yet.

    Raises:
        LedgerError: the database cannot be read.
    """
    if not path.exists():
        return Overview(None, None, 0)
    week = summary(path, ("route", "tier"), now_us - DAYS * _DAY_US)
    spans = [
        ("Today", "today", summary(path, (), now_us // _DAY_US * _DAY_US)),
        (f"Last {DAYS} days", f"in the last {DAYS} days", week),
    ]
    begin_us = now_us // HOUR_US * HOUR_US - (HOURS - 1) * HOUR_US
    hours = [
        (at_us, summary(path, (), at_us, at_us + HOUR_US))
        for at_us in range(begin_us, begin_us + HOURS * HOUR_US, HOUR_US)
    ]
    happened = week.total.requests or week.total.attempts or week.idle
    unreal = [books for books in (simulated(*span) for span in spans) if books is not None]
    return Overview(
        real=_sums([real(*span) for span in spans], week.rows, [_real_hour(*each) for each in hours])
        if happened
        else None,
        simulated=_sums(unreal, week.simulated, [_simulated_hour(*each) for each in hours]) if unreal else None,
        running=week.open,
    )


def _sums(spans: Sequence[Books], lines: Sequence[Line], hours: Sequence[Hour]) -> Sums:
    return Sums(headline(spans[-1]), [books.name for books in spans], rows(spans), shares(lines), chart(hours))


def _real_hour(at_us: int, found: Summary) -> Hour:
    line = found.total
    return Hour(at_us, line.requests, line.cost_nusd or 0, found.idle_nusd, line.cost_unknown)


def _simulated_hour(at_us: int, found: Summary) -> Hour:
    line = found.simulated_total
    if line is None:
        return Hour(at_us, 0, 0, 0, 0)
    idle_nusd = sum(engine.idle_nusd for engine in found.simulated_idle)
    return Hour(at_us, line.requests, line.cost_nusd or 0, idle_nusd, line.cost_unknown)
