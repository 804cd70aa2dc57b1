"""Where a router loses: every set of public outcomes left out in turn, on pairs of models drawn from all its models.

    TWINTRACK_DATA=/path/to/data python tools/check_transfer.py [--labels 0,20,50,200,1000] [--pairs 6] [--seeds 2]
        [--chosen]

`tools/check_routing.py` has pairs that somebody chose; here chance chooses among all whose stronger model is better by
4 points and by 4 standard errors. Each is fitted to some labels of the set, with a prior that saw neither the set nor
one that shares questions with it, and compared with the better of the length rule and one model for everything.
Intervals are 95 %, paired, by the delta method: APGR is a mean of gains weighted by ranks. Needs pyarrow.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from check_routing import PAIRS

from twintrack.signals.weights import shipped_prior
from twintrack.training.bench import ranking
from twintrack.training.design import Array
from twintrack.training.files import Outcomes, read_outcomes
from twintrack.training.fit import as_examples
from twintrack.training.overlap import by_accident, overlapping, text_hash, unpack

SETS = (
    "routellm_mmlu", "routellm_gsm8k", "routellm_mtbench", "zeroeval_gsm8k", "mmlupro", "llmrouter_ulab",
    "routerbench_arc_mbpp", "routerdc_7b_pool", "alpacaeval", "bfcl",
)  # fmt: skip
GAP = 0.04
MOST_SCORED = 3_000


class Shown(NamedTuple):
    ours: float
    length: float
    minus: float
    """Ours less the better of length rule and one model."""
    se: float


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--labels", default="0,20,50,200,1000")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--chosen", action="store_true", help="the pairs of tools/check_routing.py instead")
    asked = parser.parse_args()
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        print("Skipped: TWINTRACK_DATA does not name a folder.")
        return 0
    counts = [int(each) for each in asked.labels.split(",")]
    means: dict[int, list[Array]] = {}
    for name in SETS:
        outcomes = read_outcomes(Path(folder) / "routing" / f"{name}.parquet")
        pairs = [pair for of, *pair in PAIRS if of == name] if asked.chosen else drawn(outcomes, asked.pairs)
        found = measured(outcomes, counts, pairs, asked.seeds)
        for labels, each in found.items():
            means.setdefault(labels, []).append(told(name, labels, each))
    for labels, rows in means.items():
        ours, length, minus, below, above, draws = np.array(rows).T
        print(
            f"{labels:5} labels, {len(rows)} sets: length {length.mean():.4f}  ours {ours.mean():.4f}  less the "
            f"better rule {minus.mean():+.4f}  below it beyond chance {below.sum():.0f} of {draws.sum():.0f}, above "
            f"{above.sum():.0f}"
        )
    return 0


def told(name: str, labels: int, each: list[Shown]) -> Array:
    ours, length, minus, se = np.array(each).T
    below, above = int((minus + 1.96 * se < 0).sum()), int((minus - 1.96 * se > 0).sum())
    print(
        f"{labels:5} labels  {name:21} length {length.mean():.3f}  ours {ours.mean():.3f}  less the better rule "
        f"{minus.mean():+.3f}  below it beyond chance {below} of {len(each)}, above {above}",
        flush=True,
    )
    return np.array([ours.mean(), length.mean(), minus.mean(), below, above, len(each)], float)


def measured(
    outcomes: Outcomes, counts: list[int], pairs: Iterable[Sequence[str]], seeds: int
) -> dict[int, list[Shown]]:
    shipped = shipped_prior()
    shared = {each.name: sum(overlapping(outcomes.prompts, unpack(each.texts))) for each in shipped.sources}
    chance = by_accident(len(outcomes), max(each.rows for each in shipped.sources))
    prior = shipped.without(frozenset(name for name, count in shared.items() if count > chance))
    everything = as_examples(outcomes.asked)
    hashes = np.array([text_hash(each, whole=True) for each in outcomes.prompts])
    found: dict[int, list[Shown]] = {}
    for weak, strong in pairs:
        scores = {each: outcomes.scores[each] for each in (weak, strong)}
        both = np.flatnonzero(np.all([np.isfinite(each) for each in scores.values()], axis=0))
        for labels in counts:
            for seed in range(seeds if labels else 1):
                if len(both) < 1.5 * labels + 50:
                    continue
                rows = np.random.default_rng(seed).permutation(both)
                train, test = rows[:labels], rows[labels:]
                test = test[~np.isin(hashes[test], hashes[train])][:MOST_SCORED]
                gain = scores[strong][test] - scores[weak][test]
                if gain.mean() > 0:
                    ours = ranking(everything, train, test, scores, weak, strong, prior, seed)
                    found.setdefault(labels, []).append(shown(ours, outcomes.prompt_chars[test], gain))
    return found


def drawn(outcomes: Outcomes, most: int) -> list[tuple[str, str]]:
    able = []
    for weak, strong in permutations(outcomes.scores, 2):
        gain = outcomes.scores[strong] - outcomes.scores[weak]
        gain = gain[np.isfinite(gain)]
        if len(gain) >= 60 and gain.mean() > max(GAP, 4 * gain.std() / np.sqrt(len(gain))):
            able.append((weak, strong))
    rng = np.random.default_rng(crc32(outcomes.name.encode()))
    return [able[place] for place in rng.permutation(len(able))[:most]]


def shown(ours: Array, chars: Array, gain: Array) -> Shown:
    mine, length = _shares(ours), _shares(chars)
    values = [float((each * gain).mean() / gain.mean()) for each in (mine, length)]
    weight = mine - (length if values[1] > 0.5 else 0.5)
    minus = float((weight * gain).mean() / gain.mean())
    se = float((weight * gain - minus * gain).std() / np.sqrt(len(gain)) / gain.mean())
    return Shown(*values, minus, se)


def _shares(scores: Array) -> Array:
    """By how much of the curve each row counts: 1 for the first that goes to the strong model, 0 for the last; equal
    scores alike."""
    values, place, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    assert len(values) == len(middle)
    shares: Array = 1 - middle[place] / len(scores)
    return shares


if __name__ == "__main__":
    sys.exit(main())
