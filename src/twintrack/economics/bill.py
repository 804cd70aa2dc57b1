"""What an option costs a month, line by line. Amounts are floats in US dollars: this is a forecast, not the ledger.

A bill takes every number from `x`, by name, as a float or as an array of draws of it, shape (n,); its lines have the
same shape. Months add an axis in front.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from twintrack.catalog.cost import TokenPrice
from twintrack.economics.roofline import Number
from twintrack.economics.sizing import Engine
from twintrack.economics.workload import DAYS_PER_MONTH

HOURS_PER_MONTH = DAYS_PER_MONTH * 24
Kind = Literal["closed_api", "managed_api", "selfhost", "own_hardware", "hybrid"]
Draw: TypeAlias = Mapping[str, Number]
Lines: TypeAlias = dict[str, Number]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one request of the workload's own lengths costs, by the price function over the histogram of lengths."""

    fresh_usd: float
    """All its input, nothing of it cached."""
    cached_usd: float
    """All its input, if all were cached."""
    output_usd: float
    batch: bool
    """Whether a discount for batches holds."""
    input_tokens: float
    """Means that the amounts are for."""
    output_tokens: float


@dataclass(frozen=True, slots=True)
class Engines:
    engine: Engine
    rent: str
    """Name in `x` of the rent of one GPU for an hour."""
    speed: str
    """Name in `x` of what multiplies the engine's capacity."""
    input_tokens: float
    output_tokens: float
    owned: bool = False
    kw_per_gpu: float = 0.0
    uplift: float = 0.0
    """Of the price of hardware: network and the like."""


@dataclass(frozen=True, slots=True)
class Option:
    key: str
    kind: Kind
    model: str
    provider: str
    title: str
    quality: float | None
    tokens: Tokens | None = None
    engines: Engines | None = None
    cheap: Option | None = None
    """Of a hybrid: who answers the easy requests."""
    premium: Option | None = None
    price: TokenPrice | None = None
    """What is paid by the token."""
    source: str = ""


def lines(option: Option, x: Draw, *, volume: Number = 1.0, api: Number = 1.0, rent: Number = 1.0) -> Lines:
    """A month's bill.

    Args:
        volume, api, rent: what multiplies requests, API prices and GPU rent, as growth and time do.
    """
    if option.cheap is not None and option.premium is not None:
        return _hybrid(option.cheap, option.premium, x, volume, api, rent)
    if option.tokens is not None:
        return _api(option.tokens, x, volume, api)
    assert option.engines is not None
    return _selfhost(option.engines, x, volume, rent)


def monthly_usd(option: Option, x: Draw, *, volume: Number = 1.0, api: Number = 1.0, rent: Number = 1.0) -> Number:
    total: Number = sum(lines(option, x, volume=volume, api=api, rent=rent).values())
    return total


def once_usd(option: Option, x: Draw) -> Number:
    """What is paid once, before the first request: staff of the start-up weeks, migration, the wait."""
    if option.cheap is not None and option.premium is not None:
        return once_usd(option.cheap, x) + once_usd(option.premium, x)
    if option.engines is None:
        return 0.0
    weeks = x["startup_weeks"]
    staff = weeks / 52 * x["fte"] * x["engineer_usd_per_year"]
    return staff + x["once_usd"] + weeks * 12 / 52 * x["delay_usd_per_month"]


def engines_needed(terms: Engines, x: Draw, *, volume: Number = 1.0) -> Number:
    """Engines up all month: for the peak at the utilisation allowed, and never fewer than redundancy asks for."""
    needed: Number = np.ceil(_work(terms, x, volume) * peak(x) / x["utilisation"] - 1e-9)
    count: Number = np.maximum(needed, 1 + np.ceil(x["redundancy"] - 1e-9))
    return count


def engine_usd_per_month(terms: Engines, x: Draw, rent: Number = 1.0) -> Number:
    """One engine, used or not."""
    gpus = terms.engine.setup.gpus
    if not terms.owned:
        return gpus * x[terms.rent] * rent * HOURS_PER_MONTH
    price = x["gpu_purchase_usd"] * (1 + terms.uplift)
    written_off = price * (1 - x["residual_share"]) / x["lifetime_months"]
    capital = price * (1 + x["residual_share"]) / 2 * x["capital_share_per_year"] / 12
    return gpus * (written_off + capital + terms.kw_per_gpu * x["colocation_usd_per_kw_month"])


def engine_tokens_per_day(terms: Engines, x: Draw) -> Number:
    """Input and output tokens that one engine may be given a day, its peak and utilisation counted in."""
    per_request = x["input_tokens"] + x["output_tokens"]
    one = _work(terms, x, 1.0) / (x["requests_per_day"] * per_request)
    return x["utilisation"] / peak(x) / one


def peak(x: Draw) -> Number:
    """What may wait is asked when there is room, so it has no peak."""
    return x["peak_to_mean"] * (1 - x["batch_share"]) + x["batch_share"]


def fixed_usd_per_month(x: Draw) -> Number:
    """What running engines takes whatever their number."""
    return x["fte"] * x["engineer_usd_per_year"] / 12 + x["tools_usd_per_month"]


def _work(terms: Engines, x: Draw, volume: Number) -> Number:
    """Engines busy, on average, if all work were spread evenly."""
    longer_in = x["input_tokens"] / terms.input_tokens
    longer_out = x["output_tokens"] / terms.output_tokens
    prompts = terms.engine.prefill_share * (1 - x["cached_share"])
    longer = prompts * longer_in + (1 - terms.engine.prefill_share) * longer_out
    requests_s = x["requests_per_day"] * volume * (1 + x["retry_share"]) / 86400
    return requests_s * terms.output_tokens * longer / (terms.engine.tok_s.value * x[terms.speed])


def _api(tokens: Tokens, x: Draw, volume: Number, api: Number) -> Lines:
    longer_in = x["input_tokens"] / tokens.input_tokens
    longer_out = x["output_tokens"] / tokens.output_tokens
    cached = x["cached_share"]
    requests = x["requests_per_day"] * DAYS_PER_MONTH * volume
    less = 1 - x["batch_share"] * x["batch_discount"] * tokens.batch
    each = requests * api * less
    answered = {
        "input": each * longer_in * ((1 - cached) * tokens.fresh_usd + cached * tokens.cached_usd),
        "output": each * longer_out * tokens.output_usd,
    }
    return {**answered, "retries": x["retry_share"] * (answered["input"] + answered["output"])}


def _selfhost(terms: Engines, x: Draw, volume: Number, rent: Number) -> Lines:
    count = engines_needed(terms, x, volume=volume)
    hardware = count * engine_usd_per_month(terms, x, rent)
    busy = np.minimum(_work(terms, x, volume) / count, 1.0)
    staff = x["fte"] * x["engineer_usd_per_year"] / 12
    return {
        "engines, busy": hardware * busy,
        "engines, idle": hardware * (1 - busy),
        **{name: staff * share for name, share in staff_shares().items()},
        "tools": x["tools_usd_per_month"] * np.ones_like(count),
        "flexibility": hardware * x["flexibility_share"],
    }


def _hybrid(cheap: Option, premium: Option, x: Draw, volume: Number, api: Number, rent: Number) -> Lines:
    easy, wrong = x["easy_share"], x["wrong_route_share"]
    total: Lines = {}
    for part, share in ((cheap, easy), (premium, 1 - easy)):
        for name, usd in lines(part, x, volume=volume * share, api=api, rent=rent).items():
            total[name] = total.get(name, 0.0) + usd
    again = monthly_usd(premium, x, volume=volume * easy * wrong, api=api, rent=rent)
    total["wrong route"] = again
    requests = x["requests_per_day"] * DAYS_PER_MONTH * volume
    total["router"] = x["router_usd_per_1k_requests"] * requests / 1000
    return total


@functools.cache
def staff_shares() -> Mapping[str, float]:
    """What staff does, by line of the bill; shares that add up to 1."""
    with open(os.path.join(os.path.dirname(__file__), "inputs.toml"), "rb") as file:
        said: dict[str, float] = tomllib.load(file)["staff"]
    return {name.replace("_", "-"): share for name, share in said.items()}
