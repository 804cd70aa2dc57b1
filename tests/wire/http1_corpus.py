"""Streams of HTTP/1.1 messages, well-formed and hostile, and two readers to compare: ours and h11's.

A stream is what one connection carries: several messages back to back. `Reader` does with `twintrack.wire.http1`
what a connection does, `h11_reading` asks h11 for its opinion of the same bytes, and `disagreement` says where the
two part. Everything random comes from a `random.Random` passed in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Literal

import h11

from twintrack.errors import RequestError, UpstreamError
from twintrack.wire.http1 import (
    CHUNKED,
    UNTIL_CLOSE,
    Chunked,
    FramingError,
    RequestHead,
    ResponseHead,
    request_head,
    response_head,
)

Side = Literal["request", "response"]

MAX_HEADERS = 100


@dataclass(frozen=True)
class Message:
    """What framing says about one message; both readers fill it in."""

    start: tuple[bytes | int, ...]
    """(method, target) or (status,)."""
    headers: dict[bytes, bytes]
    expects_continue: bool
    body: bytes
    keep_alive: bool | None = None
    """None as long as the message is incomplete."""
    end: int = -1
    """Offset in the stream of the byte behind it."""


@dataclass
class Reading:
    """A stream as one reader understood it."""

    complete: list[Message] = field(default_factory=list)
    partial: Message | None = None
    """Its head was accepted, its body is not all there."""
    refusal: str = ""

    def verdict(self) -> tuple[list[Message], str, Message | None]:
        """What may not depend on how the stream was cut. Data in front of a broken chunk may be out already or not."""
        return self.complete, self.refusal, None if self.refusal else self.partial


class Reader:
    """Reads a stream through `http1` as a connection does: find the blank line, parse the head, count the body."""

    def __init__(self, side: Side) -> None:
        self.reading = Reading()
        self._parse: Callable[[bytes, int, int], RequestHead | ResponseHead]
        self._parse = request_head if side == "request" else response_head
        self._buffer = b""
        self._searched = 0
        self._received = 0
        self._head: RequestHead | ResponseHead | None = None
        self._chunked: Chunked | None = None
        self._left = 0
        self._body = b""
        self._over = False

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        self._buffer += data
        try:
            while not self._over and self._step():
                pass
        except (RequestError, UpstreamError, FramingError) as error:
            self.reading.refusal = str(error)
            self._over = True

    def close(self) -> None:
        """The peer sent its last byte."""
        if self._head is not None and self._head.length == UNTIL_CLOSE and not self._over:
            self._complete()
        self._over = True

    def _step(self) -> bool:
        """Consume something from the buffer; False if more must arrive first."""
        if self._head is None:
            blank = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
            if blank < 0:
                self._searched = len(self._buffer)
                return False
            end = blank + 4
            head = self._head = self._parse(self._buffer, end, MAX_HEADERS)
            self._buffer = self._buffer[end:]
            self._searched = 0
            self._chunked = Chunked() if head.length == CHUNKED else None
            self._left = head.length
            self.reading.partial = self._message()
            if head.length == 0:
                self._complete()
            return True
        if not self._buffer:
            return False
        if self._chunked is not None:
            self._body += b"".join(self._chunked.feed(self._buffer))
            self._buffer = self._chunked.rest
            finished = self._chunked.done
        elif self._left == UNTIL_CLOSE:
            self._body += self._buffer
            self._buffer = b""
            finished = False
        else:
            piece = self._buffer[: self._left]
            self._body += piece
            self._buffer = self._buffer[self._left :]
            self._left -= len(piece)
            finished = self._left == 0
        self.reading.partial = self._message()
        if finished:
            self._complete()
        return True

    def _message(self, keep_alive: bool | None = None, end: int = -1) -> Message:
        head = self._head
        assert head is not None
        headers = head.headers
        if b"transfer-encoding" in headers:
            headers = headers | {b"transfer-encoding": headers[b"transfer-encoding"].lower()}  # as h11 does
        if isinstance(head, RequestHead):
            return Message((head.method, head.target), headers, head.expects_continue, self._body, keep_alive, end)
        return Message((head.status,), headers, False, self._body, keep_alive, end)

    def _complete(self) -> None:
        assert self._head is not None
        interim = isinstance(self._head, ResponseHead) and self._head.status < 200
        keep_alive = interim or self._head.keep_alive  # an interim answer says nothing about the connection
        self.reading.complete.append(self._message(keep_alive, self._received - len(self._buffer)))
        self.reading.partial = None
        self._head, self._body = None, b""
        self._over = not keep_alive


def our_reading(side: Side, stream: bytes, cuts: Sequence[int] = ()) -> Reading:
    """Read the whole stream, fed in the pieces that `cuts` makes of it."""
    reader = Reader(side)
    edges = [0, *sorted(cuts), len(stream)]
    for start, stop in pairwise(edges):
        reader.feed(stream[start:stop])
    reader.close()
    return reader.reading


def h11_reading(side: Side, stream: bytes) -> Reading:
    """The same by h11: as a server that answers each request 404, or as a client that asks again and again."""
    reading = Reading()
    connection = h11.Connection(h11.SERVER if side == "request" else h11.CLIENT, max_incomplete_event_size=1 << 30)
    if stream:
        connection.receive_data(stream)
    try:
        _events_into(reading, connection, side, len(stream))
        connection.receive_data(b"")
        if connection.their_state is h11.SEND_BODY:
            _events_into(reading, connection, side, len(stream))
    except h11.RemoteProtocolError as error:
        reading.refusal = str(error)
    return reading


def _events_into(reading: Reading, connection: h11.Connection, side: Side, size: int) -> None:
    def rest() -> int:
        return size - len(connection.trailing_data[0])

    while True:
        if side == "response" and connection.our_state is h11.IDLE:
            connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
            connection.send(h11.EndOfMessage())
        event = connection.next_event()
        if isinstance(event, h11.Request):
            waits = connection.they_are_waiting_for_100_continue
            reading.partial = Message((event.method, event.target), _joined(event.headers), waits, b"")
        elif isinstance(event, h11.InformationalResponse):
            reading.complete.append(Message((event.status_code,), _joined(event.headers), False, b"", True, rest()))
        elif isinstance(event, h11.Response):
            reading.partial = Message((event.status_code,), _joined(event.headers), False, b"")
        elif isinstance(event, h11.Data):
            so_far = reading.partial
            assert so_far is not None
            body = so_far.body + bytes(event.data)
            reading.partial = Message(so_far.start, so_far.headers, so_far.expects_continue, body)
        elif isinstance(event, h11.EndOfMessage):
            whole, reading.partial = reading.partial, None
            assert whole is not None
            if side == "request":
                connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
            at_end = connection.trailing_data[1]
            goes_on = connection.our_state is h11.DONE and connection.their_state is h11.DONE and not at_end
            reading.complete.append(
                Message(whole.start, whole.headers, whole.expects_continue, whole.body, goes_on, rest())
            )
            if not goes_on:
                return
            connection.start_next_cycle()
        else:
            return


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = joined[name] + b", " + value if name in joined else bytes(value)
    return joined


def disagreement(ours: Reading, theirs: Reading) -> str:
    """Where we accepted what h11 refuses or frames otherwise; empty if nowhere."""
    for index, message in enumerate(ours.complete):
        if index >= len(theirs.complete):
            return f"message {index}: we completed {message}, h11 has {theirs.partial}, {theirs.refusal!r}"
        if message != theirs.complete[index]:
            return f"message {index}: ours is {message}, h11's is {theirs.complete[index]}"
    if ours.partial is None:
        return ""
    # We accepted one more head. Unless we refuse its body, h11 has it open too, with the same data so far.
    index = len(ours.complete)
    if not ours.refusal and (ours.partial != theirs.partial or len(theirs.complete) != index):
        return f"message {index}: we wait in {ours.partial}, h11 has {theirs}"
    other = theirs.complete[index] if index < len(theirs.complete) else theirs.partial
    if other is None:
        return f"message {index}: we accepted the head {ours.partial}, h11 has none: {theirs.refusal!r}"
    mine = ours.partial
    if (mine.start, mine.headers) != (other.start, other.headers) or not other.body.startswith(mine.body):
        return f"message {index}: ours began as {mine}, h11's as {other}"
    return ""


# Well-formed messages


@dataclass(frozen=True)
class Written:
    """A well-formed message and how it is to be written down."""

    start: tuple[bytes, bytes] | tuple[int]
    headers: tuple[tuple[bytes, bytes], ...]
    """Without those that frame it."""
    body: bytes
    framing: Literal["none", "length", "chunked", "close"]
    """"none" and "close" write no header; the second body ends with the connection."""
    chunks: tuple[int, ...] = ()
    """Sizes of the chunks but the last, which takes what is left."""
    goes_on: bool = True

    def wire(self) -> bytes:
        if len(self.start) == 2:
            lines = [self.start[0] + b" " + self.start[1] + b" HTTP/1.1"]
        else:
            lines = [b"HTTP/1.1 %d Reason" % self.start[0]]
        lines += [name + b": " + value for name, value in self.headers]
        body = self.body
        if self.framing == "length":
            lines.append(b"Content-Length: %d" % len(body))
        elif self.framing == "chunked":
            lines.append(b"Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in self._pieces()) + b"0\r\n\r\n"
        if not self.goes_on and self.framing != "close":
            lines.append(b"Connection: close")
        return b"\r\n".join([*lines, b"", body])

    def _pieces(self) -> list[bytes]:
        pieces, at = [], 0
        for size in self.chunks:
            pieces.append(self.body[at : at + size])
            at += size
        return [piece for piece in [*pieces, self.body[at:]] if piece]


NAMES = (b"Accept", b"User-Agent", b"X-Request-Id", b"Cookie", b"ACCEPT", b"x-stainless-os", b"Te", b"!#$%&'*+-.^_`|~9")
VALUES = (b"*/*", b"a, b", b"", b"one  two", b"caf\xe9", b"\xff\x80", b"tab\there", b"chunked", b"close", b"5")
TARGETS = (b"/", b"/v1/chat/completions", b"/v1/models?a=b&c=%00", b"//double", b"/~!$&'()*+,;=:@[]|\\\"<>^`{}#f")
METHODS = (b"GET", b"POST", b"DELETE", b"OPTIONS", b"HEAD", b"get", b"M-SEARCH", b"!")
STATUSES = (200, 201, 301, 400, 404, 429, 500, 503, 529, 599)
BODIES = (b"", b"x", b"hello", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", b"5\r\nhello\r\n" * 3)


def some_message(random: Random, side: Side) -> bytes:
    """One well-formed message."""
    headers = tuple((random.choice(NAMES), random.choice(VALUES)) for _ in range(random.randrange(4)))
    body = random.choice(BODIES) if random.random() < 0.8 else random.randbytes(random.randrange(40))
    chunks = tuple(random.randrange(1, 6) for _ in range(random.randrange(4)))
    goes_on = random.random() < 0.9
    if side == "request":
        framing: Literal["none", "length", "chunked", "close"] = random.choice(("none", "length", "chunked"))
        start = (random.choice(METHODS), random.choice(TARGETS))
        headers = ((b"Host", random.choice((b"a", b"a:80", b"[::1]:80", b""))), *headers)
        return Written(start, headers, b"" if framing == "none" else body, framing, chunks, goes_on).wire()
    kind = random.random()
    if kind < 0.15:
        return Written((random.choice((100, 102, 103, 199)),), headers, b"", "none").wire()
    if kind < 0.3:
        return Written((random.choice((204, 304)),), headers, b"", "none", (), goes_on).wire()
    framing = random.choice(("length", "chunked", "length", "chunked", "close"))
    return Written((random.choice(STATUSES),), headers, body, framing, chunks, goes_on).wire()


# Attacks on them

LINES = tuple(
    line.encode("latin-1")
    for line in (
        "Content-Length: 5", "Content-Length: 0", "Content-Length: 6", "Content-Length: 5, 5", "Content-Length: 5,6",
        "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length:  5", "Content-Length:5\t",
        "Content-Length: 5 5", "Content-Length: 5_0", "Content-Length: 05", "Content-Length: 5.0",
        "Content-Length: \xb2", "Content-Length: 999999999999999", "Content-Length: 9999999999999999",
        "Content-Length: 18446744073709551621", "Content-Length:", "Content-Length : 5", "Content_Length: 5",
        "content-length\t: 5", "\tContent-Length: 5", " Content-Length: 5", "Content-Length: \x0b5",
        "Content-Length; 5", "Content-Length: 5\r", "Content-Length: 5\nX: y", "X: y\nContent-Length: 5",
        "X: y\rContent-Length: 5", "Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED",
        "Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding:chunked \t",
        "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked;a=b", 'Transfer-Encoding: "chunked"', "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding:", "Transfer_Encoding: chunked", "Transfer-Encoding: chun\x00ked",
        "Transfer-Encoding: chunked\x00", "Transfer-Encoding\x00: chunked", "Transfer-Encoding: chunk\xebd",
        "Tr\xe4nsfer-Encoding: chunked", "Transfer-Encoding:\r\n chunked", "Transfer-Encoding: x\r\n chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "X: y\r\n\tContent-Length: 5", "X: y\r\n ",
        "X: y\r\n Transfer-Encoding: chunked", "Foo", "", ":", ": 5", "\x00", "Host: b", "Host: a, b", "Host: a b",
        "Host: user@a", "Host: a/b", "Host: [::1", "Host: a:b", "Host: ä", "Host:", "Connection: close",
        "Connection: keep-alive", "Connection: Close", "Connection: keep-alive, CLOSE", "Connection: closed",
        "Connection: x\tclose", "Connection: close;", 'Connection: "close"', "Connection: ,close,",
        "Connection: keep-alive\r\nConnection: close", "Connection: Content-Length", "Connection: upgrade",
        "Connection:", "Connection: close\x0b", "Connection: \xa0close", "Connection: \x85close",
        "Proxy-Connection: close", "Keep-Alive: timeout=5", "Upgrade: h2c", "Upgrade: websocket", "Upgrade:",
        "HTTP2-Settings: AAMAAABk", "Expect: 100-continue", "Expect: 100-Continue", "Expect: 200-ok", "Expect:",
        "Expect: 100-continue, x", "Expect: 100-continue\r\nExpect: 100-continue", "Trailer: X", "TE: trailers",
        "Authorization: a\r\nAuthorization: b", "X: \x7f", "X: \x01", "X: y\x00", "X:" + " " * 50 + "y" + "\t" * 50,
        "X y: z", "X(: z", "X\x80: z",
    )
)  # fmt: skip
"""Lines to put into a head."""

REQUEST_LINES = (
    b"GET http://a/ HTTP/1.1", b"GET https://a:443/x HTTP/1.1", b"CONNECT a:443 HTTP/1.1", b"OPTIONS * HTTP/1.1",
    b"CONNECT / HTTP/1.1",
    b"GET /", b"GET / HTTP/0.9", b"GET / HTTP/1.0", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET / HTTP/1.10",
    b"GET / HTTP/1.1 ", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET\t/ HTTP/1.1", b" GET / HTTP/1.1",
    b"GET / http/1.1", b"GET /a b HTTP/1.1", b"GET /\x80 HTTP/1.1", b"GET /\x00 HTTP/1.1", b"G\xcbT / HTTP/1.1",
    b"G@T / HTTP/1.1", b" / HTTP/1.1", b"GET  HTTP/1.1", b"GET a HTTP/1.1", b"GET ?a HTTP/1.1", b"PRI * HTTP/2.0",
    b"", b"\r\nGET / HTTP/1.1", b"\nGET / HTTP/1.1", b"GET / HTTP/1.1\r", b"GET /\rHTTP/1.1", b"GET / XTTP/1.1",
    b"GET / HTTP/1,1", b"GET / HTTP/11",
)  # fmt: skip

STATUS_LINES = (
    b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200 caf\xe9 \t!", b"HTTP/1.0 200 OK", b"HTTP/1.2 200 OK",
    b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/1.1 99 Low", b"HTTP/1.1 600 High", b"HTTP/1.1 000 Nil",
    b"HTTP/1.1 20 X", b"HTTP/1.1 2000 X", b"HTTP/1.1 +20 X", b"HTTP/1.1 2x0 X", b"HTTP/1.1  200 OK",
    b"HTTP/1.1\t200 OK", b" HTTP/1.1 200 OK", b"http/1.1 200 OK", b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\x0bK",
    b"HTTP/1.1 200\tOK", b"HTTP/1.1 200 OK\r", b"ICY 200 OK", b"HTTP/1.1 101 Switching", b"HTTP/1.1 100 Continue",
    b"HTTP/1.0 100 Continue", b"HTTP/1.1 103 Early", b"HTTP/1.1 204 No", b"HTTP/1.0 204 No", b"HTTP/1.1 304 Not",
    b"HTTP/1.1 205 Reset", b"", b"\r\nHTTP/1.1 200 OK", b"200 OK", b"HTTP/1.1",
)  # fmt: skip

SIZE_LINES = (
    b"0\r\n", b"1\r\n", b"5\r\n", b"05\r\n", b"00000005\r\n", b"000000005\r\n", b"00000000\r\n", b"000000000\r\n",
    b"0x5\r\n", b"+5\r\n", b"-5\r\n", b" 5\r\n", b"5 \r\n", b"5\t\r\n", b"5;\r\n", b"5;a=b\r\n", b'5;a="\r\n"\r\n',
    b"5;a\nb\r\n", b"5\n", b"5\r", b"5\r\r\n", b"\r\n", b"", b"G\r\n", b"5_0\r\n", b"5\x00\r\n", b"5,5\r\n", b"a\r\n",
    b"A\r\n", b"FFFFFFFF\r\n", b"100000000\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"10000000000000005\r\n", b"\xb25\r\n",
    b"0\r\n\r\n", b"0 \r\n", b"0;a\r\n",
)  # fmt: skip

LAST_CHUNKS = (
    b"0\r\nX: y\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\n\n", b"0\n\n", b"0\r\r\n", b"0\r\n", b"0\r\n\r",
    b"0\r\n \r\n\r\n", b"00\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\n\r\n\r\n", b"\r\n0\r\n\r\n", b"0\r\n\x00\r\n",
    b"0\r\n0\r\n\r\n",
)  # fmt: skip

BYTES = (b"\r\n", *(bytes((byte,)) for byte in b"\r\n\0 \t:,;05\x0b\x0c\x7f\x80\xff"))

_EOL = re.compile(rb"\r\n")
_SIZE = re.compile(rb"(?<=\r\n)[0-9a-f]+\r\n")


def attacked(random: Random, side: Side, stream: bytes) -> bytes:
    """`stream` with one to three things wrong, or at least odd."""
    for _ in range(random.randrange(1, 4)):
        stream = random.choice(_ATTACKS)(random, side, stream)
    return stream


def _line_added(random: Random, side: Side, stream: bytes) -> bytes:
    """Where a line ends in the first head, mostly; else at any line end."""
    ends = [match.end() for match in _EOL.finditer(stream)]
    head = stream.find(b"\r\n\r\n")
    if random.random() < 0.8:
        ends = [end for end in ends if end <= head + 2]
    at = random.choice(ends or [0])
    return stream[:at] + random.choice(LINES) + b"\r\n" + stream[at:]


def _two_lines_added(random: Random, side: Side, stream: bytes) -> bytes:
    return _line_added(random, side, _line_added(random, side, stream))


def _start_replaced(random: Random, side: Side, stream: bytes) -> bytes:
    """The first start line, or what stands behind the first blank line."""
    at = random.choice((0, stream.find(b"\r\n\r\n") + 4))
    end = max(at, stream.find(b"\r\n", at))
    return stream[:at] + random.choice(REQUEST_LINES if side == "request" else STATUS_LINES) + stream[end:]


def _line_gone_or_twice(random: Random, side: Side, stream: bytes) -> bytes:
    lines = stream.split(b"\r\n")
    at = random.randrange(len(lines))
    return b"\r\n".join(lines[:at] + [lines[at]] * random.choice((0, 2)) + lines[at + 1 :])


def _eol_changed(random: Random, side: Side, stream: bytes) -> bytes:
    found = list(_EOL.finditer(stream))
    if not found:
        return stream
    match = random.choice(found)
    other = random.choice(
        (b"\n", b"\r", b"\n\r", b"\r\r\n", b"\r\n\n", b" \r\n", b"\r\n ", b"\r\n\t", b"\0\r\n", b"", b"\r\n\r\n")
    )
    return stream[: match.start()] + other + stream[match.end() :]


def _size_changed(random: Random, side: Side, stream: bytes) -> bytes:
    found = list(_SIZE.finditer(stream))
    if not found:
        return stream
    match = random.choice(found)
    return stream[: match.start()] + random.choice(SIZE_LINES) + stream[match.end() :]


def _last_chunk_changed(random: Random, side: Side, stream: bytes) -> bytes:
    return stream.replace(b"\r\n0\r\n\r\n", b"\r\n" + random.choice(LAST_CHUNKS))


def _byte_put_in(random: Random, side: Side, stream: bytes) -> bytes:
    at = random.randrange(len(stream) + 1)
    return stream[:at] + random.choice(BYTES) + stream[at + random.randrange(2) :]


def _bit_flipped(random: Random, side: Side, stream: bytes) -> bytes:
    if not stream:
        return stream
    at = random.randrange(len(stream))
    return stream[:at] + bytes((stream[at] ^ 1 << random.randrange(8),)) + stream[at + 1 :]


def _slice_moved(random: Random, side: Side, stream: bytes) -> bytes:
    start, stop, at = sorted(random.randrange(len(stream) + 1) for _ in range(3))
    return random.choice((stream[:start] + stream[stop:], stream[:at] + stream[start:stop] + stream[at:], stream[:at]))


_ATTACKS: tuple[Callable[[Random, Side, bytes], bytes], ...] = (
    _line_added, _line_added, _two_lines_added, _start_replaced, _line_gone_or_twice, _eol_changed, _size_changed,
    _last_chunk_changed, _byte_put_in, _bit_flipped, _slice_moved,
)  # fmt: skip


def some_stream(random: Random, side: Side) -> bytes:
    """A few messages back to back, attacked four times out of five."""
    stream = b"".join(some_message(random, side) for _ in range(random.randrange(1, 4)))
    return attacked(random, side, stream) if random.random() < 0.8 else stream


def some_cuts(random: Random, size: int) -> list[int]:
    """Where to cut a stream of `size` bytes: after every byte, or in a few places."""
    if random.random() < 0.2:
        return list(range(1, size))
    return [random.randrange(size + 1) for _ in range(random.randrange(1, 6))]
