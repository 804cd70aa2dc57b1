"""The figures of `docs/cascade.md` on the verifier: what it is worth held out, next to what is simpler.

    TWINTRACK_DATA=/path/to/data python tools/check_verifier.py [answers] [engine]

`answers`: recorded answers of many models to GSM8K's questions (TWINTRACK_DATA/routing, zeroeval_gsm8k_answers): of
each the result and the length, no log-probabilities. `engine`: the bundled demo models on a real llama.cpp engine,
which tells them. Every figure is of questions that nothing was fitted to. Needs pyarrow, and for the second xllamacpp.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import urllib.request
from collections.abc import Callable
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
from make_tiny_model import question_and_answer
from numpy.typing import NDArray

from twintrack.engines.start import Engine, EngineProcess, bundled, free_port
from twintrack.gateway.verifier_features import NAMES, PLACE
from twintrack.signals.weights import shipped_prior
from twintrack.training.calibrate import calibration_error
from twintrack.training.design import Array
from twintrack.training.files import Outcomes, read_outcomes
from twintrack.training.fit import as_examples
from twintrack.training.fit import fit as fit_router
from twintrack.training.verifier import RULES, Drafts, Head, fit
from twintrack.training.verifier_learn import OURS, auc, compared
from twintrack.training.verifier_sources import drafts_of

STRONG = "gpt-4o-2024-08-06"
CHEAP = (
    "Meta-Llama-3.1-8B-Instruct",
    "gemma-2-9b-it",
    "Qwen2-7B-Instruct",
    "Yi-1.5-9B-Chat",
    "Meta-Llama-3-8B-Instruct",
)
PRICES = dict.fromkeys(CHEAP, (0.06, 0.08)) | {STRONG: (2.5, 10.0)}
PAIRS = (("gemma-2-9b-it", "Meta-Llama-3.1-8B-Instruct"), ("Yi-1.5-9B-Chat", "Qwen2-7B-Instruct"))
SEEDS = 6
INSTRUCTIONS_CHARS = 319
KEEPS = (0.95, 0.98, 0.99)
CAUTIOUS = "new verifier, lower bound"


def features(one: Outcomes, rows: NDArray[np.intp], pair: tuple[str, ...], chance: Array, complexity: Array) -> Drafts:
    """Of each question a draft by each of `pair`, asked in that order. `chance`: shape (rows, pair), log odds."""
    seen, deployments, scores, requests = [], [], [], []
    for at, row in enumerate(rows):
        earlier: list[str] = []
        for place, name in enumerate(pair):
            said, chars = one.answers[name][row], float(one.answer_chars[name][row])
            found = dict.fromkeys(NAMES, 0.0)
            found |= {
                "measured": 1.0,
                "chance": float(chance[at, place]),
                "complexity": float(complexity[at]),
                "chars": log2(1 + chars),
                "tokens": log2(1 + chars // 4),
                "relative": log2(1 + chars) - log2(1 + len(one.prompts[row])),
                "distinct": 1.0,
                "marked": float(said is not None),
                "others": float(len(earlier)),
                "agrees": float(sum(each == said for each in earlier)),
            }
            seen.append([found[each] for each in NAMES])
            if said is not None:
                earlier.append(said)
            deployments.append(name)
            scores.append(float(one.scores[name][row]))
            requests.append(at)
    return Drafts(np.array(seen), deployments, ["math"] * len(seen), np.array(scores), np.array(requests))


def odds(p: Array) -> Array:
    p = np.clip(p, 0.0001, 0.9999)
    values: Array = np.clip(np.log(p / (1 - p)), -6, 6)
    return values


def answers() -> None:
    one = read_outcomes(Path(os.environ["TWINTRACK_DATA"]) / "routing" / "zeroeval_gsm8k_answers.parquet")
    examples = as_examples(one.prompts)
    for pair in PAIRS:
        for labels in (200, len(one) // 2):
            found: dict[str, list[float]] = {}
            curves: dict[str, list[tuple[float, float]]] = {}
            ahead: dict[str, list[int]] = {}
            for seed in range(SEEDS):
                rng = np.random.default_rng(seed)
                rows = rng.permutation(len(one))
                train, test = rows[:labels], rows[labels:]
                fitted = fit_router(
                    examples.take(train),
                    {each: one.scores[each][train] for each in (*pair, STRONG)},
                    shipped_prior(),
                    seed,
                )
                at = [fitted.names.index(each) for each in pair]
                p_strong = fitted.p_good(examples.take(test))[:, fitted.names.index(STRONG)]
                seen = features(one, train, pair, odds(fitted.left_out[:, at]), np.zeros(len(train)))
                unseen = features(one, test, pair, odds(fitted.p_good(examples.take(test))[:, at]), np.zeros(len(test)))
                p = {rule: fit(seen, columns, rng).p_good(unseen) for rule, columns in {OURS: NAMES, **RULES}.items()}
                for rule, values in p.items():
                    found.setdefault(f"AUC {rule}", []).append(auc(values, unseen.scores))
                    found.setdefault(f"ECE {rule}", []).append(calibration_error(values, unseen.scores))
                    if rule != OURS:
                        by = compared(p[OURS], values, unseen.scores, unseen.requests, rng)
                        ahead.setdefault(rule, []).append((by["low"] > 0) - (by["high"] < 0))
                right, usd = priced(one, test, pair)
                p |= {CAUTIOUS: p[OURS] - doubt(fit(seen, NAMES, rng), seen.scores, p[OURS])}
                for rule, values in p.items():
                    for keep in KEEPS:
                        point = cascaded(values.reshape(-1, 2), needed(p_strong, keep, usd), right, usd)
                        curves.setdefault(f"{rule}, keep {keep:g}", []).append(point)
                agreed = unseen.seen[:, PLACE["agrees"]].reshape(-1, 2)
                curves.setdefault("two agree", []).append(cascaded(agreed, np.full(agreed.shape, 0.5), right, usd))
            print(f"{' then '.join(pair)}; {labels} labels, mean of {SEEDS} seeds")
            _print(found, curves, ahead)


def doubt(head: Head, scores: Array, p: Array) -> Array:
    """By how much the share of good drafts among those believed at each of `p` may be lower, at 95 % (one-sided)."""
    order = np.argsort(-head.left_out, kind="stable")
    count = np.arange(1, len(order) + 1)
    share = (np.cumsum(scores[order]) + 2 * scores.mean()) / (count + 2)
    values: Array = 1.64 * np.interp(-p, -head.left_out[order], np.sqrt(share * (1 - share) / count))
    return values


def priced(one: Outcomes, rows: NDArray[np.intp], pair: tuple[str, ...]) -> tuple[Array, Array]:
    """Right and dollars, shape (rows, pair and the strong model)."""
    names = (*pair, STRONG)
    chars = np.array([len(one.prompts[row]) + INSTRUCTIONS_CHARS for row in rows], float)
    usd = [
        (chars * PRICES[name][0] + np.nan_to_num(one.answer_chars[name][rows]) * PRICES[name][1]) / 4e6
        for name in names
    ]
    return np.column_stack([one.scores[name][rows] for name in names]), np.column_stack(usd)


def needed(best: Array, keep: float, usd: Array) -> Array:
    """As `gateway.verifier_check` has it: more of a draft that another may follow. Shape (n, drafts)."""
    floors = np.repeat((keep * best)[:, None], usd.shape[1] - 1, axis=1)
    share = np.minimum(1.0, usd[:, 1:-1] / usd[:, -1:] / 0.5)
    floors[:, :-1] = best[:, None] - share * (best[:, None] - floors[:, :-1])
    return floors


def cascaded(p: Array, need: Array, right: Array, usd: Array) -> tuple[float, float]:
    """Share of the strong model's accuracy that is kept, and of its dollars saved: drafts are asked for in order until
    one's probability is what it needs to be."""
    open_ = np.ones(len(p), bool)
    quality, paid = right[:, -1].copy(), np.zeros(len(p))
    for place in range(p.shape[1]):
        paid += np.where(open_, usd[:, place], 0.0)
        believed = open_ & (p[:, place] >= need[:, place])
        quality = np.where(believed, right[:, place], quality)
        open_ = open_ & ~believed
    paid += np.where(open_, usd[:, -1], 0.0)
    return float(quality.mean() / right[:, -1].mean()), float(1 - paid.sum() / usd[:, -1].sum())


def engine(count: int = 1_200) -> None:
    """demo-nano drafts at temperature 0.8, demo-small answers; both are real, their world is made up."""
    rows, right, tokens = _asked(count)
    drafts, _ = drafts_of(rows, Path("engine"), None)
    found: dict[str, list[float]] = {}
    curves: dict[str, list[tuple[float, float]]] = {}
    ahead: dict[str, list[int]] = {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(drafts))
        train, test = np.sort(order[:200]), np.sort(order[200:])
        p = {
            rule: fit(drafts.take(train), columns, rng).p_good(drafts.take(test))
            for rule, columns in {OURS: NAMES, **RULES}.items()
        }
        scores = drafts.scores[test]
        usd = tokens[test] * np.array([0.08, 10.0])
        for rule, values in p.items():
            found.setdefault(f"AUC {rule}", []).append(auc(values, scores))
            found.setdefault(f"ECE {rule}", []).append(calibration_error(values, scores))
            if rule != OURS:
                by = compared(p[OURS], values, scores, drafts.requests[test], rng)
                ahead.setdefault(rule, []).append((by["low"] > 0) - (by["high"] < 0))
            for keep in (0.8, 0.9, 0.95):
                point = cascaded(values[:, None], np.full((len(test), 1), keep), right[test], usd)
                curves.setdefault(f"{rule}, at least {keep:g}", []).append(point)
    print(f"demo-nano, {drafts.scores.mean():.3f} of {len(drafts)} good; 200 labels, mean of {SEEDS} seeds")
    _print(found, curves, ahead)


def _asked(count: int) -> tuple[list[dict[str, Any]], Array, Array]:
    """Rows as of a file, and of drafts and answers whether they are right and their tokens, shape (n, 2)."""
    rng = random.Random(0)
    chats: dict[str, Any] = {}
    while len(chats) < count:
        skill = rng.choice(("sentiment", "capital", "add", "repeat", "json", "sort", "story", "hello"))
        question, answer = question_and_answer(rng, skill)
        chats[f"{question} ({len(chats)})" if question in chats else question] = (question, answer)
    processes = [EngineProcess(Engine(name, bundled(name), free_port())) for name in ("demo-nano", "demo-small")]
    rows, right, tokens = [], [], []
    try:
        for process in processes:
            process.start()
            process.wait_ready()
        for name, (question, expected) in chats.items():
            said = [_ask(each.engine, question, at) for each, at in zip(processes, (0.8, 0.0), strict=True)]
            text, logprobs = said[0]
            right.append([float(each == expected) for each, _ in said])
            tokens.append([len(each) for _, each in said])
            row = {"prompt": name, "model": "demo-nano", "answer": text, "score": right[-1][0], "logprobs": logprobs}
            rows.append(row)
    finally:
        for process in processes:
            process.stop()
    return rows, np.array(right), np.array(tokens, float)


def _ask(engine: Engine, question: str, temperature: float) -> tuple[str, list[float]]:
    body = {
        "model": engine.name,
        "messages": [{"role": "user", "content": question}],
        "temperature": temperature,
        "logprobs": True,
        "max_tokens": 100,
    }
    asked = urllib.request.Request(
        f"{engine.url}/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(asked) as answer:
        choice = json.load(answer)["choices"][0]
    return choice["message"]["content"], [min(0.0, each["logprob"]) for each in choice["logprobs"]["content"]]


def _print(
    found: dict[str, list[float]], curves: dict[str, list[tuple[float, float]]], ahead: dict[str, list[int]]
) -> None:
    for rule in (OURS, *RULES):
        beside = f"  ours better in {ahead[rule].count(1)}, worse in {ahead[rule].count(-1)}" if rule != OURS else ""
        figures = [statistics.mean(found[f"{name} {rule}"]) for name in ("AUC", "ECE")]
        print(f"  {rule:24} AUC {figures[0]:.3f}  ECE {figures[1]:.3f}{beside}")
    for rule, points in curves.items():
        kept, saved = (statistics.mean(each) for each in zip(*points, strict=True))
        print(f"  {rule:38} kept {kept:.4f} (least {min(k for k, _ in points):.4f})  saved {saved:+.3f}", flush=True)


PARTS: dict[str, Callable[[], None]] = {"answers": answers, "engine": engine}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
