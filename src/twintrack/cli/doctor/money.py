"""Prices: how old they are, and which deployments have none."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

from twintrack.catalog import prices
from twintrack.catalog.revisions import FOLDER
from twintrack.cli.doctor.finding import Finding, note, ok, problem
from twintrack.cli.doctor.reading import Case
from twintrack.config.compile import compile_snapshot
from twintrack.errors import ConfigError

_ABOUT = "prices"
_OLD_DAYS = 45
_STALE_DAYS = 180
_UPGRADE = "Install newer ones: pip install -U twintrack genai-prices; or say price yourself."


def listed(case: Case, today: datetime.date) -> prices.Prices:
    """Those a gateway would use, without making a table anew: a diagnosis writes nothing.

    Raises:
        EnvironmentProblem: what was imported cannot be read.
    """
    cache = case.folder / "prices.json"
    known = cache.exists() or (case.folder / FOLDER).exists()
    return prices.load(str(cache) if known else None, on=today)


def check(case: Case, table: prices.Prices, today: datetime.date) -> Iterator[Finding]:
    yield age(table.as_of, today)
    if not case.whole:
        return
    try:
        snapshot = compile_snapshot(case.settings, case.source, generation=1, prices=table, secrets=lambda each: each)
    except ConfigError as error:
        yield problem(_ABOUT, str(error), "Correct the configuration.")
        return
    unpriced = [each for each in snapshot.deployments if each.price is None and not each.per_hour_nusd]
    limited = {
        index
        for route in snapshot.routes
        if route.max_nusd_per_request >= 0
        for tier in route.tiers
        for index in tier.deployments
    }
    for each in unpriced:
        what = f"the price of {each.name} is unknown, so what it costs and saves is too"
        if each.index in limited:
            what += "; a route with max_usd_per_request passes it over"
        fix = f"Add price to it in {Path(case.source.name).name}: by million tokens, or per_hour_usd for an own engine."
        yield note(_ABOUT, what, fix)
    priced = len(snapshot.deployments) - len(unpriced)
    if priced:
        yield ok(_ABOUT, f"{priced} of {len(snapshot.deployments)} deployments have one")


def age(as_of: str, today: datetime.date) -> Finding:
    """
    Args:
        as_of: day the list prices were gathered, YYYY-MM-DD.
    """
    days = (today - datetime.date.fromisoformat(as_of)).days
    what = f"list prices are of {as_of}, {days} days old"
    if days > _STALE_DAYS:
        return problem(_ABOUT, what, _UPGRADE)
    if days > _OLD_DAYS:
        return note(_ABOUT, what, _UPGRADE)
    return ok(_ABOUT, what if days > 0 else f"list prices are of {as_of}")
