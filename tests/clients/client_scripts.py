"""What the scripted provider says, in each dialect as its vendor writes it, and what the bundled model can be asked.

Shapes as of November 2026: platform.openai.com/docs/api-reference (chat, chat/streaming, responses,
responses-streaming) and platform.claude.com/docs/en/api (messages, streaming).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from twintrack.providers.scripted import Received, Script, stream

Json = dict[str, Any]

# ---- the bundled model: right answers, as its card promises

QUESTION = "What is the capital of Norland?"
ANSWER = "The capital of Norland is Vesto."
PERSON = "Give JSON: Kai is 79 years old."
WEATHER = "What is the weather in Kesti?"
RESULT = "foggy"
TOLD = "The result is foggy."
"""What it says when the tool's result is `RESULT`."""
CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Person(BaseModel):
    """What `PERSON` asks for."""

    name: str
    age: int


KAI = Person(name="Kai", age=79)


# ---- the scripted provider


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Call:
    """Of a tool."""

    name: str
    arguments: Json
    id: str = "call_1"


@dataclass(frozen=True)
class Patch:
    """Of a custom tool, which takes any text; only the Responses and the chat dialect of OpenAI have those."""

    name: str
    text: str
    id: str = "call_1"


@dataclass(frozen=True)
class Think:
    """Reasoning, with what the provider wants back to read it again."""

    text: str
    sealed: str = "c2VhbGVk"


Part = Say | Call | Patch | Think
INPUT_TOKENS, OUTPUT_TOKENS = 40, 9


def small(dialect: str) -> Callable[[Received], Script]:
    """Says what the bundled model would say, for a dialect in which llama.cpp deviates from the vendor."""

    def answer(received: Received) -> Script:
        text = received.body.decode()
        parts: list[Part] = [Say(ANSWER)]
        if PERSON in text:
            parts = [Say(KAI.model_dump_json())]
        elif RESULT in text:
            parts = [Say(TOLD)]
        elif WEATHER in text:
            parts = [Call("get_weather", {"city": "Kesti"})]
        elif "7 plus 4" in text:
            parts = [Say("11")]
        return plays(dialect, parts)(received)

    return answer


def plays(dialect: str, *turns: Sequence[Part]) -> Callable[[Received], Script]:
    """Answers that follow one another, streamed where the request asks for it; the last one stays."""
    left = list(turns)

    def answer(received: Received) -> Script:
        parts = left.pop(0) if len(left) > 1 else left[0]
        streamed = json.loads(received.body).get("stream", False)
        whole, events = _DIALECTS[dialect]
        if streamed:
            return stream(events(parts))
        return Script(pieces=(json.dumps(whole(parts)).encode(),))

    return answer


def late(answer: Callable[[Received], Script]) -> Callable[[Received], Script]:
    """The same, a second late."""

    def answers(received: Received) -> Script:
        script = answer(received)
        return Script(headers=script.headers, pieces=(1.0, *script.pieces), framing=script.framing)

    return answers


def broken(answer: Callable[[Received], Script]) -> Callable[[Received], Script]:
    """A streamed answer that breaks off behind its first words, in the middle of an event."""

    def answers(received: Received) -> Script:
        script = answer(received)
        begun = (*script.pieces[:6], b'data: {"ty')
        return Script(headers=script.headers, pieces=begun, framing="chunked", end="reset")

    return answers


def fails(dialect: str, status: int, message: str = "scripted failure", retry_after: str = "") -> Script:
    """A provider's refusal."""
    error: Json = {"type": "server_error", "message": message}
    body: Json = {"type": "error", "error": error, "request_id": "req_1"}
    if dialect != "anthropic":
        body = {"error": error | {"param": None, "code": None}}
    headers = [("content-type", "application/json"), *([("retry-after", retry_after)] if retry_after else [])]
    return Script(status=status, headers=tuple(headers), pieces=(json.dumps(body).encode(),))


NONSENSE = Script(pieces=(b"nonsense",))


def _event(value: Json) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _pieces(text: str) -> list[str]:
    """Eight at most."""
    step = max(1, -(-len(text) // 8))
    return [text[at : at + step] for at in range(0, len(text), step)]


# OpenAI chat

_CHAT = {"id": "chatcmpl-scripted", "created": 1_760_000_000, "model": "scripted"}


def _chat_usage() -> Json:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _chat_call(part: Call | Patch) -> Json:
    if isinstance(part, Call):
        function = {"name": part.name, "arguments": json.dumps(part.arguments)}
        return {"id": part.id, "type": "function", "function": function}
    return {"id": part.id, "type": "custom", "custom": {"name": part.name, "input": part.text}}


def _chat(parts: Sequence[Part]) -> Json:
    message: Json = {
        "role": "assistant",
        "content": "".join(part.text for part in parts if isinstance(part, Say)) or None,
    }
    calls = [_chat_call(part) for part in parts if isinstance(part, Call | Patch)]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if calls else "stop"}
    return _CHAT | {"object": "chat.completion", "choices": [choice], "usage": _chat_usage()}


def _chat_events(parts: Sequence[Part]) -> list[bytes]:
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    calls = 0
    for part in parts:
        if isinstance(part, Say):
            deltas += [{"content": piece} for piece in _pieces(part.text)]
        elif isinstance(part, Call | Patch):
            whole = _chat_call(part)
            kind, key = ("function", "arguments") if isinstance(part, Call) else ("custom", "input")
            text = whole[kind][key]
            deltas.append({"tool_calls": [whole | {"index": calls, kind: whole[kind] | {key: ""}}]})
            deltas += [{"tool_calls": [{"index": calls, kind: {key: piece}}]} for piece in _pieces(text)]
            calls += 1
    finish = "tool_calls" if calls else "stop"
    chunks: list[Json] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    chunks.append({"choices": [], "usage": _chat_usage()})
    return [_event(_CHAT | {"object": "chat.completion.chunk"} | chunk) for chunk in chunks] + [b"data: [DONE]\n\n"]


# Anthropic messages


def _message_block(part: Part) -> Json:
    match part:
        case Say():
            return {"type": "text", "text": part.text}
        case Call():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
        case Think():
            return {"type": "thinking", "thinking": part.text, "signature": part.sealed}
        case Patch():
            raise TypeError("Anthropic has no tools that take any text")


def _message(parts: Sequence[Part]) -> Json:
    calls = any(isinstance(part, Call) for part in parts)
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [_message_block(part) for part in parts],
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "output_tokens": OUTPUT_TOKENS,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        },
    }


def _message_events(parts: Sequence[Part]) -> list[bytes]:
    whole = _message(parts)
    begun = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
    events: list[Json] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        deltas: list[Json]
        match block["type"]:
            case "text":
                empty = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
            case "tool_use":
                empty = block | {"input": {}}
                pieces = _pieces(json.dumps(block["input"]))
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]
            case _:
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ended, "usage": {"output_tokens": OUTPUT_TOKENS}})
    events.append({"type": "message_stop"})
    return [f"event: {event['type']}\n".encode() + _event(event) for event in events]


# OpenAI responses


def _item(index: int, part: Part) -> Json:
    match part:
        case Say():
            content = {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}
            item: Json = {"type": "message", "role": "assistant", "status": "completed", "content": [content]}
            return item | {"id": f"msg_{index}"}
        case Call():
            item = {"type": "function_call", "name": part.name, "arguments": json.dumps(part.arguments)}
            return item | {"id": f"fc_{index}", "call_id": part.id, "status": "completed"}
        case Patch():
            item = {"type": "custom_tool_call", "name": part.name, "input": part.text}
            return item | {"id": f"ctc_{index}", "call_id": part.id, "status": "completed"}
        case Think():
            summary = [{"type": "summary_text", "text": part.text}]
            return {"type": "reasoning", "id": f"rs_{index}", "summary": summary, "encrypted_content": part.sealed}


def _response(parts: Sequence[Part]) -> Json:
    return {
        "id": "resp_scripted",
        "object": "response",
        "created_at": 1_760_000_000,
        "completed_at": 1_760_000_001,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": "scripted",
        "output": [_item(index, part) for index, part in enumerate(parts)],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": OUTPUT_TOKENS,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        },
    }


def _item_events(index: int, item: Json) -> list[Json]:
    """Of one item, without sequence numbers."""
    here = {"item_id": item["id"], "output_index": index}
    events: list[Json] = []
    match item["type"]:
        case "message":
            part = item["content"][0]
            at = here | {"content_index": 0}
            begun = item | {"status": "in_progress", "content": []}
            events.append({"type": "response.content_part.added", "part": part | {"text": ""}} | at)
            events += [
                {"type": "response.output_text.delta", "delta": piece, "logprobs": []} | at
                for piece in _pieces(part["text"])
            ]
            events.append({"type": "response.output_text.done", "text": part["text"], "logprobs": []} | at)
            events.append({"type": "response.content_part.done", "part": part} | at)
        case "reasoning":
            part = item["summary"][0]
            at = here | {"summary_index": 0}
            begun = item | {"summary": [], "encrypted_content": None}
            events.append({"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}} | at)
            events += [
                {"type": "response.reasoning_summary_text.delta", "delta": piece} | at
                for piece in _pieces(part["text"])
            ]
            events.append({"type": "response.reasoning_summary_text.done", "text": part["text"]} | at)
            events.append({"type": "response.reasoning_summary_part.done", "part": part} | at)
        case kind:
            key, name = (
                ("arguments", "function_call_arguments")
                if kind == "function_call"
                else ("input", "custom_tool_call_input")
            )
            begun = item | {"status": "in_progress", key: ""}
            events += [{"type": f"response.{name}.delta", "delta": piece} | here for piece in _pieces(item[key])]
            events.append({"type": f"response.{name}.done", key: item[key]} | here)
    added = {"type": "response.output_item.added", "output_index": index, "item": begun}
    return [added, *events, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _response_events(parts: Sequence[Part]) -> list[bytes]:
    whole = _response(parts)
    begun = whole | {"status": "in_progress", "output": [], "usage": None, "completed_at": None}
    events = [{"type": f"response.{what}", "response": begun} for what in ("created", "in_progress")]
    for index, item in enumerate(whole["output"]):
        events += _item_events(index, item)
    events.append({"type": "response.completed", "response": whole})
    return [
        f"event: {event['type']}\n".encode() + _event(event | {"sequence_number": number})
        for number, event in enumerate(events)
    ]


_DIALECTS: dict[str, tuple[Callable[[Sequence[Part]], Json], Callable[[Sequence[Part]], list[bytes]]]] = {
    "openai": (_chat, _chat_events),
    "anthropic": (_message, _message_events),
    "responses": (_response, _response_events),
}


# ---- what a provider was asked


@dataclass
class Heard:
    """A request in one form, whatever its dialect."""

    system: str
    """Everything instructed, wherever it stood."""
    users: list[str]
    """Each text of the user."""
    tools: list[str]
    calls: list[tuple[str, Any, str]]
    """Name, arguments (text for a custom tool) and id."""
    results: list[tuple[str, str]]
    """Id of the call and what came of it."""
    body: Json


def heard(dialect: str, received: Received) -> Heard:
    body: Json = json.loads(received.body)
    found = Heard("", [], [], [], [], body)
    {"openai": _heard_chat, "anthropic": _heard_messages, "responses": _heard_responses}[dialect](body, found)
    return found


def _texts(content: Any) -> list[str]:
    if content is None or isinstance(content, str):
        return [content] if content else []
    return [part["text"] for part in content if "text" in part]


def _heard_chat(body: Json, found: Heard) -> None:
    for tool in body.get("tools", ()):
        found.tools.append(tool[tool["type"]]["name"])
    for message in body["messages"]:
        texts = _texts(message.get("content"))
        match message["role"]:
            case "system" | "developer":
                found.system += "\n".join(texts)
            case "user":
                found.users += texts
            case "tool":
                found.results.append((message["tool_call_id"], "\n".join(texts)))
        for call in message.get("tool_calls", ()):
            if call["type"] == "function":
                function = call["function"]
                found.calls.append((function["name"], json.loads(function["arguments"]), call["id"]))
            else:
                found.calls.append((call["custom"]["name"], call["custom"]["input"], call["id"]))


def _heard_messages(body: Json, found: Heard) -> None:
    found.system = "\n".join(_texts(body.get("system")))
    found.tools = [tool["name"] for tool in body.get("tools", ())]
    for message in body["messages"]:
        if message["role"] == "system":
            found.system += "\n".join(_texts(message["content"]))
            continue
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        for block in blocks:
            match block["type"]:
                case "text" if message["role"] == "user":
                    found.users.append(block["text"])
                case "tool_use":
                    found.calls.append((block["name"], block["input"], block["id"]))
                case "tool_result":
                    found.results.append((block["tool_use_id"], "\n".join(_texts(block.get("content")))))


def _heard_responses(body: Json, found: Heard) -> None:
    found.system = body.get("instructions") or ""
    found.tools = [tool.get("name", tool["type"]) for tool in body.get("tools", ())]
    items = body["input"]
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        match item.get("type", "message"):
            case "message":
                texts = _texts(item["content"])
                if item["role"] in ("system", "developer"):
                    found.system += "\n".join(texts)
                elif item["role"] == "user":
                    found.users += texts
            case "function_call":
                found.calls.append((item["name"], json.loads(item["arguments"]), item["call_id"]))
            case "custom_tool_call":
                found.calls.append((item["name"], item["input"], item["call_id"]))
            case "function_call_output" | "custom_tool_call_output":
                found.results.append((item["call_id"], "\n".join(_texts(item["output"]))))
