"""The table of faults: what each does, what a client of the gateway must see of it, and what the ledger must say.

It is data about the gateway, kept beside the provider that plays it: the tests go through it row by row, and
docs/failures.md is written from it. Two things follow from where a fault happens. Before the first word of an answer
the client has nothing yet, so another deployment may answer; behind it the answer is broken, and is said to be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Client = Literal["answer", "error", "broken"]
"""answer: the right one. error: an error of the client's dialect and no word of an answer. broken: words, and behind
them an error event of its dialect instead of an end."""
Cost = Literal["billed", "nothing", "unknown", "estimated"]
"""billed: to the nano-dollar what the provider bills, since it told its usage."""


class Outcome(NamedTuple):
    client: Client
    """Where no other deployment may answer."""
    status: int
    """The client's; 0: as the provider's."""
    moves_on: bool
    """Where another deployment may answer it is asked, and the client sees the right answer."""
    state: Literal["settled", "released", "unknown"]
    outcome: Literal["ok", "upstream_failed", "upstream_timeout", "upstream_refused"]
    cost: Cost


ANSWERED = Outcome("answer", 200, False, "settled", "ok", "billed")
ESTIMATED = ANSWERED._replace(cost="estimated")
FAILED = Outcome("error", 502, True, "unknown", "upstream_failed", "unknown")
LATE = Outcome("error", 504, True, "unknown", "upstream_timeout", "unknown")
UNREACHED = Outcome("error", 502, True, "released", "upstream_failed", "nothing")
TOO_LATE = LATE._replace(moves_on=False)
"""It used up the time of the whole request."""
REFUSED = Outcome("error", 0, True, "released", "upstream_refused", "nothing")
OURS = REFUSED._replace(status=502)
"""A provider that says this to us was configured wrongly; the client did nothing wrong."""
TOLD = REFUSED._replace(moves_on=False)
"""It is the client's own doing."""
BROKEN = Outcome("broken", 200, False, "unknown", "upstream_failed", "unknown")
BROKEN_LATE = BROKEN._replace(outcome="upstream_timeout")
BROKEN_TOLD = BROKEN._replace(state="settled", cost="billed")
"""It had told its usage before it broke."""


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    what: str
    """What the provider does."""
    directives: tuple[str, ...]
    """How a request asks for it; each has the same outcome. Empty: it lies in the deployment's address."""
    whole: Outcome
    streamed: Outcome
    but: Mapping[str, Outcome] = field(default_factory=dict)
    """By the provider's endpoint, where its stream ends otherwise."""
    looks_stale: bool = False
    """On a connection that was used before it may be that the provider had closed it before it was asked. So it is
    asked once more at once, on a connection and a row of its own; the row before is released and costs nothing."""

    spent: bool = False
    """Nobody else of this account is asked for a while either."""

    def of(self, endpoint: str, *, streamed: bool) -> Outcome:
        return self.but.get(endpoint, self.streamed) if streamed else self.whole


def _statuses(*statuses: int) -> tuple[str, ...]:
    return tuple(f"http({status}{wait})" for status in statuses for wait in ("", ", retry_after=1"))


FAULTS: tuple[Fault, ...] = (
    # -- it says nothing, or stops
    Fault("accepts the request and says nothing", ("hang(head)",), LATE, LATE),
    Fault("falls silent behind its headers", ("hang(body)",), LATE, LATE),
    Fault("falls silent behind its first event", ("hang(opening)",), LATE, LATE),
    Fault("falls silent behind some words", ("hang(words)", "hang(half)"), LATE, BROKEN_LATE),
    Fault("closes without a word", ("cut(start)", "cut(start, reset)"), FAILED, FAILED, looks_stale=True),
    Fault("breaks off inside its headers", ("cut(head)", "cut(head, reset)"), FAILED, FAILED),
    Fault("breaks off behind its headers", ("cut(body)", "cut(body, reset)"), FAILED, FAILED),
    Fault(
        "breaks off before the first word", ("cut(opening)", "cut(opening, reset)", "cut(opening, end)"), FAILED, FAILED
    ),
    Fault("breaks off behind some words", ("cut(words)", "cut(words, reset)"), FAILED, BROKEN),
    Fault("breaks off inside an event", ("cut(half)", "cut(half, reset)"), FAILED, BROKEN),
    Fault("ends in good order, but too early", ("cut(words, end)", "cut(half, end)"), FAILED, BROKEN),
    Fault("breaks off behind its usage", ("cut(usage)", "cut(usage, reset)"), FAILED, BROKEN_TOLD),
    Fault("sends its headers byte by byte, slowly", ("drip(head, every=0.2)",), LATE, LATE),
    Fault("sends its answer byte by byte, slowly", ("drip(body, every=0.2)",), TOO_LATE, TOO_LATE),
    # -- it says it in other pieces, or says more
    Fault("answers late", ("wait(0.3)",), ANSWERED, ANSWERED),
    Fault("splits its bytes anywhere, inside characters too", ("split(1)", "split(2)", "split(7)"), ANSWERED, ANSWERED),
    Fault("mixes the ends of its lines", ("lines(crlf)", "lines(cr)", "lines(mixed)"), ANSWERED, ANSWERED),
    Fault(
        "leaves out the event that ends a stream",
        ("done(0)",),
        ANSWERED,
        BROKEN,
        {"chat": ANSWERED, "messages": BROKEN_TOLD},
    ),
    Fault("repeats the event that ends a stream", ("done(2)", "done(3)"), ANSWERED, ANSWERED),
    Fault("goes on behind the event that ends a stream", ("beyond",), ANSWERED, ANSWERED),
    Fault("sends comments before its stream", ("comments(3)",), ANSWERED, ANSWERED),
    Fault("sends nothing but comments", ("comments(3, only=1)", "comments(200, 60000, 1)"), ANSWERED, FAILED),
    # -- an error inside a 200
    Fault("sends an error inside a 200", ("error(first)", "error(first, quota)"), FAILED, FAILED),
    Fault(
        "sends a valid first event, then an error about its quota",
        ("error(opening, quota)", "error(opening, overloaded)"),
        FAILED,
        FAILED,
    ),
    Fault("sends an error behind some words", ("error(words)", "error(words, quota)"), FAILED, BROKEN),
    # -- it says something else
    Fault(
        "sends what is no JSON, or none of its dialect",
        tuple(f"garble({how})" for how in ("truncated", "invalid", "utf8", "deep", "null", "list", "empty")),
        FAILED,
        FAILED,
    ),
    Fault(
        "sends what is no JSON behind some words, and ends",
        tuple(f"garble({how}, words)" for how in ("truncated", "invalid", "utf8")),
        FAILED,
        BROKEN,
    ),
    Fault("leaves out its usage", ("usage(missing)",), ESTIMATED, ESTIMATED),
    Fault("tells a negative or an absurd usage", ("usage(negative)", "usage(absurd)"), ESTIMATED, ESTIMATED),
    Fault("tells a usage of zero", ("usage(zero)",), ANSWERED, ANSWERED),
    Fault("tells its usage behind the end", ("usage(late)",), ANSWERED, ANSWERED),
    Fault("names another content type", ("content_type(text/html)", "content_type(text/plain)"), ANSWERED, FAILED),
    Fault("names another model", ("model(another-model)",), ANSWERED, ANSWERED),
    Fault("sends a page instead of an answer", ("page",), FAILED, FAILED),
    Fault("sends a page with an error status", ("page(502)", "page(503)"), REFUSED, REFUSED),
    Fault("streams where it should not, or does not where it should", ("other_kind",), FAILED, FAILED),
    Fault("answers in another dialect", ("dialect",), FAILED, FAILED),
    Fault("sends an empty answer", ("empty",), FAILED, FAILED),
    # -- error statuses
    Fault("refuses our key, or does not know the model", _statuses(401, 403, 404), OURS, OURS),
    Fault(
        "refuses what the client said",
        _statuses(
            400, 405, 406, 407, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 426, 428, 431, 451
        ),
        TOLD,
        TOLD,
    ),
    Fault("has no capacity, or is out of order", _statuses(408, 409, 425, 429), REFUSED, REFUSED),
    Fault(
        "fails",
        _statuses(500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 529),
        REFUSED,
        REFUSED,
    ),
    Fault(
        "names an odd moment to try again",
        tuple(
            f"http({status}, retry_after={wait})"
            for status in (429, 503)
            for wait in ("date", "past", "-5", "huge", "soon")
        ),
        REFUSED,
        REFUSED,
    ),
    Fault("will spend no more on our account", ("quota(429)", "quota(402)", "http(402)"), REFUSED, REFUSED, spent=True),
    Fault("answers with a status that is no answer", ("http(201)", "http(204)", "http(206)", "http(304)"), OURS, OURS),
    Fault(
        "redirects, to a cloud's metadata too",
        ("redirect(301)", "redirect(302)", "redirect(307)", "redirect(308, http://127.0.0.1:9/v1)"),
        OURS,
        OURS,
    ),
    # -- it sends too much
    Fault("sends a line of 10 MB", ("line(10)",), FAILED, FAILED),
    Fault("sends a bomb of gzip", ("gzip(10)", "gzip(10, nested=1)", "gzip(10, declared=0)"), FAILED, FAILED),
    Fault("floods us with headers", ("headers(500)", "headers(100, 1000)", "head(200000)"), FAILED, FAILED),
    # -- its HTTP is odd, or wrong
    Fault("sends informational answers first", ("interim(100)", "interim(102)", "interim(103, 4)"), ANSWERED, ANSWERED),
    Fault("sends one informational answer after another", ("interim(103, 50)",), FAILED, FAILED),
    Fault("switches to another protocol", ("interim(101)", "greeting"), FAILED, FAILED),
    Fault("speaks HTTP/1.0", ("http10",), ANSWERED, ANSWERED),
    Fault("speaks HTTP/1.0, and closes too early", ("http10(words)", "http10(half)"), FAILED, BROKEN),
    Fault("names a length that is too long", ("length(long)",), FAILED, BROKEN_TOLD),
    Fault("names a length that is too short", ("length(short)",), FAILED, BROKEN),
    Fault(
        "names two lengths, or an impossible one",
        ("length(twice)", "length(negative)", "length(chunked)"),
        FAILED,
        FAILED,
    ),
    Fault(
        "breaks the chunks of its answer before the first word",
        tuple(f"chunk({size})" for size in ("xyz", "huge", "extension", "negative", "trailer")),
        FAILED,
        FAILED,
    ),
    Fault(
        "breaks the chunks of its answer behind some words",
        tuple(f"chunk({size}, words)" for size in ("xyz", "huge", "extension", "negative", "trailer")),
        FAILED,
        BROKEN,
    ),
)
"""What a request can ask for."""

ADDRESSES: Mapping[str, Fault] = {
    "refused": Fault("nobody listens", (), UNREACHED, UNREACHED),
    "unnamed": Fault("its name does not resolve", (), UNREACHED, UNREACHED),
    "expired": Fault("its certificate has expired", (), UNREACHED, UNREACHED),
    "elsewhere": Fault("its certificate is another host's", (), UNREACHED, UNREACHED),
    "stranger": Fault("its certificate is signed by nobody we know", (), UNREACHED, UNREACHED),
    "plain": Fault("it does not speak the TLS it should", (), UNREACHED, UNREACHED),
}
"""What lies in a deployment's address or certificate."""
