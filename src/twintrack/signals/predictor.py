"""What a fitted router reads from one request. Pure Python: no numpy on the request path.

The request becomes one number a component; `policy/quality.py` adds them up for each deployment. Every part is
bounded: a feature acts through a table that is flat beyond three standard deviations, and all n-grams together by no
more than they did in the requests the router was fitted to. So no word, mark or length can buy a model without limit.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from math import sqrt
from operator import add, getitem, mul
from pathlib import Path
from typing import NamedTuple

from twintrack.errors import ConfigError
from twintrack.signals.difficulty import difficulty
from twintrack.signals.evidence import Evidence, evidence
from twintrack.signals.features import NAMES, features
from twintrack.signals.grams import grams
from twintrack.signals.weights import (
    ROUTER,
    Component,
    Deployment,
    Router,
    decode_router,
    fitted_in,
    floats,
    integers,
    packed,
)
from twintrack.wire.prompt import Prompt

EDGE = 3.0
"""Standard deviations that the difficulty and a feature's bins span to both sides."""

_NEXT_TO_NOTHING = complex(5e-324)
"""Weight of an n-gram that is known and says nothing: it changes no sum, and is still told from an unknown one."""


class Reading(NamedTuple):
    values: tuple[float, ...]
    """One a component."""
    known: float
    """Share of the request's n-grams that stood in the verdicts' requests; 1 for a router without n-grams."""


class Part(NamedTuple):
    name: str
    contribution: float
    """To the sum of one deployment; the n-grams of the request together are one part."""


class _Lane(NamedTuple):
    """Two components in one: complex numbers are summed at the price of one pass over one list. The second of an odd
    number's last is zero."""

    mean: complex
    slope: complex
    curves: list[list[complex]]
    """By feature and bin."""
    grams: dict[int, complex]
    """By hash; never zero."""
    most: complex


class Predictor:
    """A `Router` made ready. Immutable."""

    __slots__ = ("_bins", "_centre", "_count", "_knows_grams", "_lanes", "_per_spread", "deployments")

    def __init__(self, router: Router) -> None:
        """Raises ValueError: its parts do not fit together."""
        self._centre = router.centre
        self._per_spread = 1.0 / router.spread
        self._count = len(router.components)
        if any(len(each.mix) != self._count for each in router.deployments):
            raise ValueError("a deployment mixes more or fewer components than there are")
        hashes = integers(router.grams)
        self._knows_grams = bool(hashes)
        nothing = None if self._count % 2 == 0 else _nothing(router)
        each = (*router.components, *((nothing,) if nothing else ()))
        self._lanes = [_lane(first, second, hashes) for first, second in zip(each[::2], each[1::2], strict=True)]
        self._bins: list[list[float]] = []
        """Of each feature: where each bin but the first begins."""
        places = enumerate(zip(router.feature_centres, router.feature_spreads, strict=True))
        for place, (centre, spread) in places:
            (last,) = {len(component.tables[place]) - 1 for component in router.components}
            self._bins.append(beginnings(centre - EDGE * spread, last / (2 * EDGE * spread), last))
        self.deployments: dict[str, Deployment] = {each.name: each for each in router.deployments}

    def read(self, seen: Evidence, found: tuple[float, ...]) -> Reading:
        """Of the features `found` and the words in `seen`."""
        standard = self._standard(found)
        places = self._places(found)
        values = [lane.mean + lane.slope * standard + sum(map(getitem, lane.curves, places)) for lane in self._lanes]
        known = 1.0
        if self._knows_grams:
            wording, known = self._wording(seen)
            values = list(map(add, values, wording))
        return Reading(self._apart(values), known)

    def parts(self, name: str, seen: Evidence, found: tuple[float, ...]) -> tuple[Part, ...]:
        """Why: what moves the sum for deployment `name`, the strongest first. Raises KeyError for an unknown one."""
        mix = self.deployments[name].mix

        def mixed(row: list[complex]) -> float:
            return sum(share * value for share, value in zip(mix, self._apart(row), strict=True))

        standard = self._standard(found)
        parts = [Part("difficulty", mixed([standard * lane.slope for lane in self._lanes]))]
        for place, (feature, bin_) in enumerate(zip(NAMES, self._places(found), strict=True)):
            parts.append(Part(feature, mixed([lane.curves[place][bin_] for lane in self._lanes])))
        if self._knows_grams:
            parts.append(Part("wording", mixed(self._wording(seen)[0])))
        return tuple(sorted((part for part in parts if part.contribution), key=lambda part: -abs(part.contribution)))

    def _standard(self, found: tuple[float, ...]) -> float:
        standard = (difficulty(found) - self._centre) * self._per_spread
        return EDGE if standard > EDGE else -EDGE if standard < -EDGE else standard

    def _places(self, found: tuple[float, ...]) -> list[int]:
        """The bin of each feature."""
        return list(map(bisect_right, self._bins, found))

    def _wording(self, seen: Evidence) -> tuple[list[complex], float]:
        """What the n-grams add to each lane, and the share of them that is known."""
        hashes = grams(seen.terms)
        if not hashes:
            return [0j] * len(self._lanes), 1.0
        per_root = 1.0 / sqrt(len(hashes))
        known: list[complex] = []
        values = []
        for lane in self._lanes:
            known = list(filter(None, map(lane.grams.get, hashes)))
            values.append(_within(sum(known) * per_root, lane.most))
        return values, len(known) / len(hashes)

    def _apart(self, lanes: list[complex]) -> tuple[float, ...]:
        """By component."""
        values: list[float] = []
        for lane in lanes:
            values += (lane.real, lane.imag)
        return tuple(values[: self._count])


def _lane(first: Component, second: Component, hashes: array[int]) -> _Lane:
    curves = [list(map(complex, *both)) for both in zip(first.tables, second.tables, strict=True)]
    weights = map(complex, floats(first.grams), floats(second.grams))
    return _Lane(
        complex(first.mean, second.mean),
        complex(first.slope, second.slope),
        curves,
        {hash_: weight or _NEXT_TO_NOTHING for hash_, weight in zip(hashes, weights, strict=True)},
        complex(first.most, second.most),
    )


def beginnings(low: float, per_unit: float, last: int) -> list[float]:
    """The least number of each of the bins 1 to `last`, as `int((number - low) * per_unit + 0.5)` tells bins: to look a
    number up among them is to compute that, at half the price."""
    found = []
    for place in range(1, last + 1):
        below, number = low + (place - 1) / per_unit, low + place / per_unit
        while below < (between := below + (number - below) / 2) < number:
            if int((between - low) * per_unit + 0.5) < place:
                below = between
            else:
                number = between
        found.append(number)
    return found


def _nothing(router: Router) -> Component:
    """A component beside the last one that adds nothing."""
    last = router.components[-1]
    tables = tuple((0.0,) * len(table) for table in last.tables)
    return Component(0.0, 0.0, tables, packed(array("f", [0.0] * len(floats(last.grams)))), 0.0)


def _within(value: complex, most: complex) -> complex:
    first, second = value.real, value.imag
    return complex(
        most.real if first > most.real else -most.real if first < -most.real else first,
        most.imag if second > most.imag else -most.imag if second < -most.imag else second,
    )


def probability(of: Deployment, reading: Reading) -> tuple[float, float]:
    """Calibrated probability of a good answer, and its standard deviation."""
    return mean(of, reading), deviation(of, reading)


def mean(of: Deployment, reading: Reading) -> float:
    return between(of.knots, sum(map(mul, of.mix, reading.values)))


def between(knots: tuple[tuple[float, float], ...], total: float) -> float:
    """The probability that belongs to a sum: straight lines between `knots`, which rise, and flat beyond."""
    place = bisect_right(knots, (total, 2.0))
    if place == 0:
        return knots[0][1]
    if place == len(knots):
        return knots[-1][1]
    x0, y0 = knots[place - 1]
    x1, y1 = knots[place]
    return y0 + (y1 - y0) * (total - x0) / (x1 - x0)


def deviation(of: Deployment, reading: Reading) -> float:
    return of.sd + (of.sd_unknown - of.sd) * (1.0 - reading.known)


_ANY = "Which of these numbers, 3 and 5, is not even?"


def weights_in(folder: Path) -> bytes:
    """The fitted router in a data folder as it stands in its file; empty if there is none.

    Raises:
        ConfigError: there is one, and it cannot be used.
    """
    data = fitted_in(folder, ROUTER, "router")
    if data:
        made_ready(data, str(folder / ROUTER))
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
        seen = evidence(prompt)
        reading = predictor.read(seen, features(prompt, 16, seen))
        wrong = [each.name for each in router.deployments if not 0.0 <= probability(each, reading)[0] <= 1.0]
        problem = f"it gives {wrong[0]} no probability" if wrong else ""
    except (ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        problem = f"its parts do not fit together ({error})"
    if problem:
        raise ConfigError(f"{name} is no router", why=problem, fix="Fit it again: twintrack learn router")
    return predictor
