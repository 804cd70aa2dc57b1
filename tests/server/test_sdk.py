"""The vendors' own SDKs against us: what a program in the field does, and what it sees when something breaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from twintrack.providers.scripted import (
    Script,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    message_events,
    stream,
)

CONFIG = """
[server.deadlines]
keepalive_after_s = 0.4
[[keys]]
name = "dev"
key = "env:DEV_KEY"
"""
HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    config += deployment("gpt", "mine", model="gpt-upstream") + deployment("sonnet", "claude")
    config += deployment("vectors", "mine", facts=", embeddings = true") + route("auto", "gpt") + route("bot", "sonnet")
    with Served(tmp_path_factory.mktemp("sdk"), config, {"DEV_KEY": "sk-dev"}) as gateway:
        yield gateway


@pytest.fixture
def gpt(gateway: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dev", max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def sonnet(gateway: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key="sk-dev", max_retries=0, timeout=10) as client:
        yield client


# OpenAI


def test_openai_chat(gpt: openai.OpenAI, gateway: Served, mine: Provider) -> None:
    mine.default = chat_answer("Hello!")
    raw = gpt.chat.completions.with_raw_response.create(model="auto", messages=HELLO, temperature=0.5, seed=7)
    answer = raw.parse()
    assert answer.choices[0].message.content == "Hello!"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 19
    assert raw.headers["x-twintrack-tier"] == "t0"
    assert json.loads(mine.received[-1].body) == {
        "model": "gpt-upstream", "messages": HELLO, "temperature": 0.5, "seed": 7,
    }  # fmt: skip
    assert mine.received[-1].headers.keys() == {
        "host", "content-type", "content-length", "accept-encoding", "user-agent",
    }  # fmt: skip


@pytest.mark.parametrize("usage", [False, True])
def test_openai_stream(gpt: openai.OpenAI, mine: Provider, usage: bool) -> None:
    mine.default = stream(chat_events(["Hel", "lo", "!"]))
    options: Any = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(gpt.chat.completions.create(model="auto", messages=HELLO, stream=True, **options))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello!"
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == ([7] if usage else [])
    assert all(chunk.choices for chunk in chunks) is not usage


def test_openai_tool_calls_in_a_conversation(gpt: openai.OpenAI, mine: Provider) -> None:
    mine.default = chat_answer("It rains.")
    messages: Any = [
        *HELLO,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "rain"},
    ]
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    answer = gpt.chat.completions.create(model="auto", messages=messages, tools=tools)
    assert answer.choices[0].message.content == "It rains."
    assert json.loads(mine.received[-1].body)["messages"] == messages


def test_openai_reads_comments_over(gpt: openai.OpenAI, mine: Provider) -> None:
    mine.default = stream([1.0, *chat_events(["late"])])
    chunks = list(gpt.chat.completions.create(model="auto", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "late"


def test_openai_embeddings(gpt: openai.OpenAI, mine: Provider) -> None:
    body = {"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": "AACAPwAAAEA="}]}
    mine.default = Script(
        pieces=(json.dumps(body | {"model": "v", "usage": {"prompt_tokens": 2, "total_tokens": 2}}).encode(),)
    )
    answer = gpt.embeddings.create(model="vectors", input=["a cat"])
    assert answer.data[0].embedding == [1.0, 2.0]
    assert json.loads(mine.received[-1].body)["encoding_format"] == "base64"


def test_openai_models(gpt: openai.OpenAI) -> None:
    assert [model.id for model in gpt.models.list()] == ["auto", "bot", "gpt", "sonnet", "vectors"]
    assert gpt.models.retrieve("auto").owned_by == "twintrack"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (error_answer(400, "bad temperature"), openai.BadRequestError),
        (error_answer(401), openai.InternalServerError),  # the key that was wrong is ours
        (error_answer(429, retry_after="1"), openai.RateLimitError),
        (error_answer(500), openai.InternalServerError),
        (Script(pieces=(b"nonsense",)), openai.InternalServerError),
    ],
)
def test_openai_errors(gpt: openai.OpenAI, mine: Provider, script: Script, error: type[openai.APIError]) -> None:
    mine.default = script
    with pytest.raises(error) as raised:
        gpt.chat.completions.create(model="gpt", messages=HELLO)
    assert raised.value.body is not None


def test_openai_errors_of_ours(gpt: openai.OpenAI, gateway: Served) -> None:
    with pytest.raises(openai.NotFoundError, match=r"There is no model 'aut'\. Did you mean auto\?"):
        gpt.chat.completions.create(model="aut", messages=HELLO)
    with pytest.raises(openai.UnprocessableEntityError, match="No model can serve this request"):
        gpt.chat.completions.create(model="vectors", messages=HELLO)
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="not one of ours"),
    ):
        stranger.chat.completions.create(model="auto", messages=HELLO)


@pytest.mark.parametrize("usage", [False, True])
def test_openai_sees_a_stream_that_breaks_off(gpt: openai.OpenAI, mine: Provider, usage: bool) -> None:
    mine.default = stream([*chat_events(["one"], None, done=False), b'data: {"choi'], end="reset")
    options: Any = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = gpt.chat.completions.create(model="gpt", messages=HELLO, stream=True, **options)
    heard = [next(iter(chunks)), next(iter(chunks))]
    assert heard[1].choices[0].delta.content == "one"
    with pytest.raises(openai.APIError, match="closed the connection before its answer was complete"):
        list(chunks)


# Anthropic


def test_anthropic_message(sonnet: anthropic.Anthropic, claude: Provider) -> None:
    claude.default = message_answer("Hello!")
    answer = sonnet.messages.create(
        model="bot", max_tokens=50, messages=HELLO, system="Be brief.", extra_headers={"anthropic-beta": "x-2026-01-01"}
    )
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "Hello!"
    assert answer.usage.output_tokens == 7
    received = claude.received[-1]
    assert json.loads(received.body) == {
        "model": "sonnet", "max_tokens": 50, "messages": HELLO, "system": "Be brief.",
    }  # fmt: skip
    assert received.headers["anthropic-version"] == sonnet.default_headers["anthropic-version"]
    assert received.headers["anthropic-beta"] == "x-2026-01-01"
    assert "x-api-key" not in received.headers


def test_anthropic_with_a_bearer_token(gateway: Served, claude: Provider) -> None:
    claude.default = message_answer("Hello!")
    with anthropic.Anthropic(base_url=gateway.url, auth_token="sk-dev", max_retries=0) as client:
        assert client.messages.create(model="bot", max_tokens=5, messages=HELLO).stop_reason == "end_turn"


def test_anthropic_stream(sonnet: anthropic.Anthropic, claude: Provider) -> None:
    claude.default = stream(message_events(["Hel", "lo", "!"], input_tokens=30, output_tokens=11))
    with sonnet.messages.stream(model="bot", max_tokens=50, messages=HELLO) as answer:
        assert "".join(answer.text_stream) == "Hello!"
        final = answer.get_final_message()
    assert (final.usage.input_tokens, final.usage.output_tokens) == (30, 11)


def test_anthropic_reads_comments_over(sonnet: anthropic.Anthropic, claude: Provider) -> None:
    claude.default = stream([1.0, *message_events(["late"])])
    with sonnet.messages.stream(model="bot", max_tokens=50, messages=HELLO) as answer:
        assert "".join(answer.text_stream) == "late"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (error_answer(400), anthropic.BadRequestError),
        (error_answer(429), anthropic.RateLimitError),
        (error_answer(529), anthropic.InternalServerError),
        (error_answer(404), anthropic.InternalServerError),
    ],
)
def test_anthropic_errors(
    sonnet: anthropic.Anthropic, claude: Provider, script: Script, error: type[anthropic.APIError]
) -> None:
    claude.default = script
    with pytest.raises(error):
        sonnet.messages.create(model="sonnet", max_tokens=5, messages=HELLO)


def test_anthropic_errors_of_ours(sonnet: anthropic.Anthropic, gateway: Served) -> None:
    with pytest.raises(anthropic.NotFoundError) as raised:
        sonnet.messages.create(model="bott", max_tokens=5, messages=HELLO)
    body: Any = raised.value.body
    assert body["error"] == {"type": "not_found_error", "message": "There is no model 'bott'. Did you mean bot?"}
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="wrong", max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.create(model="bot", max_tokens=5, messages=HELLO)


@pytest.mark.parametrize("half", [b"", b'event: content_block_delta\ndata: {"ty'])
def test_anthropic_sees_a_stream_that_breaks_off(sonnet: anthropic.Anthropic, claude: Provider, half: bytes) -> None:
    claude.default = stream([*message_events(["one"])[:4], half] if half else message_events(["one"])[:4], end="reset")
    heard: list[str] = []
    with sonnet.messages.stream(model="sonnet", max_tokens=50, messages=HELLO) as answer:
        texts = iter(answer.text_stream)
        heard.append(next(texts))
        with pytest.raises(anthropic.APIError, match="closed the connection before its answer was complete"):
            next(texts)
    assert heard == ["one"]
