"""The drafts of one request: asked for one after the other, each checked before the client sees any of it.

A draft is an attempt like any other, dispatched, booked and stopped the same way, but held back to its end
(`wire/held.py`). When it is whole it is checked (`checks.py`), and its end is booked by what came of that: `ok` is the
one the client gets, `set_aside` any other. So a check costs nothing where there is no cascade.
"""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import dataclass
from typing import Protocol

from twintrack.config.snapshot import Cascade, Route
from twintrack.errors import BadRequest, UpstreamError, UpstreamTimeout
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.agreement import final_answer
from twintrack.gateway.attempt import Attempt
from twintrack.gateway.checks import Wanted, objection, wanted
from twintrack.gateway.panel import Heard, Panel, all_pairs
from twintrack.gateway.recovery import Failure
from twintrack.gateway.undecided import Undecided
from twintrack.gateway.verifier_check import Verification
from twintrack.ledger.records import Outcome, State
from twintrack.policy.choose import Decision
from twintrack.policy.drafting import with_drafts
from twintrack.signals.signals import Signals
from twintrack.wire.beyond import TELL
from twintrack.wire.canonical.request import Request
from twintrack.wire.held import Held
from twintrack.wire.passage import Passage
from twintrack.wire.translators import client_side
from twintrack.wire.usage import Usage

CHECKED = ("chat", "messages", "responses")
"""Endpoints whose answers can be read."""


class Exchange(Protocol):
    """What a request does with its drafts."""

    def on_whole(self, attempt: Attempt, body: bytes, cost_nusd: int | None) -> None:
        """A draft is believed: it is the answer."""
        ...

    def on_held(self, attempt: Attempt, held: bytes) -> None:
        """Likewise, of a stream."""
        ...

    def on_failed(self, attempt: Attempt, failure: Failure) -> None: ...

    def on_set_aside(
        self, attempt: Attempt, position: int | None, failure: Failure | None, cost_nusd: int | None
    ) -> None:
        """This one is not the answer. `position` of the draft to ask for next; None: somebody else has to answer.
        `failure`: it was none at all."""
        ...


@dataclass(frozen=True, slots=True)
class _Holding:
    """Arguments of `Held`."""

    logprobs: bool
    most_bytes: int
    temperature: float | None

    def __call__(self, passage: Passage) -> Held:
        return Held(passage, logprobs=self.logprobs, most_bytes=self.most_bytes, temperature=self.temperature)

    def avoids(self, straight: str, translated: str) -> bool:
        return self.logprobs and straight not in TELL and translated in TELL


class Drafts:
    """The `Owner` of a request's drafts."""

    __slots__ = ("_accepted", "_exchange", "_heard", "_panel", "_rules", "_until", "_verification", "_wanted", "count")

    def __init__(self, exchange: Exchange, accepted: Accepted, asked: Wanted, until: float) -> None:
        """
        Args:
            accepted: its decision has drafts.
            until: when no draft is waited for any more, on the gateway's clock.
        """
        drafting = accepted.decision.drafting
        assert drafting is not None
        assert accepted.route is not None
        assert accepted.route.cascade is not None
        rules = accepted.route.cascade
        self._exchange = exchange
        self._accepted = accepted
        self._wanted = asked
        self._rules: Cascade = rules
        self._until = until
        self.count = drafting.count
        self._panel = Panel(drafting.count, _pairs(accepted, rules, drafting.count))
        self._heard = Heard(False, None)
        """Of the draft that ended last."""
        self._verification = Verification(accepted, asked, rules, drafting.count)

    def holding(self, position: int) -> _Holding:
        """How the draft at `position` is asked for and held back."""
        repeat, who = self._rules.repeat_temperature, self._accepted.target(position).index
        later = range(position + 1, self.count)
        return _Holding(
            logprobs=not self._wanted.logprobs and self._goes_by_logprobs(),
            most_bytes=self._accepted.serving.snapshot.limits.max_answer_bytes,
            # The last of one deployment is the one a client gets if they agree: it is drawn as the client said.
            temperature=repeat if any(self._accepted.target(each).index == who for each in later) else None,
        )

    def attempt(self, position: int, number: int, passage: Passage, dropped: tuple[str, ...]) -> Attempt:
        assert isinstance(passage, Held)
        most_s = self._rules.max_draft_ms / 1000
        until = min(self._until, self._accepted.gateway.now + most_s)
        return DraftAttempt(self._accepted, self, position, number, passage, dropped, until)

    def _goes_by_logprobs(self) -> bool:
        check, verifier = self._rules.check, self._accepted.serving.verifier
        return "logprobs" in check or ("verifier" in check and verifier is not None and verifier.wants_logprobs)

    def judge(self, attempt: Attempt, passage: Held, output_tokens: int | None) -> tuple[Outcome, str, bytes]:
        """How a draft that is whole ends, why, and what was seen of it, for the ledger. A check that fails by a fault
        of ours believes nothing."""
        good, answer, detail, seen = False, None, "", b""
        try:
            draft = passage.draft()
            found = objection(draft, self._wanted, self._rules)
            result, agreeing = None, "agreement" in self._rules.check
            if found is None and (agreeing or self._verification.looks):
                result = final_answer(draft)
                found, seen = self._verification.look(draft, result, attempt.position, output_tokens)
            good, detail = found is None, found or ""
            if good and agreeing:
                answer = result
                detail = "it ends in no answer to agree about" if answer is None else ""
        except UpstreamError as error:
            detail = error.what
        except Exception as error:  # noqa: BLE001 - nobody gets an answer that was not checked
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {at.name}, {os.path.basename(at.filename)}:{at.lineno}"
            print(f"twintrack: request {self._accepted.request_id}: a draft was not checked: {where}", file=sys.stderr)
            detail = "it could not be checked"
        self._heard = heard = self._panel.heard(attempt.position, good, answer)
        if heard.believed:
            return "ok", self._verification.explored, seen
        if not detail:
            detail = "no other agrees with it" if heard.next is None else "it waits for another to agree"
        return "set_aside", detail, seen

    # ---- what an attempt tells its owner

    def write(self, data: bytes) -> None:
        """Nothing of a stream comes before its end."""

    def on_content(self, attempt: Attempt, first: bytes) -> None:
        """Likewise."""

    def chunk_writer(self) -> None:
        return None

    def on_whole(self, attempt: Attempt, body: bytes, cost_nusd: int | None) -> None:
        if self._heard.believed:
            self._note(believed=True)
            self._exchange.on_whole(attempt, body, cost_nusd)
        else:
            self._set_aside(attempt, None, cost_nusd)

    def on_complete(self, attempt: Attempt, last: bytes) -> None:
        if self._heard.believed:
            self._note(believed=True)
            self._exchange.on_held(attempt, last)
        else:
            self._set_aside(attempt, None, None)  # a stream's cost stands in the ledger alone

    def on_failed(self, attempt: Attempt, failure: Failure) -> None:
        if failure.kind in ("deadline", "stale"):
            self._exchange.on_failed(attempt, failure)  # the request's time is over; or it was never asked
            return
        self._heard = self._panel.heard(attempt.position, False, None)
        self._set_aside(attempt, failure, 0 if failure.status else None)

    def _set_aside(self, attempt: Attempt, failure: Failure | None, cost_nusd: int | None) -> None:
        position = self._heard.next
        if position is not None and self._accepted.gateway.now >= self._until:
            position = None
        if position is None:
            self._note(believed=False)
        self._exchange.on_set_aside(attempt, position, failure, cost_nusd)

    def _note(self, *, believed: bool) -> None:
        accepted, p_good = self._accepted, self._verification.p_good
        assert accepted.route is not None
        accepted.serving.believed.note(accepted.route.name, believed)
        steering = accepted.serving.steering.get(accepted.route.index)
        if believed and steering is not None:
            steering.drafted(accepted.decision, p_good)


class DraftAttempt(Attempt):
    """An attempt whose answer is checked before it is booked."""

    __slots__ = ("_drafts", "_until")
    passage: Held

    def __init__(
        self,
        accepted: Accepted,
        drafts: Drafts,
        position: int,
        number: int,
        passage: Held,
        dropped: tuple[str, ...],
        until: float,
    ) -> None:
        super().__init__(accepted, drafts, position, number, passage, dropped)
        self._drafts: Drafts | None = drafts
        self._until = until

    def tick(self, now: float, *, slow: bool) -> None:
        if now >= self._until:
            self._failed(UpstreamTimeout("The draft took too long"), kind="timeout", blame=False)
        else:
            super().tick(now, slow=slow)

    def _settle(
        self, state: State, outcome: Outcome, detail: str, usage: Usage | None = None, seen: bytes = b""
    ) -> int | None:
        drafts, self._drafts = self._drafts, None
        if outcome == "ok" and drafts is not None:
            told = usage if usage is not None or self._stream is None else self._stream.usage()
            outcome, detail, seen = drafts.judge(self, self.passage, told.output_tokens if told is not None else None)
        return super()._settle(state, outcome, detail, usage, seen)

    def _has_baseline(self, outcome: Outcome) -> bool:
        """Of a draft that broke off, who answers has it."""
        return outcome in ("ok", "client_left")


def drafted(undecided: Undecided, route: Route, signals: Signals, decision: Decision) -> tuple[Decision, Wanted | None]:
    """`decision` with drafts in front where they are worth it; and what the request wants of the form of its answer.

    None are asked for where that cannot be read, or several answers are wanted at once.
    """
    endpoint, serving, key = undecided.endpoint.name, undecided.serving, undecided.key
    if endpoint not in CHECKED or decision.tier <= 0:
        return decision, None
    try:
        request, _ = client_side(endpoint).read_request(undecided.body, True)
    except BadRequest:
        return decision, None
    if request.n != 1:
        return decision, None
    lacks = route.cascade is not None and "verifier" in route.cascade.check and serving.verifier is None
    alike = _alike(request)
    steering = None if route.cascade is None or "verifier" in route.cascade.check else serving.steering.get(route.index)
    doubted = None if steering is None else steering.doubts(decision)
    decided = with_drafts(
        serving.policy,
        route,
        signals,
        serving.load,
        decision,
        serving.believed,
        key=key,
        unverified=lacks,
        alike=alike,
        doubted=doubted,
    )
    return decided, wanted(request)


def _pairs(accepted: Accepted, rules: Cascade, count: int) -> list[tuple[int, int]] | None:
    if "agreement" not in rules.check:
        return None
    if not rules.believe:
        return list(all_pairs(count))
    who = [accepted.target(position).index for position in range(count)]
    believed = {frozenset(pair) for pair in rules.believe}
    return [pair for pair in all_pairs(count) if frozenset((who[pair[0]], who[pair[1]])) in believed]


def _alike(request: Request) -> bool:
    """Whether who is asked this twice says the same: nothing is left to chance."""
    greedy = request.temperature == 0.0 or request.top_p == 0.0 or request.top_k == 1
    return greedy or request.seed is not None
