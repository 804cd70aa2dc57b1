"""Answers as the dialects shape them: chat completions, Responses, Messages and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from twintrack.providers.scripted.server import Script

_CREATED = 1_760_000_000


class Tokens(NamedTuple):
    """What an answer says it used."""

    input: int
    """All that was read, cached tokens included."""
    output: int
    cache_read: int = 0


# ---- chat completions


def chat_answer(
    text: str, prompt_tokens: int | None = 12, completion_tokens: int = 7, model: str = "scripted"
) -> Script:
    """An OpenAI chat completion; `prompt_tokens` None leaves usage out."""
    tokens = None if prompt_tokens is None else Tokens(prompt_tokens, completion_tokens)
    return Script(pieces=(chat_body(text, tokens, model),))


def chat_body(text: str, tokens: Tokens | None, model: str) -> bytes:
    message = {"role": "assistant", "content": text}
    answer: dict[str, object] = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    }
    if tokens is not None:
        answer["usage"] = _openai(tokens)
    return msgspec.json.encode(answer)


def chat_events(
    words: Sequence[str],
    usage: tuple[int, int] | tuple[int, int, int] | None = (12, 7),
    *,
    done: bool = True,
    model: str = "scripted",
) -> list[bytes]:
    """Server-sent events of a streamed chat completion; `usage` adds the extra event, `done` the end."""

    def chunk(delta: dict[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(opening | {"choices": [choice]})

    opening: dict[str, object] = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": model,
    }
    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": word}) for word in words]
    if done:
        events.append(chunk({}, "stop"))
    if usage is not None:
        events.append(_event(opening | {"choices": [], "usage": _openai(Tokens(*usage))}))
    if done:
        events.append(b"data: [DONE]\n\n")
    return events


def _openai(tokens: Tokens) -> dict[str, object]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read},
    }


def stream(events: Sequence[bytes | float], **rest: object) -> Script:
    """A streamed answer, one event a chunk."""
    return Script(
        headers=(("content-type", "text/event-stream"),),
        pieces=tuple(events),
        framing="chunked",
        **rest,  # type: ignore[arg-type]  # fields of Script by name
    )


# ---- messages


def message_answer(text: str, input_tokens: int = 12, output_tokens: int = 7) -> Script:
    """An Anthropic message. Three more tokens come from its cache, beside `input_tokens`."""
    return Script(pieces=(message_body(text, Tokens(input_tokens + 3, output_tokens, 3), "scripted"),))


def message_body(text: str, tokens: Tokens | None, model: str) -> bytes:
    answer = _message(model) | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    if tokens is not None:
        answer["usage"] = _anthropic(tokens)
    return msgspec.json.encode(answer)


def message_events(
    words: Sequence[str],
    input_tokens: int | None = 12,
    output_tokens: int | None = 7,
    cache_read: int = 0,
    *,
    model: str = "scripted",
) -> list[bytes]:
    """Server-sent events of a streamed Anthropic message.

    `input_tokens` is what its first event tells, beside `cache_read`, `output_tokens` what the last but one does; None:
    nothing.
    """
    started = _message(model) | {"content": []}
    if input_tokens is not None:
        started["usage"] = _anthropic(Tokens(input_tokens + cache_read, 1, cache_read))
    ending: dict[str, object] = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    if output_tokens is not None:
        ending["usage"] = {"output_tokens": output_tokens}
    return [
        _named("message_start", message=started),
        _named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        _named("ping"),
        *(_named("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in words),
        _named("content_block_stop", index=0),
        _named("message_delta", **ending),
        _named("message_stop"),
    ]


def _message(model: str) -> dict[str, object]:
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _anthropic(tokens: Tokens) -> dict[str, object]:
    return {
        "input_tokens": tokens.input - tokens.cache_read,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation_input_tokens": 0,
    }


# ---- responses


def response_body(text: str, tokens: Tokens | None, model: str) -> bytes:
    return msgspec.json.encode(_response(model, "completed", [_item(text, "completed")], tokens))


def response_events(words: Sequence[str], tokens: Tokens | None, model: str = "scripted") -> list[bytes]:
    """Server-sent events of a streamed response."""
    text = "".join(words)
    place: dict[str, object] = {"item_id": "msg_scripted", "output_index": 0, "content_index": 0}
    begun, item = _response(model, "in_progress", [], None), _item(text, "completed")
    events: list[tuple[str, dict[str, object]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": _item(None, "in_progress")}),
        ("response.content_part.added", place | {"part": _part("")}),
        *(("response.output_text.delta", place | {"delta": word, "logprobs": []}) for word in words),
        ("response.output_text.done", place | {"text": text, "logprobs": []}),
        ("response.content_part.done", place | {"part": _part(text)}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": _response(model, "completed", [item], tokens)}),
    ]
    return [_named(kind, **members, sequence_number=number) for number, (kind, members) in enumerate(events)]


def _response(model: str, status: str, output: list[object], tokens: Tokens | None) -> dict[str, object]:
    response: dict[str, object] = {
        "id": "resp_scripted",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "store": False,
    }
    if tokens is not None:
        response["usage"] = {
            "input_tokens": tokens.input,
            "input_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": 0},
            "output_tokens": tokens.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": tokens.input + tokens.output,
        }
    return response


def _item(text: str | None, status: str) -> dict[str, object]:
    content = [] if text is None else [_part(text)]
    return {"id": "msg_scripted", "type": "message", "status": status, "role": "assistant", "content": content}


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


# ---- embeddings


def embeddings_body(count: int, tokens: Tokens | None, model: str) -> bytes:
    data = [{"object": "embedding", "index": at, "embedding": [0.6, 0.0, -0.8]} for at in range(count)]
    answer: dict[str, object] = {"object": "list", "data": data, "model": model}
    if tokens is not None:
        answer["usage"] = {"prompt_tokens": tokens.input, "total_tokens": tokens.input}
    return msgspec.json.encode(answer)


# ---- errors


def error_answer(status: int, message: str = "scripted failure", retry_after: str | None = None) -> Script:
    """An error status in OpenAI's form."""
    headers = [("content-type", "application/json")]
    if retry_after is not None:
        headers.append(("retry-after", retry_after))
    return Script(status=status, headers=tuple(headers), pieces=(error_body("chat", message),))


def error_body(endpoint: str, message: str, kind: str = "server_error", code: str | None = None) -> bytes:
    """As the dialect of an endpoint says that something failed."""
    if endpoint == "messages":
        return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def error_event(endpoint: str, message: str, kind: str = "server_error", code: str | None = None) -> bytes:
    """The same inside a stream."""
    if endpoint == "responses":
        # One level deeper than the reference (spec 2.3.0) says, as OpenAI's servers do; else its SDKs pass it over.
        nested = {"type": kind, "code": code or kind, "message": message, "param": None}
        return _named("error", error=nested, sequence_number=9)
    body = error_body(endpoint, message, kind, code)
    return (b"event: error\n" if endpoint == "messages" else b"") + b"data: " + body + b"\n\n"


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _named(kind: str, **members: object) -> bytes:
    return b"event: " + kind.encode() + b"\n" + _event({"type": kind, **members})
