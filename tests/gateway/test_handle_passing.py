"""A client and a provider of one dialect: what either says reaches the other as it was said, and nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.gateway import Served, cost_nusd, deployment, provider, question, route
from support.provider import Provider
from support.raw import events, request, words
from twintrack.providers.scripted import Script, chat_answer, chat_events, message_answer, stream

HEADERS_OF_OURS = {"host", "content-type", "content-length", "accept-encoding", "user-agent"}


@pytest.fixture(scope="module")
def gateway(
    mine: Provider, other: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    config = provider("mine", mine.url, more='key = "env:MINE_KEY"')
    config += provider("claude", claude.url, api="anthropic", more='key = "env:CLAUDE_KEY"')
    config += deployment("same", "mine") + deployment("renamed", "mine", model="vendor/model-7b")
    config += deployment("vectors", "mine", facts=", embeddings = true") + deployment("sonnet", "claude")
    config += deployment("free", "mine", more=" ") + route("auto", "same", "renamed")
    config += provider("sim", other.url, more="simulated = true") + deployment("pretend", "sim")
    keys = {"MINE_KEY": "sk-mine", "CLAUDE_KEY": "sk-claude"}
    with Served(tmp_path_factory.mktemp("passing"), config, keys) as gateway:
        yield gateway


def test_a_body_that_names_the_providers_own_model_is_not_touched(gateway: Served, mine: Provider) -> None:
    body = (
        b'\n{ "model" : "same","messages":[{"role":"user","content":"x","x-unknown":{"deep":[1.0,1e5,-0]}}],\r\n'
        b'"temperature":0.10, "seed":12345678901234567890123, "new" : "\\u00e9\\/\xc3\xa9", "twice":1,"twice":2 }\t'
    )
    assert gateway.ask(body).status == 200
    assert mine.received[-1].body == body


def test_a_renamed_model_is_all_that_changes(gateway: Served, mine: Provider) -> None:
    body = b'{"messages":[{"role":"user","content":"\\"model\\": \\"renamed\\""}],"model":  "renamed" ,"x":1.0}'
    assert gateway.ask(body).status == 200
    assert mine.received[-1].body == body.replace(b'"model":  "renamed"', b'"model":"vendor/model-7b"')


def test_of_a_clients_headers_only_the_dialects_own_travel_on(gateway: Served, mine: Provider) -> None:
    said = {
        "authorization": "Bearer sk-clients-own",
        "cookie": "session=1",
        "x-forwarded-for": "10.1.2.3",
        "forwarded": "for=10.1.2.3",
        "accept-encoding": "gzip, br",
        "user-agent": "client/1",
        "x-stainless-lang": "python",
        "x-twintrack-class": "public",
        "te": "trailers",
        "origin": "https://evil.example",
        "openai-beta": "assistants=v2",
    }
    assert gateway.ask(question("same"), headers=said).status == 200

    received = mine.received[-1].headers
    assert received.keys() == HEADERS_OF_OURS | {"authorization", "openai-beta"}
    assert received["authorization"] == "Bearer sk-mine"
    assert received["accept-encoding"] == "identity"
    assert received["user-agent"].startswith("twintrack/")
    assert received["openai-beta"] == "assistants=v2"


def test_anthropics_headers_travel_byte_for_byte(gateway: Served, claude: Provider) -> None:
    claude.default = message_answer("hello")
    said = {
        "x-api-key": "sk-clients-own",
        "anthropic-version": "2027-02-03",
        "anthropic-beta": "tools-2026-01-01,  context-1m;q=1",
        "cookie": "a=b",
    }
    assert gateway.ask(question("sonnet", max_tokens=5), "/v1/messages?beta=true", said).status == 200

    received = claude.received[-1].headers
    assert received.keys() == HEADERS_OF_OURS | {"x-api-key", "anthropic-version", "anthropic-beta"}
    assert received["x-api-key"] == "sk-claude"
    assert received["anthropic-version"] == "2027-02-03"
    assert received["anthropic-beta"] == "tools-2026-01-01,  context-1m;q=1"
    assert claude.received[-1].target == "/v1/messages"

    gateway.ask(question("sonnet", max_tokens=5), "/v1/messages")
    assert claude.received[-1].headers["anthropic-version"] == "2023-06-01"


def test_an_answer_comes_back_byte_for_byte_with_our_headers_and_its_cost(gateway: Served, mine: Provider) -> None:
    body = b' {"choices":[{"x":1.0}], "usage":{"prompt_tokens":1000,"completion_tokens":50},"new":"\\u00e9"}\n'
    mine.scripts["same"] = Script(
        headers=(("content-type", "application/json; charset=utf-8"), ("set-cookie", "a=b"), ("server", "x")),
        pieces=(body,),
    )
    answer = gateway.chat("auto")

    assert answer.body == body
    assert answer.headers.keys() == {
        "content-type", "content-length", "x-twintrack-id", "x-request-id", "x-twintrack-model", "x-twintrack-provider",
        "x-twintrack-class", "x-twintrack-route", "x-twintrack-tier", "x-twintrack-why", "x-twintrack-cost-usd",
    }  # fmt: skip
    assert (answer.headers["x-twintrack-route"], answer.headers["x-twintrack-tier"]) == ("auto", "t0")
    assert answer.headers["x-twintrack-cost-usd"] == "0.002400000"
    (row,) = gateway.entries(answer.id)
    assert row["cost_nusd"] == cost_nusd(1000, 50) == 2_400_000


def test_an_answer_of_a_scripted_provider_says_that_it_is_simulated(gateway: Served) -> None:
    answer = gateway.chat("pretend")
    assert answer.headers["x-twintrack-simulated"] == "true"
    assert gateway.entries(answer.id)[0]["simulated"] == 1


def test_an_unpriced_model_costs_unknown_and_not_nothing(gateway: Served, mine: Provider) -> None:
    answer = gateway.chat("free")
    assert "x-twintrack-cost-usd" not in answer.headers
    assert gateway.entries(answer.id)[0]["cost_nusd"] is None


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": "many"}])
def test_an_answer_without_usage_is_estimated_and_says_so(
    gateway: Served, mine: Provider, usage: dict[str, str] | None
) -> None:
    body = json.dumps({"choices": [{"message": {"content": "x" * 400}}], "usage": usage}).encode()
    mine.scripts["same"] = Script(pieces=(body,))
    answer = gateway.chat("same")
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["usage_source"]) == ("settled", "estimated")
    assert row["output_tokens"] == len(body) // 4


# Streams


def test_usage_is_asked_for_and_kept_from_clients_that_did_not_ask(gateway: Served, mine: Provider) -> None:
    mine.scripts["same"] = stream(chat_events(["one", " two"], usage=(40, 9)))
    answer = gateway.chat("same", stream=True)

    assert json.loads(mine.received[-1].body)["stream_options"] == {"include_usage": True}
    assert words(answer.body) == "one two"
    assert not any(event.get("usage") for event in events(answer.body) if isinstance(event, dict))
    assert answer.body == b"".join(chat_events(["one", " two"], usage=None))
    (row,) = gateway.entries(answer.id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (40, 9, "reported")
    assert row["cost_nusd"] == cost_nusd(40, 9)
    assert row["ttft_us"] is not None


def test_usage_is_left_to_clients_that_asked(gateway: Served, mine: Provider) -> None:
    mine.scripts["same"] = stream(chat_events(["one"], usage=(40, 9)))
    answer = gateway.chat("same", stream=True, stream_options={"include_usage": True})
    assert answer.body == b"".join(chat_events(["one"], usage=(40, 9)))


@pytest.mark.parametrize("size", [1, 3, 17, 100])
def test_usage_goes_also_where_events_are_cut_anywhere(gateway: Served, mine: Provider, size: int) -> None:
    text = b"".join(chat_events(["one", " two", " three"], usage=(40, 9)))
    mine.scripts["same"] = stream([text[at : at + size] for at in range(0, len(text), size)])
    answer = gateway.chat("same", stream=True)
    assert answer.complete
    assert answer.body == b"".join(chat_events(["one", " two", " three"], usage=None))
    assert gateway.entries(answer.id)[0]["output_tokens"] == 9


def test_a_long_stream_passes_whole(gateway: Served, mine: Provider) -> None:
    said = [f" word{number}" for number in range(3_000)]
    mine.scripts["same"] = stream(chat_events(said, usage=(40, 3_000)))
    answer = gateway.chat("same", stream=True)
    assert words(answer.body) == "".join(said)
    assert gateway.entries(answer.id)[0]["output_tokens"] == 3_000


def test_an_http_10_client_gets_a_stream_without_chunks(gateway: Served, mine: Provider) -> None:
    mine.scripts["same"] = stream(chat_events(["one"]))
    with gateway.connect() as client:
        body = json.dumps(question("same", stream=True)).encode()
        client.send(request("POST", "/v1/chat/completions", body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        answer = client.answer()
    assert "transfer-encoding" not in answer.headers
    assert answer.headers["connection"] == "close"
    assert answer.body == b"".join(chat_events(["one"], usage=None))


def test_one_connection_serves_request_after_request(gateway: Served, mine: Provider) -> None:
    mine.scripts["same"] = chat_answer("hello")
    with gateway.connect() as client:
        for _ in range(3):
            client.post("/v1/chat/completions", question("same"))
            assert client.answer().status == 200
        # And pipelined, with the answers in order.
        for number in range(3):
            client.post("/v1/chat/completions", question("same" if number != 1 else "nobody"))
        assert [client.answer().status for _ in range(3)] == [200, 404, 200]


def test_embeddings_pass(gateway: Served, mine: Provider) -> None:
    body = b'{"object":"list","data":[{"index":0,"embedding":"AACAPw=="}],"usage":{"prompt_tokens":8,"total_tokens":8}}'
    mine.scripts["vectors"] = Script(pieces=(body,))
    answer = gateway.ask({"model": "vectors", "input": ["a", "b"]}, "/v1/embeddings")
    assert answer.body == body
    assert mine.received[-1].target == "/v1/embeddings"
    (row,) = gateway.entries(answer.id)
    assert (row["endpoint"], row["input_tokens"], row["output_tokens"]) == ("embeddings", 8, 0)
    assert row["cost_nusd"] == cost_nusd(8, 0)


# Labels


def test_our_labels_stay_with_us(gateway: Served, mine: Provider) -> None:
    mine.scripts["same"] = chat_answer("hello")
    asked = question("same", metadata={"twintrack_class": "confidential", "user": "u"})
    answer = gateway.ask(asked, headers={"x-twintrack-stakes": "high"})
    received = mine.received[-1]
    assert json.loads(received.body)["metadata"] == {"user": "u"}
    assert not [name for name in received.headers if "twintrack" in name]
    assert gateway.entries(answer.id)[0]["data_class"] == "confidential"
