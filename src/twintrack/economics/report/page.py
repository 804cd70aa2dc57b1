"""Fills the page."""

from __future__ import annotations

import functools
import os
from typing import Any

from twintrack.economics.amounts import count, price, usd
from twintrack.economics.document import BreakEvenOut, Document, OptionOut
from twintrack.economics.energy import Range
from twintrack.economics.planning import Plan
from twintrack.economics.report import charts
from twintrack.economics.report.curves import Curves, curves
from twintrack.economics.words import input_words


def page(plan: Plan, made: Document) -> str:
    """The report as one HTML document.

    Args:
        made: of this plan.
    """
    drawn = curves(plan)
    pair = _pair(made)
    rendered: str = _template().render(
        plan=made,
        best=made.options[0] if made.options else None,
        curves=drawn,
        meets=[] if drawn is None else _meets(made, drawn),
        pair=pair,
        charts=charts,
        stack=charts.stack(made),
        line_names=charts.line_names(made),
        tornado=charts.tornado(made),
        kinds=sorted({option.kind for option in made.options}),
    )
    return rendered


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(os.path.dirname(__file__)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        usd=usd, count=count, words=input_words, interval=_interval, spread=_spread, plain=_plain, price=price
    )
    return environment.get_template("page.html.jinja")


def _pair(made: Document) -> BreakEvenOut | None:
    """Own engines against the cheapest alternative."""
    for option in made.options:
        for pair in made.break_even:
            if pair.alternative == option.key:
                return pair
    return None


def _meets(made: Document, drawn: Curves) -> list[tuple[float, float]]:
    """Where own engines' bill meets another's, on the lines that are drawn."""
    alternatives = {line.key: line for line in drawn.lines}
    found = []
    for pair in made.break_even:
        line = alternatives.get(pair.alternative)
        if line is None or pair.selfhost not in alternatives:
            continue
        per_token = line.usd[-1] / drawn.tokens_per_day[-1]
        found += [(each.tokens_per_day, each.tokens_per_day * per_token) for each in pair.crossings if not each.at_step]
    return found


def _interval(option: OptionOut) -> str:
    if option.monthly_low_usd is None or option.monthly_high_usd is None:
        return "–"
    return f"{usd(option.monthly_low_usd)} – {usd(option.monthly_high_usd)}"


def _spread(each: Range | None) -> str:
    return "unknown" if each is None else f"{_plain(each.value)} ({_plain(each.low)} – {_plain(each.high)})"


def _plain(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:,.3g}"
