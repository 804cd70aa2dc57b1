"""Cost per hour as bars: the numbers of an SVG that the template draws, and of the table that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twintrack.control.words import hour as of_day
from twintrack.control.words import many, usd
from twintrack.ledger.hours import HOUR_US

_TOP_PX = 14
"""Room for a mark over the highest bar."""
_PLOT_PX = 132
_BELOW_PX = 22
_GAP = 0.22
"""Of a bar's share of the width."""


@dataclass(frozen=True, slots=True)
class Hour:
    start_us: int
    requests: int
    cost_nusd: int
    """Of what is known."""
    idle_nusd: int
    unknown: int
    """Attempts whose cost is not in it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """x and widths in percent of the chart, y and heights in pixels from its top."""

    hour: Hour
    label: str
    said: str
    tick: str
    """Under the bar; empty for most."""
    x: str
    width: str
    middle: str
    cost_y: float
    cost_px: float
    idle_y: float
    idle_px: float


@dataclass(frozen=True, slots=True)
class Chart:
    bars: tuple[Bar, ...]
    ticks: tuple[str, str, str]
    """Amounts at top, middle and bottom."""
    lines: tuple[float, float, float]
    """Where they stand."""
    top: int
    plot: int
    height: int
    said: str
    """The chart for who cannot see it."""
    idle: bool
    unknown: bool


def chart(hours: Sequence[Hour]) -> Chart | None:
    """None: there is nothing to draw."""
    if not any(hour.requests or hour.cost_nusd or hour.idle_nusd or hour.unknown for hour in hours):
        return None
    amounts = [hour.cost_nusd + hour.idle_nusd for hour in hours]
    top = _round_up(max(amounts))
    share = 100 / len(hours)
    bars = []
    for place, hour in enumerate(hours):
        cost_px = _PLOT_PX * hour.cost_nusd / top
        idle_px = _PLOT_PX * hour.idle_nusd / top
        start = of_day(hour.start_us)
        bars.append(
            Bar(
                hour=hour,
                label=f"{start} to {of_day(hour.start_us + HOUR_US)}",
                said=_said(hour),
                tick=start if hour.start_us // HOUR_US % 6 == 0 else "",
                x=f"{share * (place + _GAP / 2):.3f}%",
                width=f"{share * (1 - _GAP):.3f}%",
                middle=f"{share * (place + 0.5):.3f}%",
                cost_y=round(_TOP_PX + _PLOT_PX - cost_px, 2),
                cost_px=round(cost_px, 2),
                idle_y=round(_TOP_PX + _PLOT_PX - cost_px - idle_px, 2),
                idle_px=round(idle_px, 2),
            )
        )
    most = max(bars, key=lambda bar: bar.hour.cost_nusd + bar.hour.idle_nusd)
    return Chart(
        bars=tuple(bars),
        ticks=(_tick(top), _tick(top // 2), "$0"),
        lines=(_TOP_PX, _TOP_PX + _PLOT_PX / 2, _TOP_PX + _PLOT_PX),
        top=_TOP_PX,
        plot=_PLOT_PX,
        height=_TOP_PX + _PLOT_PX + _BELOW_PX,
        said=f"Cost per hour over the last {len(hours)} hours: {usd(sum(amounts))} in all, "
        f"most between {most.label} UTC with {usd(max(amounts))}, "
        f"{many(sum(hour.requests for hour in hours), 'request')}.",
        idle=any(hour.idle_nusd for hour in hours),
        unknown=any(hour.unknown for hour in hours),
    )


def _said(hour: Hour) -> str:
    parts = [f"{many(hour.requests, 'request')}, {usd(hour.cost_nusd)}"]
    if hour.idle_nusd:
        parts.append(f"{usd(hour.idle_nusd)} idle")
    if hour.unknown:
        parts.append(f"{many(hour.unknown, 'attempt')} of unknown cost")
    return ", ".join(parts)


def _round_up(nusd: int) -> int:
    """The next 1, 2, 5 or 10 of its order, so that half of it reads well too."""
    unit: int = 10 ** (len(str(max(nusd, 1))) - 1)
    return next(unit * step for step in (1, 2, 5, 10) if unit * step >= nusd)


def _tick(nusd: int) -> str:
    """Without zeros that say nothing."""
    whole, rest = divmod(nusd, 1_000_000_000)
    digits = f"{rest:09d}".rstrip("0")
    return f"${whole:,}" + (f".{digits.ljust(2, '0')}" if digits else "")
