"""A provider's events, told to a sink."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Sink
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.messages.answer import StopDetails, finish_of, signature_of
from twintrack.wire.dialects.messages.citations import read_citation
from twintrack.wire.reported.anthropic import AnthropicUsage, anthropic_usage, begun, merged
from twintrack.wire.usage import Odd, Usage

_NO_RAW = msgspec.Raw(b"")


class _Delta(msgspec.Struct, gc=False):
    """Of a block, and of the message."""

    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: msgspec.Raw = _NO_RAW
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NO_RAW


class _Started(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: AnthropicUsage | Odd = None


class _Error(msgspec.Struct, gc=False):
    type: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    delta: _Delta | None = None
    index: int = 0
    content_block: _Block | None = None
    message: _Started | None = None
    usage: AnthropicUsage | Odd = None


class _Failed(msgspec.Struct, gc=False):
    error: _Error | str | None = None


_EVENT = msgspec.json.Decoder(_Event).decode
_FAILED = msgspec.json.Decoder(_Failed)


class _Call:
    __slots__ = ("argued", "number", "whole")

    def __init__(self, number: int, whole: str) -> None:
        self.number = number
        self.whole = whole
        """Its arguments as they stood at its beginning; some servers give them there and nothing behind."""
        self.argued = False


class MessagesReader:
    __slots__ = (
        "_begun",
        "_called",
        "_calls",
        "_ended",
        "_finish",
        "_said",
        "_sink",
        "content",
        "failure",
        "finished",
        "usage",
    )

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.content = False
        self.finished = False
        self.failure = ""
        self.usage = Usage()
        self._begun = False
        self._ended = False
        self._finish = ""
        """The stop_reason."""
        self._calls: dict[int, _Call] = {}
        """Calls being made, by the index of their block."""
        self._called = 0
        self._said: AnthropicUsage | Odd = None

    def see(self, payload: bytes) -> None:
        if self._ended:
            self._see_late(payload)
            return
        try:
            event = _EVENT(payload)
            if self._finish:
                self._see_behind(event, payload)
                return
            if event.type == "content_block_delta":
                delta = event.delta
                if delta is not None:
                    if delta.type == "text_delta":
                        if not self._begun:
                            self._begin(None)
                        if delta.text:
                            self.content = True
                            self._sink.text(delta.text)
                    else:
                        self._see_delta(delta, event.index)
                return
            self._see_rare(event, payload)
        except UNREADABLE as error:
            raise UpstreamError("The provider's stream holds an event of another dialect", why=str(error)) from None

    def close(self) -> None:
        """The end was told, or there is none."""

    def _begin(self, started: _Started | None) -> None:
        if self._begun:
            return
        self._begun = True
        if started is None:
            started = _Started()
        self._sink.begin(started.id or "", started.model or "", 0)

    def _see_delta(self, delta: _Delta, index: int) -> None:
        """What is no text. Kinds we do not know are no news to a client of another dialect."""
        self._begin(None)
        kind = delta.type
        if kind == "input_json_delta":
            call = self._calls.get(index)
            if call is not None and delta.partial_json:
                call.argued = self.content = True
                self._sink.arguments(call.number, delta.partial_json)
        elif kind == "thinking_delta":
            if delta.thinking:
                self.content = True
                self._sink.thinking(delta.thinking)
        elif kind == "signature_delta":
            if signature := signature_of(delta.signature):
                self._sink.signature(signature)
        elif kind == "citations_delta" and delta.citation is not _NO_RAW:
            self._sink.citation(read_citation(delta.citation))

    def _see_rare(self, event: _Event, payload: bytes) -> None:
        kind = event.type
        if kind == "content_block_start":
            if event.content_block is not None:
                self._begin(None)
                self._start_block(event.content_block, event.index)
        elif kind == "content_block_stop":
            self._stop_block(event.index)
        elif kind == "message_start":
            if event.message is not None:
                self._say(begun(event.message.usage))
            self._begin(event.message)
        elif kind == "message_delta":
            if event.usage is not None:
                self._say(merged(self._said, event.usage))
            if event.delta is not None:
                self._stop(event.delta)
        elif kind == "error":
            self.failure = _failure(payload)

    def _see_behind(self, event: _Event, payload: bytes) -> None:
        """An event after the stop_reason: no content comes any more."""
        if event.type == "message_delta":
            if event.usage is not None:
                self._say(merged(self._said, event.usage))
        elif event.type == "message_stop":
            self._end()
        elif event.type == "error":
            self.failure = _failure(payload)

    def _see_late(self, payload: bytes) -> None:
        """Nothing follows an end but usage that is owed: no news to the client, and it still counts."""
        if self.usage.output_tokens is not None:
            return
        try:
            event = _EVENT(payload)
        except UNREADABLE:
            return
        if event.type == "message_delta" and event.usage is not None:
            self._say(merged(self._said, event.usage))

    def _start_block(self, block: _Block, index: int) -> None:
        """Blocks of the provider's own tools are passed over."""
        kind = block.type
        sink = self._sink
        if kind == "tool_use":
            self.content = True
            whole = "" if block.input is _NO_RAW else bytes(block.input).decode()
            self._calls[index] = _Call(self._called, "" if whole in ("", "null") else whole)
            sink.call(self._called, block.id or "", block.name or "", False)
            self._called += 1
        elif kind == "text":
            if block.text:
                self.content = True
                sink.text(block.text)
        elif kind == "thinking":
            if block.thinking:
                self.content = True
                sink.thinking(block.thinking)
            if signature := signature_of(block.signature):
                sink.signature(signature)
        elif kind == "redacted_thinking" and block.data:
            self.content = True
            sink.sealed(block.data, "")

    def _stop_block(self, index: int) -> None:
        call = self._calls.pop(index, None)
        if call is not None and not call.argued:
            self._sink.arguments(call.number, call.whole or "{}")
        if self._begun:
            self._sink.boundary()

    def _stop(self, delta: _Delta) -> None:
        if delta.stop_details is not None and delta.stop_details.explanation:
            self.content = True
            self._begin(None)
            self._sink.refusal(delta.stop_details.explanation)
        if delta.stop_reason:
            self.content = True
            self._begin(None)
            for index in tuple(self._calls):
                self._stop_block(index)
            self._finish = delta.stop_reason
            self._sink.finish(finish_of(delta.stop_reason, self._called > 0), delta.stop_sequence or "")

    def _end(self) -> None:
        if self.failure:
            return
        self._ended = self.finished = self.content = True
        self._sink.usage(self.usage)
        self._sink.end()

    def _say(self, said: AnthropicUsage | Odd) -> None:
        self._said = said
        self.usage = anthropic_usage(said)


def _failure(payload: bytes) -> str:
    """The error's type. Its message may hold the prompt."""
    try:
        error = _FAILED.decode(payload).error
    except UNREADABLE:
        return "error event"
    if isinstance(error, _Error) and error.type:
        return f"error event ({error.type[:60]})"
    return "error event"
