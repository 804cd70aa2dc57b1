"""A draft is checked by its log-probabilities and held back whichever dialect the client speaks, and whichever its
provider does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.raw import Answer, events, words
from support.waiting import eventually
from twintrack.providers.scripted import (
    Received,
    Script,
    Tokens,
    chat_answer,
    chat_events,
    response_body,
    response_events,
    stream,
)

CHEAP = "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }"
DRAFT_NUSD, LARGE_NUSD = 12 * 100 + 7 * 400, 12 * 2_000 + 7 * 8_000
CLIENTS = ("chat", "messages", "responses")
PROVIDERS = ("openai", "responses", "gemini")
SURE, DOUBTED = -0.125, -0.875
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


@pytest.fixture(scope="module")
def gateway(
    mine: Provider, other: Provider, outside: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    at = {"openai": mine, "responses": other, "gemini": outside}
    config = "[server.deadlines]\nkeepalive_after_s = 1.0\nkeepalive_every_s = 0.2\n"
    config += provider("large", mine.url) + deployment("large", "large", quality=0.95)
    for dialect, where in at.items():
        api = "gemini" if dialect == "gemini" else "openai"
        config += provider(dialect, where.url, api=api, more=f'key = "env:KEY"\ndialects = ["{dialect}"]')
        config += deployment(f"small-{dialect}", dialect, quality=0.4, more=CHEAP)
        rules = 'cascade = { check = ["logprobs"], min_mean_logprob = -0.5 }'
        config += route(dialect, f"small-{dialect}", "large", more=rules)
    config += deployment("small-near", "openai", quality=0.4, more=CHEAP) + route(
        "near", "small-near", "large", more=rules
    )
    config += provider("two", mine.url, api="vllm", more='dialects = ["openai", "anthropic"]')
    config += deployment("small-two", "two", quality=0.4, more=CHEAP) + route("two", "small-two", "large", more=rules)
    with Served(tmp_path_factory.mktemp("dialects"), config, {"KEY": "sk-key"}) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def scripts(mine: Provider, other: Provider, outside: Provider) -> None:
    for each in (mine, other, outside):
        each.scripts.clear()
        each.default = drafting(SURE)
    mine.scripts["large"] = lambda received: (
        stream(chat_events(["la", "rge"])) if json.loads(received.body).get("stream") else chat_answer("large")
    )


def drafting(logprob: float, *, pause_s: float = 0.0, hangs: bool = False) -> Any:
    """The text `hi!`, two tokens of this log-probability, in the dialect that is asked for; only if they are."""

    def script(received: Received) -> Script:
        asked = json.loads(received.body)
        path = received.target
        if path.endswith("/responses"):
            assert "message.output_text.logprobs" in asked["include"]
            pieces = _responses(logprob, streamed=asked.get("stream", False))
        elif "enerateContent" in path:
            assert asked["generationConfig"]["responseLogprobs"] is True
            pieces = _gemini(logprob, streamed="stream" in path)
        else:
            assert asked["logprobs"] is True
            pieces = _chat(logprob, streamed=asked.get("stream", False))
        if len(pieces) == 1:
            return Script(pieces=tuple(pieces))
        *first, last = pieces
        return stream([*first, 30.0]) if hangs else stream([*first, pause_s, last] if pause_s else pieces)

    return script


def _chat(logprob: float, *, streamed: bool) -> list[bytes]:
    told = {"content": [{"token": "hi", "logprob": logprob, "bytes": None, "top_logprobs": []}]}
    if streamed:
        said = b'"logprobs":' + json.dumps(told).encode()
        return [
            each.replace(b'"logprobs":null', said) if b'"content":"' in each and b'"content":""' not in each else each
            for each in chat_events(["hi", "!"])
        ]
    body = json.loads(chat_answer("hi!").pieces[0])
    body["choices"][0]["logprobs"] = {"content": told["content"] * 2}
    return [json.dumps(body).encode()]


def _responses(logprob: float, *, streamed: bool) -> list[bytes]:
    one = json.dumps([{"token": "hi", "logprob": logprob, "bytes": [104, 105], "top_logprobs": []}]).encode()
    both = b'"logprobs":[' + one[1:-1] + b"," + one[1:-1] + b"]"
    if not streamed:
        return [response_body("hi!", Tokens(12, 7), "m").replace(b'"logprobs":[]', both)]
    found = []
    for each in response_events(["hi", "!"], Tokens(12, 7)):
        delta = b"output_text.delta" in each
        found.append(each.replace(b'"logprobs":[]', b'"logprobs":' + one if delta else both))
    return found


def _gemini(logprob: float, *, streamed: bool) -> list[bytes]:
    def piece(*texts: str, ends: bool) -> dict[str, Any]:
        chosen = [{"token": text, "tokenId": 7, "logProbability": logprob} for text in texts]
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": "".join(texts)}]}, "index": 0}
        candidate |= {"avgLogprobs": logprob, "logprobsResult": {"chosenCandidates": chosen, "topCandidates": []}}
        usage = {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}
        return {"candidates": [candidate | ({"finishReason": "STOP"} if ends else {})], "usageMetadata": usage}

    if not streamed:
        return [json.dumps(piece("hi", "!", ends=True)).encode()]
    return [
        b"data: %b\r\n\r\n" % json.dumps(piece(text, ends=ends)).encode() for text, ends in (("hi", False), ("!", True))
    ]


def ask(gateway: Served, client: str, model: str, *, streamed: bool, headers: Any = None) -> Answer:
    return gateway.ask(asked(client, model, streamed=streamed), PATHS[client], headers=headers)


def asked(client: str, model: str, *, streamed: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "stream": streamed}
    if client == "responses":
        return body | {"input": "Say hello."}
    return (
        body
        | {"messages": [{"role": "user", "content": "Say hello."}]}
        | ({"max_tokens": 50} if client == "messages" else {})
    )


def text_of(client: str, answer: Answer, *, streamed: bool) -> str:
    if client == "chat":
        return words(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]
    if streamed:
        said = [each for each in events(answer.body) if isinstance(each, dict)]
        if client == "messages":
            return "".join(each["delta"]["text"] for each in said if each["type"] == "content_block_delta")
        return "".join(each["delta"] for each in said if each["type"] == "response.output_text.delta")
    whole = answer.json()
    return whole["content"][0]["text"] if client == "messages" else whole["output"][0]["content"][0]["text"]


ENDS = {"chat": b"data: [DONE]", "messages": b"message_stop", "responses": b"response.completed"}


@pytest.mark.parametrize("dialect", PROVIDERS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_how_sure_the_model_was_decides_and_is_told_nobody(
    gateway: Served, mine: Provider, other: Provider, outside: Provider, client: str, dialect: str, streamed: bool
) -> None:
    answer = ask(gateway, client, dialect, streamed=streamed)
    assert (answer.status, answer.headers.get("x-twintrack-tier")) == (200, "t0"), answer.body
    assert text_of(client, answer, streamed=streamed) == "hi!"
    assert str(SURE).encode() not in answer.body
    assert b'"logprobs":[{' not in answer.body.replace(b" ", b"")
    if streamed:
        assert answer.complete
        assert ENDS[client] in answer.body
    (row,) = gateway.entries(answer.id)
    assert (row["role"], row["outcome"], row["cost_nusd"]) == ("draft", "ok", DRAFT_NUSD)

    for each in (mine, other, outside):
        each.default = drafting(DOUBTED)
    answer = ask(gateway, client, dialect, streamed=streamed)
    assert (answer.status, answer.headers.get("x-twintrack-tier")) == (200, "t1"), answer.body
    assert text_of(client, answer, streamed=streamed) == "large"
    assert b"hi" not in answer.body.replace(b"this", b"")
    draft, large = gateway.entries(answer.id)
    assert draft["detail"] == "its log-probability is -0.88 a token, at least -0.50 is asked for"
    assert (draft["cost_nusd"], large["cost_nusd"]) == (DRAFT_NUSD, LARGE_NUSD)
    assert (draft["stream"], draft["input_tokens"], draft["output_tokens"]) == (streamed, 12, 7)
    assert (draft["baseline_nusd"], large["baseline_nusd"]) == (None, LARGE_NUSD)


def test_a_provider_of_two_dialects_is_asked_in_the_one_that_has_them(gateway: Served) -> None:
    answer = ask(gateway, "messages", "two", streamed=False)
    assert (answer.headers["x-twintrack-tier"], text_of("messages", answer, streamed=False)) == ("t0", "hi!")


@pytest.mark.parametrize(("client", "dialect"), list(zip(CLIENTS, PROVIDERS, strict=True)))
def test_a_client_that_waits_hears_comments_and_the_answer_only_when_it_is_whole(
    gateway: Served, mine: Provider, other: Provider, outside: Provider, client: str, dialect: str
) -> None:
    for each in (mine, other, outside):
        each.default = drafting(SURE, pause_s=1.6)
    answer = ask(gateway, client, dialect, streamed=True)
    waited, _, said = answer.body.rpartition(b": still waiting\n\n")
    assert waited.replace(b": still waiting\n\n", b"") == b""  # not a word of it before the last piece came
    assert said
    assert answer.complete
    assert text_of(client, answer, streamed=True) == "hi!"
    assert ENDS[client] in answer.body
    (row,) = gateway.entries(answer.id)
    assert (row["outcome"], row["cost_nusd"], row["stream"]) == ("ok", DRAFT_NUSD, True)
    assert row["total_us"] > 1_500_000


@pytest.mark.parametrize(("client", "dialect"), list(zip(CLIENTS, PROVIDERS, strict=True)))
def test_a_client_that_leaves_stops_the_draft_and_nobody_else_is_asked(
    gateway: Served, mine: Provider, other: Provider, outside: Provider, client: str, dialect: str
) -> None:
    where = {"openai": mine, "responses": other, "gemini": outside}[dialect]
    where.default = drafting(SURE, hangs=True)
    gone, before = where.disconnects, len(mine.asked("large"))
    with gateway.connect() as left:
        left.post(PATHS[client], asked(client, dialect, streamed=True))
        heard = left.until(b": still waiting")
    assert b"hi" not in heard.partition(b"\r\n\r\n")[2]
    eventually(lambda: where.disconnects > gone)
    found = "SELECT * FROM entries WHERE outcome = 'client_left' AND route = ?"
    row = eventually(lambda: gateway.query(found, dialect))[-1]
    assert (row["deployment"], row["role"], row["endpoint"]) == (f"small-{dialect}", "draft", client)
    assert len(mine.asked("large")) == before


@pytest.mark.parametrize(("client", "dialect"), list(zip(CLIENTS, PROVIDERS, strict=True)))
def test_a_draft_leaves_half_of_the_deadline_to_who_answers_then(
    gateway: Served, mine: Provider, other: Provider, outside: Provider, client: str, dialect: str
) -> None:
    for each in (mine, other, outside):
        each.default = drafting(SURE, hangs=True)
    answer = ask(gateway, client, dialect, streamed=True, headers={"x-twintrack-deadline-ms": "3000"})
    assert answer.complete
    assert text_of(client, answer, streamed=True) == "large"
    draft, large = gateway.entries(answer.id)
    assert (draft["outcome"], draft["detail"]) == ("upstream_timeout", "The draft took too long")
    assert 1_300_000 < draft["total_us"] < 2_900_000
    assert large["outcome"] == "ok"


@pytest.mark.parametrize("client", CLIENTS)
def test_where_the_deadline_is_near_none_is_asked_for_and_the_ledger_says_why(
    gateway: Served, mine: Provider, client: str
) -> None:
    for pause_s, deadline_ms in ((1.2, "9000"), (0.0, "1000")):
        mine.default = drafting(SURE, pause_s=pause_s)
        answer = ask(gateway, client, "near", streamed=True, headers={"x-twintrack-deadline-ms": deadline_ms})
        assert answer.complete
    assert text_of(client, answer, streamed=True) == "large"
    (row,) = gateway.entries(answer.id)
    assert (row["deployment"], row["reason"]) == ("large", "only_one")
    ((name, code, deadline, took),) = json.loads(row["ruled_out"])
    assert (name, code, deadline) == ("small-near", "latency", 1000)
    assert took > 1000
