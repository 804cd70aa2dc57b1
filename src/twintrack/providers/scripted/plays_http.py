"""Answers that are spoiled in how they are sent: too much, or as HTTP that is odd or wrong."""

from __future__ import annotations

import functools
import gzip as gzip_

from twintrack.providers.scripted.delivery import Delivery
from twintrack.providers.scripted.server import Script
from twintrack.providers.scripted.spoil import SHORT_S, one_of, raw_answer, up_to

_BLOCK = b"x" * 65_536


# ---- it sends too much


def line(good: Delivery, megabytes: int = 10, at: str = "opening") -> Script:
    """One line of so many megabytes."""
    blocks = (_BLOCK,) * (megabytes * 16)
    if not good.streamed:
        body = good.pieces[0]
        return good.script((b'{"padding":"', *blocks, b'",', body[1:]))
    before = up_to(good, one_of(at, "opening", "words"))
    return good.script((*before, b"data: ", *blocks, b"\n\n", *good.pieces[len(before) :]))


def gzip(good: Delivery, megabytes: int = 10, nested: int = 0, declared: int = 1) -> Script:
    """A small body that becomes a large one, `nested` times over; not `declared`: it does not say so."""
    kind = "text/event-stream" if good.streamed else "application/json"
    encoding = ", ".join(["gzip"] * (nested + 1))
    headers = (("content-type", kind), *((("content-encoding", encoding),) if declared else ()))
    return Script(headers=headers, pieces=(_bomb(megabytes, nested),))


@functools.lru_cache(8)
def _bomb(megabytes: int, nested: int) -> bytes:
    data = gzip_.compress(bytes(megabytes << 20), mtime=0)
    for _ in range(nested):
        data = gzip_.compress(data, mtime=0)
    return data


def headers(good: Delivery, lines: int = 500, bytes: int = 1) -> Script:
    """So many header lines of so many bytes."""
    flood = b"".join(b"x-%d: %b\r\n" % (at, b"1" * bytes) for at in range(lines))
    return Script(framing="raw", pieces=(raw_answer(good, good.pieces, more=flood),), end="close")


def head(good: Delivery, bytes: int = 200_000) -> Script:
    """A head that does not end."""
    return Script(framing="raw", pieces=(b"HTTP/1.1 200 OK\r\nx: " + b"1" * bytes,), end="hang")


# ---- its HTTP is odd, or wrong


def interim(good: Delivery, status: int = 103, times: int = 1) -> Script:
    """Informational answers before the real one."""
    lines = b"HTTP/1.1 %d Odd\r\nx-interim: 1\r\n\r\n" % status
    return Script(framing="raw", pieces=(lines * times + raw_answer(good, good.pieces),), end="close")


def http10(good: Delivery, at: str = "end") -> Script:
    """HTTP/1.0, where the end of the connection ends the answer, be it whole or not."""
    pieces = good.pieces if at == "end" else up_to(good, at)
    return Script(framing="raw", pieces=(raw_answer(good, pieces, version=b"1.0"), SHORT_S), end="close")


def length(good: Delivery, is_: str = "long") -> Script:
    """A content-length that is long, short, twice, negative or besides chunks."""
    body = b"".join(good.pieces)
    if is_ == "short":
        return good.script(framing="length", claim=len(b"".join(good.behind_words())), end="close")
    if is_ == "long":
        return good.script(framing="length", claim=len(body) + 1000, end="close")
    lines = {
        "twice": b"content-length: %d\r\ncontent-length: %d\r\n" % (len(body), len(body) + 1),
        "negative": b"content-length: -1\r\n",
        "chunked": b"content-length: %d\r\ntransfer-encoding: chunked\r\n" % len(body),
    }[one_of(is_, "twice", "negative", "chunked")]
    return Script(framing="raw", pieces=(raw_answer(good, good.pieces, more=lines),), end="close")


def chunk(good: Delivery, size: str = "xyz", at: str = "opening") -> Script:
    """Chunks up to a size line that is none: any word, or `huge`, `extension` or `trailer`."""
    before = up_to(good, one_of(at, "opening", "words")) if good.streamed else good.until("words")
    start = raw_answer(good, (), more=b"transfer-encoding: chunked\r\n")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in before)
    bad = {
        "huge": b"ffffffffffffffff\r\n",
        "extension": b"5;name=value\r\nhello\r\n0\r\n\r\n",
        "trailer": b"0\r\nx-trailer: 1\r\n\r\n",
        "negative": b"-5\r\n",
    }.get(size, size.encode() + b"\r\n")
    return Script(framing="raw", pieces=(start + chunks, SHORT_S, bad, SHORT_S), end="close")


def greeting(good: Delivery) -> Script:
    """Another protocol answers on this port."""
    return Script(framing="raw", pieces=(b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), end="close")
