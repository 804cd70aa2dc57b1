"""What `twintrack models` says of a configuration."""

from __future__ import annotations

import datetime
from pathlib import Path

import click
import msgspec

from twintrack.catalog import models as known_models
from twintrack.catalog import prices as price_lists
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.providers import Zone
from twintrack.cli.models_known import UNKNOWN, by_token, judged, matches
from twintrack.cli.table import show
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import load
from twintrack.config.rules import days
from twintrack.config.settings import DATA_CLASSES, DataClass, Settings
from twintrack.config.snapshot import Deployment, Route, Snapshot
from twintrack.config.source import Source
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import privacy_objection
from twintrack.policy.rules import rules_of

_NONE = "-"


class Placed(msgspec.Struct, frozen=True):
    """A deployment of a configuration. None is unknown."""

    name: str
    model: str
    upstream_model: str
    provider: str
    api: str
    zone: Zone
    region: str | None
    licence: str | None
    context_tokens: int | None
    max_output_tokens: int | None
    modalities: tuple[str, ...]
    tools: bool
    embeddings: bool
    quality: float | None
    quality_source: str
    price: TokenPrice | None
    """Integer nano-dollars per million tokens."""
    per_hour_nusd: int | None
    """None: not paid by the hour."""
    simulated: bool
    may_see: tuple[DataClass, ...]
    why_not: str | None
    """Why it may not see the class asked for; None: it may, or none was asked for."""


class Step(msgspec.Struct, frozen=True):
    name: str
    deployments: tuple[str, ...]


class Way(msgspec.Struct, frozen=True):
    """A route. None is no limit."""

    name: str
    tiers: tuple[Step, ...]
    keep_quality: float
    default_class: DataClass
    max_nusd_per_request: int | None
    max_ttft_ms: int | None
    baseline: str
    observe: str | None
    """Who answers in observe mode; None: the route routes."""


class Configured(msgspec.Struct, frozen=True):
    config: str
    policy_version: str
    genai_prices: str
    prices_on: str
    asked_class: DataClass | None
    """The one --class asked for."""
    routes: tuple[Way, ...]
    deployments: tuple[Placed, ...]


def configured(file: Path, today: datetime.date, asked: DataClass | None) -> Configured:
    """What `file` offers; of the class asked for, who may see it. Raises ConfigError."""
    settings, source = load(file, environ=None)
    prices = price_lists.load(str(Path(source.absolute(settings.server.data)) / "prices.json"), on=today)
    snapshot = compile_snapshot(settings, source, generation=1, prices=prices, secrets=lambda reference: reference)
    return Configured(
        config=str(file),
        policy_version=snapshot.policy_version,
        genai_prices=prices.version,
        prices_on=today.isoformat(),
        asked_class=asked,
        routes=tuple(_way(route, snapshot) for route in snapshot.routes),
        deployments=tuple(_placed(each, snapshot, settings, source, asked) for each in snapshot.deployments),
    )


def _way(route: Route, snapshot: Snapshot) -> Way:
    names = [each.name for each in snapshot.deployments]
    return Way(
        name=route.name,
        tiers=tuple(Step(tier.name, tuple(names[index] for index in tier.deployments)) for tier in route.tiers),
        keep_quality=route.keep_quality,
        default_class=route.default_class,
        max_nusd_per_request=None if route.max_nusd_per_request < 0 else route.max_nusd_per_request,
        max_ttft_ms=None if route.max_ttft_ms < 0 else route.max_ttft_ms,
        baseline=names[route.baseline],
        observe=None if route.observe < 0 else names[route.observe],
    )


def _placed(
    each: Deployment, snapshot: Snapshot, settings: Settings, source: Source, asked: DataClass | None
) -> Placed:
    rules, today = rules_of(snapshot), days(datetime.datetime.now(datetime.UTC).date())
    objections = {
        data_class: privacy_objection(each, rung, rules, today) for rung, data_class in enumerate(DATA_CLASSES)
    }
    objection = objections[asked] if asked is not None else None
    quality, quality_source = _quality(each, settings, source)
    return Placed(
        name=each.name,
        model=each.model,
        upstream_model=each.upstream_model,
        provider=each.provider,
        api=each.api,
        zone=each.zone,
        region=each.region or None,
        licence=each.licence or None,
        context_tokens=each.context_tokens or None,
        max_output_tokens=each.max_output_tokens or None,
        modalities=each.modalities,
        tools=each.tools,
        embeddings=each.embeddings,
        quality=quality,
        quality_source=quality_source,
        price=each.price,
        per_hour_nusd=each.per_hour_nusd or None,
        simulated=each.simulated,
        may_see=tuple(data_class for data_class, against in objections.items() if against is None),
        why_not=None if objection is None else objection_sentence(*objection),
    )


def _quality(each: Deployment, settings: Settings, source: Source) -> tuple[float | None, str]:
    """A model nobody knows has a stand-in inside the snapshot; here it is unknown."""
    if settings.deployments[each.index].facts.quality is not None:
        line = source.line(("deployments", each.index, "facts", "quality"))
        return each.quality, f"{source.name}:{line}"
    known = known_models.find(each.model)
    if known is None:
        return None, UNKNOWN
    return each.quality, f"catalogue, {judged(known) or 'measured'}"


def narrowed(found: Configured, search: str | None, provider: str | None) -> Configured:
    """Without the deployments that do not match, and without the routes and tiers they leave empty."""
    searched = [tier for route in found.routes if route.name == search for tier in route.tiers]
    asked = {name for tier in searched for name in tier.deployments}
    kept = tuple(
        each
        for each in found.deployments
        if provider in (None, each.provider)
        and (each.name in asked or matches(search, each.name, each.model, each.licence or ""))
    )
    names = {each.name for each in kept}
    routes = []
    for route in found.routes:
        tiers = [Step(tier.name, tuple(name for name in tier.deployments if name in names)) for tier in route.tiers]
        tiers = [tier for tier in tiers if tier.deployments]
        if tiers:
            routes.append(msgspec.structs.replace(route, tiers=tuple(tiers)))
    return msgspec.structs.replace(found, deployments=kept, routes=tuple(routes))


def tell(found: Configured) -> None:
    """As a table for each route."""
    by_name = {each.name: each for each in found.deployments}
    routed: set[str] = set()
    for route in found.routes:
        click.echo(f"Route {route.name}: {_rules(route)}.")
        rows = [(tier.name, by_name[name]) for tier in route.tiers for name in tier.deployments]
        routed.update(each.name for _, each in rows)
        _tell_deployments(rows, found.asked_class)
        click.echo()
    rest = [(_NONE, each) for each in found.deployments if each.name not in routed]
    if rest:
        click.echo("In no route, reached by name only:")
        _tell_deployments(rest, found.asked_class)
        click.echo()
    if not found.deployments:
        click.echo("There is no deployment.\n")
    click.echo(
        f"{found.config}, policy {found.policy_version}. Prices are USD per million tokens: the file's, else list "
        f"prices of genai-prices {found.genai_prices} on {found.prices_on}."
    )


def _rules(route: Way) -> str:
    keeps = f"keeps {route.keep_quality:g} of the quality of its last tier"
    said = [keeps if route.keep_quality else "asks its tiers in order", f"savings are against {route.baseline}"]
    if route.max_nusd_per_request is not None:
        said.append(f"at most ${route.max_nusd_per_request / 1e9:g} a request")
    if route.max_ttft_ms is not None:
        said.append(f"first token within {route.max_ttft_ms:,} ms")
    said.append(f"requests without a label are {route.default_class}")
    if route.observe is not None:
        said.append(f"it only observes, {route.observe} answers")
    return "; ".join(said)


def _tell_deployments(rows: list[tuple[str, Placed]], asked: DataClass | None) -> None:
    reasons = {each.name: each.why_not for _, each in rows if each.why_not is not None}
    titles = ("tier", "deployment", "zone", "region", "price", "window", "quality", "from", asked or "sees data up to")
    show(
        titles,
        [
            (
                tier,
                f"{each.name} (embeddings)" if each.embeddings else each.name,
                each.zone,
                each.region or UNKNOWN,
                _price(each),
                f"{each.context_tokens:,}" if each.context_tokens else UNKNOWN,
                UNKNOWN if each.quality is None else f"{each.quality:.2f}",
                each.quality_source,
                _sees(each, asked),
            )
            for tier, each in rows
        ],
        right=("window",),
        whole=("tier", "deployment", "window"),
    )
    for name, reason in reasons.items():
        click.echo(f"  {name}: {reason}.")


def _price(each: Placed) -> str:
    simulated = "SIMULATED " if each.simulated else ""
    if each.per_hour_nusd is not None:
        return f"{simulated}{each.per_hour_nusd / 1e9:g} an hour"
    return simulated + (UNKNOWN if each.price is None else by_token(each.price))


def _sees(each: Placed, asked: DataClass | None) -> str:
    if asked is not None:
        return "yes" if each.why_not is None else "no"
    return each.may_see[-1] if each.may_see else "none"
