"""Servers that differ from the dialect they say they speak are asked in their own words, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from support.gateway import Served, deployment, provider, question
from support.provider import Provider
from support.raw import Answer
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

MODELS = {
    "azure": ("gpt-5.6-sol",),
    "cohere": ("command-a",),
    "deepseek": ("deepseek-v4-pro", "deepseek-old"),
    "groq": ("groq-model",),
    "mistral": ("mistral-large",),
    "ollama": ("qwen",),
    "openai": ("gpt-5.5", "gpt-4.1"),
    "openrouter": ("any-model",),
    "tgi": ("weights",),
}
"""What they serve here, by names their deviations tell apart."""
MORE = {
    "deepseek": 'dialects = ["openai", "anthropic"]',
    "openrouter": 'dialects = ["openai", "responses", "anthropic"]',
}
"""At an address that is not their own only the first dialect is believed."""
DROP = {"x-twintrack-drop-unsupported": "true"}
MESSAGES = '[ {"role":"user","content":"\\u00e9 \\/ 1.0","x-ray":{"deep":[1.0,1e5,-0]}} ]'
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = ""
    for name, models in MODELS.items():
        config += provider(name, mine.url, api=name, more=f'key = "env:A_KEY"\n{MORE.get(name, "")}')
        config += "".join(deployment(model, name) for model in models)
    # A copy of its API, which is believed to speak the first of its dialects only.
    config += provider("copy", mine.url, api="deepseek") + deployment("deepseek-chat", "copy")
    config += provider("anthropic", claude.url, api="anthropic", more='key = "env:A_KEY"') + deployment(
        "sonnet", "anthropic"
    )
    for number in range(4):
        config += deployment(f"limited-{number}", "groq")
        config += deployment(f"limited-claude-{number}", "anthropic")
    with Served(tmp_path_factory.mktemp("providers"), config, {"A_KEY": "sk-1"}) as gateway:
        yield gateway


def members(body: bytes) -> dict[str, bytes]:
    """Each value as it was written."""
    return {name: bytes(value) for name, value in _OBJECT.decode(body).items()}


def chat(gateway: Served, model: str, more: str = "", messages: str = MESSAGES, **headers: str) -> Answer:
    """`more`: further members, as JSON text."""
    body = f'{{"model":"{model}","messages":{messages}{"," if more else ""}{more}}}'
    return gateway.ask(body.encode(), headers={name.replace("_", "-"): value for name, value in headers.items()})


# Straight


@pytest.mark.parametrize(
    ("model", "says", "arrives"),
    [
        ("gpt-5.5", '"max_tokens":5,"seed":1', '"max_completion_tokens":5,"seed":1'),
        ("gpt-5.6-sol", '"max_tokens":5', '"max_completion_tokens":5'),
        ("gpt-5.5", '"reasoning_effort":"none","temperature":0.10', '"reasoning_effort":"none","temperature":0.10'),
        ("gpt-5.5", '"temperature":1.0,"logit_bias":{}', ""),
        ("mistral-large", '"max_completion_tokens":5,"top_p":0.90', '"max_tokens":5,"top_p":0.90'),
        ("mistral-large", '"seed":12345678901234567890123', '"random_seed":12345678901234567890123'),
        ("mistral-large", '"user":"u","store":true,"new":[1.0]', '"new":[1.0]'),
        ("deepseek-v4-pro", '"max_completion_tokens":5', '"max_tokens":5'),
        ("deepseek-v4-pro", '"max_completion_tokens":5,"max_tokens":7', '"max_tokens":7'),
        ("qwen", '"max_completion_tokens":5,"user":"u"', '"max_tokens":5,"user":"u"'),
        ("weights", '"stop":"\\u0041","max_completion_tokens":10', '"stop":["\\u0041"],"max_tokens":10'),
        ("groq-model", '"logprobs":false,"n":1', '"n":1'),
        ("command-a", '"n":1,"metadata":{},"top_p":0.10', '"top_p":0.10'),
        ("command-a", '"stream_options":null,"reasoning_effort":"high"', '"reasoning_effort":"high"'),
    ],
)
def test_members_arrive_as_the_server_wants_them(
    gateway: Served, mine: Provider, model: str, says: str, arrives: str
) -> None:
    assert chat(gateway, model, says).status == 200
    expected = f'{{"model":"{model}","messages":{MESSAGES}{"," if arrives else ""}{arrives}}}'.encode()
    assert list(members(mine.received[-1].body).items()) == list(members(expected).items())


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("gpt-4.1", '"max_tokens": 5, "temperature":0.10 ,"twice":1,"twice":2'),
        ("gpt-5.5", '"max_completion_tokens": 5 , "new":"\\u00e9"'),
        ("groq-model", '"max_completion_tokens": 5, "stop":"x"'),
        ("any-model", '"logprobs": true , "n": 2,"max_tokens":5'),
        ("mistral-large", '"max_tokens": 5 , "random_seed":1'),
        ("deepseek-v4-pro", '"response_format" : {"type":"json_object"}'),
    ],
)
def test_what_needs_no_change_is_not_touched(gateway: Served, mine: Provider, model: str, more: str) -> None:
    assert chat(gateway, model, more).status == 200
    assert mine.received[-1].body == f'{{"model":"{model}","messages":{MESSAGES},{more}}}'.encode()


def test_messages_are_spelled_as_the_server_wants_them(gateway: Served, mine: Provider) -> None:
    said = (
        '[{"role":"developer","content":"\\u00e9"},{"role":"assistant","tool_calls":[{"id":"call_long_1",'
        '"type":"function","function":{"name":"f","arguments":"{ }"}}]},'
        '{"role":"tool","tool_call_id":"call_long_1","content":"1.0"}]'
    )
    assert chat(gateway, "mistral-large", messages=said).status == 200
    arrived = members(mine.received[-1].body)["messages"]
    first, call, result = json.loads(arrived)
    short = call["tool_calls"][0]["id"]
    assert (len(short), result["tool_call_id"]) == (9, short)
    assert first["role"] == "system"
    expected = said.replace("call_long_1", short).replace('"developer"', '"system"')
    assert arrived == expected.encode()


def test_inside_tools_only_the_member_concerned_goes(gateway: Served, mine: Provider) -> None:
    tools = '[{"type":"function","function":{"name":"f","strict":false,"parameters":{"a" : 1.0}}}]'
    assert chat(gateway, "command-a", f'"tools":{tools}').status == 200
    assert members(mine.received[-1].body)["tools"] == tools.replace('"strict":false,', "").encode()


def test_usage_is_not_asked_of_a_server_that_refuses_the_question(gateway: Served, mine: Provider) -> None:
    mine.scripts["mistral-large"] = stream(chat_events(["Hello"]))
    answer = gateway.chat("mistral-large", stream=True)
    assert (answer.status, answer.complete) == (200, True)
    assert "stream_options" not in members(mine.received[-1].body)
    assert gateway.entries(answer.id)[0]["usage_source"] == "reported", "it says so unasked"
    mine.scripts["mistral-large"] = chat_answer("hello")


REFUSED = [
    ("groq-model", '"logprobs":true', "$.logprobs"),
    ("groq-model", '"n":2', "$.n"),
    ("mistral-large", '"logit_bias":{"1":2}', "$.logit_bias"),
    ("gpt-5.5", '"temperature":0.3', "$.temperature"),
    ("gpt-5.6-sol", '"logprobs":true', "$.logprobs"),
    ("command-a", '"reasoning_effort":"low"', "$.reasoning_effort"),
    ("command-a", '"tools":[{"type":"function","function":{"name":"f","strict":true}}]', "$.tools[].function.strict"),
    ("deepseek-v4-pro", '"tool_choice":"required"', "$.tool_choice"),
    ("deepseek-old", '"response_format":{"type":"json_schema","json_schema":{}}', "$.response_format"),
    ("weights", '"logit_bias":{"1":2}', "$.logit_bias"),
]


@pytest.mark.parametrize(("model", "more", "path"), REFUSED)
def test_what_the_server_would_refuse_is_refused_by_name_and_nothing_sent(
    gateway: Served, mine: Provider, model: str, more: str, path: str
) -> None:
    before = mine.requests
    answer = chat(gateway, model, more)
    error = answer.json()["error"]
    assert (answer.status, error["type"], error["param"]) == (400, "invalid_request_error", path)
    assert f"cannot be asked with {path}" in error["message"]
    assert "x-twintrack-drop-unsupported" in error["message"]
    assert mine.requests == before


@pytest.mark.parametrize(("model", "more", "path"), REFUSED)
def test_or_left_out_if_the_client_says_so_and_told(
    gateway: Served, mine: Provider, model: str, more: str, path: str
) -> None:
    answer = chat(gateway, model, more, **DROP)
    assert answer.status == 200
    assert f'"{path.removeprefix("$.").rpartition(".")[2]}":' not in mine.received[-1].body.decode()
    assert members(mine.received[-1].body)["messages"] == MESSAGES.encode()
    assert answer.headers["x-twintrack-dropped"] == path


def test_several_are_left_out_and_told_each_once(gateway: Served, mine: Provider) -> None:
    said = '[{"role":"user","name":"a","content":"x"},{"role":"user","name":"b","content":"y"}]'
    answer = chat(gateway, "groq-model", '"n":2,"logprobs":true,"user":"u","logit_bias":null', messages=said, **DROP)
    assert answer.headers["x-twintrack-dropped"] == "$.logprobs, $.messages[].name, $.n"
    assert members(mine.received[-1].body).keys() == {"model", "messages", "user"}
    assert "x-twintrack-dropped" not in chat(gateway, "groq-model", '"logprobs":false', **DROP).headers


@pytest.mark.parametrize(
    ("path", "more"),
    [("/v1/responses", {"input": "x", "previous_response_id": "resp_1"}), ("/v1/messages", {"thread": {"type": "x"}})],
)
def test_what_stands_for_the_conversation_is_not_left_out(
    gateway: Served, mine: Provider, path: str, more: dict[str, Any]
) -> None:
    before = mine.requests
    asked = question("any-model", max_tokens=5) if path == "/v1/messages" else {"model": "any-model"}
    answer = gateway.ask(asked | more, path, DROP)
    assert answer.status == 400
    assert list(more)[-1] in answer.json()["error"]["message"]
    assert mine.requests == before


# Translated


def said(mine: Provider) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(mine.received[-1].body)
    return asked


@pytest.mark.parametrize(
    ("path", "model", "member"),
    [
        ("/v1/messages", "gpt-5.5", "max_completion_tokens"),
        ("/v1/messages", "gpt-4.1", "max_completion_tokens"),
        ("/v1/messages", "groq-model", "max_completion_tokens"),
        ("/v1/messages", "mistral-large", "max_tokens"),
        ("/v1/messages", "weights", "max_tokens"),
        ("/v1/responses", "gpt-5.5", "max_completion_tokens"),
        ("/v1/responses", "mistral-large", "max_tokens"),
        ("/v1/responses", "deepseek-v4-pro", "max_tokens"),
    ],
)
def test_the_limit_has_the_servers_name(gateway: Served, mine: Provider, path: str, model: str, member: str) -> None:
    asked = {"model": model, "input": "x", "max_output_tokens": 50}
    answer = gateway.ask(question(model, max_tokens=50) if path == "/v1/messages" else asked, path)
    assert answer.status == 200, answer.body
    assert mine.received[-1].target == "/v1/chat/completions"
    assert {name: value for name, value in said(mine).items() if name.startswith("max_")} == {member: 50}


THOUGHT = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "Greet back.", "signature": "c2ln"},
            {"type": "text", "text": "Hello."},
        ],
    },
    {"role": "user", "content": "And now?"},
]


@pytest.mark.parametrize(
    ("model", "member"),
    [
        ("deepseek-chat", "reasoning_content"),
        ("groq-model", "reasoning"),
        ("gpt-5.5", ""),
        ("mistral-large", ""),
        ("command-a", ""),
    ],
)
def test_earlier_thinking_goes_where_the_server_takes_it(
    gateway: Served, mine: Provider, model: str, member: str
) -> None:
    answer = gateway.ask(question(model, max_tokens=50, messages=THOUGHT), "/v1/messages")
    assert answer.status == 200, answer.body
    _, before, _ = said(mine)["messages"]
    assert before == {"role": "assistant", "content": "Hello."} | ({member: "Greet back."} if member else {})


def test_what_the_server_would_refuse_is_refused_also_translated(gateway: Served, mine: Provider) -> None:
    before = mine.requests
    asked = question("gpt-5.5", max_tokens=50, temperature=0.3)
    answer = gateway.ask(asked, "/v1/messages")
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "$.temperature" in answer.json()["error"]["message"]
    assert mine.requests == before

    answer = gateway.ask(asked | {"container": "c"}, "/v1/messages", DROP)
    assert answer.status == 200
    assert answer.headers["x-twintrack-dropped"] == "$.container, $.temperature"
    assert not said(mine).keys() & {"temperature", "container"}


def test_a_translated_stream_asks_for_usage_only_where_it_may(gateway: Served, mine: Provider) -> None:
    for model, options in (("groq-model", {"include_usage": True}), ("mistral-large", None), ("command-a", None)):
        mine.scripts[model] = stream(chat_events(["Hello"]))
        answer = gateway.ask(question(model, stream=True, max_tokens=50), "/v1/messages")
        assert (answer.status, answer.complete) == (200, True)
        assert said(mine).get("stream_options") == options
        mine.scripts[model] = chat_answer("hello")


# Keys


@pytest.mark.parametrize(
    ("model", "path", "header", "value"),
    [
        ("gpt-5.6-sol", "/v1/chat/completions", "api-key", "sk-1"),
        ("gpt-5.6-sol", "/v1/messages", "api-key", "sk-1"),
        ("gpt-5.5", "/v1/chat/completions", "authorization", "Bearer sk-1"),
        ("deepseek-old", "/v1/chat/completions", "authorization", "Bearer sk-1"),
        ("deepseek-old", "/v1/messages", "x-api-key", "sk-1"),
        ("any-model", "/v1/messages", "authorization", "Bearer sk-1"),
    ],
)
def test_the_key_stands_where_the_server_looks(
    gateway: Served, mine: Provider, model: str, path: str, header: str, value: str
) -> None:
    if path == "/v1/messages" and model != "gpt-5.6-sol":
        mine.scripts[model] = message_answer("hello")
    else:
        mine.scripts[model] = chat_answer("hello")
    assert gateway.ask(question(model, max_tokens=50), path).status == 200
    received = mine.received[-1].headers
    keys = {name: received[name] for name in ("authorization", "api-key", "x-api-key") if name in received}
    assert keys == {header: value}


# What a provider says of its limits


OPENAI_LIMITS = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-remaining-tokens": "149984",
}
ANTHROPIC_LIMITS = {
    "anthropic-ratelimit-requests-limit": "60",
    "anthropic-ratelimit-requests-remaining": "59",
    "anthropic-ratelimit-tokens-remaining": "149984",
}


def saying(script: Script, headers: dict[str, str]) -> Script:
    return Script(
        status=script.status,
        headers=(*script.headers, *headers.items()),
        pieces=script.pieces,
        framing=script.framing,
    )


def limits(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if "ratelimit" in name}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("model", "path", "sends", "arrives"),
    [
        ("groq-model", "/v1/chat/completions", OPENAI_LIMITS, OPENAI_LIMITS),
        ("sonnet", "/v1/messages", ANTHROPIC_LIMITS, ANTHROPIC_LIMITS),
        ("groq-model", "/v1/messages", OPENAI_LIMITS, ANTHROPIC_LIMITS),
        ("sonnet", "/v1/chat/completions", ANTHROPIC_LIMITS, OPENAI_LIMITS),
        ("sonnet", "/v1/responses", ANTHROPIC_LIMITS, OPENAI_LIMITS),
    ],
)
def test_limits_are_told_in_the_clients_dialect(
    gateway: Served,
    mine: Provider,
    claude: Provider,
    model: str,
    path: str,
    sends: dict[str, str],
    arrives: dict[str, str],
    streamed: bool,
) -> None:
    if model == "sonnet":
        answers = stream(message_events(["hi"])) if streamed else message_answer("hi")
        claude.scripts[model] = saying(answers, sends | {"request-id": "req_theirs"})
    else:
        answers = stream(chat_events(["hi"])) if streamed else chat_answer("hi")
        mine.scripts[model] = saying(answers, sends | {"x-request-id": "req_theirs"})
    asked: dict[str, Any] = {"model": model, "stream": streamed}
    if path == "/v1/responses":
        asked |= {"input": "Hi"}
    else:
        asked |= {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
    answer = gateway.ask(asked, path)
    assert (answer.status, answer.complete) == (200, True)
    found = limits(answer)
    if sends is arrives:
        assert found == arrives
    else:  # a reset has another form in the other dialect, and is no fixed text there
        found.pop("anthropic-ratelimit-requests-reset", None)
        assert found.items() <= arrives.items()
        assert len(found) == 3
    assert answer.headers["x-twintrack-provider-request-id"] == "req_theirs"
    assert answer.headers.get("x-request-id", answer.headers.get("request-id")) == answer.id


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("place", "path"), [(0, "/v1/chat/completions"), (1, "/v1/messages")], ids=["straight", "translated"]
)
def test_a_429_says_when_to_come_back(
    gateway: Served, mine: Provider, claude: Provider, place: int, path: str, streamed: bool
) -> None:
    number = place * 2 + streamed
    chats, claudes = f"limited-{number}", f"limited-claude-{number}"
    mine.scripts[chats] = saying(error_answer(429, "slow down", "70"), OPENAI_LIMITS | {"x-request-id": "req_theirs"})
    claude.scripts[claudes] = saying(
        Script(
            status=429,
            pieces=(b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}',),
        ),
        ANTHROPIC_LIMITS | {"retry-after": "70", "request-id": "req_theirs"},
    )
    for model in (chats, claudes):
        answer = gateway.ask(question(model, stream=streamed, max_tokens=50), path)
        assert (answer.status, answer.headers["retry-after"]) == (429, "70"), model
        assert limits(answer)
        assert answer.headers["x-twintrack-provider-request-id"] == "req_theirs"
        assert "slow down" in answer.json()["error"]["message"]
        kind = answer.json()["error"]["type"]
        if path == "/v1/messages":
            assert (answer.json()["type"], kind) == ("error", "rate_limit_error")
        assert gateway.entries(answer.id)[0]["state"] == "released"


def test_nobody_elses_header_comes_through(gateway: Served, mine: Provider) -> None:
    def answers(received: Received) -> Script:
        return saying(chat_answer("hi"), {"openai-organization": "o", "set-cookie": "a=b", "x-ratelimit-other": "1"})

    mine.scripts["groq-model"] = answers
    headers = gateway.chat("groq-model").headers
    assert not headers.keys() & {"openai-organization", "set-cookie", "x-ratelimit-other"}
    assert "x-twintrack-provider-request-id" not in headers
