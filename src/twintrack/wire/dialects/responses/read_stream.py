"""A provider's streamed response, event by event, told to a sink."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Sink
from twintrack.wire.canonical.parts import Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.responses import said
from twintrack.wire.reported.openai import responses_usage
from twintrack.wire.usage import NO_USAGE, Odd

T = TypeVar("T")


class _Event(msgspec.Struct, gc=False):
    """What most events are: a piece of something."""

    type: str = ""
    delta: str | None = None
    output_index: int = 0
    logprobs: list[said.TokenLogprob] | None = None


class _OtherEvent(msgspec.Struct, gc=False):
    type: str = ""


class _ItemEvent(msgspec.Struct, gc=False):
    item: said.Item
    output_index: int = 0


class _PartEvent(msgspec.Struct, gc=False):
    part: said.Content
    output_index: int = 0
    summary_index: int = 0


class _DoneEvent(msgspec.Struct, gc=False):
    output_index: int = 0
    arguments: str | None = None
    input: str | None = None


class _AnnotationEvent(msgspec.Struct, gc=False):
    annotation: msgspec.Raw


class _ResponseEvent(msgspec.Struct, gc=False):
    response: said.Response


class _ErrorEvent(msgspec.Struct, gc=False):
    code: str | int | None = None
    error: said.Failure | Odd = None


_EVENT = msgspec.json.Decoder(_Event).decode
_OTHER = msgspec.json.Decoder(_OtherEvent).decode
_ITEM = msgspec.json.Decoder(_ItemEvent)
_PART = msgspec.json.Decoder(_PartEvent)
_DONE = msgspec.json.Decoder(_DoneEvent)
_ANNOTATION = msgspec.json.Decoder(_AnnotationEvent)
_RESPONSE = msgspec.json.Decoder(_ResponseEvent)
_ERROR = msgspec.json.Decoder(_ErrorEvent)


class _OpenItem:
    """What was told of one item of the output."""

    __slots__ = ("number", "pieces", "said", "thinking")

    def __init__(self) -> None:
        self.number = -1
        """Of a tool call, once the sink knows it."""
        self.pieces: list[str] = []
        """Arguments of a call that has no name yet."""
        self.said = False
        """Some of it came in pieces."""
        self.thinking = ""
        """Which of summary and text is told; the other says the same."""


class ResponsesReader:
    __slots__ = (
        "_begun",
        "_calls",
        "_ended",
        "_items",
        "_model",
        "_refused",
        "_sink",
        "_text",
        "_text_index",
        "_text_last",
        "content",
        "failure",
        "finished",
        "usage",
    )

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._text = sink.text
        self._text_index = -1
        """Of the item whose text came last."""
        self._text_last = False
        """Nothing else was told since."""
        self._begun = False
        self._ended = False
        self._refused = False
        self._calls = 0
        self._model = ""
        self._items: dict[int, _OpenItem] = {}
        self.content = False
        self.finished = False
        self.failure = ""
        self.usage = NO_USAGE

    def see(self, payload: bytes) -> None:
        try:
            event = _EVENT(payload)
        except UNREADABLE as error:
            self._see_odd(payload, error)
            return
        if event.type == "response.output_text.delta" and event.output_index == self._text_index and event.delta:
            if event.logprobs:
                self._text(event.delta, said.logprobs_of(event.logprobs))
            else:
                self._text(event.delta)
            return
        self._see_rest(event, payload)

    def close(self) -> None:
        if self.finished and not self._ended and not self.failure:
            self._ended = True
            self._sink.end()

    def _see_odd(self, payload: bytes, error: Exception) -> None:
        """Of an event that is not known any member may be of any type; and [DONE] is none."""
        if payload == b"[DONE]":
            return
        try:
            kind = _OTHER(payload).type
        except UNREADABLE:
            kind = ""
        if not kind or kind in _SEEN:
            why = str(error)
            raise UpstreamError("The provider's stream holds an event of another dialect", why=why) from None

    def _see_rest(self, event: _Event, payload: bytes) -> None:
        """All but a piece of the text that is being told."""
        see = _SEEN.get(event.type)
        if self.finished or self.failure:
            if see is ResponsesReader._see_completed and self.usage.output_tokens is None:
                # Owed: no news to the client, and it still counts.
                self.usage = responses_usage(self._read(_RESPONSE, payload).response.usage)
            return
        if see is None:
            if not event.type:
                self._see_untyped(payload)
            return
        if not self._begun and event.type not in _BEFORE:
            self._begin(said.Response())
        see(self, event, payload)

    # ---- text, thinking, refusals

    def _see_text(self, event: _Event, payload: bytes) -> None:
        if not event.delta:
            return
        index = event.output_index
        if index != self._text_index:
            self._end_text()
            self._text_index = index
        self._item(index).said = self.content = True
        self._sink.text(event.delta, said.logprobs_of(event.logprobs))

    def _end_text(self) -> None:
        """The text that was told last is complete; anything else that was told ends it anyhow."""
        if self._text_index >= 0 and self._text_last:
            self._sink.boundary()
        self._text_last = True

    def _see_refusal(self, event: _Event, payload: bytes) -> None:
        if event.delta:
            self._item(event.output_index).said = self.content = self._refused = True
            self._text_last = False
            self._sink.refusal(event.delta)

    def _see_summary(self, event: _Event, payload: bytes) -> None:
        self._think(event, "summary")

    def _see_reasoning(self, event: _Event, payload: bytes) -> None:
        self._think(event, "text")

    def _think(self, event: _Event, which: str) -> None:
        if not event.delta:
            return
        item = self._item(event.output_index)
        if not item.thinking:
            item.thinking = which
        if item.thinking == which:
            item.said = self.content = True
            self._text_last = False
            self._sink.thinking(event.delta)

    def _see_part(self, event: _Event, payload: bytes) -> None:
        """Text behind it is another part."""
        if event.output_index == self._text_index and self._read(_PART, payload).part.type == "output_text":
            self._sink.boundary()

    def _see_summary_part(self, event: _Event, payload: bytes) -> None:
        item = self._item(event.output_index)
        if item.said and item.thinking == "summary":
            self._sink.thinking("\n\n")

    def _see_annotation(self, event: _Event, payload: bytes) -> None:
        for citation in said.citations_of([self._read(_ANNOTATION, payload).annotation]):
            self._sink.citation(citation)

    # ---- tool calls

    def _see_arguments(self, event: _Event, payload: bytes) -> None:
        if not event.delta:
            return
        item = self._item(event.output_index)
        item.said = True
        if item.number < 0:
            item.pieces.append(event.delta)
        else:
            self._sink.arguments(item.number, event.delta)

    def _see_arguments_done(self, event: _Event, payload: bytes) -> None:
        """Some servers send them whole, and only here."""
        item = self._item(event.output_index)
        if not item.said:
            done = self._read(_DONE, payload)
            self._see_arguments(_Event("", done.arguments or done.input, event.output_index), b"")

    def _call(self, item: _OpenItem, call: ToolCall) -> None:
        item.number = self._calls
        self._calls += 1
        self.content = True
        self._text_last = False
        self._sink.call(item.number, call.id, call.name, call.custom)
        if item.pieces:
            self._sink.arguments(item.number, "".join(item.pieces))
            item.pieces.clear()

    # ---- items

    def _item(self, index: int) -> _OpenItem:
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _OpenItem()
        return item

    def _see_item(self, event: _Event, payload: bytes) -> None:
        found = self._read(_ITEM, payload).item
        item = self._item(event.output_index)
        if found.type in ("function_call", "custom_tool_call") and found.name and found.call_id and item.number < 0:
            self._call(item, said.call_of(found))

    def _see_item_done(self, event: _Event, payload: bytes) -> None:
        self._see_whole(self._read(_ITEM, payload).item, event.output_index)

    def _see_whole(self, found: said.Item, index: int) -> None:
        """What came in pieces is told; what did not is told here."""
        item = self._item(index)
        if found.type in ("function_call", "custom_tool_call"):
            call = said.call_of(found)
            if item.number < 0:
                self._call(item, call)
            if not item.said:
                self._sink.arguments(item.number, call.arguments)
        elif found.type == "reasoning":
            thinking = "" if item.said else said.thinking_of(found)
            if thinking:
                self.content = True
                self._sink.thinking(thinking)
            if found.encrypted_content:
                self._sink.sealed(marked("responses", self._model, found.encrypted_content), found.id or "")
        elif not item.said:
            self._tell(found, index)
        item.said = True

    def _tell(self, found: said.Item, index: int) -> None:
        for part in said.parts_of(found, self._model):
            if isinstance(part, Text):
                self._end_text()
                self._text_index = index
                self.content = True
                self._sink.text(part.text, part.logprobs)
                for citation in part.citations:
                    self._sink.citation(citation)
            elif isinstance(part, Refusal):
                self.content = self._refused = True
                self._sink.refusal(part.text)
            else:
                assert not isinstance(part, (Thinking, ToolCall))

    # ---- the whole response

    def _begin(self, response: said.Response) -> None:
        self._begun = True
        self._model = response.model or ""
        self._sink.begin(response.id or "", self._model, said.created_of(response))

    def _see_response(self, event: _Event, payload: bytes) -> None:
        if not self._begun:
            self._begin(self._read(_RESPONSE, payload).response)

    def _see_completed(self, event: _Event, payload: bytes) -> None:
        response = self._read(_RESPONSE, payload).response
        if not self._begun:
            self._begin(response)
        response.status = event.type.removeprefix("response.")
        if not self._items:
            for index, raw in enumerate(response.output or ()):
                self._see_whole(said.item_of(raw), index)
        if any(item.pieces for item in self._items.values()):
            raise UpstreamError("The provider's stream calls a tool without a name")
        finish = said.finish_of(response, self._calls > 0, self._refused)
        self._see_usage(response)
        self.finished = self.content = True
        self._text_index = -1
        self._sink.finish(finish)
        self.close()

    def _see_failed(self, event: _Event, payload: bytes) -> None:
        response = self._read(_RESPONSE, payload).response
        self._see_usage(response)
        self._fail(said.failure_of(response.error, "response.failed"))

    def _fail(self, failure: str) -> None:
        self.failure = failure
        self._text_index = -1  # no more text

    def _see_usage(self, response: said.Response) -> None:
        if response.usage is not None:
            self.usage = responses_usage(response.usage)
            if self._begun:
                self._sink.usage(self.usage)

    def _see_untyped(self, payload: bytes) -> None:
        """How some servers say an error."""
        if self._read(_ERROR, payload).error is None:
            raise UpstreamError("The provider's stream holds an event of another dialect", why="it has no type")
        self._see_error(_Event(), payload)

    def _see_error(self, event: _Event, payload: bytes) -> None:
        """OpenAI's servers say code and message one level deeper than its reference."""
        found = self._read(_ERROR, payload)
        nested = found.error if isinstance(found.error, said.Failure) else said.Failure(found.code)
        self._fail(said.failure_of(nested, "error event"))

    @staticmethod
    def _read(decoder: msgspec.json.Decoder[T], payload: bytes) -> T:
        try:
            return decoder.decode(payload)
        except UNREADABLE as error:
            raise UpstreamError("The provider's stream holds an event of another dialect", why=str(error)) from None


_SEEN = {
    "response.created": ResponsesReader._see_response,
    "response.in_progress": ResponsesReader._see_response,
    "response.queued": ResponsesReader._see_response,
    "response.output_item.added": ResponsesReader._see_item,
    "response.content_part.added": ResponsesReader._see_part,
    "response.output_text.delta": ResponsesReader._see_text,
    "response.output_text.annotation.added": ResponsesReader._see_annotation,
    "response.refusal.delta": ResponsesReader._see_refusal,
    "response.reasoning_summary_part.added": ResponsesReader._see_summary_part,
    "response.reasoning_summary_text.delta": ResponsesReader._see_summary,
    "response.reasoning_text.delta": ResponsesReader._see_reasoning,
    "response.function_call_arguments.delta": ResponsesReader._see_arguments,
    "response.function_call_arguments.done": ResponsesReader._see_arguments_done,
    "response.custom_tool_call_input.delta": ResponsesReader._see_arguments,
    "response.custom_tool_call_input.done": ResponsesReader._see_arguments_done,
    "response.output_item.done": ResponsesReader._see_item_done,
    "response.completed": ResponsesReader._see_completed,
    "response.incomplete": ResponsesReader._see_completed,
    "response.failed": ResponsesReader._see_failed,
    "error": ResponsesReader._see_error,
}
_BEFORE = frozenset(
    (
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "error",
    )
)
"""They begin the answer themselves, or say that there is none."""
