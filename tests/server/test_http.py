"""What is wrong with a request is said in its dialect, with a 4xx, and no bytes of it take anything down."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import Answer, Raw, request
from support.waiting import eventually
from twintrack.providers.scripted import chat_events, message_answer, stream

CHAT, MESSAGES, EMBEDDINGS = "/v1/chat/completions", "/v1/messages", "/v1/embeddings"
BODY = json.dumps(question("m")).encode()
CONFIG = """
[server.deadlines]
head_s = 0.8
body_s = 0.8
idle_s = 1.2
[server.limits]
max_body_bytes = 50_000
max_connections = 60
"""


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    config += (
        deployment("m", "mine")
        + deployment("renamed", "mine", model="other")
        + deployment("vectors", "mine", facts=", embeddings = true")
    )
    config += deployment("sonnet", "claude") + route("support-bot", "m")
    claude.default = message_answer("hello")
    with Served(tmp_path_factory.mktemp("http"), config) as gateway:
        yield gateway
        # Whatever came before, it still answers, and it took none of it for its own fault.
        assert gateway.chat("m").status == 200
        refused = gateway.get("/metrics").body.decode()
        assert 'code="internal_error"' not in refused


@pytest.fixture(autouse=True)
def nothing_goes_on(request: pytest.FixtureRequest, mine: Provider) -> Iterator[None]:
    """Nobody upstream hears of a request that is refused here."""
    before = mine.requests
    yield
    if "reaches" not in request.node.name:
        assert mine.requests == before


def sent(gateway: Served, data: bytes) -> Answer:
    with gateway.connect() as client:
        client.send(data)
        return client.answer()


def said(answer: Answer) -> str:
    message: str = answer.json()["error"]["message"]
    return message


# Bodies


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "The body is not JSON: it ends too early, at byte 0."),
        (b"{", "The body is not JSON: it ends too early, at byte 1."),
        (b'{"model":"m","messages":[}', "The body is not JSON: invalid character (byte 25)."),
        (b"model=m", "The body is not JSON: invalid character (byte 0)."),
        (b'{"model":"m","messages":[]}{}', "The body is not JSON: trailing characters (byte 28)."),
        (b'{"model":"\xff","messages":[]}', "The body is not UTF-8: byte 10 begins no character."),
        (b'{"model":"\\ud800","messages":[]}', "The body is not JSON: "),
        (b'{"model":"m","messages":[],"x":' + b"[" * 9_000, "The body is nested too deeply."),
        (b'{"model":"m","messages":' + b'[{"a":' * 5_000, "The body is nested too deeply."),
        (b"[]", "$: Expected `object`, got `array`."),
        (b"null", "$: Expected `object`, got `null`."),
        (b'{"messages":[]}', "$: Object missing required field `model`."),
        (b'{"model":5,"messages":[]}', "$.model: Expected `str`, got `int`."),
        (
            b'{"model":"m","messages":[{"role":"user","content":{}}]}',
            "$.messages[0].content: Expected `str | array | null`",
        ),
        (b'{"model":"m","messages":[],"max_tokens":1e999}', "$.max_tokens: Number out of range."),
        (b'{"model":"m","messages":[],"max_tokens":' + b"9" * 40 + b"}", "$.max_tokens: Expected `int` <="),
        (b'{"model":"m","messages":[],"api_base":"http://x"}', "$.api_base is not accepted: "),
        (b'{"model":"m","messages":[],"base_url":null}', "$.base_url is not accepted: "),
        (b'{"model":"m","messages":[],"api_key":"k"}', "$.api_key is not accepted: "),
        (b'{"mod\\u0065l":"renamed","messages":[],"\xff":1}', "The name of a member is no text."),
        (b'{"model":"mm","messages":[]}', "There is no model 'mm'. Did you mean m?"),
        (b'{"model":"suport-bot","messages":[]}', "There is no model 'suport-bot'. Did you mean support-bot?"),
        (b'{"model":"zzzzzz","messages":[]}', "There is no model 'zzzzzz'. GET /v1/models lists all."),
        (b'{"model":"' + b"m" * 40_000 + b'","messages":[]}', "There is no model 'mmm"),
        (b'{"model":"m\\u0000\\r\\nx: y","messages":[]}', "There is no model 'm\\x00\\r\\nx: y'"),
        (b'{"model":"","messages":[]}', "There is no model ''."),
    ],
    ids=lambda value: repr(value[:36]) if isinstance(value, bytes) else "",
)
def test_a_wrong_body_of_a_chat(gateway: Served, body: bytes, says: str) -> None:
    answer = sent(gateway, request("POST", CHAT, body))
    assert answer.status == (404 if "There is no model" in says else 400)
    assert said(answer).startswith(says)
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["code"] == ("model_not_found" if answer.status == 404 else "bad_request")
    assert answer.headers["content-type"] == "application/json"
    assert answer.id


def test_the_path_of_what_is_wrong_stands_in_param(gateway: Served) -> None:
    for body, param in [
        (b'{"model":"m","messages":[{"role":5}]}', "$.messages[0].role"),
        (b'{"model":"m","messages":[],"api_key":"k"}', "$.api_key"),
        (b'{"model":"nobody","messages":[]}', "$.model"),
    ]:
        assert sent(gateway, request("POST", CHAT, body)).json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"{", "invalid_request_error", "The body is not JSON: "),
        (
            b'{"model":"sonnet","messages":[]}',
            "invalid_request_error",
            "$: Object missing required field `max_tokens`.",
        ),
        (b'{"model":"sonet","messages":[],"max_tokens":1}', "not_found_error", "There is no model 'sonet'."),
        (b'{"model":"sonnet","messages":[],"max_tokens":1,"api_key":1}', "invalid_request_error", "$.api_key is not"),
        (b'{"model":"m","messages":[],"max_tokens":1}', "invalid_request_error", "$.messages: at least one message"),
    ],
)
def test_a_wrong_message_is_refused_in_anthropics_shape(gateway: Served, body: bytes, kind: str, says: str) -> None:
    answer = sent(gateway, request("POST", MESSAGES, body))
    assert 400 <= answer.status < 500
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == kind
    assert said(answer).startswith(says)
    assert answer.json()["request_id"] == answer.id


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"vectors"}',
        b'{"model":"vectors","input":5}',
        b'{"model":"vectors","input":"x","stream":true}',
        b'{"model":"m","input":"x"}',
    ],
)
def test_a_wrong_embedding_is_refused(gateway: Served, body: bytes) -> None:
    assert 400 <= sent(gateway, request("POST", EMBEDDINGS, body)).status < 500


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"x-twintrack-class": "top-secret"}, "Data class 'top-secret' is unknown."),
        ({"x-twintrack-deadline-ms": "-1"}, "'-1' is not a positive number."),
        ({"x-twintrack-max-cost-usd": "free"}, "'free' is not a positive number."),
        ({"x-twintrack-stakes": "extreme"}, "Stakes 'extreme' are unknown."),
        ({"x-twintrack-max-cost-usd": "\u00bd"}, "'\u00bd' is not a positive number."),
    ],
)
def test_a_wrong_label(gateway: Served, headers: dict[str, str], says: str) -> None:
    answer = sent(gateway, request("POST", CHAT, BODY, headers))
    assert answer.status == 400
    assert said(answer).startswith(says)


# Sizes


def test_a_body_that_declares_too_much_is_refused_before_it_comes(gateway: Served) -> None:
    with gateway.connect() as client:
        client.send(request("POST", CHAT, b"", {"content-length": "50001"}))
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert said(answer) == "The body has 50001 bytes or more, the limit is 50000."
        assert client.closed()
    assert sent(gateway, request("POST", MESSAGES, b"", {"content-length": "99999999"})).json()["error"]["type"] == (
        "request_too_large"
    )


def test_a_client_that_sends_a_large_body_first_still_reads_why_it_was_refused(gateway: Served) -> None:
    """Closing at once would reset the connection, and the answer would be lost with it."""
    with gateway.connect() as client:
        client.send(request("POST", CHAT, b" " * 8_000_000))  # raises if the other side resets
        answer = client.answer()
        assert answer.status == 413
        assert client.rest() == b""


def test_a_chunked_body_is_counted_while_it_comes(gateway: Served) -> None:
    with gateway.connect() as client:
        client.send(request("POST", CHAT, b"", {"content-length": "", "transfer-encoding": "chunked"}))
        for _ in range(60):
            client.send(b"400\r\n" + b" " * 1024 + b"\r\n")
        assert client.answer().status == 413


def test_a_body_of_the_greatest_size_reaches_the_provider(gateway: Served, mine: Provider) -> None:
    body = BODY + b" " * (50_000 - len(BODY))
    assert sent(gateway, request("POST", CHAT, body)).status == 200
    assert mine.received[-1].body == body


def test_a_body_in_many_tiny_chunks_reaches_the_provider(gateway: Served, mine: Provider) -> None:
    with gateway.connect() as client:
        head = {"content-length": "", "transfer-encoding": "chunked"}
        client.send(request("POST", CHAT, b"", head), *[b"1\r\n%c\r\n" % byte for byte in BODY], b"0\r\n\r\n")
        assert client.answer().status == 200
    assert mine.received[-1].body == BODY


@pytest.mark.parametrize(
    "head",
    [
        b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost: a\r\n" + b"x: 1\r\n" * 80 + b"\r\n",
        b"POST " + CHAT.encode() + b" HTTP/1.1\r\nhost: a\r\nx: " + b"1" * 17_000,
        b"POST /" + b"a" * 17_000,
    ],
    ids=["many lines", "a long line", "a long target"],
)
def test_a_head_that_is_too_large(gateway: Served, head: bytes) -> None:
    answer = sent(gateway, head)
    assert answer.status == 431
    assert answer.json()["error"]["code"] == "header_fields_too_large"


# Framing


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nhost: a\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\n folded: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n",
        b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
        request("POST", CHAT, b"xyz\r\n", {"content-length": "", "transfer-encoding": "chunked"}),
        request("POST", CHAT, b"1;a=b\r\nx\r\n0\r\n\r\n", {"content-length": "", "transfer-encoding": "chunked"}),
        request("POST", CHAT, b"1\r\nxy\r\n", {"content-length": "", "transfer-encoding": "chunked"}),
        request("POST", CHAT, b"0\r\nx: y\r\n\r\n", {"content-length": "", "transfer-encoding": "chunked"}),
    ],
    ids=lambda data: repr(data[:60]),
)
def test_what_is_not_the_http_we_accept_is_refused_and_ends_the_connection(gateway: Served, data: bytes) -> None:
    with gateway.connect() as client:
        client.send(data, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert client.rest() == b""


def test_an_expectation_is_met_or_refused_and_reaches_the_provider_once(gateway: Served, mine: Provider) -> None:
    head = request("POST", CHAT, BODY, {"expect": "100-continue"})[: -len(BODY)]
    before = mine.requests
    with gateway.connect() as client:
        client.send(head)
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(BODY)
        assert client.answer().status == 200
        client.send(head, BODY)  # who does not wait gets no invitation
        assert client.answer().status == 200
    assert mine.requests == before + 2
    assert sent(gateway, request("POST", CHAT, BODY, {"expect": "200-ok"})).status == 417
    assert (
        sent(gateway, request("POST", CHAT, b"", {"expect": "100-continue", "content-length": "60000"})).status == 413
    )


# Methods, paths, types


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", CHAT, 405, "POST"),
        ("PUT", MESSAGES, 405, "POST"),
        ("DELETE", EMBEDDINGS, 405, "POST"),
        ("OPTIONS", CHAT, 405, "POST"),
        ("POST", "/v1/models", 405, "GET"),
        ("POST", "/healthz", 405, "GET"),
    ],
)
def test_a_wrong_method(gateway: Served, method: str, path: str, status: int, allow: str) -> None:
    answer = sent(gateway, request(method, path))
    assert (answer.status, answer.headers["allow"]) == (status, allow)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/chat/completion", "There is nothing at /v1/chat/completion. Did you mean /v1/chat/completions?"),
        ("/chat/completions", "There is nothing at /chat/completions. Did you mean /v1/chat/completions?"),
        ("/v1/message", "There is nothing at /v1/message. Did you mean /v1/messages?"),
        ("/v1/messages/count_token", "There is nothing at /v1/messages/count_token. Did you mean"),
        ("/v1/Chat/Completions", "There is nothing at /v1/Chat/Completions."),
        ("/v1/chat/completions/", "There is nothing at /v1/chat/completions/. Did you mean"),
        ("/..%2f..%2fetc/passwd", "There is nothing at /..%2f..%2fetc/passwd."),
        ("/" + "x" * 10_000, "There is nothing at /xxx"),
    ],
)
def test_an_unknown_path_names_the_nearest(gateway: Served, path: str, says: str) -> None:
    answer = sent(gateway, request("POST", path, b"{}"))
    assert answer.status == 404
    assert said(answer).startswith(says)


def test_a_query_does_not_hide_a_path_and_reaches_the_provider_without_it(gateway: Served, claude: Provider) -> None:
    asked = json.dumps(question("sonnet", max_tokens=5)).encode()
    assert sent(gateway, request("POST", MESSAGES + "?beta=true", asked)).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-encoding": "br, gzip"}, 415),
    ],
)
def test_a_body_of_another_type_or_compressed(gateway: Served, headers: dict[str, str], status: int) -> None:
    answer = sent(gateway, request("POST", CHAT, BODY, headers))
    assert answer.status == status
    assert answer.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("kind", ["", "application/json; charset=utf-8", "Application/JSON"])
def test_json_by_any_name_reaches_the_provider(gateway: Served, kind: str) -> None:
    assert (
        sent(gateway, request("POST", CHAT, BODY, {"content-type": kind, "content-encoding": "identity"})).status == 200
    )


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/v1/models/m", "/metrics", "/nowhere", CHAT])
def test_head_gets_the_head_of_what_get_gets(gateway: Served, path: str) -> None:
    """A body behind it would be taken for the start of the next answer."""
    with gateway.connect() as client:
        client.send(request("HEAD", path), b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = client.answer(method="HEAD")
        assert answer.status == {"/nowhere": 404, CHAT: 405}.get(path, 200)
        if answer.headers.get("connection") != "close":
            assert client.answer().body == b"ok\n"


# Time


def test_a_client_that_says_nothing_is_let_go(gateway: Served) -> None:
    with gateway.connect() as client:
        assert client.closed(20.0)


@pytest.mark.parametrize(
    "start",
    [b"POST /v1/chat", request("POST", MESSAGES, b"", {"content-length": "10"}), request("POST", CHAT, BODY)[:-1]],
    ids=["head", "body", "last byte"],
)
def test_a_request_that_comes_too_slowly_is_given_up(gateway: Served, start: bytes) -> None:
    began = time.monotonic()
    with gateway.connect() as client:
        client.send(start)
        answer = client.answer()
        assert answer.status == 408
        assert time.monotonic() - began > 0.6
        assert (answer.json().get("type") == "error") == (MESSAGES.encode() in start)
        assert client.rest() == b""


@pytest.mark.parametrize("start", [b"", request("POST", CHAT, b"", {"content-length": "500"})], ids=["head", "body"])
def test_a_byte_now_and_then_does_not_buy_time(gateway: Served, start: bytes) -> None:
    with gateway.connect() as client:
        client.send(start)
        data = b"POST / HTTP/1.1\r\nx: " + b"y" * 1_000
        for byte in data:
            client.send(bytes([byte]))
            client.socket.settimeout(0.1)
            try:
                if client._more():
                    break
            except TimeoutError:
                continue
        else:
            pytest.fail("it was let send for a hundred seconds")
        client.socket.settimeout(20)
        assert client.answer().status == 408


def test_a_kept_alive_connection_is_let_go_when_idle(gateway: Served) -> None:
    with gateway.connect() as client:
        client.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert client.answer().status == 200
        began = time.monotonic()
        assert client.closed(20.0)
        assert time.monotonic() - began > 0.9


# Connections


def test_requests_that_come_ahead_of_their_turn_are_answered_in_order(gateway: Served) -> None:
    with gateway.connect() as client:
        paths = ["/healthz", "/nowhere", "/v1/models", "/readyz"] * 20
        client.send(*[request("GET", path, headers={"content-length": "", "content-type": ""}) for path in paths])
        assert [client.answer().status for _ in paths] == [200, 404, 200, 200] * 20


def test_too_much_ahead_waits_its_turn_and_all_reaches_the_provider(gateway: Served, mine: Provider) -> None:
    before = mine.requests
    with gateway.connect() as client:
        large = BODY + b" " * 20_000
        for _ in range(12):
            client.send(request("POST", CHAT, large))
        assert [client.answer().status for _ in range(12)] == [200] * 12
    assert mine.requests == before + 12


def test_a_refused_request_keeps_the_connection_where_its_end_is_known(gateway: Served) -> None:
    with gateway.connect() as client:
        for _ in range(3):
            client.send(request("POST", CHAT, b'{"model":5,"messages":[]}'))
            answer = client.answer()
            assert (answer.status, answer.headers.get("connection")) == (400, None)


def test_who_asks_to_close_is_closed(gateway: Served) -> None:
    for data in (
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
    ):
        with gateway.connect() as client:
            client.send(data)
            assert client.answer().headers["connection"] == "close"
            assert client.rest() == b""


def test_connections_have_a_limit(mine: Provider, tmp_path: Path) -> None:
    config = "[server.limits]\nmax_connections = 60\n" + provider("mine", mine.url) + deployment("m", "mine")
    with Served(tmp_path, config) as gateway:
        _has_a_limit(gateway)


def _has_a_limit(gateway: Served) -> None:
    clients = [Raw(gateway.port) for _ in range(75)]
    try:
        # The first sixty are kept, whoever comes then is let go at once.
        eventually(lambda: sum(_is_closed(client) for client in clients) >= 15)
        assert not any(_is_closed(client) for client in clients[:60])
    finally:
        for client in clients:
            client.socket.close()
    eventually(lambda: gateway.get("/healthz").status == 200)


def _is_closed(client: Raw) -> bool:
    client.socket.setblocking(False)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_stream_in_a_dialect_has_its_own_errors_and_reaches_nobody_else(gateway: Served, mine: Provider) -> None:
    mine.scripts["m"] = stream(chat_events(["one"], None, done=False), end="reset")
    asked: dict[str, Any] = question("m", stream=True)
    answer = gateway.ask(asked)
    assert not answer.complete
    assert b'data: {"error":{"message":"' in answer.body
    del mine.scripts["m"]
