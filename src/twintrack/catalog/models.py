"""What is known of a model, whoever serves it: window, licence, inputs, a first guess at its quality."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from twintrack.catalog import facts
from twintrack.errors import nearest

Modality = Literal["text", "image", "audio", "video", "file"]


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    aliases: tuple[str, ...] = ()
    """What else people call it; blanks, points and hyphens count the same, and so do capitals."""
    kind: Literal["open", "closed"]
    """open: the weights can be had, under `licence`."""
    licence: str
    """SPDX name, LicenseRef-… for a text SPDX does not list, or proprietary."""
    context_tokens: int
    """Input and output together."""
    max_output_tokens: int = 0
    """0: no limit of its own is known."""
    modalities: tuple[Modality, ...] = ("text",)
    tools: bool
    embeddings: bool = False
    quality: float
    """Share of ordinary requests it answers well, 0 to 1: a class, not a measurement. See models.toml."""
    quality_why: str
    weights: str = ""
    """Repository of the weights; vLLM, SGLang and TGI serve a model under this name."""
    upstream: dict[str, str] = {}
    """What a provider calls it, by the provider's name in providers.toml."""
    demo: bool = False
    """One of the bundled models: real weights, but a closed world of a few skills."""
    source: str
    as_of: str
    """YYYY-MM-DD."""


@functools.cache
def models() -> Mapping[str, Model]:
    """The catalogue by name, in the file's order."""
    return MappingProxyType({model.name: model for model in facts.rows("models.toml", "models", Model)})


def find(name: str) -> Model | None:
    return models().get(name)


def resolve(name: str) -> Model | None:
    """By name, by an alias (`GPT-4o`, `Llama 3.3 70B`), by repository or by a provider's name for it."""
    return models().get(name) or _by_alias().get(_spelling(name))


_TUNED = re.compile(r"-(?:instruct|it)$", re.IGNORECASE)
"""What people leave out of a name: the tuned weights are meant unless somebody says `base`."""


@functools.cache
def _by_alias() -> Mapping[str, Model]:
    found: dict[str, Model] = {}
    for model in models().values():
        names = (model.name, *model.aliases, model.weights, model.weights.rpartition("/")[2])
        for word in (*names, *(_TUNED.sub("", name) for name in names)):
            found.setdefault(_spelling(word), model)
    for model in models().values():  # a provider's names come last: one may be another model's own
        for word in model.upstream.values():
            found.setdefault(_spelling(word), model)
            found.setdefault(_spelling(word.rpartition("/")[2]), model)
    found.pop("", None)
    return found


def _spelling(name: str) -> str:
    return re.sub(r"[-_ .]+", "-", name.strip().lower())


def nearest_names(name: str) -> list[str]:
    """Catalogue names closest to a mistyped one, best first."""
    return nearest(name, models())
