"""What goes to a provider: our head, of the client's headers an allow-list, and the body."""

from __future__ import annotations

import pytest

from twintrack.catalog.providers import DialectName
from twintrack.config.snapshot import Deployment
from twintrack.providers.upstream import Address, Upstream, UpstreamCall, upstream
from twintrack.wire import chat, embeddings, messages
from twintrack.wire.dialect import Endpoint
from twintrack.wire.http1 import Headers


def ready(
    *dialects: DialectName, tls: bool = False, host: str = "llm.example", port: int = 8000, key: str | None = "sk-1"
) -> Upstream:
    deployment = Deployment(
        index=0,
        name="d",
        model="m",
        upstream_model="vendor/m",
        provider="p",
        api="p",
        dialects=dialects or ("openai",),
        tls=tls,
        host=host,
        port=port,
        base_path="/api/v1",
        key="env:KEY",
        zone="own",
        region="",
        simulated=False,
        context_tokens=0,
        max_output_tokens=0,
        modalities=("text",),
        tools=True,
        embeddings=False,
        licence="",
        quality=0.5,
        price=None,
        per_hour_nusd=0,
        energy_j_per_output_token=None,
        max_in_flight=8,
        key_headers={} if "openai" in dialects else {"anthropic": "x-api-key", "gemini": "x-goog-api-key"},
        count_tokens="anthropic" in dialects,
    )
    return upstream(deployment, key, "9.9")


def prepared(
    upstream: Upstream, endpoint: Endpoint, headers: Headers, body: bytes, *, stream: bool = False
) -> UpstreamCall:
    return upstream.prepare(upstream.straight[endpoint.name], endpoint, headers, body, stream)


def test_a_chat_request_in_full() -> None:
    call = prepared(ready(), chat.ENDPOINT, {}, b'{"model":"m"}')

    assert call.address == Address("llm.example", 8000, tls=False)
    assert call.body_bytes == 13
    assert call.data == (
        b"POST /api/v1/chat/completions HTTP/1.1\r\n"
        b"host: llm.example:8000\r\n"
        b"content-type: application/json\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: twintrack/9.9\r\n"
        b"authorization: Bearer sk-1\r\n"
        b"content-length: 13\r\n"
        b"\r\n"
        b'{"model":"m"}'
    )


def test_a_message_in_full() -> None:
    call = prepared(ready("anthropic", tls=True, port=443), messages.ENDPOINT, {}, b"{}")

    assert call.data == (
        b"POST /api/v1/messages HTTP/1.1\r\n"
        b"host: llm.example\r\n"
        b"content-type: application/json\r\n"
        b"accept-encoding: identity\r\n"
        b"user-agent: twintrack/9.9\r\n"
        b"x-api-key: sk-1\r\n"
        b"anthropic-version: 2023-06-01\r\n"
        b"content-length: 2\r\n"
        b"\r\n"
        b"{}"
    )


def test_a_server_that_speaks_both_dialects_is_asked_for_its_key_in_its_own_way() -> None:
    both = ready("openai", "anthropic")
    assert b"authorization: Bearer sk-1\r\n" in prepared(both, chat.ENDPOINT, {}, b"{}").data
    data = prepared(both, messages.ENDPOINT, {}, b"{}").data
    assert b"authorization: Bearer sk-1\r\n" in data
    assert b"x-api-key" not in data


def test_embeddings_go_to_their_own_path() -> None:
    assert prepared(ready(), embeddings.ENDPOINT, {}, b"{}").data.startswith(b"POST /api/v1/embeddings HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("host", "port", "tls", "says"),
    [
        ("llm.example", 80, False, "llm.example"),
        ("llm.example", 443, True, "llm.example"),
        ("llm.example", 443, False, "llm.example:443"),
        ("::1", 8000, False, "[::1]:8000"),
        ("::1", 443, True, "[::1]"),
    ],
)
def test_the_host_is_said_as_http_wants_it(host: str, port: int, tls: bool, says: str) -> None:
    data = prepared(ready(host=host, port=port, tls=tls), chat.ENDPOINT, {}, b"{}").data
    assert f"\r\nhost: {says}\r\n".encode() in data


def test_without_a_key_none_is_sent() -> None:
    assert b"authorization" not in prepared(ready(key=None), chat.ENDPOINT, {}, b"{}").data
    assert b"x-api-key" not in prepared(ready("anthropic", key=None), messages.ENDPOINT, {}, b"{}").data


def test_a_version_the_client_names_replaces_ours_and_travels_byte_for_byte() -> None:
    headers = {b"anthropic-version": b"2027-01-01", b"anthropic-beta": b"a-2025,  b-2026;x=1"}
    data = prepared(ready("anthropic"), messages.ENDPOINT, headers, b"{}").data
    assert data.count(b"anthropic-version") == 1
    assert b"anthropic-version: 2027-01-01\r\n" in data
    assert b"anthropic-beta: a-2025,  b-2026;x=1\r\n" in data


@pytest.mark.parametrize(
    "name",
    [
        b"authorization", b"x-api-key", b"cookie", b"x-forwarded-for", b"forwarded", b"via", b"host", b"user-agent",
        b"accept-encoding", b"content-length", b"transfer-encoding", b"connection", b"expect", b"te", b"origin",
        b"x-twintrack-class", b"traceparent", b"idempotency-key", b"anthropic-dangerous-direct-browser-access",
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_no_other_header_of_a_client_travels_on(name: bytes, dialect: DialectName) -> None:
    endpoint = chat.ENDPOINT if dialect == "openai" else messages.ENDPOINT
    assert b"secret" not in prepared(ready(dialect), endpoint, {name: b"secret"}, b"{}").data
