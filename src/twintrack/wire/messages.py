"""Anthropic messages: POST /v1/messages (Anthropic API reference, version 2023-06-01)."""

from __future__ import annotations

from typing import Any

import msgspec

from twintrack.errors import PromptTooLong, ProviderRefused, TwintrackError, UpstreamError
from twintrack.wire.body import with_members, with_model
from twintrack.wire.dialect import UNREADABLE, Asked, Endpoint, Tokens, has_labels, without_labels
from twintrack.wire.foreign import without_foreign_thinking
from twintrack.wire.prompt import Prompt
from twintrack.wire.reported.anthropic import AnthropicUsage, anthropic_usage, begun, merged
from twintrack.wire.stream import PassingStream
from twintrack.wire.usage import Odd, Usage

_MODALITY_OF_BLOCK = {"image": "image", "document": "file"}
THREAD = "$.thread"
"""The conversation is kept at Anthropic, and the client sends only what is new (message threads, a beta since
2026-11-02, platform.claude.com/docs/en/build-with-claude/message-threads, read 2026-11-20)."""


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
    thread: Any = None

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

    def pinned(self) -> str:
        return "" if self.thread is None else THREAD

    def body_for(self, body: bytes, model: str) -> bytes:
        if self.model != model:
            body = with_model(body, model)
        if self.metadata and has_labels(self.metadata):
            body = with_members(body, {"metadata": without_labels(self.metadata)})
        if b'"signature"' in body or b'"redacted_thinking"' in body:
            body = without_foreign_thinking(body)
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


class _Answer(msgspec.Struct):
    content: list[msgspec.Raw]
    usage: AnthropicUsage | Odd = None


class _Started(msgspec.Struct):
    usage: AnthropicUsage | Odd = None


class _BlockStart(msgspec.Struct):
    type: str = ""


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Started | None = None
    content_block: _BlockStart | None = None
    delta: _Delta | None = None
    usage: AnthropicUsage | Odd = None


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)


def read_usage(body: bytes) -> Usage:
    try:
        return anthropic_usage(_ANSWER.decode(body).usage)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no message", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None


class MessagesStream(PassingStream):
    __slots__ = ("_said",)

    def __init__(self, strip_usage: bool) -> None:
        super().__init__()
        self._said: AnthropicUsage | Odd = None
        """The usage of what was seen so far."""

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
                self._say(begun(event.message.usage))
        elif kind == "message_delta":
            self.content = True
            if event.usage is not None:
                self._say(merged(self._said, event.usage))
        elif kind == "message_stop":
            self.finished = self.content = True
        elif kind == "error":
            self.failure = "error event"

    def _say(self, said: AnthropicUsage | Odd) -> None:
        self._said = said
        self._usage = anthropic_usage(said)


class _Details(msgspec.Struct):
    error_code: str
    unsupported: tuple[str, ...]


class _Error(msgspec.Struct, omit_defaults=True):
    type: str
    message: str
    details: _Details | None = None


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


_NO_THREAD = _Details("thread_unsupported_request", ("thread",))
"""By this clients know that they must send the whole conversation, and do so by themselves: Anthropic's SDK (2.11.0,
lib/threads/_thread_state.py) as well as Claude Code."""


def error_body(error: TwintrackError, request_id: str) -> bytes:
    kind = _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "api_error")
    details = _NO_THREAD if getattr(error, "param", None) == THREAD else None
    return msgspec.json.encode(_ErrorBody(_Error(kind, _words(error), details), request_id))


def _words(error: TwintrackError) -> str:
    """Anthropic's own where clients look for them to shorten a conversation (earendil-works/pi#102, December 2025) or
    to allow a shorter answer (anthropics/claude-code#228, February 2025)."""
    if isinstance(error, ProviderRefused) and error.too_long is not None:
        return f"{_TOO_LONG % error.too_long if error.too_long[0] else 'prompt is too long'}. {error}"
    if not isinstance(error, PromptTooLong):
        return str(error)
    tokens, window = error.prompt_tokens, error.window_tokens
    if tokens > window:
        what = _TOO_LONG % (tokens, window)
    else:
        what = (
            f"input length and `max_tokens` exceed context limit: {tokens} + {error.output_tokens} > {window}, "
            "decrease input length or `max_tokens` and try again"
        )
    return str(TwintrackError(what, why=error.why, fix=error.fix))


_TOO_LONG = "prompt is too long: %d tokens > %d maximum"


def error_event(error: TwintrackError, request_id: str) -> bytes:
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"


ENDPOINT = Endpoint(
    name="messages",
    dialect="anthropic",
    path="/v1/messages",
    decoder=msgspec.json.Decoder(MessagesRequest),
    read_usage=read_usage,
    open_stream=MessagesStream,
    error_body=error_body,
    error_event=error_event,
    forwarded=(b"anthropic-beta", b"anthropic-version"),
    id_lines=b"x-twintrack-id: %b\r\nrequest-id: %b\r\n",
)
