"""How hard a request looks compared with others, from its features: the part of a predictor that transfers.

The direction is set by hand and length leads, since weights fitted on one set of questions rank another worse
(`tools/check_routing.py`, numbers in `docs/routing-measured.md`). What is fitted is how much it is worth
(`prior.json`).
"""

from __future__ import annotations

from operator import itemgetter, mul

from twintrack.signals.features import NAMES

_STEPS = {
    "words": 0.95,
    "stem_chars": 0.42,
    "negations": 0.75,
    "commas": 0.23,
    "brackets": 0.33,
    "digits": 0.125,
    "operators": 0.23,
    "code": 0.8,
    "options": -0.5,  # to recognise an answer is easier than to give one, and guessing helps whoever does not know
}
"""What each doubling of a count adds."""

_those = itemgetter(*(place for place, name in enumerate(NAMES) if name in _STEPS))
_THAT_COUNT = tuple(_STEPS[name] for name in NAMES if name in _STEPS)
STEPS = tuple(_STEPS.get(name, 0.0) for name in NAMES)


def difficulty(features: tuple[float, ...]) -> float:
    """Any scale; see `centre` and `spread` of the weights for the ordinary request's."""
    return float(sum(map(mul, _THAT_COUNT, _those(features))))
