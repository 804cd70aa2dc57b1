"""Our description of ourselves is true, and whatever it describes we answer without a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from support.gateway import Served, deployment, provider, route
from support.provider import Provider, named
from twintrack.providers.scripted import (
    Received,
    Script,
    chat_answer,
    chat_events,
    message_answer,
    message_events,
    stream,
)
from twintrack.server.openapi import document
from twintrack.wire.endpoints import ENDPOINTS

DOCUMENT: dict[str, Any] = json.loads(document())
schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    config += deployment("m", "mine") + deployment("vectors", "mine", facts=", embeddings = true")
    config += deployment("sonnet", "claude") + route("auto", "m") + route("messages", "sonnet")

    def chat(received: Received) -> Script:
        if named(received) == "vectors":
            return Script(pieces=(b'{"data":[],"usage":{"prompt_tokens":1}}',))
        streamed = json.loads(received.body).get("stream")
        return stream(chat_events(["x"])) if streamed else chat_answer("x")

    def message(received: Received) -> Script:
        return stream(message_events(["x"])) if json.loads(received.body).get("stream") else message_answer("x")

    mine.default, claude.default = chat, message
    with Served(tmp_path_factory.mktemp("openapi"), config) as gateway:
        yield gateway


def test_it_lists_every_endpoint_with_its_errors() -> None:
    assert {endpoint.path for endpoint in ENDPOINTS} < DOCUMENT["paths"].keys()
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][endpoint.path]["post"]
        assert {"200", "400", "401", "404", "413", "415", "422", "502", "503", "504"} <= operation["responses"].keys()
        assert operation["requestBody"]["required"]


def test_every_reference_in_it_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    for name in text.split('"#/components/schemas/')[1:]:
        assert name.partition('"')[0] in DOCUMENT["components"]["schemas"]


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key"])
def test_what_we_refuse_is_described_as_refused(name: str) -> None:
    for each in ("ChatRequest", "MessagesRequest", "EmbeddingsRequest"):
        assert DOCUMENT["components"]["schemas"][each]["properties"][name]["not"] == {}


NAMES = {"/v1/chat/completions": "auto", "/v1/messages": "messages", "/v1/embeddings": "vectors"}


@schema.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_nothing_that_fits_the_description_is_our_fault(case: schemathesis.Case, gateway: Served) -> None:
    if isinstance(case.body, dict) and case.path in NAMES:
        case.body["model"] = NAMES[case.path]  # else nearly all would end at "no such model"
    response = case.call(base_url=gateway.url, timeout=10)
    assert response.status_code < 500, response.text
    operation = DOCUMENT["paths"][case.path].get(case.method.lower())
    assert str(response.status_code) in (operation["responses"] if operation else ("200", "405"))
    if response.status_code >= 400 and case.method != "HEAD":
        assert response.json()["error"]["message"]
