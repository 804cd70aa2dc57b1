"""The figures of `docs/routing-measured.md`: what the shipped prior and a fitted router are worth on public outcomes.

    TWINTRACK_DATA=/path/to/data python tools/check_routing.py [zero-shot] [local] [mmlu] [dollars] [cascade] [ledger]
    [cost]

Reads TWINTRACK_DATA/routing, whose README says where the sets come from. Every figure is of rows that nothing was
fitted to. Without a word all parts run, which takes some ten minutes on one core. Needs pyarrow.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from twintrack.config.load import parse
from twintrack.gateway.choosing import choose
from twintrack.gateway.open import compiled
from twintrack.gateway.serving import Serving
from twintrack.signals.evidence import evidence
from twintrack.signals.features import packed, unpacked
from twintrack.signals.predictor import Predictor
from twintrack.signals.read import read
from twintrack.signals.weights import Card, Router, shipped_prior
from twintrack.training import frontier
from twintrack.training.bench import bench
from twintrack.training.calibrate import calibration_error
from twintrack.training.cascade import replay
from twintrack.training.design import Examples
from twintrack.training.files import Outcomes, read_outcomes
from twintrack.training.fit import as_examples, fit, router
from twintrack.wire.dialect import Asked, decode
from twintrack.wire.endpoints import BY_NAME
from twintrack.wire.prompt import NO_LABELS, Prompt

PAIRS = (
    ("routellm_mmlu", "mixtral-8x7b-instruct", "gpt-4-1106-preview"),
    ("routellm_gsm8k", "mixtral-8x7b-instruct", "gpt-4-1106-preview"),
    ("routellm_mtbench", "mixtral-8x7b-instruct", "gpt-4-1106-preview"),
    ("zeroeval_gsm8k", "Meta-Llama-3.1-8B-Instruct", "Meta-Llama-3.1-70B-Instruct"),
    ("zeroeval_gsm8k", "Meta-Llama-3.1-70B-Instruct", "gpt-4o-2024-08-06"),
    ("mmlupro", "Meta-Llama-3.1-8B-Instruct", "Meta-Llama-3.1-70B-Instruct"),
    ("mmlupro", "Meta-Llama-3.1-70B-Instruct", "gemini-1.5-pro-002"),
    ("llmrouter_ulab", "llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
    ("routerbench_arc_mbpp", "mistral-7b-chat", "gpt-4-1106-preview"),
    ("routerbench_arc_mbpp", "Yi-34B-Chat", "gpt-4-1106-preview"),
    ("routerdc_7b_pool", "Mistral-7B-v0.1", "dolphin-2.9-llama3-8b"),
    ("alpacaeval", "gpt-3.5-turbo-1106", "claude-2"),
    ("alpacaeval", "claude-2", "gpt4_1106_preview"),
    ("bfcl", "meta-llama_Meta-Llama-3-8B-Instruct", "meta-llama_Meta-Llama-3-70B-Instruct"),
    ("bfcl", "meta-llama_Meta-Llama-3-70B-Instruct", "gpt-4-0125-preview"),
)
SEEDS = 3
CHEAP = (
    "Meta-Llama-3.1-8B-Instruct",
    "gemma-2-9b-it",
    "Qwen2-7B-Instruct",
    "Yi-1.5-9B-Chat",
    "Meta-Llama-3-8B-Instruct",
)
PRICES = dict.fromkeys(CHEAP, (0.06, 0.08)) | {"gpt-4o-2024-08-06": (2.5, 10.0)}
"""US dollars per million tokens; round figures near list prices."""

_read: dict[str, Outcomes] = {}


def outcomes(name: str) -> Outcomes:
    if name not in _read:
        _read[name] = read_outcomes(Path(os.environ["TWINTRACK_DATA"]) / "routing" / f"{name}.parquet")
    return _read[name]


def zero_shot() -> None:
    """`route bench --labels 0 --leave-out SET`, against the length rule and one model for everything."""
    for name, weak, strong in PAIRS:
        found = bench(outcomes(name), weak, strong, shipped_prior(), leave_out=frozenset({name})).result
        length, single = found["ours_minus"]["length"], found["ours_minus"]["best_single"]
        print(
            f"{name:21}{weak[:20]:21}{strong[:20]:21} ours {found['ours']['apgr']:.3f}  length "
            f"{found['baselines']['length']['apgr']:.3f}  minus length {_interval(length)}  "
            f"minus one model {_interval(single)}",
            flush=True,
        )


def local(labels: int = 200) -> None:
    """`route bench --labels 200`, mean of seeds, next to the same rows zero-shot."""
    gains = []
    for name, weak, strong in PAIRS:
        if len(outcomes(name)) < 2 * labels:
            continue
        ours, length, below = [], [], 0
        for seed in range(SEEDS):
            found = bench(outcomes(name), weak, strong, shipped_prior(), labels=labels, seed=seed).result
            ours.append(found["ours"]["apgr"])
            length.append(found["baselines"]["length"]["apgr"])
            best = max(("length", "best_single"), key=lambda rule: found["baselines"][rule]["apgr"])
            below += found["ours_minus"][best]["below_beyond_chance"]
        before = bench(outcomes(name), weak, strong, shipped_prior()).result["ours"]["apgr"]
        gains.append(statistics.mean(ours) - before)
        print(
            f"{name:21}{weak[:20]:21}{strong[:20]:21} {labels} labels {statistics.mean(ours):.3f}  "
            f"zero-shot {before:.3f}  length {statistics.mean(length):.3f}  "
            f"below the better rule beyond chance {below} of {SEEDS}",
            flush=True,
        )
    print(f"mean gain over zero-shot {statistics.mean(gains):+.3f}", flush=True)


def mmlu() -> None:
    """1,500 labels in domain: rank, calibration, time to fit."""
    name, weak, strong = PAIRS[0]
    for seed in range(SEEDS):
        start = time.process_time()
        found = bench(outcomes(name), weak, strong, shipped_prior(), labels=1_500, seed=seed).result
        ours = found["ours"]
        print(
            f"MMLU, 1,500 labels, seed {seed}: APGR {ours['apgr']:.3f} "
            f"({ours['apgr_low']:.3f} to {ours['apgr_high']:.3f})  "
            f"CPT50 {ours['cpt50']:.1f}  CPT80 {ours['cpt80']:.1f}  {time.process_time() - start:.1f} s CPU in all",
            flush=True,
        )
        one = outcomes(name)
        rows = np.random.default_rng(seed).permutation(len(one))
        train, test = rows[:1_000], rows[1_000:]
        examples = as_examples(one.prompts)
        start = time.process_time()
        fitted = fit(examples.take(train), {each: one.scores[each][train] for each in (weak, strong)}, shipped_prior())
        took = time.process_time() - start
        p = fitted.p_good(examples.take(test))
        errors = [calibration_error(p[:, at], one.scores[each][test]) for at, each in enumerate(fitted.names)]
        print(
            f"  2,000 verdicts: fitted in {took:.1f} s CPU; calibration error on {len(test):,} others: "
            + ", ".join(f"{each} {error:.3f}" for each, error in zip(fitted.names, errors, strict=True)),
            flush=True,
        )
    for name, weak, strong in PAIRS[1:2]:
        for seed in range(SEEDS):
            found = bench(outcomes(name), weak, strong, shipped_prior(), labels=653, seed=seed).result
            print(
                f"GSM8K, half, seed {seed}: {found['ours']['apgr']:.3f}  minus length "
                f"{_interval(found['ours_minus']['length'])}"
            )


def dollars() -> None:
    """ARC and MBPP in RouterBench's dollars, half to fit."""
    for seed in range(SEEDS):
        one = outcomes("routerbench_arc_mbpp")
        found = bench(one, "mistral-7b-chat", "gpt-4-1106-preview", shipped_prior(), labels=900, seed=seed).result
        pool = found["pool"]
        print(
            f"seed {seed}: two models: AIQ {found['ours']['aiq']:.4f}, "
            f"their hull {found['baselines']['best_single']['aiq']:.4f};"
            f" {len(pool['models'])} models: {pool['aiq']:.4f}, hull {pool['aiq_hull_of_single_models']:.4f},"
            f" {pool['gain']:+.2%} ({pool['gain_low']:+.2%} to {pool['gain_high']:+.2%})",
            flush=True,
        )


def cascade() -> None:
    """The strategy chosen on half, and on 200, of GSM8K's answers."""
    one = outcomes("zeroeval_gsm8k_answers")
    for labels in (None, 200):
        kept, saved, points = [], [], []
        for seed in range(2 * SEEDS):
            found = replay(one, "gpt-4o-2024-08-06", PRICES, shipped_prior(), labels=labels, seed=seed, extra_chars=319)
            kept.append(found["kept"])
            saved.append(found["saved"])
            points.append(found["minus_best_mix_at_equal_dollars"]["points"])
            print(
                f"{labels or 'half'}, seed {seed}: kept {kept[-1]:.4f}  saved {saved[-1]:.3f}  {found['words']}",
                flush=True,
            )
        print(
            f"mean: kept {statistics.mean(kept):.4f}  saved {statistics.mean(saved):.3f}  "
            f"against the best mix at equal dollars {statistics.mean(points):+.1f} points",
            flush=True,
        )


def ledger() -> None:
    """A router fitted as from the ledger: numbers that describe requests without their words, and on each request one
    verdict, on a deployment drawn by chance. Next to it the same requests with words, and with verdicts on both."""
    for name, weak, strong in (PAIRS[0], PAIRS[10], PAIRS[7]):
        one = outcomes(name)
        examples = as_examples(one.prompts)
        kept = [unpacked(packed(tuple(row))) for row in examples.features]
        wordless = Examples(np.array(kept, float), None)
        for labels in (200, 1_500):
            if len(one) < 2 * labels:
                continue
            found: dict[str, list[float]] = {}
            for seed in range(SEEDS):
                rng = np.random.default_rng(seed)
                rows = rng.permutation(len(one))
                train, test = rows[:labels], rows[labels:]
                drawn = rng.random(labels) < 0.5
                both = {each: one.scores[each][train] for each in (weak, strong)}
                single = {each: np.where(drawn == (each == weak), values, np.nan) for each, values in both.items()}
                for words, on, scores in (
                    ("as from the ledger", wordless, single),
                    ("with words", examples, single),
                    ("with words, both judged", examples, both),
                ):
                    fitted = fit(on.take(train), scores, shipped_prior(), seed)
                    p = fitted.p_good(on.take(test))
                    gain = p[:, fitted.names.index(strong)] - p[:, fitted.names.index(weak)]
                    low, high = (one.scores[each][test] for each in (weak, strong))
                    found.setdefault(words, []).append(frontier.fine_apgr(gain, low, high))
                length = frontier.fine_apgr(examples.features[test, 1], low, high)
                found.setdefault("length", []).append(length)
            told = ", ".join(f"{words} {statistics.mean(values):.3f}" for words, values in found.items())
            print(f"{name:21}{weak[:20]:21}{strong[:20]:21} {labels} requests, APGR: {told}", flush=True)


def cost() -> None:
    """CPU of a decision, µs: median over 2,000 requests that are all different, of each the better of three. The router
    is fitted to 2,000 verdicts of two models; every second request is of a kind it knows."""
    one = outcomes("routellm_mmlu")
    order = np.random.default_rng(0).permutation(len(one))
    train, others = order[:1_000], order[1_000:]
    scores = {each: values[train] for each, values in one.scores.items()}
    weights = router(fit(as_examples([one.prompts[row] for row in train]), scores, shipped_prior()), Card("", "-", "-"))
    predictor, plain = Predictor(weights), _serving(scores, None)
    routed = _serving(scores, weights, "explore = 0.01\nusd_per_day = 1000\n")
    routed.describing.judged = True
    chat = BY_NAME["chat"]

    def measured(run: Callable[[Any], object], make: Callable[[str], Any]) -> float:
        best = [2**60] * len(texts)
        for _ in range(3):
            made = list(map(make, texts))  # anew, since what is read of a request may be kept in it
            for place, each in enumerate(made):
                start = time.thread_time_ns()
                run(each)
                best[place] = min(best[place], time.thread_time_ns() - start)
        return statistics.median(best) / 1_000

    def prompt(text: str) -> Prompt:
        return Prompt((text,), text, text, ("text",), False, 1, 0)

    def signals(prompt: Prompt, with_router: bool, describe: bool = False) -> object:
        return read(
            prompt,
            NO_LABELS,
            endpoint="chat",
            stream=False,
            floor="public",
            default_class="public",
            predictor=predictor if with_router else None,
            describe=describe,
        )

    def asked(text: str) -> Asked:
        return decode(chat, msgspec.json.encode({"model": "auto", "messages": [{"role": "user", "content": text}]}))

    def decided(asked: Asked, serving: Serving) -> object:
        found = choose(serving, chat, asked, NO_LABELS, -1, 0)[1].features
        return packed(found) if found else None

    known = " ".join(one.prompts[row] for row in others)
    new = " ".join(outcomes("alpacaeval").prompts + outcomes("routellm_gsm8k").prompts + outcomes("bfcl").prompts)
    for characters in (1_000, 8_000):
        step = min(len(known), len(new)) // 1_000 - 8
        texts = [of[place * step :][:characters] for place in range(1_000) for of in (known, new)]
        print(
            f"{characters} characters: evidence alone {measured(evidence, prompt):.0f}; signals "
            f"{measured(lambda each: signals(each, False), prompt):.0f}, where numbers are kept "
            f"{measured(lambda each: signals(each, False, True), prompt):.0f}, with a fitted router "
            f"{measured(lambda each: signals(each, True), prompt):.0f}; the whole decision "
            f"{measured(lambda each: decided(each, plain), asked):.0f}, with router, controller, exploration, budget "
            f"and numbers that are kept {measured(lambda each: decided(each, routed), asked):.0f}",
            flush=True,
        )


def _serving(models: dict[str, Any], weights: Router | None, more: str = "") -> Serving:
    """A route from the first of `models` to the last, and what a worker serves it with."""
    deployment = """[[deployments]]
name = {0!r}
model = {0!r}
provider = "here"
facts = {{ context_tokens = 100000, quality = 0.8 }}
price = {{ input_usd_per_mtok = {1}, output_usd_per_mtok = {2} }}
"""
    blocks = [deployment.format(name, 1 + place, 4 + place) for place, name in enumerate(models)]
    steps = ", ".join(f"{{ name = 't{place}', deployments = [{name!r}] }}" for place, name in enumerate(models))
    config = '[[providers]]\nname = "here"\napi = "vllm"\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\n'
    config += f"{''.join(blocks)}[routes.auto]\ntiers = [{steps}]\n{more}"
    made = b"" if weights is None else msgspec.json.encode(weights)
    return Serving(compiled(*parse(config, "timing"), router=made), {}, lambda reference: None, today=0)


def _interval(each: dict[str, float]) -> str:
    return f"{each['apgr']:+.3f} ({each['low']:+.3f} to {each['high']:+.3f})"


PARTS: dict[str, Callable[[], None]] = {
    "zero-shot": zero_shot,
    "local": local,
    "mmlu": mmlu,
    "dollars": dollars,
    "cascade": cascade,
    "ledger": ledger,
    "cost": cost,
}


def main() -> int:
    if not os.environ.get("TWINTRACK_DATA"):
        print("Skipped: TWINTRACK_DATA does not name a folder.")
        return 0
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__}", flush=True)
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
