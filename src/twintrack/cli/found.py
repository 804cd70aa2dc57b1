"""A configuration made from what is on this machine: running model servers, else the bundled demo models, and
providers the user asked for by name. Pure: what was found comes in, text comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from twintrack.catalog import models, providers
from twintrack.engines.identify import Found, FoundModel
from twintrack.errors import ConfigError, nearest

_TIERS = {1: ("small",), 2: ("small", "premium"), 3: ("small", "balanced", "premium")}
_BILLIONS = re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?) ?[bB](?![a-zA-Z0-9])")
_SIZE_CLASSES = ((2.0, 0.70), (10.0, 0.78), (40.0, 0.84))
_LARGE, _UNSIZED = 0.88, 0.78
DEMO_MODELS = ("demo-nano", "demo-small")


@dataclass(frozen=True)
class Candidate:
    """One deployment to be, with the quality that puts it into a tier."""

    name: str
    quality: float
    how: str
    """Where the quality comes from, for people."""
    embeddings: bool
    text: str
    """Its [[deployments]] table."""


def configuration(found: Sequence[Found], use: Sequence[str], listen: str) -> tuple[str, list[Candidate]]:
    """The TOML text and what stands in it.

    Args:
        use: paid providers the user asked for, as openai or openai:gpt-5.4-mini.
    Raises:
        ConfigError: an unknown provider or model in `use`.
    """
    blocks = [f"[server]\nlisten = {_q(listen)}\n"]
    candidates: list[Candidate] = []
    if found:
        for number, server in enumerate(found):
            name = server.api if [each.api for each in found].count(server.api) == 1 else f"{server.api}-{number + 1}"
            blocks.append(
                f"[[providers]]\nname = {_q(name)}\napi = {_q(server.api)}\nurl = {_q(server.url)}\nzone = \"own\"\n"
            )
            candidates += [_local(name, model) for model in server.models]
    else:
        for model in DEMO_MODELS:
            blocks.append(f"[[providers]]\nname = {_q(model)}\napi = \"llama.cpp\"\nengine = {_q(model)}\nzone = \"own\"\n")
            known = models.find(model)
            assert known is not None
            text = f"[[deployments]]\nmodel = {_q(model)}\nprovider = {_q(model)}\nname = {_q(model)}\nmax_in_flight = 32\n"
            candidates.append(Candidate(model, known.quality, "measured in the demo's closed world", False, text))
    for wish in use:
        provider, candidate = _paid(wish)
        block = f"[[providers]]\nname = {_q(provider)}\n"
        if block not in blocks:
            blocks.append(block)
        candidates.append(candidate)
    blocks += [candidate.text for candidate in candidates]
    tiers = tiers_of([candidate for candidate in candidates if not candidate.embeddings])
    if tiers:
        rows = "".join(f"  {{ name = {_q(name)}, deployments = {_list(each)} }},\n" for name, each in tiers)
        blocks.append(f"[routes.auto]\ntiers = [\n{rows}]\n")
    return "\n".join(blocks), candidates


def tiers_of(candidates: Iterable[Candidate]) -> list[tuple[str, list[str]]]:
    """At most three tiers of models that are about equally good, the least able first."""
    by_quality: dict[float, list[str]] = {}
    for candidate in sorted(candidates, key=lambda each: each.quality):
        by_quality.setdefault(candidate.quality, []).append(candidate.name)
    groups = list(by_quality.values())
    while len(groups) > 3:  # the middle is where a difference matters least
        groups[1:3] = [groups[1] + groups[2]]
    return list(zip(_TIERS[len(groups)], groups, strict=True)) if groups else []


def keys_found(environ: Mapping[str, str]) -> list[str]:
    """Paid providers whose key stands in the environment."""
    return [row.name for row in providers.providers().values() if row.key_env and environ.get(row.key_env)]


def guessed_quality(name: str) -> tuple[float, str]:
    """A class for a model the catalogue does not know, from the size in its name."""
    sizes = [float(size) for size in _BILLIONS.findall(name.replace("_", "-").replace(":", "-"))]
    if not sizes:
        return _UNSIZED, "a guess: its name tells no size"
    for limit, quality in _SIZE_CLASSES:
        if max(sizes) < limit:
            return quality, "a guess from the size in its name"
    return _LARGE, "a guess from the size in its name"


def _local(provider: str, found: FoundModel) -> Candidate:
    known = models.find(found.name) or next(
        (model for model in models.models().values() if found.name in (model.weights, *model.upstream.values())), None
    )
    quality, how = (known.quality, "from the catalogue") if known else guessed_quality(found.name)
    facts = [f"quality = {quality}"]
    if found.context_tokens:
        facts.append(f"context_tokens = {found.context_tokens}")
    modalities = found.modalities or (known.modalities if known else ("text",))
    facts.append(f"modalities = {_list(modalities)}")
    facts.append(f"tools = {str(known.tools if known else True).lower()}")
    embeddings = found.embeddings or bool(known and known.embeddings)
    if embeddings:
        facts.append("embeddings = true")
    name = f"{found.name}@{provider}"
    text = (
        f"[[deployments]]\nmodel = {_q(known.name if known else found.name)}\nprovider = {_q(provider)}\n"
        f"name = {_q(name)}\nupstream_model = {_q(found.name)}\nfacts = {{ {', '.join(facts)} }}\n"
    )
    return Candidate(name, quality, how, embeddings, text)


def _paid(wish: str) -> tuple[str, Candidate]:
    provider, _, wanted = wish.partition(":")
    row = providers.find(provider)
    if row is None or not row.key_env:
        paid = [each.name for each in providers.providers().values() if each.key_env]
        close = nearest(provider, paid, 1)
        raise ConfigError(
            f"There is no paid provider {provider!r}",
            fix=f"Did you mean {close[0]}?" if close else f"There are {', '.join(paid)}.",
        )
    offered = {model.name: model for model in models.models().values() if provider in model.upstream}
    chat = [model for model in offered.values() if not model.embeddings]
    if not wanted and not chat:
        raise ConfigError(f"The catalogue has no model of {provider}", fix=f"Name one: --use {provider}:MODEL")
    if wanted and wanted not in offered:
        close = nearest(wanted, offered, 1)
        raise ConfigError(
            f"The catalogue has no model {wanted!r} of {provider}",
            fix=f"Did you mean {close[0]}?" if close else f"It has {', '.join(sorted(offered)[:8])}.",
        )
    model = offered[wanted] if wanted else max(chat, key=lambda each: each.quality)
    name = f"{model.name}@{provider}"
    text = f"[[deployments]]\nmodel = {_q(model.name)}\nprovider = {_q(provider)}\n"
    return provider, Candidate(name, model.quality, "from the catalogue", model.embeddings, text)


def _q(text: str) -> str:
    return json.dumps(text)  # every JSON string is a TOML basic string


def _list(words: Iterable[str]) -> str:
    return "[" + ", ".join(_q(word) for word in words) + "]"
