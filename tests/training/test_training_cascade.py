"""When to believe two cheap models that agree, and when not."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from twintrack.errors import TwintrackError
from twintrack.signals.weights import shipped_prior
from twintrack.training.cascade import replay
from twintrack.training.files import Outcomes

PRICES = {"a": (0.1, 0.1), "b": (0.1, 0.1), "large": (5.0, 15.0)}


def answers(common_mistakes: float, count=400, seed=0) -> Outcomes:
    """Two cheap models are right on 80 %; `common_mistakes` of the rest they get wrong in the same way."""
    rng = np.random.default_rng(seed)
    said: dict[str, list[str | None]] = {"a": [], "b": [], "large": []}
    for number in range(count):
        right = str(number)
        same = rng.random() < common_mistakes
        for name, share in (("a", 0.8), ("b", 0.8), ("large", 0.96)):
            if name == "b" and said["a"][-1] != right and same:
                said[name].append(said["a"][-1])
            else:
                said[name].append(right if rng.random() < share else f"wrong {rng.integers(10_000)}")
    gold: list[str | None] = [str(number) for number in range(count)]
    return Outcomes(
        "made up",
        [f"question {number} of some length" for number in range(count)],
        None,
        {name: np.array([float(x == y) for x, y in zip(each, gold, strict=True)]) for name, each in said.items()},
        {name: np.full(count, 400.0) for name in said},
        {},
        said,
        gold,
        0,
    )


def test_where_agreement_means_right_the_cheap_ones_are_asked_first():
    found = replay(answers(common_mistakes=0.0), "large", PRICES, shipped_prior(), keep=0.98)
    assert found["strategy"] == "cascade"
    assert found["believe"] == [found["models"][:2]]
    assert found["kept"] > 0.98
    assert found["saved"] > 0.5
    assert found["minus_best_mix_at_equal_dollars"]["low"] > 0
    assert found["agreement_on_labels"]["right_where_agreed"] > 0.97


def test_where_weak_models_share_their_mistakes_their_agreement_is_not_believed():
    found = replay(answers(common_mistakes=0.95), "large", PRICES, shipped_prior(), labels=200, keep=0.98)
    assert found["strategy"] != "cascade"
    assert found["kept"] > 0.95
    assert found["minus_best_mix_at_equal_dollars"]["high"] >= 0


def test_more_labels_than_a_fit_takes_all_count_and_no_question_is_on_both_sides(monkeypatch):
    monkeypatch.setattr("twintrack.training.cascade.MOST_REQUESTS", 60)
    some = answers(common_mistakes=0.0, count=220)
    doubled = replace(some, prompts=[*some.prompts[:200], *some.prompts[:20]])
    found = replay(doubled, "large", PRICES, shipped_prior(), labels=150)
    assert found["labels"] == 150
    assert 50 <= found["rows_scored"] < 70


def test_every_answer_that_is_asked_for_is_paid_and_a_missing_one_agrees_with_nothing():
    from twintrack.training.strategies import Answers, Strategy, outcome

    on = Answers(
        right={"a": np.array([1.0, 0, 1]), "b": np.array([1.0, 0, 0]), "large": np.array([1.0, 1, 1])},
        usd={"a": np.full(3, 1.0), "b": np.full(3, 2.0), "large": np.full(3, 10.0)},
        said={"a": np.array([5, -1, 7]), "b": np.array([5, -1, 8]), "large": np.array([5, 6, 7])},
        gain={},
    )
    quality, usd = outcome(Strategy("cascade", ("a", "b", "large"), accept=((0, 1),)), on)
    assert quality.tolist() == [1, 1, 1]
    assert usd.tolist() == [3, 13, 13]


def test_what_is_printed_is_what_scripts_read(tmp_path, run):
    one = answers(common_mistakes=0.0, count=120)
    file, prices = tmp_path / "answers.jsonl", tmp_path / "prices.json"
    rows = [
        {"prompt": one.prompts[row], "gold": one.gold[row]}
        | {f"a:{name}": each[row] for name, each in one.answers.items()}
        | {f"n:{name}": 400 for name in one.answers}
        for row in range(120)
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    prices.write_text(json.dumps(PRICES))
    arguments = ["route", "cascade", str(file), "--strong", "large", "--prices", str(prices)]
    found = json.loads(run(*arguments, "--labels", "60", "--json").output)
    assert {"strategy", "models", "kept", "saved", "best_mix", "prompt_only", "oracle"} <= set(found)
    for name in ("best_mix", "prompt_only", "oracle"):
        assert {"kept", "saved"} <= set(found[name])
    said = run(*arguments).output
    assert "Against the best mix of two single models at equal dollars" in said
    # What it chose can be copied into a configuration.
    whole = run(*arguments, "--keep", "0.98").output
    words = tomllib.loads("\n".join(whole.splitlines()[-3:]))
    assert words["check"] == ["agreement"]
    assert sorted(words["drafts"]) == ["a", "b"]
    assert words["believe"] == [words["drafts"]]


def test_a_strong_model_without_a_price_or_a_file_is_an_error_that_says_so():
    with pytest.raises(TwintrackError, match="prices lack the strong model"):
        replay(answers(0.0), "large", {"a": (1, 1)}, shipped_prior())
    with pytest.raises(TwintrackError, match="no model 'larg'"):
        replay(answers(0.0), "larg", PRICES, shipped_prior())
    with pytest.raises(TwintrackError, match="labels leave nothing"):
        replay(answers(0.0), "large", PRICES, shipped_prior(), labels=395)


def test_the_luckiest_of_many_mixes_is_not_called_better_and_one_that_is_better_is():
    from twintrack.training.figures import against_mix
    from twintrack.training.resample import Questions
    from twintrack.training.strategies import Answers, Strategy

    def high(shares: list[float], seed: int) -> float:
        rng = np.random.default_rng(seed)
        right = {f"model {place}": (rng.random(300) < share).astype(float) for place, share in enumerate(shares)}
        on = Answers(right, {name: np.full(300, 1.0 + place) for place, name in enumerate(right)}, {}, {})
        return against_mix(Strategy("single", (f"model {len(shares) - 1}",)), on, Questions(range(300)), rng)["high"]

    alike = [high([0.8] * 8, seed) < 0 for seed in range(100)]
    assert sum(alike) <= 6  # 2.5 % of the time by chance; by its own standard error alone the luckiest is in a tenth
    better = [high([0.8] * 6 + [0.95, 0.8], seed) < 0 for seed in range(20)]
    assert sum(better) >= 19
