"""A request that may be answered, until it is: sent to the chosen deployment, and on a failure before content to the
next one; what comes is passed on, whatever way it ends.

Who is next is for `recovery` to say, each attempt is an `Attempt`, and what the client hears is its `Reply`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from twintrack.config.snapshot import Route
from twintrack.errors import BadRequest, TwintrackError, Unavailable, UpstreamTimeout
from twintrack.gateway import fault, heads
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.attempt import Attempt
from twintrack.gateway.cascade import Drafts
from twintrack.gateway.checks import Wanted
from twintrack.gateway.choosing import Refused
from twintrack.gateway.deciding import note_refused
from twintrack.gateway.outgoing import Outgoing, dispatch_record
from twintrack.gateway.recovery import Course, Failure
from twintrack.gateway.reply import EVENTS, JSON, Reply
from twintrack.gateway.said import Said
from twintrack.gateway.telling import telling
from twintrack.gateway.undecided import Undecided
from twintrack.policy.refusal import unreached
from twintrack.wire.continuation import TAKEN_UP, Cut, cut, mark
from twintrack.wire.passage import Straight
from twintrack.wire.refusal import fits, reworded


class Sending:
    """The `Owner` of a request's attempts, one after the other. It finishes exactly once."""

    __slots__ = (
        "_accepted",
        "_aside_nusd",
        "_attempt",
        "_began_ns",
        "_course",
        "_cut",
        "_deadline",
        "_drafts",
        "_failed",
        "_gateway",
        "_outgoing",
        "_over",
        "_paused_ns",
        "_redialled",
        "_reply",
        "_resume_at",
        "_said",
        "_sent",
        "_slow",
        "_unsaid",
        "_waited_ns",
        "chunk_writer",
        "write",
    )
    write: Callable[[bytes], None]
    """More of a stream, to the client."""
    chunk_writer: Callable[[], Callable[[bytes], None] | None]

    def __init__(self, accepted: Accepted, undecided: Undecided, reply: Reply, began_ns: int, deadline: float) -> None:
        """
        Args:
            undecided: what it was accepted from.
            began_ns: when the request came, on the monotonic clock.
            deadline: when its time is over, on the gateway's.
        """
        self._accepted = accepted
        self._gateway = accepted.gateway
        self._reply = reply
        self._began_ns = began_ns
        self._deadline = deadline
        self._outgoing = Outgoing(accepted, undecided.body)
        self._attempt: Attempt | None = None
        """The one under way; None: a pause between two, or none yet."""
        self._sent = undecided.attempts
        """Attempts."""
        self._aside_nusd = undecided.cost_nusd
        """Cost of attempts whose answer the client does not get, where they were whole; None: unknown."""
        self._waited_ns = undecided.waited_ns
        """For providers: in attempts that are over, and in pauses between them."""
        self._drafts: Drafts | None = None
        """Cheaper answers that are checked first; None: there are none."""
        self._said: Said | None = None
        """What the client has got, where somebody may want it."""
        self._cut: Cut | None = None
        """Where it broke off."""
        self._course: Course | None = None
        """Made when the first attempt failed."""
        self._failed: tuple[Attempt, Failure] | None = None
        """The last attempt, if it did not do, and why."""
        self._unsaid: BadRequest | Unavailable | None = None
        """Why a provider could not be asked at all."""
        self._redialled = False
        """A kept-alive connection turned out to be closed: no other one is trusted with this request."""
        self._resume_at = 0.0
        """When the pause is over."""
        self._paused_ns = 0
        """When it began; 0: there is none."""
        self._over = False
        self._slow = False
        """The client does not read, so neither do we."""

    def begin(self, wanted: Wanted | None) -> None:
        """`wanted`: of the form of the answer, where there are drafts."""
        accepted, reply = self._accepted, self._reply
        route = accepted.route
        if route is not None and (route.trace_content or route.take_up):
            self._listen(route)
        if accepted.asked.stream:
            self.write, self.chunk_writer = reply.client.write, reply.client.chunk_writer
        if wanted is not None:
            self._drafts = Drafts(self, accepted, wanted, self._drafts_until())
        self._send(0)

    def _listen(self, route: Route) -> None:
        """Keep what the client gets, if somebody may want it."""
        accepted, reply = self._accepted, self._reply
        tell = telling(accepted, self._outgoing.body) if route.trace_content else None
        takes_up = bool(accepted.asked.stream) and route.take_up and accepted.endpoint.name in TAKEN_UP
        if takes_up or tell is not None:
            reply.client = self._said = Said(reply.client, tell, takes_up=takes_up, opened=reply.opened)

    def _drafts_until(self) -> float:
        """Half of the time is left to whoever answers if no draft is believed."""
        now = self._gateway.now
        return math.inf if self._accepted.labels.deadline_ms is None else now + (self._deadline - now) / 2

    # ------------------------------------------------------------------- send

    def _send(self, position: int) -> None:
        """Dispatch to the deployment at `position`; the record is in the journal before a byte is on its way."""
        gateway, accepted = self._gateway, self._accepted
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
            self._pass_over(position, error)
            return
        except TwintrackError as error:
            gateway.count_refusal(error)
            self._finish("unavailable")
            self._fail(error)
            return
        except Exception as error:  # noqa: BLE001 - a fault of ours: whoever asked is told, and nobody waits for nothing
            fault.tell(accepted.request_id, error)
            self._reject(TwintrackError("The gateway could not write this request", why="it met a fault of its own"))
            return
        if self._failed is not None:
            gateway.count_failover(self._failed[1].kind)
        attempt = self._attempt = (
            Attempt(accepted, self, position, self._sent, passage, dropped)
            if drafts is None
            else drafts.attempt(position, self._sent, passage, dropped)
        )
        self._sent += 1
        gateway.exchanges.add(self)
        gateway.pool.send(accepted.decision.order[position], call, attempt, fresh=self._redialled)

    def _pass_over(self, position: int, error: BadRequest | Unavailable) -> None:
        """This provider cannot be told what the client said, or not be asked at all; the next one perhaps can."""
        self._unsaid = error
        self._course_of().impossible(position)
        self._go_on()

    def _course_of(self) -> Course:
        course = self._course
        if course is None:
            gateway, accepted = self._gateway, self._accepted
            serving = accepted.serving
            course = self._course = Course(
                accepted.decision.order,
                serving.load,
                serving.snapshot.failover,
                gateway.random,
                repeats=not gateway.repeats.known(self._fingerprint(), gateway.now),
            )
            for position in range(0 if self._drafts is None else self._drafts.count):
                course.impossible(position)  # who drafts does not answer unchecked
        return course

    def _go_on(self) -> None:
        """Ask whoever is next, now or after a pause; if nobody is, tell the client."""
        now = self._gateway.now
        self._end_pause()
        step = self._course_of().next(now, self._deadline)
        if step is None:
            self._stop()
        elif step.at > now:
            self._resume_at = step.at
            self._paused_ns = time.monotonic_ns()
            self._gateway.exchanges.add(self)
        else:
            self._send(step.position)

    def _end_pause(self) -> None:
        if self._paused_ns:
            self._waited_ns += time.monotonic_ns() - self._paused_ns
            self._paused_ns = 0

    def _stop(self) -> None:
        """Nobody is left to ask, or no time. What was sent says more than what could not be sent."""
        if self._failed is not None:
            self._give_up(*self._failed)
        elif self._sent:
            self._finish("unavailable")
            self._fail(Unavailable("No model that is good enough can answer right now", fix="Try again shortly."))
        else:
            assert self._unsaid is not None  # why nothing is under way
            accepted = self._accepted
            note_refused(accepted, Refused(self._unsaid, accepted.route, accepted.signals))
            self._reject(self._unsaid)

    def _reject(self, error: TwintrackError) -> None:
        """Nobody was asked."""
        self._over = True
        self._gateway.exchanges.discard(self)
        self._gateway.count_refusal(error)
        self._fail(error)

    def _fingerprint(self) -> int:
        """Of what is asked and by whom."""
        return hash((self._accepted.key, self._accepted.endpoint.name, self._outgoing.body))

    # ----------------------------------------------------------------- answer

    def on_content(self, attempt: Attempt, first: bytes) -> None:
        if self._said is None or not self._said.takes_up:
            self._outgoing.body = b""  # no other deployment will be asked
        elif self._cut is not None:
            first = mark(self._cut, attempt.deployment) + first
        if self._slow:
            attempt.pause()  # the client stopped reading the one before, and this one does not know
        reply = self._reply
        reply.comment_at = self._gateway.now + self._accepted.serving.snapshot.deadlines.keepalive_every_s
        reply.open(self._lines(attempt, EVENTS), first)

    def on_whole(self, attempt: Attempt, body: bytes, cost_nusd: int | None) -> None:
        if self._aside_nusd is None:
            cost_nusd = None
        elif cost_nusd is not None:
            cost_nusd += self._aside_nusd
        self._finish("ok", attempt)
        self._reply.client.answer(200, self._lines(attempt, JSON, cost_nusd), body)

    def on_complete(self, attempt: Attempt, last: bytes) -> None:
        self._finish("ok", attempt)
        self._reply.client.close(last)

    def on_held(self, attempt: Attempt, held: bytes) -> None:
        """A stream that was held back to its end, and is the answer."""
        self._finish("ok", attempt)
        self._reply.open(self._lines(attempt, EVENTS), held)
        self._reply.client.close()

    def on_set_aside(
        self, attempt: Attempt, position: int | None, failure: Failure | None, cost_nusd: int | None
    ) -> None:
        """A draft is not the answer. `position`: of another one to ask for; None: whoever is good enough answers."""
        self._waited_ns += attempt.took_ns
        self._attempt = None
        self._aside_nusd = None if self._aside_nusd is None or cost_nusd is None else self._aside_nusd + cost_nusd
        if failure is None:
            self._gateway.count_failover("set_aside")
        self._failed = None if failure is None else (attempt, failure)
        if position is None:
            self._go_on()
        else:
            self._send(position)

    def on_failed(self, attempt: Attempt, failure: Failure) -> None:
        """Before content another deployment may be asked. Behind it, and where nobody is left, the client is told."""
        self._waited_ns += attempt.took_ns
        if not failure.elsewhere or (attempt.content and not self._can_take_up(attempt)):
            self._give_up(attempt, failure)
            return
        self._attempt = None
        self._failed = attempt, failure
        if failure.kind == "stale" and not self._redialled:
            self._redialled = True
            self._send(attempt.position)
            return
        self._course_of().failed(attempt.position, failure, self._gateway.now)
        self._go_on()

    def _can_take_up(self, attempt: Attempt) -> bool:
        """Whether somebody else could go on from where this stream broke off."""
        said = self._said
        if said is None or not said.takes_up or attempt.inside or not said.whole:
            return False
        self._cut = cut(self._accepted.endpoint.name, said.whole)
        return self._cut is not None

    def _give_up(self, attempt: Attempt, failure: Failure) -> None:
        """Tell the client how the last attempt failed."""
        accepted, reply = self._accepted, self._reply
        if failure.elsewhere and not attempt.content:
            self._gateway.repeats.note(self._fingerprint(), self._gateway.now)
        self._attempt = attempt  # its answer is what the client gets
        self._finish(attempt.outcome)
        response = attempt.response
        if failure.kind == "unreachable":
            policy = accepted.serving.policy
            self._fail(
                unreached(policy, accepted.decision, accepted.signals, accepted.route, accepted.key, failure.error)
            )
        elif failure.kind == "refused" or not failure.status or reply.opened or response is None:
            self._fail(failure.error, failure)
        elif not isinstance(attempt.passage, Straight) or not fits(accepted.endpoint.dialect, failure.body):
            self._fail(reworded(failure.status, failure.body), failure)
        else:
            content_type = response.headers.get(b"content-type", JSON)
            reply.pass_on(self._lines(attempt, content_type), failure)

    # ------------------------------------------------ what a client does

    def on_client_left(self) -> None:
        """Stop the provider at once."""
        if self._over:
            return
        attempt = self._attempt
        if attempt is not None:
            attempt.abandon()
        self._finish("client_left", attempt)
        if self._said is not None:
            self._said.left()

    def on_client_slow(self) -> None:
        # Once this is over the client's connection may serve another request.
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
        attempt, late = self._attempt, now >= self._deadline
        if attempt is None:
            if late:
                self._stop()
            elif now >= self._resume_at:
                self._go_on()
        elif late and self._slow:
            self._let_down(attempt)
        elif late:
            attempt.out_of_time()
        else:
            attempt.tick(now, slow=self._slow)
        if now >= self._reply.comment_at and not self._over:
            self._reply.comment(now, self._sent, self._attempt, slow=self._slow)

    def _let_down(self, attempt: Attempt) -> None:
        """The client used up the time itself, by not reading: as if it had left."""
        attempt.abandon()
        self._finish("client_left", attempt)
        self._fail(UpstreamTimeout("The answer was not read within the request's deadline"))

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
        gateway = self._gateway
        gateway.exchanges.discard(self)
        kind = self._accepted.kind(attempt.position if attempt is not None else 0, outcome)
        gateway.finished(kind, time.monotonic_ns() - self._began_ns - self._waited_ns)

    def _fail(self, error: TwintrackError, failure: Failure | None = None) -> None:
        accepted, reply = self._accepted, self._reply
        if accepted.endpoint.name == "count_tokens" and error.status >= 500 and self._sent and not reply.opened:
            reply.estimate(accepted.asked, self._sent)
        else:
            reply.fail(error, self._gateway.now, self._sent, self._attempt, failure)

    def _lines(self, attempt: Attempt, content_type: bytes, cost_nusd: int | None = None) -> bytes:
        return heads.answer_lines(self._accepted, attempt, content_type, self._sent, cost_nusd)
