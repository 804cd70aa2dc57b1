"""Answers that are spoiled in what they say: one function for each kind, with the arguments a directive can give."""

from __future__ import annotations

import email.utils
import time
from dataclasses import replace

from twintrack.providers.scripted.delivery import Asked, Delivery, deliver
from twintrack.providers.scripted.directive import NoSuchFault
from twintrack.providers.scripted.server import Script
from twintrack.providers.scripted.shapes import Tokens, error_body, error_event
from twintrack.providers.scripted.spoil import SHORT_S, one_of, partly, raw_answer, up_to

METADATA = "http://169.254.169.254/latest/meta-data/"
"""Where a cloud machine asks for its own credentials: the classical goal of a forged redirect."""


# ---- it says nothing, or stops


def wait(good: Delivery, seconds: float = 1.0) -> Script:
    """Waits before the first byte of the body, then answers well."""
    return good.script((seconds, *good.pieces))


def hang(good: Delivery, at: str = "head") -> Script:
    """Says nothing more from a place on: head, body, opening, words, half or usage."""
    if at == "head":
        return Script(framing="raw", end="hang")
    return partly(good, up_to(good, at), end="hang")


def cut(good: Delivery, at: str = "words", by: str = "close") -> Script:
    """Ends at a place: start, head, body, opening, words, half or usage. `by` close, reset, or end: in good order."""
    if at == "start":
        return Script(framing="raw", end=one_of(by, "close", "reset"))
    if at == "head":
        head = b"HTTP/1.1 200 OK\r\ncontent-ty"
        return Script(framing="raw", pieces=(head, SHORT_S), end=one_of(by, "close", "reset"))
    pieces = up_to(good, at)
    if by == "end":
        return good.script(pieces)
    return partly(good, pieces, end=one_of(by, "close", "reset"))


def drip(good: Delivery, at: str = "body", every: float = 1.0, bytes: int = 1) -> Script:
    """So many bytes at a time, with a pause of `every` seconds behind each."""
    if at == "head":
        pieces = _dripping(raw_answer(good, good.pieces), bytes, every)
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
    kinds = {"crlf": (b"\r\n",), "cr": (b"\r",), "mixed": (b"\r\n", b"\n", b"\r")}[one_of(ends, "crlf", "cr", "mixed")]
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
    return good.script((*good.pieces, SHORT_S, good.pieces[good.words_from], b": still here\n\n"))


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
    }[one_of(kind, "overloaded", "quota")]
    if not good.streamed:
        return good.script((error_body(good.endpoint, words, name, code),))
    before = () if at == "first" else up_to(good, one_of(at, "opening", "words"))
    return good.script((*before, SHORT_S if before else 0.0, error_event(good.endpoint, words, name, code)))


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
    return good.script((*up_to(good, one_of(at, "opening", "words")), b"data: " + text + b"\n\n"))


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
    }[one_of(says, "missing", "zero", "negative", "absurd")]
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
