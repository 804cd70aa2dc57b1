"""The vendors' own SDKs read streams whose placeholders were put back, calls of tools included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from twintrack.providers.scripted import Received, Script, stream

MAIL = "bob.baker@firma-bau.de"
TOLD = {"to": [MAIL], "text": f'Dear "{MAIL}",\n'}


@pytest.fixture(scope="module")
def replacing(tmp_path_factory: Any) -> Iterator[Served]:
    with Provider() as outside:
        outside.default = _answer
        config = provider("chat", outside.url, zone="third_party") + deployment("gpt", "chat")
        config += route("auto", "gpt", more="pseudonyms = true")
        with Served(tmp_path_factory.mktemp("replacing"), config) as gateway:
            yield gateway
        assert not any(MAIL in each.body.decode() for each in outside.received)


def _answer(received: Received) -> Script:
    """Thinking, text and a call with the placeholder in each, in pieces of four letters."""
    (mail,) = set(re.findall(r"EMAIL_[a-z]{8}", received.body.decode()))
    arguments = json.dumps({"to": [mail], "text": f'Dear "{mail}",\n'})
    deltas: list[dict[str, Any]] = [{"reasoning_content": piece} for piece in _cut(f"Mail {mail}?")]
    deltas += [{"content": piece} for piece in _cut(f"To {mail}")]
    begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}
    deltas.append({"tool_calls": [begun]})
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in _cut(arguments)]
    chunks = [_chunk(delta, None) for delta in deltas] + [_chunk({}, "tool_calls"), b"data: [DONE]\n\n"]
    return stream(chunks)


def _cut(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def _chunk(delta: dict[str, Any], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def test_openai_chat(replacing: Served) -> None:
    with openai.OpenAI(base_url=f"{replacing.url}/v1", api_key="sk", max_retries=0, timeout=20) as client:
        asked: Any = {"model": "auto", "messages": [{"role": "user", "content": f"Mail {MAIL}."}], "tools": [_TOOL]}
        with client.chat.completions.stream(**asked) as events:
            message = events.get_final_completion().choices[0].message
    assert message.content == f"To {MAIL}"
    assert message.tool_calls is not None
    assert json.loads(message.tool_calls[0].function.arguments) == TOLD


def test_openai_responses(replacing: Served) -> None:
    with openai.OpenAI(base_url=f"{replacing.url}/v1", api_key="sk", max_retries=0, timeout=20) as client:
        tool: Any = {"type": "function", "strict": False, **_TOOL["function"]}
        with client.responses.stream(model="auto", input=f"Mail {MAIL}.", tools=[tool]) as events:
            deltas = "".join(each.delta for each in events if each.type == "response.output_text.delta")
            answer = events.get_final_response()
    assert deltas == answer.output_text == f"To {MAIL}"
    (call,) = [each for each in answer.output if each.type == "function_call"]
    assert json.loads(call.arguments) == TOLD


def test_anthropic_messages(replacing: Served) -> None:
    with anthropic.Anthropic(base_url=replacing.url, api_key="sk", max_retries=0, timeout=20) as client:
        tool: Any = {"name": "send", "input_schema": _TOOL["function"]["parameters"]}
        asked: Any = [{"role": "user", "content": f"Mail {MAIL}."}]
        with client.messages.stream(model="auto", max_tokens=99, messages=asked, tools=[tool]) as events:
            message = events.get_final_message()
    thinking, text, call = message.content
    assert (thinking.type, text.type, call.type) == ("thinking", "text", "tool_use")
    assert thinking.type == "thinking" and thinking.thinking == f"Mail {MAIL}?"  # noqa: PT018  # the type says which
    assert text.type == "text" and text.text == f"To {MAIL}"  # noqa: PT018
    assert call.type == "tool_use" and call.input == TOLD  # noqa: PT018


_TOOL: Any = {
    "type": "function",
    "function": {"name": "send", "parameters": {"type": "object", "properties": {"to": {"type": "array"}}}},
}
