"""Anthropic messages: POST /v1/messages (Anthropic API reference, version 2023-06-01)."""

from __future__ import annotations

from typing import Any

import msgspec

from twintrack.errors import TwintrackError, UpstreamError
from twintrack.wire.body import with_members, with_model
from twintrack.wire.dialect import UNREADABLE, Asked, Endpoint, Tokens, has_labels, without_labels
from twintrack.wire.prompt import Prompt
from twintrack.wire.stream import PassingStream, known, total
from twintrack.wire.usage import NO_USAGE, Usage

_MODALITY_OF_BLOCK = {"image": "image", "document": "file"}


class Block(msgspec.Struct):
    type: str
    text: str | None = None
    content: Any = None
    """Of a tool result: text or blocks."""


class Message(msgspec.Struct):
    role: str
    content: str | list[Block]


class MessagesRequest(Asked, kw_only=True):
    messages: list[Message]
    max_tokens: Tokens
    system: str | list[Block] | None = None
    tools: list[msgspec.Raw] | None = None

    def prompt(self) -> Prompt:
        texts: list[str] = []
        seen = {"text"}
        first_user = last_user = ""
        tools = bool(self.tools)
        if self.system:
            texts.append(_text(self.system))
        for message in self.messages:
            content = message.content
            text = _text(content)
            if not isinstance(content, str):
                for block in content:
                    if block.type in _MODALITY_OF_BLOCK:
                        seen.add(_MODALITY_OF_BLOCK[block.type])
                    elif block.type in ("tool_use", "tool_result"):
                        tools = True
            texts.append(text)
            if message.role == "user":
                first_user = first_user or text
                last_user = text
        return Prompt(
            tuple(texts),
            first_user,
            last_user,
            ("text",) if len(seen) == 1 else ("text", *sorted(seen - {"text"})),
            tools,
            len(self.messages),
            max(self.max_tokens, 0),
        )

    def body_for(self, body: bytes, model: str) -> bytes:
        if self.model != model:
            body = with_model(body, model)
        if self.metadata and has_labels(self.metadata):
            body = with_members(body, {"metadata": without_labels(self.metadata)})
        return body


def _text(content: str | list[Block]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(found for block in content for found in (block.text, _result_text(block.content)) if found)


def _result_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(
            block["text"] for block in content if isinstance(block, dict) and isinstance(block.get("text"), str)
        )
    return ""


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Answer(msgspec.Struct):
    content: list[msgspec.Raw]
    usage: _Usage | None = None


class _Started(msgspec.Struct):
    usage: _Usage | None = None


class _BlockStart(msgspec.Struct):
    type: str = ""


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Started | None = None
    content_block: _BlockStart | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)


def usage_of(usage: _Usage | None) -> Usage:
    """Anthropic counts cached tokens beside `input_tokens`; we count them in."""
    if usage is None:
        return NO_USAGE
    read, write = known(usage.cache_read_input_tokens), known(usage.cache_creation_input_tokens)
    return Usage(total(known(usage.input_tokens), read, write), known(usage.output_tokens), read, write, None)


def read_usage(body: bytes) -> Usage:
    try:
        return usage_of(_ANSWER.decode(body).usage)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no message", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None


class MessagesStream(PassingStream):
    __slots__ = ()

    def __init__(self, strip_usage: bool) -> None:
        super().__init__()

    def see(self, text: bytes) -> None:
        try:
            event = _EVENT.decode(text)
        except UNREADABLE as error:
            raise UpstreamError("The provider's stream holds an event of another dialect", why=str(error)) from None
        kind = event.type
        if kind == "content_block_delta":
            self.content = True
        elif kind == "content_block_start":
            self.content = self.content or (event.content_block is not None and event.content_block.type == "tool_use")
        elif kind == "message_start":
            if event.message is not None:
                # Its output tokens are where the count begins; only `message_delta` says where it ends.
                self._usage = msgspec.structs.replace(usage_of(event.message.usage), output_tokens=None)
        elif kind == "message_delta":
            self.content = True
            if event.usage is not None:
                self._usage = _merged(self._usage, usage_of(event.usage))
        elif kind == "message_stop":
            self.finished = self.content = True
        elif kind == "error":
            self.failure = "error event"


def _merged(start: Usage, end: Usage) -> Usage:
    """The last event repeats what it knows and leaves out the rest; its counts are cumulative."""
    return Usage(
        end.input_tokens if end.input_tokens else start.input_tokens,
        end.output_tokens if end.output_tokens is not None else start.output_tokens,
        end.cache_read_tokens if end.cache_read_tokens is not None else start.cache_read_tokens,
        end.cache_write_tokens if end.cache_write_tokens is not None else start.cache_write_tokens,
        None,
    )


class _Error(msgspec.Struct):
    type: str
    message: str


class _ErrorBody(msgspec.Struct):
    error: _Error
    request_id: str
    type: str = "error"


_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(error: TwintrackError, request_id: str) -> bytes:
    kind = _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    return msgspec.json.encode(_ErrorBody(_Error(kind, str(error)), request_id))


def error_event(error: TwintrackError, request_id: str) -> bytes:
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"


ENDPOINT = Endpoint(
    name="messages",
    dialect="anthropic",
    path="/v1/messages",
    upstream_path="/messages",
    decoder=msgspec.json.Decoder(MessagesRequest),
    read_usage=read_usage,
    open_stream=MessagesStream,
    error_body=error_body,
    error_event=error_event,
    forwarded=(b"anthropic-beta", b"anthropic-version"),
)
