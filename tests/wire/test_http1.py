"""The HTTP/1.1 we accept, and each thing we refuse with the words we refuse it in."""

from __future__ import annotations

import time

import pytest

from twintrack.errors import BadRequest, ExpectationFailed, HeadTooLarge, RequestError, UpstreamError
from twintrack.wire import http1
from twintrack.wire.http1 import CHUNKED, UNTIL_CLOSE, Chunked, FramingError, RequestHead, ResponseHead


def request(*lines: str, start: str = "POST /v1/chat/completions HTTP/1.1", host: str = "Host: a") -> RequestHead:
    data = "\r\n".join([start, *([host] if host else []), *lines, "", ""]).encode("latin-1")
    return http1.request_head(data + b"what follows", len(data), max_headers=20)


def response(*lines: str, start: str = "HTTP/1.1 200 OK") -> ResponseHead:
    data = "\r\n".join([start, *lines, "", ""]).encode("latin-1")
    return http1.response_head(data + b"what follows", len(data), max_headers=20)


# Requests


def test_a_request_head_says_what_is_asked_and_how_long_the_body_is() -> None:
    head = request("Content-Type: application/json", "CONTENT-LENGTH:312", "Accept:\t */* \t")

    assert (head.method, head.target, head.length) == (b"POST", b"/v1/chat/completions", 312)
    assert head.headers == {
        b"host": b"a",
        b"content-type": b"application/json",
        b"content-length": b"312",
        b"accept": b"*/*",
    }
    assert head.modern
    assert head.keep_alive
    assert not head.expects_continue


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ((), 0),
        (("Content-Length: 0",), 0),
        (("Content-Length: 007",), 7),
        (("Content-Length: 999999999999999",), 999_999_999_999_999),
        (("Transfer-Encoding: chunked",), CHUNKED),
        (("Transfer-Encoding: Chunked",), CHUNKED),
        (("Content_Length: 5", "Transfer_Encoding: chunked"), 0),
    ],
)
def test_length_of_a_request_body(lines: tuple[str, ...], length: int) -> None:
    assert request(*lines).length == length


@pytest.mark.parametrize(
    ("start", "lines", "stays"),
    [
        ("GET / HTTP/1.1", (), True),
        ("GET / HTTP/1.1", ("Connection: keep-alive",), True),
        ("GET / HTTP/1.1", ("Connection: close",), False),
        ("GET / HTTP/1.1", ("Connection: Keep-Alive, TE ,CLOSE",), False),
        ("GET / HTTP/1.1", ("Connection: te", "connection: close"), False),
        ("GET / HTTP/1.1", ("Connection: closed, not-close, close;",), True),
        ("GET / HTTP/1.1", ("Proxy-Connection: close",), True),
        ("GET / HTTP/1.0", (), False),
        ("GET / HTTP/1.0", ("Connection: keep-alive",), False),
    ],
)
def test_when_a_client_connection_stays_open(start: str, lines: tuple[str, ...], stays: bool) -> None:
    assert request(*lines, start=start).keep_alive is stays


@pytest.mark.parametrize("host", ["a", "", "a.example:8080", "a_b:", "127.0.0.1:80", "[::1]", "[::1]:80"])
def test_hosts(host: str) -> None:
    assert request(host=f"Host: {host}").headers[b"host"] == host.encode()


def test_only_http_1_1_needs_a_host() -> None:
    assert request(start="GET / HTTP/1.0", host="").modern is False


def test_only_an_http_1_1_client_waits_for_100_continue() -> None:
    assert request("Expect: 100-Continue").expects_continue
    assert not request("Expect: 100-continue", start="POST / HTTP/1.0").expects_continue


def test_a_header_given_twice_is_joined_unless_it_must_stand_once() -> None:
    assert request("Accept: a", "ACCEPT: b").headers[b"accept"] == b"a, b"


def test_methods_and_targets_are_taken_as_they_are() -> None:
    assert request(start="CONNECTED / HTTP/1.1").method == b"CONNECTED"
    head = request(start='m-search //a/../%00?b="<>\\^`{|}#c HTTP/1.1')
    assert (head.method, head.target) == (b"m-search", b'//a/../%00?b="<>\\^`{|}#c')


REQUEST_LINE = "This is not an HTTP/1.1 request we accept: the request line is not METHOD /PATH HTTP/1.1."
HEADER_LINE = "This is not an HTTP/1.1 request we accept: a header line is malformed."
BOTH = "Content-Length and Transfer-Encoding exclude each other."
NO_NUMBER = "Content-Length is not a number of at most 15 digits."
CODING = "The only Transfer-Encoding accepted is chunked, in HTTP/1.1."
NO_HOST = "The Host header is not a host."
UPGRADE = "Upgrade is not supported. Speak plain HTTP/1.1."
EXPECT = "The only Expect understood is 100-continue."


def twice(name: str) -> str:
    return f"This is not an HTTP/1.1 request we accept: the header {name} stands twice."


@pytest.mark.parametrize(
    "start",
    [
        "",
        "GET /",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / HTTP/1.10",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /é HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET / HTTP/1.1\r",
        "GET / HTTP/1.1\nX: y",
        "\r\nGET / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GÉT / HTTP/1.1",
        " / HTTP/1.1",
        "GET  HTTP/1.1",
        "GET v1 HTTP/1.1",
        "GET http://a/ HTTP/1.1",
        "CONNECT a:443 HTTP/1.1",
        "CONNECT /v1/models HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "PRI * HTTP/2.0",
    ],
)
def test_request_lines_we_refuse(start: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        request(start=start)
    assert str(refusal.value) == REQUEST_LINE


@pytest.mark.parametrize(
    ("lines", "error", "status", "words"),
    [
        # What is no header line
        (["Accept"], BadRequest, 400, HEADER_LINE),
        ([": x"], BadRequest, 400, HEADER_LINE),
        (["Accept : x"], BadRequest, 400, HEADER_LINE),
        (["Accept\t: x"], BadRequest, 400, HEADER_LINE),
        ([" Accept: x"], BadRequest, 400, HEADER_LINE),
        (["A(b: x"], BadRequest, 400, HEADER_LINE),
        (["Äccept: x"], BadRequest, 400, HEADER_LINE),
        (["Accept: x\0"], BadRequest, 400, HEADER_LINE),
        (["Accept: x\x7f"], BadRequest, 400, HEADER_LINE),
        (["Accept: x\x0b"], BadRequest, 400, HEADER_LINE),
        (["Accept: x\rContent-Length: 5"], BadRequest, 400, HEADER_LINE),
        (["Accept: x\nContent-Length: 5"], BadRequest, 400, HEADER_LINE),
        (["Accept: x\r"], BadRequest, 400, HEADER_LINE),
        (["Accept: x", " folded"], BadRequest, 400, HEADER_LINE),
        (["Accept: x", "\tTransfer-Encoding: chunked"], BadRequest, 400, HEADER_LINE),
        # Host
        (["Host: b"], BadRequest, 400, twice("host")),
        # The length of the body
        (["Content-Length: 5", "Content-Length: 5"], BadRequest, 400, twice("content-length")),
        (["Content-Length: 5", "Content-Length: 6"], BadRequest, 400, twice("content-length")),
        (["Content-Length: 5, 5"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: +5"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: -5"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 0x5"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 5_0"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 5 0"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 5.0"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: ²"], BadRequest, 400, NO_NUMBER),
        (["Content-Length:"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 1000000000000000"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 18446744073709551621"], BadRequest, 400, NO_NUMBER),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], BadRequest, 400, BOTH),
        (["Transfer-Encoding: chunked", "Content-Length: 0"], BadRequest, 400, BOTH),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], BadRequest, 400, twice("transfer-encoding")),
        (["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], BadRequest, 400, twice("transfer-encoding")),
        (["Transfer-Encoding: gzip, chunked"], BadRequest, 400, CODING),
        (["Transfer-Encoding: chunked, identity"], BadRequest, 400, CODING),
        (["Transfer-Encoding: chunked, chunked"], BadRequest, 400, CODING),
        (["Transfer-Encoding: ,chunked"], BadRequest, 400, CODING),
        (["Transfer-Encoding: identity"], BadRequest, 400, CODING),
        (["Transfer-Encoding: xchunked"], BadRequest, 400, CODING),
        (["Transfer-Encoding: chunked;q=1"], BadRequest, 400, CODING),
        (['Transfer-Encoding: "chunked"'], BadRequest, 400, CODING),
        (["Transfer-Encoding: chun\xebed"], BadRequest, 400, CODING),
        (["Transfer-Encoding:"], BadRequest, 400, CODING),
        (["Transfer-Encoding : chunked"], BadRequest, 400, HEADER_LINE),
        (["Transfer-Encoding: \x0bchunked"], BadRequest, 400, HEADER_LINE),
        # What else must stand once
        (["Authorization: a", "Authorization: b"], BadRequest, 400, twice("authorization")),
        (["X-Api-Key: a", "X-Api-Key: b"], BadRequest, 400, twice("x-api-key")),
        (["Content-Type: a", "Content-Type: b"], BadRequest, 400, twice("content-type")),
        (["Content-Encoding: a", "Content-Encoding: b"], BadRequest, 400, twice("content-encoding")),
        (["Idempotency-Key: a", "Idempotency-Key: b"], BadRequest, 400, twice("idempotency-key")),
        (["Expect: 100-continue", "Expect: 100-continue"], BadRequest, 400, twice("expect")),
        # Other protocols
        (["Upgrade: h2c", "Connection: upgrade"], BadRequest, 400, UPGRADE),
        (["Upgrade: websocket"], BadRequest, 400, UPGRADE),
        (["Upgrade:"], BadRequest, 400, UPGRADE),
        (["Expect: 200-ok"], ExpectationFailed, 417, EXPECT),
        (["Expect:"], ExpectationFailed, 417, EXPECT),
        (["Expect: 100-continue, 200-ok"], ExpectationFailed, 417, EXPECT),
        # Size
        ([f"X-{n}: y" for n in range(20)], HeadTooLarge, 431, "The request has more than 20 header lines."),
        (["Accept: x"] * 20, HeadTooLarge, 431, "The request has more than 20 header lines."),
        (["broken"] * 20, HeadTooLarge, 431, "The request has more than 20 header lines."),
    ],
)
def test_request_headers_we_refuse(lines: list[str], error: type[RequestError], status: int, words: str) -> None:
    with pytest.raises(RequestError) as refusal:
        request(*lines)
    assert (type(refusal.value), refusal.value.status) == (error, status)
    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("start", "host", "words"),
    [
        ("GET / HTTP/1.1", "", "The Host header is missing."),
        ("GET / HTTP/1.1", "Host: a, b", NO_HOST),
        ("GET / HTTP/1.1", "Host: a b", NO_HOST),
        ("GET / HTTP/1.1", "Host: user@a", NO_HOST),
        ("GET / HTTP/1.1", "Host: a/b", NO_HOST),
        ("GET / HTTP/1.1", "Host: http://a", NO_HOST),
        ("GET / HTTP/1.1", "Host: a:b", NO_HOST),
        ("GET / HTTP/1.1", "Host: [::1", NO_HOST),
        ("GET / HTTP/1.1", "Host: ::1", NO_HOST),
        ("GET / HTTP/1.1", "Host: ä", NO_HOST),
        ("GET / HTTP/1.0", "Host: a b", NO_HOST),
        ("POST / HTTP/1.0", "Transfer-Encoding: chunked", CODING),
    ],
)
def test_hosts_and_versions_we_refuse(start: str, host: str, words: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        request(start=start, host=host)
    assert str(refusal.value) == words


def test_as_many_header_lines_as_the_limit_allows() -> None:
    assert len(request(*(f"X-{n}: y" for n in range(19))).headers) == 20
    assert len(response(*(f"X-{n}: y" for n in range(20))).headers) == 20


# Responses


@pytest.mark.parametrize(
    ("start", "lines", "length", "stays"),
    [
        ("HTTP/1.1 200 OK", ("Content-Length: 5",), 5, True),
        ("HTTP/1.1 200 OK", ("Content-Length: 0",), 0, True),
        ("HTTP/1.1 200 OK", ("Content-Length: 5", "Connection: close"), 5, False),
        ("HTTP/1.1 200 OK", ("Content-Length: 5", "Connection: keep-alive, Close"), 5, False),
        ("HTTP/1.1 200 OK", ("Transfer-Encoding: chunked",), CHUNKED, True),
        ("HTTP/1.1 200 OK", ("Transfer-Encoding: chunked", "Connection: close"), CHUNKED, False),
        ("HTTP/1.1 200 OK", (), UNTIL_CLOSE, False),
        ("HTTP/1.1 200 OK", ("Connection: keep-alive",), UNTIL_CLOSE, False),
        ("HTTP/1.0 200 OK", ("Content-Length: 5",), 5, False),
        ("HTTP/1.0 200 OK", ("Content-Length: 5", "Connection: keep-alive"), 5, False),
        ("HTTP/1.1 205 Reset Content", (), UNTIL_CLOSE, False),
        ("HTTP/1.1 204 No Content", (), 0, True),
        ("HTTP/1.1 204 No Content", ("Content-Length: 0",), 0, True),
        ("HTTP/1.1 304 Not Modified", (), 0, True),
        ("HTTP/1.1 304 Not Modified", ("Connection: close",), 0, False),
        ("HTTP/1.0 204 No Content", (), 0, False),
        ("HTTP/1.1 100 Continue", (), 0, True),
        ("HTTP/1.1 103 Early Hints", ("Content-Length: 0",), 0, True),
    ],
)
def test_length_of_a_response_and_whether_its_connection_stays_open(
    start: str, lines: tuple[str, ...], length: int, stays: bool
) -> None:
    head = response(*lines, start=start)
    assert (head.length, head.keep_alive) == (length, stays)


@pytest.mark.parametrize("start", ["HTTP/1.1 429", "HTTP/1.1 429 ", "HTTP/1.1 429 Très\tvite", "HTTP/1.0 429 Slow"])
def test_any_reason_phrase_or_none(start: str) -> None:
    assert response(start=start).status == 429


NO_ANSWER = "The provider's answer is not HTTP/1.1 we accept: "
STATUS_LINE = NO_ANSWER + "the status line is not HTTP/1.1 STATUS REASON."
OTHER_CODING = "The provider's answer has a Transfer-Encoding other than chunked."
WITH_BODY = "The provider answered {} with a body or an upgrade."


@pytest.mark.parametrize(
    ("start", "lines", "words"),
    [
        ("", [], STATUS_LINE),
        ("HTTP/1.1", [], STATUS_LINE),
        ("200 OK", [], STATUS_LINE),
        ("ICY 200 OK", [], STATUS_LINE),
        ("http/1.1 200 OK", [], STATUS_LINE),
        ("HTTP/0.9 200 OK", [], STATUS_LINE),
        ("HTTP/1.2 200 OK", [], STATUS_LINE),
        ("HTTP/2.0 200 OK", [], STATUS_LINE),
        (" HTTP/1.1 200 OK", [], STATUS_LINE),
        ("HTTP/1.1  200 OK", [], STATUS_LINE),
        ("HTTP/1.1\t200 OK", [], STATUS_LINE),
        ("HTTP/1.1 200\tOK", [], STATUS_LINE),
        ("HTTP/1.1 20 OK", [], STATUS_LINE),
        ("HTTP/1.1 2000 OK", [], STATUS_LINE),
        ("HTTP/1.1 +20 OK", [], STATUS_LINE),
        ("HTTP/1.1 099 OK", [], STATUS_LINE),
        ("HTTP/1.1 600 OK", [], STATUS_LINE),
        ("HTTP/1.1 200 O\0K", [], STATUS_LINE),
        ("HTTP/1.1 200 OK\r", [], STATUS_LINE),
        ("HTTP/1.1 200 OK\nX: y", [], STATUS_LINE),
        ("\r\nHTTP/1.1 200 OK", [], STATUS_LINE),
        ("HTTP/1.1 200 OK", ["X : y"], NO_ANSWER + "a header line is malformed."),
        ("HTTP/1.1 200 OK", ["X: y", " z"], NO_ANSWER + "a header line is malformed."),
        ("HTTP/1.1 200 OK", ["X: y\nSet-Cookie: z"], NO_ANSWER + "a header line is malformed."),
        ("HTTP/1.1 200 OK", ["X: y\rSet-Cookie: z"], NO_ANSWER + "a header line is malformed."),
        ("HTTP/1.1 200 OK", ["X: \x0b"], NO_ANSWER + "a header line is malformed."),
        ("HTTP/1.1 200 OK", ["Content-Length: 5"] * 2, NO_ANSWER + "the header content-length stands twice."),
        ("HTTP/1.1 302 Found", ["Location: /"] * 2, NO_ANSWER + "the header location stands twice."),
        ("HTTP/1.1 200 OK", ["Content-Length: 5, 5"], NO_NUMBER),
        ("HTTP/1.1 200 OK", ["Content-Length: -1"], NO_NUMBER),
        ("HTTP/1.1 200 OK", ["Content-Length: -2"], NO_NUMBER),
        ("HTTP/1.1 204 No Content", ["Content-Length: x"], NO_NUMBER),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: gzip, chunked"], OTHER_CODING),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: chunked, identity"], OTHER_CODING),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: identity"], OTHER_CODING),
        ("HTTP/1.0 200 OK", ["Transfer-Encoding: chunked"], OTHER_CODING),
        (
            "HTTP/1.1 200 OK",
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            "The provider's answer has both Content-Length and Transfer-Encoding.",
        ),
        ("HTTP/1.1 100 Continue", ["Content-Length: 5"], WITH_BODY.format(100)),
        ("HTTP/1.1 103 Early Hints", ["Transfer-Encoding: chunked"], WITH_BODY.format(103)),
        ("HTTP/1.1 101 Switching Protocols", [], WITH_BODY.format(101)),
        ("HTTP/1.1 204 No Content", ["Content-Length: 5"], WITH_BODY.format(204)),
        ("HTTP/1.1 204 No Content", ["Transfer-Encoding: chunked"], WITH_BODY.format(204)),
        ("HTTP/1.1 304 Not Modified", ["Content-Length: 5"], WITH_BODY.format(304)),
        ("HTTP/1.1 200 OK", ["X: y"] * 21, "The provider's answer has more than 20 header lines."),
    ],
)
def test_answers_of_providers_we_refuse(start: str, lines: list[str], words: str) -> None:
    with pytest.raises(UpstreamError) as refusal:
        response(*lines, start=start)
    assert refusal.value.status == 502
    assert str(refusal.value) == words


# Chunked bodies


def decoded(*pieces: bytes) -> tuple[bytes, bool, bytes]:
    """Data found, whether the body is complete, and what follows it."""
    body, chunked = b"", Chunked()
    for piece in pieces:
        body += b"".join(chunked.feed(piece))
    return body, chunked.done, chunked.rest


@pytest.mark.parametrize(
    ("body", "data", "rest"),
    [
        (b"0\r\n\r\n", b"", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
        (b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1", b"hello", b"GET / HTTP/1.1"),
        (b"00000005\r\nhello\r\n1\r\n!\r\n00000000\r\n\r\n\r\n", b"hello!", b"\r\n"),
        (b"a\r\n0123456789\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"01234567890\r\n\r\n0\r\n\r\n", b""),
    ],
)
def test_a_chunked_body_however_it_is_cut(body: bytes, data: bytes, rest: bytes) -> None:
    assert decoded(body) == (data, True, rest)
    for cut in range(len(body) - len(rest)):
        assert decoded(body[:cut], body[cut:]) == (data, True, rest)
        assert decoded(body[:cut])[1:] == (False, b"")
    body = body[: len(body) - len(rest)]
    assert decoded(*(body[at : at + 1] for at in range(len(body)))) == (data, True, b"")


def test_data_of_a_chunk_is_handed_on_before_the_chunk_is_complete() -> None:
    chunked = Chunked()
    assert chunked.feed(b"FFFFFFFF\r\nfirst") == [b"first"]
    assert chunked.feed(b"second") == [b"second"]


SIZE = "a chunk's size line is malformed or has an extension"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\r\n", SIZE),
        (b"\n", SIZE),
        (b"g\r\n", SIZE),
        (b"0x5\r\n", SIZE),
        (b"+5\r\n", SIZE),
        (b"-5\r\n", SIZE),
        (b" 5\r\n", SIZE),
        (b"5 \r\n", SIZE),
        (b"5_0\r\n", SIZE),
        (b"5;\r\n", SIZE),
        (b"5;name=value\r\n", SIZE),
        (b"5\n", SIZE),
        (b"5\rx", SIZE),
        (b"00000005\rx", SIZE),
        (b"5\r\r\n", SIZE),
        (b"5\0\r\n", SIZE),
        (b"\xb25\r\n", SIZE),
        (b"000000005\r\n", SIZE),
        (b"100000005\r\n", SIZE),
        (b"10000000000000005\r\n", SIZE),
        (b"5\r\nhello\n0\r\n\r\n", "a chunk is longer than its size"),
        (b"5\r\nhello\rx", "a chunk is longer than its size"),
        (b"5\r\nhello!\r\n", "a chunk is longer than its size"),
        (b"5\r\nhello0\r\n\r\n", "a chunk is longer than its size"),
        (b"5\r\nhell\r\n0\r\n\r\n", "a chunk is longer than its size"),
        (b"0\r\nX: y\r\n\r\n", "trailers are not accepted"),
        (b"0\r\n\n", "trailers are not accepted"),
        (b"0\r\n\rx", "trailers are not accepted"),
        (b"0\r\n0\r\n\r\n", "trailers are not accepted"),
    ],
)
def test_chunked_bodies_we_refuse_however_they_are_cut(body: bytes, words: str) -> None:
    for pieces in ((body,), [body[at : at + 1] for at in range(len(body))]):
        with pytest.raises(FramingError) as refusal:
            decoded(*pieces)
        assert str(refusal.value) == words


def test_a_complete_body_takes_no_more() -> None:
    chunked = Chunked()
    chunked.feed(b"0\r\n\r\n")
    with pytest.raises(FramingError):
        chunked.feed(b"5\r\nhello\r\n")


# What a stranger can cost us


def test_a_line_of_blanks_takes_no_longer_than_its_length() -> None:
    began = time.process_time()
    for line in (" " * 60_000 + "\0", "\t" * 60_000 + "x\0", "x" + " " * 60_000 + "\0"):
        with pytest.raises(BadRequest):
            request(f"Accept:{line}")
        with pytest.raises(UpstreamError):
            response(f"Accept:{line}")
    assert time.process_time() - began < 0.5


def test_the_memo_of_lines_is_bounded() -> None:
    memos = [memo for memo in vars(http1).values() if hasattr(memo, "cache_info")]
    assert len(memos) == 3
    for number in range(5000):
        request(f"X-Request-Id: {number}", start=f"GET /{number} HTTP/1.1")
        response(f"X-Request-Id: {number}", start=f"HTTP/1.1 200 {number}")
    lines = sum(memo.cache_info().currsize for memo in memos)
    assert lines == sum(memo.cache_info().maxsize for memo in memos) <= 6000

    # A line of a long head is not kept, so each entry stays short.
    before = [memo.cache_info() for memo in memos]
    request("X: " + "y" * 3000, start="GET /not-kept HTTP/1.1")
    response("X: " + "y" * 3000, start="HTTP/1.1 200 Not kept")
    assert [memo.cache_info() for memo in memos] == before


@pytest.mark.parametrize("padding", ["", "y" * 3000])
def test_a_known_line_means_what_it_meant_when_it_was_new(padding: str) -> None:
    lines = ("accept: A", "Accept:  B\t", "Content-Length: 5", f"X: {padding}")
    first = request(*lines)
    first.headers[b"accept"] = b"changed by whoever got it"
    again = request(*lines)
    assert again.headers == {b"host": b"a", b"accept": b"A, B", b"content-length": b"5", b"x": padding.encode()}
    for _ in range(2):
        with pytest.raises(BadRequest):
            request("Accept : A", f"X: {padding}")


# Answers


def test_a_status_line_is_written_with_its_reason_if_it_has_one() -> None:
    assert http1.status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert http1.status_line(599) == b"HTTP/1.1 599 \r\n"
