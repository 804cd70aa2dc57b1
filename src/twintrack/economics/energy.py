"""Energy and emissions of an option. What GPUs draw and what the whole stack takes stand apart and are never compared.

Measured engines give joules per token; where only others' figures for a prompt exist, their range is given. Server and
building come on top by published factors, hardware by the share of its life that is used up.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from twintrack.catalog import carbon
from twintrack.economics import calibration, sizing
from twintrack.economics.bill import HOURS_PER_MONTH, Option
from twintrack.economics.calibration import Calibration
from twintrack.economics.sizing import Engine
from twintrack.economics.workload import DAYS_PER_MONTH, Energy, Workload

_J_PER_KWH = 3.6e6
_IDLE_SHARE = 0.15
"""Of its rated power, what a GPU draws with a model loaded and nothing to do: about 100 W of 700 W on H100; ours."""


class Range(msgspec.Struct, frozen=True):
    value: float
    low: float
    high: float


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """A month's. None: nobody knows."""

    basis: Literal["calibrated", "published range", "unknown"]
    """calibrated: from measured engines; published range: what providers say a prompt takes."""
    gpu_kwh: Range | None
    """GPUs only."""
    full_stack_kwh: Range | None
    """With servers, idle machines and cooling."""
    location_kg_co2e: Range | None
    """By the grid's mix."""
    market_kg_co2e: Range | None
    """By your contract for electricity."""
    embodied_kg_co2e: Range | None
    scope: str
    """Where it stands in a report by the GHG Protocol."""
    j_per_output_token: float | None
    note: str


def footprint(
    option: Option, workload: Workload, engines: float, reference: Engine | None, made: Calibration
) -> Footprint:
    """Of one option at today's volume.

    Args:
        engines: that are up all month; for an API it is not known and 0.
        reference: an engine as an API of this model may run it; None: nobody knows how large the model is.
    """
    if option.cheap is not None and option.premium is not None:
        return _mixed(option, workload, made, reference, engines)
    output_tokens = workload["output_tokens"]
    per_month = workload["requests_per_day"] * DAYS_PER_MONTH * (1 + workload["retry_share"])
    tokens_s = per_month * output_tokens / DAYS_PER_MONTH / 86400
    if option.engines is not None:
        engine = option.engines.engine
        batch = sizing.at_load(engine, tokens_s / engines, workload["input_tokens"], output_tokens, made)
        joules = calibration.joules_per_token(made, engine.setup, batch, workload["input_tokens"], output_tokens)
        busy = min(tokens_s / engines / engine.tok_s.value, 1.0)
        rated = engines * engine.setup.gpus * engine.setup.gpu.power_w
        idle_kwh = rated * _IDLE_SHARE * (1 - min(busy * engine.batch / max(batch, 1), 1.0)) * HOURS_PER_MONTH / 1000
        kwh = [
            each * per_month * output_tokens / _J_PER_KWH + idle_kwh for each in (joules.value, joules.low, joules.high)
        ]
        owned = option.engines.owned
        return _calibrated(
            Range(*kwh),
            workload.energy,
            engines * engine.setup.gpus * HOURS_PER_MONTH,
            "Scope 2, and Scope 3 category 2 for the hardware" if owned else "Scope 3 category 1",
            joules.value,
            "idle engines included",
        )
    if reference is not None:
        joules = calibration.joules_per_token(
            made, reference.setup, min(reference.batch, 64), workload["input_tokens"], output_tokens
        )
        kwh = [each * per_month * output_tokens / _J_PER_KWH for each in (joules.value, joules.low, joules.high)]
        hours = per_month * output_tokens / (reference.tok_s.value / 2) / 3600 * reference.setup.gpus
        return _calibrated(
            Range(*kwh),
            workload.energy,
            hours,
            "Scope 3 category 1",
            joules.value,
            f"if it runs on {reference.title} with 64 sequences; the provider does not say",
        )
    return _published(per_month, workload.energy)


def _calibrated(gpu_kwh: Range, energy: Energy, gpu_hours: float, scope: str, joules: float, note: str) -> Footprint:
    host, pue = _figure("host_factor"), _figure("pue")
    full = Range(
        gpu_kwh.value * host.value * pue.value, gpu_kwh.low * host.low * pue.low, gpu_kwh.high * host.high * pue.high
    )
    embodied = carbon.embodied()
    per_hour = [
        (getattr(embodied["gpu_kg_co2e"], end) + getattr(embodied["server_kg_co2e"], end) / embodied["server_gpus"].mid)
        / getattr(embodied["lifetime_h"], life)
        for end, life in (("mid", "mid"), ("low", "high"), ("high", "low"))
    ]
    return Footprint(
        basis="calibrated",
        gpu_kwh=gpu_kwh,
        full_stack_kwh=full,
        location_kg_co2e=_emitted(full, _grid(energy)),
        market_kg_co2e=_emitted(full, energy.market_g_co2e_per_kwh),
        embodied_kg_co2e=Range(*(each * gpu_hours for each in per_hour)),
        scope=scope,
        j_per_output_token=joules,
        note=note,
    )


def _published(requests: float, energy: Energy) -> Footprint:
    """A closed model of unknown size: what providers say a prompt takes, full stack."""
    known = [row for row in carbon.published_energy() if row.measured or row.scope == "full_stack"]
    figures = sorted(row.wh_per_prompt for row in known if row.wh_per_prompt)
    if not figures:
        return Footprint(
            basis="unknown", gpu_kwh=None, full_stack_kwh=None, location_kg_co2e=None, market_kg_co2e=None,
            embodied_kg_co2e=None, scope="Scope 3 category 1", j_per_output_token=None, note="nobody says",
        )  # fmt: skip
    middle = figures[len(figures) // 2]
    full = Range(*(each * requests / 1000 for each in (middle, figures[0] / 3, figures[-1] * 3)))
    return Footprint(
        basis="published range",
        gpu_kwh=None,
        full_stack_kwh=full,
        location_kg_co2e=_emitted(full, _grid(energy)),
        market_kg_co2e=_emitted(full, energy.market_g_co2e_per_kwh),
        embodied_kg_co2e=None,
        scope="Scope 3 category 1",
        j_per_output_token=None,
        note=f"{middle:g} Wh a prompt ({known[0].system}), a third to three times that; its lengths are not known",
    )


def _mixed(
    option: Option, workload: Workload, made: Calibration, reference: Engine | None, engines: float
) -> Footprint:
    assert option.cheap is not None
    assert option.premium is not None
    easy, wrong = workload["easy_share"], workload["wrong_route_share"]
    cheap = footprint(option.cheap, workload, engines or 1, reference, made)
    premium = footprint(option.premium, workload, 0, None, made)

    def summed(name: str) -> Range | None:
        a, b = getattr(cheap, name), getattr(premium, name)
        if a is None or b is None:
            return None
        weight = 1 - easy + easy * wrong
        share = 1.0 if option.cheap is not None and option.cheap.engines is not None else easy
        return Range(*(x * share + y * weight for x, y in ((a.value, b.value), (a.low, b.low), (a.high, b.high))))

    return Footprint(
        basis=premium.basis,
        gpu_kwh=None,
        full_stack_kwh=summed("full_stack_kwh"),
        location_kg_co2e=summed("location_kg_co2e"),
        market_kg_co2e=summed("market_kg_co2e"),
        embodied_kg_co2e=None,
        scope="Scope 3 category 1",
        j_per_output_token=None,
        note=f"{cheap.note}; {premium.note}",
    )


def _figure(name: str) -> Range:
    row = carbon.overhead()[name]
    return Range(row.mid, row.low, row.high)


def _emitted(kwh: Range, g_per_kwh: float | None) -> Range | None:
    if g_per_kwh is None:
        return None
    return Range(*(each * g_per_kwh / 1000 for each in (kwh.value, kwh.low, kwh.high)))


def _grid(energy: Energy) -> float | None:
    found = carbon.grid(energy.grid)
    return None if found is None else found.g_co2e_per_kwh
