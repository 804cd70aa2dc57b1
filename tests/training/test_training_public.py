"""What routing is worth on public outcomes; `tools/check_routing.py` makes the figures of docs/routing-measured.md."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import numpy as np
import pytest

from twintrack.signals.weights import shipped_prior
from twintrack.training.bench import bench
from twintrack.training.calibrate import calibration_error
from twintrack.training.cascade import replay
from twintrack.training.files import read_outcomes
from twintrack.training.fit import as_examples, fit

pytestmark = [pytest.mark.long, pytest.mark.needs("data", reason="public outcomes of language models")]

WEAK, STRONG = "mixtral-8x7b-instruct", "gpt-4-1106-preview"
CHEAP = (
    "Meta-Llama-3.1-8B-Instruct",
    "gemma-2-9b-it",
    "Qwen2-7B-Instruct",
    "Yi-1.5-9B-Chat",
    "Meta-Llama-3-8B-Instruct",
)


def outcomes(name):
    return read_outcomes(Path(os.environ["TWINTRACK_DATA"]) / "routing" / f"{name}.parquet")


@pytest.fixture(scope="module")
def mmlu():
    return outcomes("routellm_mmlu")


def test_without_a_question_of_the_set_in_training_the_prior_beats_length(mmlu):
    found = bench(mmlu, WEAK, STRONG, shipped_prior(), leave_out=frozenset({"routellm_mmlu"})).result
    assert found["zero_shot"]
    assert found["ours"]["apgr"] >= 0.585
    assert found["ours_minus"]["length"]["low"] > 0


def test_fifteen_hundred_labels_in_domain(mmlu):
    ours = [bench(mmlu, WEAK, STRONG, shipped_prior(), labels=1_500, seed=seed).result["ours"] for seed in range(3)]
    assert statistics.mean(each["apgr"] for each in ours) >= 0.64
    assert statistics.mean(each["cpt50"] for each in ours) <= 31
    assert statistics.mean(each["cpt80"] for each in ours) <= 65


def test_probabilities_are_calibrated_and_fitted_in_a_minute(mmlu):
    rows = np.random.default_rng(0).permutation(len(mmlu))
    train, test = rows[:1_000], rows[1_000:]
    examples = as_examples(mmlu.prompts)
    start = time.process_time()
    fitted = fit(examples.take(train), {name: mmlu.scores[name][train] for name in (WEAK, STRONG)}, shipped_prior())
    assert time.process_time() - start < 60
    p = fitted.p_good(examples.take(test))
    for place, name in enumerate(fitted.names):
        assert calibration_error(p[:, place], mmlu.scores[name][test]) <= 0.03


def test_gsm8k_is_not_below_length():
    one = outcomes("routellm_gsm8k")
    for labels in (0, 653):
        found = bench(one, WEAK, STRONG, shipped_prior(), labels=labels, leave_out=frozenset({"routellm_gsm8k"})).result
        assert not found["ours_minus"]["length"]["below_beyond_chance"]


def test_a_cascade_of_cheap_models_keeps_the_quality_of_a_dear_one():
    prices = dict.fromkeys(CHEAP, (0.06, 0.08)) | {"gpt-4o-2024-08-06": (2.5, 10.0)}
    one = outcomes("zeroeval_gsm8k_answers")
    found = [replay(one, "gpt-4o-2024-08-06", prices, shipped_prior(), seed=seed) for seed in range(3)]
    assert statistics.mean(each["kept"] for each in found) >= 0.99
    assert statistics.mean(each["saved"] for each in found) >= 0.75
    assert all(each["minus_best_mix_at_equal_dollars"]["low"] > 0 for each in found)


def test_in_dollars_the_router_is_above_a_blind_mix():
    found = bench(
        outcomes("routerbench_arc_mbpp"), "mistral-7b-chat", "gpt-4-1106-preview", shipped_prior(), labels=900
    ).result
    assert found["ours"]["aiq"] > found["baselines"]["best_single"]["aiq"]
