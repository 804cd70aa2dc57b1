"""What a provider and a deployment mean once the catalogue has filled in what the configuration leaves out.

`check.py` reports what cannot be filled in, `compile.py` builds on the rest, `explain.py` shows where it came from.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from twintrack.catalog import models, providers
from twintrack.catalog.providers import Auth, DialectName, KeyHeader, Prefill
from twintrack.config import settings
from twintrack.config.locate import Path
from twintrack.config.settings import DATA_CLASSES, ZONES, DataClass, Privacy, PrivacyRule, Zone
from twintrack.config.source import alternatives, shown
from twintrack.errors import nearest
from twintrack.wire.deviations import Deviation

Report = Callable[[Path, str, str], None]
"""Takes a problem: path below the provider or deployment, what was found, what to do."""

UNKNOWN_QUALITY = 0.5
"""Stands in for the quality of a model nobody knows; only where it decides nothing, see `check.py`."""

_ZONES: dict[DataClass, tuple[Zone, ...]] = {"confidential": ("own", "contracted"), "restricted": ("own",)}

_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_PLACE = re.compile(r"[a-z0-9]+([.:-][a-z0-9]+)*")
"""A region or project as it may stand in an address."""
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


class Address(msgspec.Struct, frozen=True):
    tls: bool
    host: str
    port: int
    base_path: str
    """Without a trailing slash."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a provider is reached and what it counts as."""

    name: str
    api: str
    models_of: str
    """The known provider whose names for models hold."""
    prices_of: str
    """The known provider whose list prices hold at its own address."""
    dialects: tuple[DialectName, ...]
    url: str
    """Its base address in full."""
    address: Address
    base_paths: dict[DialectName, str]
    """Of dialects that are not below the base address."""
    key_headers: dict[DialectName, KeyHeader]
    """Of those that do not take a bearer token."""
    auth: Auth
    count_tokens: bool
    prefill: Prefill
    deviations: tuple[Deviation, ...]
    key: str
    """Reference as written, or to the known one's variable; empty: none is sent."""
    zone: Zone
    region: str
    at_home: bool
    """It is the known provider at its own address: only there its key variable and its list prices hold."""
    managed: bool
    serves_weights: bool
    simulated: bool
    engine: str


class Model(msgspec.Struct, frozen=True):
    """A deployment's model: the catalogue's facts, with those of the configuration on top."""

    deployment: str
    upstream_model: str
    context_tokens: int
    """0: unknown."""
    max_output_tokens: int
    """0: unknown."""
    modalities: tuple[str, ...]
    tools: bool
    embeddings: bool
    licence: str
    quality: float | None
    energy_j_per_output_token: float | None


def privacy_rules(privacy: Privacy) -> dict[DataClass, PrivacyRule]:
    """A rule for each class, least sensitive first, all of them with zones.

    Where the configuration is silent, restricted stays in zone own and confidential in own and contracted; and no
    class goes where the one below it may not, so narrowing internal narrows all above it.
    """
    said = privacy.said()
    rules: dict[DataClass, PrivacyRule] = {}
    below = PrivacyRule(zones=ZONES)
    for name in DATA_CLASSES:
        lower = ZONES if below.zones is None else below.zones
        zones = tuple(zone for zone in _ZONES.get(name, lower) if zone in lower)
        rule = said.get(name, below)
        if rule is below or rule.zones is None:
            rule = msgspec.structs.replace(rule, zones=zones)
        below = rules[name] = rule
    return rules


def ignore(path: Path, what: str, fix: str) -> None:
    """A `Report` for configurations that were checked before."""


def listen_address(listen: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT, [IPv6]:PORT included; None if it is neither."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        return None
    if not colon or not _HOST.fullmatch(host) or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
        return None
    return host, int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address(url: str) -> Address | None:
    """The parts of a base address; None if it is not one of http or https, or holds more than host, port and path."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or "?" in url or "#" in url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not plain or not _HOST.fullmatch(host) or port == 0:
        return None
    if not url.isascii() or not url.isprintable() or not _PATH.fullmatch(parts.path):
        return None
    tls = parts.scheme == "https"
    return Address(tls, host, port or (443 if tls else 80), parts.path.rstrip("/"))


def endpoint(provider: settings.Provider, report: Report) -> Endpoint | None:
    """The provider as it will be asked, or None after reporting why it cannot be."""
    api = _api(provider)
    row = providers.find(api)
    if row is None:
        _report_unknown_api(provider, report)
        return None
    if provider.engine and provider.url:
        report(("url",), "stands beside engine", "An engine started here gets its address from us: drop one.")
        return None
    url = provider.url or _home(provider, row, report)
    if url is None:
        return None
    where = address(url)
    if where is None:
        report(
            ("url",),
            "is not a base address" if "@" in provider.url else f"is {shown(provider.url)}, which is no base address",
            "Use http or https, a host, a port if it is not the usual one, and a path: https://llm.example.com/v1. "
            "Names and passwords do not belong in it.",
        )
        return None
    if provider.engine:
        where = Address(False, "127.0.0.1", 0, "/v1")
    at_home = row.kind == "managed" and _at_home(where, provider, row)
    zone = provider.zone or _known_zone(provider, row, where, at_home)
    if zone is None:
        report(
            ("zone",),
            f"is missing, and {where.host} is an address of your own",
            "Say who sees the data there: own, contracted or third_party.",
        )
        return None
    dialects = _dialects(provider, row, at_home)
    headers = {dialect: row.key_header_of(dialect) for dialect in dialects}
    auth = authorisation(provider)
    return Endpoint(
        name=provider.name,
        api=api,
        models_of=row.models_of or api,
        prices_of=row.prices_of or api,
        dialects=dialects,
        url=url,
        address=where,
        base_paths={dialect: path for dialect, path in row.paths.items() if dialect in dialects and at_home},
        key_headers={dialect: header for dialect, header in headers.items() if header != "authorization"},
        auth=auth,
        count_tokens=row.count_tokens and ("anthropic" in dialects or (row.kind == "local" and not provider.dialects)),
        prefill=row.prefill,
        deviations=row.deviations,
        key=provider.key or (f"env:{row.key_env}" if at_home and row.key_env and auth == "key" else ""),
        zone=zone,
        region=provider.region or (row.region if at_home else ""),
        at_home=at_home,
        managed=row.kind == "managed",
        serves_weights=row.serves_weights,
        simulated=provider.simulated,
        engine=provider.engine,
    )


def authorisation(provider: settings.Provider) -> Auth:
    """How it knows who asks."""
    row = providers.find(_api(provider))
    return provider.auth or (row.auth if row is not None else "key")


def _api(provider: settings.Provider) -> str:
    return provider.api or ("llama.cpp" if provider.engine else provider.name)


def _home(provider: settings.Provider, row: providers.Provider, report: Report) -> str | None:
    """The known provider's own address, with region and project filled in; None after reporting what is missing."""
    if not row.url:
        report(
            ("url",),
            f"is missing, and every customer of {row.name} has an address of their own",
            f'Add it, like url = "{row.url_hint}".',
        )
        return None
    url = row.region_urls.get(provider.region, row.url)
    for word, value, example in (("region", provider.region, "us-east-1"), ("project", provider.project, "my-project")):
        if "{" + word + "}" not in url:
            continue
        if not _PLACE.fullmatch(value):
            what = f"is {shown(value)}, which cannot stand in" if value else "is missing, and stands in"
            if word == "region" and row.region_urls:
                example = "europe-west4"
            report((word,), f"{what} the address of {row.name}: {row.url}", f'Add it, like {word} = "{example}".')
            return None
        url = url.replace("{" + word + "}", value)
    return url


def _at_home(where: Address, provider: settings.Provider, row: providers.Provider) -> bool:
    """Whether it is an address of the known provider itself."""
    home = _home(provider, row, ignore)
    if _same_server(where, address(home) if home else None):
        return True
    patterns = (re.escape(host).replace(r"\*", "[a-z0-9-]+") for host in row.hosts)
    return where.tls and where.port == 443 and any(re.fullmatch(each, where.host) for each in patterns)


def _dialects(provider: settings.Provider, row: providers.Provider, at_home: bool) -> tuple[DialectName, ...]:
    """What it speaks there. A copy of a managed provider's API elsewhere is not known to have all of it."""
    if provider.dialects:
        return tuple(dict.fromkeys(provider.dialects))
    return row.dialects if at_home or row.kind == "local" else row.dialects[:1]


def _same_server(one: Address, other: Address | None) -> bool:
    return other is not None and (one.tls, one.host, one.port) == (other.tls, other.host, other.port)


def _known_zone(provider: settings.Provider, row: providers.Provider, where: Address, at_home: bool) -> Zone | None:
    """Who sees the data, where that follows from the address."""
    if at_home:
        return row.zone
    if provider.engine or (row.kind == "local" and is_loopback(where.host)):
        return row.zone
    return None


def _report_unknown_api(provider: settings.Provider, report: Report) -> None:
    known = providers.providers()
    word, what = ("api", provider.api) if provider.api else ("name", provider.name)
    near = nearest(what, known, most=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    if provider.api:
        listed = "" if near else f"Known are {alternatives(known)}. "
        fix = f"{guess}{listed}A server that speaks the OpenAI dialect can say openai."
        report((word,), f"is {shown(what)}, which is no server we know", fix)
    else:
        fix = f'{guess}Or add what it speaks and where it is: api = "openai", url = "https://…/v1", zone = "…".'
        report((word,), f"is {shown(what)}, which is no provider we know, and api is missing", fix)


def deployment_name(deployment: settings.Deployment) -> str:
    return deployment.name or f"{deployment.model}@{deployment.provider}"


def model(deployment: settings.Deployment, at: Endpoint, report: Report) -> Model | None:
    """The deployment's model with its facts, or None after reporting that they are missing."""
    known = models.find(deployment.model)
    said = deployment.facts
    if known is None and said == settings.Facts():
        near = models.nearest_names(deployment.model)
        guess = f"Did you mean {alternatives(near)}? If not, say" if near else "Say"
        report(
            ("model",),
            f"is {shown(deployment.model)}, which the catalogue does not know",
            f'{guess} what it is: facts = {{ context_tokens = 8192, modalities = ["text"], tools = true }}.',
        )
        return None
    upstream = deployment.upstream_model or _upstream(deployment.model, known, at)
    if not upstream:
        assert known is not None
        report(
            ("provider",),
            f"is {shown(at.name)}, which is not known to serve {deployment.model}",
            f'{_served_by(known)}If it does, add what it calls the model there: upstream_model = "…".',
        )
        return None

    return Model(
        deployment=deployment_name(deployment),
        upstream_model=upstream,
        context_tokens=said.context_tokens or (known.context_tokens if known else 0),
        max_output_tokens=said.max_output_tokens or (known.max_output_tokens if known else 0),
        modalities=said.modalities if said.modalities is not None else known.modalities if known else ("text",),
        tools=said.tools if said.tools is not None else known is not None and known.tools,
        embeddings=said.embeddings if said.embeddings is not None else known is not None and known.embeddings,
        licence=said.licence if said.licence is not None else known.licence if known else "",
        quality=said.quality if said.quality is not None else known.quality if known else None,
        energy_j_per_output_token=said.energy_j_per_output_token,
    )


def _upstream(name: str, known: models.Model | None, at: Endpoint) -> str:
    """What the provider calls the model, empty if a provider with a fixed list is not known to have it."""
    if known is None:
        return name
    if at.models_of in known.upstream:
        return known.upstream[at.models_of]
    if at.at_home and not at.simulated:
        return ""
    return known.weights if at.serves_weights and known.weights else name


def _served_by(known: models.Model) -> str:
    return f"Known to serve it: {', '.join(known.upstream)}. " if known.upstream else ""
