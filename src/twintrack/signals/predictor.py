"""What a fitted router reads from one request. Pure Python: no numpy on the request path.

The request becomes one number a component; `policy/quality.py` adds them up for each deployment. Every part is
bounded: a feature acts through a table that is flat beyond three standard deviations, and all n-grams together by no
more than they did in the requests the router was fitted to. So no word, mark or length can buy a model without limit.
"""

from __future__ import annotations

from bisect import bisect_right
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from twintrack.errors import ConfigError
from twintrack.signals.difficulty import difficulty
from twintrack.signals.features import NAMES, Sample, features, sample
from twintrack.signals.grams import grams
from twintrack.signals.weights import ROUTER, Deployment, Router, decode_router, floats, integers
from twintrack.wire.prompt import Prompt

EDGE = 3.0
"""Standard deviations that the difficulty and a feature's bins span to both sides."""

_Row = tuple[float, ...]
"""One value a component."""


class Reading(NamedTuple):
    values: _Row
    """One a component."""
    known: float
    """Share of the request's n-grams that stood in the verdicts' requests; 1 for a router without n-grams."""


class Part(NamedTuple):
    name: str
    contribution: float
    """To the sum of one deployment; the n-grams of the request together are one part."""


class Predictor:
    """A `Router` made ready. Immutable."""

    __slots__ = ("_centre", "_curves", "_grams", "_lines", "_most", "_per_spread", "deployments")

    def __init__(self, router: Router) -> None:
        components = router.components
        self._centre = router.centre
        self._per_spread = 1.0 / router.spread
        self._lines = [(each.mean, each.slope) for each in components]
        self._most = [each.most for each in components]
        self._grams: dict[int, _Row] = dict(
            zip(integers(router.grams), zip(*(floats(each.grams) for each in components), strict=True), strict=True)
        )
        self._curves: list[tuple[float, float, int, list[_Row]]] = []
        """Of each feature: value of the first bin, bins per unit, last bin, and a row for each bin."""
        places = enumerate(zip(router.feature_centres, router.feature_spreads, strict=True))
        for place, (centre, spread) in places:
            rows = list(zip(*(each.tables[place] for each in components), strict=True))
            last = len(rows) - 1
            self._curves.append((centre - EDGE * spread, last / (2 * EDGE * spread), last, rows))
        self.deployments: dict[str, Deployment] = {each.name: each for each in router.deployments}

    def read(self, seen: Sample, found: tuple[float, ...]) -> Reading:
        """Of the features `found` and the words in `seen`."""
        rows = self._rows(found)
        standard = self._standard(found)
        values = [
            mean + slope * standard + curves
            for (mean, slope), curves in zip(self._lines, map(sum, zip(*rows, strict=True)), strict=True)
        ]
        if not self._grams:
            return Reading(tuple(values), 1.0)
        wording, known = self._wording(seen)
        return Reading(tuple([value + more for value, more in zip(values, wording, strict=True)]), known)

    def parts(self, name: str, seen: Sample, found: tuple[float, ...]) -> tuple[Part, ...]:
        """Why: what moves the sum for deployment `name`, the strongest first. Raises KeyError for an unknown one."""
        mix = self.deployments[name].mix

        def mixed(row: _Row) -> float:
            return sum(share * value for share, value in zip(mix, row, strict=True))

        parts = [Part("difficulty", self._standard(found) * mixed(tuple(slope for _, slope in self._lines)))]
        parts += [Part(each, mixed(row)) for each, row in zip(NAMES, self._rows(found), strict=True)]
        if self._grams:
            parts.append(Part("wording", mixed(self._wording(seen)[0])))
        return tuple(sorted((part for part in parts if part.contribution), key=lambda part: -abs(part.contribution)))

    def _standard(self, found: tuple[float, ...]) -> float:
        standard = (difficulty(found) - self._centre) * self._per_spread
        return EDGE if standard > EDGE else -EDGE if standard < -EDGE else standard

    def _rows(self, found: tuple[float, ...]) -> list[_Row]:
        picked = []
        for value, (low, per_unit, last, rows) in zip(found, self._curves, strict=True):
            place = int((value - low) * per_unit + 0.5) if value > low else 0
            picked.append(rows[place if place < last else last])
        return picked

    def _wording(self, seen: Sample) -> tuple[_Row, float]:
        """What the n-grams add to each component, and the share of them that is known."""
        hashes = grams(seen.words)
        rows = list(filter(None, map(self._grams.get, hashes)))
        if not rows:
            return (0.0,) * len(self._most), 0.0 if hashes else 1.0
        root = sqrt(len(hashes))
        values = []
        for total, most in zip(map(sum, zip(*rows, strict=True)), self._most, strict=True):
            value = total / root
            values.append(most if value > most else -most if value < -most else value)
        return tuple(values), len(rows) / len(hashes)


def probability(of: Deployment, reading: Reading) -> tuple[float, float]:
    """Calibrated probability of a good answer, and its standard deviation."""
    total = sum([share * value for share, value in zip(of.mix, reading.values, strict=True)])
    knots = of.knots
    place = bisect_right(knots, (total, 2.0))
    if place == 0:
        p = knots[0][1]
    elif place == len(knots):
        p = knots[-1][1]
    else:
        (x0, y0), (x1, y1) = knots[place - 1], knots[place]
        p = y0 + (y1 - y0) * (total - x0) / (x1 - x0)
    return p, of.sd + (of.sd_unknown - of.sd) * (1.0 - reading.known)


_ANY = "Which of these numbers, 3 and 5, is not even?"


def weights_in(folder: Path) -> bytes:
    """The fitted router in a data folder as it stands in its file; empty if there is none.

    Raises:
        ConfigError: there is one, and it cannot be used.
    """
    path = folder / ROUTER
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"The router's weights {path} cannot be read", why=error.strerror or "") from None
    made_ready(data, str(path))
    return data


def made_ready(data: bytes, name: str) -> Predictor:
    """The router in a weights file that is called `name`, tried on a request: what is wrong with it is said here and
    not on the request path.

    Raises:
        ConfigError: it is no router, is of another version, or its parts do not fit together.
    """
    router = decode_router(data, name)
    try:
        predictor = Predictor(router)
        prompt = Prompt((_ANY,), _ANY, _ANY, ("text",), False, 1, 0)
        seen = sample(prompt)
        reading = predictor.read(seen, features(prompt, 16, seen))
        wrong = [each.name for each in router.deployments if not 0.0 <= probability(each, reading)[0] <= 1.0]
        problem = f"it gives {wrong[0]} no probability" if wrong else ""
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        problem = f"its parts do not fit together ({error})"
    if problem:
        raise ConfigError(f"{name} is no router", why=problem, fix="Fit it again: twintrack learn router")
    return predictor
