"""`pydantic-ai` with its OpenAI chat, OpenAI responses and Anthropic models, against the bundled model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anthropic
import openai
import pytest
from client_scripts import ANSWER, KAI, PERSON, QUESTION, RESULT, TOLD, WEATHER, Call, Person, plays
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from support.gateway import Served
from support.provider import Provider

pytestmark = pytest.mark.engine

CLIENTS = ("openai", "openai-responses", "anthropic")
COLD = ModelSettings(max_tokens=60, temperature=0)
ABLE = ModelProfile(supports_json_schema_output=True)
"""It knows what Claude can do by name, and our names it cannot know."""
T = TypeVar("T")
Run = Callable[[str, Callable[[Model], Coroutine[Any, Any, T]]], T]


@pytest.fixture(params=CLIENTS)
def run(request: pytest.FixtureRequest, gateway: Served) -> Run[Any]:
    """`run(name, work)` is what `work(model)` gives, on a loop whose connections end with it."""

    def run(name: str, work: Callable[[Model], Coroutine[Any, Any, T]]) -> T:
        async def inside() -> T:
            if request.param == "anthropic":
                async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="sk-dev", max_retries=0) as client:
                    vendor = AnthropicProvider(anthropic_client=client)
                    return await work(AnthropicModel(name, provider=vendor, profile=ABLE))
            async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-dev", max_retries=0) as able:
                kind = OpenAIChatModel if request.param == "openai" else OpenAIResponsesModel
                return await work(kind(name, provider=OpenAIProvider(openai_client=able)))

        return asyncio.run(inside())

    return run


def test_a_question(run: Run[Any], model: str) -> None:
    result = run(model, lambda able: Agent(able, model_settings=COLD).run(QUESTION))
    assert result.output == ANSWER
    assert result.usage.input_tokens > 5
    assert result.usage.output_tokens > 5


def test_a_conversation(run: Run[Any], strict: str) -> None:
    async def work(able: Model) -> str:
        agent = Agent(able, instructions="Be kind and brief.", model_settings=COLD)
        first = await agent.run(QUESTION)
        second = await agent.run("What is 7 plus 4?", message_history=first.all_messages())
        return second.output

    assert run(strict, work)


def test_a_stream(run: Run[Any], model: str) -> None:
    async def work(able: Model) -> list[str]:
        async with Agent(able, model_settings=COLD).run_stream(QUESTION) as result:
            return [text async for text in result.stream_text(delta=True, debounce_by=None)]

    heard = run(model, work)
    assert "".join(heard) == ANSWER
    assert len(heard) > 3


def test_a_tool_and_its_result(run: Run[Any], model: str) -> None:
    asked: list[str] = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return RESULT

    result = run(model, lambda able: Agent(able, tools=[get_weather], model_settings=COLD).run(WEATHER))
    assert asked == ["Kesti"]
    assert result.output == TOLD


def test_structured_output(run: Run[Any], model: str) -> None:
    result = run(model, lambda able: Agent(able, output_type=NativeOutput(Person), model_settings=COLD).run(PERSON))
    assert result.output == KAI


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output_by_a_tool(run: Run[Any], dialect: str, script: Provider, streamed: bool) -> None:
    """The way it takes by itself: a tool the model is made to call."""
    script.default = plays(dialect, [Call("person", KAI.model_dump())])

    async def work(able: Model) -> Person:
        agent = Agent(able, output_type=ToolOutput(Person, name="person"), model_settings=COLD)
        if not streamed:
            return (await agent.run(PERSON)).output
        async with agent.run_stream(PERSON) as result:
            return await result.get_output()

    assert run(f"scripted-{dialect}", work) == KAI


def test_a_model_nobody_knows(run: Run[Any]) -> None:
    with pytest.raises(ModelHTTPError, match="There is no model"):
        run("nobody", lambda able: Agent(able, model_settings=COLD).run(QUESTION))
