"""A value that was planted in every place of a request that somebody writes is afterwards nowhere but where it may be:
with its own client and with our own model. Looked for in what third parties and collectors got, in logs, the data
folder, a backup, metrics, and what the commands say of the request."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import Answer
from twintrack.ledger.database import database
from twintrack.providers.scripted import Received, Script, chat_answer, chat_events, error_answer, stream

WORD = "quillzanzibar7731"
CANARY = f"{WORD}@clinic.example"
CHEAP = "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }"
SORTER = 'classifier = { deployment = "sorter", max_ms = 3000 }'
KEYS = """
[[keys]]
name = "app"
key = "env:APP_KEY"
[[keys]]
name = "boss"
key = "env:BOSS_KEY"
operator = true
"""
APP, BOSS = ({"authorization": f"Bearer sk-{name}"} for name in ("app", "boss"))


class Told(NamedTuple):
    gateway: Served
    answers: list[Answer]
    ids: list[str]
    metrics: bytes


@pytest.fixture(scope="module")
def told(
    mine: Provider, outside: Provider, other: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Told]:
    def echo(received: Received) -> Script:
        words = f"You wrote to {CANARY}."
        return stream(chat_events([words])) if json.loads(received.body).get("stream") else chat_answer(words)

    mine.default = echo
    mine.scripts = {
        "refusing": error_answer(400, f"cannot say {CANARY}"),
        "failing": error_answer(500, f"stack of {CANARY}"),
        "cut": stream(chat_events(["So ", CANARY], None, done=False), end="reset"),
        "sorter": chat_answer("code 0.5"),
    }
    config = f'[telemetry]\notlp = "{other.url}"\nevery_s = 1\n' + KEYS
    config += provider("mine", mine.url) + provider("outside", outside.url, zone="third_party")
    for name in ("refusing", "failing", "cut", "sorter"):
        config += deployment(name, "mine")
    config += deployment("own", "mine", quality=0.8) + deployment("theirs", "outside")
    config += deployment("cheap", "outside", quality=0.4, more=CHEAP)
    config += deployment("vectors", "outside", facts=", embeddings = true")
    config += route("auto", "theirs", "own", more=f"trace_content = true\n{SORTER}")
    config += route("drafts", "cheap", "theirs", "own", more='cascade = { check = ["match"], must_match = ["x"] }')
    config += route("refused", "refusing", "theirs") + route("failed", "failing", "theirs")
    config += route("taken", "cut", "theirs", more="take_up = true")
    config += route("away", "theirs")
    config += route("explores", "theirs", "own", more="explore = 0.1")
    config += route("watched", "own", more='mode = "observe"\nobserve = "theirs"')
    keys = {"APP_KEY": "sk-app", "BOSS_KEY": "sk-boss"}
    with Served(tmp_path_factory.mktemp("canary"), config, keys, workers=2) as gateway:
        answers = [gateway.ask(body, path, APP | headers) for body, path, headers in requests()]
        override = {"x-twintrack-override-class": "public", "x-twintrack-override-reason": CANARY}
        answers += [
            gateway.ask(said("auto"), headers=BOSS | override),
            gateway.ask(said("auto"), headers=APP | override),
        ]
        first = next(each.id for each in answers if each.status == 200)
        for verdict in (
            {"id": first, "correction": f"It was {CANARY}"},
            {"id": first, "thumbs": "down", "label": CANARY},
            {"id": CANARY, "thumbs": "down"},
            {"id": first, "thumbs": "down", CANARY: 1},
        ):
            answers.append(gateway.ask(verdict, "/v1/feedback", APP))
        answers.append(gateway.get(f"/v1/models/{CANARY}", APP))
        answers.append(gateway.get(f"/{CANARY}?q={CANARY}", APP | {"referer": CANARY, "user-agent": CANARY}))
        ids = [each.headers["x-twintrack-id"] for each in answers if "x-twintrack-id" in each.headers]
        metrics = gateway.get("/metrics", APP)
        yield Told(gateway, answers, ids, metrics.body + str(metrics.headers).encode())


def said(model: str, **more: Any) -> dict[str, Any]:
    return question(model, **more) | {"messages": [{"role": "user", "content": f"Write to {CANARY}, please."}]}


def requests() -> Iterator[tuple[Any, str, dict[str, str]]]:
    chat, messages, responses = "/v1/chat/completions", "/v1/messages", "/v1/responses"
    for model in ("auto", "drafts", "refused", "failed", "taken", "away", "explores", "watched", "theirs", "own"):
        yield said(model), chat, {}
        yield said(model, stream=True), chat, {}
        yield {**said(model), "max_tokens": 9}, messages, {}
        yield {"model": model, "input": f"Write to {CANARY}."}, responses, {}
    yield {"model": "vectors", "input": [CANARY, "hello"]}, "/v1/embeddings", {}
    yield {**said("auto"), "max_tokens": 9}, "/v1/messages/count_tokens", {}
    tool = {"type": "function", "function": {"name": "mail", "description": CANARY, "parameters": {}}}
    yield question("auto", tools=[tool]), chat, {}
    yield question("auto", user=CANARY, metadata={"who": CANARY}), chat, {}
    yield question("auto", metadata={"twintrack_class": CANARY}), chat, {}
    yield question(CANARY), chat, {}
    yield said("auto", **{WORD: [1, 2]}), chat, {}
    yield json.dumps(said("auto"))[:-1].encode() + f', "{CANARY}": 1, "{CANARY}": 2}}'.encode(), chat, {}
    yield f'{{"model": "auto", "messages": "{CANARY}'.encode(), chat, {}
    yield {"model": "auto", "messages": CANARY}, chat, {}
    for name in ("class", "stakes", "deadline-ms", "max-cost-usd", "id"):
        yield question("auto"), chat, {f"x-twintrack-{name}": CANARY}
    yield question("auto"), chat, {"traceparent": CANARY, "baggage": f"who={CANARY}", "idempotency-key": CANARY}
    yield said("own"), chat, {"authorization": f"Bearer {CANARY}"}


FORMS = tuple(
    form
    for text in (WORD, WORD.upper())
    for form in (
        text.encode(),
        text.encode("utf-16-le"),
        text.encode().hex().encode(),
        *(base64.b64encode(b"x" * at + text.encode())[4:-4] for at in range(3)),
    )
)


def shows(data: bytes) -> bool:
    return any(form in data for form in FORMS)


def test_what_is_looked_for_would_be_seen(told: Told, mine: Provider) -> None:
    assert any(shows(each.body) for each in mine.received)
    assert {each.status for each in told.answers} >= {200, 400, 401, 403, 404, 422}
    assert shows(base64.b64encode(f"see {CANARY}".encode()))


def test_no_third_party_and_no_collector_got_it(told: Told, outside: Provider, other: Provider) -> None:
    for each in (*outside.received, *other.received):
        assert not shows(each.body), each.body
        assert not shows(str(each).encode())


def test_no_header_of_an_answer_holds_it(told: Told) -> None:
    for each in told.answers:
        assert not shows(str(each.headers).encode()), each.headers


def test_neither_logs_nor_metrics_hold_it(told: Told) -> None:
    assert not shows(told.gateway.stderr().encode())
    assert not shows(told.metrics)


def test_no_file_of_the_data_folder_holds_it(told: Told) -> None:
    told.gateway.query("SELECT count(*) FROM entries")
    files = [each for each in told.gateway.folder.rglob("*") if each.is_file()]
    assert database(told.gateway.data) in files
    assert [each for each in files if shows(each.read_bytes())] == []


def test_nothing_that_the_commands_say_holds_it(told: Told) -> None:
    data = ["--data", str(told.gateway.data)]
    backup = told.gateway.folder / "backup.twintrack"
    commands = [
        ["audit", "export", *data],
        ["audit", "list", *data],
        ["ledger", *data],
        ["report", "all", *data, "--config", str(told.gateway.file)],
        ["backup", str(backup), *data, "--config", str(told.gateway.file)],
        *(["explain", each, *data] for each in told.ids[:3]),
    ]
    for command in commands:
        made = subprocess.run(
            [sys.executable, "-m", "twintrack", *command], capture_output=True, check=False, cwd=told.gateway.folder
        )
        assert made.returncode == 0, (command, made.stderr)
        assert not shows(made.stdout + made.stderr), command
    assert not shows(backup.read_bytes())
