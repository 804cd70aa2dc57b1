"""A made-up world as a ledger logs it: requests have numbers, a policy that explores chooses, some answers are judged.

`small` is bad at mathematics, and the worse the longer it is; `large` is good at nearly everything.
"""

from __future__ import annotations

import numpy as np

from twintrack.ledger.verdicts import Judgement
from twintrack.signals.features import NAMES, packed

LARGE, SMALL = "large", "small"


def requests(count: int, seed: int) -> np.ndarray:
    """Shape (count, features): lengths vary together, as they do in requests, and the rest is noise."""
    rng = np.random.default_rng(seed)
    rows = np.abs(rng.normal(1.0, 0.5, (count, len(NAMES))))
    rows[:, NAMES.index("maths")] = np.where(rng.random(count) < 0.5, 2.5, 0.0)
    length = rng.uniform(3, 10, count)
    for name in ("tokens", "last_chars", "stem_chars", "words"):
        rows[:, NAMES.index(name)] = length + rng.normal(0, 0.3, count)
    return rows


def p_good(rows: np.ndarray, deployment: str) -> np.ndarray:
    """The truth."""
    if deployment == LARGE:
        return np.full(len(rows), 0.93)
    length, maths = (rows[:, NAMES.index(name)] for name in ("tokens", "maths"))
    return np.clip(0.97 - 0.03 * (length - 3) - 0.5 * (maths > 1), 0.05, 1)


def log(count: int, seed: int, *, explore: float = 0.1, judged: float = 1.0, above: float = 7.0) -> list[Judgement]:
    """What a policy that sends what is longer than `above` to `large` leaves behind, once some answers are judged."""
    rng = np.random.default_rng(seed + 1_000)
    rows = requests(count, seed)
    greedy = rows[:, NAMES.index("tokens")] > above
    explored = rng.random(count) < explore
    large = np.where(explored, rng.random(count) < 0.5, greedy)
    propensity = np.where(large == greedy, 1 - explore / 2, explore / 2)
    truth = np.where(large, p_good(rows, LARGE), p_good(rows, SMALL))
    good = rng.random(count) < truth
    found = []
    for place in range(count):
        if rng.random() >= judged:
            continue
        name = LARGE if large[place] else SMALL
        found.append(
            Judgement(
                f"r{place}", 10**15 + place * 10**6, float(good[place]), "feedback", "auto", name, name, name, False,
                name, 0.9 if large[place] else 0.8, float(propensity[place]), "0123456789ab",
                packed(tuple(rows[place])),
            )
        )  # fmt: skip
    return found
