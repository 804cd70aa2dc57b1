"""Times as they are typed."""

from __future__ import annotations

import time

import click

from twintrack.ledger.moment import FORMS, moment_us


def time_us(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """A callback of click: UTC microseconds."""
    if value is None:
        return None
    try:
        return moment_us(value, time.time_ns() // 1000)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time. {FORMS}", ctx, param) from None
