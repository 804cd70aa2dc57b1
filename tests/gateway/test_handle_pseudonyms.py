"""What was found leaves as placeholders on every way, and comes back from them: measured where it would arrive."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from support.collector import Collector
from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import Answer, events
from support.reading import read
from support.waiting import eventually
from twintrack.providers.scripted import (
    Received,
    Script,
    Tokens,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    message_events,
    response_body,
    response_events,
    stream,
)

MAIL, CARD, PHONE = "bob.baker@firma-bau.de", "4111 1111 1111 1111", "+49 30 901820"
VALUES = (MAIL, "baker", CARD, CARD.replace(" ", ""), PHONE, "901820")
TEXT = f"Write to {MAIL}, refund card {CARD}. My phone number is {PHONE}."
PLACEHOLDER = re.compile(r"[A-Z_]+_[bcdfghjkmnpqrstvwxz]{8}")
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
DIALECTS = ("openai", "anthropic", "responses", "gemini")


@pytest.fixture(scope="module")
def gateway(mine: Provider, outside: Provider, other: Provider, tmp_path_factory: Any) -> Iterator[Served]:
    config = provider("mine", mine.url) + provider("other", other.url, zone="third_party")
    for dialect in DIALECTS:
        api = "openai" if dialect == "responses" else dialect
        more = 'dialects = ["responses"]' if dialect == "responses" else ""
        config += provider(dialect, outside.url, api=api, zone="third_party", more=more)
        config += deployment(dialect, dialect, facts=SEES)
        config += route(f"by-{dialect}", dialect, more="pseudonyms = true")
    config += deployment("own", "mine", facts=SEES) + deployment("second", "other", quality=0.95, more=PREFILL)
    config += deployment("vectors", "openai", facts=", embeddings = true")
    config += route("either", "openai", "own", more='pseudonyms = ["pii", "financial", "secret"]')
    config += route("both", "openai", "second", more="pseudonyms = true\ntake_up = true")
    cheap = "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4 }"
    config += deployment("draft", "openai", quality=0.4, more=cheap) + deployment("reader", "mine", more=cheap)
    drafting = "cascade = { check = ['match'], must_match = ['nobody says this'] }"
    reading = "classifier = { deployment = 'reader', max_ms = 2000 }"
    config += route("drafted", "draft", "second", more=f"pseudonyms = true\n{drafting}\n{reading}")
    config += route("vectors-route", "vectors", more="pseudonyms = true")
    config += route("plain", "openai", "own")
    with Served(tmp_path_factory.mktemp("pseudonyms"), config) as gateway:
        yield gateway


SEES = ', modalities = ["text", "image"]'
PREFILL = 'price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }\nprefill = "last"'


@pytest.fixture(autouse=True)
def echoes(mine: Provider, outside: Provider, other: Provider) -> Iterator[None]:
    """Providers say the placeholders they got; nobody outside ever gets a value."""
    mine.default = chat_answer("from home")
    outside.default = other.default = echo
    outside.received.clear()
    other.received.clear()
    yield
    for received in outside.received + other.received:
        assert not any(value in received.body.decode() for value in VALUES), received.body


def echo(received: Received) -> Script:
    """In the dialect of the path, cut into pieces of three letters where a stream is asked for."""
    said = " and ".join(dict.fromkeys(PLACEHOLDER.findall(received.body.decode()))) + " it is, Emma."
    pieces = [said[at : at + 3] for at in range(0, len(said), 3)]
    asked, path = json.loads(received.body), received.target
    tokens = Tokens(12, 7)
    if "enerateContent" in path:
        return _gemini(pieces, streamed="stream" in path)
    if path.endswith("/messages"):
        return stream(message_events(pieces)) if asked.get("stream") else message_answer(said)
    if path.endswith("/responses"):
        whole = Script(pieces=(response_body(said, tokens, "m"),))
        return stream(response_events(pieces, tokens)) if asked.get("stream") else whole
    return stream(chat_events(pieces)) if asked.get("stream") else chat_answer(said)


def _gemini(pieces: list[str], *, streamed: bool) -> Script:
    def said(text: str, **more: Any) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
        usage = {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}

    if not streamed:
        return Script(pieces=(json.dumps(said("".join(pieces), finishReason="STOP")).encode(),))
    every = [said(piece) for piece in pieces] + [said("", finishReason="STOP")]
    return stream([b"data: " + json.dumps(each).encode() + b"\n\n" for each in every])


def asked(endpoint: str, model: str, text: str = TEXT, **more: Any) -> dict[str, Any]:
    turn = [{"role": "user", "content": text}]
    if endpoint == "responses":
        return {"model": model, "input": turn} | more
    return {"model": model, "messages": turn} | ({"max_tokens": 99} if endpoint == "messages" else {}) | more


def said_by(answer: Answer, endpoint: str, *, streamed: bool) -> str:
    got = read(answer, endpoint, streamed=streamed)
    assert got.kind == "answer", answer.body
    return got.text


@pytest.mark.parametrize(("endpoint", "dialect"), list(product(PATHS, DIALECTS)))
def test_every_way_there_and_back(gateway: Served, outside: Provider, endpoint: str, dialect: str) -> None:
    for streamed in (False, True):
        more = {"stream": True} if streamed else {}
        answer = gateway.ask(asked(endpoint, f"by-{dialect}", **more), PATHS[endpoint])
        assert answer.status == 200, answer.body
        assert said_by(answer, endpoint, streamed=streamed) == f"{MAIL} and {CARD} and {PHONE} it is, Emma."
        assert answer.headers["x-twintrack-pseudonyms"] == "3"
        assert PLACEHOLDER.search(answer.body.decode()) is None
    first, second = outside.received
    assert PLACEHOLDER.findall(first.body.decode()) == PLACEHOLDER.findall(second.body.decode())


def test_calls_of_tools_in_both_directions(gateway: Served, outside: Provider) -> None:
    def calls(received: Received) -> Script:
        (mail,) = dict.fromkeys(re.findall(r"EMAIL_[a-z]{8}", received.body.decode()))
        arguments = json.dumps({"to": [mail], "text": f'"{mail}"\n'})
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}
        pieces = [arguments[at : at + 5] for at in range(0, len(arguments), 5)]
        deltas = [{"tool_calls": [call]}]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
        chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
        return stream([b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks] + [b"data: [DONE]\n\n"])

    outside.default = calls
    tool = {"name": "send", "description": f"Mails of {MAIL}", "input_schema": {"type": "object", "properties": {}}}
    history = [
        {"role": "user", "content": f"Mail to {MAIL}"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "send", "input": {"to": MAIL}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": f"sent to {MAIL}"}]},
    ]
    body = {"model": "by-openai", "max_tokens": 99, "messages": history, "tools": [tool], "stream": True}
    answer = gateway.ask(body, "/v1/messages")
    parts = [e["delta"]["partial_json"] for e in events(answer.body) if e.get("delta", {}).get("partial_json")]
    assert json.loads("".join(parts)) == {"to": [MAIL], "text": f'"{MAIL}"\n'}
    (received,) = outside.received
    assert len(set(PLACEHOLDER.findall(received.body.decode()))) == 1


def test_metadata_embeddings_and_counts_too(gateway: Served, outside: Provider) -> None:
    more = {"metadata": {"owner": MAIL, "twintrack_class": "internal"}, "user": MAIL}
    assert gateway.ask(asked("chat", "by-openai", **more)).status == 200
    assert "twintrack_class" not in outside.received[-1].body.decode()
    outside.default = Script(pieces=(b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}',))
    for text in (MAIL, f"also {MAIL}"):
        assert gateway.ask({"model": "vectors-route", "input": [text]}, "/v1/embeddings").status == 200
    one, two = (PLACEHOLDER.findall(each.body.decode()) for each in outside.received[-2:])
    assert one == two  # whatever else is embedded, so that vectors of one value are alike
    assert gateway.ask(asked("messages", "by-openai"), "/v1/messages/count_tokens").status == 200


def test_a_conversation_keeps_its_placeholders_also_on_another_worker(gateway: Served, outside: Provider) -> None:
    answer = gateway.ask(asked("chat", "by-openai"))
    (first,) = [PLACEHOLDER.findall(each.body.decode()) for each in outside.received]
    body = asked("chat", "by-openai")
    body["messages"] += [
        {"role": "assistant", "content": answer.json()["choices"][0]["message"]["content"]},
        {"role": "user", "content": f"And to eva@firma-bau.de, not {MAIL}."},
    ]
    gateway.ask(body)
    second = PLACEHOLDER.findall(outside.received[-1].body.decode())
    assert second[:6] == first * 2
    assert second[7] == first[0]
    other = asked("chat", "by-openai", f"Another talk about {MAIL}")
    gateway.ask(other)
    assert first[0] not in outside.received[-1].body.decode()


def test_a_request_that_moves_on_says_the_same_to_the_next(gateway: Served, outside: Provider, other: Provider) -> None:
    outside.default = error_answer(500)
    answer = gateway.ask(asked("chat", "both"))
    assert said_by(answer, "chat", streamed=False).startswith(f"{MAIL} and {CARD}")
    assert outside.received[0].body.split(b"messages")[1] == other.received[0].body.split(b"messages")[1]


def test_drafts_and_classifiers_see_placeholders(
    gateway: Served, mine: Provider, outside: Provider, other: Provider
) -> None:
    answer = gateway.ask(asked("chat", "drafted"))
    assert said_by(answer, "chat", streamed=False).startswith(f"{MAIL} and {CARD}")
    hops = [mine.received[-1], *outside.received, *other.received]
    assert [json.loads(each.body)["model"] for each in hops] == ["reader", "draft", "second"]
    assert all(len(set(PLACEHOLDER.findall(each.body.decode()))) == 3 for each in hops)
    assert not any(value in hops[0].body.decode() for value in VALUES)


def test_a_stream_that_broke_off_inside_a_placeholder_is_taken_up_there(
    gateway: Served, outside: Provider, other: Provider
) -> None:
    def half(received: Received) -> Script:
        mail = re.findall(r"EMAIL_[a-z]{8}", received.body.decode())[0]
        return stream(chat_events([f"To {mail} and", f" {mail[:9]}"], None, done=False), end="reset")

    def rest(received: Received) -> Script:
        began = json.loads(received.body)["messages"][-1]
        assert began["role"] == "assistant"
        mail = re.findall(r"EMAIL_[a-z]{8}", began["content"])[0]
        assert began["content"].endswith(f" {mail[:9]}")
        return stream(chat_events([mail[9:], "!"]))

    outside.default, other.default = half, rest
    answer = gateway.ask(asked("chat", "both", stream=True))
    assert said_by(answer, "chat", streamed=True) == f"To {MAIL} and {MAIL}!"


def test_a_provider_s_refusal_that_quotes_the_prompt_quotes_the_client_s(gateway: Served, outside: Provider) -> None:
    def refuses(received: Received) -> Script:
        return error_answer(400, f"no word about {PLACEHOLDER.findall(received.body.decode())[0]}")

    outside.default = refuses
    answer = gateway.ask(asked("chat", "by-openai"))
    assert (answer.status, MAIL in answer.json()["error"]["message"]) == (400, True)


ODD = {
    "encoded": asked("chat", "either", base64.b64encode(f"Please write to {MAIL} today".encode()).decode()),
    "a number": asked("chat", "either", f"card {CARD}", metadata={"n": 4111111111111111}),
    "a patient's": asked("chat", "either", "Patient Maria Garcia, MRN 93834701, diagnosed with diabetes"),
    "export": asked("chat", "either", f"{MAIL}: WARNING - contains technical data whose export is restricted by ITAR"),
    "a picture": asked("chat", "either") | {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}, {"type": "text", "text": TEXT}]}]},
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_what_cannot_be_replaced_or_is_more_than_that_stays_at_home(
    gateway: Served, outside: Provider, kind: str
) -> None:
    body = ODD[kind]
    answer = gateway.ask(body)
    assert said_by(answer, "chat", streamed=False) == "from home"
    assert outside.received == []


def test_a_long_text_is_replaced_over_many_turns_of_the_loop(gateway: Served, outside: Provider) -> None:
    lines = [f"{at}: user{at % 40}.long@firma-bau.de wrote about the quarterly report again." for at in range(3000)]
    answer = gateway.ask(asked("chat", "by-openai", "\n".join(lines)))
    assert answer.headers["x-twintrack-pseudonyms"] == "40"
    assert said_by(answer, "chat", streamed=False).startswith("user0.long@firma-bau.de and user1.long@")
    assert b"@" not in outside.received[0].body


def test_secrets_are_neither_sent_nor_put_back(gateway: Served, outside: Provider) -> None:
    key = "ghp_" + "x7Kd92LmQpRs48TuVwYz01AbCdEf6GhIjKlM"
    outside.default = chat_answer("REDACTED_SECRET is none")
    answer = gateway.ask(asked("chat", "either", f"token: {key}"))
    assert said_by(answer, "chat", streamed=False) == "REDACTED_SECRET is none"
    assert key not in outside.received[0].body.decode()


def test_without_findings_or_without_the_word_nothing_changes(
    gateway: Served, mine: Provider, outside: Provider
) -> None:
    body = question("by-openai", temperature=0.70)
    answer = gateway.ask(json.dumps(body).encode())
    assert "x-twintrack-pseudonyms" not in answer.headers
    assert (
        outside.received[0].body == json.dumps(body | {"model": "openai"}).replace('": "openai"', '":"openai"').encode()
    )
    assert said_by(gateway.ask(asked("chat", "plain")), "chat", streamed=False) == "from home"
    assert MAIL in mine.received[-1].body.decode()


def test_a_collector_is_told_placeholders(outside: Provider, tmp_path: Path) -> None:
    config = provider("outside", outside.url, zone="third_party") + deployment("m", "outside")
    config += route("auto", "m", more="pseudonyms = true\ntrace_content = true")
    with Collector() as collector, Served(tmp_path, f'{config}[telemetry]\notlp = "{collector.url}"\n') as gateway:
        answer = gateway.ask(asked("chat", "auto", stream=True))
        assert said_by(answer, "chat", streamed=True).startswith(MAIL)
        told = eventually(lambda: len(collector.of(answer.id)) == 2 and collector.of(answer.id))
    assert "EMAIL_" in str(told)
    assert not any(value in str(told) for value in VALUES)


def test_what_a_recogniser_of_names_found_is_replaced_and_placeholders_are_none_of_it(
    mine: Provider, outside: Provider, tmp_path: Path
) -> None:
    def recognises(received: Received) -> Script:
        text = json.loads(received.body)["text"]
        names = [("PERSON", each) for each in re.finditer("Maria Garcia", text)]
        odd = [("US_PASSPORT", each) for each in PLACEHOLDER.finditer(text)]
        found = [{"entity_type": kind, "start": at.start(), "end": at.end(), "score": 0.9} for kind, at in names + odd]
        return Script(pieces=(json.dumps(found).encode(),))

    mine.default = recognises
    config = f'[detect.ner]\nurl = "{mine.url.removesuffix("/v1")}"\n' + provider(
        "far", outside.url, zone="third_party"
    )
    config += deployment("m", "far") + route("auto", "m", more="pseudonyms = true")
    with Served(tmp_path, config) as gateway:
        answer = gateway.ask(asked("chat", "auto", f"Maria Garcia has {MAIL}. Write to Maria Garcia."))
    assert said_by(answer, "chat", streamed=False) == f"Maria Garcia and {MAIL} it is, Emma."
    assert "Garcia" not in outside.received[0].body.decode()
