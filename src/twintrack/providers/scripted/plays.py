"""How to spoil a good answer: one function for each kind of fault, with the arguments a directive can give."""

from __future__ import annotations

import email.utils
import functools
import gzip as gzip_
import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twintrack.providers.scripted.delivery import Asked, Delivery, deliver
from twintrack.providers.scripted.directive import Directive, NoSuchFault
from twintrack.providers.scripted.server import Script
from twintrack.providers.scripted.shapes import Tokens, error_body, error_event

Play = Callable[..., Script]
"""From a good answer, and the directive's arguments, to what is played instead."""

METADATA = "http://169.254.169.254/latest/meta-data/"
"""Where a cloud machine asks for its own credentials: the classical goal of a forged redirect."""
_BLOCK = b"x" * 65_536
_SHORT_S = 0.05
"""A pause that lets what was sent be read by itself, so that a fault behind it does not take it along."""


# ---- it says nothing, or stops


def wait(good: Delivery, seconds: float = 1.0) -> Script:
    """Waits before the first byte of the body, then answers well."""
    return good.script((seconds, *good.pieces))


def hang(good: Delivery, at: str = "head") -> Script:
    """Says nothing more from a place on: head, body, opening, words, half or usage."""
    if at == "head":
        return Script(framing="raw", end="hang")
    return _partly(good, _up_to(good, at), end="hang")


def cut(good: Delivery, at: str = "words", by: str = "close") -> Script:
    """Ends at a place: start, head, body, opening, words, half or usage. `by` close, reset, or end: in good order."""
    if at == "start":
        return Script(framing="raw", end=_one_of(by, "close", "reset"))
    if at == "head":
        head = b"HTTP/1.1 200 OK\r\ncontent-ty"
        return Script(framing="raw", pieces=(head, _SHORT_S), end=_one_of(by, "close", "reset"))
    pieces = _up_to(good, at)
    if by == "end":
        return good.script(pieces)
    return _partly(good, pieces, end=_one_of(by, "close", "reset"))


def drip(good: Delivery, at: str = "body", every: float = 1.0, bytes: int = 1) -> Script:
    """So many bytes at a time, with a pause of `every` seconds behind each."""
    if at == "head":
        pieces = _dripping(_raw(good, good.pieces), bytes, every)
        return Script(framing="raw", pieces=pieces, end="close")
    return good.script(_dripping(b"".join(good.pieces), bytes, every))


def _dripping(data: bytes, size: int, pause_s: float) -> tuple[bytes | float, ...]:
    cuts = (data[at : at + size] for at in range(0, len(data), max(size, 1)))
    return tuple(part for cut_ in cuts for part in (cut_, pause_s))


# ---- it says it in other pieces, or says more


def split(good: Delivery, bytes: int = 1) -> Script:
    """The right answer in pieces of so many bytes."""
    body = b"".join(good.pieces)
    return good.script(tuple(body[at : at + bytes] for at in range(0, len(body), max(bytes, 1))))


def lines(good: Delivery, ends: str = "mixed") -> Script:
    """Line ends of a stream's events: crlf, cr, or each in turn."""
    if not good.streamed:
        return good.script()
    kinds = {"crlf": (b"\r\n",), "cr": (b"\r",), "mixed": (b"\r\n", b"\n", b"\r")}[_one_of(ends, "crlf", "cr", "mixed")]
    written = (piece.replace(b"\n", kinds[at % len(kinds)]) for at, piece in enumerate(good.pieces))
    return good.script(tuple(written))


def done(good: Delivery, times: int = 0) -> Script:
    """The event that ends a stream, so often."""
    if not good.streamed:
        return good.script()
    end = good.pieces[good.end_at]
    return good.script((*good.until("end"), *(end,) * times, *good.pieces[good.end_at + 1 :]))


def beyond(good: Delivery) -> Script:
    """A stream goes on behind its end."""
    if not good.streamed:
        return good.script()
    return good.script((*good.pieces, _SHORT_S, good.pieces[good.words_from], b": still here\n\n"))


def comments(good: Delivery, number: int = 3, bytes: int = 1, only: int = 0) -> Script:
    """Comment lines before a stream, or nothing but them."""
    if not good.streamed:
        return good.script()
    said = (b": " + b"x" * bytes + b"\n\n",) * number
    return good.script(said if only else (*said, *good.pieces))


def error(good: Delivery, at: str = "first", kind: str = "overloaded") -> Script:
    """An error inside a 200: at first, behind the opening, or behind the words."""
    words, name, code = {
        "overloaded": ("The engine is overloaded, try again later", "overloaded_error", None),
        "quota": ("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
    }[_one_of(kind, "overloaded", "quota")]
    if not good.streamed:
        return good.script((error_body(good.endpoint, words, name, code),))
    before = () if at == "first" else _up_to(good, _one_of(at, "opening", "words"))
    return good.script((*before, _SHORT_S if before else 0.0, error_event(good.endpoint, words, name, code)))


# ---- it says something else


def garble(good: Delivery, how: str = "truncated", at: str = "opening") -> Script:
    """No JSON, or none of the dialect; in a stream as an event behind which it ends."""
    body = good.pieces[0] if not good.streamed else good.pieces[good.words_from].partition(b"data: ")[2].rstrip()
    text = {
        "truncated": body[: len(body) // 2],
        "invalid": b"{nonsense}",
        "utf8": b'{"choices":[{"finish_reason":"\xff\xfe"}],"type":"\xff"}',
        "deep": b'{"choices":' + b"[" * 100_000,
        "null": b"null",
        "list": b"[1, 2]",
        "empty": b"{}",
    }.get(how)
    if text is None:
        raise NoSuchFault(f"garble knows truncated, invalid, utf8, deep, null, list and empty, not {how}")
    if not good.streamed:
        return good.script((text,))
    return good.script((*_up_to(good, _one_of(at, "opening", "words")), b"data: " + text + b"\n\n"))


def usage(good: Delivery, says: str = "missing") -> Script:
    """Usage that is missing, zero, negative, absurd or late."""
    said = good.said
    if says == "late":
        return deliver(replace(said, late=True)).script()
    told = {
        "missing": None,
        "zero": Tokens(0, 0),
        "negative": Tokens(-5, -7),
        "absurd": Tokens(10**15, 10**15),
    }[_one_of(says, "missing", "zero", "negative", "absurd")]
    return deliver(replace(said, tokens=told)).script()


def content_type(good: Delivery, says: str = "text/html") -> Script:
    """The right answer under another content type."""
    return good.script(headers=(("content-type", says),))


def model(good: Delivery, says: str = "another-model") -> Script:
    """The right answer by another name of the model."""
    return deliver(replace(good.said, model=says)).script()


def page(good: Delivery, status: int = 200) -> Script:
    """What a proxy in front of a provider says."""
    text = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
    return Script(status=status, headers=(("content-type", "text/html"),), pieces=(text,))


def other_kind(good: Delivery) -> Script:
    """A whole answer where a stream was asked for, a stream where a whole answer was."""
    asked = replace(good.said.asked, streamed=not good.streamed, tells_usage=True)
    return deliver(replace(good.said, asked=asked)).script()


def dialect(good: Delivery) -> Script:
    """A good answer in a dialect nobody asked for."""
    endpoint = "chat" if good.endpoint == "messages" else "messages"
    asked = Asked(endpoint, good.said.asked.model, good.streamed, True, 1)
    return deliver(replace(good.said, asked=asked)).script()


def empty(good: Delivery) -> Script:
    """A 200 with nothing in it."""
    return good.script(())


def http(good: Delivery, status: int = 500, retry_after: str = "") -> Script:
    """An error status. `retry_after` in seconds, or `date` (2 s from now), `past` or `huge`."""
    if not 100 <= status <= 599:
        raise NoSuchFault(f"http takes a status from 100 to 599, not {status}")
    headers = [("content-type", "application/json")]
    if retry_after:
        spoken = {
            "date": email.utils.formatdate(time.time() + 2, usegmt=True),
            "past": "Wed, 21 Oct 2015 07:28:00 GMT",
            "huge": "999999999999999999",
        }
        headers.append(("retry-after", spoken.get(retry_after, retry_after)))
    kind = "rate_limit_error" if status == 429 else "api_error" if status >= 500 else "invalid_request_error"
    body = error_body(good.endpoint, f"scripted failure {status}", kind)
    return Script(status=status, headers=tuple(headers), pieces=() if status in (204, 304) else (body,))


def quota(good: Delivery, status: int = 429) -> Script:
    """The account may spend no more: no retry can help."""
    words, kind = "You exceeded your current quota, please check your plan and billing details", "insufficient_quota"
    return Script(status=status, pieces=(error_body(good.endpoint, words, kind, kind),))


def redirect(good: Delivery, status: int = 302, to: str = METADATA) -> Script:
    """A redirect; by default to where a cloud machine asks for its own credentials."""
    return Script(status=status, headers=(("location", to),))


# ---- it sends too much


def line(good: Delivery, megabytes: int = 10, at: str = "opening") -> Script:
    """One line of so many megabytes."""
    blocks = (_BLOCK,) * (megabytes * 16)
    if not good.streamed:
        body = good.pieces[0]
        return good.script((b'{"padding":"', *blocks, b'",', body[1:]))
    before = _up_to(good, _one_of(at, "opening", "words"))
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
    return Script(framing="raw", pieces=(_raw(good, good.pieces, more=flood),), end="close")


def head(good: Delivery, bytes: int = 200_000) -> Script:
    """A head that does not end."""
    return Script(framing="raw", pieces=(b"HTTP/1.1 200 OK\r\nx: " + b"1" * bytes,), end="hang")


# ---- its HTTP is odd, or wrong


def interim(good: Delivery, status: int = 103, times: int = 1) -> Script:
    """Informational answers before the real one."""
    lines = b"HTTP/1.1 %d Odd\r\nx-interim: 1\r\n\r\n" % status
    return Script(framing="raw", pieces=(lines * times + _raw(good, good.pieces),), end="close")


def http10(good: Delivery, at: str = "end") -> Script:
    """HTTP/1.0, where the end of the connection ends the answer, be it whole or not."""
    pieces = good.pieces if at == "end" else _up_to(good, at)
    return Script(framing="raw", pieces=(_raw(good, pieces, version=b"1.0"), _SHORT_S), end="close")


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
    }[_one_of(is_, "twice", "negative", "chunked")]
    return Script(framing="raw", pieces=(_raw(good, good.pieces, more=lines),), end="close")


def chunk(good: Delivery, size: str = "xyz", at: str = "opening") -> Script:
    """Chunks up to a size line that is none: any word, or `huge`, `extension` or `trailer`."""
    before = _up_to(good, _one_of(at, "opening", "words")) if good.streamed else good.until("words")
    start = _raw(good, (), more=b"transfer-encoding: chunked\r\n")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in before)
    bad = {
        "huge": b"ffffffffffffffff\r\n",
        "extension": b"5;name=value\r\nhello\r\n0\r\n\r\n",
        "trailer": b"0\r\nx-trailer: 1\r\n\r\n",
        "negative": b"-5\r\n",
    }.get(size, size.encode() + b"\r\n")
    return Script(framing="raw", pieces=(start + chunks, _SHORT_S, bad, _SHORT_S), end="close")


def greeting(good: Delivery) -> Script:
    """Another protocol answers on this port."""
    return Script(framing="raw", pieces=(b"SSH-2.0-OpenSSH_9.2\r\n\r\n",), end="close")


def _up_to(good: Delivery, at: str) -> tuple[bytes, ...]:
    """The pieces before a place."""
    if at == "body":
        return ()
    if at == "opening":
        return good.pieces[:1] if good.streamed else ()
    if at == "words":
        return good.behind_words()
    if at == "half":
        if not good.streamed:
            return good.until("words")
        following = good.pieces[good.words_to]
        return (*good.behind_words(), following[: len(following) // 2])
    if at == "usage":
        return good.behind_usage()
    raise NoSuchFault(f"a place is head, body, opening, words, half or usage, not {at}")


def _partly(good: Delivery, pieces: tuple[bytes | float, ...], **rest: Any) -> Script:
    """Some of an answer whose head promises all of it, and time for it to be read."""
    claim = None if good.streamed else len(good.pieces[0])
    return good.script((*pieces, _SHORT_S), claim=claim, **rest)


def _raw(good: Delivery, pieces: tuple[bytes, ...], *, more: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A whole answer whose connection ends it, with `more` header lines."""
    kind = b"text/event-stream" if good.streamed else b"application/json"
    return b"HTTP/%b 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n%b\r\n%b" % (
        version, kind, more, b"".join(pieces),
    )  # fmt: skip


def _one_of(word: str, *known: str) -> Any:
    if word not in known:
        raise NoSuchFault(f"{word} is none of {', '.join(known)}")
    return word


PLAYS: dict[str, Play] = {
    play.__name__: play
    for play in (
        wait, hang, cut, drip, split, lines, done, beyond, comments, error, garble, usage, content_type, model, page,
        other_kind, dialect, empty, http, quota, redirect, line, gzip, headers, head, interim, http10, length, chunk,
        greeting,
    )
}  # fmt: skip
"""By the name a directive calls them."""


def play(directive: Directive, good: Delivery) -> Script:
    """Raises NoSuchFault: the name or an argument is not known."""
    found = PLAYS.get(directive.name)
    if found is None:
        raise NoSuchFault(f"{directive.name} is no fault; known are {', '.join(PLAYS)}")
    parameters = list(inspect.signature(found).parameters.values())[1:]
    given: dict[str, Any] = {}
    for parameter, value in zip(parameters, directive.positional, strict=False):
        given[parameter.name] = value
    given |= {name if name != "is" else "is_": value for name, value in directive.named}
    known = {parameter.name: type(parameter.default) for parameter in parameters}
    if len(directive.positional) > len(parameters) or not given.keys() <= known.keys():
        raise NoSuchFault(f"{directive.name} takes {', '.join(name.rstrip('_') for name in known) or 'no argument'}")
    for name, value in given.items():
        try:
            given[name] = known[name](value)
        except (ValueError, OverflowError):
            raise NoSuchFault(f"{directive.name}: {name} is {known[name].__name__}, not {value}") from None
    return found(good, **given)
