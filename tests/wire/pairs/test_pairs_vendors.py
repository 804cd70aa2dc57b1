"""The files in golden/ say what the vendors' own SDKs have types for: theirs is the last word, not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pairs.golden import GOLDEN
from pydantic import BaseModel, TypeAdapter, ValidationError

from twintrack.wire import sse

ASKED: Mapping[str, tuple[TypeAdapter[Any], TypeAdapter[Any]]] = {
    "chat": (TypeAdapter(CompletionCreateParamsNonStreaming), TypeAdapter(CompletionCreateParamsStreaming)),
    "messages": (TypeAdapter(MessageCreateParamsNonStreaming), TypeAdapter(MessageCreateParamsStreaming)),
    "responses": (TypeAdapter(ResponseCreateParamsNonStreaming), TypeAdapter(ResponseCreateParamsStreaming)),
}
ANSWERED: Mapping[str, type[BaseModel]] = {"chat": ChatCompletion, "messages": Message, "responses": Response}
STREAMED: Mapping[str, TypeAdapter[Any]] = {
    "chat": TypeAdapter(ChatCompletionChunk),
    "messages": TypeAdapter(RawMessageStreamEvent),
    "responses": TypeAdapter(ResponseStreamEvent),
}


def dialect_of(path: Path) -> str:
    """The last one: of a pair, whose words the file holds."""
    return path.name.split(".")[1].rpartition("-")[2]


REQUESTS = sorted(path for path in (GOLDEN / "requests").glob("*.*.json") if dialect_of(path) in ASKED)
ANSWERS = sorted(path for path in (GOLDEN / "answers").glob("*.*.json") if dialect_of(path) in ANSWERED)
STREAMS = sorted(path for path in (GOLDEN / "streams").glob("*.*.sse") if dialect_of(path) in STREAMED)
NO_CUSTOM = "call_custom."
"""OpenAI streams calls of custom tools in chat completions, and its types for chunks know only functions."""

BEYOND = {
    "adaptive.chat.client": "LiteLLM's thinking",
    "budget.chat.client": "LiteLLM's thinking",
    "thinking_shown.chat.client": "OpenRouter's reasoning",
    "cache_marks.chat.client": "OpenRouter's cache_control",
    "thought.chat": "DeepSeek's reasoning_content",
    "thought_claude.chat.client": "LiteLLM's thinking_blocks",
    "thought_redacted.chat.client": "LiteLLM's thinking_blocks",
    "thought_openai.chat.client": "LiteLLM's thinking_blocks",
    "thought_gemini.chat.client": "Google's extra_content",
    "result_image.chat.client": "images in results are what compatible servers take",
    "result_file.chat.client": "files in results are what compatible servers take",
    "top_k.chat": "vLLM's top_k",
    "min_p.chat": "vLLM's min_p",
    "temperature.messages": "the SDK has dropped sampling; the older models take it still",
    "top_p.messages": "the SDK has dropped sampling; the older models take it still",
    "top_k.messages": "the SDK has dropped sampling; the older models take it still",
    "audio.responses.client": "sound is typed, but not for conversations",
    "refusal_said.responses": "no id: OpenAI would look for the item among what it stored",
    "thought_openai.responses": "no id: OpenAI would look for the item among what it stored",
}
"""Files that say what the vendors' types do not, and whose word it is."""

BEYOND_ANSWERS = {
    "store": "OpenAI says it, its types do not",
    "status": "OpenAI says it of calls of custom tools as well, its types do not",
    "audio_tokens": "of other vendors and of chat completions: they cost something else",
    "image_tokens": "of other vendors and of chat completions: they cost something else",
    "reasoning_content": "DeepSeek's, which most clients read",
    "thinking_blocks": "LiteLLM's, which clients send back",
    "extra_content": "Google's, which clients send back",
    "obfuscation": "OpenAI says it, its types do not",
    "annotations": "OpenAI's search models stream them, its types have them only in whole answers",
    "bytes": "OpenAI's types have them only in whole answers",
}
"""Members that clients are told and the vendors' types do not have."""


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_a_request_is_of_the_vendors_types(path: Path) -> None:
    body = json.loads(path.read_text())
    types = ASKED[dialect_of(path)][bool(body.get("stream"))]
    try:
        unknown = list(left_out(body, whole(types.validate_python(body)), "$"))
    except ValidationError as error:
        unknown = [str(error)]
    assert bool(unknown) == (path.stem in BEYOND), unknown


def whole(value: Any) -> Any:
    """With what pydantic validates only when it is looked at."""
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    return value if isinstance(value, (str, float, int)) or value is None else [whole(each) for each in value]


def left_out(said: Any, known: Any, path: str) -> Iterator[str]:
    """Paths of members that no type knows."""
    if isinstance(said, dict) and isinstance(known, dict):
        for name, value in said.items():
            if name in known:
                yield from left_out(value, known[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(said, list) and isinstance(known, list):
        for at, (value, other) in enumerate(zip(said, known, strict=True)):
            yield from left_out(value, other, f"{path}[{at}]")


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_an_answer_is_of_the_vendors_types(path: Path) -> None:
    answer = ANSWERED[dialect_of(path)].model_validate_json(path.read_text())
    assert set(unknown(answer)) <= BEYOND_ANSWERS.keys()


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_each_event_is_of_the_vendors_types(path: Path) -> None:
    types = STREAMED[dialect_of(path)]
    if path.name.startswith(NO_CUSTOM) and dialect_of(path) == "chat":
        return
    for payload in sse.payloads(path.read_bytes()):
        if payload not in (b"[DONE]", b'{"type":"ping"}'):
            event = types.validate_json(payload)
            assert set(unknown(event)) <= BEYOND_ANSWERS.keys()


def unknown(value: Any) -> Iterator[str]:
    """Names of members that stand where the vendor's types have none."""
    if isinstance(value, BaseModel):
        yield from value.model_extra or ()
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name))
    elif isinstance(value, list):
        for each in value:
            yield from unknown(each)
