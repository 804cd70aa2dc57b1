"""What to do after an attempt failed before its answer began. Pure: clock, load and chance are passed in.

    another     the next deployment of the decision's order that is ready, at once
    again       if nobody else is: one that may do better, after a pause (backoff with jitter, or what it asked for)
    give up     attempts or time are used up, or nobody could do better

The order was drawn from the privacy set, so nothing here can leave it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from twintrack.config.settings import Failover
from twintrack.errors import UpstreamError
from twintrack.gateway.pulse import Pulse
from twintrack.policy.admitted import Admitted

Kind = Literal[
    "unreachable",  # a connection was refused: nothing was sent
    "stale",  # a kept-alive connection turned out to be closed
    "rate_limited",  # 429
    "spent",  # the account has no money or quota left
    "server_error",  # 5xx, or a 4xx that means "not now"
    "refused",  # it does not accept our key, our model, or answers with no answer
    "timeout",
    "broken",  # framing or content
    "too_long",  # the prompt is longer than its window, which another's may not be
    "client",  # what the client asked for is refused, by anybody
    "deadline",  # of the request itself
]
_NOBODY_ELSE = frozenset(("client", "deadline"))
"""Another deployment can do no better than the one that failed so."""
_AGAIN = frozenset(("unreachable", "rate_limited", "server_error"))
"""The same may do better a little later, and an attempt that failed so cost nothing."""
_MOST_BACKOFF_S = 8.0
_JITTER = 0.1
"""Of a pause the provider asked for, on top of it: those who were told the same time must not come back together."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended that brought no answer."""

    kind: Kind
    error: UpstreamError
    wait_s: float | None = None
    """What the provider asked for."""
    status: int = 0
    """Of its refusal; 0: it did not refuse."""
    body: bytes = b""
    """Of its refusal."""
    window: int = 0
    """Tokens it takes, where it refused what is longer and says so."""
    silent: bool = False
    """Broken before the first byte of an answer, as when a server restarts."""

    @property
    def elsewhere(self) -> bool:
        return self.kind not in _NOBODY_ELSE

    @property
    def again(self) -> bool:
        return self.kind in _AGAIN or self.silent


class Step(NamedTuple):
    position: int
    """In the decision's order."""
    at: float
    """When, on the gateway's clock."""


class Course:
    """Of one request: who was asked, who failed how, and who is next."""

    __slots__ = ("_again_at", "_load", "_order", "_patience_s", "_random", "_rules", "_spent", "_tried", "repeats")

    def __init__(
        self,
        order: Sequence[Admitted],
        load: Sequence[Pulse],
        rules: Failover,
        random: Callable[[], float],
        *,
        repeats: bool,
    ) -> None:
        """
        Args:
            load: by deployment index.
            random: uniform in [0, 1).
            repeats: no deployment is asked twice where the client itself asks again: two who repeat multiply.
        """
        self._order = order
        self._load = load
        self._rules = rules
        self._random = random
        self.repeats = repeats
        self._tried: dict[int, int] = {}
        """Attempts by position; 0: it cannot be told what the client said."""
        self._again_at: dict[int, float] = {}
        """When a position that failed may be asked again; absent: not for this request."""
        self._spent: set[str] = set()
        """Providers whose account is."""
        self._patience_s = rules.max_wait_s

    def failed(self, position: int, failure: Failure, now: float) -> None:
        self._tried[position] = self._tried.get(position, 0) + 1
        if failure.kind == "spent":
            self._spent.add(self._order[position].deployment.provider)
        elif failure.kind == "too_long":
            self._outgrown(max(failure.window, self._order[position].deployment.context_tokens))
        self._again_at.pop(position, None)
        if failure.again:
            self._again_at[position] = now + self._pause_s(self._tried[position], failure.wait_s)

    def _outgrown(self, window: int) -> None:
        """Only who is known to have a larger window is asked now; by the estimate the smaller ones would have done."""
        for position, admitted in enumerate(self._order):
            if not 0 < window < admitted.deployment.context_tokens:
                self.impossible(position)

    def impossible(self, position: int) -> None:
        """This provider has no words for the request."""
        self._tried.setdefault(position, 0)
        self._again_at.pop(position, None)

    def next(self, now: float, late: float) -> Step | None:
        """Whom to ask when, None to give up. A wait that was announced is not announced again.

        Args:
            late: when the request's time is over.
        """
        if sum(self._tried.values()) >= self._rules.max_attempts:
            return None
        soonest: Step | None = None
        for position, admitted in enumerate(self._order):
            at = self._ready_at(position, admitted, now)
            if at is None:
                continue
            if at <= now and position not in self._tried:
                return Step(position, now)
            if soonest is None or at < soonest.at:
                soonest = Step(position, at)
        if soonest is None or not self.repeats or soonest.at >= late:
            return None
        if soonest.at <= now:
            return Step(soonest.position, now)
        if soonest.at - now > self._patience_s:
            return None
        self._patience_s -= soonest.at - now
        return soonest

    def _ready_at(self, position: int, admitted: Admitted, now: float) -> float | None:
        """When this one may be asked; None: not for this request."""
        deployment = admitted.deployment
        if deployment.provider in self._spent:
            return None
        at = now
        if position in self._tried:
            again_at = self._again_at.get(position)
            if again_at is None:
                return None
            at = max(again_at, now)
        pulse = self._load[deployment.index]
        if not pulse.healthy:
            return max(at, pulse.until, now + self._rules.backoff_s)
        if pulse.in_flight >= deployment.max_in_flight:
            return max(at, now + self._rules.backoff_s)
        return at

    def _pause_s(self, tries: int, asked_s: float | None) -> float:
        """Full jitter (Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015)."""
        if asked_s is not None:
            return asked_s * (1.0 + _JITTER * self._random())
        return min(self._rules.backoff_s * 2.0 ** min(tries, 16), _MOST_BACKOFF_S) * self._random()


class Repeats:
    """Requests that failed a moment ago, by what was asked and by whom: their clients may be asking again.

    SDKs retry twice by themselves; four attempts each time would be twelve. Only failures are looked up and kept, so
    a request that is answered costs nothing here.
    """

    __slots__ = ("_until",)
    _WINDOW_S = 60.0
    """The longest an SDK waits between two tries (openai-python and anthropic-sdk-python, read 2026-11-20)."""
    _MOST = 4096

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def note(self, asked: int, now: float) -> None:
        self._until.pop(asked, None)
        self._until[asked] = now + self._WINDOW_S
        while len(self._until) > self._MOST:
            del self._until[next(iter(self._until))]

    def known(self, asked: int, now: float) -> bool:
        return self._until.get(asked, 0.0) > now
