"""What becomes of a feature on its way from a client to a provider, found out by sending it there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pairs.features import Feature
from pairs.golden import (
    CLIENTS,
    DIALECTS,
    PAIRS,
    client_side,
    compact,
    crossing,
    means,
    normal,
    said_by_client,
)

from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Request, Target
from twintrack.wire.dialect import decode
from twintrack.wire.endpoints import BY_NAME
from twintrack.wire.passage import Straight
from twintrack.wire.translators import upstream_path

YES, REWORDED, LEFT_OUT, REFUSED = "yes", "reworded", "left out", "refused"
UNSAID, BY_MODEL = "–", "by model"
STRAIGHT = "straight"
COLUMNS = (STRAIGHT, *(f"{client} → {provider}" for client, provider in PAIRS))


def outcomes(feature: Feature) -> dict[str, dict[str, str]]:
    """By column and model; of the straight way by client instead. Empty: no client can say it."""
    bodies = {client: said_by_client(feature, client) for client in CLIENTS}
    found: dict[str, dict[str, str]] = {
        STRAIGHT: {client: _straight(client, body) for client, body in bodies.items() if body is not None}
    }
    for client, provider in PAIRS:
        body = bodies[client]
        found[f"{client} → {provider}"] = (
            {}
            if body is None
            else {
                target.model: _outcome(feature, body, client, provider, target) for target in DIALECTS[provider].targets
            }
        )
    return found


def _straight(client: str, body: Mapping[str, Any]) -> str:
    data = compact(body)
    endpoint = BY_NAME[client]
    sent = json.loads(Straight(endpoint).body(decode(endpoint, data), data, Target("other-model")))
    return YES if all(sent.get(name) == value for name, value in body.items() if name != "model") else LEFT_OUT


def _outcome(feature: Feature, body: Mapping[str, Any], client: str, provider: str, target: Target) -> str:
    sent = crossing(body, client, provider, target).body
    if sent is None:
        return REFUSED
    side = DIALECTS[provider].client
    if side is not None and means(side, sent) == normal(feature.request):
        return YES
    bare = normal(feature.without)
    asked = means(client_side(client), body)
    if bare == asked:  # saying nothing says it
        return YES
    if _write(asked, provider, target) == _write(bare, provider, target):
        return LEFT_OUT
    return REWORDED if side is not None else YES


def _write(request: Request, provider: str, target: Target) -> tuple[str, Any]:
    """Path and body: Gemini is told in its path whether to stream."""
    path = upstream_path(DIALECTS[provider].endpoint)(target.model, request.stream)
    return path, json.loads(DIALECTS[provider].provider.write_request(request, target, Losses()))


def cell(found: Mapping[str, str]) -> str:
    words = set(found.values())
    return UNSAID if not words else words.pop() if len(words) == 1 else BY_MODEL
