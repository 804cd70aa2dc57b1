"""Does a route keep `keep_quality` under changing traffic, and at what price? Simulated, since nobody knows the truth
of real traffic.

    python tools/simulate_promise.py [--runs 200] [--requests 20000] [--bias 0.2] [--first-seed 1000]

Each run is a world of its own: two families of tasks whose shares drift linearly from one to the other, two models
whose quality differs by family and difficulty, a predictor that reads difficulty badly and cannot see the family,
prices five to thirty times apart, and lengths that differ widely. One answer in twenty gets a verdict: right or wrong,
one in twenty of them the wrong way round, and some two hundred requests late. The controller knows none of that: not
the families, not the true qualities, not how wrong the predictor is (`--bias`: standard deviation of its log odds'
error, drawn for each model and family; 0.2 is an error of 0.02 to 0.05 of the probability). Its constants were chosen
on seeds below 100.

What is printed for each rule: realised quality relative to the dear model's, over runs, and what was paid, relative to
the best fixed threshold in hindsight, which is given the truth of the whole run.
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twintrack.policy.controller import Controller, Verdicts

Array = NDArray[np.float64]
KEEP = 0.98
LEAST = 0.975
_THRESHOLDS = np.append(np.linspace(0.0, 1.1, 221), 9.0)
_LAST_VERDICTS = 1_000
_TOLD_EVERY = 100
"""Requests between two looks at the verdicts."""


@dataclass(frozen=True)
class World:
    true: Array
    """Probability of a good answer, shape (2, n): cheap, dear."""
    predicted: Array
    cost: Array
    verdict: Array
    """What would be said of each answer."""
    judged: NDArray[np.bool_]
    late: NDArray[np.intp]
    """Requests until the verdict is known."""


def world(seed: int, requests: int, bias: float) -> World:
    rng = np.random.default_rng(seed)
    begin, end = rng.uniform(0.7, 1.0), rng.uniform(0.0, 0.3)
    if rng.random() < 0.5:
        begin, end = end, begin
    family = (rng.random(requests) < np.linspace(begin, end, requests)).astype(int)
    difficulty = rng.normal(rng.normal(0, 0.7, 2)[family], 1.0)
    seen = difficulty + rng.normal(0, 0.7, requests)
    weak = rng.uniform(1.0, 2.4)
    order = np.array_split(np.argsort(seen), 40)
    middles = np.array([seen[bin_].mean() for bin_ in order])
    true, predicted = [], []
    for level, steepness in ((weak, 1.0), (weak + rng.uniform(0.5, 1.5), 0.7)):
        slope, liking = rng.uniform(0.5, 1.4, 2) * steepness, rng.normal(0, 0.3, 2)
        p = _sigmoid(level - slope[family] * difficulty + liking[family])
        blind = np.interp(seen, middles, [p[bin_].mean() for bin_ in order]).clip(0.01, 0.99)
        true.append(p)
        predicted.append(_sigmoid(np.log(blind / (1 - blind)) + rng.normal(0, bias, 2)[family]))
    tokens = np.exp(rng.normal(0, 0.8, requests) + 0.15 * difficulty)
    prices = np.array([1.0, np.exp(rng.uniform(np.log(5), np.log(30)))])
    said = (rng.random((2, requests)) < np.array(true)).astype(float)
    said = np.where(rng.random((2, requests)) < 0.05, 1 - said, said)
    return World(
        np.array(true),
        np.array(predicted),
        prices[:, None] * tokens,
        said,
        rng.random(requests) < 0.05,
        rng.exponential(200, requests).astype(np.intp) + 1,
    )


def controlled(of: World) -> NDArray[np.intp]:
    """Who answered each request: 0 cheap, 1 dear."""
    controller = Controller(KEEP, (True, True))
    columns = (of.predicted[0], of.predicted[1], of.cost[1], of.judged, of.late)
    said = of.verdict.T.tolist()
    choices: list[int] = []
    under_way: list[tuple[int, int, float]] = []
    known: deque[tuple[int, float]] = deque(maxlen=_LAST_VERDICTS)
    for at, (cheap, dear, cost, judged, late) in enumerate(zip(*(each.tolist() for each in columns), strict=True)):
        if at % _TOLD_EVERY == 0 and under_way and under_way[0][0] <= at:
            while under_way and under_way[0][0] <= at:
                _, answered, surplus = heapq.heappop(under_way)
                known.append((answered, surplus))
            controller.learn({place: _summed([s for who, s in known if who == place]) for place in (0, 1)})
        shifts = controller.shifts
        floor = controller.floor(dear + shifts[1], cost)
        chosen = 0 if cheap + shifts[0] >= floor else 1
        controller.chose(chosen, dear if chosen else cheap, 1, dear, cost)
        choices.append(chosen)
        if judged:
            heapq.heappush(under_way, (at + late, chosen, said[at][chosen] - (dear if chosen else cheap)))
    return np.array(choices)


def _summed(surpluses: list[float]) -> Verdicts:
    return Verdicts(len(surpluses), sum(surpluses), sum(each * each for each in surpluses))


def threshold(of: World, least: float) -> NDArray[np.intp]:
    """Cheap where its prediction is at least `least` of the dear one's."""
    return (of.predicted[0] < least * of.predicted[1]).astype(np.intp)


def in_dollars(of: World, per_quality: float) -> NDArray[np.intp]:
    """Cheap where a point of predicted quality would cost more than it is worth."""
    gain = of.predicted[1] - of.predicted[0]
    return (gain > per_quality * (of.cost[1] - of.cost[0])).astype(np.intp)


def realised(of: World, choices: NDArray[np.intp], rows: slice = slice(None)) -> tuple[float, float]:
    """Quality relative to the dear model's, and cost of a request."""
    at = np.arange(len(choices))
    quality = of.true[choices, at][rows].sum() / of.true[1][rows].sum()
    return float(quality), float(of.cost[choices, at][rows].mean())


def cheapest(of: World, rule, values: Array, rows: slice = slice(None)) -> float:  # type: ignore[no-untyped-def]
    """The value of a fixed rule that keeps the quality on `rows` at least cost, by the truth."""
    found = [(*realised(of, rule(of, value), rows), value) for value in values]
    return float(min((cost, value) for quality, cost, value in found if quality >= KEEP)[1])


def simulate(seed: int, requests: int, bias: float) -> dict[str, tuple[float, float]]:
    """Quality and cost by rule."""
    of = world(seed, requests, bias)
    half = cheapest(of, threshold, _THRESHOLDS, slice(0, requests // 2))
    prices = np.append(np.geomspace(1e-4, 4.0, 120), [0.0, -1e9]) / of.cost[1].mean()
    return {
        "best fixed threshold in hindsight": realised(of, threshold(of, cheapest(of, threshold, _THRESHOLDS))),
        "best fixed price of quality in hindsight": realised(of, in_dollars(of, cheapest(of, in_dollars, prices))),
        "fixed threshold, best of the first half": realised(of, threshold(of, half)),
        "no controller: each request keeps 98 %": realised(of, threshold(of, KEEP)),
        "always the dear model": realised(of, np.ones(requests, np.intp)),
        "controller": realised(of, controlled(of)),
    }


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    asked.add_argument("--runs", type=int, default=200)
    asked.add_argument("--requests", type=int, default=20_000)
    asked.add_argument("--bias", type=float, default=0.2)
    asked.add_argument("--first-seed", type=int, default=1_000)
    options = asked.parse_args()
    began = time.process_time()
    seeds = range(options.first_seed, options.first_seed + options.runs)
    runs = [simulate(seed, options.requests, options.bias) for seed in seeds]
    hindsight = np.array([run["best fixed threshold in hindsight"][1] for run in runs])
    print(f"{options.runs} runs of {options.requests:,} requests, bias {options.bias}: keep {KEEP}")
    print(f"{'':42}quality  5th of 100  kept >= {LEAST}  cost  median  within 10 %")
    for rule in runs[0]:
        quality, cost = (np.array(each) for each in zip(*(run[rule] for run in runs), strict=True))
        relative = cost / hindsight
        print(
            f"{rule:42}{quality.mean():7.4f}{np.quantile(quality, 0.05):12.4f}{(quality >= LEAST).mean():14.1%}"
            f"{cost.sum() / hindsight.sum():8.3f}{np.median(relative):8.3f}{(relative <= 1.1).mean():13.0%}"
        )
    print(f"{time.process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
