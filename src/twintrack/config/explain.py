"""Every value a configuration comes to, and where it came from: a line of the file, the catalogue, or a default."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from twintrack.catalog import models, providers
from twintrack.catalog.prices import Prices
from twintrack.config import effective
from twintrack.config.locate import Path
from twintrack.config.settings import Privacy, Settings
from twintrack.config.source import Source, spell


class Value(msgspec.Struct, frozen=True):
    path: str
    """As $.deployments[1].name."""
    value: object
    """What JSON can say: text, number, true, null, or a list of texts. Secrets appear as references only."""
    origin: str
    """file:line, `default`, or what else supplied it, with its date."""


def explain_values(settings: Settings, source: Source, prices: Prices | None = None) -> list[Value]:
    """All values of a configuration that `load` accepted, in the order of the reference.

    Args:
        prices: today's list prices; without them a price taken from a list reads null, as an unknown one does.
    """
    filled = _filled_in(settings, prices)
    values = []
    for path, value in _leaves(settings, ()):
        supplied = filled.get(path)
        if source.says(path):
            values.append(Value(spell(path), value, f"{source.name}:{source.line(path)}"))
        elif supplied is not None:
            values.append(Value(spell(path), *supplied))
        else:
            values.append(Value(spell(path), value, "default"))
    for name, rule in effective.privacy_rules(settings.privacy).items():
        if getattr(settings.privacy, name) is None:
            values += [Value(spell(path), value, "default") for path, value in _leaves(rule, ("privacy", name))]
    return values


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, Privacy):
        for name, rule in value.said().items():
            yield from _leaves(rule, (*path, name))
        yield from _leaves(value.categories, (*path, "categories"))
    elif isinstance(value, msgspec.Struct):
        for word in value.__struct_fields__:
            yield from _leaves(getattr(value, word), (*path, word))
    elif isinstance(value, dict):
        for word, each in value.items():
            yield from _leaves(each, (*path, word))
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        for number, each in enumerate(value):
            yield from _leaves(each, (*path, number))
    elif path not in (("keys",), ("providers",), ("deployments",)):  # an empty list of tables is no value
        yield path, list(value) if isinstance(value, tuple) else value


def _filled_in(settings: Settings, prices: Prices | None) -> dict[Path, tuple[object, str]]:
    """What stands in for values the file leaves out, by their path."""
    filled: dict[Path, tuple[object, str]] = {}
    endpoints = {}
    for number, provider in enumerate(settings.providers):
        endpoint = effective.endpoint(provider, effective.ignore)
        if endpoint is None:
            continue
        endpoints[provider.name] = endpoint
        row = providers.find(endpoint.api)
        assert row is not None
        origin = f"known provider {row.name}, {row.as_of}"
        base: Path = ("providers", number)
        filled[(*base, "api")] = (endpoint.api, "default")
        filled[(*base, "zone")] = (endpoint.zone, origin)
        if not provider.engine:
            filled[(*base, "url")] = (endpoint.url, origin)
        filled[(*base, "dialects")] = (list(endpoint.dialects), origin)
        if endpoint.key:
            filled[(*base, "key")] = (endpoint.key, origin)
        if endpoint.region:
            filled[(*base, "region")] = (endpoint.region, origin)
    for number, deployment in enumerate(settings.deployments):
        endpoint = endpoints.get(deployment.provider)
        model = effective.model(deployment, endpoint, effective.ignore) if endpoint is not None else None
        if endpoint is None or model is None:
            continue
        known = models.find(deployment.model)
        origin = f"catalogue, {known.as_of}" if known else "default"
        base = ("deployments", number)
        filled[(*base, "name")] = (model.deployment, "default")
        filled[(*base, "upstream_model")] = (model.upstream_model, origin)
        for word in ("context_tokens", "max_output_tokens", "modalities", "tools", "embeddings", "licence", "quality"):
            fact = getattr(model, word)
            if fact or isinstance(fact, bool):  # 0 and "" mean that nobody knows
                filled[(*base, "facts", word)] = (list(fact) if isinstance(fact, tuple) else fact, origin)
        by_list = prices is not None and endpoint.at_home and not endpoint.simulated
        listed = prices.find(endpoint.prices_of, model.upstream_model) if prices is not None and by_list else None
        if listed is not None:
            filled[(*base, "price")] = (
                _spell_price(listed.input_nusd_per_mtok, listed.output_nusd_per_mtok),
                listed.source,
            )
    for name, route in settings.routes.items():
        if route.mode == "observe" and route.tiers:
            filled["routes", name, "observe"] = (route.tiers[-1].deployments[0], "default")
    return filled


def _spell_price(input_nusd_per_mtok: int, output_nusd_per_mtok: int) -> str:
    return f"{input_nusd_per_mtok / 1e9:g} USD in, {output_nusd_per_mtok / 1e9:g} USD out, per million tokens"
