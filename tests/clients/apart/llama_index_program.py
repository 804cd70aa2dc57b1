"""Everything `test_llama_index.py` looks at, by the real package: prints one JSON object of {model: {what: answer}}.

    python llama_index_program.py URL KEY MODEL...

Runs in the environment of `make clients`. What raises is told as {"error": ...}.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAIResponses
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

QUESTION = "What is the capital of Norland?"


class Person(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    """The weather in a city."""
    return "foggy"


TOOL = FunctionTool.from_defaults(fn=get_weather)
ASKED = [ChatMessage(role=MessageRole.USER, content=QUESTION)]


def chat(llm: Any) -> Any:
    answer = llm.chat(ASKED)
    return {"text": answer.message.content, "usage": bool(answer.raw.usage)}


def conversation(llm: Any) -> Any:
    system = ChatMessage(role=MessageRole.SYSTEM, content="Be kind and brief.")
    said = ChatMessage(role=MessageRole.ASSISTANT, content="The capital of Norland is Vesto.")
    more = ChatMessage(role=MessageRole.USER, content="What is 7 plus 4?")
    return llm.chat([system, *ASKED, said, more]).message.content


def stream(llm: Any) -> Any:
    return [piece.delta for piece in llm.stream_chat(ASKED) if piece.delta]


def from_async_code(llm: Any) -> Any:
    async def ask() -> Any:
        whole = await llm.achat(ASKED)
        pieces = await llm.astream_chat(ASKED)
        return [whole.message.content, "".join([piece.delta or "" async for piece in pieces])]

    return asyncio.run(ask())


def tool(llm: Any) -> Any:
    asked = [ChatMessage(role=MessageRole.USER, content="What is the weather in Kesti?")]
    answer = llm.chat_with_tools([TOOL], chat_history=asked)
    (call,) = llm.get_tool_calls_from_response(answer)
    result = TOOL.call(**call.tool_kwargs)
    told = ChatMessage(
        role=MessageRole.TOOL,
        content=str(result),
        additional_kwargs={"tool_call_id": call.tool_id, "call_id": call.tool_id},
    )
    last = llm.chat_with_tools([TOOL], chat_history=[*asked, answer.message, told])
    return [call.tool_name, call.tool_kwargs, last.message.content]


def streamed_tool(llm: Any) -> Any:
    *_, last = llm.stream_chat_with_tools([TOOL], user_msg="What is the weather in Kesti?")
    (call,) = llm.get_tool_calls_from_response(last)
    return [call.tool_name, call.tool_kwargs]


def structured(llm: Any) -> Any:
    return llm.structured_predict(Person, PromptTemplate("Give JSON: {who} is 79 years old."), who="Kai").model_dump()


def told(what: Callable[[Any], Any], llm: Any) -> Any:
    try:
        return what(llm)
    except Exception as error:  # noqa: BLE001  # the test shows it
        return {"error": f"{type(error).__name__}: {error}"}


def main(url: str, key: str, *models: str) -> None:
    everything = (chat, conversation, stream, from_async_code, tool, streamed_tool, structured)
    found: dict[str, dict[str, Any]] = {}
    for model in models:
        common: dict[str, Any] = {"model": model, "api_base": url, "api_key": key, "max_retries": 0, "temperature": 0.0}
        like = OpenAILike(
            **common,
            is_chat_model=True,
            is_function_calling_model=True,
            should_use_structured_outputs=True,
            context_window=512,
            max_tokens=60,
        )
        responses = OpenAIResponses(**common, context_window=512, max_output_tokens=60)
        found[model] = {f"chat: {what.__name__}": told(what, like) for what in everything}
        found[model] |= {f"responses: {what.__name__}": told(what, responses) for what in everything}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
