"""`langchain-openai` and `langchain-anthropic`, against the bundled model."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator
from typing import Any

import langchain_anthropic._client_utils
import langchain_openai.chat_models._client_utils
import pytest
from client_scripts import ANSWER, KAI, PERSON, QUESTION, RESULT, TOLD, WEATHER, Person
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from support.gateway import Served
from support.provider import Provider
from twintrack.providers.scripted import Script

pytestmark = pytest.mark.engine

CLIENTS = ("openai", "openai-responses", "anthropic")


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return RESULT


def forget(kind: str = "") -> None:
    """Both packages share HTTP clients in caches and never close them; their sockets go here, in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for module in (langchain_openai.chat_models._client_utils, langchain_anthropic._client_utils):
            for name, value in vars(module).items():
                if kind in name and hasattr(value, "cache_clear"):
                    value.cache_clear()
        gc.collect()


@pytest.fixture(scope="module", autouse=True)
def _connections() -> Iterator[None]:
    yield
    forget()


@pytest.fixture(params=CLIENTS)
def chat(request: pytest.FixtureRequest, gateway: Served, model: str) -> BaseChatModel:
    if request.param == "anthropic":
        return ChatAnthropic(
            model=model,
            base_url=gateway.url,
            api_key=SecretStr("sk-dev"),
            max_tokens=60,
            temperature=0,
            max_retries=0,
            timeout=20,
        )
    return ChatOpenAI(
        model=model,
        base_url=f"{gateway.url}/v1",
        api_key=SecretStr("sk-dev"),
        use_responses_api=request.param == "openai-responses",
        max_completion_tokens=60,
        temperature=0,
        max_retries=0,
        timeout=20,
        stream_usage=True,
    )


def counted(message: AIMessage) -> tuple[bool, bool]:
    """Whether tokens in and out are known."""
    usage = message.usage_metadata
    return usage is not None and usage["input_tokens"] > 5, usage is not None and usage["output_tokens"] > 5


def test_invoke(chat: BaseChatModel) -> None:
    answer = chat.invoke(QUESTION)
    assert answer.text == ANSWER
    assert counted(answer) == (True, True)
    assert answer.id


def test_a_conversation(chat: BaseChatModel) -> None:
    asked = [SystemMessage("Be kind and brief."), HumanMessage(QUESTION), AIMessage(ANSWER)]
    assert chat.invoke([*asked, HumanMessage("What is 7 plus 4?")]).text


def test_stream(chat: BaseChatModel, dialect: str) -> None:
    whole: AIMessageChunk | None = None
    pieces = 0
    for chunk in chat.stream(QUESTION):
        assert isinstance(chunk, AIMessageChunk)
        pieces += bool(chunk.text)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.text == ANSWER
    assert pieces > 3
    # The package looks for both where the stream ends. Anthropic says both there; llama.cpp only what it gave.
    straight = isinstance(chat, ChatAnthropic) and dialect == "anthropic"
    assert counted(whole) == (not straight, True)


def test_async_stream_and_invoke(chat: BaseChatModel) -> None:
    async def ask() -> tuple[str, str]:
        heard = "".join([chunk.text async for chunk in chat.astream(QUESTION)])
        return (await chat.ainvoke(QUESTION)).text, heard

    try:
        assert asyncio.run(ask()) == (ANSWER, ANSWER)
    finally:
        forget("async")  # they belong to the loop that just ended


def test_batch(chat: BaseChatModel) -> None:
    assert [each.text for each in chat.batch([QUESTION] * 3)] == [ANSWER] * 3


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_and_its_result(chat: BaseChatModel, streamed: bool) -> None:
    able = chat.bind_tools([get_weather])
    asked: list[Any] = [HumanMessage(WEATHER)]
    if streamed:
        first, *rest = list(able.stream(asked))
        answer: Any = sum(rest, first)
    else:
        answer = able.invoke(asked)
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Kesti"})
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    assert able.invoke([*asked, answer, result]).text == TOLD


def test_structured_output(chat: BaseChatModel) -> None:
    assert chat.with_structured_output(Person, method="json_schema").invoke(PERSON) == KAI


def test_embeddings(gateway: Served, scripted: dict[str, Provider]) -> None:
    """Without its own counting of tokens, which would download a vocabulary."""
    body = b'{"object":"list","model":"v","data":[{"index":0,"object":"embedding","embedding":"AACAPwAAAEA="}],'
    scripted["openai"].default = Script(pieces=(body + b'"usage":{"prompt_tokens":2,"total_tokens":2}}',))
    able = OpenAIEmbeddings(
        model="vectors",
        base_url=f"{gateway.url}/v1",
        api_key=SecretStr("sk-dev"),
        check_embedding_ctx_length=False,
    )
    assert able.embed_query("a cat") == [1.0, 2.0]
