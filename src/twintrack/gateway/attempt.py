"""One dispatch to one deployment, from the record in the journal to its one final state.

An attempt reads what its provider says and books how it ended. Whether another one follows is not its business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from twintrack.catalog.cost import reported_nusd
from twintrack.catalog.energy import energy_mj
from twintrack.errors import UpstreamError, UpstreamTimeout
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.recovery import Failure, Kind
from twintrack.ledger.records import Outcome, Settle, State
from twintrack.providers.connection import Connection
from twintrack.wire.dialect import Stream
from twintrack.wire.http1 import ResponseHead
from twintrack.wire.passage import Passage, Untranslatable
from twintrack.wire.pipe import Pipe
from twintrack.wire.refusal import reworded
from twintrack.wire.stream import PassingStream
from twintrack.wire.usage import NO_USAGE, Usage
from twintrack.wire.wish import wish

_OUR_FAULT = frozenset((401, 403, 404))
"""A provider that says these to us was configured wrongly; the client did nothing wrong."""
_NOT_NOW = frozenset((408, 409, 425))
_ANSWERED = ("ok", "set_aside")
_WHY_NOT_OK = {2: "only 200 is an answer", 3: "redirects are not followed"}
_MAX_REFUSAL_BYTES = 1_048_576
_BYTES_PER_TOKEN = 4
SPENT_PAUSE_S = 60.0
"""How long an account without money rests where its provider does not say when it may be asked again."""


class Owner(Protocol):
    """Who made the attempt. One of the last three is called at its end, once."""

    def write(self, data: bytes) -> None:
        """More of a stream whose answer began."""
        ...

    def on_content(self, attempt: Attempt, first: bytes) -> None:
        """The answer began: from now on it is this attempt's or nobody's."""
        ...

    def on_whole(self, attempt: Attempt, body: bytes, cost_nusd: int | None) -> None:
        """An unstreamed answer is complete."""
        ...

    def on_complete(self, attempt: Attempt, last: bytes) -> None:
        """A stream is."""
        ...

    def on_failed(self, attempt: Attempt, failure: Failure) -> None: ...

    def chunk_writer(self) -> Callable[[bytes], None] | None: ...


class Attempt:
    """The `Receiver` of its provider's answer."""

    __slots__ = (
        "_accepted",
        "_answer_bytes",
        "_between_s",
        "_connection",
        "_first_byte",
        "_most_bytes",
        "_over",
        "_owner",
        "_pipe",
        "_probe",
        "_sent",
        "_stream",
        "_target",
        "_ttft_us",
        "_whole",
        "deadline",
        "dropped",
        "number",
        "outcome",
        "passage",
        "position",
        "pulse",
        "response",
        "took_ns",
    )

    def __init__(
        self,
        accepted: Accepted,
        owner: Owner,
        position: int,
        number: int,
        passage: Passage,
        dropped: tuple[str, ...],
    ) -> None:
        """
        Args:
            position: of the deployment in the decision's order.
            number: from 0 within the request.
            passage: the way to this provider and back.
            dropped: paths of what it is not told.
        """
        serving = accepted.serving
        deadlines = serving.snapshot.deadlines
        self._accepted = accepted
        self._owner = owner
        self.position = position
        self.number = number
        self.passage = passage
        self.dropped = dropped
        self._target = target = accepted.decision.order[position].deployment
        self.pulse = pulse = serving.load[target.index]
        self._probe = pulse.half_open and pulse.dispatched()
        pulse.in_flight += 1
        self._connection: Connection | None = None
        self.response: ResponseHead | None = None
        self._stream: Stream | None = None
        self._pipe: Pipe | None = None
        """The stream's short way, once it has begun."""
        self._whole = bytearray()
        """Of an unstreamed answer what has come."""
        self._answer_bytes = 0
        self._most_bytes = _MAX_REFUSAL_BYTES
        self._first_byte = False
        self._ttft_us: int | None = None
        self._over = False
        self._between_s = deadlines.between_chunks_s
        self.took_ns = 0
        """From dispatch to the end, once it has ended."""
        self.outcome: Outcome
        """Likewise."""
        self._sent = time.monotonic_ns()
        self.deadline = self._sent / 1e9 + deadlines.first_byte_s
        """When the provider is late: from this moment, not from the last tick, which may be a while ago."""

    # ---- what a provider says

    def on_connected(self, connection: Connection) -> bool:
        if self._over:
            return False
        self._connection = connection
        return True

    def on_unreachable(self, error: UpstreamError) -> None:
        if not self._over:
            self._failed(error)

    def on_head(self, head: ResponseHead) -> None:
        self.response = head
        self._first_byte = True
        accepted = self._accepted
        self.deadline = accepted.gateway.now + self._between_s
        encoding = head.headers.get(b"content-encoding", b"identity")
        if encoding != b"identity":
            raise UpstreamError(f"The provider compressed its answer ({encoding.decode('latin-1')[:20]}) unasked")
        if head.status == 200:
            self._most_bytes = accepted.serving.snapshot.limits.max_answer_bytes
            if accepted.asked.stream:
                if not head.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
                    raise UpstreamError("The provider answered a stream with something else")
                self._stream = self.passage.open_stream(accepted.asked)

    def on_piece(self, data: bytes) -> None:
        self.deadline = self._accepted.gateway.now + self._between_s
        self._answer_bytes += len(data)
        stream = self._stream
        if stream is None:
            self._whole += data
            if self._answer_bytes > self._most_bytes:
                raise UpstreamError("The provider's answer is too large")
        elif stream.content:
            if self._pipe is not None:
                self._answer_bytes += self._pipe.empty()
            elif self._answer_bytes > self._most_bytes:  # a translated answer is kept to its end
                raise UpstreamError("The provider's answer is too large")
            passing = stream.feed(data)
            if passing:
                self._owner.write(passing)
        else:
            passing = stream.feed(data)
            if stream.content:
                self._begin(stream, passing)

    def _begin(self, stream: Stream, first: bytes) -> None:
        self._ttft_us = (time.monotonic_ns() - self._sent) // 1000
        owner = self._owner
        owner.on_content(self, first)
        write = owner.chunk_writer()
        if write is not None and self._connection is not None and isinstance(stream, PassingStream):
            self._pipe = Pipe(stream, write)
            self._connection.offer(self._pipe)

    def on_end(self) -> None:
        response, stream = self.response, self._stream
        assert response is not None
        if response.status != 200:
            self._refused(response)
        elif stream is None:
            self._complete()
        else:
            last = self._close(stream)
            if not stream.content:
                self._failed(UpstreamError("The provider ended its stream without content"))
            elif stream.finished and not stream.failure:
                self._settle("settled", "ok", "")
                self._let_go().on_complete(self, last)
            else:
                why = stream.failure or "the stream ended without a finish reason"
                self._failed(UpstreamError("The provider broke off its answer", why=why))

    def on_failure(self, error: UpstreamError) -> None:
        self._failed(error)

    def _complete(self) -> None:
        try:
            body, usage = self.passage.answer(bytes(self._whole))
        except Untranslatable as error:
            self._failed(error, usage=error.usage)
            return
        except UpstreamError as error:
            self._failed(error)
            return
        cost = self._settle("settled", "ok", "", usage)
        self._let_go().on_whole(self, body, cost)

    def _refused(self, response: ResponseHead) -> None:
        """It answered with an error status: the client's own doing, or a reason to ask another."""
        status = response.status
        body = bytes(self._whole)
        self._settle("released", "upstream_refused", f"status {status}")
        wait_s, spent = wish(status, response.headers, body, time.time())
        now, pulse = self._accepted.gateway.now, self.pulse
        # What a client refers to may be kept nowhere: its own mistake, and no news of the deployment.
        unkept = status == 404 and bool(self._accepted.asked.pinned())
        ours = (status in _OUR_FAULT and not unkept) or status < 400
        kind: Kind
        too_long = None
        if spent:
            kind = "spent"
            self._accepted.serving.rest_account(self._target, now, SPENT_PAUSE_S if wait_s is None else wait_s)
        elif ours or status == 429 or status >= 500 or status in _NOT_NOW:
            kind = "refused" if ours else "rate_limited" if status == 429 else "server_error"
            if wait_s:
                pulse.wished(now, wait_s)
            elif status != 403:
                pulse.failed(now, probe=self._probe)
            elif self._probe:
                pulse.undecided()  # moderation says this as well, and no client's words may close a deployment
        else:
            too_long = reworded(status, body).too_long
            kind = "client" if too_long is None else "too_long"
            if not unkept:
                pulse.alive()
            elif self._probe:
                pulse.undecided()
        why = "it does not accept our key or model" if ours else ""
        error = UpstreamError(f"The provider answered {status}", why=_WHY_NOT_OK.get(status // 100, why))
        window = 0 if too_long is None else too_long[1]
        self._let_go().on_failed(self, Failure(kind, error, wait_s, status, body, window))

    def _failed(
        self, error: UpstreamError, *, kind: Kind | None = None, blame: bool = True, usage: Usage | None = None
    ) -> None:
        """It broke. `blame`: by the provider's doing. `usage`: what a whole answer reported all the same."""
        connection = self._connection
        late = isinstance(error, UpstreamTimeout)
        # Nothing was sent, or the provider closed a kept-alive connection just as we wrote: certainly not charged.
        stale = connection is not None and connection.served > 0 and not connection.received and not late
        silent = connection is not None and not connection.received and not late
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
            self.pulse.failed(self._accepted.gateway.now, probe=self._probe)
        elif self._probe:
            self.pulse.undecided()
        if kind is None:
            kind = "stale" if stale else "timeout" if late else "unreachable" if connection is None else "broken"
        error.__traceback__ = None  # its frames know us as well
        self._let_go().on_failed(self, Failure(kind, error, silent=silent))

    # ---- what its owner does

    @property
    def content(self) -> bool:
        """The answer began."""
        return self._stream is not None and self._stream.content

    @property
    def deployment(self) -> str:
        return self._target.name

    @property
    def inside(self) -> bool:
        """The client has the start of an event whose end has not come."""
        return self._stream is not None and self._stream.inside

    def tick(self, now: float, *, slow: bool) -> None:
        """Is the provider late? It cannot be while the client does not read (`slow`), and so neither do we."""
        pipe = self._pipe
        if pipe is not None and pipe.moved:
            pipe.moved = False
            self.deadline = now + self._between_s
        if now >= self.deadline and not slow:
            what = "The provider fell silent" if self._first_byte else "The provider did not begin to answer in time"
            self._failed(UpstreamTimeout(what))

    def quiet_since(self) -> float:
        """When the provider last said something, as of the last tick; only of an answer that began."""
        return self.deadline - self._between_s

    def out_of_time(self) -> None:
        """The request's own deadline passed, which the client may have chosen, or used up itself."""
        blame = not self._first_byte and self._accepted.labels.deadline_ms is None
        error = UpstreamTimeout("The request took longer than its deadline")
        self._failed(error, kind="deadline", blame=blame)

    def abandon(self) -> None:
        """The client left: stop the provider at once, and book what it has done so far."""
        connection = self._connection
        if connection is None:
            self._settle("released", "client_left", "before anything was sent")
        else:
            connection.abort()
            stream, response = self._stream, self.response
            if stream is not None:
                self._close(stream)
            refused = response is not None and response.status != 200
            self._settle("released" if refused else "settled", "client_left", "")
        if self._probe:
            self.pulse.undecided()
        self._let_go()

    def _let_go(self) -> Owner:
        """The owner, whom this attempt forgets.

        Each would keep the other, and both what was asked and answered, until the collector comes round: long after
        some hundred megabytes.
        """
        owner = self._owner
        del self._owner
        return owner

    def pause(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        if self._connection is not None:
            self._connection.resume()
            self.deadline = self._accepted.gateway.now + self._between_s

    # ---- book

    def _close(self, stream: Stream) -> bytes:
        """Read the stream's end; return what it held back."""
        if self._pipe is not None:
            self._answer_bytes += self._pipe.empty()
            self._pipe = None
        return stream.close()

    def _settle(
        self, state: State, outcome: Outcome, detail: str, usage: Usage | None = None, seen: bytes = b""
    ) -> int | None:
        """Write the end; return the cost in nano-dollars, None where unknown or charged by the hour."""
        self._over = True
        accepted, target, stream = self._accepted, self._target, self._stream
        self.took_ns = time.monotonic_ns() - self._sent
        self.outcome = outcome
        if usage is None:
            usage = stream.usage() if stream is not None else NO_USAGE
        source = "reported" if usage.output_tokens is not None else "none"
        if state == "settled" and source == "none":
            usage, source = self._estimated(usage), "estimated"
        cost = baseline = energy = None
        if state == "settled":
            cost = reported_nusd(target.price, usage)
            if accepted.route is not None and self._has_baseline(outcome):
                other = accepted.serving.snapshot.deployments[accepted.route.baseline]
                baseline = cost if other is target else reported_nusd(other.price, usage)
            if usage.output_tokens is not None:
                energy = energy_mj(usage.output_tokens, target.energy_j_per_output_token)
        elif state == "released":
            cost = 0
        total_us = self.took_ns // 1000
        gateway = accepted.gateway
        gateway.journal.append(
            Settle(
                accepted.request_id,
                self.number,
                time.time_ns() // 1000,
                state,
                outcome,
                self.response.status if self.response is not None else 0,
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
                seen,
            )
        )
        route = accepted.route
        if route is not None:
            if cost and route.nusd_per_day >= 0:
                accepted.serving.steering[route.index].paid(cost)
            if outcome == "ok":
                tokens = accepted.prompt_tokens_est + (usage.output_tokens or 0)
                accepted.serving.conversations.answered(accepted.decision.conversation, target.index, tokens)
        pulse = self.pulse
        pulse.in_flight -= 1
        pulse.outcomes[outcome] = pulse.outcomes.get(outcome, 0) + 1
        if outcome in _ANSWERED:
            ttft_ms = None if self._ttft_us is None else self._ttft_us // 1000
            pulse.worked(ttft_ms, total_us // 1000, gateway.now)
        return cost

    def _has_baseline(self, outcome: Outcome) -> bool:
        """Whether the request would have needed these tokens without routing, too."""
        return outcome != "set_aside"

    def _estimated(self, usage: Usage) -> Usage:
        """What was probably used, where the provider did not say."""
        stream = self._stream
        output = stream.pieces if stream is not None else self._answer_bytes // _BYTES_PER_TOKEN
        known = usage.input_tokens if usage.input_tokens is not None else self._accepted.prompt_tokens_est
        return msgspec.structs.replace(usage, input_tokens=known, output_tokens=output)
