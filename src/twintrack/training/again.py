"""A logged request decided once more, by another policy.

What the log holds of a request is enough for most of a decision: class, tokens, task, difficulty and, where the route
learns, the numbers that describe it. `ASSUMED` says what is not, and how it is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from twintrack.catalog.cost import cost_nusd
from twintrack.config.snapshot import Deployment, Route, Snapshot
from twintrack.errors import TwintrackError
from twintrack.ledger.decisions import Decided
from twintrack.policy.choose import decide
from twintrack.policy.compiled import Policy
from twintrack.policy.explain import STAKES
from twintrack.policy.quality import Judge, Learned, Prior
from twintrack.signals.evidence import of_text
from twintrack.signals.features import NAMES, unpacked
from twintrack.signals.predictor import Predictor
from twintrack.signals.signals import Signals
from twintrack.signals.tokens import output_tokens

ASSUMED: Final = (
    "every deployment is healthy and has room",
    "requests carry text alone, no deadline and no cost limit of their own",
    "no controller and no budget steers: each request keeps the quality by itself",
    "conversations move freely: what a change of model loses in prompt cache is not counted",
    "of the new policy's own exploration nothing is drawn",
)
"""What a decision looks at and the log does not hold."""
_WITHOUT_WORDS = of_text("")
_TOOLS, _OUTPUT = NAMES.index("tools"), NAMES.index("output")
_TRIES = 12
"""Conversations tried to find out whether who answered would have done so for some."""


class _Fine(msgspec.Struct, frozen=True):
    in_flight: int = 0
    healthy: bool = True
    ttft_ms: int = 0
    latency_ms: int = 0


@dataclass(frozen=True)
class Choice:
    deployment: Deployment
    signals: Signals


class Again:
    """One policy, ready to decide."""

    def __init__(self, snapshot: Snapshot, predictor: Predictor | None, today: int) -> None:
        """`today`: days since 1970, UTC, for records of what is agreed with providers."""
        self._predictor = predictor
        self._snapshot = snapshot
        self._policy = Policy(snapshot, None if predictor is None else Learned(predictor), today)
        self._routes: dict[str, Route] = {route.name: route for route in snapshot.routes}
        self.deployments = {each.name: each for each in snapshot.deployments}
        self._tiers = {
            (route.index, place): {snapshot.deployments[index].name for index in tier.deployments}
            for route in snapshot.routes
            for place, tier in enumerate(route.tiers)
        }
        self._keys = {key.name: key.index for key in snapshot.keys}
        self._load = [_Fine()] * len(snapshot.deployments)

    def choose(self, each: Decided) -> Choice | str:
        """Who would have answered; or, as a word for counting, why that cannot be said."""
        route = self._routes.get(each.route)
        if route is None:
            return "route"
        signals = self.signals(each)
        if signals is None:
            return "features"
        key = -1
        if self._snapshot.keys:
            if each.key not in self._keys:
                return "key"
            key = self._keys[each.key]
        chosen = None
        try:
            # Where several deployments are equally good and dear, the conversation decides, and the log does not hold
            # it: who answered would have gone on to do so if it is among them.
            for number in range(_TRIES):
                found = decide(self._policy, route, signals, self._load, key=key, affinity=b"%d" % number)
                if found.drafting is not None:
                    return "cascade"
                name = self._snapshot.deployments[found.deployment].name
                if chosen is None or name == each.answered:
                    chosen = found.deployment
                if name == each.answered or each.answered not in self._tiers[route.index, found.tier]:
                    break
        except TwintrackError:
            return "refused"
        assert chosen is not None
        return Choice(self._snapshot.deployments[chosen], signals)

    def signals(self, each: Decided) -> Signals | None:
        """None: a fitted router is to decide, and the numbers that it reads were not kept."""
        numbers = unpacked(each.features) if each.features is not None else None
        tokens = each.prompt_tokens_est
        if tokens is None or each.complexity is None:
            return None
        reading = None
        if self._predictor is not None:
            if numbers is None:
                return None
            reading = self._predictor.read(_WITHOUT_WORDS, numbers)
        allowed = round(256 * (2 ** numbers[_OUTPUT] - 1)) if numbers is not None else 0
        return Signals(
            endpoint=each.endpoint,
            stream=each.stream,
            prompt_tokens_est=tokens,
            output_tokens_est=output_tokens(each.task, tokens, allowed),
            max_output_tokens=allowed,
            modalities=("text",),
            tools=bool(numbers is not None and numbers[_TOOLS]),
            language=each.language,
            task=each.task,
            complexity=each.complexity,
            data_class=each.data_class,  # type: ignore[arg-type]
            labelled=True,
            deadline_ms=None,
            max_cost_nusd=None,
            stakes_high=each.reason == STAKES,
            features=numbers or (),
            reading=reading,
        )


class Model:
    """What the router in use, or the catalogue, foresees of a deployment's answer and its cost."""

    def __init__(self, predictor: Predictor | None) -> None:
        self._predictor = predictor
        self._judge: Judge = Prior() if predictor is None else Learned(predictor)

    def quality(self, deployment: Deployment, signals: Signals) -> float:
        reading = None
        if self._predictor is not None and signals.features:
            reading = self._predictor.read(_WITHOUT_WORDS, signals.features)
        return self._judge.p_good(deployment, msgspec.structs.replace(signals, reading=reading))

    def nusd(self, deployment: Deployment, signals: Signals) -> float | None:
        """At the tokens that were estimated before anybody answered; None: unknown. One more request costs an own
        engine nothing."""
        if deployment.per_hour_nusd:
            return 0.0
        if deployment.price is None:
            return None
        return float(cost_nusd(deployment.price, signals.prompt_tokens_est, signals.output_tokens_est))
