"""GPUs: what they can do, what an hour of one costs, and what owning one takes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts
from twintrack.catalog.facts import Figure
from twintrack.errors import nearest

Mode = Literal["on_demand", "reserved", "spot", "block"]
"""block: capacity booked for given days."""


class Gpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    title: str
    aliases: tuple[str, ...] = ()
    memory_gib: float
    bandwidth_gb_s: float
    bf16_tflops: float
    """Dense, as all of these."""
    fp8_tflops: float | None = None
    """None: it has no such unit."""
    fp4_tflops: float | None = None
    power_w: float
    link_gb_s: float
    """To the other GPUs of its node, in one direction."""
    gpus_per_node: int
    checked: Literal["read", "recalled"] = "read"
    source: str
    as_of: str
    """YYYY-MM-DD."""


class Rental(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    provider: str
    instance: str
    gpu: str
    """A name of `gpus()`."""
    gpu_count: int
    usd_per_hour: float
    """For all of them."""
    mode: Mode
    region: str = ""
    """Empty: all it has, or not known."""
    dated: str
    """What is known of the day of the price itself."""
    history: bool = False
    """Too old to be anybody's price today."""
    source: str
    as_of: str
    """YYYY-MM-DD, when the source was read."""

    @property
    def usd_per_gpu_hour(self) -> float:
        return self.usd_per_hour / self.gpu_count


@functools.cache
def gpus() -> Mapping[str, Gpu]:
    return MappingProxyType({gpu.name: gpu for gpu in facts.rows("gpus.toml", "gpus", Gpu)})


def find_gpu(name: str) -> Gpu | None:
    """By name or any spelling of it: `H100`, `h100_sxm`, `NVIDIA H100-SXM-80GB`."""
    return _by_spelling().get(_spelling(name))


def nearest_gpus(name: str) -> list[str]:
    """Names closest to a mistyped one, best first."""
    return nearest(_spelling(name), gpus())


def rentals(gpu: str | None = None, *, mode: Mode | None = None, history: bool = False) -> tuple[Rental, ...]:
    """What can be rented, the cheapest hour of a GPU first.

    Args:
        gpu: a name of `gpus()`; None: any.
        history: old prices too. They are never anybody's default.
    """
    rows = [
        row
        for row in _rentals()
        if (gpu is None or row.gpu == gpu) and (mode is None or row.mode == mode) and (history or not row.history)
    ]
    return tuple(sorted(rows, key=lambda row: row.usd_per_gpu_hour))


@functools.cache
def purchase() -> Mapping[str, Figure]:
    """What buying and running hardware takes, by name: low, middle and high. Defaults to edit, not facts."""
    return MappingProxyType({row.name: row for row in facts.rows("ownership.toml", "figures", Figure)})


@functools.cache
def _rentals() -> tuple[Rental, ...]:
    return facts.lines("gpu_rentals.json", Rental)


@functools.cache
def _by_spelling() -> Mapping[str, Gpu]:
    return {_spelling(word): gpu for gpu in gpus().values() for word in (gpu.name, gpu.title, *gpu.aliases)}


def _spelling(name: str) -> str:
    words = re.split(r"[-_ ]+", re.sub(r"(\d)(gi?b)\b", r"\1 gb", name.strip().lower()))
    return "-".join(word for word in words if word and word not in ("nvidia", "gb", "gpu", "gpus"))
