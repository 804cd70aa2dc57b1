"""The life of one request, in the order it happens.

    begin    read it, find out what has to be known about it, decide, and write down where it goes
    send     to the chosen deployment; a failure before content asks the next one
    answer   pass on what comes, whatever way it ends

Rules are elsewhere: who may see it and who is good enough in `policy`, who is next in `recovery`, what bytes mean in
`wire`, sockets in `providers`, records in `ledger`. Each attempt is an `Attempt`, which reads and books it. An
exchange is finished exactly once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from twintrack.config.snapshot import Route
from twintrack.errors import BadRequest, ProviderRefused, TwintrackError, Unavailable, UpstreamTimeout
from twintrack.gateway import fault, heads
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.attempt import Attempt
from twintrack.gateway.cascade import Drafts
from twintrack.gateway.choosing import Refused, class_unread, counted_tokens, labels_of
from twintrack.gateway.client import Client
from twintrack.gateway.deciding import decided, refuse_record
from twintrack.gateway.outgoing import Outgoing, dispatch_record
from twintrack.gateway.recovery import Course, Failure
from twintrack.gateway.said import Said
from twintrack.gateway.state import GatewayState
from twintrack.gateway.telling import telling
from twintrack.gateway.undecided import Inquiry, Undecided, inquiries
from twintrack.policy.refusal import unreached
from twintrack.wire import hybrid
from twintrack.wire.continuation import TAKEN_UP, Cut, cut, mark
from twintrack.wire.count_tokens import counted
from twintrack.wire.dialect import Asked, Endpoint, decode
from twintrack.wire.http1 import Headers
from twintrack.wire.passage import Straight
from twintrack.wire.refusal import fits, reworded

_COMMENT = b": still waiting\n\n"
_LONGEST_RETRY_AFTER_S = 30
_NO_RETRY = b"x-should-retry: false\r\n"
"""What the SDKs of OpenAI and Anthropic obey (openai-python and anthropic-sdk-python, _base_client.py, 2026-11-20)."""


class Exchange:
    """The `Owner` of a request's attempts, one after the other."""

    __slots__ = (
        "_accepted",
        "_aside_nusd",
        "_attempt",
        "_began",
        "_client",
        "_comment_at",
        "_course",
        "_cut",
        "_drafts",
        "_endpoint",
        "_failure",
        "_gateway",
        "_headers",
        "_inquiries",
        "_inquiry",
        "_key",
        "_opened",
        "_outgoing",
        "_over",
        "_paused_ns",
        "_redialled",
        "_refusing",
        "_resume_at",
        "_said",
        "_sent",
        "_serving",
        "_slow",
        "_total_deadline",
        "_undecided",
        "_unsaid",
        "_waited_ns",
        "chunk_writer",
        "request_id",
        "write",
    )

    def __init__(self, gateway: GatewayState, endpoint: Endpoint, client: Client, headers: Headers, key: int) -> None:
        """`key` is the index of the caller's key in the serving snapshot, -1 where none is configured."""
        self._gateway = gateway
        self._serving = gateway.serving
        self._endpoint = endpoint
        self._client = client
        self._headers = headers
        self._key = key
        self.request_id = gateway.next_id()
        self._accepted: Accepted | None = None
        """None until it is decided."""
        self._undecided: Undecided | None = None
        """Until then, where something has to be found out first."""
        self._inquiries: Iterator[Inquiry] = iter(())
        self._inquiry: Inquiry | None = None
        """The one under way."""
        self._attempt: Attempt | None = None
        """The one under way; None: a pause between two, or none yet."""
        self._aside_nusd: int | None = 0
        """Cost of attempts whose answer the client does not get, where they were whole; None: unknown."""
        self._sent = 0
        """Attempts."""
        self._course: Course | None = None
        """Made when the first attempt failed."""
        self._failure: Failure | None = None
        """Why the last attempt did not do."""
        self._refusing: Attempt | None = None
        """The attempt of that failure."""
        self._unsaid: BadRequest | Unavailable | None = None
        """Why a provider could not be asked at all."""
        self._said: Said | None = None
        """What the client has got, where somebody may want it."""
        self._drafts: Drafts | None = None
        """Cheaper answers that are checked first; None: there are none."""
        self._cut: Cut | None = None
        """Where it broke off."""
        self._redialled = False
        """A kept-alive connection turned out to be closed: no other one is trusted with this request."""
        self._resume_at = 0.0
        """When the pause is over."""
        self._paused_ns = 0
        """When it began; 0: there is none."""
        self._waited_ns = 0
        """For providers: in attempts that are over, and in pauses between them."""
        self._opened = False
        """The client has its headers."""
        self._over = False
        self._slow = False
        """The client does not read, so neither do we."""

    # ------------------------------------------------------------------ begin

    def begin(self, body: bytes) -> None:
        gateway, serving = self._gateway, self._serving
        self._began = time.monotonic_ns()
        deadlines = serving.snapshot.deadlines
        self._total_deadline = gateway.now + deadlines.total_s
        self._comment_at = math.inf
        try:
            asked = decode(self._endpoint, body)
            labels = labels_of(self._headers, asked, serving, self._key)
        except TwintrackError as error:
            other = hybrid.meant(self._endpoint, body) if isinstance(error, BadRequest) else None
            if other is None:
                self._reject(error)
            else:
                self._endpoint = other
                self.begin(body)
            return
        if labels.deadline_ms is not None:
            # From this moment, not from the last tick: a deadline may be shorter than what lies between two.
            self._total_deadline = self._began / 1e9 + min(labels.deadline_ms / 1000, deadlines.total_s)
        if asked.stream:
            self._comment_at = gateway.now + deadlines.keepalive_after_s
        undecided = Undecided(
            self.request_id, gateway, serving, self._endpoint, self._headers, self._key, labels, asked, body
        )
        if serving.inquires:
            self._undecided = undecided
            self._inquiries = inquiries(undecided)
            self._inquire()
        else:
            self._decide(undecided)

    def _inquire(self) -> None:
        """Find out what has to be known first, now or over several turns of the loop; then decide."""
        undecided = self._undecided
        assert undecided is not None
        while undecided.refused is None:
            inquiry = self._inquiry = next(self._inquiries, None)
            if inquiry is None:
                self._undecided, self._inquiries = None, iter(())  # they hold the body
                self._decide(undecided)
                return
            if not inquiry.begin(self._inquire):
                self._gateway.exchanges.add(self)
                return
        self._reject(undecided.refused)

    def _decide(self, undecided: Undecided) -> None:
        try:
            accepted, wanted = decided(undecided)
        except Refused as refused:
            self._refuse(undecided, refused)
            return
        except TwintrackError as error:
            self._reject(error)
            return
        self._accepted = accepted
        asked, route, body = accepted.asked, accepted.route, undecided.body
        if self._endpoint.name == "count_tokens" and self._counted(accepted):
            return
        if undecided.restoring is not None:
            self._client = undecided.restoring.before(self._client)
        if route is not None and (route.trace_content or route.take_up):
            self._listen(accepted, route, body)
        if asked.stream:
            self.write, self.chunk_writer = self._client.write, self._client.chunk_writer
        self._sent, self._aside_nusd = undecided.attempts, undecided.cost_nusd
        self._waited_ns = undecided.waited_ns
        self._outgoing = Outgoing(accepted, body)
        if wanted is not None:
            self._drafts = Drafts(self, accepted, wanted, self._drafts_until(accepted))
        self._send(accepted, 0)

    def _stop_inquiry(self) -> None:
        inquiry, self._inquiry = self._inquiry, None
        if inquiry is not None:
            inquiry.drop()

    def _listen(self, accepted: Accepted, route: Route, body: bytes) -> None:
        """Keep what the client gets, if somebody may want it."""
        tell = telling(accepted, body) if route.trace_content else None
        takes_up = bool(accepted.asked.stream) and route.take_up and self._endpoint.name in TAKEN_UP
        if takes_up or tell is not None:
            self._client = self._said = Said(self._client, tell, takes_up=takes_up, opened=self._opened)

    def _drafts_until(self, accepted: Accepted) -> float:
        """Half of the time is left to whoever answers if no draft is believed."""
        now = self._gateway.now
        return math.inf if accepted.labels.deadline_ms is None else now + (self._total_deadline - now) / 2

    def _counted(self, accepted: Accepted) -> bool:
        """Count tokens ourselves where the chosen provider cannot: a client that asks gets a number either way."""
        if self._endpoint.name in self._serving.upstreams[accepted.target(0).index].straight:
            return False
        self._over = True
        self._gateway.exchanges.discard(self)
        self._estimate(accepted.asked)
        return True

    def _estimate(self, asked: Asked) -> None:
        headers = b"content-type: application/json\r\nx-twintrack-estimated: true\r\n"
        self._client.answer(200, headers + self._id_lines(), counted(counted_tokens(asked)))

    def _refuse(self, of: Undecided | Accepted, refused: Refused) -> None:
        """Nobody may answer. What was understood of the request stays on record."""
        error, route = refused.error, refused.route
        self._gateway.note(refuse_record(of, refused))
        outcome = "refused" if error.status < 500 else "unavailable"
        self._gateway.count_request((route.name if route else "", "", refused.signals.data_class, outcome))
        self._reject(error)

    def _reject(self, error: TwintrackError) -> None:
        """Nobody was asked."""
        self._over = True
        self._stop_inquiry()
        self._gateway.exchanges.discard(self)
        self._gateway.count_refusal(error)
        self._fail_client(error)

    # ------------------------------------------------------------------- send

    def _send(self, accepted: Accepted, position: int) -> None:
        """Dispatch to the deployment at `position`; the record is in the journal before a byte is on its way."""
        gateway = self._gateway
        try:
            target, cut = accepted.target(position), self._cut
            outgoing, drafts = self._outgoing, self._drafts
            if drafts is not None and position >= drafts.count:
                drafts = None
            if cut is not None:
                passage, dropped, call = outgoing.continuing(target, cut)
            else:
                passage, dropped, call = outgoing.call(target, None if drafts is None else drafts.holding(position))
            gateway.journal.append(dispatch_record(accepted, position, self._sent, call.body_bytes))
        except (BadRequest, Unavailable) as error:
            self._pass_over(accepted, position, error)
            return
        except TwintrackError as error:
            gateway.count_refusal(error)
            self._finish("unavailable")
            self._fail_client(error)
            return
        except Exception as error:  # noqa: BLE001 - a fault of ours: whoever asked is told, and nobody waits for nothing
            fault.tell(self.request_id, error)
            self._reject(TwintrackError("The gateway could not write this request", why="it met a fault of its own"))
            return
        if self._failure is not None:
            gateway.count_failover(self._failure.kind)
        attempt = self._attempt = (
            Attempt(accepted, self, position, self._sent, passage, dropped)
            if drafts is None
            else drafts.attempt(position, self._sent, passage, dropped)
        )
        self._sent += 1
        gateway.exchanges.add(self)
        gateway.pool.send(accepted.decision.order[position], call, attempt, fresh=self._redialled)

    def _pass_over(self, accepted: Accepted, position: int, error: BadRequest | Unavailable) -> None:
        """This provider cannot be told what the client said, or not be asked at all; the next one perhaps can."""
        self._unsaid = error
        self._course_of(accepted).impossible(position)
        self._go_on(accepted)

    def _course_of(self, accepted: Accepted) -> Course:
        course = self._course
        if course is None:
            repeated = self._gateway.repeats.known(self._fingerprint(), self._gateway.now)
            course = self._course = Course(
                accepted.decision.order,
                self._serving.load,
                self._serving.snapshot.failover,
                self._gateway.random,
                repeats=not repeated,
            )
            for position in range(0 if self._drafts is None else self._drafts.count):
                course.impossible(position)  # who drafts does not answer unchecked
        return course

    def _go_on(self, accepted: Accepted) -> None:
        """Ask whoever is next, now or after a pause; if nobody is, tell the client."""
        now = self._gateway.now
        self._end_pause()
        step = self._course_of(accepted).next(now, self._total_deadline)
        if step is None:
            self._stop(accepted)
        elif step.at > now:
            self._resume_at = step.at
            self._paused_ns = time.monotonic_ns()
            self._gateway.exchanges.add(self)
        else:
            self._send(accepted, step.position)

    def _end_pause(self) -> None:
        if self._paused_ns:
            self._waited_ns += time.monotonic_ns() - self._paused_ns
            self._paused_ns = 0

    def _stop(self, accepted: Accepted) -> None:
        """Nobody is left to ask, or no time. What was sent says more than what could not be sent."""
        if self._failure is not None:
            self._give_up(self._failure)
        elif self._sent:
            self._finish("unavailable")
            self._fail_client(
                Unavailable("No model that is good enough can answer right now", fix="Try again shortly.")
            )
        else:
            assert self._unsaid is not None  # why nothing is under way
            self._refuse(accepted, Refused(self._unsaid, accepted.route, accepted.signals))

    def _fingerprint(self) -> int:
        """Of what is asked and by whom."""
        return hash((self._key, self._endpoint.name, self._outgoing.body))

    # ----------------------------------------------------------------- answer

    def on_content(self, attempt: Attempt, first: bytes) -> None:
        if self._said is None or not self._said.takes_up:
            self._outgoing.body = b""  # no other deployment will be asked
        elif self._cut is not None:
            first = mark(self._cut, attempt.deployment) + first
        if self._slow:
            attempt.pause()  # the client stopped reading the one before, and this one does not know
        self._comment_at = self._gateway.now + self._serving.snapshot.deadlines.keepalive_every_s
        if not self._opened:
            self._opened = True
            self._client.open(200, self._answer_lines(attempt, b"text/event-stream"), first)
        elif first:
            self.write(first)

    def on_whole(self, attempt: Attempt, body: bytes, cost_nusd: int | None) -> None:
        if self._aside_nusd is None:
            cost_nusd = None
        elif cost_nusd is not None:
            cost_nusd += self._aside_nusd
        self._finish("ok", attempt)
        self._client.answer(200, self._answer_lines(attempt, b"application/json", cost_nusd), body)

    def on_complete(self, attempt: Attempt, last: bytes) -> None:
        self._finish("ok", attempt)
        self._client.close(last)

    def on_held(self, attempt: Attempt, held: bytes) -> None:
        """A stream that was held back to its end, and is the answer."""
        self._finish("ok", attempt)
        if self._opened:
            self._client.write(held)
        else:
            self._opened = True
            self._client.open(200, self._answer_lines(attempt, b"text/event-stream"), held)
        self._client.close()

    def on_set_aside(
        self, attempt: Attempt, position: int | None, failure: Failure | None, cost_nusd: int | None
    ) -> None:
        """A draft is not the answer. `position`: of another one to ask for; None: whoever is good enough answers."""
        accepted = self._accepted
        assert accepted is not None
        self._waited_ns += attempt.took_ns
        self._attempt = None
        self._aside_nusd = None if self._aside_nusd is None or cost_nusd is None else self._aside_nusd + cost_nusd
        if failure is None:
            self._gateway.count_failover("set_aside")
        self._failure, self._refusing = failure, attempt
        if position is None:
            self._go_on(accepted)
        else:
            self._send(accepted, position)

    def on_failed(self, attempt: Attempt, failure: Failure) -> None:
        """Before content another deployment may be asked. Behind it, and where nobody is left, the client is told."""
        accepted = self._accepted
        assert accepted is not None
        self._waited_ns += attempt.took_ns
        if not failure.elsewhere or (attempt.content and not self._can_take_up(attempt)):
            self._give_up(failure, attempt)
            return
        self._attempt = None
        self._failure, self._refusing = failure, attempt
        if failure.kind == "stale" and not self._redialled:
            self._redialled = True
            self._send(accepted, attempt.position)
            return
        self._course_of(accepted).failed(attempt.position, failure, self._gateway.now)
        self._go_on(accepted)

    def _can_take_up(self, attempt: Attempt) -> bool:
        """Whether somebody else could go on from where this stream broke off."""
        said = self._said
        if said is None or not said.takes_up or attempt.inside or not said.whole:
            return False
        self._cut = cut(self._endpoint.name, said.whole)
        return self._cut is not None

    def _give_up(self, failure: Failure, attempt: Attempt | None = None) -> None:
        """Tell the client how the last attempt failed."""
        accepted = self._accepted
        if attempt is None:
            attempt = self._refusing
        assert attempt is not None
        if failure.elsewhere and not attempt.content:
            self._gateway.repeats.note(self._fingerprint(), self._gateway.now)
        self._attempt = attempt  # its answer is what the client gets
        self._finish(attempt.outcome)
        response = attempt.response
        if failure.kind == "unreachable" and accepted is not None:
            error = unreached(
                self._serving.policy, accepted.decision, accepted.signals, accepted.route, self._key, failure.error
            )
            self._fail_client(error)
        elif failure.kind == "refused" or not failure.status or self._opened or response is None:
            self._fail_client(failure.error)
        elif not isinstance(attempt.passage, Straight) or not fits(self._endpoint.dialect, failure.body):
            self._fail_client(reworded(failure.status, failure.body))
        else:
            content_type = response.headers.get(b"content-type", b"application/json")
            headers = self._answer_lines(attempt, content_type)
            self._client.answer(failure.status, headers + self._hints(failure), failure.body)

    def _hints(self, failure: Failure) -> bytes:
        """An account without money has none in a second either."""
        return _NO_RETRY if failure.kind == "spent" else b""

    # ------------------------------------------------ what a client does

    def on_client_left(self) -> None:
        """Stop the provider at once."""
        if self._over:
            return
        if self._accepted is None:
            self._leave_undecided()
            return
        attempt = self._attempt
        if attempt is not None:
            attempt.abandon()
        self._finish("client_left", attempt)
        if self._said is not None:
            self._said.left()

    def _leave_undecided(self) -> None:
        """Nobody was asked, and nobody waits for an answer."""
        self._over = True
        self._stop_inquiry()
        self._gateway.exchanges.discard(self)
        undecided = self._undecided
        assert undecided is not None  # who leaves before that is not heard
        route = undecided.asked.model if undecided.asked.model in self._serving.routes else ""
        unread = class_unread(self._serving, undecided.asked, undecided.labels, self._key)
        self._gateway.count_request((route, "", unread, "client_left"))

    def on_client_slow(self) -> None:
        # Once the exchange is over its connection may serve another.
        if self._attempt is not None and not self._over:
            self._slow = True
            self._attempt.pause()

    def on_client_ready(self) -> None:
        if not self._over:
            self._slow = False
            if self._attempt is not None:
                self._attempt.resume()

    # ------------------------------------------------------------------- time

    def on_tick(self, now: float) -> None:
        """Five times a second: is something late, does a waiting client need a sign of life?"""
        attempt = self._attempt
        late = now >= self._total_deadline
        if attempt is None:
            accepted = self._accepted
            if accepted is None:
                if late:
                    self._reject(UpstreamTimeout("The request was not decided within its deadline"))
            elif late:
                self._stop(accepted)
            elif now >= self._resume_at:
                self._go_on(accepted)
        elif late and self._slow:
            self._let_down(attempt)
        elif late:
            attempt.out_of_time()
        else:
            attempt.tick(now, slow=self._slow)
        if now >= self._comment_at and not self._over:
            self._say_something(now)

    def _let_down(self, attempt: Attempt) -> None:
        """The client used up the time itself, by not reading: as if it had left."""
        attempt.abandon()
        self._finish("client_left", attempt)
        self._fail_client(UpstreamTimeout("The answer was not read within the request's deadline"))

    def _say_something(self, now: float) -> None:
        """A comment between two events, so that nobody on the way takes silence for death."""
        attempt, every_s = self._attempt, self._serving.snapshot.deadlines.keepalive_every_s
        self._comment_at = now + every_s
        if not self._opened:
            self._opened = True
            self._client.open(200, b"content-type: text/event-stream\r\n" + self._id_lines(), _COMMENT)
        elif attempt is None or not attempt.content:
            self._client.write(_COMMENT)
        elif now - attempt.quiet_since() < every_s:
            self._comment_at = attempt.quiet_since() + every_s
        elif not attempt.inside and not self._slow:
            self._client.write(_COMMENT)

    # --------------------------------------------------------------------- end

    def _finish(self, outcome: str, attempt: Attempt | None = None) -> None:
        """`attempt`: one that just ended, and whose time is not among what we waited yet."""
        self._over = True
        self._drafts = None  # it knows us
        if attempt is not None:
            self._waited_ns += attempt.took_ns
        else:
            self._end_pause()
            attempt = self._attempt
        gateway, accepted = self._gateway, self._accepted
        assert accepted is not None
        gateway.exchanges.discard(self)
        kind = accepted.kind(attempt.position if attempt is not None else 0, outcome)
        gateway.finished(kind, time.monotonic_ns() - self._began - self._waited_ns)

    def _fail_client(self, error: TwintrackError) -> None:
        attempt, endpoint = self._attempt, self._endpoint
        if self._opened:
            inside = attempt is not None and attempt.inside
            self._client.cut((b"\n\n" if inside else b"") + endpoint.error_event(error, self.request_id))
            return
        accepted = self._accepted
        if endpoint.name == "count_tokens" and error.status >= 500 and accepted is not None and self._sent:
            self._estimate(accepted.asked)
            return
        headers = b"content-type: application/json\r\n" + self._id_lines()
        if isinstance(error, ProviderRefused) and attempt is not None and attempt.response is not None:
            headers += heads.told(attempt.response.headers, attempt.passage.dialect, endpoint.dialect)
            if self._failure is not None:
                headers += self._hints(self._failure)
        elif error.status in (429, 503):
            headers += b"retry-after: %d\r\n" % self._retry_after_s()
        self._client.answer(error.status, headers, endpoint.error_body(error, self.request_id))

    def _retry_after_s(self) -> int:
        """Until the first deployment is tried again, at least a second."""
        now = self._gateway.now
        pauses = [pulse.until - now for pulse in self._serving.load if not pulse.healthy]
        return max(1, min(math.ceil(min(pauses, default=1.0)), _LONGEST_RETRY_AFTER_S))

    def _id_lines(self) -> bytes:
        lines = heads.id_lines(self._endpoint, self.request_id)
        return lines + heads.attempts_line(self._sent) if self._sent > 1 else lines

    def _answer_lines(self, attempt: Attempt, content_type: bytes, cost_nusd: int | None = None) -> bytes:
        accepted = self._accepted
        assert accepted is not None
        return heads.answer_lines(
            accepted,
            attempt.position,
            content_type,
            attempt.response,
            attempt.passage.dialect,
            attempt.dropped,
            self._sent,
            cost_nusd,
        )
