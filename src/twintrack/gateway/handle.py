"""The life of one request, in the order it happens.

    begin    read it, find out what has to be known about it, decide
    send     to the chosen deployment; a failure before content asks the next one
    answer   pass on what comes, whatever way it ends

The last two are a `Sending`'s. Rules are elsewhere: who may see it and who is good enough in `policy`, who is next in
`recovery`, what bytes mean in `wire`, sockets in `providers`, records in `ledger`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from twintrack.errors import BadRequest, TwintrackError, UpstreamTimeout
from twintrack.gateway import fault
from twintrack.gateway.choosing import Refused, class_unread, labels_of
from twintrack.gateway.client import Client
from twintrack.gateway.deciding import decided, note_refused
from twintrack.gateway.reply import Reply
from twintrack.gateway.sending import Sending
from twintrack.gateway.state import GatewayState
from twintrack.gateway.undecided import Inquiry, Undecided, inquiries
from twintrack.wire import hybrid
from twintrack.wire.dialect import Endpoint, decode
from twintrack.wire.http1 import Headers


def handle(
    gateway: GatewayState, endpoint: Endpoint, client: Client, headers: Headers, key: int, body: bytes
) -> Sending | Inquiring | None:
    """Begin with one request: whom to tell what its client does from now on, None if it is over already.

    Args:
        headers: names in lower case.
        key: index of the caller's key in the serving snapshot, -1 where none is configured.
    """
    serving, began_ns = gateway.serving, time.monotonic_ns()
    request_id = gateway.next_id()
    reply = Reply(client, serving, endpoint, request_id)
    try:
        asked = decode(endpoint, body)
        labels = labels_of(headers, asked, serving, key)
    except TwintrackError as error:
        other = hybrid.meant(endpoint, body) if isinstance(error, BadRequest) else None
        if other is not None:
            return handle(gateway, other, client, headers, key, body)
        reply.reject(error, gateway)
        return None
    deadlines = serving.snapshot.deadlines
    deadline = gateway.now + deadlines.total_s
    if labels.deadline_ms is not None:
        # From this moment, not from the last tick: a deadline may be shorter than what lies between two.
        deadline = began_ns / 1e9 + min(labels.deadline_ms / 1000, deadlines.total_s)
    if asked.stream:
        reply.comment_at = gateway.now + deadlines.keepalive_after_s
    undecided = Undecided(request_id, gateway, serving, endpoint, headers, key, labels, asked, body)
    if serving.inquires:
        inquiring = Inquiring(undecided, reply, began_ns, deadline)
        inquiring.go_on()
        return inquiring
    return _send(undecided, reply, began_ns, deadline)


def _send(undecided: Undecided, reply: Reply, began_ns: int, deadline: float) -> Sending | None:
    """Decide, and ask whoever was chosen; None: nobody is asked."""
    try:
        accepted, wanted = decided(undecided)
    except Refused as refused:
        note_refused(undecided, refused)
        reply.reject(refused.error, undecided.gateway)
        return None
    except TwintrackError as error:
        reply.reject(error, undecided.gateway)
        return None
    except Exception as error:  # noqa: BLE001 - a fault of ours: whoever asked is told, and nobody waits for nothing
        fault.tell(undecided.request_id, error)
        why = "it met a fault of its own"
        reply.reject(TwintrackError("The gateway could not decide this request", why=why), undecided.gateway)
        return None
    endpoint = accepted.endpoint.name
    if endpoint == "count_tokens" and endpoint not in accepted.serving.upstreams[accepted.target(0).index].straight:
        reply.estimate(accepted.asked, 0)
        return None
    if undecided.restoring is not None:
        reply.client = undecided.restoring.before(reply.client)
    sending = Sending(accepted, undecided, reply, began_ns, deadline)
    sending.begin(wanted)
    return sending


class Inquiring:
    """A request about which something has to be known before it is decided, now or over several turns of the loop."""

    __slots__ = ("_began_ns", "_deadline", "_gateway", "_inquiries", "_inquiry", "_reply", "_sending", "_undecided")

    def __init__(self, undecided: Undecided, reply: Reply, began_ns: int, deadline: float) -> None:
        """
        Args:
            began_ns: when the request came, on the monotonic clock.
            deadline: when its time is over, on the gateway's.
        """
        self._gateway = undecided.gateway
        self._undecided: Undecided | None = undecided
        """Until it is decided."""
        self._inquiries: Iterator[Inquiry] = inquiries(undecided)
        self._inquiry: Inquiry | None = None
        """The one under way."""
        self._reply = reply
        self._began_ns = began_ns
        self._deadline = deadline
        self._sending: Sending | None = None
        """Once it is decided."""

    def go_on(self) -> None:
        """Find out what is left to find out; then decide."""
        undecided = self._undecided
        assert undecided is not None
        while undecided.refused is None:
            inquiry = self._inquiry = next(self._inquiries, None)
            if inquiry is None:
                self._end()
                self._sending = _send(undecided, self._reply, self._began_ns, self._deadline)
                return
            if not inquiry.begin(self.go_on):
                self._gateway.exchanges.add(self)
                return
        self._reject(undecided.refused)

    def _end(self) -> None:
        """Nothing is found out any more."""
        inquiry, self._inquiry = self._inquiry, None
        if inquiry is not None:
            inquiry.drop()
        self._undecided = None  # it holds the body
        self._inquiries = iter(())  # likewise
        self._gateway.exchanges.discard(self)

    def _reject(self, error: TwintrackError) -> None:
        self._end()
        self._reply.reject(error, self._gateway)

    def on_client_left(self) -> None:
        undecided = self._undecided
        if self._sending is not None:
            self._sending.on_client_left()
        elif undecided is not None:
            self._end()
            serving, asked = undecided.serving, undecided.asked
            route = asked.model if asked.model in serving.routes else ""
            unread = class_unread(serving, asked, undecided.labels, undecided.key)
            self._gateway.count_request((route, "", unread, "client_left"))

    def on_client_slow(self) -> None:
        if self._sending is not None:
            self._sending.on_client_slow()

    def on_client_ready(self) -> None:
        if self._sending is not None:
            self._sending.on_client_ready()

    def on_tick(self, now: float) -> None:
        """Five times a second, while something is found out: is that late, does the client need a sign of life?"""
        reply = self._reply
        if now >= self._deadline:
            self._reject(UpstreamTimeout("The request was not decided within its deadline"))
        elif now >= reply.comment_at:
            reply.comment(now, 0, None, slow=False)
