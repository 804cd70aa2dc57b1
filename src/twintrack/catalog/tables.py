"""Every table of facts under one name, so that they can be listed, shown and checked alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from twintrack.catalog import (
    architectures,
    carbon,
    facts,
    gpus,
    knowledge,
    licences,
    models,
    providers,
    regimes,
    tuning,
)
from twintrack.catalog.compile_prices import Override


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    what: str
    rows: Callable[[], Iterable[msgspec.Struct]]
    title: Callable[[Any], str]
    """What a row is called."""
    keep_days: int | None
    """After so many days a fact is stale; None: it does not change."""


TABLES: Mapping[str, Table] = {
    "models": Table("models known by name", lambda: models.models().values(), lambda row: row.name, 180),
    "architectures": Table(
        "layers, heads, experts", lambda: architectures.architectures().values(), lambda row: row.name, None
    ),
    "benchmarks": Table("public scores", knowledge.scores, lambda row: f"{row.model} {row.benchmark}", 365),
    "languages": Table("languages of models", knowledge.all_languages, lambda row: ", ".join(row.models), None),
    "overrides": Table(
        "prices that replace the list's",
        lambda: facts.rows("overrides.toml", "overrides", Override),
        lambda row: f"{row.provider} {row.model}",
        90,
    ),
    "tuning": Table("prices of tuning", lambda: tuning.jobs().values(), lambda row: f"{row.provider} {row.model}", 90),
    "gpus": Table("GPUs", lambda: gpus.gpus().values(), lambda row: row.name, None),
    "rentals": Table(
        "GPUs by the hour", lambda: gpus.rentals(history=True), lambda row: f"{row.provider} {row.instance}", 60
    ),
    "ownership": Table("what owning takes", lambda: gpus.purchase().values(), lambda row: row.name, 180),
    "licences": Table("licences and terms", lambda: licences.licences().values(), lambda row: row.name, 365),
    "providers": Table("providers", lambda: providers.providers().values(), lambda row: row.name, 180),
    "terms": Table("what providers offer by contract", lambda: regimes.terms().values(), lambda row: row.provider, 180),
    "regimes": Table("laws and regimes", lambda: regimes.regimes().values(), lambda row: row.name, 180),
    "grids": Table("carbon of electricity", lambda: carbon.grids().values(), lambda row: row.place, 400),
    "energy": Table(
        "energy beside the GPUs",
        lambda: (*carbon.embodied().values(), *carbon.overhead().values()),
        lambda row: row.name,
        400,
    ),
    "published_energy": Table("energy others publish", carbon.published_energy, lambda row: row.system, 400),
}


def value(row: msgspec.Struct) -> dict[str, Any]:
    """A row as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain
