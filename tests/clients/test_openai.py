"""The `openai` package: chat, responses, embeddings and models, against the bundled model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from client_scripts import (
    ANSWER,
    CITY,
    KAI,
    NONSENSE,
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
from openai.types.chat import ChatCompletionToolMessageParam

from support.gateway import Served
from support.provider import Provider
from twintrack.providers.scripted import Script

pytestmark = pytest.mark.engine

ASKED: Any = [{"role": "user", "content": QUESTION}]
FUNCTION: Any = {"name": "get_weather", "description": "The weather in a city.", "parameters": CITY}
TOOL: Any = {"type": "function", "function": FUNCTION}
FLAT_TOOL: Any = {"type": "function", **FUNCTION}


@pytest.fixture
def client(gateway: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dev", max_retries=0, timeout=20) as client:
        yield client


def from_async(gateway: Served, ask: Any) -> Any:
    """What `ask(client)` gives, on a loop of its own."""

    async def run() -> Any:
        async with openai.AsyncOpenAI(
            base_url=f"{gateway.url}/v1", api_key="sk-dev", max_retries=0, timeout=20
        ) as client:
            return await ask(client)

    return asyncio.run(run())


# ---- chat


def test_chat(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=ASKED, temperature=0, max_completion_tokens=40
    )
    answer = raw.parse()
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", ANSWER, "stop")
    assert answer.object == "chat.completion"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 5
    assert answer.usage.completion_tokens > 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert raw.headers["x-twintrack-tier"] == "t0"
    assert raw.headers["x-request-id"] == raw.headers["x-twintrack-id"]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_chat_has_instructions_and_earlier_turns(client: openai.OpenAI, model: str, role: str) -> None:
    messages: Any = [
        {"role": role, "content": "You are a helpful assistant."},
        *ASKED,
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": [{"type": "text", "text": "What is 7 plus 4?"}]},
    ]
    answer = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=20)
    assert answer.choices[0].message.content


@pytest.mark.parametrize("usage", [False, True])
def test_chat_streams(client: openai.OpenAI, model: str, usage: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(
        client.chat.completions.create(
            model=model, messages=ASKED, temperature=0, max_tokens=40, stream=True, **options
        )
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == ANSWER
    assert sum(bool(choice.delta.content) for choice in choices) > 3
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    counted = [chunk.usage for chunk in chunks if chunk.usage]
    assert [each.completion_tokens > 5 for each in counted] == ([True] if usage else [])
    assert all(chunk.choices for chunk in chunks) is not usage


def test_chat_stops_where_it_should(client: openai.OpenAI, model: str, dialect: str) -> None:
    asked: Any = {"model": model, "messages": ASKED, "temperature": 0}
    if dialect == "responses":  # it has no stop words, and llama.cpp does not say there that it cut
        with pytest.raises(openai.BadRequestError, match=r"\$\.stop cannot be carried"):
            client.chat.completions.create(max_tokens=40, stop=[" is"], **asked)
        return
    (cut,) = client.chat.completions.create(max_tokens=3, **asked).choices
    assert (cut.finish_reason, cut.message.content) == ("length", "The capital of")
    (stopped,) = client.chat.completions.create(max_tokens=40, stop=[" is"], **asked).choices
    assert (stopped.finish_reason, stopped.message.content) == ("stop", "The capital of Norland")


def test_chat_calls_a_tool_and_reads_its_result(client: openai.OpenAI, model: str) -> None:
    messages: Any = [{"role": "user", "content": WEATHER}]
    asked: Any = {"model": model, "tools": [TOOL], "temperature": 0, "max_tokens": 60}
    (choice,) = client.chat.completions.create(messages=messages, **asked).choices
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Kesti"})
    told: ChatCompletionToolMessageParam = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    messages = [*messages, choice.message, told]
    assert client.chat.completions.create(messages=messages, **asked).choices[0].message.content == TOLD


def test_chat_streams_a_tool_call(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model, messages=[{"role": "user", "content": WEATHER}], tools=[TOOL], temperature=0, max_tokens=60
    ) as events:
        kinds = {event.type for event in events}
        (choice,) = events.get_final_completion().choices
    assert "tool_calls.function.arguments.done" in kinds
    (call,) = choice.message.tool_calls or []
    assert call.id
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Kesti"})


def test_chat_parses_into_a_type(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(
        model=model,
        messages=[{"role": "user", "content": PERSON}],
        response_format=Person,
        temperature=0,
        max_tokens=40,
    )
    assert answer.choices[0].message.parsed == KAI


def test_chat_from_async_code(gateway: Served, model: str) -> None:
    async def ask(client: openai.AsyncOpenAI) -> tuple[str | None, str]:
        asked: Any = {"model": model, "messages": ASKED, "temperature": 0, "max_tokens": 40}
        whole, events = await asyncio.gather(
            client.chat.completions.create(**asked), client.chat.completions.create(stream=True, **asked)
        )
        heard = [chunk.choices[0].delta.content or "" async for chunk in events if chunk.choices]
        return whole.choices[0].message.content, "".join(heard)

    assert from_async(gateway, ask) == (ANSWER, ANSWER)


def test_chat_leaves_a_stream_early_and_asks_again(client: openai.OpenAI, model: str) -> None:
    for _ in range(3):
        with client.chat.completions.create(model=model, messages=ASKED, max_tokens=200, stream=True) as chunks:
            next(iter(chunks))
    assert client.chat.completions.create(model=model, messages=ASKED, temperature=0, max_tokens=40).choices


def test_a_chat_body_arrives_as_it_was(client: openai.OpenAI, scripted: dict[str, Provider]) -> None:
    script = scripted["openai"]
    script.default = plays("openai", [Say("It rains.")])
    messages: Any = [
        *ASKED,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "rain"},
    ]
    more: Any = {"tools": [TOOL], "temperature": 0.5, "seed": 7}
    client.chat.completions.create(model="auto", messages=messages, extra_body={"nobody_knows": {"it": [None]}}, **more)
    received = script.received[-1]
    assert json.loads(received.body) == {
        "model": "upstream", "messages": messages, "nobody_knows": {"it": [None]}, **more,
    }  # fmt: skip
    assert received.headers.keys() == {"host", "content-type", "content-length", "accept-encoding", "user-agent"}


def test_chat_reads_comments_over(client: openai.OpenAI, dialect: str, script: Provider) -> None:
    """The gateway's sign of life, when a provider takes its time."""
    script.default = late(plays(dialect, [Say("late")]))
    chunks = client.chat.completions.create(model=f"scripted-{dialect}", messages=ASKED, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "late"


def test_chat_sees_a_stream_break_off(client: openai.OpenAI, dialect: str, script: Provider) -> None:
    script.default = broken(plays(dialect, [Say("I count them one by one, which takes a while.")]))
    heard: list[str] = []
    chunks = client.chat.completions.create(model=f"scripted-{dialect}", messages=ASKED, stream=True)
    with pytest.raises(openai.APIError, match="closed the connection before its answer was complete"):
        heard.extend(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "".join(heard).startswith("I coun")


# ---- responses


def test_responses(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input=QUESTION, temperature=0, max_output_tokens=40)
    assert (answer.status, answer.output_text, answer.object) == ("completed", ANSWER, "response")
    assert answer.error is None
    assert answer.id
    assert answer.usage is not None
    assert answer.usage.input_tokens > 5
    assert answer.usage.output_tokens > 5
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_responses_has_instructions_and_earlier_turns(client: openai.OpenAI, model: str) -> None:
    first = client.responses.create(
        model=model, instructions="Be kind and brief.", input=ASKED, temperature=0, max_output_tokens=40, store=False
    )
    history: Any = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
        *[item.to_dict() for item in first.output],
        {"role": "user", "content": "What is 7 plus 4?"},
    ]
    second = client.responses.create(model=model, input=history, temperature=0, max_output_tokens=20, store=False)
    assert second.status == "completed"
    assert second.output_text


def test_responses_streams(client: openai.OpenAI, model: str) -> None:
    events = list(
        client.responses.create(model=model, input=QUESTION, temperature=0, max_output_tokens=40, stream=True)
    )
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    for kind in ("response.output_item.added", "response.output_text.done", "response.output_item.done"):
        assert kinds.count(kind) == 1, kind
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == ANSWER
    assert kinds.count("response.output_text.delta") > 3
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == ANSWER
    assert last.response.usage is not None
    assert last.response.usage.output_tokens > 5


def test_responses_helper_puts_a_stream_together(client: openai.OpenAI, strict: str) -> None:
    with client.responses.stream(
        model=strict, input=PERSON, text_format=Person, temperature=0, max_output_tokens=40
    ) as events:
        heard = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        final = events.get_final_response()
    assert Person.model_validate_json(heard) == KAI
    assert final.output_parsed == KAI


def test_responses_parses_into_a_type(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.parse(model=model, input=PERSON, text_format=Person, temperature=0, max_output_tokens=40)
    assert answer.output_parsed == KAI


@pytest.mark.parametrize("dialect", ["openai", "anthropic"], ids="{}-provider".format)
def test_responses_says_that_it_was_cut(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input=QUESTION, temperature=0, max_output_tokens=3)
    assert (answer.status, answer.output_text) == ("incomplete", "The capital of")
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_calls_a_tool_and_reads_its_result(client: openai.OpenAI, model: str, streamed: bool) -> None:
    asked: Any = {"model": model, "tools": [FLAT_TOOL], "temperature": 0, "max_output_tokens": 60, "store": False}
    history: Any = [{"role": "user", "content": WEATHER}]
    if streamed:
        with client.responses.stream(input=history, **asked) as events:
            parts = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
            answer: Any = events.get_final_response()
        assert json.loads("".join(parts)) == {"city": "Kesti"}
    else:
        answer = client.responses.create(input=history, **asked)
    (call,) = [item for item in answer.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Kesti"})
    history += [
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULT},
    ]
    assert client.responses.create(input=history, **asked).output_text == TOLD


def test_responses_from_async_code(gateway: Served, strict: str) -> None:
    async def ask(client: openai.AsyncOpenAI) -> tuple[str, str]:
        whole = await client.responses.create(model=strict, input=QUESTION, temperature=0, max_output_tokens=40)
        async with client.responses.stream(model=strict, input=QUESTION, temperature=0, max_output_tokens=40) as events:
            return whole.output_text, (await events.get_final_response()).output_text

    assert from_async(gateway, ask) == (ANSWER, ANSWER)


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_brings_reasoning_back(client: openai.OpenAI, dialect: str, script: Provider, streamed: bool) -> None:
    """Sealed reasoning goes to the client and back to the provider; chat has no word for that, so it is not asked."""
    if dialect == "openai":
        return
    script.default = plays(dialect, [Think("It rains often.", "c2VhbGVk"), Call("get_weather", {"city": "Kesti"})])
    history: Any = [{"role": "user", "content": WEATHER}]
    asked: Any = {
        "model": f"scripted-{dialect}",
        "tools": [FLAT_TOOL],
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 9000,
        "store": False,
    }
    if streamed:
        with client.responses.stream(input=history, **asked) as events:
            answer: Any = events.get_final_response()
    else:
        answer = client.responses.create(input=history, **asked)
    assert [item.type for item in answer.output] == ["reasoning", "function_call"]
    thought, call = answer.output
    assert thought.summary[0].text == "It rains often."
    assert thought.encrypted_content
    script.default = plays(dialect, [Say("Rain.")])
    history += [
        {"type": "reasoning", "summary": [], "encrypted_content": thought.encrypted_content},
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULT},
    ]
    assert client.responses.create(input=history, **asked).output_text == "Rain."
    assert b"c2VhbGVk" in script.received[-1].body


def test_responses_sees_a_stream_break_off(client: openai.OpenAI, dialect: str, script: Provider) -> None:
    script.default = broken(plays(dialect, [Say("I count them one by one, which takes a while.")]))
    asked: Any = {"model": f"scripted-{dialect}", "input": QUESTION, "stream": True}
    heard = []
    try:
        heard.extend(client.responses.create(**asked))
    except openai.APIError as error:
        assert "closed the connection before its answer was complete" in str(error)  # noqa: PT017  # or as an event
    else:
        assert heard[-1].type == "response.failed"
    assert "response.completed" not in {event.type for event in heard}


# ---- the rest


def test_embeddings(client: openai.OpenAI, scripted: dict[str, Provider]) -> None:
    body = {"object": "list", "model": "v", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    vectors = ["AACAPwAAAEA=", "AABAQAAAgEA="]
    data = [{"index": at, "object": "embedding", "embedding": vector} for at, vector in enumerate(vectors)]
    scripted["openai"].default = Script(pieces=(json.dumps(body | {"data": data}).encode(),))
    answer = client.embeddings.create(model="vectors", input=["a cat", "a dog"])
    assert [each.embedding for each in answer.data] == [[1.0, 2.0], [3.0, 4.0]]
    assert answer.usage.prompt_tokens == 2
    assert json.loads(scripted["openai"].received[-1].body)["encoding_format"] == "base64"


def test_models(client: openai.OpenAI) -> None:
    names = [each.id for each in client.models.list()]
    assert {"auto", "small-openai", "demo-small@engine-openai", "vectors"} <= set(names)
    one = client.models.retrieve("auto")
    assert (one.id, one.object) == ("auto", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("auto2")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.InternalServerError),  # the key that was wrong is ours
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (0, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_failures_of_a_provider(
    client: openai.OpenAI,
    dialect: str,
    script: Provider,
    status: int,
    error: type[openai.APIStatusError],
    streamed: bool,
    api: str,
) -> None:
    def ask(streamed: bool) -> object:
        asked: Any = {"model": f"scripted-{dialect}", "stream": streamed}
        if api == "chat":
            return client.chat.completions.create(messages=ASKED, **asked)
        return client.responses.create(input=QUESTION, **asked)

    script.default = fails(dialect, status, "too bad") if status else NONSENSE
    with pytest.raises(error) as raised:
        ask(streamed)
    assert isinstance(raised.value.body, dict)
    assert {"message", "type", "param", "code"} <= raised.value.body.keys()
    script.default = plays(dialect, [Say("Back again.")])
    assert ask(streamed=False)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_refusals_of_ours(client: openai.OpenAI, gateway: Served, api: str) -> None:
    def ask(client: openai.OpenAI, model: str) -> None:
        if api == "chat":
            client.chat.completions.create(model=model, messages=ASKED)
        else:
            client.responses.create(model=model, input=QUESTION)

    with pytest.raises(openai.NotFoundError, match=r"There is no model 'autoo'\. Did you mean auto\?"):
        ask(client, "autoo")
    with pytest.raises(openai.UnprocessableEntityError, match="No model can serve this request"):
        ask(client, "vectors")
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="not one of ours"),
    ):
        ask(stranger, "auto")
