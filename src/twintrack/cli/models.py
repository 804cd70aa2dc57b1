"""twintrack models: what the catalogue knows, or what a configuration makes of it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from twintrack.catalog import models as known_models
from twintrack.catalog import prices as price_lists
from twintrack.catalog import providers as known_providers
from twintrack.catalog.cost import TokenPrice
from twintrack.catalog.prices import Prices
from twintrack.catalog.providers import Zone
from twintrack.cli import complete
from twintrack.cli.file import USUAL, present
from twintrack.cli.table import show
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import load
from twintrack.config.rules import days
from twintrack.config.settings import DATA_CLASSES, DataClass, Settings
from twintrack.config.snapshot import Deployment, Route, Snapshot
from twintrack.config.source import Source
from twintrack.errors import nearest
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import privacy_objection
from twintrack.policy.rules import rules_of

UNKNOWN = "unknown"
_NONE = "-"
_CLASS = re.compile(r"class (\w+)")


class Offer(msgspec.Struct, frozen=True):
    """A model at a provider."""

    provider: str
    upstream_model: str
    """What the provider calls it."""
    zone: Zone
    price: TokenPrice | None
    """Integer nano-dollars per million tokens; None: unknown."""


class Known(msgspec.Struct, frozen=True):
    """A row of the catalogue."""

    name: str
    kind: str
    licence: str
    context_tokens: int
    max_output_tokens: int | None
    modalities: tuple[str, ...]
    tools: bool
    embeddings: bool
    quality: float
    quality_class: str | None
    """None: measured, not judged."""
    quality_why: str
    demo: bool
    offers: tuple[Offer, ...]
    source: str
    as_of: str


class Catalogue(msgspec.Struct, frozen=True):
    genai_prices: str
    prices_on: str
    models: tuple[Known, ...]


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


@click.command("models")
@click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"List what this configuration offers. Default: ./{USUAL} if it is there, else the catalogue.",
)
@click.option("--catalogue", is_flag=True, help=f"List the catalogue even if ./{USUAL} is there.")
@click.option(
    "--search",
    metavar="TEXT",
    shell_complete=complete.offered,
    help="Only models with TEXT in their name, licence or kind.",
)
@click.option("--provider", metavar="NAME", shell_complete=complete.providers, help="Only what this provider serves.")
@click.option(
    "--class",
    "data_class",
    type=click.Choice(DATA_CLASSES),
    help="Say of each deployment whether it may see data of this class, or why not.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: nano-dollars, null for unknown.")
@click.pass_context
def command(
    ctx: click.Context,
    config: Path | None,
    catalogue: bool,
    search: str | None,
    provider: str | None,
    data_class: DataClass | None,
    as_json: bool,
) -> None:
    """List models, tiers and prices.

    Of a configuration: routes, tiers and deployments, with zone, price, window, quality and the data each may see.
    Of the catalogue: every model it knows, with the list prices of its providers.

    Nothing is called and no secret is read. Exit code 1 if nothing matches.
    """
    if config is not None and catalogue:
        raise click.UsageError("--config and --catalogue exclude each other.", ctx)
    if config is None and not catalogue and USUAL.exists():
        config = USUAL
    today = datetime.datetime.now(datetime.UTC).date()
    if config is None:
        if data_class is not None:
            raise click.UsageError("--class asks about a configuration: name one with --config.", ctx)
        _expect(ctx, provider, known_providers.providers())
        listed = _catalogue(price_lists.load(None, on=today), today, search, provider)
        matched = bool(listed.models)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(listed)))
        elif matched:
            _tell_catalogue(listed, provider)
    else:
        configured = _configured(present(config), today, data_class)
        _expect(ctx, provider, dict.fromkeys(each.provider for each in configured.deployments))
        configured = _narrowed(configured, search, provider)
        matched = bool(configured.deployments) or not (search or provider)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(configured)))
        elif matched:
            _tell_configured(configured)
    if not matched:
        close = nearest((search or "").lower(), known_models.models(), 1)
        hint = f" Did you mean {close[0]}?" if close else ""
        click.echo(f"Nothing here matches.{hint}", err=True)
        ctx.exit(1)


def _expect(ctx: click.Context, name: str | None, known: Iterable[str]) -> None:
    names = list(known)
    if name is not None and name not in names:
        close = nearest(name, names, 1)
        hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(names)}." if names else "There is none."
        raise click.BadParameter(f"There is no provider {name!r}. {hint}", ctx, param_hint="--provider")


def _matches(search: str | None, *texts: str) -> bool:
    return search is None or any(search.lower() in text.lower() for text in texts)


# ---- the catalogue


def _catalogue(prices: Prices, today: datetime.date, search: str | None, provider: str | None) -> Catalogue:
    rows = [
        _known(model, prices)
        for model in known_models.models().values()
        if _matches(search, model.name, model.licence, model.kind, model.weights)
        and (provider is None or provider in model.upstream)
    ]
    return Catalogue(prices.version, today.isoformat(), tuple(rows))


def _known(model: known_models.Model, prices: Prices) -> Known:
    judged = _CLASS.match(model.quality_why)
    providers = known_providers.providers()
    return Known(
        name=model.name,
        kind=model.kind,
        licence=model.licence,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens or None,
        modalities=model.modalities,
        tools=model.tools,
        embeddings=model.embeddings,
        quality=model.quality,
        quality_class=judged[1] if judged else None,
        quality_why=model.quality_why,
        demo=model.demo,
        offers=tuple(
            Offer(name, upstream, providers[name].zone, prices.find(name, upstream))
            for name, upstream in model.upstream.items()
        ),
        source=model.source,
        as_of=model.as_of,
    )


def _tell_catalogue(listed: Catalogue, provider: str | None) -> None:
    titles = ("model", "kind", "licence", "window", "quality", "list price, USD per million tokens")
    show(
        titles,
        [
            (
                model.name,
                "embeddings" if model.embeddings else model.kind,
                model.licence,
                f"{model.context_tokens:,}",
                f"{model.quality:.2f} {model.quality_class or 'measured'}",
                "; ".join(_offer(each) for each in model.offers if provider in (None, each.provider))
                or ("bundled" if model.demo else UNKNOWN),
            )
            for model in listed.models
        ],
        right=("window",),
        whole=("model", "window"),
    )
    click.echo(
        f"\n{len(listed.models)} models. Prices: genai-prices {listed.genai_prices} with our dated overrides, on "
        f"{listed.prices_on}. Quality is a class we judged, not a measurement;\nwhere it says measured, it was in the "
        "closed world of the demo models. A licence is a name: read its text before you rely on it."
    )


def _offer(offer: Offer) -> str:
    if offer.price is not None:
        return f"{offer.provider} {_by_token(offer.price)}"
    return f"{offer.provider} by your hour" if offer.zone == "own" else f"{offer.provider} {UNKNOWN}"


def _by_token(price: TokenPrice) -> str:
    """`2.5 in, 15 out`, and what holds instead for long prompts."""
    text = f"{price.input_nusd_per_mtok / 1e9:g} in, {price.output_nusd_per_mtok / 1e9:g} out"
    if price.long is not None:
        text += f" (over {price.long_input_tokens:,} tokens {_by_token(price.long)})"
    return text


# ---- a configuration


def _configured(file: Path, today: datetime.date, asked: DataClass | None) -> Configured:
    """Raises ConfigError."""
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
    judged = _CLASS.match(known.quality_why)
    return each.quality, f"catalogue, {judged[1] if judged else 'measured'}"


def _narrowed(found: Configured, search: str | None, provider: str | None) -> Configured:
    """Without the deployments that do not match, and without the routes and tiers they leave empty."""
    searched = [tier for route in found.routes if route.name == search for tier in route.tiers]
    asked = {name for tier in searched for name in tier.deployments}
    kept = tuple(
        each
        for each in found.deployments
        if provider in (None, each.provider)
        and (each.name in asked or _matches(search, each.name, each.model, each.licence or ""))
    )
    names = {each.name for each in kept}
    routes = []
    for route in found.routes:
        tiers = [Step(tier.name, tuple(name for name in tier.deployments if name in names)) for tier in route.tiers]
        tiers = [tier for tier in tiers if tier.deployments]
        if tiers:
            routes.append(msgspec.structs.replace(route, tiers=tuple(tiers)))
    return msgspec.structs.replace(found, deployments=kept, routes=tuple(routes))


def _tell_configured(found: Configured) -> None:
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
    return simulated + (UNKNOWN if each.price is None else _by_token(each.price))


def _sees(each: Placed, asked: DataClass | None) -> str:
    if asked is not None:
        return "yes" if each.why_not is None else "no"
    return each.may_see[-1] if each.may_see else "none"
