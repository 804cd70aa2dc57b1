"""Whether the strategy that `twintrack route cascade` takes is ever worse than a blind mix of two models.

    TWINTRACK_DATA=/path/to/data python tools/check_cascade.py [--worlds 40] [--labels 200] [--first 0]

A world is a strong model, two to five cheaper ones, their prices and what quality is to be kept, all drawn by chance:
of GSM8K with 43 models' answers, of MMLU-Pro and AlpacaEval, which have no answers to compare, and of made-up models
whose mistakes are more or less the same ones. In each the strategy is taken on some labelled requests and set against
the best mix at equal dollars on the others, where that mix is known only afterwards. Needs pyarrow.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twintrack.signals.weights import shipped_prior
from twintrack.training.cascade import replay
from twintrack.training.files import Outcomes, read_outcomes

FAMILIES = ("zeroeval_gsm8k_answers", "mmlupro", "zeroeval_gsm8k_answers", "made up", "alpacaeval")
"""Worlds take turns; of what has answers to compare there are most."""
MOST_ROWS = 1_400
KEEPS = (0.95, 0.98, 0.99)
CHARS = 400.0
_read: dict[str, Outcomes] = {}


@dataclass(frozen=True)
class World:
    of: Outcomes
    strong: str
    prices: dict[str, tuple[float, float]]
    keep: float


def world(number: int) -> World:
    rng = np.random.default_rng(number)
    family = FAMILIES[number % len(FAMILIES)]
    keep = float(rng.choice(KEEPS))
    if family == "made up":
        of = made_up(rng)
        strong, cheap = "strong", [each for each in of.scores if each != "strong"]
    else:
        whole = read(family)
        able = sorted(whole.scores, key=lambda name: float(np.nanmean(whole.scores[name])))
        able = [name for name in able if name in whole.answer_chars]
        place = int(rng.integers(2 * len(able) // 3, len(able)))
        cheap = [str(each) for each in rng.choice(able[len(able) // 6 : place], int(rng.integers(2, 6)), replace=False)]
        strong = able[place]
        of = some(whole, rng.permutation(len(whole))[:MOST_ROWS], (*cheap, strong))
    into = {name: float(np.exp(rng.uniform(np.log(0.05), np.log(0.5)))) for name in cheap}
    into[strong] = float(np.exp(rng.uniform(np.log(1.0), np.log(5.0))))
    return World(of, strong, {name: (usd, 4 * usd) for name, usd in into.items()}, keep)


def read(name: str) -> Outcomes:
    if name not in _read:
        _read[name] = read_outcomes(Path(os.environ["TWINTRACK_DATA"]) / "routing" / f"{name}.parquet")
    return _read[name]


def some(of: Outcomes, rows: NDArray[np.intp], names: tuple[str, ...]) -> Outcomes:
    """The same with these rows and models alone."""
    return replace(
        of,
        prompts=[of.prompts[row] for row in rows],
        read=None if of.read is None else [of.read[row] for row in rows],
        tasks=None,
        scores={name: of.scores[name][rows] for name in names},
        answer_chars={name: of.answer_chars[name][rows] for name in names},
        costs_usd={},
        answers={name: [of.answers[name][row] for row in rows] for name in names if name in of.answers},
        gold=None,
    )


def made_up(rng: np.random.Generator) -> Outcomes:
    """Models that are right on a share of the requests; where several are wrong they often say the same."""
    alike, names = float(rng.choice([0.0, 0.3, 0.6, 0.9])), [f"cheap {place}" for place in range(rng.integers(2, 5))]
    right = np.array([[*rng.uniform(0.5, 0.9, len(names)), rng.uniform(0.9, 0.98)]] * MOST_ROWS)
    hard = rng.normal(size=(MOST_ROWS, 1)) * rng.uniform(0, 1.5)
    correct = rng.random(right.shape) < 1 / (1 + np.exp(hard - np.log(right / (1 - right))))
    same = rng.random(right.shape) < alike
    scores, answers = {}, {}
    for place, name in enumerate([*names, "strong"]):
        scores[name] = correct[:, place].astype(float)
        answers[name] = [
            str(row) if correct[row, place] else f"wrong {row}" if same[row, place] else f"wrong {row} {place}"
            for row in range(MOST_ROWS)
        ]
    prompts = [f"question {row} of some length" for row in range(MOST_ROWS)]
    chars = {name: np.full(MOST_ROWS, CHARS) for name in scores}
    return Outcomes("made up", prompts, None, scores, chars, {}, answers, None, 0)


def measured(number: int, labels: int) -> dict[str, Any]:
    of = world(number)
    return replay(of.of, of.strong, of.prices, shipped_prior(), labels=labels, keep=of.keep, seed=number)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--labels", type=int, default=200)
    asked = parser.parse_args()
    if not os.environ.get("TWINTRACK_DATA"):
        print("Skipped: TWINTRACK_DATA does not name a folder.")
        return 0
    found: dict[str, list[dict[str, Any]]] = {}
    for number in range(asked.first, asked.first + asked.worlds):
        each = measured(number, asked.labels)
        found.setdefault(each["strategy"], []).append(each)
        minus = each["minus_best_mix_at_equal_dollars"]
        print(
            f"{number:4} {each['set'][:22]:23} keep {each['keep']:.2f}: kept {each['kept']:.3f}  saved "
            f"{each['saved']:.2f} (best mix {each['best_mix']['saved']:.2f})  against the mix {minus['points']:+.1f} "
            f"({minus['low']:+.1f} to {minus['high']:+.1f}){'  BELOW' if minus['high'] < 0 else ''}  {each['words']}",
            flush=True,
        )
    for kind, all_ in [*found.items(), ("all", [each for several in found.values() for each in several])]:
        points = [each["minus_best_mix_at_equal_dollars"] for each in all_]
        print(
            f"{kind:12} {len(all_):3} worlds: against the mix {statistics.mean(each['points'] for each in points):+.2f}"
            f" points, below it beyond chance in {sum(each['high'] < 0 for each in points)}, above in "
            f"{sum(each['low'] > 0 for each in points)}; kept less asked for "
            f"{statistics.mean(each['kept'] - each['keep'] for each in all_):+.4f}, saved "
            f"{statistics.mean(each['saved'] for each in all_):.3f}, by the mix "
            f"{statistics.mean(each['best_mix']['saved'] for each in all_):.3f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
