"""A verifier fitted to verdicts on drafts judges the next ones, from the moment its file is there."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.waiting import eventually
from twintrack.cli import main
from twintrack.errors import ConfigError
from twintrack.gateway.agreement import final_answer
from twintrack.gateway.verifier import FORMAT, Known, Verifier, Weights, decode, verifier_in
from twintrack.gateway.verifier_features import NAMES, PLACE, VERSION, packed, seen, unpacked
from twintrack.providers.scripted import Received, Script, chat_answer
from twintrack.signals.weights import Card
from twintrack.training.verifier_sources import drafts_of
from twintrack.wire.canonical.parts import Text, ToolCall
from twintrack.wire.held import Draft

CHEAP = "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }"


def sure(received: Received) -> Script:
    """Answers with the log-probability that the question ends in; before it stands how many results it marks."""
    asked = json.loads(received.body)
    *_, marks, logprob = asked["messages"][-1]["content"].split()
    text = "It comes to this.\nThe answer is 12." if marks == "1" else "It depends.\nNobody knows."
    body = json.loads(chat_answer(text).pieces[0])
    if asked.get("logprobs"):
        tokens = [{"token": "a", "logprob": float(logprob), "bytes": None, "top_logprobs": []}] * 8
        body["choices"][0]["logprobs"] = {"content": tokens}
    return Script(pieces=(json.dumps(body).encode(),))


@pytest.fixture(scope="module")
def gateway(mine: Provider, tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = provider("mine", mine.url) + deployment("small", "mine", quality=0.05, more=CHEAP)
    config += deployment("other", "mine", quality=0.05, more=CHEAP) + deployment("large", "mine", quality=0.95)
    believing = 'cascade = { check = ["logprobs"], min_mean_logprob = -100, min_p_good = 0 }'
    config += route("believing", "small", "large", more=believing)
    judging = 'cascade = { check = ["verifier"], min_p_good = 0 }\nkeep_quality = 0.7'
    config += route("judging", "small", "large", more=judging)
    both = judging.replace('["verifier"]', '["agreement", "verifier"]')
    config += route("both", "small", "other", "large", more=both)
    config += route("exploring", "small", "large", more=f"{judging}\nexplore = 0.1")
    config += route("secret", "small", "large", more=f'{believing}\ndefault_class = "confidential"')
    with Served(tmp_path_factory.mktemp("verifier"), config) as gateway:
        mine.scripts |= {"small": sure, "other": sure}
        yield gateway


def asked(gateway: Served, model: str, logprob: float, marks: int = 1) -> Any:
    question = {"role": "user", "content": f"What is six and six? {marks} {logprob}"}
    return gateway.ask({"model": model, "messages": [question]})


def learn(gateway: Served, *more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["learn", "verifier", "--data", str(gateway.data), *more])
    return int(ended.value.code or 0)


def test_it_learns_from_verdicts_on_drafts_and_judges_the_next(
    gateway: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    before = asked(gateway, "judging", -0.1)
    (row,) = gateway.entries(before.id)
    assert (row["deployment"], row["role"]) == ("large", "answer")
    assert json.loads(row["ruled_out"]) == [["small", "draft_unverified", 0, 0]]

    rng = random.Random(1)
    for number in range(90):
        logprob, marks = (-0.1 if number % 2 else -1.5), number // 2 % 2
        answer = asked(gateway, "believing", logprob + rng.uniform(-0.05, 0.05), marks)
        assert answer.headers["x-twintrack-tier"] == "t0"
        good = float(rng.random() < (0.97 if logprob > -1 and marks else 0.1))
        said = gateway.ask({"id": answer.id, "score": good}, "/v1/feedback")
        assert said.status == 202, said.body
    kept = eventually(lambda: (rows := gateway.query("SELECT numbers FROM drafts")) and len(rows) == 90 and rows)
    found = unpacked(kept[-1]["numbers"])
    assert found is not None
    assert (found[PLACE["told"]], found[PLACE["marked"]]) == (1.0, 0.0)
    assert found[PLACE["mean"]] == pytest.approx(found[PLACE["least"]], abs=0.01)
    asked(gateway, "secret", -0.1)  # of this class nothing is kept
    eventually(lambda: gateway.query("SELECT count(*) AS n FROM verdicts")[0]["n"] == 90)

    assert learn(gateway, "--from", "ledger", "--dry-run", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["better"], report["taken"], report["verdicts"]) == (True, False, 90)
    assert set(report["better_by"]) == {"constant", "prompt alone", "log-probability alone", "agreement alone"}
    assert learn(gateway, "--from", "ledger") == 0
    assert "is taken" in capsys.readouterr().out

    believed = eventually(lambda: (a := asked(gateway, "judging", -0.1)).headers["x-twintrack-tier"] == "t0" and a)
    assert b"logprob" not in believed.body
    gateway.entries(believed.id)
    question = "SELECT numbers FROM drafts d JOIN attempts a ON a.id = d.attempt WHERE request_id = ?"
    here = unpacked(gateway.query(question, believed.id)[0]["numbers"])
    assert here is not None
    from_file = {"prompt": "What is six and six? 1 -0.1", "model": "small", "score": 1, "logprobs": [-0.1] * 7}
    (there,) = drafts_of([from_file | {"answer": "It comes to this.\nThe answer is 12."}], Path("file"), None)[0].seen
    assert there == pytest.approx(here, abs=0.01), "a file says the same of a draft as the gateway"
    doubted = asked(gateway, "judging", -1.5)
    draft, answer = gateway.entries(doubted.id)
    assert (draft["outcome"], answer["deployment"]) == ("set_aside", "large")
    assert draft["detail"].startswith("it is good with a probability of 0.")
    assert draft["policy_version"] != row["policy_version"]
    assert len(gateway.query("SELECT numbers FROM drafts")) == 92, "and none of the secret one"

    # Where two have to agree it has a word on the second. Of this one nobody judged a draft.
    rows = gateway.entries(asked(gateway, "both", -0.1).id)
    assert [(row["deployment"], row["detail"]) for row in rows] == [
        ("small", "it waits for another to agree"),
        ("other", "the verifier knows no verdicts on its deployment"),
        ("large", None),
    ]

    def explored() -> Any:
        (last, *_) = gateway.entries(asked(gateway, "exploring", -1.5, 0).id)
        return last if last["role"] == "draft" and last["outcome"] == "ok" else None

    assert eventually(explored)["detail"].startswith("believed to explore: it is good with a probability of 0.")
    # The next one has to be better than this one, on requests that this one was not fitted to.
    assert learn(gateway, "--from", "ledger") == 1
    assert "fitted to all but 0 of these" in capsys.readouterr().out
    assert learn(gateway, "--undo") == 0
    eventually(lambda: asked(gateway, "judging", -0.1).headers["x-twintrack-tier"] == "t1")


def test_what_is_seen_is_numbers_and_survives_the_ledger() -> None:
    draft = Draft((Text("Six and six: the answer is 12."),), "stop", (-0.1,) * 19 + (-3.0,))
    assert final_answer(draft) == "12"
    found = seen(
        draft, "12", output_tokens=None, prompt_tokens=10, complexity=0.5, p_good=0.9, json=False, others=["12", "13"]
    )
    named = dict(zip(NAMES, found, strict=True))
    assert named["mean"] == pytest.approx(-0.245)
    assert (named["tenth"], named["least"]) == (-0.1, -3.0)
    assert (named["others"], named["agrees"], named["tool"]) == (2.0, 1.0, 0.0)
    assert named["chance"] == pytest.approx(2.197, abs=0.001)
    assert unpacked(packed(found)) == pytest.approx(found, abs=0.01)
    assert unpacked(b"\0" * len(packed(found))) is None

    bare = Draft((ToolCall("c", "count", "{}"),), "tool_calls")
    found = seen(
        bare, final_answer(bare), output_tokens=7, prompt_tokens=0, complexity=0.0, p_good=None, json=True, others=[]
    )
    named = dict(zip(NAMES, found, strict=True))
    assert (named["told"], named["measured"], named["tool"], named["json"]) == (0.0, 0.0, 1.0, 1.0)
    assert named["tokens"] == 3.0


def weights(**changed: Any) -> Weights:
    ones = (1.0,) * len(NAMES)
    known = (Known("small", 40, 0.5), Known("rare", 5, 0.0))
    made = Weights(FORMAT, VERSION, Card("", "", ""), 0.0, ones, ones, ones, known, {}, ((-9, 0.1), (9, 0.9)), 40, 3)
    return msgspec.structs.replace(made, **changed)


def test_it_judges_only_the_like_of_what_it_knows() -> None:
    verifier = Verifier(weights())
    told = tuple(float(name == "told") for name in NAMES)
    assert isinstance(verifier.p_good(told, ("elsewhere", "small"), "math"), float)
    assert verifier.p_good(told, ("rare",), "math") == "the verifier knows no verdicts on its deployment"
    untold = (0.0,) * len(NAMES)
    assert "without log-probabilities" in str(verifier.p_good(untold, ("small",), "math"))
    # No single number buys belief without limit.
    endless = tuple(1e6 if name == "chars" else value for name, value in zip(NAMES, told, strict=True))
    far = tuple(4.0 if name == "chars" else value for name, value in zip(NAMES, told, strict=True))
    assert verifier.p_good(endless, ("small",), "math") == verifier.p_good(far, ("small",), "math")


@pytest.mark.parametrize(
    "changed",
    [{"format": 0}, {"spreads": (0.0,) * len(NAMES)}, {"weights": (1.0,)}, {"knots": ((0.0, 0.9), (1.0, 0.1))}],
)
def test_a_broken_file_is_told_and_not_used(changed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="verifier"):
        decode(msgspec.json.encode(weights(**changed)), "verifier.json")
    assert verifier_in(tmp_path) == b""
    (tmp_path / "verifier.json").write_text("{}")
    with pytest.raises(ConfigError, match="is no verifier"):
        verifier_in(tmp_path)
