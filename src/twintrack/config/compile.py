"""Turns settings into the snapshot that serves. Pure: clock, prices and secrets are passed in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from twintrack.catalog.cost import TokenPrice, nusd
from twintrack.catalog.prices import Prices
from twintrack.config import effective, rules, settings
from twintrack.config.secrets import header_reference
from twintrack.config.settings import DATA_CLASSES, PSEUDONYMS, DataClass, Settings
from twintrack.config.snapshot import Cascade, Classifier, Deployment, Key, PrivacyRule, Route, Snapshot, Tenant, Tier
from twintrack.config.source import Problem, Source, invalid
from twintrack.wire.deviations import of_model


def compile_snapshot(
    settings: Settings,
    source: Source,
    *,
    generation: int,
    prices: Prices,
    secrets: Callable[[str], str | None],
    engines: Mapping[str, tuple[str, int]] | None = None,
    router: bytes = b"",
    verifier: bytes = b"",
) -> Snapshot:
    """The snapshot of a configuration that `load` accepted.

    Args:
        generation: counts reloads, from 1.
        prices: list prices of today.
        secrets: resolves a reference; called for clients' keys only, and only their hash is kept.
        engines: host and port of each engine that was started, by provider; one that is not in it gets port 0.
        router, verifier: weights fitted to verdicts, known to be good; empty: there are none.
    Raises:
        ConfigError: a client's key cannot be resolved, or the settings did not come from `load`.
    """
    listen = effective.listen_address(settings.server.listen)
    assert listen is not None
    tls = settings.server.tls
    deployments = _deployments(settings, source, prices, engines or {})
    names = {deployment.name: deployment.index for deployment in deployments}
    traced = bool(settings.telemetry.otlp)
    routes = tuple(
        _route(number, name, route, names, settings.detect.mode, traced=traced)
        for number, (name, route) in enumerate(settings.routes.items())
    )
    tenants = tuple(
        Tenant(number, name, rules.narrowing(tenant.privacy))
        for number, (name, tenant) in enumerate(settings.tenants.items())
    )
    keys = tuple(_key(number, key, settings, source, secrets) for number, key in enumerate(settings.keys))
    privacy = {name: rules.rule(each) for name, each in effective.privacy_rules(settings.privacy).items()}
    categories = {name: rules.rule(each) for name, each in settings.privacy.categories.items()}
    return Snapshot(
        generation=generation,
        policy_version=policy_version(
            deployments, routes, keys, privacy, categories, tenants, router, settings.detect, verifier
        ),
        source=source.name,
        listen_host=listen[0],
        listen_port=listen[1],
        workers=settings.server.workers,
        data=source.absolute(settings.server.data),
        tls_cert=source.absolute(tls.cert) if tls else "",
        tls_key=source.absolute(tls.key) if tls else "",
        proxy=source.reference(settings.server.proxy),
        ca=source.absolute(settings.server.ca) if settings.server.ca else "",
        deadlines=settings.server.deadlines,
        failover=settings.server.failover,
        limits=settings.server.limits,
        keys=keys,
        deployments=deployments,
        routes=routes,
        privacy=privacy,
        categories=categories,
        tenants=tenants,
        telemetry=_telemetry(settings.telemetry, source),
        audit=_audit(settings.audit, source),
        secret=source.reference(settings.server.secret) if settings.server.secret else "",
        detect=settings.detect,
        router=router,
        verifier=verifier,
    )


def policy_version(
    deployments: tuple[Deployment, ...],
    routes: tuple[Route, ...],
    keys: tuple[Key, ...],
    privacy: Mapping[DataClass, PrivacyRule],
    categories: Mapping[str, PrivacyRule],
    tenants: tuple[Tenant, ...],
    router: bytes = b"",
    detect: settings.Detect | None = None,
    verifier: bytes = b"",
) -> str:
    """First 12 hex digits of the SHA-256 of all that decides which deployment answers; behind a + the first 8 of the
    fitted router's own, where there is one.

    Left out is what a choice does not look at: addresses and secrets, and the words that say where a price was read,
    which change with the day. So the same policy has the same name on every machine and after every reload.
    """
    decides: tuple[object, ...] = (
        [deciding(deployment) for deployment in deployments],
        [routing(route) for route in routes],
        [(key.name, key.data_class, key.models, key.tenant, key.operator, key.privacy) for key in keys],
        privacy,
        categories,
        tenants,
        detect,
    )
    if verifier and any(route.cascade is not None and "verifier" in route.cascade.check for route in routes):
        decides += (hashlib.sha256(verifier).digest(),)
    configured = hashlib.sha256(msgspec.msgpack.encode(decides, order="deterministic")).hexdigest()[:12]
    return f"{configured}+{router_version(router)}" if router else configured


def router_version(router: bytes) -> str:
    """Of a fitted router, by its file: what stands behind the `+` of a policy version."""
    return hashlib.sha256(router).hexdigest()[:8]


_ADDRESS = (
    "tls", "host", "port", "base_path", "base_paths", "key", "key_headers", "auth", "deviations",
)  # fmt: skip
"""How a deployment is asked once it was chosen."""


def routing(route: Route) -> dict[str, object]:
    fields = msgspec.structs.asdict(route)
    del fields["trace_content"]
    del fields["learn"], fields["learn_all"]
    return fields


def deciding(deployment: Deployment) -> dict[str, object]:
    fields = msgspec.structs.asdict(deployment)
    for word in _ADDRESS:
        del fields[word]
    fields["price"] = deployment.price and deployment.price.unsourced()
    return fields


def _deployments(
    settings: Settings, source: Source, prices: Prices, engines: Mapping[str, tuple[str, int]]
) -> tuple[Deployment, ...]:
    wrong: list[Problem] = []

    def report(path: tuple[str | int, ...], what: str, fix: str) -> None:
        wrong.append(Problem(path, what, fix))

    endpoints = {provider.name: effective.endpoint(provider, report) for provider in settings.providers}
    terms = {each.name: rules.terms(each.terms) for each in settings.providers if each.terms is not None}
    compiled = []
    for number, deployment in enumerate(settings.deployments):
        endpoint = endpoints.get(deployment.provider)
        model = effective.model(deployment, endpoint, report) if endpoint is not None else None
        if endpoint is None or model is None:
            continue
        host, port = engines.get(endpoint.name, (endpoint.address.host, endpoint.address.port))
        said = deployment.price
        compiled.append(
            Deployment(
                index=number,
                name=model.deployment,
                model=deployment.model,
                upstream_model=model.upstream_model,
                provider=endpoint.name,
                api=endpoint.api,
                dialects=endpoint.dialects,
                tls=endpoint.address.tls,
                host=host,
                port=port,
                base_path=endpoint.address.base_path,
                key=source.reference(endpoint.key),
                zone=endpoint.zone,
                region=endpoint.region,
                simulated=endpoint.simulated,
                context_tokens=model.context_tokens,
                max_output_tokens=model.max_output_tokens,
                modalities=model.modalities,
                tools=model.tools,
                embeddings=model.embeddings,
                licence=model.licence,
                quality=effective.UNKNOWN_QUALITY if model.quality is None else model.quality,
                price=_price(deployment, number, endpoint, model, source, prices),
                per_hour_nusd=nusd(said.per_hour_usd) if said is not None and said.per_hour_usd is not None else 0,
                energy_j_per_output_token=model.energy_j_per_output_token,
                max_in_flight=deployment.max_in_flight,
                base_paths=endpoint.base_paths,
                key_headers=endpoint.key_headers,
                auth=endpoint.auth,
                count_tokens=endpoint.count_tokens,
                prefill=endpoint.prefill if deployment.prefill is None else deployment.prefill,
                deviations=of_model(endpoint.name, endpoint.deviations, model.upstream_model, deployment.model),
                terms=terms.get(endpoint.name),
            )
        )
    if wrong:
        raise invalid(source, wrong)
    return tuple(compiled)


def _price(
    deployment: settings.Deployment,
    number: int,
    endpoint: effective.Endpoint,
    model: effective.Model,
    source: Source,
    prices: Prices,
) -> TokenPrice | None:
    """What the configuration says, else the list price of a known provider at its own address, else None."""
    said = deployment.price
    if said is None:
        return (
            prices.find(endpoint.prices_of, model.upstream_model)
            if endpoint.at_home and not endpoint.simulated
            else None
        )
    if said.input_usd_per_mtok is None:
        return None  # by the hour
    fresh = nusd(said.input_usd_per_mtok)
    read, write = said.cache_read_usd_per_mtok, said.cache_write_usd_per_mtok
    return TokenPrice(
        input_nusd_per_mtok=fresh,
        output_nusd_per_mtok=nusd(said.output_usd_per_mtok or 0.0),
        cache_read_nusd_per_mtok=fresh if read is None else nusd(read),
        cache_write_nusd_per_mtok=fresh if write is None else nusd(write),
        source=f"{source.name}:{source.line(('deployments', number, 'price'))}",
        cache_write_1h_nusd_per_mtok=_nusd(said.cache_write_1h_usd_per_mtok),
        input_audio_nusd_per_mtok=_nusd(said.input_audio_usd_per_mtok),
        output_audio_nusd_per_mtok=_nusd(said.output_audio_usd_per_mtok),
        input_image_nusd_per_mtok=_nusd(said.input_image_usd_per_mtok),
        output_image_nusd_per_mtok=_nusd(said.output_image_usd_per_mtok),
    )


def _nusd(usd: float | None) -> int | None:
    return None if usd is None else nusd(usd)


def _route(
    number: int,
    name: str,
    route: settings.Route,
    names: Mapping[str, int],
    detect: settings.Screen,
    *,
    traced: bool,
) -> Route:
    tiers = tuple(Tier(tier.name, tuple(names[each] for each in tier.deployments)) for tier in route.tiers)
    baseline = tiers[-1].deployments[0]
    observe = names[route.observe] if route.observe else baseline
    said = route.classifier
    return Route(
        index=number,
        name=name,
        tiers=tiers,
        keep_quality=route.keep_quality,
        max_nusd_per_request=-1 if route.max_usd_per_request is None else nusd(route.max_usd_per_request),
        max_ttft_ms=-1 if route.max_ttft_ms is None else route.max_ttft_ms,
        default_class=route.default_class,
        drop_unsupported=route.drop_unsupported,
        take_up=route.take_up,
        trace_content=route.trace_content and traced,
        observe=observe if route.mode == "observe" else -1,
        baseline=baseline,
        pseudonyms=route.pseudonyms if isinstance(route.pseudonyms, tuple) else PSEUDONYMS * route.pseudonyms,
        privacy=rules.narrowing(route.privacy),
        learn=len(tiers) > 1 if route.learn is None else route.learn,
        learn_all=route.learn is True or route.explore > 0.0,
        explore=route.explore,
        nusd_per_day=-1 if route.usd_per_day is None else nusd(route.usd_per_day),
        cascade=_cascade(route.cascade, names),
        classifier=None if said is None else Classifier(names[said.deployment], said.max_ms),
        detect=route.detect or detect,
    )


def _cascade(said: settings.Cascade | None, names: Mapping[str, int]) -> Cascade | None:
    if said is None:
        return None
    return Cascade(
        check=said.check,
        drafts=tuple(names[each] for each in said.drafts),
        repeat_temperature=said.repeat_temperature,
        believe=tuple((names[one], names[other]) for one, other in said.believe),
        min_mean_logprob=said.min_mean_logprob,
        min_logprob=said.min_logprob,
        must_match=said.must_match,
        must_not_match=said.must_not_match,
        min_chars=said.min_chars,
        max_chars=-1 if said.max_chars is None else said.max_chars,
        min_p_good=said.min_p_good,
        max_draft_ms=said.max_draft_ms,
    )


def _telemetry(said: settings.Telemetry, source: Source) -> settings.Telemetry:
    return msgspec.structs.replace(said, headers=_headers(said.headers, source))


def _audit(said: settings.Audit, source: Source) -> settings.Audit:
    to = said.checkpoint_to
    if to.startswith("file:"):
        to = source.reference(to) + "/" * to.endswith("/")
    return msgspec.structs.replace(
        said, headers=_headers(said.headers, source), checkpoint_to=to, key=source.reference(said.key)
    )


def _headers(said: Mapping[str, str], source: Source) -> dict[str, str]:
    headers = {}
    for name, value in said.items():
        scheme, reference = header_reference(value)
        headers[name] = f"{scheme} {source.reference(reference)}" if scheme else source.reference(reference)
    return headers


def _key(number: int, key: settings.Key, all_: Settings, source: Source, secrets: Callable[[str], str | None]) -> Key:
    secret = secrets(source.reference(key.key))
    if secret is None:
        what = f"leads nowhere: {key.key} gives no secret"
        raise invalid(source, [Problem(("keys", number, "key"), what, "Set it before starting, or name another.")])
    tenant = all_.tenants.get(key.tenant)
    least = (key.data_class, tenant.data_class if tenant is not None else key.data_class)
    return Key(
        index=number,
        name=key.name,
        sha256=hashlib.sha256(secret.encode()).digest(),
        data_class=max(least, key=DATA_CLASSES.index),
        models=key.models,
        tenant=list(all_.tenants).index(key.tenant) if tenant is not None else -1,
        operator=key.operator,
        judge=key.judge,
        privacy=rules.narrowing(key.privacy),
    )
