"""How likely a deployment is to answer a request well."""

from __future__ import annotations

from typing import Protocol

from twintrack.config.snapshot import Deployment
from twintrack.signals.signals import Signals

LOWEST_COMPLEXITY = 0.02
"""Else nothing would tell models apart on a request that looks trivial, and `keep_quality = 1` would keep nothing."""


class Judge(Protocol):
    """The seam for a learned one, which reads its weights from a file before it is handed to `Policy`."""

    def p_good(self, deployment: Deployment, signals: Signals) -> float:
        """0 to 1. For monotone routing it must fall no slower for a worse deployment as complexity rises."""


class Prior:
    """quality ** (2 × complexity): at complexity 0.5 a model is as good as its quality says, on easier requests all
    come closer to 1, on harder ones they part.

    Not measured: the shape has the right ends and one constant. `quality` is the share of ordinary requests a model
    answers well, from the catalogue or the configuration.
    """

    def p_good(self, deployment: Deployment, signals: Signals) -> float:
        complexity = signals.complexity
        if complexity < LOWEST_COMPLEXITY:
            complexity = LOWEST_COMPLEXITY
        return float(deployment.quality ** (2.0 * complexity))
