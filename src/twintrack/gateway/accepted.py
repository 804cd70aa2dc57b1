"""A request that was read and may be answered: what all its attempts share, none of which changes any more."""

from __future__ import annotations

from twintrack.config.snapshot import Deployment, Route
from twintrack.gateway.heard import Heard
from twintrack.policy.choose import Decision
from twintrack.signals.signals import Signals
from twintrack.telemetry.counters import RequestKind


class Accepted(Heard, frozen=True, gc=False):  # type: ignore[misc]  # no value of it changes; only what is undecided does
    route: Route | None
    """None: the client named a deployment."""
    signals: Signals
    prompt_tokens_est: int
    decision: Decision

    @property
    def drops(self) -> bool:
        """Whether what a provider cannot be told may be left out."""
        return self.labels.drop_unsupported or (self.route is not None and self.route.drop_unsupported)

    def target(self, position: int) -> Deployment:
        return self.decision.order[position].deployment

    def tier(self, position: int) -> int:
        if position == 0:
            return self.decision.tier
        return self.serving.tier_of(self.route, self.target(position).index)

    def kind(self, position: int, outcome: str) -> RequestKind:
        """As what it is counted, once it ended with the deployment at `position`."""
        route = self.route
        if route is None:
            return "", "", self.signals.data_class, outcome
        tier = self.tier(position)
        return route.name, route.tiers[tier].name if tier >= 0 else "", self.signals.data_class, outcome
