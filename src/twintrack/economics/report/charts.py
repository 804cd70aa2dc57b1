"""SVG of the report's charts. Colours are classes of the page's sheet, so that light and dark share one drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from twintrack.economics.amounts import count, usd
from twintrack.economics.document import BreakEvenOut, Document
from twintrack.economics.report.curves import Curves
from twintrack.economics.words import input_words

_MOST_BARS = 8


def break_even(data: Curves, crossings: Sequence[tuple[float, float]], *, wide: bool) -> str:
    """Bills by volume, with bands; `crossings` are (tokens a day, dollars a month)."""
    width, height = (760, 380) if wide else (360, 320)
    left, right, top, bottom = (66, 16, 16, 44) if wide else (54, 12, 12, 42)
    most_x = data.tokens_per_day[-1] or 1.0
    shown = [usd for line in data.lines for usd in line.usd]
    cap = _cap(data, shown)
    x_scale = (width - left - right) / most_x
    y_scale = (height - top - bottom) / cap

    def at(tokens: float, dollars: float) -> tuple[float, float]:
        return left + tokens * x_scale, height - bottom - min(dollars, cap * 1.2) * y_scale

    parts = [_frame(width, height, "A month's bill by tokens a day")]
    clip = f"plot-{'w' if wide else 'n'}"
    parts.append(_clip(clip, left, top, width - right, height - bottom))
    parts += [_level(left, width - right, at(0, t)[1], usd_short(t)) for t in _ticks(cap, 5 if wide else 4)]
    for tick in _ticks(most_x, 6 if wide else 4):
        parts.append(_text(at(tick, 0)[0], height - bottom + 18, count(tick) if tick else "0", "middle"))
    parts.append(_text(width - right, height - 6, "tokens a day", "end"))
    parts.append(f'<g clip-path="url(#{clip})">')
    volumes = data.tokens_per_day
    for place, line in enumerate(data.lines):
        band = [at(t, u) for t, u in zip(volumes, line.high_usd, strict=True)]
        band += [at(t, u) for t, u in zip(reversed(volumes), reversed(line.low_usd), strict=True)]
        parts.append(f'<polygon class="band s{place}" points="{_points(band)}"/>')
    for place, line in enumerate(data.lines):
        parts.append(_curve(f"s{place}", (at(t, u) for t, u in zip(volumes, line.usd, strict=True)), line.title))
    x = at(data.today, 0)[0]
    parts.append(f'<line class="today" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{height - bottom}"/>')
    for tokens, dollars in crossings:
        if tokens <= most_x and dollars <= cap:
            parts.append(_meeting(*at(tokens, dollars), f"{count(tokens)} tokens a day, {usd(dollars)} a month"))
    ahead = x < width * 0.7
    parts.append("</g>")
    parts.append(_text(x + (6 if ahead else -6), top + 12, "today", "start" if ahead else "end", " strong"))
    return "".join([*parts, "</svg>"])


def spent(pair: BreakEvenOut, *, wide: bool) -> str:
    """Spent in all, month by month, on both paths."""
    width, height = (760, 300) if wide else (360, 280)
    left, right, top, bottom = (66, 16, 16, 40) if wide else (54, 12, 12, 40)
    months = len(pair.selfhost_usd) - 1
    most = max(*pair.selfhost_usd, *pair.alternative_usd, 1.0) * 1.04
    x_scale, y_scale = (width - left - right) / max(months, 1), (height - top - bottom) / most

    def at(month: float, dollars: float) -> tuple[float, float]:
        return left + month * x_scale, height - bottom - dollars * y_scale

    parts = [_frame(width, height, "Spent in all by the end of each month")]
    parts += [_level(left, width - right, at(0, t)[1], usd_short(t)) for t in _ticks(most, 4)]
    every = max(1, round(months / (8 if wide else 4)))
    parts += [
        _text(at(month, 0)[0], height - bottom + 18, str(month), "middle") for month in range(0, months + 1, every)
    ]
    parts.append(_text(width - right, height - 4, "months from today", "end"))
    for name, line in (("s0", pair.selfhost_usd), ("s1", pair.alternative_usd)):
        parts.append(_curve(name, (at(month, dollars) for month, dollars in enumerate(line))))
    if pair.month is not None:
        parts.append(_meeting(*at(pair.month, pair.selfhost_usd[pair.month]), f"month {pair.month}"))
    return "".join([*parts, "</svg>"])


def stack(plan: Document) -> list[tuple[str, str, str]]:
    """For each option: title, total, and a bar of its lines. Widths are percent, so that it bends to any screen."""
    shown = plan.options[:_MOST_BARS]
    most = max((option.monthly_high_usd or option.monthly_usd for option in shown), default=1.0) or 1.0
    names = line_names(plan)
    rows = []
    for option in shown:
        parts = []
        x = 0.0
        for place, name in enumerate(names):
            share = option.lines.get(name, 0.0) / most * 100
            if share > 0:
                title = f"<title>{escape(name)}: {usd(option.lines[name])}</title>"
                where = f'x="{x:.3f}%" width="{share:.3f}%" y="3" height="16"'
                parts.append(f'<rect class="l{place % 10}" {where}>{title}</rect>')
            x += share
        if option.monthly_low_usd is not None and option.monthly_high_usd is not None:
            low, high = option.monthly_low_usd / most * 100, option.monthly_high_usd / most * 100
            ends = ((low, high, 11, 11), (low, low, 7, 15), (high, high, 7, 15))
            parts += [
                f'<line class="whisker" x1="{x1:.3f}%" x2="{x2:.3f}%" y1="{y1}" y2="{y2}"/>' for x1, x2, y1, y2 in ends
            ]
        rows.append((option.title, usd(option.monthly_usd), _bar(option.title, parts)))
    return rows


def line_names(plan: Document) -> list[str]:
    return list(dict.fromkeys(name for option in plan.options[:_MOST_BARS] for name in option.lines))


def tornado(plan: Document) -> list[tuple[str, str, str, str]]:
    """For each input that decides: words, its ends, what it explains, and a bar around today's difference."""
    weights = [each for each in plan.what_matters if each.low_usd != each.high_usd]
    weights = sorted(weights, key=lambda each: -abs(each.high_usd - each.low_usd))[:_MOST_BARS]
    if not weights:
        return []
    low = min(0.0, *(min(each.low_usd, each.high_usd) for each in weights))
    high = max(0.0, *(max(each.low_usd, each.high_usd) for each in weights))
    span = (high - low) or 1.0
    zero = -low / span * 100
    rows = []
    for each in weights:
        ends = sorted((each.low_usd, each.high_usd))
        x, w = (ends[0] - low) / span * 100, (ends[1] - ends[0]) / span * 100
        turns = " turns" if ends[0] < 0 < ends[1] else ""
        where = f'x="{x:.3f}%" width="{max(w, 0.4):.3f}%" y="4" height="14" rx="2"'
        parts = (
            f'<rect class="swing{turns}" {where}/>',
            f'<line class="zero" x1="{zero:.3f}%" x2="{zero:.3f}%" y1="0" y2="22"/>',
        )
        words = input_words(each.name)
        rows.append((words, each.origin, f"{_signed(each.low_usd)} … {_signed(each.high_usd)}", _bar(words, parts)))
    return rows


def usd_short(amount: float) -> str:
    for unit, size in (("M", 1e6), ("K", 1e3)):
        if amount >= size:
            return f"${amount / size:,.3g}{unit}"
    return f"${amount:,.3g}"


def _signed(amount: float) -> str:
    return f"−{usd_short(-amount)}" if amount < 0 else f"+{usd_short(amount)}"


def _cap(data: Curves, shown: list[float]) -> float:
    """The top of the chart: three times what the cheapest costs at the right end, or all there is."""
    at_end = sorted(line.usd[-1] for line in data.lines)
    return min(max(shown), max(at_end[0] * 4, at_end[min(1, len(at_end) - 1)] * 1.5)) * 1.06 or 1.0


def _ticks(most: float, about: int) -> list[float]:
    rough = most / about
    size = 10 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough)
    return [step * n for n in range(int(most / step) + 1)]


def _text(x: float, y: float, said: str, anchor: str, more: str = "") -> str:
    return f'<text class="tick{more}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{said}</text>'


def _level(left: float, right: float, y: float, said: str) -> str:
    """A line across the plot, with its amount."""
    across = f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return across + _text(left - 8, y + 4, said, "end")


def _meeting(x: float, y: float, said: str) -> str:
    return f'<circle class="meet" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{said}</title></circle>'


def _curve(name: str, pairs: Iterable[tuple[float, float]], said: str = "") -> str:
    title = f"<title>{escape(said)}</title>" if said else ""
    return f'<polyline class="line {name}" points="{_points(pairs)}">{title}</polyline>'


def _bar(said: str, parts: Iterable[str]) -> str:
    inside = "".join(parts)
    return f'<svg class="bar" width="100%" height="22" role="img"><title>{escape(said)}</title>{inside}</svg>'


def _frame(width: int, height: int, said: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(said)}">'


def _clip(name: str, left: float, top: float, right: float, bottom: float) -> str:
    rect = f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>'
    return f'<clipPath id="{name}">{rect}</clipPath>'


def _points(pairs: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
