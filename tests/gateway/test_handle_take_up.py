"""A stream of plain text that broke off is taken up by another deployment where the route asks for it, and marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.collector import Collector, attributes
from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import Answer, events, words
from support.waiting import eventually
from twintrack.providers.scripted import Script, chat_events, message_events, stream

PRICED = "price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0 }"
TAKE_UP = "take_up = true"
ROUTES = {
    "unasked": ("vllm",),
    "auto": ("vllm",),
    "by-prefix": ("prefix",),
    "white": ("vllm",),
    "several": ("vllm",),
    "twice": ("unable", "vllm", "last"),
    "nobody": ("unable",),
    "tool-call": ("vllm",),
    "thinking": ("vllm",),
    "refusal": ("vllm",),
}
"""By name: who stands behind the deployment that breaks off."""


@pytest.fixture(scope="module")
def gateway(mine: Provider, other: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Any:
    config = provider("mine", mine.url) + provider("other", other.url, api="vllm") + provider("third", other.url)
    config += provider("claude", claude.url, api="anthropic")
    config += deployment("vllm", "other") + deployment("unable", "third")
    config += deployment("last", "third", more=f'{PRICED}\nprefill = "last"')
    config += deployment("prefix", "third", more=f'{PRICED}\nprefill = "prefix"')
    config += deployment("sonnet", "claude") + route("messages", "sonnet", "last", more=TAKE_UP)
    for name, behind in ROUTES.items():
        # Each has a first deployment of its own, since one that fails often is passed over.
        config += deployment(f"{name}.first", "mine")
        config += route(name, f"{name}.first", *behind, more="" if name == "unasked" else TAKE_UP)
    with Served(tmp_path_factory.mktemp("taking-up"), config) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def broken(mine: Provider, other: Provider, claude: Provider) -> None:
    mine.default = stream(chat_events(["one", " two"], None, done=False), end="reset")
    claude.default = stream(message_events(["one", " two"])[:5], end="reset")
    other.default = stream(chat_events([" three", " four"]))


def asked_of(provider: Provider) -> dict[str, Any]:
    return json.loads(provider.received[-1].body)  # type: ignore[no-any-return]


def marks(answer: Answer) -> list[str]:
    return [event["twintrack"]["continued_by"] for event in events(answer.body) if "twintrack" in event]


def test_what_was_taken_up_is_told_as_the_client_got_it(mine: Provider, other: Provider, tmp_path: Path) -> None:
    config = provider("mine", mine.url) + provider("other", other.url, api="vllm")
    config += deployment("first", "mine") + deployment("vllm", "other")
    config += route("auto", "first", "vllm", more=f"{TAKE_UP}\ntrace_content = true")
    with Collector() as collector, Served(tmp_path, f'{config}[telemetry]\notlp = "{collector.url}"\n') as gateway:
        answer = gateway.chat("auto", stream=True)
        assert words(answer.body) == "one two three four"
        request, *_ = eventually(lambda: len(collector.of(answer.id)) == 3 and collector.of(answer.id))
    (message,) = json.loads(attributes(request)["gen_ai.output.messages"])
    assert message["parts"] == [{"type": "text", "content": "one two three four"}]


def test_without_being_asked_nobody_takes_it_up(gateway: Served) -> None:
    answer = gateway.chat("unasked", stream=True)
    assert not answer.complete
    assert words(answer.body) == "one two"


def test_the_next_deployment_goes_on_from_the_last_word(gateway: Served, other: Provider) -> None:
    answer = gateway.chat("auto", stream=True, max_tokens=100)

    assert answer.complete
    assert words(answer.body) == "one two three four"
    assert events(answer.body)[-1] == "[DONE]"
    assert marks(answer) == ["vllm"]
    asked = asked_of(other)
    assert asked["messages"][-1] == {"role": "assistant", "content": "one two"}
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)
    assert asked["max_tokens" if "max_tokens" in asked else "max_completion_tokens"] == 99
    # One answer for the client: one id, one model, one role, one finish.
    chunks = [event for event in events(answer.body) if isinstance(event, dict)]
    assert len({(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["delta"]["role"] for choice in choices if "role" in choice["delta"]] == ["assistant"]
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert [(row["deployment"], row["state"]) for row in gateway.entries(answer.id)] == [
        ("auto.first", "unknown"),
        ("vllm", "settled"),
    ]


def test_a_server_that_wants_it_gets_the_prefix_marked(gateway: Served, other: Provider) -> None:
    answer = gateway.chat("by-prefix", stream=True)
    assert words(answer.body) == "one two three four"
    assert asked_of(other)["messages"][-1]["prefix"] is True


def test_white_space_that_no_model_may_be_given_last_stands_once_in_the_answer(
    gateway: Served, mine: Provider, other: Provider
) -> None:
    mine.default = stream(chat_events(["one", " two ", "\n"], None, done=False), end="reset")
    other.default = stream(chat_events([" ", "\nthree"]))
    answer = gateway.chat("white", stream=True)
    assert words(answer.body) == "one two \nthree"
    assert asked_of(other)["messages"][-1]["content"] == "one two"


def test_what_breaks_off_twice_is_taken_up_twice(gateway: Served, other: Provider) -> None:
    def answer_of(received: Any) -> Script:
        if b'"last"' in received.body:
            return stream(chat_events([" five"]))
        return stream(chat_events([" three", " four"], None, done=False), end="reset")

    other.default = answer_of
    answer = gateway.chat("twice", stream=True)
    assert answer.complete
    assert words(answer.body) == "one two three four five"
    assert marks(answer) == ["vllm", "last"]


def test_of_two_answers_none_is_taken_up(gateway: Served, mine: Provider, other: Provider) -> None:
    """Who goes on would write one of them, and the end of that one would be taken for the end of both."""
    first, second = chat_events(["one"], None, done=False)[:2], chat_events(["eins"], None, done=False)[1:2]
    mine.default = stream([*first, *(each.replace(b'"index":0', b'"index":1') for each in second)], end="reset")
    before = len(other.received)
    answer = gateway.ask(question("several", stream=True, n=2), headers={"x-twintrack-drop-unsupported": "true"})
    assert b'"index":1' in answer.body
    assert not answer.complete
    assert len(other.received) == before


def test_where_nobody_can_go_on_the_client_is_told(gateway: Served, other: Provider) -> None:
    before = other.requests
    answer = gateway.chat("nobody", stream=True)
    assert not answer.complete
    assert events(answer.body)[-1]["error"]["code"] == "upstream_error"
    assert other.requests == before


def test_a_message_goes_on_in_its_own_block(gateway: Served) -> None:
    answer = gateway.ask(question("messages", stream=True, max_tokens=50), "/v1/messages")

    assert answer.complete
    said = events(answer.body)
    assert [event["type"] for event in said if event["type"].startswith(("message_st", "content_block_st"))] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_stop",
    ]
    deltas = [event for event in said if event["type"] == "content_block_delta"]
    assert "".join(event["delta"]["text"] for event in deltas) == "one two three four"
    assert {event["index"] for event in deltas} == {0}
    assert marks(answer) == ["last"]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tool-call", {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]}),
        ("thinking", {"reasoning_content": "hm"}),
        ("refusal", {"refusal": "no"}),
    ],
)
def test_more_than_plain_text_is_not_taken_up(
    gateway: Served, mine: Provider, other: Provider, name: str, more: dict[str, Any]
) -> None:
    head, word, *_ = chat_events(["one"], None, done=False)
    chunk = json.loads(word.removeprefix(b"data: "))
    chunk["choices"][0]["delta"] = more
    mine.default = stream([head, word, b"data: " + json.dumps(chunk).encode() + b"\n\n"], end="reset")
    before = other.requests
    answer = gateway.chat(name, stream=True)
    assert not answer.complete
    assert other.requests == before


@pytest.mark.engine
@pytest.mark.needs("xllamacpp", reason="runs the bundled model")
def test_a_real_engine_goes_on(mine: Provider, tmp_path: Any) -> None:
    """llama.cpp ends the sentence that another server began."""
    mine.default = stream(chat_events(["The capital of", " Nor"], None, done=False), end="reset")
    config = provider("mine", mine.url) + deployment("first", "mine")
    config += '[[providers]]\nname = "local"\nengine = "demo-small"\n'
    config += '[[deployments]]\nname = "small"\nmodel = "demo-small"\nprovider = "local"\n'
    config += route("auto", "first", "small", more=f"{TAKE_UP}\nkeep_quality = 0.1")
    with Served(tmp_path, config) as gateway:
        asked = {"model": "auto", "stream": True, "temperature": 0}
        asked["messages"] = [{"role": "user", "content": "What is the capital of Norland?"}]
        answer = gateway.ask(asked)
    assert answer.complete
    assert words(answer.body) == "The capital of Norland is Vesto."
    assert marks(answer) == ["small"]
