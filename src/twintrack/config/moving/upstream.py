"""Providers and models of the old file, as the catalogue knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from urllib.parse import urlsplit

import msgspec

from twintrack.catalog import models, providers
from twintrack.catalog.prices import Prices
from twintrack.config import effective, settings
from twintrack.config.locate import Path
from twintrack.config.moving.draft import Deployment, Provider, plain_name
from twintrack.config.moving.words import Prefix, words
from twintrack.config.moving.write import Value
from twintrack.config.source import Problem

REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DATE = re.compile(r"-20[0-9]{2}-?[0-9]{2}-?[0-9]{2}$")
_OF_AWS = re.compile(
    r"(?:(?:us|us-gov|eu|apac|jp|au|ca|sa|global)\.)?[a-z0-9]+\.(?P<model>[a-z].*?)(?:-v\d+)?(?::\d+)?$"
)
"""A model of Bedrock: region of its inference profile, maker, model, version."""
_NO_ADDRESS = (
    "Its api_base is not an address we can call. Write http or https, a host and a path; names and passwords do not "
    "belong in it."
)
UNSAID_ZONE = "nobody said who sees the data there; say own if the machine is yours"


@dataclass
class Place:
    """Where something is asked, before it has a name among the others."""

    name: str
    api: str
    fields: dict[str, Value]
    at_home: bool
    comments: dict[str, str] = field(default_factory=dict)


def api_of(prefix: Prefix) -> str | None:
    """The first of our words for it that this version knows."""
    return next((api for api in prefix.api if providers.find(api)), None)


def place(prefix_name: str, prefix: Prefix, url: str, fields: dict[str, Value]) -> Place | str:
    """Where a model of this prefix is asked, or why it cannot be.

    Args:
        url: as the old file says it; empty: it says nothing.
        fields: what else it says: region, …
    """
    api = api_of(prefix)
    row = providers.find(api) if api else None
    if api is None or row is None:
        return f"Twintrack does not know {prefix_name}. If it speaks OpenAI's API, {HOW_TO_ADD}"
    url = url.strip().rstrip("/")
    if url and effective.address(url) is None:
        return _NO_ADDRESS
    address = _address(url, prefix.path) if url else ""
    if not url and api == "openai" and "openai" not in prefix.name:
        if not prefix.url:
            return "Without api_base nobody knows where it is. Add it and run this again."
        address = prefix.url
    said: dict[str, Value] = {"url": address} if address else {}
    said |= fields
    name = api if not address or _loopback(address) else urlsplit(address).hostname or api
    if address and address == prefix.url:
        name = prefix_name
    return _checked(Place(plain_name(name), api, said, at_home=False))


def _checked(found: Place) -> Place | str:
    """With a zone if its address wants one, and whether it is the known provider's own; or what is wrong with it."""
    for _ in range(2):
        problems: list[Problem] = []

        def report(path: Path, what: str, fix: str, problems: list[Problem] = problems) -> None:
            problems.append(Problem(path, what, fix))

        said = msgspec.convert({"name": found.name, "api": found.api} | found.fields, settings.Provider)
        at = effective.endpoint(said, report)
        if at is not None and not problems:
            found.at_home = at.at_home
            return found
        if [problem.path for problem in problems] != [("zone",)] or "zone" in found.fields:
            return f"{_said(problems[0])}" if problems else "Twintrack cannot ask it."
        own = _loopback(str(found.fields.get("url", "")))
        found.fields["zone"] = "own" if own else "third_party"
        if not own and not managed_host(urlsplit(str(found.fields.get("url", ""))).hostname or ""):
            found.comments["zone"] = UNSAID_ZONE
    return "Twintrack cannot ask it."


def _said(problem: Problem) -> str:
    word = ".".join(str(part) for part in problem.path)
    return f"Its {word} {problem.what}. {problem.fix}"


def _address(url: str, path: str) -> str:
    """The base address, ending in `path`; what stands behind that, an endpoint, is left out."""
    if not path:
        return url
    parts = urlsplit(url)
    at = parts.path.find("/" + path.split("/")[1])
    return (url if at < 0 else url[: len(url) - len(parts.path) + at]) + path


def _loopback(url: str) -> bool:
    return effective.is_loopback(urlsplit(url).hostname or "")


def managed_host(host: str) -> bool:
    """Whether it is known to belong to a managed provider, so to none of the user's machines."""
    return any(fnmatchcase(host, pattern) for pattern in _managed_hosts())


@cache
def _managed_hosts() -> frozenset[str]:
    """Patterns."""

    def found() -> Iterator[str]:
        for row in providers.providers().values():
            if row.kind == "managed":
                yield from row.hosts
                for url in (row.url, *row.region_urls.values()):
                    yield urlsplit(re.sub(r"\{[a-z]+\}", "*", url)).hostname or ""

    return frozenset((*found(), *words("litellm").hosts)) - {""}


HOW_TO_ADD = (
    'write [[providers]] with a name, api = "openai", its url and a zone, and a [[deployments]] with the model at it.'
)


@dataclass(frozen=True)
class Identity:
    model: str
    """A catalogue name, or a name of its own."""
    known: models.Model | None


def identity(at: Place, upstream: str, *otherwise: str) -> Identity:
    """Which model that is.

    Args:
        upstream: what the provider calls it.
        otherwise: other names it goes by, the surest first.
    """
    plain = upstream.partition("@")[0]  # what stands behind it is Vertex AI's word for the version
    if at.api.startswith("bedrock") and (found := _OF_AWS.match(plain)):
        plain = found["model"]
    for name in (upstream, plain, _DATE.sub("", plain), *otherwise):
        known = _known(name, at.api)
        if known is not None:
            return Identity(known.name, known)
    return Identity(plain_name(upstream), None)


def _known(name: str, api: str) -> models.Model | None:
    names_of = _names_of(api)
    every = models.models().values()
    here = (model for model in every if model.upstream.get(names_of) == name)
    anywhere = (model for model in every if name in (model.name, model.weights, *model.upstream.values()))
    return next(here, None) or next((model for model in anywhere if not model.demo), None)


def _names_of(api: str) -> str:
    """Whose names for models hold there."""
    return getattr(providers.find(api), "models_of", "") or api


def offered(api: str) -> list[tuple[models.Model, str]]:
    """The models the catalogue knows of a provider, and what they are called there."""
    names_of = _names_of(api)
    return [(model, model.upstream[names_of]) for model in models.models().values() if names_of in model.upstream]


def default_upstream(model: Identity, at: Place) -> str:
    """What the provider would be asked for if the configuration does not say; empty if it would have to."""
    if model.known is None:
        return model.model
    if _names_of(at.api) in model.known.upstream:
        return model.known.upstream[_names_of(at.api)]
    if at.at_home:
        return ""
    row = providers.find(at.api)
    return model.known.weights if row and row.serves_weights and model.known.weights else model.model


def fits(deployment: settings.Deployment, place: Place) -> str:
    """Why our own check would refuse it at that place; empty if it would not."""
    problems: list[Problem] = []

    def report(path: Path, what: str, fix: str) -> None:
        problems.append(Problem(path, what, fix))

    said = msgspec.convert({"name": place.name, "api": place.api} | place.fields, settings.Provider)
    at = effective.endpoint(said, report)
    if at is not None:
        effective.model(deployment, at, report)
    return _said(problems[0]) if problems else ""


def priced(deployment: Deployment, provider: Provider, prices: Prices) -> bool:
    """Whether its cost will be known: it says a price, or its provider's list has one."""
    if "price" in deployment.fields:
        return True
    said = msgspec.convert({"name": provider.name, "api": provider.api} | provider.fields, settings.Provider)
    upstream = str(deployment.fields.get("upstream_model", ""))
    which = settings.Deployment(
        model=deployment.model,
        provider=provider.name,
        upstream_model=upstream,
        facts=settings.Facts(modalities=("text",)),  # a model nobody knows must say something
    )
    at = effective.endpoint(said, effective.ignore)
    model = effective.model(which, at, effective.ignore) if at is not None else None
    if at is None or model is None or not at.at_home:
        return False
    return prices.find(at.prices_of, model.upstream_model) is not None


def own_window(deployment: Deployment, provider: Provider) -> bool:
    """Whether its server may have been started with a smaller window than the one the catalogue tells."""
    facts = deployment.fields.get("facts")
    said = isinstance(facts, Mapping) and "context_tokens" in facts
    if said or models.find(deployment.model) is None:
        return False
    row = providers.find(provider.api)
    url = str(provider.fields.get("url", ""))
    if row is None or row.name == "litellm" or managed_host(urlsplit(url).hostname or ""):
        return False
    return row.kind == "local" or provider.comments.get("zone") == UNSAID_ZONE or _loopback(url)
