"""Snapshots, signals and loads with everything ordinary but what a test is about."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from twintrack.config.settings import DATA_CLASSES, Deadlines, Failover, Limits
from twintrack.config.snapshot import Deployment, Key, Narrowing, PrivacyRule, Route, Snapshot, Tenant, Tier, TokenPrice
from twintrack.policy.choose import Decision, decide, decide_named
from twintrack.policy.compiled import Policy
from twintrack.signals.signals import Signals

TODAY = 20_000
"""Days since 1970."""
ALL_ZONES = ("own", "contracted", "third_party")
DEFAULT_PRIVACY = {
    "public": PrivacyRule(ALL_ZONES, ("*",)),
    "internal": PrivacyRule(ALL_ZONES, ("*",)),
    "confidential": PrivacyRule(("own", "contracted"), ("*",)),
    "restricted": PrivacyRule(("own",), ("*",)),
}


def token_price(input_usd_per_mtok: float, output_usd_per_mtok: float | None = None) -> TokenPrice:
    read = round(input_usd_per_mtok * 1e9)
    wrote = read * 4 if output_usd_per_mtok is None else round(output_usd_per_mtok * 1e9)
    return TokenPrice(read, wrote, read, read)


def deployment(index: int, **change: Any) -> Deployment:
    values: dict[str, Any] = {
        "index": index,
        "name": f"m{index}",
        "model": f"m{index}",
        "upstream_model": f"m{index}",
        "provider": "p",
        "api": "vllm",
        "dialects": ("openai",),
        "tls": False,
        "host": "127.0.0.1",
        "port": 8000,
        "base_path": "/v1",
        "key": "",
        "zone": "own",
        "region": "eu-west",
        "simulated": False,
        "context_tokens": 32_000,
        "max_output_tokens": 8_000,
        "modalities": ("text", "image"),
        "tools": True,
        "embeddings": False,
        "licence": "",
        "quality": 0.9,
        "price": token_price(1.0),
        "per_hour_nusd": 0,
        "energy_j_per_output_token": None,
        "max_in_flight": 8,
    }
    return Deployment(**values | change)


def signals(**change: Any) -> Signals:
    values: dict[str, Any] = {
        "endpoint": "chat",
        "stream": True,
        "prompt_tokens_est": 1_000,
        "output_tokens_est": 500,
        "max_output_tokens": 0,
        "modalities": ("text",),
        "tools": False,
        "language": "en",
        "task": "chat",
        "complexity": 0.5,
        "data_class": "internal",
        "labelled": False,
        "deadline_ms": None,
        "max_cost_nusd": None,
        "stakes_high": False,
    }
    return Signals(**values | change)


@dataclass
class Lately:
    in_flight: int = 0
    healthy: bool = True
    ttft_ms: int = 0
    latency_ms: int = 0


@dataclass
class House:
    """A policy with one route, and shorthands to ask it."""

    policy: Policy
    load: list[Lately]

    @property
    def route(self) -> Route:
        return self.policy.snapshot.routes[0]

    def decide(self, *, key: int = -1, affinity: bytes = b"0 hello", **change: Any) -> Decision:
        return decide(self.policy, self.route, signals(**change), self.load, key=key, affinity=affinity)

    def named(self, index: int, *, key: int = -1, **change: Any) -> Decision:
        return decide_named(self.policy, index, signals(**change), self.load, key=key)


def house(
    *tiers: list[Deployment],
    privacy: dict[str, PrivacyRule] | None = None,
    categories: dict[str, PrivacyRule] | None = None,
    tenants: tuple[Tenant, ...] = (),
    privacy_of_route: Narrowing | None = None,
    keys: tuple[Key, ...] = (),
    load: dict[int, Lately] | None = None,
    **route: Any,
) -> House:
    """One route over `tiers`; a deployment may stand in several."""
    by_index = {each.index: each for tier in tiers for each in tier}
    deployments = tuple(by_index[index] for index in sorted(by_index))
    assert [each.index for each in deployments] == list(range(len(deployments)))
    values: dict[str, Any] = {
        "index": 0,
        "name": "auto",
        "tiers": tuple(Tier(f"tier{at}", tuple(each.index for each in tier)) for at, tier in enumerate(tiers)),
        "keep_quality": 0.9,
        "max_nusd_per_request": -1,
        "max_ttft_ms": -1,
        "drop_unsupported": False,
        "take_up": False,
        "trace_content": False,
        "default_class": "internal",
        "observe": -1,
        "baseline": tiers[-1][0].index,
        "privacy": privacy_of_route or Narrowing(),
    }
    snapshot = Snapshot(
        generation=1,
        policy_version="0" * 12,
        source="twintrack.toml",
        listen_host="127.0.0.1",
        listen_port=8080,
        workers=1,
        data="/nowhere",
        tls_cert="",
        tls_key="",
        proxy="",
        ca="",
        deadlines=Deadlines(),
        failover=Failover(),
        limits=Limits(),
        keys=keys,
        deployments=deployments,
        routes=(Route(**values | route),),
        privacy=privacy or DEFAULT_PRIVACY,
        categories=categories or {},
        tenants=tenants,
    )
    loads = [Lately() for _ in deployments]
    for index, lately in (load or {}).items():
        loads[index] = lately
    return House(Policy(snapshot, today=TODAY), loads)


def key(index: int, *models: str) -> Key:
    return Key(index, f"key{index}", b"\0" * 32, "public", models)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The builders above. A fixture, since test modules are not on each other's path."""
    return SimpleNamespace(
        house=house,
        deployment=deployment,
        signals=signals,
        lately=Lately,
        key=key,
        today=TODAY,
        price=token_price,
        default_privacy=DEFAULT_PRIVACY,
        classes=DATA_CLASSES,
    )
