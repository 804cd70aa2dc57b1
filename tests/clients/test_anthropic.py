"""The `anthropic` package: messages, its helpers, counting, models and the beta namespace, on the bundled model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import anthropic
import pytest
from anthropic import beta_tool
from client_scripts import (
    ANSWER,
    CITY,
    INPUT_TOKENS,
    KAI,
    NONSENSE,
    OUTPUT_TOKENS,
    PERSON,
    QUESTION,
    RESULT,
    TOLD,
    WEATHER,
    Call,
    Person,
    Say,
    Think,
    broken,
    fails,
    late,
    plays,
)
from pydantic import BaseModel

from support.gateway import Served
from support.provider import Provider

pytestmark = pytest.mark.engine

ASKED: Any = [{"role": "user", "content": QUESTION}]
COLD = {"temperature": 0}
"""The package has no argument for it any more."""
TOOL: Any = {"name": "get_weather", "description": "The weather in a city.", "input_schema": CITY}


@pytest.fixture
def client(gateway: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key="sk-dev", max_retries=0, timeout=20) as client:
        yield client


def test_messages(client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.create(model=model, max_tokens=40, messages=ASKED, extra_body=COLD)
    (block,) = answer.content
    assert block.type == "text"
    assert block.text == ANSWER
    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert answer.id
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 5
    assert answer.usage.output_tokens > 5
    assert answer._request_id is not None


def test_messages_have_a_system_prompt_and_earlier_turns(client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.create(
        model=model,
        max_tokens=20,
        extra_body=COLD,
        system=[{"type": "text", "text": "Be kind and brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            *ASKED,
            {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]},
            {"role": "user", "content": [{"type": "text", "text": "What is 7 plus 4?"}]},
        ],
        metadata={"user_id": "someone"},
    )
    assert answer.content[0].type == "text"
    assert answer.content[0].text


def test_messages_stream(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(model=model, max_tokens=40, messages=ASKED, extra_body=COLD) as events:
        heard = list(events.text_stream)
        final = events.get_final_message()
    assert "".join(heard) == ANSWER
    assert len(heard) > 3
    assert final.content[0].type == "text"
    assert final.content[0].text == ANSWER
    assert final.stop_reason == "end_turn"
    assert final.usage.input_tokens + (final.usage.cache_read_input_tokens or 0) > 5
    assert final.usage.output_tokens > 5


def test_messages_stream_event_by_event(client: anthropic.Anthropic, model: str) -> None:
    events = list(client.messages.create(model=model, max_tokens=40, messages=ASKED, extra_body=COLD, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


def test_messages_stop_where_they_should(client: anthropic.Anthropic, model: str, dialect: str) -> None:
    asked: Any = {"model": model, "messages": ASKED, "extra_body": COLD}
    if dialect == "responses":  # it has no stop words, and llama.cpp does not say there that it cut
        with pytest.raises(anthropic.BadRequestError, match=r"\$\.stop_sequences"):
            client.messages.create(max_tokens=40, stop_sequences=[" is"], **asked)
        return
    assert client.messages.create(max_tokens=3, **asked).stop_reason == "max_tokens"
    stopped = client.messages.create(max_tokens=40, stop_sequences=[" is"], **asked)
    assert stopped.content[0].type == "text"
    assert stopped.content[0].text == "The capital of Norland"


@pytest.mark.parametrize("streamed", [False, True])
def test_messages_call_a_tool_and_read_its_result(client: anthropic.Anthropic, model: str, streamed: bool) -> None:
    asked: Any = {"model": model, "max_tokens": 60, "tools": [TOOL], "extra_body": COLD}
    messages: list[Any] = [{"role": "user", "content": WEATHER}]
    if streamed:
        with client.messages.stream(messages=messages, **asked) as events:
            answer: anthropic.types.Message = events.get_final_message()
    else:
        answer = client.messages.create(messages=messages, **asked)
    assert answer.stop_reason == "tool_use"
    (call,) = [block for block in answer.content if block.type == "tool_use"]
    assert (call.name, call.input) == ("get_weather", {"city": "Kesti"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": RESULT}]}
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    told = client.messages.create(messages=messages, **asked)
    assert told.content[0].type == "text"
    assert told.content[0].text == TOLD


@pytest.mark.parametrize("threaded", [True, False])
def test_beta_messages_run_a_tool_by_themselves(client: anthropic.Anthropic, model: str, threaded: bool) -> None:
    """The runner keeps the conversation at the provider unless told otherwise, and sends no more than what is new.

    A provider that keeps nothing must say so, as the vendor's does, or it would answer the rest of a conversation
    (message threads, platform.claude.com/docs/en/build-with-claude/message-threads, beta of 12 August 2026). The
    runner then sends everything again by itself.
    """

    @beta_tool
    def get_weather(city: str) -> str:
        """The weather in a city.

        Args:
            city: Its name.
        """
        asked.append(city)
        return RESULT

    asked: list[str] = []
    kept: Any = {} if threaded else {"thread": False}
    runner = client.beta.messages.tool_runner(
        model=model,
        max_tokens=60,
        extra_body=COLD,
        tools=[get_weather],
        messages=[{"role": "user", "content": WEATHER}],
        **kept,
    )
    last = runner.until_done()
    assert asked == ["Kesti"]
    assert last.content[0].type == "text"
    assert last.content[0].text == TOLD


def test_messages_parse_into_a_type(client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.parse(
        model=model,
        max_tokens=40,
        extra_body=COLD,
        messages=[{"role": "user", "content": PERSON}],
        output_format=Person,
    )
    assert answer.parsed_output == KAI


class Mood(BaseModel):
    good: bool
    stars: Literal[1, 2, 3]


def test_a_schema_binds_the_model(client: anthropic.Anthropic) -> None:
    """Only llama.cpp's own chat dialect makes a grammar of a schema: there an unrelated question obeys it too."""
    answer = client.messages.parse(
        model="small-openai", max_tokens=60, extra_body=COLD, messages=ASKED, output_format=Mood
    )
    assert isinstance(answer.parsed_output, Mood)


def test_messages_from_async_code(gateway: Served, model: str) -> None:
    async def ask() -> tuple[str, str]:
        async with anthropic.AsyncAnthropic(
            base_url=gateway.url, api_key="sk-dev", max_retries=0, timeout=20
        ) as client:
            asked: Any = {"model": model, "max_tokens": 40, "messages": ASKED, "extra_body": COLD}
            whole = await client.messages.create(**asked)
            async with client.messages.stream(**asked) as events:
                heard = "".join([text async for text in events.text_stream])
            assert whole.content[0].type == "text"
            return whole.content[0].text, heard

    assert asyncio.run(ask()) == (ANSWER, ANSWER)


@pytest.mark.parametrize("streamed", [False, True])
def test_beta_messages(client: anthropic.Anthropic, model: str, streamed: bool) -> None:
    asked: Any = {"model": model, "max_tokens": 40, "messages": ASKED, "extra_body": COLD}
    asked["betas"] = ["fine-grained-tool-streaming-2025-05-14"]
    if streamed:
        with client.beta.messages.stream(**asked) as events:
            answer: Any = events.get_final_message()
    else:
        answer = client.beta.messages.create(**asked)
    assert answer.content[0].text == ANSWER
    assert answer.usage.output_tokens > 5


def test_with_a_bearer_token(gateway: Served, model: str) -> None:
    with anthropic.Anthropic(base_url=gateway.url, auth_token="sk-dev", max_retries=0) as client:
        assert client.messages.create(model=model, max_tokens=5, messages=ASKED).content


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_comes_and_goes_back(
    client: anthropic.Anthropic, dialect: str, script: Provider, streamed: bool
) -> None:
    """Thought, tool and result in one conversation. OpenAI's chat has no word for thoughts, so they stay out there."""
    turn = [Think("It rains often.", "c2VhbGVk"), Call("get_weather", {"city": "Kesti"}, "toolu_1")]
    script.default = plays(dialect, turn[1:] if dialect == "openai" else turn, [Say("Rain.")])
    asked: Any = {
        "model": f"scripted-{dialect}",
        "max_tokens": 9000,
        "tools": [TOOL],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }
    messages: list[Any] = [{"role": "user", "content": WEATHER}]

    def ask() -> Any:
        if streamed:
            with client.messages.stream(messages=messages, **asked) as events:
                return events.get_final_message()
        return client.messages.create(messages=messages, **asked)

    answer = ask()
    # Reasoning that OpenAI sealed comes as a block of its own, since nobody could check it as a signature.
    kinds = {"openai": [], "responses": ["thinking", "redacted_thinking"], "anthropic": ["thinking"]}[dialect]
    assert [block.type for block in answer.content] == [*kinds, "tool_use"]
    assert (answer.content[-1].id, answer.content[-1].input) == ("toolu_1", {"city": "Kesti"})
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    if dialect != "openai":
        assert answer.content[0].thinking == "It rains often."
    messages += [
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": RESULT}]},
    ]
    assert ask().content[0].text == "Rain."
    assert (b"c2VhbGVk" in script.received[-1].body) is (dialect != "openai")


def test_messages_read_comments_over(client: anthropic.Anthropic, dialect: str, script: Provider) -> None:
    """The gateway's sign of life, when a provider takes its time."""
    script.default = late(plays(dialect, [Say("late")]))
    with client.messages.stream(model=f"scripted-{dialect}", max_tokens=50, messages=ASKED) as events:
        assert "".join(events.text_stream) == "late"


def test_messages_see_a_stream_break_off(client: anthropic.Anthropic, dialect: str, script: Provider) -> None:
    script.default = broken(plays(dialect, [Say("I count them one by one, which takes a while.")]))
    heard: list[str] = []
    with (
        client.messages.stream(model=f"scripted-{dialect}", max_tokens=50, messages=ASKED) as events,
        pytest.raises(anthropic.APIError, match="closed the connection before its answer was complete"),
    ):
        heard.extend(events.text_stream)
    assert "".join(heard).startswith("I coun")


# ---- the rest


def test_count_tokens(client: anthropic.Anthropic, model: str, dialect: str) -> None:
    short = client.messages.count_tokens(model=model, messages=ASKED)
    long = client.messages.count_tokens(model=model, system="Be kind. " * 10, messages=ASKED * 3, tools=[TOOL])
    assert 3 < short.input_tokens < 60
    assert long.input_tokens > short.input_tokens
    if dialect == "anthropic":  # it counts itself
        assert short.input_tokens == 17


def test_models(client: anthropic.Anthropic) -> None:
    found = {each.id: each for each in client.models.list()}
    assert {"auto", "small-anthropic", "demo-small@engine-anthropic"} <= found.keys()
    assert found["auto"].type == "model"
    assert found["auto"].display_name
    assert client.models.retrieve("auto").id == "auto"
    assert client.models.list(limit=2).data


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, anthropic.BadRequestError),
        (404, anthropic.InternalServerError),  # the model that nobody knows is ours
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
        (0, anthropic.InternalServerError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_failures_of_a_provider(
    client: anthropic.Anthropic,
    dialect: str,
    script: Provider,
    status: int,
    error: type[anthropic.APIStatusError],
    streamed: bool,
) -> None:
    asked: Any = {"model": f"scripted-{dialect}", "max_tokens": 5, "messages": ASKED}
    script.default = fails(dialect, status, "too bad") if status else NONSENSE
    with pytest.raises(error) as raised:
        client.messages.create(stream=streamed, **asked)
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["type"] == "error"
    assert {"type", "message"} <= raised.value.body["error"].keys()
    script.default = plays(dialect, [Say("Back again.")])
    assert client.messages.create(**asked).content[0].type == "text"


def test_refusals_of_ours(client: anthropic.Anthropic, gateway: Served) -> None:
    with pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.create(model="bott", max_tokens=5, messages=ASKED)
    body: Any = raised.value.body
    assert body["error"] == {"type": "not_found_error", "message": "There is no model 'bott'. Did you mean bot?"}
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="wrong", max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.create(model="bot", max_tokens=5, messages=ASKED)


def test_a_body_in_its_own_dialect_arrives_as_it_was(
    client: anthropic.Anthropic, scripted: dict[str, Provider]
) -> None:
    script = scripted["anthropic"]
    script.default = plays("anthropic", [Say("Hello!")])
    client.messages.create(
        model="bot",
        max_tokens=50,
        messages=ASKED,
        system="Be brief.",
        extra_headers={"anthropic-beta": "x-2026-01-01"},
        extra_body={"nobody_knows": [1, {"this": None}]},
    )
    received = script.received[-1]
    assert json.loads(received.body) == {
        "model": "upstream", "max_tokens": 50, "messages": ASKED, "system": "Be brief.",
        "nobody_knows": [1, {"this": None}],
    }  # fmt: skip
    assert received.headers["anthropic-version"] == client.default_headers["anthropic-version"]
    assert received.headers["anthropic-beta"] == "x-2026-01-01"
