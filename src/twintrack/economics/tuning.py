"""Tuning an open model against having a closed one tuned, for a workload that says how much it would train on."""

from __future__ import annotations

import msgspec

from twintrack.catalog import architectures
from twintrack.catalog import gpus as gpu_facts
from twintrack.catalog.tuning import jobs
from twintrack.economics import finetune
from twintrack.economics.workload import Workload


class Tuned(msgspec.Struct, frozen=True):
    """One way, over the horizon."""

    key: str
    kind: str
    """open or closed."""
    once_usd: float
    """Training, with runs that fail."""
    monthly_usd: float
    """Serving what was tuned."""
    total_usd: float
    training_hours: float
    what: str


def ways(workload: Workload, closed_usd: dict[str, float], open_usd: dict[str, tuple[float, str]]) -> tuple[Tuned, ...]:
    """The cheapest first.

    Args:
        closed_usd: a month of each closed model untuned, by catalogue name.
        open_usd: a month of each open model on engines of one's own, and the rent of a GPU for its training by name.
    """
    asked = workload.tuning
    if asked is None:
        return ()
    months = int(workload["horizon_months"])
    found = []
    for name, usd in closed_usd.items():
        job = jobs().get(name)
        if job is None:
            continue
        closed = finetune.closed_plan(
            job,
            examples=asked.examples,
            tokens_per_example=asked.tokens_per_example,
            epochs=asked.epochs,
            runs=asked.runs,
        )
        monthly = usd * closed.uplift
        found.append(
            Tuned(f"{name} tuned", "closed", closed.usd, monthly, closed.usd + months * monthly, closed.hours,
                  f"{closed.sums[-1]}; later tokens cost {closed.uplift:g} times the plain model's")
        )  # fmt: skip
    for name, (usd, gpu_name) in open_usd.items():
        architecture = architectures.find(name)
        gpu = gpu_facts.gpus().get(gpu_name)
        if architecture is None or gpu is None:
            continue
        offers = gpu_facts.rentals(gpu.name, mode="on_demand")
        rent = offers[0].usd_per_gpu_hour if offers else workload["usd_per_gpu_hour"]
        way = finetune.open_plan(
            architecture, asked.method, examples=asked.examples, tokens_per_example=asked.tokens_per_example,
            epochs=asked.epochs, gpu=gpu, usd_per_gpu_hour=rent, runs=asked.runs,
        )  # fmt: skip
        found.append(
            Tuned(f"{name} tuned ({asked.method})", "open", way.usd, usd, way.usd + months * usd, way.hours,
                  f"{way.sums[-1]}; served by the same engines, staff for it not counted twice")
        )  # fmt: skip
    return tuple(sorted(found, key=lambda each: each.total_usd))
