"""`twintrack route replay`: old traffic, decided once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ledger_records import MANAGED, PREMIUM, SIMULATED, T0, Books, dispatch, released, settle

from twintrack.cli import main
from twintrack.ledger.decisions import decided
from twintrack.ledger.records import Judged
from twintrack.signals.features import NAMES as FEATURES
from twintrack.signals.features import packed
from twintrack.signals.weights import shipped_prior
from twintrack.training.ledger import learn_from

NUMBERS = tuple(0.0 if name in ("tools", "output") else 2.0 for name in FEATURES)
POLICY = """
[[providers]]
name = "managed"
api = "openai"
url = "http://127.0.0.1:9/v1"
zone = "own"

[[deployments]]
name = "mid@managed"
model = "mid"
provider = "managed"
facts = { context_tokens = 100000, tools = true, quality = 0.8 }
price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.1 }

[[deployments]]
name = "gpt@openai"
model = "gpt"
provider = "managed"
facts = { context_tokens = 100000, tools = true, quality = 0.95 }
price = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 1.0 }

[routes.auto]
tiers = [{ name = "small", deployments = ["mid@managed"] }, { name = "premium", deployments = ["gpt@openai"] }]
default_class = "public"
"""
"""What was logged sent everything below a complexity of 0.5 to mid; as it stands here, nearly nothing."""
TWIN = """
[[deployments]]
name = "twin"
model = "mid"
provider = "managed"
facts = { context_tokens = 100000, tools = true, quality = 0.8 }
price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.1 }

"""
_SHARE = 0.3


@pytest.fixture
def log(books: Books) -> Books:
    """600 requests decided with some chance: `mid` is good at easy ones."""
    rng = np.random.default_rng(1)
    for number in range(600):
        easy = rng.random()
        greedy = MANAGED if easy > 0.5 else PREMIUM
        chosen = int(rng.choice([MANAGED, PREMIUM])) if rng.random() < _SHARE else greedy
        good = rng.random() < (easy if chosen == MANAGED else 0.95)
        one = f"r{number}"
        books.write(
            dispatch(
                one, deployment=chosen, chosen=chosen, complexity=1 - easy, ruled_out=(), features=packed(NUMBERS),
                propensity=1 - _SHARE / 2 if chosen == greedy else _SHARE / 2, at_us=T0 + number,
            ),
            settle(one, cost_nusd=100_000 if chosen == MANAGED else 1_000_000, input_tokens=500, output_tokens=500),
        )  # fmt: skip
        books.worker.append(Judged(one, T0 + 10_000_000, 0, 1, "feedback", float(good)))
    books.load()
    return books


@pytest.fixture
def replayed(books: Books, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def run(policy: str, *more: str, json_: bool = True) -> Any:
        books.loader.close()
        file = tmp_path / "new.toml"
        file.write_text(policy)
        words = ["route", "replay", str(file), *more, "--data", str(books.folder), *(["--json"] if json_ else [])]
        with pytest.raises(SystemExit) as left:
            main(words)
        said = capsys.readouterr()
        assert not left.value.code, said.err
        return json.loads(said.out) if json_ else said.out

    return run


def test_a_policy_that_sends_all_to_the_dearest_is_foreseen(log: Books, replayed):
    found = replayed(POLICY + "keep_quality = 1.0\n")
    assert (found["requests"], found["left_out"], found["impossible"]) == (600, {}, 0.0)
    assert found["choices"]["gpt@openai"][1] == 600
    quality, usd = found["quality"], found["usd"]
    for way in ("ips", "snips", "dr"):
        assert quality[way]["low"] <= 0.95 <= quality[way]["high"], way
        assert usd[way]["low"] <= 0.0010001, way
        assert usd[way]["high"] >= 0.0009999, way
    assert usd["dr"]["value"] == pytest.approx(0.001), "prices are known"
    assert quality["logged"]["value"] < quality["dr"]["value"]
    assert quality["model"]["low"] is None
    assert found["model"] == "catalogue"


def test_one_that_sends_all_to_the_cheapest_too(log: Books, replayed):
    found = replayed(POLICY + "keep_quality = 0.0\n")
    assert found["choices"]["mid@managed"][1] == 600
    for way in ("ips", "snips", "dr"):
        assert found["quality"][way]["low"] <= 0.5 <= found["quality"][way]["high"], way
    assert found["usd"]["dr"]["value"] == pytest.approx(0.0001)


def test_what_one_model_writes_more_than_another_is_in_the_dollars(books: Books, replayed):
    """The dear model writes four times what the cheap one does, which no estimate knows beforehand."""
    rng = np.random.default_rng(5)
    truth = []
    for number in range(800):
        chosen = PREMIUM if rng.random() < 0.2 else MANAGED
        long = int(rng.integers(200, 600))
        wrote = long if chosen == MANAGED else 4 * long
        truth.append((500 + 4 * long) * 1e-6)
        one = f"r{number}"
        books.write(
            dispatch(
                one, deployment=chosen, chosen=chosen, complexity=0.5, ruled_out=(), features=packed(NUMBERS),
                propensity=0.2 if chosen == PREMIUM else 0.8, at_us=T0 + number,
            ),
            settle(
                one, cost_nusd=(500 + wrote) * (100 if chosen == MANAGED else 1000), input_tokens=500,
                output_tokens=wrote,
            ),
        )  # fmt: skip
    books.load()
    usd = replayed(POLICY + "keep_quality = 1.0\n")["usd"]
    cost = float(np.mean(truth))
    for way in ("ips", "snips", "dr"):
        assert usd[way]["low"] <= cost <= usd[way]["high"], way
    widths = {way: usd[way]["high"] - usd[way]["low"] for way in ("ips", "dr")}
    assert widths["dr"] < widths["ips"], "it knows the prices"
    assert abs(usd["model"]["value"] - cost) < 0.1 * cost


def test_in_words(log: Books, replayed):
    said = replayed(POLICY + "keep_quality = 1.0\n", json_=False)
    assert "of 600 requests" in said.lower()
    assert "100.0% were decided with some chance" in said
    assert "doubly robust" in said
    assert "600 requests were judged" in said
    assert "Taken as given: every deployment is healthy and has room." in said
    assert "the log cannot tell" not in said


def test_a_log_without_chance_is_said_to_tell_nothing(books: Books, replayed):
    for number in range(100):
        one = f"r{number}"
        books.write(dispatch(one, complexity=0.5, ruled_out=(), features=packed(NUMBERS)), settle(one))
        books.worker.append(Judged(one, T0 + 10_000_000, 0, 1, "feedback", float(number % 2)))
    books.load()
    found = replayed(POLICY + "keep_quality = 1.0\n")
    assert (found["changed"], found["impossible"], found["random"]) == (1.0, 1.0, 0.0)
    assert found["asked_then"] == pytest.approx(0.9 / 0.95)
    assert (found["quality"]["ips"], found["quality"]["snips"], found["quality"]["rests_on_model"]) == (
        None,
        None,
        True,
    )
    said = replayed(POLICY + "keep_quality = 1.0\n", json_=False)
    assert "Of 100.0% the log cannot tell: chance could not have made the new choice." in said
    assert said.count("the log cannot tell") == 1 + 4


def test_whom_chance_could_not_reach_counts_as_unreached(log: Books, replayed):
    """A deployment that is new, and one that was ruled out for a request."""
    added = POLICY.replace('name = "gpt@openai"\nmodel', 'name = "newer"\nmodel', 1).replace(
        'deployments = ["gpt@openai"]', 'deployments = ["newer"]'
    )
    gone = replayed(added + "keep_quality = 1.0\n")
    assert gone["left_out"].keys() == {"gone"}
    assert gone["impossible"] == 1.0

    log.reopen_loader()
    log.load(
        dispatch("x", at_us=T0 + 999, ruled_out=((PREMIUM, "unhealthy", 0, 1),), propensity=0.85, complexity=0.5),
        settle("x"),
    )
    assert replayed(POLICY + "keep_quality = 1.0\n")["impossible"] == pytest.approx(1 / 601)


def test_of_equals_the_one_that_answered_would_have_again(books: Books, replayed):
    for number in range(60):
        books.write(dispatch(f"r{number}", complexity=0.5, ruled_out=()), settle(f"r{number}"))
    books.load()
    twin = POLICY.replace("[routes.auto]", TWIN + "[routes.auto]").replace('["mid@managed"]', '["mid@managed", "twin"]')
    found = replayed(twin + "keep_quality = 0.0\n")
    assert (found["changed"], found["choices"]) == (0.0, {"mid@managed": [60, 60]})


def test_what_cannot_be_decided_again_is_counted_by_why(books: Books, replayed):
    many = [
        dispatch("route", route=1, tier=0),
        dispatch("simulated", deployment=SIMULATED, chosen=SIMULATED),
        dispatch("named", route=-1),
        dispatch("long", prompt_tokens_est=200_000),
        dispatch("fine"),
    ]
    for each in many:
        books.write(each, settle(each.request_id))
    books.load(dispatch("failed"), released("failed"))
    found = replayed(POLICY)
    assert found["left_out"] == {"route": 1, "simulated": 1, "refused": 1}
    assert (found["requests"], found["quality"], found["usd"]) == (1, None, None)
    assert "fewer than 30 of these requests were judged" in replayed(POLICY, json_=False)
    keyed = POLICY + '[[keys]]\nname = "somebody"\nkey = "env:NOWHERE"\n'
    assert replayed(keyed)["left_out"]["key"] == 2


def test_a_failed_over_answer_and_its_whole_cost(books: Books):
    books.load(
        dispatch("a", propensity=0.5), settle("a", outcome="upstream_failed", cost_nusd=7),
        dispatch("a", 1, deployment=PREMIUM), settle("a", 1, cost_nusd=30),
        dispatch("b"), settle("b", cost_nusd=None),
    )  # fmt: skip
    a, b = decided(books.path)
    assert (a.answered, a.chosen, a.cost_nusd, b.cost_nusd) == ("gpt@openai", "mid@managed", 37, None)


def test_a_router_is_not_judged_by_what_it_was_fitted_to(log: Books, replayed, tmp_path: Path):
    from twintrack.ledger.verdicts import judgements

    learned = learn_from(judgements(log.path)[:300], shipped_prior())
    router = tmp_path / "router.json"
    router.write_bytes(msgspec.json.encode(learned.router))
    found = replayed(POLICY, str(router))
    assert (found["left_out"], found["requests"]) == ({"fitted": 300}, 300)
    router.write_bytes(msgspec.json.encode(msgspec.structs.replace(learned.router, until_us=0)))
    found = replayed(POLICY, str(router))
    assert found["requests"] == 600
    assert "A router was fitted to a file; whether to verdicts on these requests is not known." in found["notes"]


@pytest.mark.parametrize(
    ("words", "says"),
    [((), "Say which policy"), (("a.txt",), "at most one .toml"), (("none.toml",), "There is no configuration")],
)
def test_what_is_no_policy(books: Books, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str):
    with pytest.raises(SystemExit) as left:
        main(["route", "replay", *words, "--data", str(books.folder)])
    assert left.value.code
    assert says in capsys.readouterr().err
