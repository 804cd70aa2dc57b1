"""A verdict on an answer: who may give it, what is recorded, and what is never kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.waiting import eventually
from twintrack.ledger.database import database
from twintrack.ledger.verdicts import verdicts
from twintrack.providers.scripted import chat_answer, chat_events, stream

KEYS = """
[[keys]]
name = "app"
key = "env:APP_KEY"
[[keys]]
name = "other"
key = "env:OTHER_KEY"
[[keys]]
name = "quality"
key = "env:QUALITY_KEY"
judge = true
"""
APP, OTHER, QUALITY = ({"authorization": f"Bearer sk-{name}"} for name in ("app", "other", "quality"))


@pytest.fixture(scope="module")
def gateway(mine: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = KEYS + provider("mine", mine.url) + deployment("small", "mine", quality=0.5) + deployment("large", "mine")
    config += route("auto", "small", "large") + route("one", "small")
    keys = {"APP_KEY": "sk-app", "OTHER_KEY": "sk-other", "QUALITY_KEY": "sk-quality"}
    with Served(tmp_path_factory.mktemp("feedback"), config, keys, workers=2) as gateway:
        yield gateway


def asked(gateway: Served, model: str = "auto", **headers: str) -> str:
    answer = gateway.ask(question(model), headers=APP | headers)
    assert answer.status == 200
    return answer.id


def judge(gateway: Served, headers: dict[str, str] = APP, **said: Any) -> Any:
    return gateway.ask(said, "/v1/feedback", headers)


def stored(gateway: Served, request_id: str, count: int = 1) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]]:
        rows = gateway.query("SELECT * FROM judged WHERE request_id = ? ORDER BY source, judged_by", request_id)
        known = all(row["standing"] != "unknown" for row in rows)
        return rows if len(rows) == count and known else []

    return eventually(look)


@pytest.mark.parametrize(
    ("said", "score", "label"),
    [
        ({"thumbs": "up"}, 1.0, ""),
        ({"thumbs": "down", "label": "wrong"}, 0.0, "wrong"),
        ({"score": 0.25}, 0.25, ""),
        ({"score": 1}, 1.0, ""),
        ({"correct": True}, 1.0, ""),
        ({"correct": False, "label": "malformed"}, 0.0, "malformed"),
        ({"correction": "It should have said xyzzy."}, 0.0, "corrected"),
        ({"score": 0.5, "correction": "xyzzy", "label": "incomplete"}, 0.5, "incomplete"),
    ],
)
def test_a_verdict_is_recorded_with_its_request(gateway: Served, said: dict[str, Any], score: float, label: str):
    request_id = asked(gateway)
    answer = judge(gateway, id=request_id, **said)
    assert answer.status == 202
    assert answer.json() == {
        "object": "verdict", "id": request_id, "score": score, "source": "feedback", "label": label or None,
    }  # fmt: skip
    (row,) = stored(gateway, request_id)
    entry = gateway.entries(request_id)[0]
    assert (row["standing"], row["entry"], row["score"], row["label"], row["judged_by"]) == (
        "counts", entry["id"], score, label, "app",
    )  # fmt: skip


def test_the_last_word_of_a_key_counts(gateway: Served):
    request_id = asked(gateway)
    for thumbs in ("up", "down", "up", "down"):
        assert judge(gateway, id=request_id, thumbs=thumbs).status == 202
    assert eventually(lambda: [row["score"] for row in stored(gateway, request_id)] == [0.0])


@pytest.mark.parametrize("model", ["auto", "one"])
def test_an_answer_that_was_streamed_is_judged_by_the_id_of_its_headers(gateway: Served, mine: Provider, model: str):
    mine.default = stream(chat_events(["so", " it", " is"]))
    answer = gateway.ask(question(model, stream=True), headers=APP)
    mine.default = chat_answer("hello")
    assert answer.complete
    assert judge(gateway, id=answer.id, thumbs="down").status == 202
    (row,) = stored(gateway, answer.id)
    assert (row["standing"], row["score"]) == ("counts", 0.0)


def test_a_key_judges_its_own_requests_and_who_may_judge_judges_all(gateway: Served):
    request_id = asked(gateway)
    assert judge(gateway, OTHER, id=request_id, thumbs="down").status == 202  # who asked is known when it is loaded
    assert judge(gateway, APP, id=request_id, thumbs="up").status == 202
    refused = judge(gateway, APP, id=request_id, thumbs="up", source="human")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "forbidden")
    assert "judge = true" in refused.json()["error"]["message"]
    assert judge(gateway, QUALITY, id=request_id, score=0.75, source="judge").status == 202
    rows = stored(gateway, request_id, 3)
    assert [(row["judged_by"], row["source"], row["standing"]) for row in rows] == [
        ("app", "feedback", "counts"),
        ("other", "feedback", "foreign"),
        ("quality", "judge", "counts"),
    ]


def test_what_is_said_of_an_unknown_request_is_kept_apart_and_reported(gateway: Served):
    assert judge(gateway, id="tt-0000000000000000-1", thumbs="up").status == 202
    path = database(gateway.data)
    assert eventually(lambda: verdicts(path).apart.get("unknown") == 1)
    said = subprocess.run(
        [sys.executable, "-m", "twintrack", "ledger", "verdicts", "--data", str(gateway.data)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Apart: 1 on requests that this ledger does not hold." in said


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "ends too early"),
        (b"[]", 400, "Expected `object`"),
        (b"\xff", 400, "not JSON"),
        (b'{"zz": ' + b"[" * 50_000, 400, "unknown field `zz`"),
        (b'{"thumbs": "up"}', 400, "missing required field `id`"),
        (b'{"id": "", "thumbs": "up"}', 400, "$.id is no request's id"),
        (b'{"id": "a b", "thumbs": "up"}', 400, "$.id is no request's id"),
        (json.dumps({"id": "x" * 65, "thumbs": "up"}).encode(), 400, "$.id is no request's id"),
        (b'{"id": "anna@example.org", "thumbs": "up"}', 400, "$.id is no request's id"),
        (b'{"id": "tt-1"}', 400, "There is no verdict"),
        (b'{"id": "tt-1", "correction": ""}', 400, "There is no verdict"),
        (b'{"id": "tt-1", "thumbs": "up", "score": 1}', 400, "thumbs and score together are no verdict"),
        (b'{"id": "tt-1", "thumbs": "sideways"}', 400, "$.thumbs: Invalid enum value 'sideways'. Use up, down."),
        (b'{"id": "tt-1", "score": 1.5}', 400, "$.score: Expected `float` <= 1.0"),
        (b'{"id": "tt-1", "score": NaN}', 400, "not JSON"),
        (b'{"id": "tt-1", "score": "1"}', 400, "$.score"),
        (b'{"id": "tt-1", "scor": 1}', 400, "There is no member 'scor'. Did you mean score?"),
        (b'{"id": "tt-1", "score": 1, "comment": "bad"}', 400, "There is no member 'comment'"),
        (b'{"id": "tt-1", "score": 1, "label": "sk-12345"}', 400, "$.label"),
        (json.dumps({"id": "tt-1", "correction": "x" * 65_536}).encode(), 413, "at most 65536 bytes"),
    ],
)
def test_what_is_no_verdict_is_refused_in_words(gateway: Served, body: bytes, status: int, says: str):
    answer = gateway.ask(body, "/v1/feedback", APP)
    assert (answer.status, says in answer.json()["error"]["message"]) == (status, True), answer.body


def test_it_takes_post_from_our_keys_alone(gateway: Served):
    assert gateway.get("/v1/feedback", APP).status == 405
    assert gateway.get("/v1/feedback", APP).headers["allow"] == "POST"
    assert gateway.ask({"id": "tt-1", "thumbs": "up"}, "/v1/feedback").status == 401
    with gateway.connect() as client:  # before a large body is waited for
        client.send(b"POST /v1/feedback HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        assert client.answer().status == 401


def test_no_word_of_a_correction_is_kept_anywhere(gateway: Served):
    request_id = asked(gateway)
    assert judge(gateway, id=request_id, correction="plugh and xyzzy-secret-word").status == 202
    stored(gateway, request_id)
    kept = [path for path in gateway.folder.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"xyzzy-secret-word" in path.read_bytes()]


def test_numbers_that_describe_a_request_are_kept_where_the_route_learns_and_the_class_allows(gateway: Served):
    learns, sensitive, alone = (
        asked(gateway),
        asked(gateway, **{"x-twintrack-class": "confidential"}),
        asked(gateway, "one"),
    )
    for request_id, kept in ((learns, 1), (sensitive, 0), (alone, 0)):
        (entry,) = gateway.entries(request_id)
        assert len(gateway.query("SELECT * FROM features WHERE attempt = ?", entry["id"])) == kept


def test_it_is_counted(gateway: Served):
    judge(gateway, id=asked(gateway), thumbs="up")

    def counted() -> bool:
        text = gateway.get("/metrics", APP).body.decode()
        return 'twintrack_verdicts_total{source="feedback"}' in text

    assert eventually(counted)
