"""Asks a small model of one's own of what kind a request is, before it is decided.

It gets the beginning of the last turn, if it may see a request of this class, and a moment to answer in: otherwise the
built-in reading holds. What it says moves the complexity by a bounded amount only, so no prompt that talks it into
something buys the dear model. Its answer is kept for requests that begin the same, under a hash with a key of this
worker's own; asking it is an attempt of the request, booked as such, that gave the client nothing.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable

import msgspec

from twintrack.config.snapshot import Classifier, Route
from twintrack.errors import TwintrackError, UpstreamError, UpstreamTimeout
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.attempt import Attempt
from twintrack.gateway.choosing import NAMED_OUTPUT_TOKENS, class_known
from twintrack.gateway.outgoing import Outgoing, dispatch_record
from twintrack.gateway.recovery import Failure
from twintrack.gateway.undecided import Undecided
from twintrack.ledger.records import Outcome, State
from twintrack.policy.choose import Decision
from twintrack.policy.compiled import for_endpoint
from twintrack.policy.explain import CLASSIFIER
from twintrack.signals.signals import Signals
from twintrack.signals.task import TASKS
from twintrack.wire import chat
from twintrack.wire.classifier import MOST_CHARS, Kind, kind_of, question
from twintrack.wire.dialect import decode
from twintrack.wire.passage import Passage
from twintrack.wire.usage import Usage

ASKED_FOR = ("chat", "messages", "responses")
_TASKS = tuple(task for task in TASKS if task != "embed")
_BYTES_PER_TOKEN = 4


def classifying(undecided: Undecided) -> Classifying | None:
    """The inquiry for a request; None: its route has no classifier, or there is nothing to show it."""
    route = undecided.serving.routes.get(undecided.asked.model)
    if route is None or route.classifier is None or undecided.endpoint.name not in ASKED_FOR:
        return None
    return Classifying(undecided, route, route.classifier)


class Classifying:
    """An `Inquiry`, and the `Owner` of its attempt."""

    __slots__ = ("_attempt", "_classifier", "_done", "_name", "_route", "_timer", "_undecided", "_waits")

    def __init__(self, undecided: Undecided, route: Route, classifier: Classifier) -> None:
        self._undecided = undecided
        self._route = route
        self._classifier = classifier
        self._attempt: ClassifierAttempt | None = None
        self._timer: TimerHandle | None = None
        self._name = b""
        self._waits = False
        """The request does."""

    def begin(self, done: Callable[[], None]) -> bool:
        undecided = self._undecided
        gateway, serving = undecided.gateway, undecided.serving
        self._done = done
        sample = undecided.asked.prompt().last_user[:MOST_CHARS]
        target = serving.snapshot.deployments[self._classifier.deployment]
        self._name = gateway.kinds.name(target.name, sample)
        undecided.kind = gateway.kinds.get(self._name)
        pulse = serving.load[target.index]
        if (
            undecided.kind is not None
            or not sample.strip()
            or undecided.labels.override is not None  # what an operator lets out is for who answers
            or gateway.kinds.rests(target.name, gateway.now)
            or not pulse.healthy
            or pulse.in_flight >= target.max_in_flight
        ):
            return True
        accepted = self._accepted(question(target.upstream_model, sample, _TASKS))
        if accepted is None or not self._send(*accepted) or self._attempt is None:
            return True
        most_s = self._classifier.max_ms / 1000
        if undecided.labels.deadline_ms is not None:
            most_s = min(most_s, undecided.labels.deadline_ms / 4000)
        self._timer = gateway.pool.after(most_s, self._late)
        self._waits = True
        return False

    def drop(self) -> None:
        attempt = self._over()
        if attempt is not None:
            attempt.abandon()

    def _accepted(self, body: bytes) -> tuple[Accepted, bytes] | None:
        """What is asked, as a request of its own; None: the classifier may not see this one."""
        undecided, index = self._undecided, self._classifier.deployment
        serving, key = undecided.serving, undecided.key
        data_class, categories = class_known(undecided, self._route)
        view = serving.policy.view(data_class, route=self._route, key=key, categories=categories)
        found = for_endpoint(view.candidates[index], chat.ENDPOINT.name)
        if isinstance(found, tuple):
            return None
        tokens = len(body) // _BYTES_PER_TOKEN
        signals = Signals(
            chat.ENDPOINT.name, False, tokens, NAMED_OUTPUT_TOKENS, 0, ("text",), False, "und", "classify", 0.0,
            data_class, True, None, None, False,
        )  # fmt: skip
        decision = Decision(
            index, -1, (found.admitted,), (), None, None, 1.0, CLASSIFIER, self._route.baseline, view.allowed
        )
        accepted = Accepted(
            undecided.request_id, undecided.gateway, serving, chat.ENDPOINT, {}, key, undecided.labels,
            decode(chat.ENDPOINT, body), None, signals, tokens, decision,
        )  # fmt: skip
        return accepted, body

    def _send(self, accepted: Accepted, body: bytes) -> bool:
        undecided, gateway = self._undecided, self._undecided.gateway
        try:
            outgoing = Outgoing(accepted, body)
            passage, dropped, call = outgoing.call(accepted.target(0))
            if undecided.report is not None:
                gateway.journal.append(undecided.report.record(self._route, accepted.signals.data_class))
                undecided.reported = True
            record = dispatch_record(accepted, 0, 0, call.body_bytes)
            gateway.journal.append(
                msgspec.structs.replace(record, route=self._route.index, stream=False, role="classifier")
            )
        except TwintrackError:
            return False  # it cannot be asked, or the journal is full: whoever answers says so
        undecided.attempts += 1
        attempt = self._attempt = ClassifierAttempt(accepted, self, 0, 0, passage, dropped)
        gateway.pool.send(accepted.decision.order[0], call, attempt)
        return True

    def _late(self) -> None:
        if self._attempt is not None:
            gateway = self._undecided.gateway
            gateway.kinds.late(self._attempt.deployment, gateway.now)
            self._attempt.give_up()

    def _over(self) -> ClassifierAttempt | None:
        attempt, self._attempt = self._attempt, None
        if self._timer is not None:
            self._timer.cancel()
        return attempt

    def _ended(self, cost_nusd: int | None) -> None:
        attempt = self._over()
        if attempt is None:
            return  # nobody wants to know any more
        undecided = self._undecided
        undecided.waited_ns += attempt.took_ns
        undecided.cost_nusd = cost_nusd
        if attempt.kind is not None:
            undecided.kind = attempt.kind
            undecided.gateway.kinds.put(attempt.deployment, self._name, attempt.kind)
        if self._waits:
            self._done()

    # ---- what the attempt tells

    def write(self, data: bytes) -> None:
        """Nothing is streamed."""

    def on_content(self, attempt: Attempt, first: bytes) -> None:
        """Likewise."""

    def on_complete(self, attempt: Attempt, last: bytes) -> None:
        """Likewise."""

    def chunk_writer(self) -> None:
        return None

    def on_whole(self, attempt: Attempt, body: bytes, cost_nusd: int | None) -> None:
        self._ended(cost_nusd)

    def on_failed(self, attempt: Attempt, failure: Failure) -> None:
        self._ended(0 if failure.status else None)


class ClassifierAttempt(Attempt):
    """An attempt whose answer nobody gets."""

    __slots__ = ("kind",)

    def __init__(
        self,
        accepted: Accepted,
        owner: Classifying,
        position: int,
        number: int,
        passage: Passage,
        dropped: tuple[str, ...],
    ) -> None:
        super().__init__(accepted, owner, position, number, passage, dropped)
        self.kind: Kind | None = None
        """What it said, once it ended."""

    def give_up(self) -> None:
        self._failed(UpstreamTimeout("The classifier took too long"), kind="timeout", blame=False)

    def _settle(
        self, state: State, outcome: Outcome, detail: str, usage: Usage | None = None, seen: bytes = b""
    ) -> int | None:
        if outcome == "ok":
            self.kind = _said(bytes(self._whole))
            outcome, detail = "set_aside", "" if self.kind is not None else "it said nothing that can be used"
        return super()._settle(state, outcome, detail, usage, seen)


def _said(body: bytes) -> Kind | None:
    from twintrack.wire.canonical.parts import Text
    from twintrack.wire.translators import provider_side

    try:
        answer = provider_side("openai").read_answer(body)
    except UpstreamError:
        return None
    return kind_of("".join(part.text for part in answer.parts if isinstance(part, Text)), _TASKS)
