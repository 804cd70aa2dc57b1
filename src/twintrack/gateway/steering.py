"""What moves a route's choices while it runs: the controller of its promise, and the pressure of its budget.

The path reads two numbers here and writes a few. What verdicts and other workers say comes once a second, from the
control plane's memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from twintrack.config.snapshot import Route, Snapshot
from twintrack.policy.budget import pressure
from twintrack.policy.choose import Decision
from twintrack.policy.controller import CHECKED, Controller, Verdicts
from twintrack.signals.predictor import Predictor

_DAY_S = 86_400


class Told(msgspec.Struct, frozen=True):
    """The control plane's word on all workers together."""

    router: str = ""
    """Whose predictions the verdicts are compared with: what stands behind the + of the policy version."""
    verdicts: dict[str, dict[str, tuple[float, float, float]]] = {}
    """By route and deployment; see `Verdicts`."""
    day: int = 0
    """UTC days since 1970."""
    spent_nusd: dict[str, int] = {}
    """On that day, by route."""
    judged: bool = False
    """There are verdicts in the ledger."""


class Steering:
    """Of one route."""

    __slots__ = ("_budget_nusd", "_day", "_names", "_route", "_spent_nusd", "controller", "pressure")

    def __init__(self, route: Route, names: Sequence[str], trusted: Sequence[bool] | None) -> None:
        """
        Args:
            names: of deployments.
            trusted: which of them a fitted router knows; None: there is none.
        """
        self._route = route.name
        self._names = names
        steered = trusted is not None and 0.0 < route.keep_quality < 1.0 and len(route.tiers) > 1
        self.controller = Controller(route.keep_quality, trusted) if steered and trusted is not None else None
        self.pressure = 0.0
        """Of the budget: share of the quality to keep that is given up."""
        self._budget_nusd = route.nusd_per_day
        self._day = 0
        self._spent_nusd = 0

    def chose(self, decision: Decision) -> None:
        reference, p_good = decision.reference, decision.p_good
        # While a budget presses, the promise is not kept, and what it lacks is not to be paid back afterwards.
        if self.controller is not None and reference is not None and p_good is not None and not self.pressure:
            self.controller.chose(decision.deployment, p_good, reference.deployment, reference.p_good, reference.nusd)

    def drafted(self, decision: Decision, p_good: float | None) -> None:
        """What was chosen did not answer, since a draft did that is good with this probability; None: a check let it
        through, and nothing that rests on verdicts looked at it."""
        drafting, reference = decision.drafting, decision.reference
        if self.controller is None or reference is None or drafting is None or self.pressure:
            return
        if drafting.p_good is None or len(decision.order) <= drafting.count:
            return
        chosen = decision.order[drafting.count].deployment.index
        if p_good is not None:
            self.controller.instead(chosen, drafting.p_good, p_good)
        else:
            self.controller.let_through(chosen, drafting.p_good, reference.p_good)

    def doubts(self, decision: Decision) -> tuple[float, float] | None:
        """How good drafts are that the route's checks let through, by verdicts, and what this request asks for; None:
        they are good enough, or nothing is known of them."""
        controller, reference = self.controller, decision.reference
        if controller is None or reference is None or self.pressure or not controller.shifts[controller.checked]:
            return None
        p = reference.p_good + controller.shifts[controller.checked]
        floor = controller.floor(reference.p_good + controller.shifts[reference.deployment], reference.nusd)
        return None if p >= floor else (p, floor)

    def promise(self) -> tuple[float, float, float, float, float]:
        """Surplus, its standard deviation and the best's good answers, as the controller's account has them; the share
        that is to be kept, 0 where no controller sees to it; and the budget's pressure."""
        controller = self.controller
        surplus, sd, best = (0.0, 0.0, 0.0) if controller is None else controller.account()
        return surplus, sd, best, 0.0 if controller is None else controller.keep, self.pressure

    def paid(self, nusd: int) -> None:
        """By this worker."""
        self._spent_nusd += nusd

    def take_over(self, before: Steering) -> None:
        """What was spent outlives a new configuration."""
        self._day, self._spent_nusd = before._day, before._spent_nusd

    def tick(self, now_s: float) -> None:
        """`now_s`: UTC seconds since 1970."""
        if self._budget_nusd < 0:
            return
        day, second = divmod(now_s, _DAY_S)
        if day != self._day:
            self._day, self._spent_nusd = int(day), 0
        self.pressure = pressure(self._spent_nusd, self._budget_nusd, second / _DAY_S)

    def hear(self, told: Told, router: str) -> None:
        """`router`: as in `Told`, of the one that serves; verdicts on another one's predictions say nothing of it."""
        if told.day == self._day:
            self._spent_nusd = max(self._spent_nusd, told.spent_nusd.get(self._route, 0))
        if self.controller is not None and told.router == router:
            said = told.verdicts.get(self._route, {})
            self.controller.learn(
                {place: Verdicts(*said[name]) for place, name in enumerate((*self._names, CHECKED)) if name in said}
            )


Steerings = dict[int, Steering]
"""By route; those that nothing moves are left out."""


def steerings(snapshot: Snapshot, predictor: Predictor | None) -> Steerings:
    names = tuple(each.name for each in snapshot.deployments)
    trusted = None
    if predictor is not None:
        known: Mapping[str, object] = predictor.deployments
        trusted = [each.name in known or each.model in known for each in snapshot.deployments]
    made = {route.index: Steering(route, names, trusted) for route in snapshot.routes}
    budgets = {route.index for route in snapshot.routes if route.nusd_per_day >= 0}
    return {index: each for index, each in made.items() if each.controller is not None or index in budgets}


def renewed(made: Steerings, snapshot: Snapshot, before: Snapshot, earlier: Steerings) -> Steerings:
    """Those `made` for `snapshot`, with what `earlier` of the configuration `before` still holds for it."""
    same = before.router == snapshot.router and _names(before) == _names(snapshot)
    for route in before.routes:
        old = earlier.get(route.index)
        place = next((each.index for each in snapshot.routes if each.name == route.name), -1)
        if old is None or place not in made:
            continue
        now = snapshot.routes[place]
        if same and (now.tiers, now.keep_quality, now.nusd_per_day) == (
            route.tiers,
            route.keep_quality,
            route.nusd_per_day,
        ):
            made[place] = old
        else:
            made[place].take_over(old)
    return made


def _names(snapshot: Snapshot) -> list[str]:
    return [each.name for each in snapshot.deployments]
