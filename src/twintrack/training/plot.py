"""The frontier of cost and quality as an SVG, drawn without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from twintrack.training.design import Array

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 460, 70, 40, 170, 60
_COLOURS = {"ours": "#0b6e4f", "length": "#b8641c", "task_mean": "#5b5ea6", "oracle": "#888888"}
_WORDS = {"ours": "this router", "length": "length rule", "task_mean": "told the task", "oracle": "oracle"}


def svg(title: str, curves: Mapping[str, tuple[Array, Array]], in_dollars: bool) -> str:
    """`curves` by name: shares of strong calls or dollars per 1,000 requests, and mean quality."""
    xs = [float(x) for each, _ in curves.values() for x in each]
    ys = [float(y) for _, each in curves.values() for y in each]
    low_x, high_x, low_y, high_y = min(xs), max(xs), min(ys), max(ys)
    span_x, span_y = (high_x - low_x) or 1.0, (high_y - low_y) or 1.0

    def place(x: float, y: float) -> str:
        across = _LEFT + (x - low_x) / span_x * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - (y - low_y) / span_y * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="13" role="img" aria-label="{escape(title, quote=True)}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for step in range(5):
        x, y = low_x + span_x * step / 4, low_y + span_y * step / 4
        across, down = place(x, low_y).split(",")[0], place(low_x, y).split(",")[1]
        label = f"{x:.4g}" if in_dollars else f"{100 * x:.0f} %"
        parts.append(f'<text x="{across}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{label}</text>')
        parts.append(f'<text x="{_LEFT - 8}" y="{down}" text-anchor="end" dy="4">{y:.3f}</text>')
        parts.append(f'<path d="M{place(low_x, y)} L{place(high_x, y)}" stroke="#e4e4e4"/>')
    start, end = place(low_x, _first(curves)), place(high_x, _last(curves))
    parts.append(f'<path d="M{start} L{end}" stroke="#999999" stroke-dasharray="5 4"/>')
    parts.append(_legend(0, "#999999", "at random"))
    for number, (name, (x_values, y_values)) in enumerate(curves.items(), 1):
        colour = _COLOURS.get(name, "#444444")
        points = " ".join(place(float(x), float(y)) for x, y in zip(x_values, y_values, strict=True))
        width = 3 if name == "ours" else 1.5
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        parts.append(_legend(number, colour, _WORDS.get(name, name)))
    across = "US dollars per 1,000 requests" if in_dollars else "requests sent to the strong model"
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 16}" text-anchor="middle">{across}</text>')
    parts.append(
        f'<text x="18" y="{(_TOP + _HEIGHT - _BOTTOM) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 18 {(_TOP + _HEIGHT - _BOTTOM) / 2})">mean quality</text>'
    )
    return "\n".join([*parts, "</svg>", ""])


def _legend(number: int, colour: str, words: str) -> str:
    down = _TOP + 10 + 22 * number
    left = _WIDTH - _RIGHT + 20
    return (
        f'<path d="M{left},{down} h22" stroke="{colour}" stroke-width="3"/>'
        f'<text x="{left + 30}" y="{down + 4}">{escape(words)}</text>'
    )


def _first(curves: Mapping[str, tuple[Array, Array]]) -> float:
    return float(next(iter(curves.values()))[1][0])


def _last(curves: Mapping[str, tuple[Array, Array]]) -> float:
    return float(next(iter(curves.values()))[1][-1])
