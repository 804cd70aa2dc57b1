"""What a request must know of the model it is written for: generations of Claude differ in what they take."""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from importlib import resources
from typing import Literal

import msgspec


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of models.toml, which explains each member."""

    names: tuple[str, ...]
    thinking: Literal["adaptive", "budget", "none"]
    on_by_default: bool = False
    off: Literal["", "disabled", "between_tools"] = "disabled"
    efforts: tuple[Literal["low", "medium", "high", "xhigh", "max"], ...] = ()
    sampling: bool = True
    forced_tools: bool = True
    prefill: bool = True
    system_turns: bool = True
    formats: bool = True


class _Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    as_of: str
    models: tuple[Model, ...]


@functools.cache
def _rows() -> tuple[Model, ...]:
    text = resources.files(__package__).joinpath("models.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Models).models


@functools.lru_cache(maxsize=1024)
def model(name: str) -> Model:
    name = name.lower().replace(".", "-")
    return next(row for row in _rows() if any(fnmatchcase(name, pattern) for pattern in row.names))
