"""A verifier fitted to answers: better than what is simpler, or not taken."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from twintrack.errors import TwintrackError
from twintrack.gateway.verifier import Verifier
from twintrack.gateway.verifier_features import NAMES, PLACE
from twintrack.signals.weights import Card
from twintrack.training.verifier import Drafts, as_weights, fit
from twintrack.training.verifier_learn import auc, learn_verifier
from twintrack.training.verifier_sources import learn_from_file


def made_up(count: int, seed: int, *, noise: bool = False) -> tuple[Drafts, np.ndarray]:
    """Drafts that are good the more often, the surer and the shorter they are; and how often that is."""
    rng = np.random.default_rng(seed)
    seen = np.zeros((count, len(NAMES)))
    seen[:, PLACE["told"]] = 1.0
    seen[:, PLACE["mean"]] = -rng.gamma(2.0, 0.2, count)
    seen[:, PLACE["chars"]] = rng.normal(8.0, 1.5, count)
    who = rng.random(count) < 0.5
    odds = 1.5 + 3 * (seen[:, PLACE["mean"]] + 0.4) - 0.8 * (seen[:, PLACE["chars"]] - 8.0) + np.where(who, 0.7, -0.7)
    p = np.full(count, 0.7) if noise else 1 / (1 + np.exp(-odds))
    names = ["able" if each else "poor" for each in who]
    return Drafts(seen, names, ["chat"] * count, (rng.random(count) < p).astype(float), np.arange(count)), p


def test_it_is_taken_where_it_knows_more_and_the_gateway_says_the_same():
    drafts, _ = made_up(500, 1)
    learned = learn_verifier(drafts, source="test")
    assert learned.better
    assert learned.report["auc"]["new verifier"] > learned.report["auc"]["log-probability alone"] + 0.05
    fresh, truth = made_up(4_000, 2)
    head = fit(drafts, NAMES, np.random.default_rng(0))
    p = head.p_good(fresh)
    assert np.abs(p - truth).mean() < 0.06
    verifier = Verifier(as_weights(head, drafts, Card("", "", "")))
    for row in range(50):
        numbers = tuple(map(float, fresh.seen[row]))
        assert verifier.p_good(numbers, (fresh.deployments[row],), "chat") == pytest.approx(p[row], abs=1e-4)


def test_it_is_not_taken_where_there_is_nothing_to_know():
    drafts, _ = made_up(400, 3, noise=True)
    assert not learn_verifier(drafts, source="test").better
    same = Drafts(drafts.seen, drafts.deployments, drafts.tasks, np.ones(400), drafts.requests)
    with pytest.raises(TwintrackError, match="All 400 verdicts on drafts say 1"):
        learn_verifier(same, source="test")
    with pytest.raises(TwintrackError, match="of 59 requests are too few"):
        learn_verifier(drafts.take(np.arange(59)), source="test")


@pytest.mark.long
def test_two_thousand_verdicts_take_seconds():
    drafts, _ = made_up(2_000, 4)
    began = time.process_time()
    learn_verifier(drafts, source="test")
    assert time.process_time() - began < 60, "the bar is 60 on one core"


def test_ties_count_half():
    assert auc(np.array([0.5, 0.5, 0.5]), np.array([1.0, 0.0, 1.0])) == 0.5
    assert auc(np.array([0.1, 0.2, 0.9]), np.array([0.0, 0.0, 1.0])) == 1.0
    assert auc(np.array([0.2, 0.2, 0.9]), np.array([0.0, 1.0, 0.0])) == 0.25


def answers(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Two models' answers to each question: what both say is right."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for number in range(count):
        for model, able in (("small", 0.6), ("other", 0.7)):
            right = rng.random() < able
            said = number if right else int(rng.integers(1_000, 9_000))
            rows.append(
                {
                    "prompt": f"What is {number} and nothing?",
                    "model": model,
                    "answer": f"It is simple.\nThe answer is {said}.",
                    "score": float(right),
                    "logprobs": [-float(rng.gamma(1.0, 0.1 if right else 0.6))] * 9,
                }
            )
    return rows


def test_from_a_file_to_one_that_is_in_use_and_back(tmp_path, run):
    file, data = tmp_path / "answers.jsonl", tmp_path / "data"
    file.write_text("\n".join(map(json.dumps, answers(120))))
    taken = run("learn", "verifier", "--from", str(file), "--data", str(data))
    assert taken.exit_code == 0, taken.output
    assert "It is better than each of them and is taken" in taken.output
    weights = json.loads((data / "verifier.json").read_text())
    assert weights["told"] == 240
    assert "nothing?" not in (data / "verifier.json").read_text(), "no word of a prompt"
    again = run("learn", "verifier", "--from", str(file), "--data", str(data))
    assert (again.exit_code, "all but 0 of these" in again.output) == (1, True)
    assert "nobody drafts" in run("learn", "verifier", "--undo", "--data", str(data)).output
    assert not (data / "verifier.json").exists()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "a", "model": "b", "score": 1}, "lacks answer"),
        ({"prompt": "a", "model": "b", "answer": "c", "score": 3}, "not a number from 0 to 1"),
        ({"prompt": "a", "model": "", "answer": "c", "score": 1}, "row 1 lacks prompt, model or score"),
        ({"prompt": "a", "model": "b", "answer": "c", "score": 1, "logprobs": [0.4]}, "no list of natural logarithms"),
    ],
)
def test_a_row_that_is_none_is_named(row, why, tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps(row))
    with pytest.raises(TwintrackError, match=why):
        learn_from_file(file)


def test_a_ledger_without_drafts_says_what_to_do(tmp_path, run):
    refused = run("learn", "verifier", "--from", "ledger", "--data", str(tmp_path))
    assert (refused.exit_code, "holds no verdicts" in refused.stderr) == (1, True)
