"""Header lines of answers: whose they are, what they cost, and what the provider said beside them."""

from __future__ import annotations

import time

from twintrack.gateway.accepted import Accepted
from twintrack.gateway.attempt import Attempt
from twintrack.policy.explain import header_reason
from twintrack.wire.dialect import Endpoint
from twintrack.wire.http1 import Headers
from twintrack.wire.limits import MARKS, carried

_MOST_CHARS = 1_000
_THEIR_ID = (b"x-request-id", b"request-id")
_TOLD = MARKS.union(_THEIR_ID)


def id_lines(endpoint: Endpoint, request_id: str) -> bytes:
    """Our name of the request, and the same under the name the dialect's own SDK reads."""
    name = request_id.encode()
    return endpoint.id_lines % (name, name)


def attempts_line(attempts: int) -> bytes:
    """How many there were, where one did not do: each has its row in the ledger."""
    return b"x-twintrack-attempts: %d\r\n" % attempts


def told(headers: Headers, from_dialect: str, to_dialect: str) -> bytes:
    """What the provider said of its rate limits, and its own name of the request."""
    lines = b""
    for name in _THEIR_ID:
        if name in headers:
            lines = b"x-twintrack-provider-request-id: %b\r\n" % headers[name]
    return lines + carried(headers, from_dialect, to_dialect, time.time())


def answer_lines(
    accepted: Accepted, attempt: Attempt, content_type: bytes, attempts: int, cost_nusd: int | None
) -> bytes:
    """Of what `attempt` brought.

    Args:
        attempts: so many were made.
        cost_nusd: None: not known yet, or never.
    """
    request_id = accepted.request_id.encode()
    position, response, dropped = attempt.position, attempt.response, attempt.dropped
    target = accepted.decision.order[position].deployment
    head = accepted.serving.answer_head(target.index, accepted.endpoint, accepted.signals.data_class)
    headers = head % (content_type, request_id, request_id)
    if response is not None and not _TOLD.isdisjoint(response.headers):
        headers += told(response.headers, attempt.passage.dialect, accepted.endpoint.dialect)
    if dropped:
        headers += b"x-twintrack-dropped: %b\r\n" % _value(", ".join(dropped))
    route = accepted.route
    if route is not None:
        why = header_reason(accepted.decision, position).encode()
        headers += b"%bx-twintrack-why: %b\r\n" % (accepted.serving.route_lines(route, target.index), why)
    if attempts > 1:
        headers += attempts_line(attempts)
    if cost_nusd is not None:
        headers += b"x-twintrack-cost-usd: %d.%09d\r\n" % divmod(cost_nusd, 1_000_000_000)
    return headers


def _value(text: str) -> bytes:
    """Names from a request's body as a header can hold them: printable ASCII, and not for ever."""
    return "".join(each if " " <= each <= "~" else "?" for each in text[:_MOST_CHARS]).encode()
