"""What vendors take for tuning a closed model."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from twintrack.catalog import facts


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of tuning.toml, where its fields are explained."""

    provider: str
    model: str
    usd_per_mtok: float
    uplift: float
    serial: bool
    hours_per_job: float
    source: str
    as_of: str


@functools.cache
def jobs() -> Mapping[str, Job]:
    """By the catalogue's name of the model."""
    return MappingProxyType({row.model: row for row in facts.rows("tuning.toml", "jobs", Job)})
