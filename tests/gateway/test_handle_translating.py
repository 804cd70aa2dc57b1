"""A client and a provider of different dialects: each hears its own, and the books do not see a difference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Served, cost_nusd, deployment, provider, question, route
from support.provider import Provider
from support.raw import events, words
from twintrack.providers.scripted import (
    Received,
    Script,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    message_events,
    stream,
)

GEMINI_ANSWER = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello there"}]}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 12,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 19,
    },
    "modelVersion": "gemini-test",
    "responseId": "g-1",
}


@pytest.fixture(scope="module")
def gateway(
    mine: Provider, other: Provider, claude: Provider, outside: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    config = provider("mine", mine.url, api="tgi")
    config += provider("claude", claude.url, api="anthropic", more='key = "env:CLAUDE_KEY"')
    config += provider("google", outside.url, api="gemini", more='key = "env:GEMINI_KEY"')
    config += provider("both", other.url, api="vllm")
    config += deployment("chat", "mine") + deployment("sonnet", "claude", facts=", max_output_tokens = 4096")
    config += deployment("gemini", "google") + deployment("native", "both")
    config += route("auto", "sonnet") + route("lenient", "sonnet", more="drop_unsupported = true")
    config += route("first-cannot", "sonnet", "chat", more="keep_quality = 0.5")
    config += route("falls-over", "chat", "sonnet", more="keep_quality = 0.5")
    config += '[[deployments]]\nname = "cheap"\nmodel = "cheap"\nprovider = "claude"\nfacts = { quality = 0.9 }\n'
    config += "price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.1 }\n"
    config += route("cheap-first", "cheap", "chat", more="keep_quality = 0.5") + route("by-native", "native")
    keys = {"CLAUDE_KEY": "sk-claude", "GEMINI_KEY": "sk-gemini"}
    with Served(tmp_path_factory.mktemp("translating"), config, keys) as gateway:
        yield gateway


def message(model: str, *, stream: bool = False, **more: Any) -> dict[str, Any]:
    return question(model, stream=stream, max_tokens=50) | more


# A client of Messages, a provider of chat completions


def test_a_message_is_asked_of_a_chat_model(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = chat_answer("Hello there")
    answer = gateway.ask(message("chat", system="Be kind."), "/v1/messages", {"anthropic-version": "2023-06-01"})

    assert answer.status == 200
    body = answer.json()
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert body["content"] == [{"type": "text", "text": "Hello there"}]
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (12, 7)
    received = mine.received[-1]
    assert received.target == "/v1/chat/completions"
    assert "anthropic-version" not in received.headers
    asked = json.loads(received.body)
    assert asked["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Say hello."},
    ]
    assert asked.get("max_completion_tokens", asked.get("max_tokens")) == 50
    (row,) = gateway.entries(answer.id)
    assert (row["endpoint"], row["state"], row["input_tokens"], row["output_tokens"]) == ("messages", "settled", 12, 7)
    assert row["cost_nusd"] == cost_nusd(12, 7)
    assert answer.headers["x-twintrack-cost-usd"] == f"0.{cost_nusd(12, 7):09d}"
    assert answer.headers["request-id"] == answer.id


def test_the_same_streamed(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = stream(chat_events(["Hello", " there", " “you” 🦊"]))
    answer = gateway.ask(message("chat", stream=True), "/v1/messages")

    assert (answer.status, answer.complete) == (200, True)
    assert answer.headers["content-type"] == "text/event-stream"
    said = events(answer.body)
    kinds = [event["type"] for event in said]
    assert (kinds[0], kinds[-1], kinds[-2]) == ("message_start", "message_stop", "message_delta")
    text = "".join(event["delta"]["text"] for event in said if event["type"] == "content_block_delta")
    assert text == "Hello there “you” 🦊"
    assert (said[-2]["delta"]["stop_reason"], said[-2]["usage"]["output_tokens"]) == ("end_turn", 7)
    assert json.loads(mine.received[-1].body)["stream_options"] == {"include_usage": True}
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["usage_source"], row["cost_nusd"]) == ("settled", "reported", cost_nusd(12, 7))


def test_a_provider_that_breaks_off_ends_the_message_with_an_error_event(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = stream(chat_events(["Hello", " there"], usage=None, done=False))
    answer = gateway.ask(message("chat", stream=True), "/v1/messages")

    said = events(answer.body)
    assert said[-1]["type"] == "error"
    assert "message_stop" not in [event["type"] for event in said]
    assert not answer.complete
    assert gateway.entries(answer.id)[0]["outcome"] == "upstream_failed"


def test_a_providers_refusal_is_said_in_the_clients_dialect(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = error_answer(400, "temperature is out of range")
    answer = gateway.ask(message("chat"), "/v1/messages")
    assert answer.status == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "temperature is out of range" in answer.json()["error"]["message"]
    assert gateway.entries(answer.id)[0]["state"] == "released"


def test_an_answer_of_no_dialect_is_the_providers_failure(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = Script(pieces=(b'{"hello":"world"}',))
    answer = gateway.ask(message("chat"), "/v1/messages")
    assert (answer.status, answer.json()["error"]["type"]) == (502, "api_error")


# A client of chat completions, providers of Messages and of generateContent


def test_a_chat_is_asked_of_claude(gateway: Served, claude: Provider) -> None:
    claude.scripts["sonnet"] = message_answer("Hello there", 12, 7)
    answer = gateway.chat("sonnet")
    body = answer.json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "Hello there"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == 15, "cached tokens count in"
    assert body["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
    received = claude.received[-1]
    assert (received.target, received.headers["x-api-key"]) == ("/v1/messages", "sk-claude")
    assert received.headers["anthropic-version"] == "2023-06-01"
    assert json.loads(received.body)["max_tokens"] == 4096, "Anthropic must be told; the catalogue or facts say it"
    assert answer.headers["x-request-id"] == answer.id


@pytest.mark.parametrize("usage", [True, False])
def test_the_chat_streamed(gateway: Served, claude: Provider, usage: bool) -> None:
    claude.scripts["sonnet"] = stream(message_events(["Hello", " there"]))
    answer = gateway.chat("sonnet", stream=True, stream_options={"include_usage": usage})
    said = events(answer.body)
    assert words(answer.body) == "Hello there"
    assert said[-1] == "[DONE]"
    tail = [event for event in said[:-1] if not event["choices"]]
    assert [event["usage"]["completion_tokens"] for event in tail] == ([7] if usage else [])
    (row,) = gateway.entries(answer.id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (12, 7, "reported")


def test_a_chat_is_asked_of_gemini_at_its_own_path(gateway: Served, outside: Provider) -> None:
    outside.default = Script(pieces=(json.dumps(GEMINI_ANSWER).encode(),))
    answer = gateway.chat("gemini", temperature=0.5)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there"
    received = outside.received[-1]
    assert received.target == "/v1/models/gemini:generateContent"
    assert received.headers["x-goog-api-key"] == "sk-gemini"
    assert json.loads(received.body)["generationConfig"]["temperature"] == 0.5
    (row,) = gateway.entries(answer.id)
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (12, 7, 2)


def test_gemini_streamed(gateway: Served, outside: Provider) -> None:
    first = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}], "modelVersion": "g"}
    pieces = [b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in (first, GEMINI_ANSWER)]
    outside.default = stream(pieces)
    answer = gateway.chat("gemini", stream=True)
    assert words(answer.body) == "HelloHello there"
    assert outside.received[-1].target == "/v1/models/gemini:streamGenerateContent?alt=sse"
    assert events(answer.body)[-1] == "[DONE]"


# A client of Responses


def test_a_response_is_asked_of_a_chat_model(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = chat_answer("Hello there")
    answer = gateway.ask({"model": "chat", "input": "Say hello.", "instructions": "Be kind."}, "/v1/responses")
    body = answer.json()
    assert (body["object"], body["status"]) == ("response", "completed")
    assert body["output"][-1]["content"][0]["text"] == "Hello there"
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (12, 7)
    assert gateway.entries(answer.id)[0]["endpoint"] == "responses"


def test_the_response_streamed(gateway: Served, claude: Provider) -> None:
    claude.scripts["sonnet"] = stream(message_events(["Hello", " there"]))
    answer = gateway.ask({"model": "sonnet", "input": "Say hello.", "stream": True}, "/v1/responses")
    said = events(answer.body)
    assert (said[0]["type"], said[-1]["type"]) == ("response.created", "response.completed")
    text = "".join(event["delta"] for event in said if event["type"] == "response.output_text.delta")
    assert text == "Hello there"


def test_a_response_to_a_provider_that_has_them_is_not_stored_there(gateway: Served, other: Provider) -> None:
    other.default = Script(pieces=(b'{"id":"resp_1","object":"response","status":"completed","output":[]}',))
    assert gateway.ask({"model": "native", "input": "x", "new-member": [1]}, "/v1/responses").status == 200
    received = other.received[-1]
    assert received.target == "/v1/responses"
    assert json.loads(received.body) == {"store": False, "model": "native", "input": "x", "new-member": [1]}


def test_what_one_provider_keeps_needs_that_one_named(gateway: Served) -> None:
    answer = gateway.ask({"model": "auto", "input": "x", "previous_response_id": "resp_1"}, "/v1/responses")
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "$.previous_response_id"


def test_a_thread_needs_that_one_named_or_everything_sent(gateway: Served, other: Provider, mine: Provider) -> None:
    """By route, to another dialect, and to a server of the client's own dialect that keeps none."""
    for model in ("auto", "chat", "native"):
        before = other.requests + mine.requests
        answer = gateway.ask(message(model, thread={"type": "create"}), "/v1/messages")
        assert answer.status == 400
        error = answer.json()["error"]
        assert error["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        assert other.requests + mine.requests == before


def test_a_thread_of_anthropics_own_passes(gateway: Served, claude: Provider) -> None:
    claude.scripts["sonnet"] = message_answer("Hello")
    asked = message("sonnet", thread={"type": "continue", "previous_message_id": "msg_1"})
    assert gateway.ask(asked, "/v1/messages").status == 200
    assert json.loads(claude.received[-1].body) == asked


# A body of Responses where chat completions are asked for


def test_its_answer_is_a_chat_completion(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = chat_answer("Hello there")
    answer = gateway.ask({"model": "chat", "input": "Say hello.", "instructions": "Be kind."})
    body = answer.json()
    assert (body["object"], body["choices"][0]["message"]["content"]) == ("chat.completion", "Hello there")
    asked = json.loads(mine.received[-1].body)["messages"]
    assert [each["content"] for each in asked] == ["Be kind.", "Say hello."]
    (row,) = gateway.entries(answer.id)
    assert (row["endpoint"], row["state"], row["cost_nusd"]) == ("responses_as_chat", "settled", cost_nusd(12, 7))


@pytest.mark.parametrize("usage", [False, True])
def test_or_its_chunks(gateway: Served, claude: Provider, usage: bool) -> None:
    claude.scripts["sonnet"] = stream(message_events(["Hello", " there"]))
    more = {"stream_options": {"include_usage": True}} if usage else {}
    answer = gateway.ask({"model": "auto", "input": "Say hello.", "stream": True} | more)
    assert (answer.status, words(answer.body)) == (200, "Hello there")
    *chunks, done = events(answer.body)
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert bool(chunks[-1].get("usage")) is usage
    assert (answer.headers["x-twintrack-route"], answer.complete) == ("auto", True)


def test_it_is_translated_also_where_the_provider_speaks_both(gateway: Served, other: Provider) -> None:
    other.default = chat_answer("Hello there")
    answer = gateway.ask({"model": "native", "input": "Say hello."})
    assert answer.json()["choices"][0]["message"]["content"] == "Hello there"
    assert other.received[-1].target == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"model": "chat"}, "missing required field `messages`"),
        ({"model": "chat", "input": 3}, "$.input"),
        ({"model": "chat", "input": "x", "previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"model": "auto", "input": "x", "previous_response_id": "resp_1"}, "$.previous_response_id"),
    ],
)
def test_what_is_wrong_with_it_is_said_as_in_a_chat(gateway: Served, body: dict[str, Any], says: str) -> None:
    answer = gateway.ask(body)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert says in answer.json()["error"]["message"]


# A provider's refusals


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b'{"error":{"code":400,"message":"No such tool","type":"invalid_request_error"}}', "No such tool."),
        (b"<html><head><title>400 Bad Request</title></head></html>", "The answer is a page: 400 Bad Request."),
        (
            b'{"error":{"code":400,"message":"request (9 tokens) exceeds the available context size (8 tokens)",'
            b'"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}',
            "prompt is too long: 9 tokens > 8 maximum. request (9 tokens) exceeds the available context size "
            "(8 tokens).",
        ),
    ],
    ids=["openai", "page", "context"],
)
def test_one_in_another_form_is_reworded_though_the_dialect_is_the_clients(
    gateway: Served, other: Provider, said: bytes, message: str
) -> None:
    other.default = Script(status=400, pieces=(said,))
    answer = gateway.ask(question("native", max_tokens=5), "/v1/messages")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json() == {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": message},
        "request_id": answer.id,
    }


def test_one_in_its_own_form_passes_byte_by_byte(gateway: Served, other: Provider) -> None:
    said = b'{ "type":"error","error":{"type":"invalid_request_error","message":"No", "details":{}},"request_id":"r"}'
    other.default = Script(status=400, pieces=(said,))
    answer = gateway.ask(question("native", max_tokens=5), "/v1/messages")
    assert (answer.status, answer.body) == (400, said)


def test_that_a_prompt_is_too_long_is_said_in_each_dialects_own_words(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = Script(
        status=400,
        pieces=(b'{"error":{"message":"The input (9 tokens) is longer than the model\'s context length (8"}}',),
    )
    asked = gateway.ask(message("chat"), "/v1/messages")
    assert asked.json()["error"]["message"].startswith("prompt is too long: 9 tokens > 8 maximum")

    long = "one word and another " * 30_000
    answer = gateway.ask(message("auto", messages=[{"role": "user", "content": long}]), "/v1/messages")
    assert answer.status == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert re.match(r"prompt is too long: \d+ tokens > 100000 maximum\. ", answer.json()["error"]["message"])
    for body, path in (
        ({"messages": [{"role": "user", "content": long}]}, "/v1/chat/completions"),
        ({"input": long}, "/v1/chat/completions"),
        ({"input": long}, "/v1/responses"),
    ):
        answer = gateway.ask({"model": "auto"} | body, path)
        error = answer.json()["error"]
        assert (answer.status, error["code"]) == (400, "context_length_exceeded")
        assert error["message"].startswith("This model's maximum context length is 100000 tokens. However, your ")
    (row,) = gateway.refusals(answer.id)
    assert (row["status"], row["code"]) == (400, "context_length_exceeded")


# What cannot be carried


def test_what_cannot_be_carried_is_named(gateway: Served, claude: Provider) -> None:
    before = claude.requests
    answer = gateway.chat("sonnet", seed=7, logprobs=True)
    assert answer.status == 400
    error = answer.json()["error"]
    assert "$.seed" in error["message"]
    assert "$.logprobs" in error["message"]
    assert error["param"] in ("$.seed", "$.logprobs")
    assert claude.requests == before


@pytest.mark.parametrize(
    ("model", "headers", "more"),
    [
        ("sonnet", {"x-twintrack-drop-unsupported": "true"}, {}),
        ("sonnet", {}, {"metadata": {"twintrack_drop_unsupported": "true"}}),
        ("lenient", {}, {}),
    ],
)
def test_it_is_left_out_if_the_client_or_the_route_says_so(
    gateway: Served, claude: Provider, model: str, headers: dict[str, str], more: dict[str, Any]
) -> None:
    claude.scripts["sonnet"] = message_answer("Hello")
    asked = question(model, seed=7, **more)
    asked["messages"][0]["x-ray"] = 1
    answer = gateway.ask(asked, headers=headers)
    assert answer.status == 200, answer.body
    assert set(answer.headers["x-twintrack-dropped"].split(", ")) == {"$.messages[0].x-ray", "$.seed"}
    assert b"seed" not in claude.received[-1].body


@pytest.mark.parametrize("member", ["previous_response_id", "conversation"])
def test_what_stands_for_the_conversation_is_never_left_out(gateway: Served, claude: Provider, member: str) -> None:
    before = claude.requests
    asked = {"model": "sonnet", "input": "And then?", member: "resp_1"}
    answer = gateway.ask(asked, "/v1/responses", {"x-twintrack-drop-unsupported": "true"})
    assert (answer.status, answer.json()["error"]["param"]) == (400, f"$.{member}")
    assert claude.requests == before


def test_what_a_client_refers_to_and_nobody_keeps_is_its_own_mistake(gateway: Served, other: Provider) -> None:
    """However often it is said: the deployment stays open for everybody else."""
    other.scripts["native"] = error_answer(404, "Response with id 'resp_1' not found.")
    asked = {"model": "native", "input": "And then?", "previous_response_id": "resp_1"}
    for _ in range(4):
        answer = gateway.ask(asked, "/v1/responses")
        assert (answer.status, "resp_1" in answer.json()["error"]["message"]) == (404, True)
    other.scripts["native"] = chat_answer("Hello")
    assert gateway.chat("by-native").status == 200


def test_a_route_asks_who_can_be_told(gateway: Served, mine: Provider) -> None:
    """The cheapest speaks another dialect, which has no seed; nothing is sent to it."""
    mine.scripts["chat"] = chat_answer("Hello")
    answer = gateway.chat("cheap-first", seed=7)
    assert answer.status == 200
    assert answer.headers["x-twintrack-model"] == "chat"
    (row,) = gateway.entries(answer.id)
    assert row["attempt"] == 0


def test_a_request_no_one_can_be_told_names_what_it_is(gateway: Served) -> None:
    answer = gateway.chat("auto", prediction={"type": "content", "content": "x"})
    assert answer.status == 400
    assert "$.prediction" in answer.json()["error"]["message"]


# Failover across dialects


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_the_next_provider_answers_in_whatever_dialect(
    gateway: Served, mine: Provider, claude: Provider, path: str, streamed: bool
) -> None:
    mine.scripts["chat"] = error_answer(403)  # moves on, and does not close the deployment to what follows
    claude.scripts["sonnet"] = stream(message_events(["Hello"])) if streamed else message_answer("Hello")
    asked: dict[str, Any] = {"model": "falls-over", "stream": streamed}
    asked |= {"input": "Hi"} if path == "/v1/responses" else {"messages": [{"role": "user", "content": "Hi"}]}
    asked |= {"max_tokens": 9} if path != "/v1/responses" else {}
    answer = gateway.ask(asked, path)
    assert (answer.status, answer.complete) == (200, True)
    assert b"Hello" in answer.body
    assert [row["outcome"] for row in gateway.entries(answer.id)] == ["upstream_refused", "ok"]
    mine.scripts["chat"] = chat_answer("hello")


# Counting tokens


def test_tokens_are_counted_where_the_model_is_if_it_can(gateway: Served, claude: Provider) -> None:
    claude.scripts["sonnet"] = Script(pieces=(b'{"input_tokens":14}',))
    asked = question("sonnet")
    answer = gateway.ask(asked, "/v1/messages/count_tokens")
    assert (answer.json(), claude.received[-1].target) == ({"input_tokens": 14}, "/v1/messages/count_tokens")
    (row,) = gateway.entries(answer.id)
    assert (row["cost_nusd"], row["input_tokens"]) == (0, 0), "counting is free"


def test_tokens_are_estimated_where_it_cannot(gateway: Served, mine: Provider) -> None:
    before = mine.requests
    answer = gateway.ask(question("chat"), "/v1/messages/count_tokens")
    assert (answer.status, answer.headers["x-twintrack-estimated"]) == (200, "true")
    assert 3 <= answer.json()["input_tokens"] <= 30
    assert mine.requests == before


# The list of models


def test_models_are_listed_in_each_sdks_form(gateway: Served) -> None:
    page = gateway.get("/v1/models", {"anthropic-version": "2023-06-01"}).json()
    assert {each["type"] for each in page["data"]} == {"model"}
    assert page["has_more"] is False
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    one = gateway.get("/v1/models/sonnet", {"anthropic-version": "2023-06-01"}).json()
    assert (one["display_name"], one["max_tokens"]) == ("sonnet", 4096)


def test_several_answers_wanted_from_one_that_gives_one(gateway: Served) -> None:
    answer = gateway.chat("sonnet", n=2)
    assert answer.status == 400
    assert answer.json()["error"]["param"] == "$.n"


def test_tools_go_there_and_their_calls_come_back(gateway: Served, claude: Provider) -> None:
    def call(received: Received) -> Script:
        asked = json.loads(received.body)
        block = {"type": "tool_use", "id": "toolu_1", "name": asked["tools"][0]["name"], "input": {"city": "Wien"}}
        answer = json.loads(message_answer("Looking").pieces[0])  # type: ignore[arg-type]
        answer["content"].append(block)
        answer["stop_reason"] = "tool_use"
        return Script(pieces=(json.dumps(answer).encode(),))

    claude.scripts["sonnet"] = call
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "weather", "description": "Now", "parameters": schema}}]
    answer = gateway.chat("sonnet", tools=tools, tool_choice="required")
    choice = answer.json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    (made,) = choice["message"]["tool_calls"]
    assert (made["id"], made["function"]["name"]) == ("toolu_1", "weather")
    assert json.loads(made["function"]["arguments"]) == {"city": "Wien"}
    asked = json.loads(claude.received[-1].body)
    assert asked["tools"] == [{"name": "weather", "description": "Now", "input_schema": schema}]
    assert asked["tool_choice"] == {"type": "any"}


# What a body or an answer may do to us


def test_bytes_that_are_no_text_deep_in_a_body_are_the_clients_mistake(gateway: Served, claude: Provider) -> None:
    parameters = b'{"type":"function","function":{"name":"t","parameters":{"type":"obje\x82t"}}}'
    body = b'{"model":"sonnet","messages":[{"role":"user","content":"Hello"}],"tools":[%b]}' % parameters
    answer = gateway.ask(body)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_rate_limit_stays_one_if_the_next_provider_cannot_be_told(gateway: Served, mine: Provider) -> None:
    mine.scripts["chat"] = error_answer(429, "slow down", retry_after="70")
    answer = gateway.chat("falls-over", seed=7)
    assert (answer.status, answer.headers["retry-after"]) == (429, "70")
    assert "slow down" in answer.json()["error"]["message"]
    assert answer.headers["x-twintrack-model"] == "chat"
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["outcome"]) == ("released", "upstream_refused")
    mine.scripts["chat"] = chat_answer("hello")


def test_tokens_are_estimated_where_counting_fails(gateway: Served, claude: Provider) -> None:
    claude.scripts["sonnet"] = error_answer(529)
    answer = gateway.ask(question("sonnet"), "/v1/messages/count_tokens")
    assert (answer.status, answer.headers["x-twintrack-estimated"]) == (200, "true")
    assert gateway.entries(answer.id)[0]["outcome"] == "upstream_refused"


def test_a_request_nobody_can_be_told_is_on_record(gateway: Served) -> None:
    answer = gateway.chat("sonnet", seed=7)
    (row,) = gateway.refusals(answer.id)
    assert (row["status"], row["endpoint"]) == (400, "chat")


def test_what_an_answer_that_cannot_be_said_used_is_booked(gateway: Served, mine: Provider) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "not json"}}
    answer = json.loads(chat_answer("x").pieces[0])  # type: ignore[arg-type]
    answer["choices"][0] |= {"message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    mine.scripts["chat"] = Script(pieces=(json.dumps(answer).encode(),))
    said = gateway.ask(message("chat"), "/v1/messages")
    assert said.status == 502
    (row,) = gateway.entries(said.id)
    assert (row["state"], row["outcome"], row["cost_nusd"]) == ("settled", "upstream_failed", cost_nusd(12, 7))
    mine.scripts["chat"] = chat_answer("hello")
