"""`route bench` and `route cascade` on files that are broken, mean or odd: a sentence each, and nothing is lost."""

from __future__ import annotations

import io
import json
import os
import sys
import threading

import msgspec
import numpy as np
import pytest
from made_up_world import router_of, world

from twintrack.errors import TwintrackError
from twintrack.signals.weights import shipped_prior
from twintrack.training.files import read_outcomes
from twintrack.training.fit import as_examples
from twintrack.training.learn import learn
from twintrack.training.resample import Questions

PAIR = ("--weak", "small", "--strong", "large")


def lines(rows):
    return "\n".join(map(json.dumps, rows))


def test_shares_of_one_model_and_marks_of_another_are_not_divided_by_one_number(rows, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_text(lines(row | {"s:large": 10 * row["s:large"]} for row in rows))
    with pytest.raises(TwintrackError, match="All scores of a file are on one scale"):
        read_outcomes(path)
    path.write_text(lines(row | {"s:large": 10 * row["s:large"], "s:small": 10 * row["s:small"]} for row in rows))
    assert read_outcomes(path).best_mark == 10


def test_an_empty_prompt_is_none(tmp_path):
    path = tmp_path / "gaps.csv"
    path.write_text("prompt,s:x\n,1\nhello,0\n")
    assert (read_outcomes(path).prompts, read_outcomes(path).dropped) == (["hello"], 1)


def test_a_pipe_is_read_as_json_lines(rows, outcomes_file, tmp_path, run):
    whole = json.loads(run("route", "bench", str(outcomes_file), *PAIR, "--json").output)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(lines(rows),))
    writing.start()
    piped = json.loads(run("route", "bench", str(pipe), *PAIR, "--json").output)
    writing.join()
    assert piped["ours"] == whole["ours"]


def test_rows_that_ask_the_same_are_one_observation(rows, tmp_path, run):
    once, thrice = tmp_path / "once.jsonl", tmp_path / "thrice.jsonl"
    once.write_text(lines(rows))
    thrice.write_text(lines([*rows, *rows, *rows]))
    one, three = (json.loads(run("route", "bench", str(each), *PAIR, "--json").output) for each in (once, thrice))
    assert (three["rows_scored"], three["questions_scored"]) == (3 * one["rows_scored"], one["questions_scored"])
    widths = [each["ours"]["apgr_high"] - each["ours"]["apgr_low"] for each in (one, three)]
    assert widths[1] == pytest.approx(widths[0], rel=0.25)  # as independent rows it would be 0.58 of it
    assert "different questions, and intervals are as wide" in run("route", "bench", str(thrice), *PAIR).output
    few = tmp_path / "few.jsonl"
    few.write_text(lines([rows[place % 5] for place in range(200)]))
    refused = run("route", "bench", str(few), *PAIR)
    assert (refused.exit_code, "with 5 different questions" in refused.stderr) == (1, True)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_verdicts_known_from_a_copy_of_the_question_show_no_router_to_be_better(seed):
    rng = np.random.default_rng(seed)
    prompts = [" ".join(rng.choice([f"word{number}" for number in range(400)], 12)) for _ in range(80)]
    noise = {name: np.tile(rng.integers(0, 2, 80).astype(float), 3) for name in ("weak", "strong")}
    copies = [*prompts, *map(str.upper, prompts), *prompts]
    learned = learn(as_examples(copies), noise, shipped_prior(), source="noise", asked=copies)
    assert not learned.better
    assert learned.report["better_by"]["constant"]["low"] < 0


@pytest.mark.parametrize("what", ["router", "verifier"])
def test_weights_of_another_version_stand_in_nobodys_way(tmp_path, run, what):
    data, file = tmp_path / "data", tmp_path / "rows.jsonl"
    data.mkdir()
    old = msgspec.json.encode(msgspec.structs.replace(router_of(), features_version=1))
    (data / "router.json").write_bytes(old)
    (data / "verifier.json").write_bytes(old)
    prompts, weak, strong = world()
    scored = [(prompt, {"small": a, "large": b}) for prompt, a, b in zip(prompts, weak, strong, strict=True)]
    file.write_text(
        lines(
            {"prompt": prompt, "model": model, "score": score, "answer": "certain" if score else "perhaps, who knows"}
            for prompt, by in scored
            for model, score in by.items()
        )
    )
    said = run("learn", what, "--from", str(file), "--data", str(data))
    assert (said.exit_code, "is taken" in said.output) == (0, True)
    assert f"The {what} in use cannot be used, and nothing is compared with it" in said.stderr
    assert "The router in use cannot be used" in said.stderr  # what the verifier reads of it as well
    assert (data / f"{what}.json").read_bytes() != old


def test_questions_are_drawn_whole():
    asked = Questions(["a", "b", "a", "c", "b", "a"])
    rng = np.random.default_rng(1)
    for _ in range(20):
        counts = np.bincount(asked.drawn(rng), minlength=6)
        assert counts[0] == counts[2] == counts[5]
        assert counts[1] == counts[4]
        assert counts[0] + counts[1] + counts[3] == len(asked) == 3


def test_without_a_gap_no_rule_recovers_any_of_it(rows, tmp_path, run):
    file = tmp_path / "alike.jsonl"
    file.write_text(lines(row | {"s:large": row["s:small"]} for row in rows))
    found = json.loads(run("route", "bench", str(file), *PAIR, "--json").output)
    figures = {"apgr", "apgr_low", "apgr_high", "cpt50", "cpt80", "c95", "aiq"}
    for each in (found["ours"], *found["baselines"].values()):
        assert figures <= set(each)
        assert each["apgr"] is None
        assert each["c95"] == 0


def test_a_drawing_replaces_nothing_but_a_drawing(rows, outcomes_file, tmp_path, run):
    before = outcomes_file.read_text()
    refused = run("route", "bench", str(outcomes_file), *PAIR, "--plot", str(outcomes_file))
    assert (refused.exit_code, "is no name for an SVG" in refused.stderr) == (1, True)
    assert outcomes_file.read_text() == before
    nowhere = run("route", "bench", str(outcomes_file), *PAIR, "--plot", str(tmp_path / "no" / "a.svg"))
    assert (nowhere.exit_code, "cannot be written" in nowhere.stderr) == (1, True)


@pytest.mark.parametrize(
    ("prices", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"small": [1e400, 1]}', "the price of small is"),
        ('{"small": [1' + "0" * 400 + ", 1]}", "the price of small is"),
        ('{"small": [NaN, 1]}', "the price of small is"),
        ('{"small": [true, 1]}', "the price of small is"),
        ('{"small": [1, 1], "lage": [2, 2]}', "Is it what they call lage?"),
        ("[]", "holds no prices"),
    ],
)
def test_prices_that_are_none_are_said(outcomes_file, tmp_path, run, rows, prices, why):
    file, asked = tmp_path / "prices.json", tmp_path / "long.jsonl"
    file.write_text(prices)
    asked.write_text(lines(row | {"n:small": 40, "n:large": 90} for row in rows))
    refused = run("route", "bench", str(asked), *PAIR, "--prices", str(file))
    assert refused.exit_code == 1
    assert why in refused.stderr
    assert "internal error" not in refused.stderr


def answers(count, **more):
    rng = np.random.default_rng(4)
    found = []
    for place in range(count):
        gold = str(rng.integers(9))
        said = {f"a:{name}": gold if rng.random() < good else name for name, good in (("a", 0.7), ("b", 0.7), ("s", 1))}
        asked = f"question {place} " + "word " * int(rng.integers(1, 40))
        found.append({"prompt": asked, "gold": gold, "n:a": 50, "n:b": 50, "n:s": 200} | said | more)
    return found


def cascade(run, tmp_path, rows, *options, prices='{"a": [0.1, 0.2], "b": [0.1, 0.2], "s": [2, 8]}'):
    file, priced = tmp_path / "answers.jsonl", tmp_path / "prices.json"
    file.write_text(lines(rows))
    priced.write_text(prices)
    return run("route", "cascade", str(file), "--strong", "s", "--prices", str(priced), *options)


def test_a_cascade_is_chosen_on_what_can_tell_and_says_what_cannot(tmp_path, run):
    rows = answers(200)
    found = json.loads(cascade(run, tmp_path, rows, "--json").output)
    assert {"strategy", "kept", "saved", "best_mix", "prompt_only", "oracle"} <= set(found)
    assert all({"kept", "saved"} <= set(found[name]) for name in ("best_mix", "prompt_only", "oracle"))
    assert found["strategy"] == "cascade"
    for few, why in (
        (rows[:1], "40 requests are the least"),
        ([rows[place % 4] for place in range(200)], "with 0 different questions"),
        ([{name: value for name, value in row.items() if name != "gold"} for row in rows], "which are right"),
        ([row | {"a:s": "no"} for row in rows], "There is no quality to keep"),
    ):
        refused = cascade(run, tmp_path, few)
        assert (refused.exit_code, why in refused.stderr) == (1, True), refused.stderr


def test_a_price_of_an_unknown_model_is_told_and_no_number_is_no_share(tmp_path, run):
    told = cascade(run, tmp_path, answers(60), prices='{"a": [0, 0], "s": [2, 8], "bb": [1, 1]}')
    assert (told.exit_code, "did you mean b?" in told.stderr) == (0, True)
    refused = cascade(run, tmp_path, answers(60), "--keep", "nan")
    assert (refused.exit_code, "not in the range" in refused.stderr) == (2, True)


def test_all_requests_to_one_model_is_no_mix(tmp_path, run):
    """Where the strong model alone is good enough the best mix is that model."""
    rows = [row | {"a:a": "no", "a:b": "never"} for row in answers(100)]
    found = json.loads(cascade(run, tmp_path, rows, "--keep", "1", "--json").output)
    assert (found["best_mix"]["strategy"], found["best_mix"]["models"]) == ("single", ["s"])


def test_a_promise_that_was_not_kept_is_said(tmp_path, run):
    rng = np.random.default_rng(6)
    rows = [row | {"n:a": 50 if place % 2 else None} for place, row in enumerate(answers(100))]
    said = [cascade(run, tmp_path, rows, "--labels", "20", "--seed", str(rng.integers(99))) for _ in range(12)]
    for each in said:
        kept = float(each.output.split("chosen")[1].split("%")[0])
        assert ("less than the 99.0% it was chosen for" in each.output) == (kept < 99.0)
    assert any("less than the 99.0%" in each.output for each in said)


def test_dash_is_stdin(rows, run, monkeypatch, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text(lines(rows))
    before = os.dup(0)
    try:
        with file.open() as given:
            os.dup2(given.fileno(), 0)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        found = run("route", "bench", "-", *PAIR)
    finally:
        os.dup2(before, 0)
        os.close(before)
    assert found.output.startswith("stdin, ")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ('"score": 1' + "0" * 400, "not a number from 0 to 1"),
        ('"score": NaN', "not a number from 0 to 1"),
        ('"score": 1, "logprobs": [-Infinity]', "no list of natural logarithms"),
        ('"score": 1, "logprobs": [-1' + "0" * 400 + "]", "no list of natural logarithms"),
        ('"score": 1, "logprobs": {"a": 1}', "no list of natural logarithms"),
        ('"score": 1, "prompt": {"a": 1}', "neither a text nor a conversation"),
    ],
)
def test_drafts_that_are_none_are_said_with_their_row(tmp_path, run, wrong, why):
    file = tmp_path / "drafts.jsonl"
    good = json.dumps({"prompt": "What is 2 + 2?", "model": "a", "answer": "4", "score": 1})
    file.write_text(good + '\n{"prompt": "And 3?", "model": "a", "answer": "6", ' + wrong + "}")
    refused = run("learn", "verifier", "--from", str(file), "--data", str(tmp_path / "data"))
    assert (refused.exit_code, "row 2" in refused.stderr, why in refused.stderr) == (1, True, True), refused.stderr
