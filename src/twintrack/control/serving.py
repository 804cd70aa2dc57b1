"""What is serving, as people read it: routes, their tiers, who answers there and at which price."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import msgspec

from twintrack.config.snapshot import Deployment, Route, Snapshot
from twintrack.control.words import UNKNOWN
from twintrack.policy.explain import usd

DEMO = "demo-"
"""How the names of the bundled models begin; nobody should take them for models to work with."""
ZONES = {"own": "own", "contracted": "contracted", "third_party": "third party"}


@dataclass(frozen=True, slots=True)
class Line:
    """One deployment in one place."""

    name: str
    model: str
    provider: str
    zone: str
    region: str
    price_in: str
    price_out: str
    """Empty: `price_in` says it all, by the hour or unknown."""
    notes: tuple[str, ...]
    simulated: bool
    demo: bool
    baseline: bool


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A model name that clients may send."""

    name: str
    rules: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Serving:
    offers: tuple[Offer, ...]
    named_only: tuple[Line, ...]
    """Deployments in no route."""
    sources: tuple[str, ...]
    """Where prices come from."""


def serving(snapshot: Snapshot) -> Serving:
    deployments = snapshot.deployments
    routed = {index for route in snapshot.routes for tier in route.tiers for index in tier.deployments}
    sources = {each.price.source for each in deployments if each.price is not None and each.price.source}
    return Serving(
        offers=tuple(_offer(route, deployments) for route in snapshot.routes),
        named_only=tuple(_line(each, False) for each in deployments if each.index not in routed),
        sources=tuple(sorted(sources)),
    )


def is_demo(model: str) -> bool:
    return model.startswith(DEMO)


def _offer(route: Route, deployments: tuple[Deployment, ...]) -> Offer:
    keeps = f"keeps {route.keep_quality:.0%} of the last tier's quality".replace("%", " %")
    rules = [keeps if route.keep_quality else "asks its tiers in order"]
    if route.max_nusd_per_request >= 0:
        rules.append(f"at most {usd(route.max_nusd_per_request)} a request")
    if route.nusd_per_day >= 0:
        rules.append(f"spends about {usd(route.nusd_per_day)} a day at most, then prefers what is cheap")
    if route.explore:
        rules.append(f"draws {route.explore:.2%} of the choices at random".replace("%", " %"))
    if route.max_ttft_ms >= 0:
        rules.append(f"first token within {route.max_ttft_ms:,} ms")
    rules.append(f"unlabelled data counts as {route.default_class}")
    if route.observe >= 0:
        rules.append(f"observes: {deployments[route.observe].name} answers everything, the choice is only recorded")
    steps = tuple(
        Step(tier.name, tuple(_line(deployments[index], index == route.baseline) for index in tier.deployments))
        for tier in route.tiers
    )
    return Offer(route.name, tuple(rules), steps)


def _line(deployment: Deployment, baseline: bool) -> Line:
    price_in, price_out, notes = _price(deployment)
    return Line(
        name=deployment.name,
        model=deployment.model,
        provider=deployment.provider,
        zone=ZONES[deployment.zone],
        region=deployment.region,
        price_in=price_in,
        price_out=price_out,
        notes=notes,
        simulated=deployment.simulated,
        demo=is_demo(deployment.model),
        baseline=baseline,
    )


def _price(deployment: Deployment) -> tuple[str, str, tuple[str, ...]]:
    price = deployment.price
    if price is None:
        return (f"{usd(deployment.per_hour_nusd)} an hour" if deployment.per_hour_nusd else UNKNOWN), "", ()
    notes: tuple[str, ...] = ()
    longer = price
    while longer.long is not None:
        over, longer = longer.long_input_tokens, longer.long
        rates = f"{usd(longer.input_nusd_per_mtok)} in, {usd(longer.output_nusd_per_mtok)} out"
        notes += (f"over {over:,} tokens of input: {rates}",)
    return usd(price.input_nusd_per_mtok), usd(price.output_nusd_per_mtok), notes


def first_request(snapshot: Snapshot) -> str:
    """A command that sends one, for a ledger that is still empty."""
    host = snapshot.listen_host
    if host in ("0.0.0.0", "::"):  # noqa: S104  # what it listens on, not what we would
        host = "127.0.0.1"
    if ":" in host:
        host = f"[{host}]"
    address = f"{'https' if snapshot.tls_cert else 'http'}://{host}:{snapshot.listen_port}"
    model, members = _something(snapshot)
    speaks_openai = not members or any("openai" in each.dialects for each in members)
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    path = "/v1/chat/completions"
    if not speaks_openai:
        path = "/v1/messages"
        body = {"model": model, "max_tokens": 100, "messages": body["messages"]}
    if members and all(each.embeddings for each in members):
        path = "/v1/embeddings"
        body = {"model": model, "input": "Hello"}
    key = ' -H "authorization: Bearer $TWINTRACK_KEY"' if snapshot.keys else ""
    said = shlex.quote(msgspec.json.encode(body).decode())
    return f"curl {shlex.quote(address + path)}{key} -H 'content-type: application/json' -d {said}"


def _something(snapshot: Snapshot) -> tuple[str, list[Deployment]]:
    """The first name a client may ask for, and who is behind it."""
    for route in snapshot.routes:
        return route.name, [snapshot.deployments[index] for tier in route.tiers for index in tier.deployments]
    for deployment in snapshot.deployments:
        return deployment.name, [deployment]
    return "auto", []
