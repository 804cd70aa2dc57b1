"""How likely a deployment is to answer a request well."""

from __future__ import annotations

from typing import Protocol

from twintrack.config.snapshot import Deployment
from twintrack.signals.predictor import Predictor, deviation, mean
from twintrack.signals.signals import Signals

LOWEST_COMPLEXITY = 0.02
"""Else nothing would tell models apart on a request that looks trivial, and `keep_quality = 1` would keep nothing."""


UNTOLD_SD = 0.15
"""Of a probability that rests on the catalogue alone. A judgement, not a measurement."""
PRIOR_VERDICTS = 10


class Judge(Protocol):
    """The seam for a learned one, which reads its weights from a file before it is handed to `Policy`."""

    def p_good(self, deployment: Deployment, signals: Signals) -> float:
        """0 to 1."""

    def measured(self, deployment: Deployment, signals: Signals) -> bool:
        """Whether verdicts speak in that number."""


class Prior:
    """quality ** (2 × complexity): at complexity 0.5 a model is as good as its quality says, on easier requests all
    come closer to 1, on harder ones they part. A better deployment is better on every request, and the more so the
    harder it is; a router fitted to verdicts promises neither.

    Not measured: the shape has the right ends and one constant. `quality` is the share of ordinary requests a model
    answers well, from the catalogue or the configuration.
    """

    def p_good(self, deployment: Deployment, signals: Signals) -> float:
        complexity = signals.complexity
        if complexity < LOWEST_COMPLEXITY:
            complexity = LOWEST_COMPLEXITY
        return float(deployment.quality ** (2.0 * complexity))

    def measured(self, deployment: Deployment, signals: Signals) -> bool:
        return False


class Learned:
    """A router fitted to verdicts. A deployment it has none for, or a request it did not read, is left to the prior.

    It knows a deployment by its own name or by its model's.
    """

    def __init__(self, predictor: Predictor, prior: Judge | None = None) -> None:
        self._known = predictor.deployments
        self._prior: Judge = prior or Prior()

    def p_good(self, deployment: Deployment, signals: Signals) -> float:
        known = self._known.get(deployment.name) or self._known.get(deployment.model)
        guessed = self._prior.p_good(deployment, signals)
        if known is None or signals.reading is None:
            return guessed
        # A handful of verdicts is no measurement yet: the prior counts as much as `PRIOR_VERDICTS`.
        share = known.verdicts / (known.verdicts + PRIOR_VERDICTS)
        return share * mean(known, signals.reading) + (1 - share) * guessed

    def measured(self, deployment: Deployment, signals: Signals) -> bool:
        known = deployment.name in self._known or deployment.model in self._known
        return known and signals.reading is not None

    def estimate(self, deployment: Deployment, signals: Signals) -> tuple[float, float]:
        """Mean and standard deviation of the probability; for the prior the latter is `UNTOLD_SD`."""
        known = self._known.get(deployment.name) or self._known.get(deployment.model)
        if known is None or signals.reading is None:
            return self._prior.p_good(deployment, signals), UNTOLD_SD
        return self.p_good(deployment, signals), deviation(known, signals.reading)
