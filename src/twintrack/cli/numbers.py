"""Numbers of the command line that click by itself takes too much for."""

from __future__ import annotations

import math
from typing import Any

import click


class Share(click.FloatRange):
    """From 0 to 1. `nan` lies in every range that click checks, and is none."""

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range 0<=x<=1.", param, ctx)
        return number
