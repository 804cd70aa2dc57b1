"""Numbers as people read them. Unknown is a word, never 0; a loss has its sign."""

from __future__ import annotations

from datetime import UTC, datetime

UNKNOWN = "unknown"
NONE = "–"
_FIGURES = 3
"""Significant figures of an amount below one dollar."""


def usd(nusd: int | None) -> str:
    """Rounded half up: to the cent from a dollar on, below it to three figures. `Line.cost_nusd` has it exactly."""
    if nusd is None:
        return UNKNOWN
    amount = abs(nusd)
    digits = 2
    if 0 < amount < 1_000_000_000:
        digits = min(9, 9 + _FIGURES - len(str(amount)))
    unit = 10 ** (9 - digits)
    whole, rest = divmod((amount + unit // 2) // unit, 10**digits)
    return f"{'−' if nusd < 0 else ''}${whole:,}.{rest:0{digits}d}"


def signed(nusd: int | None) -> str:
    """With a plus where it is one."""
    return f"+{usd(nusd)}" if nusd is not None and nusd > 0 else usd(nusd)


def count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def ms(duration_ms: float | None) -> str:
    if duration_ms is None:
        return NONE
    if duration_ms < 999.5:
        return f"{duration_ms:.0f} ms"
    seconds = duration_ms / 1000
    return f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:,.0f} s"


def us(duration_us: int | None) -> str:
    return NONE if duration_us is None else ms(duration_us / 1000)


def quantiles(half_ms: float | None, most_ms: float | None) -> str:
    """The median, and what 95 % stay below."""
    if half_ms is None or most_ms is None:
        return NONE
    half, unit = ms(half_ms).rsplit(" ", 1)
    most, same = ms(most_ms).rsplit(" ", 1)
    return f"{half} / {most} {unit}" if unit == same else f"{half} {unit} / {most} {same}"


def many(number: int, noun: str) -> str:
    """A count of what `noun` names in the singular."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("ry") else f"{number:,} {noun}s"


def short(number: int) -> str:
    """To three figures from ten thousand on."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= max(0.9995 * size, 10_000):
            scaled = number / size
            return f"{scaled:.0f} {unit}" if scaled >= 99.95 else f"{scaled:.3g} {unit}"
    return f"{number:,}"


def share(part: float) -> str:
    """Of 1, as a percentage that only says 100 when it is all."""
    if 0.995 <= part < 1:
        return "over 99 %"
    return f"{part:.0%}".replace("%", " %")


def clock(at_us: int, now_us: int) -> str:
    """The time of day, with the date if that is not today's."""
    at = _utc(at_us)
    return f"{at:%H:%M:%S}" if at.date() == _utc(now_us).date() else f"{at:%m-%d %H:%M}"


def hour(at_us: int) -> str:
    return f"{_utc(at_us):%H:%M}"


def iso(at_us: int) -> str:
    return f"{_utc(at_us):%Y-%m-%dT%H:%M:%SZ}"


def _utc(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC)
