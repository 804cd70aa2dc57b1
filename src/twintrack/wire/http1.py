"""HTTP/1.1 framing without I/O: a strict subset, the same on both sides of the gateway.

Three regular expressions hold the grammar of a head (RFC 9112 §2–6), so anything unusual is refused rather than
understood in some second way: obsolete folding, bare line feeds, spaces around names, absolute targets, CONNECT, any
`Transfer-Encoding` but `chunked`, a length given twice, chunk extensions, trailers. What is accepted here frames
exactly as h11 frames it (`tests/wire/test_http1_differential.py`).

Clients and providers repeat most of their lines from message to message, so lines are parsed through a small memo:
a known one costs a tenth of a microsecond instead of half of one. Only short heads go through it, so strangers cannot
fill it with more than some 20 MB.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from twintrack.errors import BadRequest, ExpectationFailed, HeadTooLarge, UpstreamError

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(?!CONNECT )(" + _TOKEN + rb") (/[\x21-\x7e]*) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*+([\t\x20-\x7e\x80-\xff]*)")
_HOST = re.compile(rb"[0-9A-Za-z._~\-]*(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")

CHUNKED = -1
UNTIL_CLOSE = -2
_LONGEST_KNOWN = 2048
"""Lines of longer heads are parsed anew each time."""
_LONGEST_SIZE_LINE = 10
_NEVER_A_SIZE = b"\0"
_HEX = re.compile(rb"[0-9A-Fa-f]+")
_ONCE = frozenset(
    b"host content-length transfer-encoding content-type content-encoding authorization x-api-key expect upgrade "
    b"idempotency-key location".split()
)
"""Headers that mean something to us and must not stand twice; others are joined by a comma (RFC 9110 §5.3)."""

Headers = dict[bytes, bytes]
"""Names in lower case, values without surrounding blanks."""


class RequestHead:
    __slots__ = ("expects_continue", "headers", "keep_alive", "length", "method", "modern", "target")

    def __init__(
        self, method: bytes, target: bytes, headers: Headers, length: int, keep_alive: bool, modern: bool, expects: bool
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.length = length
        """Bytes of the body, or CHUNKED."""
        self.keep_alive = keep_alive
        self.modern = modern
        """HTTP/1.1; an HTTP/1.0 client gets no chunked answer."""
        self.expects_continue = expects


class ResponseHead:
    __slots__ = ("headers", "keep_alive", "length", "status")

    def __init__(self, status: int, headers: Headers, length: int, keep_alive: bool) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        """Bytes of the body, CHUNKED or UNTIL_CLOSE."""
        self.keep_alive = keep_alive


class FramingError(ValueError):
    """Bytes that are not the HTTP we accept; the message says which rule they broke."""

    def __init__(self, why: str, before: list[bytes] | None = None) -> None:
        super().__init__(why)
        self.before = before or []
        """Data of the body that stood before the fault in the same bytes."""


def request_head(data: bytes, end: int, max_headers: int) -> RequestHead:
    """Parse a head that stands in `data[:end]`, where `end` follows its blank line.

    Raises:
        BadRequest, ExpectationFailed, HeadTooLarge: what we refuse, with the rule.
    """
    lines = data[: end - 4].split(b"\r\n")
    if len(lines) > max_headers + 1:
        raise HeadTooLarge(f"The request has more than {max_headers} header lines")
    try:
        if end <= _LONGEST_KNOWN:
            method, target, modern = _request_line(lines[0])
            headers = _headers(lines, _field)
        else:
            method, target, modern = _request_line.__wrapped__(lines[0])
            headers = _headers(lines, _field.__wrapped__)
    except FramingError as error:
        raise BadRequest("This is not an HTTP/1.1 request we accept", why=str(error)) from None
    host = headers.get(b"host")
    if host is None:
        if modern:
            raise BadRequest("The Host header is missing")
    elif _HOST.fullmatch(host) is None:
        raise BadRequest("The Host header is not a host")
    length = 0
    if b"content-length" in headers:
        if b"transfer-encoding" in headers:
            raise BadRequest("Content-Length and Transfer-Encoding exclude each other")
        length = _length(headers[b"content-length"], BadRequest)
    elif b"transfer-encoding" in headers:
        if not modern or headers[b"transfer-encoding"].lower() != b"chunked":
            raise BadRequest("The only Transfer-Encoding accepted is chunked, in HTTP/1.1")
        length = CHUNKED
    if b"upgrade" in headers:
        raise BadRequest("Upgrade is not supported", fix="Speak plain HTTP/1.1.")
    expects = False
    if b"expect" in headers:
        if headers[b"expect"].lower() != b"100-continue":
            raise ExpectationFailed("The only Expect understood is 100-continue")
        expects = modern
    keep_alive = modern
    if b"connection" in headers:
        keep_alive = modern and not _closes(headers[b"connection"])
    return RequestHead(method, target, headers, length, keep_alive, modern, expects)


def response_head(data: bytes, end: int, max_headers: int) -> ResponseHead:
    """Parse a provider's head that stands in `data[:end]`; 1xx heads come back like others, with length 0.

    Raises:
        UpstreamError: anything but the HTTP we accept.
    """
    lines = data[: end - 4].split(b"\r\n")
    if len(lines) > max_headers + 1:
        raise UpstreamError(f"The provider's answer has more than {max_headers} header lines")
    try:
        if end <= _LONGEST_KNOWN:
            status, modern = _status_line(lines[0])
            headers = _headers(lines, _field)
        else:
            status, modern = _status_line.__wrapped__(lines[0])
            headers = _headers(lines, _field.__wrapped__)
    except FramingError as error:
        raise UpstreamError("The provider's answer is not HTTP/1.1 we accept", why=str(error)) from None
    length = UNTIL_CLOSE
    if b"content-length" in headers:
        if b"transfer-encoding" in headers:
            raise UpstreamError("The provider's answer has both Content-Length and Transfer-Encoding")
        length = _length(headers[b"content-length"], UpstreamError)
    elif b"transfer-encoding" in headers:
        if not modern or headers[b"transfer-encoding"].lower() != b"chunked":
            raise UpstreamError("The provider's answer has a Transfer-Encoding other than chunked")
        length = CHUNKED
    if status < 200 or status in (204, 304):
        # These have no body whatever they declare; one that declares it would leave bytes for the next answer.
        if status == 101 or length > 0 or length == CHUNKED:
            raise UpstreamError(f"The provider answered {status} with a body or an upgrade")
        length = 0
    keep_alive = modern and length != UNTIL_CLOSE
    if keep_alive and b"connection" in headers:
        keep_alive = not _closes(headers[b"connection"])
    return ResponseHead(status, headers, length, keep_alive)


@lru_cache(1024)
def _request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise FramingError("the request line is not METHOD /PATH HTTP/1.1")
    return match[1], match[2], match[3] == b"1"


@lru_cache(256)
def _status_line(line: bytes) -> tuple[int, bool]:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise FramingError("the status line is not HTTP/1.1 STATUS REASON")
    return int(match[2]), match[1] == b"1"


@lru_cache(4096)
def _field(line: bytes) -> tuple[bytes, bytes]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise FramingError("a header line is malformed")
    return match[1].lower(), match[2].rstrip(b" \t")


def _headers(lines: list[bytes], parse: Callable[[bytes], tuple[bytes, bytes]]) -> Headers:
    headers: Headers = {}
    del lines[0]
    for line in lines:
        name, value = parse(line)
        if name in headers:
            if name in _ONCE:
                raise FramingError(f"the header {name.decode()} stands twice")
            value = headers[name] + b", " + value
        headers[name] = value
    return headers


def _length(text: bytes, error: type[BadRequest | UpstreamError]) -> int:
    if _LENGTH.fullmatch(text) is None:
        raise error("Content-Length is not a number of at most 15 digits")
    return int(text)


def _closes(connection: bytes) -> bool:
    return b"close" in (word.strip() for word in connection.lower().split(b","))


class Chunked:
    """Decodes one chunked body, fed piece by piece.

    `feed` returns the data found; `done` turns True behind the last chunk, and `rest` then holds what follows it.
    To feed it once more is a FramingError: those bytes are no part of this body.
    """

    __slots__ = ("_closing", "_held", "_left", "done", "rest")

    def __init__(self) -> None:
        self._held = b""
        """The start of a size line or of a CRLF, until the rest of it arrives."""
        self._left = 0
        """Bytes of the current chunk still to come."""
        self._closing = False
        """The chunk's data is complete, its CRLF is due."""
        self.done = False
        self.rest = b""

    @property
    def between_chunks(self) -> bool:
        return not (self._held or self._left or self._closing or self.done)

    def feed(self, data: bytes) -> list[bytes]:
        """Raises FramingError at the first byte that breaks the grammar."""
        if self._held:
            data = self._held + data
            self._held = b""
        found: list[bytes] = []
        at, size = 0, len(data)
        while at < size:
            if self._left:
                piece = data[at : at + self._left]
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._closing = self._left == 0
            elif self._closing:
                crlf = data[at : at + 2]
                if crlf == b"\r\n":
                    self._closing = False
                    at += 2
                elif crlf == b"\r":
                    self._held = crlf
                    break
                else:
                    raise FramingError("a chunk is longer than its size", found)
            else:
                match = _CHUNK.match(data, at)
                if match is None:
                    if _broken_size(data[at : at + _LONGEST_SIZE_LINE]):
                        raise FramingError("a chunk's size line is malformed or has an extension", found)
                    self._held = data[at:]
                    break
                self._left = int(match[1], 16)
                at = match.end()
                if self._left == 0:
                    crlf = data[at : at + 2]
                    if crlf == b"\r\n":
                        self.done = True
                        self.rest = data[at + 2 :]
                        self._held = _NEVER_A_SIZE
                    elif b"\r\n".startswith(crlf):
                        self._held = data[match.start() :]
                    else:
                        raise FramingError("trailers are not accepted", found)
                    break
        return found


def _broken_size(line: bytes) -> bool:
    """Whether what stands here can no longer become a size line, however it goes on."""
    digits = line.removesuffix(b"\r")
    return not 0 < len(digits) <= 8 or _HEX.fullmatch(digits) is None


REASONS = {
    200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 402: b"Payment Required", 403: b"Forbidden",
    404: b"Not Found", 405: b"Method Not Allowed", 408: b"Request Timeout", 409: b"Conflict",
    413: b"Content Too Large", 415: b"Unsupported Media Type", 417: b"Expectation Failed",
    422: b"Unprocessable Content", 429: b"Too Many Requests", 431: b"Request Header Fields Too Large",
    500: b"Internal Server Error", 502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Gateway Timeout",
    529: b"Overloaded",
}  # fmt: skip

_STATUS_LINES = {status: b"HTTP/1.1 %d %s\r\n" % (status, reason) for status, reason in REASONS.items()}


def status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
