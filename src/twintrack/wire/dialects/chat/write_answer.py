"""The canonical form to a chat completion as OpenAI's clients read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from twintrack.wire.canonical import custom
from twintrack.wire.canonical.answer import Answer, Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.request import Request
from twintrack.wire.canonical.signature import unmarked
from twintrack.wire.dialects.chat.read_request import FunctionsRequest
from twintrack.wire.reported.openai import as_openai

_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast"))
_FINISHES: dict[Finish, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "context": "length",
}


def finish_word(finish: Finish, refused: bool) -> str:
    """`refused`: the answer has a refusal's text, after which OpenAI says stop."""
    return "stop" if refused and finish == "refusal" else _FINISHES[finish]


def custom_names(request: Request) -> frozenset[str]:
    """Tools the client declared as custom; a provider without such tools calls them as functions."""
    return frozenset(tool.name for tool in request.tools if tool.kind == "custom")


def shows_thinking(request: Request) -> bool:
    return request.reasoning is None or request.reasoning.show != "none"


def write_answer(answer: Answer, reply: Reply) -> bytes:
    request = reply.request
    message, logprobs, refused = _message(answer, request)
    finish = finish_word(answer.finish, refused)
    if "function_call" in message and finish == "tool_calls":
        finish = "function_call"
    said: dict[str, Any] = {
        "id": answer.id or f"chatcmpl-{reply.id}",
        "object": "chat.completion",
        "created": answer.created or reply.now,
        "model": answer.model or request.model,
        "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish}],
    }
    usage = as_openai(answer.usage)
    if usage is not None:
        said["usage"] = usage
    if answer.service_tier in _TIERS:
        said["service_tier"] = answer.service_tier
    return msgspec.json.encode(said)


def _message(answer: Answer, request: Request) -> tuple[dict[str, Any], dict[str, Any] | None, bool]:
    texts: list[str] = []
    written = 0
    refusals: list[str] = []
    annotations: list[dict[str, Any]] = []
    thoughts: list[str] = []
    blocks: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    logprobs: list[dict[str, Any]] = []
    customs = custom_names(request) if request.tools else frozenset[str]()
    for part in answer.parts:
        if isinstance(part, Text):
            end = written + len(part.text)
            annotations += [annotation(cited, written, end) for cited in part.citations if cited.url]
            logprobs += [logprob(each) for each in part.logprobs]
            texts.append(part.text)
            written = end
        elif isinstance(part, ToolCall):
            calls.append(_call(part, customs))
        elif isinstance(part, Thinking):
            if part.text:
                thoughts.append(part.text)
            if part.sealed or (part.signature and (part.text or not unmarked(part.signature).maker)):
                # One without text that another maker signed stands for the call behind it, which carries it too.
                blocks.append(thinking_block(part))
        elif isinstance(part, Refusal):
            refusals.append(part.text)
    text = "".join(texts)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text if text or not (calls or refusals) else None,
        "refusal": "".join(refusals) if refusals else None,
        "annotations": annotations,
    }
    if thoughts and shows_thinking(request):
        message["reasoning_content"] = "\n\n".join(thoughts)
    if blocks and shows_thinking(request):
        message["thinking_blocks"] = blocks
    if calls:
        if isinstance(request, FunctionsRequest) and len(calls) == 1 and "function" in calls[0]:
            message["function_call"] = calls[0]["function"]
        else:
            message["tool_calls"] = calls
    return message, {"content": logprobs, "refusal": None} if logprobs else None, bool(refusals)


def _call(call: ToolCall, customs: Iterable[str]) -> dict[str, Any]:
    said: dict[str, Any]
    if call.custom or call.name in customs:
        text = call.arguments if call.custom else custom.unwrapped(call.arguments)
        said = {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": text}}
    else:
        function = {"name": call.name, "arguments": call.arguments or "{}"}
        said = {"id": call.id, "type": "function", "function": function}
    if call.signature:
        said["extra_content"] = {"google": {"thought_signature": call.signature}}
    return said


def thinking_block(thinking: Thinking) -> dict[str, Any]:
    """LiteLLM's form (docs.litellm.ai, reasoning content, 2026-10-02), so that a client can send it back."""
    if thinking.sealed:
        sealed = {"type": "redacted_thinking", "data": thinking.sealed}
        return {**sealed, "id": thinking.id} if thinking.id else sealed
    return {"type": "thinking", "thinking": thinking.text, "signature": thinking.signature}


def annotation(cited: Citation, begin: int, end: int) -> dict[str, Any]:
    """`begin`, `end`: of the text part it belongs to, in the whole answer."""
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": begin if cited.start < 0 else begin + cited.start,
            "end_index": end if cited.end < 0 else begin + cited.end,
            "title": cited.title,
            "url": cited.url,
        },
    }


def logprob(said: Logprob) -> dict[str, Any]:
    return {
        "token": said.token,
        "logprob": said.logprob,
        "bytes": said.bytes,
        "top_logprobs": [{"token": top.token, "logprob": top.logprob, "bytes": top.bytes} for top in said.top],
    }
