"""The life of one request, in the order it happens.

    begin    read it, decide, and write down where it goes
    send     to the chosen deployment; a failure before content tries one more
    answer   pass on what comes, and book it, whatever way it ends

Rules are elsewhere: who may see it and who is good enough in `policy`, what bytes mean in `wire`, sockets in
`providers`, records in `ledger`. An exchange is finished exactly once, and each attempt is settled exactly once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from twintrack.catalog.cost import cost_nusd, reported_nusd
from twintrack.catalog.energy import energy_mj
from twintrack.config.snapshot import Deployment, Route
from twintrack.errors import BadRequest, ProviderRefused, TwintrackError, Unavailable, UpstreamError, UpstreamTimeout
from twintrack.gateway.choosing import NAMED_OUTPUT_TOKENS, RUNG, Refused, choose, counted_tokens, labels_of
from twintrack.gateway.state import GatewayState, Serving
from twintrack.ledger.records import Dispatch, Outcome, Refuse, Settle, State
from twintrack.policy.explain import header_reason
from twintrack.providers.connection import Connection
from twintrack.providers.upstream import Upstream
from twintrack.wire import hybrid
from twintrack.wire.count_tokens import counted
from twintrack.wire.dialect import Asked, Endpoint, Stream, decode
from twintrack.wire.http1 import Headers, ResponseHead
from twintrack.wire.limits import MARKS, carried
from twintrack.wire.passage import Conversation, Passage, Straight, Untranslatable
from twintrack.wire.pipe import Pipe
from twintrack.wire.prompt import NO_LABELS, Labels
from twintrack.wire.refusal import fits, reworded
from twintrack.wire.stream import PassingStream
from twintrack.wire.translators import client_side
from twintrack.wire.usage import NO_USAGE, Usage

MOST_DEPLOYMENTS = 2
"""The chosen one and one more."""
_COMMENT = b": still waiting\n\n"
_COMMENT_EVERY_S = 15.0
_OUR_FAULT = frozenset((401, 403, 404))
"""A provider that says these to us was configured wrongly; the client did nothing wrong."""
_TRY_ANOTHER = frozenset((401, 402, 403, 404, 408, 409, 425, 429))
_WHY_NOT_OK = {2: "only 200 is an answer", 3: "redirects are not followed"}
_MAX_REFUSAL_BYTES = 1_048_576
_BYTES_PER_TOKEN = 4


_MOST_HEADER_CHARS = 1_000
_THEIR_ID = (b"x-request-id", b"request-id")
_TOLD = MARKS.union(_THEIR_ID)


class Client(Protocol):
    """Whoever asked: a connection of the server, or a program that holds the gateway as a library."""

    def answer(self, status: int, headers: bytes, body: bytes) -> None: ...

    def open(self, status: int, headers: bytes, first: bytes) -> None: ...

    def write(self, data: bytes) -> None: ...

    def close(self, last: bytes = b"") -> None: ...

    def cut(self, last: bytes) -> None: ...

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        """What sends framed chunks of the open answer as they are; None if this client takes none."""
        ...


class Exchange:
    __slots__ = (
        "_answer_bytes",
        "_asked",
        "_attempt",
        "_began",
        "_between_s",
        "_body",
        "_client",
        "_comment_at",
        "_connection",
        "_conversation",
        "_decision",
        "_dropped",
        "_endpoint",
        "_failure",
        "_first_byte",
        "_gateway",
        "_headers",
        "_key",
        "_labels",
        "_opened",
        "_over",
        "_passage",
        "_pipe",
        "_position",
        "_prompt_tokens_est",
        "_pulse",
        "_redialled",
        "_response",
        "_route",
        "_sent",
        "_serving",
        "_signals",
        "_slow",
        "_stream",
        "_target",
        "_total_deadline",
        "_ttft_us",
        "_whole_answer",
        "deadline",
        "request_id",
    )

    def __init__(self, gateway: GatewayState, endpoint: Endpoint, client: Client, headers: Headers, key: int) -> None:
        """`key` is the index of the caller's key in the serving snapshot, -1 where none is configured."""
        self._gateway = gateway
        self._serving: Serving = gateway.serving
        self._endpoint = endpoint
        self._client = client
        self._headers = headers
        self._key = key
        self.request_id = gateway.next_id()
        self._labels: Labels = NO_LABELS
        self._conversation: Conversation | BadRequest | None = None
        """The request as other dialects need it, once one was needed; or why it cannot be read."""
        self._failure: TwintrackError | None = None
        """Why the last attempt did not do."""
        self._attempt = -1
        self._position = 0
        self._redialled = False
        self._connection: Connection | None = None
        self._response: ResponseHead | None = None
        self._stream: Stream | None = None
        self._pipe: Pipe | None = None
        """The stream's short way, once it has begun."""
        self._ttft_us: int | None = None
        self._opened = False
        """The client has its headers."""
        self._over = False
        self._slow = False
        """The client does not read, so neither do we."""
        self._between_s = self._serving.snapshot.deadlines.between_chunks_s
        self._route: Route | None = None

    # ------------------------------------------------------------------ begin

    def begin(self, body: bytes) -> None:
        gateway = self._gateway
        self._began = time.monotonic_ns()
        self.deadline = self._total_deadline = gateway.now + self._serving.snapshot.deadlines.total_s
        self._comment_at = 0.0
        try:
            self._asked: Asked = decode(self._endpoint, body)
            self._labels = labels_of(self._headers, self._asked)
            self._route, self._signals, self._prompt_tokens_est, self._decision = choose(
                self._serving, self._endpoint, self._asked, self._labels, self._key, len(body)
            )
        except Refused as refused:
            self._refuse(refused)
            return
        except TwintrackError as error:
            other = hybrid.meant(self._endpoint, body) if isinstance(error, BadRequest) else None
            if other is None:
                self._reject(error)
            else:
                self._endpoint = other
                self.begin(body)
            return
        if self._endpoint.name == "count_tokens" and self._counted():
            return
        self._body = body
        if self._labels.deadline_ms is not None:
            # From this moment, not from the last tick: a deadline may be shorter than what lies between two.
            self._total_deadline = self._began / 1e9 + min(
                self._labels.deadline_ms / 1000, self._serving.snapshot.deadlines.total_s
            )
        if self._asked.stream:
            self._comment_at = gateway.now + self._serving.snapshot.deadlines.keepalive_after_s
        self._send()

    def _counted(self) -> bool:
        """Count tokens ourselves where the chosen provider cannot: a client that asks gets a number either way."""
        target = self._decision.order[0].deployment
        if self._endpoint.name in self._serving.upstreams[target.index].straight:
            return False
        self._over = True
        self._estimate()
        return True

    def _estimate(self) -> None:
        headers = b"content-type: application/json\r\nx-twintrack-estimated: true\r\n" + self._id_headers()
        self._client.answer(200, headers, counted(counted_tokens(self._asked)))

    def _refuse(self, refused: Refused) -> None:
        """Nobody may answer. What was understood of the request stays on record."""
        error, route, signals = refused.error, refused.route, refused.signals
        self._gateway.note(
            Refuse(
                self.request_id,
                time.time_ns() // 1000,
                self._serving.snapshot.generation,
                route.index if route else -1,
                self._key,
                self._endpoint.name,
                error.status,
                error.code,
                RUNG[signals.data_class],
                signals.prompt_tokens_est,
                getattr(error, "ruled_out", ()),
            )
        )
        self._reject(error)

    def _reject(self, error: TwintrackError) -> None:
        """Nobody was asked."""
        self._over = True
        self._gateway.exchanges.discard(self)
        self._gateway.count_refusal(error)
        self._fail_client(error)

    # ------------------------------------------------------------------- send

    def _send(self, fresh: bool = False) -> bool:
        """Dispatch to the deployment at `_position`; the record is in the journal before a byte is on its way.

        One that cannot be told what the client said is passed over. False: nobody else could be asked, and what the
        last one said still stands.
        """
        gateway, serving, decision = self._gateway, self._serving, self._decision
        admitted = decision.order[self._position]
        target = admitted.deployment
        self._attempt += 1
        signals, endpoint, route = self._signals, self._endpoint, self._route
        upstream = serving.upstreams[target.index]
        try:
            passage: Passage = upstream.straight.get(endpoint.name) or self._translated(upstream)
            body = passage.body(self._asked, self._body, upstream.target)
            dropped = passage.dropped
            if upstream.adapters:
                body, differing = upstream.adapted(passage, body, self._drops)
                dropped += differing
            call = upstream.prepare(passage, endpoint, self._headers, body, signals.stream)
            gateway.journal.append(
                Dispatch(
                    self.request_id,
                    self._attempt,
                    time.time_ns() // 1000,
                    serving.snapshot.generation,
                    target.index,
                    route.index if route else -1,
                    decision.tier if self._position == 0 else serving.tier_of(route, target.index),
                    self._key,
                    endpoint.name,
                    signals.stream,
                    RUNG[signals.data_class],
                    decision.reason,
                    decision.deployment,
                    decision.baseline,
                    self._prompt_tokens_est,
                    decision.predicted_nusd if route else self._predicted_nusd(target),
                    decision.p_good,
                    signals.complexity if route else None,
                    decision.propensity,
                    signals.task,
                    signals.language,
                    decision.ruled_out,
                    call.body_bytes,
                )
            )
        except (BadRequest, Unavailable) as error:
            # This provider cannot be told what the client said, or not be asked at all; the next one perhaps can.
            self._attempt -= 1
            if self._position + 1 < len(decision.order):
                self._position += 1
                return self._send()
            if self._failure is None:
                self._refuse(Refused(error, route, signals))
            return False
        except TwintrackError as error:
            gateway.count_refusal(error)
            self._finish()
            self._fail_client(error)
            return True
        except Exception as error:  # noqa: BLE001 - a fault of ours: whoever asked is told, and nobody waits for nothing
            print(f"twintrack: request {self.request_id}: {type(error).__name__}: {error}"[:400], file=sys.stderr)
            self._attempt -= 1
            self._reject(TwintrackError("The gateway could not write this request", why="it met a fault of its own"))
            return True
        self._target = target
        self._passage = passage
        self._dropped = dropped
        self._pulse = serving.load[target.index]
        self._pulse.in_flight += 1
        self._sent = time.monotonic_ns()
        self._connection = self._response = self._stream = None
        self._whole_answer = bytearray()
        """Of an unstreamed answer what has come."""
        self._answer_bytes = 0
        self._first_byte = False
        self.deadline = gateway.now + serving.snapshot.deadlines.first_byte_s
        gateway.exchanges.add(self)
        gateway.pool.send(admitted, call, self, self._attempt, fresh=fresh)
        return True

    def _translated(self, upstream: Upstream) -> Passage:
        """The way to a provider of another dialect; the client's request is read for it once."""
        conversation = self._conversation
        if conversation is None:
            if self._endpoint.name == "count_tokens":
                raise Unavailable("This provider does not count tokens")
            try:
                conversation = Conversation(client_side(self._endpoint.name), self._body, self._drops, self.request_id)
            except BadRequest as error:
                self._conversation = error  # the next provider need not read it again
                raise
            self._conversation = conversation
        elif isinstance(conversation, BadRequest):
            raise conversation
        return upstream.translated(conversation)

    @property
    def _drops(self) -> bool:
        """Whether what a provider cannot be told may be left out."""
        return self._labels.drop_unsupported or (self._route is not None and self._route.drop_unsupported)

    def _predicted_nusd(self, target: Deployment) -> int | None:
        price = target.price
        return None if price is None else cost_nusd(price, self._prompt_tokens_est, NAMED_OUTPUT_TOKENS)

    def _another(self, error: UpstreamError, *, same: bool = False) -> bool:
        """Move on to the next allowed deployment, if content has not begun and there is one."""
        if same and not self._redialled:
            self._redialled = True
            return self._send(fresh=True) or self._over
        if self._position + 1 < min(MOST_DEPLOYMENTS, len(self._decision.order)):
            self._position += 1
            self._failure = error
            if self._send():
                self._gateway.failovers += 1
                return True
        return False

    # ------------------------------------------------ answer: what a provider says

    def on_connected(self, connection: Connection, attempt: int) -> bool:
        if self._over or attempt != self._attempt:
            return False
        self._connection = connection
        return True

    def on_unreachable(self, error: UpstreamError, attempt: int) -> None:
        if not self._over and attempt == self._attempt:
            self._failed(error)

    def on_head(self, head: ResponseHead) -> None:
        self._response = head
        self._first_byte = True
        self.deadline = self._gateway.now + self._between_s
        encoding = head.headers.get(b"content-encoding", b"identity")
        if encoding != b"identity":
            raise UpstreamError(f"The provider compressed its answer ({encoding.decode('latin-1')[:20]}) unasked")
        if head.status == 200 and self._asked.stream:
            if not head.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
                raise UpstreamError("The provider answered a stream with something else")
            self._stream = self._passage.open_stream(self._asked)

    def on_piece(self, data: bytes) -> None:
        self.deadline = self._gateway.now + self._between_s
        self._answer_bytes += len(data)
        stream = self._stream
        if stream is None:
            self._whole_answer += data
            if self._answer_bytes > self._most_bytes():
                raise UpstreamError("The provider's answer is too large")
        elif stream.content:
            if self._pipe is not None:
                self._answer_bytes += self._pipe.empty()
            elif self._answer_bytes > self._most_bytes():  # a translated answer is kept to its end
                raise UpstreamError("The provider's answer is too large")
            passing = stream.feed(data)
            if passing:
                self._client.write(passing)
        else:
            self._feed_opening(stream, data)

    def _feed_opening(self, stream: Stream, data: bytes) -> None:
        """Up to the first content, which commits the answer to this deployment."""
        passing = stream.feed(data)
        if not stream.content:
            return
        self._ttft_us = (time.monotonic_ns() - self._sent) // 1000
        self._body = b""  # no other deployment will be asked
        self._comment_at = 0.0
        if not self._opened:
            self._opened = True
            self._client.open(200, self._answer_headers(b"text/event-stream"), passing)
        elif passing:
            self._client.write(passing)
        write = self._client.chunk_writer()
        if write is not None and self._connection is not None and isinstance(stream, PassingStream):
            self._pipe = Pipe(stream, write)
            self._connection.offer(self._pipe)

    def on_end(self) -> None:
        response, stream = self._response, self._stream
        assert response is not None
        if response.status != 200:
            self._refused(response)
        elif stream is None:
            self._whole()
        else:
            last = self._close(stream)
            if not stream.content:
                self._failed(UpstreamError("The provider ended its stream without content"))
            elif stream.finished and not stream.failure:
                self._settle("settled", "ok", "")
                self._finish()
                self._client.close(last)
            else:
                why = stream.failure or "the stream ended without a finish reason"
                self._failed(UpstreamError("The provider broke off its answer", why=why))

    def _close(self, stream: Stream) -> bytes:
        """Read the stream's end; return what it held back."""
        if self._pipe is not None:
            self._answer_bytes += self._pipe.empty()
            self._pipe = None
        return stream.close()

    def on_failure(self, error: UpstreamError) -> None:
        self._failed(error)

    def _whole(self) -> None:
        try:
            body, usage = self._passage.answer(bytes(self._whole_answer))
        except Untranslatable as error:
            self._failed(error, usage=error.usage)
            return
        except UpstreamError as error:
            self._failed(error)
            return
        cost = self._settle("settled", "ok", "", usage)
        self._finish()
        self._client.answer(200, self._answer_headers(b"application/json", cost), body)

    def _refused(self, response: ResponseHead) -> None:
        """The provider answered with an error status: the client's own doing, or a reason to ask another."""
        status = response.status
        self._settle("released", "upstream_refused", f"status {status}")
        ours = status in _OUR_FAULT or status < 400
        error = UpstreamError(
            f"The provider answered {status}",
            why=_WHY_NOT_OK.get(status // 100, "it does not accept our key or model" if ours else ""),
        )
        if ours or status >= 500 or status in _TRY_ANOTHER:
            if status >= 500 or status == 429:
                self._pulse.failed(self._gateway.now)
            if self._another(error):
                return
        self._finish()
        if ours or self._opened:
            self._fail_client(error)
            return
        body = bytes(self._whole_answer)
        if not isinstance(self._passage, Straight) or not fits(self._endpoint.dialect, body):
            self._fail_client(reworded(status, body))
            return
        content_type = response.headers.get(b"content-type", b"application/json")
        self._client.answer(status, self._answer_headers(content_type), body)

    def _failed(self, error: UpstreamError, *, blame: bool = True, usage: Usage | None = None) -> None:
        """The attempt broke. Before content another deployment may be asked; behind it the client is told.

        `blame`: it says something about the provider's health. `usage`: what a whole answer reported all the same.
        """
        connection = self._connection
        late = isinstance(error, UpstreamTimeout)
        # Nothing was sent, or the provider closed a kept-alive connection just as we wrote: certainly not charged.
        stale = connection is not None and connection.served > 0 and not connection.received and not late
        stream = self._stream
        if stream is not None:
            self._close(stream)
            usage = stream.usage()
        charged = usage is not None and usage.output_tokens is not None
        state: State = "released" if connection is None or stale else "settled" if charged else "unknown"
        self._settle(state, "upstream_timeout" if late else "upstream_failed", error.what, usage)
        if connection is not None:
            connection.abort()
        if blame and not stale:
            self._pulse.failed(self._gateway.now)
        if (stream is None or not stream.content) and self._another(error, same=stale):
            return
        self._finish()
        self._fail_client(error)

    # ------------------------------------------------ answer: what a client does

    def on_client_left(self) -> None:
        """Stop the provider at once, and book what it has done so far."""
        if self._over:
            return
        connection = self._connection
        if connection is None:
            self._settle("released", "client_left", "before anything was sent")
        else:
            connection.abort()
            response, stream = self._response, self._stream
            if stream is not None:
                self._close(stream)
            refused = response is not None and response.status != 200
            self._settle("released" if refused else "settled", "client_left", "")
        self._finish()

    def on_client_slow(self) -> None:
        # Once the exchange is over its connection may serve another.
        if self._connection is not None and not self._over:
            self._slow = True
            self._connection.pause()

    def on_client_ready(self) -> None:
        if self._connection is not None and not self._over:
            self._slow = False
            self._connection.resume()
            self.deadline = self._gateway.now + self._between_s

    # ------------------------------------------------------------------- time

    def on_tick(self, now: float) -> None:
        """Five times a second: is something late, does a waiting client need a sign of life?"""
        pipe = self._pipe
        if pipe is not None and pipe.moved:
            pipe.moved = False
            self.deadline = now + self._between_s
        if now >= self._total_deadline:
            self._position = MOST_DEPLOYMENTS  # no time for another
            self._redialled = True
            # A deadline a client chose, or did not meet itself, must not close a deployment to others.
            blame = not self._first_byte and self._labels.deadline_ms is None
            self._failed(UpstreamTimeout("The request took longer than its deadline"), blame=blame)
        elif now >= self.deadline and not self._slow:  # the provider cannot be late while we do not read
            what = "The provider fell silent" if self._first_byte else "The provider did not begin to answer in time"
            self._failed(UpstreamTimeout(what))
        elif self._comment_at and now >= self._comment_at:
            self._comment_at = now + _COMMENT_EVERY_S
            if self._opened:
                self._client.write(_COMMENT)
            else:
                self._opened = True
                self._client.open(200, b"content-type: text/event-stream\r\n" + self._id_headers(), _COMMENT)

    # -------------------------------------------------------------- book and end

    def _settle(self, state: State, outcome: Outcome, detail: str, usage: Usage | None = None) -> int | None:
        """Write the attempt's end; return its cost in nano-dollars, None where unknown or charged by the hour."""
        target = self._target
        stream = self._stream
        ended = time.monotonic_ns()
        if usage is None:
            usage = stream.usage() if stream is not None else NO_USAGE
        source = "reported" if usage.output_tokens is not None else "none"
        if state == "settled" and source == "none":
            usage, source = self._estimated(usage), "estimated"
        cost = baseline = energy = None
        if state == "settled":
            cost = reported_nusd(target.price, usage)
            if self._route is not None:
                baseline = reported_nusd(self._serving.snapshot.deployments[self._route.baseline].price, usage)
            if usage.output_tokens is not None:
                energy = energy_mj(usage.output_tokens, target.energy_j_per_output_token)
        elif state == "released":
            cost = 0
        total_us = (ended - self._sent) // 1000
        self._gateway.journal.append(
            Settle(
                self.request_id,
                self._attempt,
                time.time_ns() // 1000,
                state,
                outcome,
                self._response.status if self._response is not None else 0,
                detail,
                self._ttft_us,
                total_us,
                usage.input_tokens,
                usage.output_tokens,
                usage.cache_read_tokens,
                usage.cache_write_tokens,
                usage.reasoning_tokens,
                source,  # type: ignore[arg-type]  # one of the three words
                cost,
                baseline,
                energy,
                "unknown" if energy is None else "estimated",
                self._answer_bytes,
                usage.cache_write_1h_tokens,
                usage.input_audio_tokens,
                usage.output_audio_tokens,
                usage.input_image_tokens,
                usage.output_image_tokens,
            )
        )
        pulse = self._pulse
        pulse.in_flight -= 1
        pulse.outcomes[outcome] = pulse.outcomes.get(outcome, 0) + 1
        if outcome == "ok":
            ttft_ms = None if self._ttft_us is None else self._ttft_us // 1000
            pulse.worked(ttft_ms, total_us // 1000, self._gateway.now)
        if usage.input_tokens is not None:
            pulse.input_tokens += usage.input_tokens
        if usage.output_tokens is not None:
            pulse.output_tokens += usage.output_tokens
        if cost is not None:
            pulse.cost_nusd += cost
        elif target.per_hour_nusd == 0:
            pulse.unpriced += 1
        return cost

    def _estimated(self, usage: Usage) -> Usage:
        """What was probably used, where the provider did not say."""
        stream = self._stream
        output = stream.pieces if stream is not None else self._answer_bytes // _BYTES_PER_TOKEN
        known = usage.input_tokens if usage.input_tokens is not None else self._prompt_tokens_est
        return msgspec.structs.replace(usage, input_tokens=known, output_tokens=output)

    def _finish(self) -> None:
        self._over = True
        gateway = self._gateway
        gateway.exchanges.discard(self)
        gateway.measure_overhead(time.monotonic_ns() - self._began)

    def _fail_client(self, error: TwintrackError) -> None:
        if self._opened:
            inside = self._stream is not None and self._stream.inside
            self._client.cut((b"\n\n" if inside else b"") + self._endpoint.error_event(error, self.request_id))
            return
        if self._endpoint.name == "count_tokens" and error.status >= 500 and self._attempt >= 0:
            self._estimate()
            return
        headers = b"content-type: application/json\r\n" + self._id_headers()
        if isinstance(error, ProviderRefused) and self._response is not None:
            headers += self._told(self._response.headers)
        elif error.status in (429, 503):
            headers += b"retry-after: 1\r\n"
        self._client.answer(error.status, headers, self._endpoint.error_body(error, self.request_id))

    def _id_headers(self) -> bytes:
        """Our name of the request, and the same under the name the dialect's own SDK reads."""
        request_id = self.request_id.encode()
        return self._endpoint.id_lines % (request_id, request_id)

    def _told(self, headers: Headers) -> bytes:
        """What the provider said of its rate limits, and its own name of the request."""
        lines = b""
        for name in _THEIR_ID:
            if name in headers:
                lines = b"x-twintrack-provider-request-id: %b\r\n" % headers[name]
        return lines + carried(headers, self._passage.dialect, self._endpoint.dialect, time.time())

    def _answer_headers(self, content_type: bytes, cost: int | None = None) -> bytes:
        request_id = self.request_id.encode()
        headers = self._serving.answer_head(self._target.index, self._endpoint) % (content_type, request_id, request_id)
        response = self._response
        if response is not None and not _TOLD.isdisjoint(response.headers):
            headers += self._told(response.headers)
        if self._dropped:
            headers += b"x-twintrack-dropped: %b\r\n" % _header_value(", ".join(self._dropped))
        if self._route is not None:
            tier = self._serving.tier_of(self._route, self._target.index)
            headers += b"x-twintrack-route: %b\r\nx-twintrack-tier: %b\r\nx-twintrack-why: %b\r\n" % (
                self._route.name.encode(),
                self._route.tiers[tier].name.encode() if tier >= 0 else b"-",
                header_reason(self._decision).encode(),
            )
        if cost is not None:
            headers += b"x-twintrack-cost-usd: %d.%09d\r\n" % divmod(cost, 1_000_000_000)
        return headers

    def _most_bytes(self) -> int:
        limits = self._serving.snapshot.limits
        assert self._response is not None
        return limits.max_answer_bytes if self._response.status == 200 else _MAX_REFUSAL_BYTES


def _header_value(text: str) -> bytes:
    """Names from a request's body as a header can hold them: printable ASCII, and not for ever."""
    return "".join(each if " " <= each <= "~" else "?" for each in text[:_MOST_HEADER_CHARS]).encode()
