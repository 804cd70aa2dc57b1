"""What is seen of a request's drafts, and whether the verifier finds one as good as the route promises."""

from __future__ import annotations

from twintrack.catalog.cost import cost_nusd
from twintrack.config.snapshot import Cascade
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.checks import Wanted
from twintrack.gateway.verifier_features import packed, seen
from twintrack.signals.read import DESCRIBED
from twintrack.wire.held import Draft

_FOUND = 0.5
"""Share of the bad drafts that another one is taken to find out."""


class Verification:
    """Of one request."""

    __slots__ = (
        "_accepted",
        "_asked",
        "_count",
        "_explores",
        "_floor",
        "_keeps",
        "_results",
        "_rules",
        "explored",
        "looks",
        "p_good",
    )

    def __init__(self, accepted: Accepted, asked: Wanted, rules: Cascade, count: int) -> None:
        """`count`: of drafts that may be asked for."""
        route, signals = accepted.route, accepted.signals
        assert route is not None
        self._accepted = accepted
        self._asked = asked
        self._rules = rules
        self._count = count
        described = signals.data_class in DESCRIBED
        self._keeps = described and route.learn and (route.learn_all or bool(signals.features))
        self.looks = self._keeps or "verifier" in rules.check
        """At results, too."""
        self._explores = route.explore if described else 0.0
        self._floor: tuple[float, float] | None = None
        self._results: list[str] = []
        self.explored = ""
        """What the verifier had against the last draft, where it is believed all the same so that verdicts come to what
        it doubts, too. Whether it doubts one depends on nothing but what is seen, so those verdicts need no weights."""
        self.p_good: float | None = None
        """Of the draft that was looked at last, by the verifier; None: it has no word on it."""

    def look(
        self, draft: Draft, result: str | None, position: int, output_tokens: int | None
    ) -> tuple[str | None, bytes]:
        """What the verifier has against a draft that nothing else stands against, and what was seen of it, packed as
        the ledger keeps it; empty where it must not.

        Args:
            result: that it marks.
            position: in the decision's order.
        """
        judges = "verifier" in self._rules.check
        if not self.looks:
            return None, b""
        accepted, serving = self._accepted, self._accepted.serving
        target, signals, judge = accepted.target(position), accepted.signals, serving.policy.judge
        found = seen(
            draft,
            result,
            output_tokens=output_tokens,
            prompt_tokens=accepted.prompt_tokens_est,
            complexity=signals.complexity,
            p_good=judge.p_good(target, signals) if judge.measured(target, signals) else None,
            json=self._asked.json,
            others=self._results,
        )
        agrees = result in self._results
        if result is not None:
            self._results.append(result)
        objection = self.p_good = None
        self.explored = ""
        # Where two have to agree it has a word on the one that would be believed.
        if judges and (agrees or "agreement" not in self._rules.check):
            objection = self._objection(found, position)
        if objection is not None and self._explores and serving.random() < self._explores:
            self.explored, objection = f"believed to explore: {objection}", None
        return objection, packed(found) if self._keeps else b""

    def _objection(self, found: tuple[float, ...], position: int) -> str | None:
        accepted, verifier = self._accepted, self._accepted.serving.verifier
        if verifier is None:
            return "no verifier is fitted"
        target = accepted.target(position)
        p = verifier.p_good(found, (target.name, target.model), accepted.signals.task)
        if isinstance(p, str):
            return p
        self.p_good = p
        need = self._need(position)
        if p >= need:
            return None
        return f"it is good with a probability of {p:.3f}, {need:.3f} is asked for"

    def _need(self, position: int) -> float:
        """Least probability at which a draft is believed.

        What keeps the route's promise; of one that another draft could follow more. To ask that one costs only a share
        of the answer, and for this share of what the promise would let go it is worth finding out.
        """
        best, floor = self._floor = self._floor or self._bounds()
        share = None if "agreement" in self._rules.check else self._next_costs(position)
        return floor if share is None else best - min(1.0, share / _FOUND) * (best - floor)

    def _bounds(self) -> tuple[float, float]:
        """Probability of a good answer by the best of the last tier that is allowed, and what is to be kept of it."""
        accepted, route = self._accepted, self._accepted.route
        decision = accepted.decision
        assert route is not None
        best = 1.0 if decision.p_best is None else decision.p_best
        steering = accepted.serving.steering.get(route.index)
        if steering is None:
            return best, best * route.keep_quality
        if steering.controller is not None and decision.reference is not None:
            best += steering.controller.shifts[decision.reference.deployment]
        return best, best * route.keep_quality * (1.0 - steering.pressure)

    def _next_costs(self, position: int) -> float | None:
        """Of the next draft, as a share of what answers otherwise; None: there is none, or nobody knows."""
        accepted = self._accepted
        drafting = accepted.decision.drafting
        if position + 1 >= self._count or drafting is None or not drafting.predicted_nusd:
            return None
        following = accepted.target(position + 1)
        if following.per_hour_nusd:
            return 0.0
        if following.price is None:
            return None
        cost = cost_nusd(following.price, accepted.prompt_tokens_est, accepted.signals.output_tokens_est)
        return cost / drafting.predicted_nusd
