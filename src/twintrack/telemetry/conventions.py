"""What the conventions of OpenTelemetry call a provider, an operation, an error."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from twintrack.config.snapshot import Deployment
from twintrack.ledger.words import DeploymentWords

_CLIENT_ERRORS = frozenset((401, 402, 403, 404, 408, 429))
"""Statuses that get a series of their own; a provider may invent any other."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A deployment as spans and metrics name it."""

    provider: str
    model: str
    """As the provider knows it."""
    address: str
    """Empty: not known, for one that is no longer configured."""
    port: int


@functools.cache
def _names() -> dict[str, dict[str, str]]:
    return tomllib.loads((files(__package__) / "semconv.toml").read_text("utf-8"))


def upstream(deployment: Deployment) -> Upstream:
    provider = _names()["providers"].get(deployment.api, deployment.api)
    return Upstream(provider, deployment.upstream_model or deployment.model, deployment.host, deployment.port)


def forgotten(words: DeploymentWords) -> Upstream:
    """One that is no longer configured, as far as its records tell."""
    return Upstream(_names()["providers"].get(words.provider, words.provider), words.model, "", 0)


def operation(endpoint: str) -> str:
    return _names()["operations"].get(endpoint, endpoint or "unknown")


def error_type(outcome: str, status: int) -> str:
    """In how few words an attempt failed; empty if it did not. `status`: the provider's, 0 if none came."""
    if outcome in ("ok", "set_aside"):
        return ""
    if outcome == "upstream_refused":
        if status in _CLIENT_ERRORS:
            return str(status)
        return f"{status // 100}xx" if 100 <= status <= 599 else "status"
    if outcome == "upstream_failed":
        return "connection" if status == 0 else "broken_answer"
    return "timeout" if outcome == "upstream_timeout" else outcome
