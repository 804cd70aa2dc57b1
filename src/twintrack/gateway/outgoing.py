"""A request as its providers get it: read for other dialects once, however many of them are asked."""

from __future__ import annotations

import time
from typing import Protocol

from twintrack.catalog.cost import cost_nusd
from twintrack.config.snapshot import Deployment, Snapshot
from twintrack.errors import BadRequest, Unavailable
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.choosing import NAMED_OUTPUT_TOKENS, RUNG
from twintrack.ledger.records import Dispatch, Role
from twintrack.providers.upstream import Upstream, UpstreamCall
from twintrack.signals.features import packed
from twintrack.signals.read import DESCRIBED
from twintrack.signals.signals import Signals
from twintrack.telemetry.trace import traceparent
from twintrack.wire.continuation import Cut
from twintrack.wire.http1 import Headers
from twintrack.wire.passage import Conversation, Passage
from twintrack.wire.translators import client_side

_TRACEPARENT = b"traceparent"
_ANSWER: Role = "answer"
_DRAFT: Role = "draft"


class Holding(Protocol):
    """Makes of a way to a provider one that holds the answer back."""

    def __call__(self, passage: Passage) -> Passage: ...

    def avoids(self, straight: str, translated: str) -> bool:
        """Whether the provider's endpoint `translated` is to be asked, where `straight` could be."""
        ...


class Outgoing:
    __slots__ = ("_accepted", "_conversation", "body")

    def __init__(self, accepted: Accepted, body: bytes) -> None:
        """`body` is the client's."""
        self._accepted = accepted
        self.body = body
        self._conversation: Conversation | BadRequest | None = None
        """The request as other dialects need it, once one was needed; or why it cannot be read."""

    def call(self, target: Deployment, held: Holding | None = None) -> tuple[Passage, tuple[str, ...], UpstreamCall]:
        """How to ask `target`: the way there and back, the paths of what is left out, the bytes.

        Raises:
            BadRequest: this provider cannot be told what the client said.
            Unavailable: it cannot be asked at all.
        """
        accepted = self._accepted
        endpoint = accepted.endpoint
        upstream = accepted.serving.upstreams[target.index]
        straight = upstream.straight.get(endpoint.name)
        if straight is not None and held is not None and held.avoids(straight.endpoint, upstream.translates_to):
            straight = None
        passage: Passage = straight or self._translated(upstream)
        if held is not None:
            passage = held(passage)
        body = passage.body(accepted.asked, self.body, upstream.target)
        dropped = passage.dropped
        if upstream.adapters:
            body, differing = upstream.adapted(passage, body, accepted.drops)
            dropped += differing
        return passage, dropped, upstream.prepare(passage, endpoint, accepted.headers, body, accepted.signals.stream)

    def continuing(self, target: Deployment, cut: Cut) -> tuple[Passage, tuple[str, ...], UpstreamCall]:
        """How to ask `target` to go on where another one broke off. Raises as `call` does."""
        if not target.prefill:
            raise Unavailable("This provider cannot go on with an answer that was begun")
        accepted = self._accepted
        upstream = accepted.serving.upstreams[target.index]
        passage = upstream.continued(self._read(), cut)
        body = passage.body(accepted.asked, self.body, upstream.target)
        body, differing = upstream.adapted(passage, body, accepted.drops)
        call = upstream.prepare(passage, accepted.endpoint, accepted.headers, body, accepted.signals.stream)
        return passage, passage.dropped + differing, call

    def _translated(self, upstream: Upstream) -> Passage:
        if self._accepted.endpoint.name == "count_tokens":
            raise Unavailable("This provider does not count tokens")
        return upstream.translated(self._read())

    def _read(self) -> Conversation:
        """Raises BadRequest."""
        conversation = self._conversation
        if conversation is None:
            accepted = self._accepted
            side = client_side(accepted.endpoint.name)
            try:
                conversation = Conversation(side, self.body, accepted.drops, accepted.request_id)
            except BadRequest as error:
                self._conversation = error  # the next provider need not read it again
                raise
            self._conversation = conversation
        elif isinstance(conversation, BadRequest):
            raise conversation
        return conversation


def dispatch_record(accepted: Accepted, position: int, number: int, body_bytes: int) -> Dispatch:
    """What the journal says before a byte is on its way.

    Args:
        position: of the deployment in the decision's order.
        number: of the attempt, from 0.
        body_bytes: of the body sent to the provider.
    """
    decision, signals, route = accepted.decision, accepted.signals, accepted.route
    target = decision.order[position].deployment
    p_good, drafting, role = decision.p_good, decision.drafting, _ANSWER
    if drafting is not None and position < drafting.count:
        role = _DRAFT
        predicted = decision.predicted_nusd
    elif drafting is not None:
        p_good, predicted = drafting.p_good, drafting.predicted_nusd
    elif route is not None:
        predicted = decision.predicted_nusd
    else:
        price = target.price
        predicted = None if price is None else cost_nusd(price, accepted.prompt_tokens_est, NAMED_OUTPUT_TOKENS)
    return Dispatch(
        accepted.request_id,
        number,
        time.time_ns() // 1000,
        accepted.serving.snapshot.generation,
        target.index,
        route.index if route else -1,
        accepted.tier(position),
        accepted.key,
        accepted.endpoint.name,
        signals.stream,
        RUNG[signals.data_class],
        decision.reason,
        decision.deployment,
        decision.baseline,
        accepted.prompt_tokens_est,
        predicted,
        p_good,
        signals.complexity if route else None,
        decision.propensity,
        signals.task,
        signals.language,
        decision.ruled_out,
        body_bytes,
        caller_trace(accepted.headers, accepted.serving.snapshot) if _TRACEPARENT in accepted.headers else "",
        role,
        _features(signals) if route is not None and route.learn and (number == 0 or position == 0) else b"",
        decision.p_enough,
        decision.p_best,
    )


def _features(signals: Signals) -> bytes:
    found = signals.features
    return packed(found) if found and signals.data_class in DESCRIBED else b""


def caller_trace(headers: Headers, snapshot: Snapshot) -> str:
    """The caller's traceparent, where somebody wants to know it; else empty."""
    header = headers.get(_TRACEPARENT)
    return traceparent(header) if header is not None and snapshot.telemetry.otlp else ""
