"""OpenAI chat completions: POST /v1/chat/completions (OpenAI API reference, spec 2.3.0)."""

from __future__ import annotations

import msgspec

from twintrack.errors import TwintrackError, UpstreamError
from twintrack.wire import sse
from twintrack.wire.body import member, with_first, with_members, with_model
from twintrack.wire.dialect import UNREADABLE, Asked, Endpoint, Tokens, has_labels, without_labels
from twintrack.wire.prompt import Prompt
from twintrack.wire.reported.openai import OpenAIUsage, Timings, openai_usage, timings_usage
from twintrack.wire.stream import TAIL_BYTES, PassingStream
from twintrack.wire.usage import NO_USAGE, Odd, Usage

_MODALITY_OF_PART = {"image_url": "image", "input_audio": "audio", "video_url": "video", "file": "file"}


class Part(msgspec.Struct):
    type: str
    text: str | None = None


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None
    tool_calls: list[msgspec.Raw] | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ChatRequest(Asked, kw_only=True):
    messages: list[Message]
    tools: list[msgspec.Raw] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    stream_options: StreamOptions | msgspec.UnsetType | None = msgspec.UNSET

    def prompt(self) -> Prompt:
        texts: list[str] = []
        seen = {"text"}
        first_user = last_user = ""
        tools = bool(self.tools)
        for message in self.messages:
            content = message.content
            if message.tool_calls or message.role == "tool":
                tools = True
            if content is None:
                continue
            if isinstance(content, str):
                text = content
            else:
                text = "\n".join(part.text for part in content if part.text is not None)
                seen.update(_MODALITY_OF_PART[part.type] for part in content if part.type in _MODALITY_OF_PART)
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
            max(self.max_completion_tokens or self.max_tokens or 0, 0),
        )

    def wants_usage(self) -> bool:
        return isinstance(self.stream_options, StreamOptions) and self.stream_options.include_usage is True

    def body_for(self, body: bytes, model: str) -> bytes:
        if self.model != model:
            body = with_model(body, model)
        if self.metadata and has_labels(self.metadata):
            body = with_members(body, {"metadata": without_labels(self.metadata)})
        if self.stream and not self.wants_usage():
            if self.stream_options is msgspec.UNSET:
                return with_first(body, b'"stream_options":{"include_usage":true}')
            said = member(body, "stream_options") if self.stream_options is not None else b"{}"
            return with_members(body, {"stream_options": with_members(said, {"include_usage": b"true"})})
        return body


class _Answer(msgspec.Struct):
    choices: list[msgspec.Raw]
    usage: OpenAIUsage | Odd = None
    timings: Timings | Odd = None


class _Delta(msgspec.Struct):
    content: object = None
    reasoning_content: object = None
    reasoning: object = None
    refusal: object = None
    tool_calls: object = None
    function_call: object = None
    audio: object = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: OpenAIUsage | Odd = None
    error: object = None


class _WithUsage(msgspec.Struct):
    usage: OpenAIUsage | Odd = None


class _Last(msgspec.Struct):
    """Other places for usage in the chunk that has the finish reason: Groq's, Moonshot's, llama.cpp's."""

    choices: list[_WithUsage]
    x_groq: _WithUsage | Odd = None
    timings: Timings | Odd = None


_ANSWER = msgspec.json.Decoder(_Answer)
_CHUNK = msgspec.json.Decoder(_Chunk)
_LAST = msgspec.json.Decoder(_Last)


def read_usage(body: bytes) -> Usage:
    try:
        answer = _ANSWER.decode(body)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no chat completion", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    return timings_usage(answer.timings) if answer.usage is None else openai_usage(answer.usage)


def _usage_elsewhere(text: bytes) -> Usage:
    try:
        last = _LAST.decode(text)
    except UNREADABLE:
        return NO_USAGE
    if isinstance(last.x_groq, _WithUsage) and last.x_groq.usage is not None:
        return openai_usage(last.x_groq.usage)
    for choice in last.choices:
        if choice.usage is not None:
            return openai_usage(choice.usage)
    return timings_usage(last.timings)


class ChatStream(PassingStream):
    __slots__ = ("_strip",)

    def __init__(self, strip_usage: bool) -> None:
        super().__init__()
        self._strip = strip_usage

    def see(self, text: bytes) -> None:
        if text == b"[DONE]":
            self.finished = True
            return
        try:
            chunk = _CHUNK.decode(text)
        except UNREADABLE as error:
            raise UpstreamError("The provider's stream holds an event that is no chunk", why=str(error)) from None
        if chunk.error is not None:
            self.failure = "error event"
        if chunk.usage is not None:
            self._usage = openai_usage(chunk.usage)
        for choice in chunk.choices or ():
            if choice.finish_reason is not None:
                self.finished = self.content = True
                if self._usage is NO_USAGE:
                    self._usage = _usage_elsewhere(text)
            elif choice.delta is not None and not self.content:
                delta = choice.delta
                self.content = bool(
                    delta.content
                    or delta.reasoning_content
                    or delta.reasoning
                    or delta.refusal
                    or delta.tool_calls
                    or delta.function_call
                    or delta.audio
                )

    def feed(self, data: bytes) -> bytes:
        if not self.content:
            return self.open(data)
        self.pieces += 1
        self._tail.append(data)
        self._tail_bytes += len(data)
        if self._tail_bytes > TAIL_BYTES:
            self.trim()
        if (
            not self._rest
            and data.endswith(b"\n\n")
            and (not self._strip or (b'"choices":[]' not in data and b'"choices": []' not in data))
        ):
            return data
        return self.whole(data)

    def kept(self, events: list[bytes]) -> bytes:
        if self._strip:
            events = [event for event in events if not _is_usage(event)]
        return b"".join(events)


def _is_usage(event: bytes) -> bool:
    """The extra event that `include_usage` adds: usage, and no choice."""
    if b'"choices":[]' not in event and b'"choices": []' not in event:
        return False
    try:
        chunk = _CHUNK.decode(sse.payload(event))
    except UNREADABLE:
        return False
    return chunk.choices == [] and chunk.usage is not None


class _Error(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str


class _ErrorBody(msgspec.Struct):
    error: _Error


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_body(error: TwintrackError, request_id: str) -> bytes:
    kind = _TYPES.get(error.status) or ("invalid_request_error" if error.status < 500 else "server_error")
    return msgspec.json.encode(_ErrorBody(_Error(str(error), kind, getattr(error, "param", None), error.code)))


def error_event(error: TwintrackError, request_id: str) -> bytes:
    return b"data: " + error_body(error, request_id) + b"\n\n"


ENDPOINT = Endpoint(
    name="chat",
    dialect="openai",
    path="/v1/chat/completions",
    decoder=msgspec.json.Decoder(ChatRequest),
    read_usage=read_usage,
    open_stream=ChatStream,
    error_body=error_body,
    error_event=error_event,
    forwarded=(b"openai-organization", b"openai-project", b"openai-beta"),
)
