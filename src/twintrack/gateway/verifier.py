"""How likely a draft is good, once it is there: a small head fitted to verdicts on earlier drafts.

Its weights lie in one file of the data folder, like the router's. A draft is judged only where verdicts speak of its
like: of its deployment, and of drafts without log-probabilities if it has none.
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path

import msgspec

from twintrack.errors import ConfigError
from twintrack.gateway.verifier_features import NAMES, PLACE, VERSION
from twintrack.signals.predictor import between
from twintrack.signals.weights import VERIFIER, Card, fitted_in

FORMAT = 1
LEAST_VERDICTS = 20
"""On drafts of a deployment, and of a kind, with log-probabilities and without: of fewer it says nothing."""
_TOLD = 4
"""The first so many features are of log-probabilities."""
_MOST_AWAY = 3.0
"""Standard deviations: what lies beyond says no more."""
GIVEN_BY = {"mean": "told", "tenth": "told", "least": "told", "chance": "measured"}
"""Features that say nothing where another one is 0."""


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is particular to one deployment."""

    name: str
    verdicts: int
    effect: float
    """Added to the sum; shrunk towards nothing, which is what all have in common."""


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    features_version: int
    card: Card
    mean: float
    """Of the sum."""
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    """Three rows in the order of `verifier_features.NAMES`."""
    deployments: tuple[Known, ...]
    tasks: dict[str, float]
    """Added to the sum, by task."""
    knots: tuple[tuple[float, float], ...]
    """Sum and probability, rising; straight lines between, flat beyond."""
    told: int
    """Verdicts on drafts with log-probabilities."""
    untold: int
    until_us: int = 0
    """It was fitted to verdicts of the ledger on requests up to then, UTC microseconds; 0: to none of the ledger's."""
    texts: str = ""
    """Hashes of the requests of a file it was fitted to, as in `signals.weights.Source`."""


class Verifier:
    """`Weights` made ready. Immutable."""

    __slots__ = ("_knots", "_known", "_mean", "_parts", "_tasks", "card", "kinds", "wants_logprobs")

    def __init__(self, weights: Weights) -> None:
        self.card = weights.card
        self._mean = weights.mean
        self._parts = tuple(
            (PLACE[GIVEN_BY.get(name, name)] if name in GIVEN_BY else -1, place, weight / spread, centre, spread)
            for place, (name, centre, spread, weight) in enumerate(
                zip(NAMES, weights.centres, weights.spreads, weights.weights, strict=True)
            )
        )
        self._tasks = weights.tasks
        self._knots = weights.knots
        self._known = {each.name: each for each in weights.deployments}
        self.kinds = (weights.untold, weights.told)
        """Verdicts on drafts without and with log-probabilities."""
        self.wants_logprobs = weights.told >= LEAST_VERDICTS
        """It goes by them; the gateway has to ask for them."""

    def p_good(self, found: tuple[float, ...], names: tuple[str, ...], task: str) -> float | str:
        """Calibrated probability that a draft is good, or why there is none, in a few words.

        Args:
            found: what is seen of it, in the order of `verifier_features.NAMES`.
            names: by which its deployment may be known: its own, its model's.
        """
        known = next((self._known[name] for name in names if name in self._known), None)
        if known is None or known.verdicts < LEAST_VERDICTS:
            return "the verifier knows no verdicts on its deployment"
        untold, told = self.kinds
        if found[PLACE["told"]] and told < LEAST_VERDICTS:
            found = (0.0,) * _TOLD + found[_TOLD:]
        if not found[PLACE["told"]] and untold < LEAST_VERDICTS:
            return "the verifier knows no verdicts on drafts without log-probabilities"
        total = self._mean + known.effect + self._tasks.get(task, 0.0)
        for given_by, place, per_unit, centre, spread in self._parts:
            if given_by < 0 or found[given_by]:
                away, most = found[place] - centre, _MOST_AWAY * spread
                total += per_unit * (most if away > most else -most if away < -most else away)
        return between(self._knots, total)


def verifier_in(folder: Path) -> bytes:
    """The fitted verifier in a data folder as it stands in its file; empty if there is none.

    Raises:
        ConfigError: there is one, and it cannot be used.
    """
    data = fitted_in(folder, VERIFIER, "verifier")
    if data:
        made_ready(data, str(folder / VERIFIER))
    return data


def decode(data: bytes, name: str) -> Weights:
    """The weights in a file that is called `name`. Raises ConfigError: not a verifier's, or of another version."""
    fix = "Fit it again: twintrack learn verifier"
    try:
        weights = msgspec.json.decode(data, type=Weights)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"{name} is no verifier", why=str(error), fix=fix) from None
    if (weights.format, weights.features_version) != (FORMAT, VERSION):
        raise ConfigError(
            f"{name} is of version {weights.format}.{weights.features_version}",
            why=f"this Twintrack reads {FORMAT}.{VERSION}",
            fix=fix,
        )
    rows = (weights.centres, weights.spreads, weights.weights)
    if any(len(row) != len(NAMES) or not all(map(isfinite, row)) for row in rows) or min(weights.spreads) <= 0:
        raise ConfigError(f"{name} is no verifier", why="its parts do not fit together", fix=fix)
    rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in zip(weights.knots, weights.knots[1:], strict=False))
    if not weights.knots or not rising or not all(0.0 <= y <= 1.0 for _, y in weights.knots):
        raise ConfigError(f"{name} is no verifier", why="its sums become no probabilities", fix=fix)
    return weights


def made_ready(data: bytes, name: str) -> Verifier:
    """Raises ConfigError, as `decode`."""
    return Verifier(decode(data, name))
