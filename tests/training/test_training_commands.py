"""`route bench` and `learn router` as a person and a script use them."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from made_up_world import world

from twintrack.errors import MissingExtra, TwintrackError
from twintrack.signals.weights import read_router, shipped_prior
from twintrack.training.files import read_outcomes
from twintrack.training.overlap import overlapping, text_hash, unpack

PAIR = ("--weak", "small", "--strong", "large")
FIGURES = {"apgr", "apgr_low", "apgr_high", "cpt50", "cpt80", "c95", "aiq"}
RULES = {"random", "length", "task_mean", "best_single", "oracle"}


def test_bench_prints_ours_and_every_rule_in_the_layout_that_scripts_read(outcomes_file, run):
    found = json.loads(run("route", "bench", str(outcomes_file), *PAIR, "--labels", "120", "--json").output)
    assert set(found["ours"]) >= FIGURES
    assert set(found["baselines"]) == RULES
    assert all(set(each) >= FIGURES for each in found["baselines"].values())
    assert found["rows_scored"] == 120
    assert found["ours"]["apgr_low"] <= found["ours"]["apgr"] <= found["ours"]["apgr_high"]
    assert found["ours"]["apgr"] > found["baselines"]["length"]["apgr"]
    assert found["zero_shot"] is False
    assert found["ours"]["aiq"] is None  # nobody said what a call costs


def test_the_seed_repeats_a_result(outcomes_file, run):
    arguments = ("route", "bench", str(outcomes_file), *PAIR, "--labels", "60", "--seed", "3", "--json")
    assert run(*arguments).output == run(*arguments).output


def test_dollars_and_a_plot(rows, tmp_path, run):
    file, plot = tmp_path / "priced.csv", tmp_path / "frontier.svg"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, [*rows[0], "cost:small", "cost:large"])
        writer.writeheader()
        writer.writerows(row | {"cost:small": 0.0001, "cost:large": 0.003} for row in rows)
    arguments = ("route", "bench", str(file), *PAIR, "--labels", "120")
    found = json.loads(run(*arguments, "--json").output)
    assert found["ours"]["aiq"] > found["baselines"]["best_single"]["aiq"]
    said = run(*arguments, "--plot", str(plot)).output
    assert "router is better by" in said
    assert plot.read_text().startswith("<svg")
    assert "US dollars per 1,000 requests" in plot.read_text()


def test_questions_that_stood_in_the_training_are_not_called_zero_shot(rows, tmp_path, run, monkeypatch):
    import msgspec

    from twintrack.cli import route
    from twintrack.training.overlap import pack

    prior = shipped_prior()
    seen = msgspec.structs.replace(prior.sources[0], texts=pack(text_hash(row["prompt"]) for row in rows[:50]))
    leaking = msgspec.structs.replace(prior, sources=(seen, *prior.sources[1:]))
    monkeypatch.setattr("twintrack.signals.weights.shipped_prior", lambda: leaking)
    assert route
    file = tmp_path / "file.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    found = json.loads(run("route", "bench", str(file), *PAIR, "--json").output)
    assert found["zero_shot"] is False
    assert found["prior"]["rows_shared_with_training"] == {seen.name: 50}
    assert "Not zero-shot" in run("route", "bench", str(file), *PAIR).output
    without = json.loads(run("route", "bench", str(file), *PAIR, "--leave-out", seen.name, "--json").output)
    assert without["zero_shot"] is True
    assert without["prior"]["left_out"] == [seen.name]


def test_a_hash_is_blind_to_case_spacing_and_answer_options():
    question = "Which of the following is a statement about the price of bread in a competitive market?"
    plain = text_hash(question)
    assert text_hash(question.upper() + "  \n") == plain
    assert text_hash(f"{question}\nA. one\nB. two\nAnswer:") == plain
    assert text_hash(question.replace("bread", "butter")) != plain
    # Examples before a question do not make all questions after them one, and its options do not tell it from itself.
    example = "Which of these colours does ripe grass have in spring?\nA. red\nB. green\nAnswer: B\n\n"
    after, other = (example + each + "\n" for each in (question, question.replace("bread", "butter")))
    assert text_hash(after + "A. one\nB. two\nAnswer:", whole=True) == text_hash(after + "A. two\nB. one", whole=True)
    assert text_hash(after + "A. one\nB. two", whole=True) != text_hash(other + "A. one\nB. two", whole=True)
    asked = [question, f"Question: {question}", f"Q17. {question}", question.replace("bread", "butter")]
    assert overlapping(asked, frozenset({plain})) == [True, True, True, False]


def test_the_shipped_prior_is_small_and_says_where_it_comes_from():
    prior = shipped_prior()
    assert {each.licence.split(",")[0] for each in prior.sources} <= {"Apache-2.0", "MIT"}
    assert all(len(unpack(each.texts)) > 0.5 * each.rows for each in prior.sources)
    assert len(json.dumps(prior.card.notes)) > 10
    assert prior.without(frozenset({"mmlupro"})).mean("sum_slope") != prior.mean("sum_slope")


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        ('{"text": "a"}', "a.jsonl", "no column prompt"),
        ('{"prompt": "a"}', "a.jsonl", "holds no outcomes"),
        ('{"prompt": "a", "s:small": "good"}', "a.jsonl", "not a number"),
        ("{", "a.jsonl", "a.jsonl:1 is not JSON"),
        ('{"prompt": "a", "model": "small"}', "a.jsonl", "holds no outcomes"),
        ("x", "a.txt", "no known form"),
        ("x", "a.parquet", "cannot be read as parquet"),
        ("", "a.jsonl", "is empty"),
        ("", "a.csv", "is empty"),
        ('{"prompt": ' + "[" * 100_000 + "]" * 100_000 + "}", "a.jsonl", "a.jsonl:1 is nested too deeply"),
        ('{"prompt": "a", "s:x": 1' + "0" * 400 + "}", "a.jsonl", "row 1, s:x is inf"),
        ("[]", "a.jsonl", "Write one object a line"),
        ("prompt;s:x\na;1", "a.csv", "Separate fields by commas"),
        ('prompt,s:x\n"a, b",1\na, b,1', "a.csv", "row 2 has more fields than there are columns"),
        ('{"prompt": {"text": "a"}, "s:x": 1}', "a.jsonl", "row 1: a prompt is neither a text nor a conversation"),
        ('{"prompt": [{"role": "user"}], "s:x": 1}', "a.jsonl", "none of its messages has content"),
        ('{"prompt": "a", "a:x": "7"}', "a.jsonl", "does not say which are right"),
        ('{"prompt": "", "model": "x", "score": 1}', "a.jsonl", "row 1 lacks prompt"),
    ],
)
def test_a_file_that_is_none_is_named_with_its_place(tmp_path, content, name, why):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(TwintrackError, match=why):
        read_outcomes(path)


def test_parquet_and_json_lines_are_read_alike_and_without_pyarrow_one_is_told(
    rows, outcomes_file, tmp_path, monkeypatch
):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "made_up.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    one, other = read_outcomes(path), read_outcomes(outcomes_file)
    assert one.prompts == other.prompts
    assert np.array_equal(one.scores["large"], other.scores["large"])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"twintrack\[parquet\]"):
        read_outcomes(path)


def test_an_unknown_model_or_set_gets_the_nearest_name(outcomes_file, run):
    refused = run("route", "bench", str(outcomes_file), "--weak", "smal", "--strong", "large")
    assert (refused.exit_code, "Did you mean small?" in refused.stderr) == (1, True)
    refused = run("route", "bench", str(outcomes_file), *PAIR, "--leave-out", "mmlupr")
    assert (refused.exit_code, "Did you mean mmlupro?" in refused.stderr) == (1, True)
    unseen = run("route", "bench", str(outcomes_file), *PAIR, "--leave-out", outcomes_file.stem, "--leave-out", "yours")
    assert (unseen.exit_code, unseen.stderr) == (0, "The prior was not fitted to yours, so it is left out anyway.\n")


def verdicts(path, count=400, seed=11, random=False):
    prompts, weak, strong = world(count, seed)
    rng = np.random.default_rng(seed)
    rows = []
    for prompt, a, b in zip(prompts, weak, strong, strict=True):
        for model, score in (("small", a), ("large", b)):
            rows.append({"prompt": prompt, "model": model, "score": float(rng.random() < 0.6) if random else score})
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_a_router_that_is_better_is_taken_and_can_be_taken_back(tmp_path, run):
    file, data = verdicts(tmp_path / "verdicts.jsonl"), tmp_path / "data"
    dry = run("learn", "router", "--from", file, "--data", str(data), "--dry-run", "--json")
    report = json.loads(dry.output)
    assert (dry.exit_code, report["better"], report["taken"], data.exists()) == (0, True, False, False)
    assert set(report["better_by"]) == {"constant", "length"}

    taken = run("learn", "router", "--from", file, "--data", str(data))
    assert taken.exit_code == 0
    assert "is taken" in taken.output
    assert "--undo takes it back" in taken.output
    router = read_router(data / "router.json")
    assert {each.name for each in router.deployments} == {"small", "large"}
    assert router.card.verdicts == 800
    assert (data / "router.json").stat().st_mode & 0o077 == 0

    again = run("learn", "router", "--from", file, "--data", str(data), "--json")
    report = json.loads(again.output)
    assert report["requests_new_to_the_router_in_use"] == 0  # it has an answer for each already
    assert (again.exit_code, report["taken"]) == (1, False)

    more = verdicts(tmp_path / "more.jsonl", count=200, seed=12)
    report = json.loads(run("learn", "router", "--from", more, "--data", str(data), "--json").output)
    assert report["requests_new_to_the_router_in_use"] == 200
    assert not report["taken"]  # half as many verdicts of the same kind make no better router
    assert report["better_by"]["current router"]["low"] <= 0

    for also in (("--dry-run",), ("--from", file), ("--source", "human")):
        refused = run("learn", "router", "--undo", *also, "--data", str(data))
        assert (refused.exit_code, f"{also[0]} does not go with it" in refused.stderr) == (2, True)
        assert (data / "router.json").exists()
    undone = run("learn", "router", "--undo", "--json", "--data", str(data))
    assert (undone.exit_code, json.loads(undone.output)) == (0, {"undone": True, "weights": None})
    assert not (data / "router.json").exists()
    assert run("learn", "router", "--undo", "--data", str(data)).exit_code == 1


def test_noise_teaches_nothing_and_changes_nothing(tmp_path, run):
    file, data = verdicts(tmp_path / "verdicts.jsonl", random=True), tmp_path / "data"
    refused = run("learn", "router", "--from", file, "--data", str(data))
    assert refused.exit_code == 1
    assert "not shown to be better than" in refused.output
    assert not data.exists()


def test_verdicts_that_cannot_help_are_said(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alike = tmp_path / "alike.jsonl"
    alike.write_text("\n".join(json.dumps({"prompt": f"a {n}", "model": "small", "score": 5}) for n in range(70)))
    (tmp_path / "twintrack.toml").write_text(
        '[[providers]]\nname = "here"\napi = "vllm"\nurl = "http://127.0.0.1:1/v1"\nzone = "own"\n'
        '[[deployments]]\nmodel = "smaller"\nprovider = "here"\n'
        'facts = { context_tokens = 8192, modalities = ["text"], tools = true, quality = 0.5 }\n'
        '[routes.auto]\ntiers = [{ name = "a", deployments = ["smaller@here"] }]\n'
    )
    said = run("learn", "router", "--from", str(alike))
    assert said.exit_code == 1
    assert "run up to 5" in said.stderr
    assert "no deployment or model 'small', so what is learned of it is not used; did you mean smaller?" in said.stderr
    assert "All 70 verdicts are 1" in said.stderr


def test_too_few_verdicts_and_an_empty_ledger_are_said(tmp_path, run):
    few = verdicts(tmp_path / "few.jsonl", count=30)
    assert "too few to learn from" in run("learn", "router", "--from", few).stderr
    empty = run("learn", "router", "--from", "ledger", "--data", str(tmp_path / "data"))
    assert "holds no verdicts. Send them to POST /v1/feedback" in empty.stderr
    assert "--from ledger, or --from FILE" in run("learn", "router").stderr
    slip = run("learn", "router", "--from", "ledgr")
    assert (slip.exit_code, "Did you mean --from ledger?" in slip.stderr) == (2, True)
    misplaced = run("learn", "router", "--from", few, "--source", "human")
    assert (misplaced.exit_code, "--from ledger" in misplaced.stderr) == (2, True)


def test_verdicts_of_any_spelling_and_prompts_of_any_form_are_read(rows, tmp_path):
    """As others write such files: conversations, words for yes and no, numbers as text, gaps, a mark of the coding."""
    question = "hello there \u2028 friend"
    spelled = [
        {"prompt": question, "s:small": True, "s:large": "True", "contaminated": 0},
        {"prompt": [{"role": "user", "content": question}], "s:small": "1", "s:large": 1.0, "contaminated": False},
        {"prompt": [{"role": "system", "content": "short"}, {"role": "user", "content": question}], "s:small": "false"},
        {"prompt": ["what", {"role": "assistant", "content": "lovely"}, "weather"], "s:small": 0, "s:large": 0},
        {"prompt": None, "s:small": 1, "s:large": 1},
        {"prompt": "seen before", "s:small": 1, "s:large": 1, "contaminated": 1},
    ]
    file = tmp_path / "spelled.jsonl"
    file.write_text("\ufeff" + "\n".join(json.dumps(row, ensure_ascii=False) for row in spelled), encoding="utf-8")
    found = read_outcomes(file)
    assert found.prompts == [question, question, question, "weather\nlovely\nwhat"]
    assert [each if isinstance(each, str) else each.turns for each in found.asked] == [question, question, 2, 3]
    assert (found.scores["small"].tolist(), found.dropped, found.best_mark) == ([1, 1, 0, 0], 2, 1)
    assert np.array_equal(found.scores["large"], [1, 1, np.nan, 0], equal_nan=True)


def test_answers_are_compared_in_one_spelling_and_what_nobody_knows_is_no_verdict(tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text(
        '{"prompt": "a", "gold": 18.0, "a:x": 18}\n{"prompt": "b", "a:x": "7"}\n{"prompt": "c", "gold": "7"}'
    )
    assert np.array_equal(read_outcomes(file).scores["x"], [1, np.nan, 0], equal_nan=True)


def test_what_costs_nothing_or_more_than_it_is_worth_is_no_defect_of_ours(rows, tmp_path, run):
    """Free models, prices with gaps, a strong model that is cheaper than the weak one."""
    file = tmp_path / "odd.jsonl"
    free = {"cost:small": 0, "cost:large": 0, "s:third": 1, "cost:third": 0}
    file.write_text("\n".join(json.dumps(row | free) for row in rows))
    found = json.loads(run("route", "bench", str(file), *PAIR, "--labels", "40", "--json").output)
    assert (found["ours"]["aiq"], found["rows_priced"], "pool" in found) == (None, 200, False)
    odd = [row | {"cost:small": 0.003, "cost:large": 0.0001 if place % 4 else None} for place, row in enumerate(rows)]
    file.write_text("\n".join(map(json.dumps, odd)))
    found = json.loads(run("route", "bench", str(file), *PAIR, "--json").output)
    assert found["rows_priced"] == 180
    assert found["ours"]["aiq"] == pytest.approx(found["baselines"]["best_single"]["aiq"])
    few = run("route", "bench", str(file), *PAIR, "--labels", "5")
    assert (few.exit_code, "too few to fit" in few.output) == (0, True)


def test_a_few_hashes_in_common_are_chance_and_many_are_not():
    from twintrack.training.overlap import by_accident

    assert [by_accident(rows, 31_000) for rows in (50, 1_000, 100_000)] == [0, 1, 4]


def test_what_cannot_be_written_is_no_defect_of_ours(tmp_path):
    from twintrack.cli.taking import take

    (tmp_path / "file").write_text("")
    with pytest.raises(TwintrackError, match="cannot be written"):
        take(tmp_path / "file", "router.json", b"{}")
