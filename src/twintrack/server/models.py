"""GET /v1/models in the form the client's SDK reads: OpenAI's list, or Anthropic's page."""

from __future__ import annotations

from typing import Any

import msgspec

from twintrack.gateway.serving import Serving
from twintrack.wire.http1 import Headers

_LONG_AGO = "1970-01-01T00:00:00Z"
"""Routes and deployments have no date of release; both forms demand one."""


def listed(serving: Serving, names: list[str], headers: Headers) -> bytes:
    if not _is_anthropic(headers):
        return msgspec.json.encode({"object": "list", "data": [_openai(serving, name) for name in names]})
    page = {
        "data": [_anthropic(serving, name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }
    return msgspec.json.encode(page)


def described(serving: Serving, name: str, headers: Headers) -> bytes:
    return msgspec.json.encode(_anthropic(serving, name) if _is_anthropic(headers) else _openai(serving, name))


def _is_anthropic(headers: Headers) -> bool:
    """Its SDKs send the version with every request; nobody else does."""
    return b"anthropic-version" in headers


def _openai(serving: Serving, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": name, "object": "model", "created": 0, "owned_by": "twintrack"}
    if name in serving.routes:
        shown["tiers"] = [tier.name for tier in serving.routes[name].tiers]
    else:
        deployment = serving.snapshot.deployments[serving.names[name]]
        shown["owned_by"] = deployment.provider
        if deployment.context_tokens:
            shown["context_window"] = deployment.context_tokens
    return shown


def _anthropic(serving: Serving, name: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": "model", "id": name, "display_name": name, "created_at": _LONG_AGO}
    if name not in serving.routes:
        deployment = serving.snapshot.deployments[serving.names[name]]
        if deployment.context_tokens:
            shown["max_input_tokens"] = deployment.context_tokens
        if deployment.max_output_tokens:
            shown["max_tokens"] = deployment.max_output_tokens
    return shown
