"""What of a request's content goes into the journal, so that the control plane can tell it to a collector."""

from __future__ import annotations

from twintrack.gateway.accepted import Accepted
from twintrack.gateway.outgoing import caller_trace
from twintrack.ledger.records import MOST_CONTENT_BYTES, Content
from twintrack.telemetry.content import INPUT_ONLY, may_be_told
from twintrack.telemetry.trace import trace_of


class Telling:
    """Of one request, once: what it was is known at its beginning, what it got at its end."""

    __slots__ = ("_accepted", "_bytes", "_request")

    def __init__(self, accepted: Accepted, body: bytes) -> None:
        self._accepted = accepted
        self._bytes = len(body)
        self._request = body if self._bytes <= MOST_CONTENT_BYTES else b""

    def tell(self, stream: bool, answer: bytes, answer_bytes: int) -> None:
        """`answer`: what the client got, or its start; `answer_bytes`: of all of it."""
        accepted = self._accepted
        endpoint = accepted.endpoint.name
        if endpoint in INPUT_ONLY:
            answer, answer_bytes = b"", 0
        content = Content(accepted.request_id, endpoint, stream, self._request, self._bytes, answer, answer_bytes)
        accepted.gateway.journal.offer(content)


def telling(accepted: Accepted, body: bytes) -> Telling | None:
    """Of a request on a route that wants its content told; None if this one must not be, or would get no span."""
    if not may_be_told(accepted.endpoint.name, accepted.signals.data_class):
        return None
    if accepted.labels.override is not None:
        return None  # what an operator lets out is for who answers
    snapshot = accepted.serving.snapshot
    caller = caller_trace(accepted.headers, snapshot)
    if not trace_of(accepted.request_id, caller, snapshot.telemetry.sample).sampled:
        return None
    return Telling(accepted, body)
