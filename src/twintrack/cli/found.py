"""A configuration made from what is on this machine: running model servers, else the bundled demo models, and
providers the user asked for by name. Pure: what was found comes in, text comes out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from twintrack.catalog import models, providers
from twintrack.catalog.prices import Prices
from twintrack.engines.identify import Found, FoundModel
from twintrack.errors import ConfigError, nearest

_TIERS = {1: ("single",), 2: ("small", "premium"), 3: ("small", "balanced", "premium")}
_BILLIONS = re.compile(r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?) ?[bB](?![a-zA-Z0-9])")
_SIZE_CLASSES = ((2.0, 0.70), (10.0, 0.78), (40.0, 0.84))
_LARGE, _UNSIZED = 0.88, 0.78
_LONGEST_NAME = 80
"""Of a model; with @PROVIDER behind it, what a client may send as model."""
DEMO_MODELS = ("demo-nano", "demo-small")
_HEAD = "# What `twintrack up` found on this machine. `twintrack config reference` explains every word.\n"
_DEMO_KEEP_QUALITY = 0.9
"""With the usual 0.98 nearly everything would go to the larger one, and there would be nothing to see."""
_DEMO_AMONG_OTHERS = 0.1
"""Their measured quality holds in a world of nine skills; beside a model of the real one they know nothing."""


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
    price: str = ""
    """What it costs, for people; empty: unknown."""


def configuration(
    found: Sequence[Found],
    use: Sequence[str],
    listen: str,
    *,
    data: str = "",
    demo: bool = False,
    prices: Prices | None = None,
) -> tuple[str, list[Candidate]]:
    """The TOML text and what stands in it.

    The demo models are in it if `demo` says so, or if nothing else could answer.

    Args:
        use: paid providers the user asked for, as openai or openai:gpt-5.4-mini.
        data: the data folder; empty: left to the default.
        prices: today's list prices, to tell the user what he asks for.
    Raises:
        ConfigError: an unknown provider or model in `use`.
    """
    blocks = [_HEAD + f"[server]\nlisten = {_q(listen)}\n" + (f"data = {_q(data)}\n" if data else "")]
    candidates: list[Candidate] = []
    for name, server in zip(_server_names(found), found, strict=True):
        blocks.append(
            f'[[providers]]\nname = {_q(name)}\napi = {_q(server.api)}\nurl = {_q(server.url)}\nzone = "own"\n'
        )
        candidates += _locals(name, server.models)
    asked = [_paid(wish, prices) for wish in dict.fromkeys(use)]
    paid = {candidate.name: candidate for _, candidate in asked}
    chat = [candidate for candidate in (*candidates, *paid.values()) if not candidate.embeddings]
    if demo or not (asked or chat):
        for model in DEMO_MODELS:
            blocks.append(f'[[providers]]\nname = {_q(model)}\nengine = {_q(model)}\nzone = "own"\n')
            candidates.append(_demo(model, alone=not chat))
    blocks += [f"[[providers]]\nname = {_q(name)}\n" for name in dict.fromkeys(provider for provider, _ in asked)]
    candidates += paid.values()
    blocks += [candidate.text for candidate in candidates]
    tiers = tiers_of(candidates)
    if tiers:
        rows = "".join(f"  {{ name = {_q(name)}, deployments = {_list(each)} }},\n" for name, each in tiers)
        keep = "" if chat else f"keep_quality = {_DEMO_KEEP_QUALITY}  # so low only to show both tiers at work\n"
        blocks.append(f"[routes.auto]\ntiers = [\n{rows}]\n{keep}")
    return "\n".join(blocks), candidates


def tiers_of(candidates: Iterable[Candidate]) -> list[tuple[str, list[str]]]:
    """At most three tiers of models that are about equally good, the least able first; embeddings are left out."""
    by_quality: dict[float, list[str]] = {}
    for candidate in sorted(candidates, key=lambda each: each.quality):
        if not candidate.embeddings:
            by_quality.setdefault(candidate.quality, []).append(candidate.name)
    groups = list(by_quality.values())
    while len(groups) > 3:  # the middle is where a difference matters least
        groups[1:3] = [groups[1] + groups[2]]
    return list(zip(_TIERS[len(groups)], groups, strict=True)) if groups else []


def keys_found(environ: Mapping[str, str]) -> list[str]:
    """Paid providers whose key stands in the environment."""
    return [
        row.name
        for row in providers.providers().values()
        # Rows that need more than a key, and second rows of one provider, are for those who write a configuration.
        if row.key_env and environ.get(row.key_env) and row.url and "{" not in row.url and not row.models_of
    ]


def guessed_quality(name: str) -> tuple[float, str]:
    """A class for a model the catalogue does not know, from the size in its name."""
    sizes = [float(size) for size in _BILLIONS.findall(name.replace("_", "-").replace(":", "-"))]
    if not sizes:
        return _UNSIZED, "a guess: its name tells no size"
    for limit, quality in _SIZE_CLASSES:
        if max(sizes) < limit:
            return quality, "a guess from the size in its name"
    return _LARGE, "a guess from the size in its name"


def _server_names(found: Sequence[Found]) -> list[str]:
    """What kind it is; with a number where there are several of a kind."""
    of_kind = Counter(server.api for server in found)
    seen: Counter[str] = Counter()
    names = []
    for server in found:
        seen[server.api] += 1
        names.append(server.api if of_kind[server.api] == 1 else f"{server.api}-{seen[server.api]}")
    return names


def _locals(provider: str, found: Sequence[FoundModel]) -> list[Candidate]:
    """The models of one server, each once."""
    taken: set[str] = set()
    candidates = []
    for model in {model.name: model for model in found}.values():
        name = short = _short(model.name)
        number = 1
        while name in taken:
            number += 1
            name = f"{short}-{number}"
        taken.add(name)
        candidates.append(_local(provider, model, name))
    return candidates


def _local(provider: str, found: FoundModel, short: str) -> Candidate:
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
    name = f"{short}@{provider}"
    text = (
        f"[[deployments]]\nmodel = {_q(known.name if known else short)}\nprovider = {_q(provider)}\n"
        f"name = {_q(name)}\nupstream_model = {_q(found.name)}\n"
        f"facts = {{ {', '.join(facts)} }}  # quality: {how}\n"
        "# price = { per_hour_usd = 0.5 }  # what the machine costs you; until you say so, costs are unknown\n"
    )
    return Candidate(name, quality, how, embeddings, text)


def _short(name: str) -> str:
    """A name clients can send: servers list their models as paths, with spaces, and as long as they like."""
    if len(name) > _LONGEST_NAME:
        name = name.rpartition("/")[2][-_LONGEST_NAME:]
    return re.sub(r"[^!-~]", "-", name)


def _demo(model: str, *, alone: bool) -> Candidate:
    known = models.find(model)
    assert known is not None
    text = f"[[deployments]]\nmodel = {_q(model)}\nprovider = {_q(model)}\nname = {_q(model)}\nmax_in_flight = 32\n"
    if alone:
        return Candidate(model, known.quality, "measured in the demo's closed world", False, text)
    text += f"facts = {{ quality = {_DEMO_AMONG_OTHERS} }}  # outside its closed world it knows nothing\n"
    return Candidate(model, _DEMO_AMONG_OTHERS, "outside its closed world it knows nothing", False, text)


def _paid(wish: str, prices: Prices | None) -> tuple[str, Candidate]:
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
    listed = prices.find(provider, model.upstream[provider]) if prices is not None else None
    costs = (
        f"${listed.input_nusd_per_mtok / 1e9:g} in, ${listed.output_nusd_per_mtok / 1e9:g} out per million tokens"
        if listed is not None
        else ""
    )
    return provider, Candidate(name, model.quality, "from the catalogue", model.embeddings, text, costs)


def _q(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # every JSON string is a TOML basic string, but for \\u pairs


def _list(words: Iterable[str]) -> str:
    return "[" + ", ".join(_q(word) for word in words) + "]"
