"""A provider's chunks, told to a sink.

Servers differ most in tool calls: which of index, id and name a piece carries. `_call` holds what is in use.
"""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Sink
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.chat import said
from twintrack.wire.usage import NO_USAGE, Usage

_CHUNK = msgspec.json.Decoder(said.Chunk).decode
_FIRST = msgspec.json.Decoder(said.FirstChunk).decode
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _OpenCall:
    __slots__ = ("custom", "id", "name", "number", "pieces")

    def __init__(self, id: str) -> None:
        self.id = id
        self.name = ""
        self.number = -1
        """-1: its name has not come, so the sink does not know it yet."""
        self.custom = False
        self.pieces: list[str] = []
        """Its arguments: all of them, since a server may give two calls the same place."""


class ChatReader:
    __slots__ = (
        "_at",
        "_begun",
        "_calls",
        "_ended",
        "_id",
        "_last",
        "_model",
        "_refused",
        "_sink",
        "content",
        "failure",
        "finished",
        "usage",
    )

    def __init__(self, sink: Sink) -> None:
        self.content = False
        self.finished = False
        self.failure = ""
        self.usage: Usage = NO_USAGE
        self._sink = sink
        self._begun = False
        self._ended = False
        self._refused = False
        self._id = ""
        self._model = ""
        self._calls = 0
        """Told to the sink."""
        self._at: dict[int, _OpenCall] = {}
        """The call last seen at each index."""
        self._last: _OpenCall | None = None

    def see(self, payload: bytes) -> None:
        if self._ended:
            self._see_late(payload)
            return
        if payload == b"[DONE]":
            self._end()
            return
        try:
            chunk = _CHUNK(payload) if self._begun else self._begin(payload)
        except UNREADABLE as error:
            raise UpstreamError("The provider's stream holds an event that is no chunk", why=str(error)) from None
        choices = chunk.choices
        if choices:
            for choice in choices:
                if choice.index or self.finished:
                    continue  # one answer is asked for, and behind its finish only the usage comes
                delta = choice.delta
                if delta is not None:
                    content = delta.content
                    if content and choice.logprobs is None and type(content) is str:
                        self.content = True
                        if delta.reasoning_content or delta.reasoning:
                            self._sink.thinking(delta.reasoning_content or delta.reasoning or "")
                        self._sink.text(content)
                    else:
                        self._see_delta(delta, choice)
                    if delta.tool_calls is not None or delta.annotations is not None:
                        self._see_more(delta)
                if choice.finish_reason:
                    self._finish(choice.finish_reason)
            if choices[0].usage is not None:
                self._see_usage(chunk)
        elif chunk.kind == "error":  # some servers send the error bare
            self.failure = "error event"
        if chunk.error is not None:
            self.failure = said.failure_of(chunk.error)
        if chunk.usage is not None or chunk.x_groq is not None or chunk.timings is not None:
            self._see_usage(chunk)

    def close(self) -> None:
        self._end()

    def _begin(self, payload: bytes) -> said.Chunk:
        chunk = _FIRST(payload)
        if chunk.choices:  # some servers send one without, about the prompt
            self._begun = True
            self._id = chunk.id or ""
            self._model = chunk.model or ""
            self._sink.begin(self._id, self._model, int(chunk.created or 0))
        return chunk

    def _end(self) -> None:
        if self.finished and not self._ended and not self.failure:
            self._ended = True
            self._sink.end()

    def _finish(self, reason: str) -> None:
        try:
            finish = said.finish_of(reason, self._calls > 0, self._refused)
        except UpstreamError as error:
            self.failure = error.why
            return
        if any(call.number < 0 for call in self._at.values()):
            raise UpstreamError("The provider's stream calls a tool without a name")
        self.finished = self.content = True
        self._sink.finish(finish)

    def _see_usage(self, chunk: said.Chunk) -> None:
        usage = said.usage_of(chunk)
        if usage is not None:
            self.usage = usage
            if self._begun:
                self._sink.usage(usage)

    def _see_late(self, payload: bytes) -> None:
        """Nothing follows an end but usage that is owed: no news to the client, and it still counts."""
        if self.usage.output_tokens is not None:
            return
        try:
            self.usage = said.usage_of(_CHUNK(payload)) or self.usage
        except UNREADABLE:
            return

    def _see_delta(self, delta: said.Delta, choice: said.Chosen) -> None:
        """What is no plain text."""
        content = delta.content
        thinking = delta.reasoning_content or delta.reasoning
        if type(content) is list:
            beside, content = said.texts_of(content)
            thinking = thinking or beside
        if thinking:
            self.content = True
            self._sink.thinking(thinking)
        logprobs = said.logprobs_of(choice.logprobs) if choice.logprobs is not None else ()
        if content or logprobs:
            self.content = self.content or bool(content)
            self._sink.text(content or "", logprobs)  # type: ignore[arg-type]  # a list was taken apart above
        if delta.refusal:
            self.content = self._refused = True
            self._sink.refusal(delta.refusal)
        if delta.function_call is not None:
            self._call(said.Call(index=0, function=delta.function_call))

    def _see_more(self, delta: said.Delta) -> None:
        for call in delta.tool_calls or ():
            self._call(call)
        for citation in said.citations_of(delta.annotations) if delta.annotations else ():
            self._sink.citation(citation)

    def _call(self, said_call: said.Call) -> None:
        """One piece of a tool call.

        It goes on with the call last seen at its index, or with the last one where a server gives no index. A new
        one begins at an index not seen, and where a name comes that the call there cannot be waiting for: with
        another id, or after arguments that are already complete. An id alone begins none, since some servers
        make up another for each piece; a name alone neither, since some repeat it.
        """
        function, custom = said_call.function, said_call.custom
        if custom is not None:
            name, piece = custom.name or "", custom.input or ""
        elif function is not None:
            name, piece = function.name or "", said.arguments_of(function.arguments)
        else:
            name = piece = ""
        id_ = said_call.id or ""
        index = said_call.index
        call = self._last if index is None else self._at.get(index)
        if call is not None and name and call.name:
            if id_:
                begins = id_ != call.id and (index is None or name != call.name or _complete(call.pieces))
            elif index is None:
                begins = name != call.name or _complete(call.pieces)
            else:
                begins = bool(piece) and name == call.name and _complete(call.pieces)
            if begins:
                call = None
        if call is None:
            if not (id_ or name or piece):
                return
            call = _OpenCall(id_)
            self._at[-1 - len(self._at) if index is None else index] = call
        self._last = call
        self.content = True
        if call.number < 0:
            call.id = call.id or id_
            if not name:
                call.pieces.append(piece)
                return
            call.name = name
            call.custom = custom is not None
            call.number = self._calls
            call.id = call.id or said.call_id(self._id, call.number)
            self._calls += 1
            if signature := said.signature_of(said_call, self._model):
                self._sink.thinking("")
                self._sink.signature(signature)
            self._sink.call(call.number, call.id, name, call.custom)
            piece = "".join(call.pieces) + piece
            call.pieces.clear()
        if piece:
            call.pieces.append(piece)
            self._sink.arguments(call.number, piece)


def _complete(pieces: list[str]) -> bool:
    """Whether arguments are the JSON text of an object."""
    if not pieces or not pieces[-1].rstrip().endswith("}"):
        return False
    try:
        _OBJECT.decode("".join(pieces))
    except (*UNREADABLE, UnicodeEncodeError):
        return False
    return True
