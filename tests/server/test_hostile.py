"""Bytes nobody would send on purpose: each is answered with a 4xx or with silence, and never with a fault of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.gateway import Served, deployment, provider, question, rss_bytes
from support.provider import Provider
from support.raw import Raw, request

PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/embeddings")
CONFIG = "[server.deadlines]\nhead_s = 1.0\nbody_s = 1.0\n"
settings.register_profile("served", deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
SERVED = settings.get_profile("served")


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    config += deployment("m", "mine", model="upstream") + deployment("sonnet", "claude")
    config += deployment("vectors", "mine", facts=", embeddings = true")
    with Served(tmp_path_factory.mktemp("hostile"), config) as gateway:
        yield gateway
        assert gateway.chat("m").status == 200


def survives(gateway: Served, data: bytes) -> None:
    """Send `data` and the end of it; whatever comes back is no fault of ours."""
    with Raw(gateway.port, 10.0) as client:
        try:
            client.send(data)
            client.socket.shutdown(1)
        except OSError:
            pass  # it had heard enough
        answer = client.rest()
    for line in answer.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 "):
            assert line[9:10] in (b"2", b"4", b"1"), (data, answer)
            assert b"Traceback" not in answer


# Bodies

NAMES = st.sampled_from(
    ["model", "messages", "role", "content", "type", "text", "stream", "stream_options", "include_usage", "metadata",
     "max_tokens", "tools", "tool_calls", "input", "system", "twintrack_class", "twintrack_deadline_ms", "x"]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["m", "sonnet", "vectors", "user", "restricted", 10**30, -1, "\ud800", ""])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Nearly right requests, with something odd in them."""
    body: dict[str, Any] = draw(
        st.sampled_from(
            [
                question("m"),
                question("m", stream=True, stream_options={"include_usage": True}),
                question("sonnet", max_tokens=5, system="x"),
                {"model": "vectors", "input": ["a"]},
            ]
        )
    )
    body = body | draw(st.dictionaries(NAMES, VALUES, max_size=3))
    text = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at] + draw(st.sampled_from([b"", b"\xff", b"\x00", b'"', b"{", b"\\u00", b",", b"1e999"])) + text[at:]
        )
    return text


def check_body(gateway: Served, path: str, body: bytes) -> None:
    answer = gateway.ask(body, path)
    # 502: where the scripted provider's answer is no answer in the dialect asked for.
    assert answer.status in (200, 400, 404, 422, 502), (body, answer)
    if answer.status >= 400:
        assert answer.json()["error"]["message"]


@given(st.sampled_from(PATHS), bodies())
@settings(SERVED, max_examples=300)
def test_odd_bodies(gateway: Served, path: str, body: bytes) -> None:
    check_body(gateway, path, body)


@pytest.mark.long
@given(st.sampled_from(PATHS), bodies())
@settings(SERVED, max_examples=10_000)
def test_ten_thousand_odd_bodies(gateway: Served, path: str, body: bytes) -> None:
    check_body(gateway, path, body)


# Bytes

GOOD = [
    request("POST", PATHS[0], json.dumps(question("m")).encode()),
    request("GET", "/v1/models"),
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
]
BITS = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n",
     b"0\r\n\r\n", b"host: b\r\n", b"expect: 100-continue\r\n", b"HTTP/1.0", b"\xff\xfe", b"x" * 300,
     b"upgrade: h2c\r\n", b"ffffffff\r\n"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = b"".join(draw(st.lists(st.sampled_from(GOOD), min_size=1, max_size=3)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(BITS) + data[at + draw(st.integers(0, 6)) :]
    return data


@given(mutated())
@settings(SERVED, max_examples=300)
def test_odd_bytes(gateway: Served, data: bytes) -> None:
    survives(gateway, data)


@pytest.mark.long
@given(mutated())
@settings(SERVED, max_examples=10_000)
def test_ten_thousand_odd_bytes(gateway: Served, data: bytes) -> None:
    survives(gateway, data)


# Weights


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"' + b"m" * 15_000_000 + b'","messages":[]}',
        b'{"model":"m","messages":[],"x":' + b"[" * 15_000_000,
        b'{"model":"m","messages":[' + b'{"role":"user","content":"x"},' * 300_000 + b'{"role":"user","content":"x"}]}',
        b"{" + b",".join(b'"k%d":0' % number for number in range(500_000)) + b',"model":"nobody","messages":[]}',
    ],
    ids=["a long name", "deep", "many messages", "many members"],
)
def test_a_heavy_body_is_dealt_with_in_moments(gateway: Served, body: bytes) -> None:
    worker = gateway.children()["worker 0"]
    before = rss_bytes(worker)
    answer = gateway.ask(body)
    assert answer.status < 500
    assert gateway.get("/healthz").status == 200
    assert rss_bytes(worker) - before < 400 * 1024 * 1024


def test_a_body_of_tiny_chunks_takes_no_more_memory_than_its_bytes(gateway: Served) -> None:
    worker = gateway.children()["worker 0"]
    before = rss_bytes(worker)
    with gateway.connect() as client:
        client.send(request("POST", PATHS[0], b"", {"content-length": "", "transfer-encoding": "chunked"}))
        piece = b"2\r\n  \r\n" * 50_000
        for _ in range(20):  # a million chunks; kept each by itself they would take over 40 MB
            client.send(piece)
        assert rss_bytes(worker) - before < 24 * 1024 * 1024
        client.send(b"0\r\n\r\n")
        assert client.answer().status == 400
