"""A streamed answer: each event is a whole GenerateContentResponse with the next piece in it, and nothing marks the
last one but its finish reason (streamGenerateContent with alt=sse)."""

from __future__ import annotations

from itertools import groupby

import msgspec
from msgspec import Raw

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Finish, Sink
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.gemini.answer import (
    arguments,
    block,
    blocked,
    call_id,
    citations,
    failure,
    finish_of,
    logprobs,
    read_usage,
    reason,
    refuse_media,
    unix_time,
)
from twintrack.wire.dialects.gemini.shapes import NO_RAW, Candidate, Event, Head, Part
from twintrack.wire.usage import NO_USAGE, Usage

_EVENT = msgspec.json.Decoder(Event)
_HEAD = msgspec.json.Decoder(Head)


class GeminiReader:
    __slots__ = (
        "_begun",
        "_calls",
        "_ended",
        "_finish",
        "_heard",
        "_id",
        "_model",
        "_said",
        "_sink",
        "_thinking",
        "_usage",
        "content",
        "failure",
        "finished",
    )

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.content = False
        self.finished = False
        self.failure = ""
        self._begun = False
        self._ended = False
        self._finish: Finish = "stop"
        self._calls = 0
        self._id = ""
        self._model = ""
        self._thinking = False
        """The last thing told is a thought without a signature."""
        self._heard: list[str | None] = []
        """Its text, for citations, which come last and count in it; None where something else came in between."""
        self._said = NO_RAW
        """The last usage that an event gave; each holds all so far."""
        self._usage = NO_USAGE

    @property
    def usage(self) -> Usage:
        said, self._said = self._said, NO_RAW
        if said:
            try:
                self._usage = read_usage(said)
            except UNREADABLE:
                pass  # an event cut in its middle did not decode; one that did holds JSON
        return self._usage

    def see(self, payload: bytes) -> None:
        try:
            event = _EVENT.decode(payload)
            if not self._begun:
                self._begin(payload, event.usage_metadata)
        except UNREADABLE as error:
            raise UpstreamError(
                "The provider's stream holds an event that is not of generateContent", why=str(error)
            ) from None
        if event.usage_metadata:
            self._said = event.usage_metadata
        candidates = event.candidates
        if not candidates:
            if event.error is not None:
                self.failure = failure(event.error)
            elif blocked(event.prompt_feedback):
                self.content = self.finished = True
                self._finish = "content_filter"
                words = block(event.prompt_feedback)
                if words:
                    self._sink.refusal(words)
            return
        candidate = candidates[0]
        content = candidate.content
        if content is not None and content.parts is not None:
            told = tuple(logprobs(candidate.logprobs_result))  # of the whole candidate, so the first text has them
            for part in content.parts:
                text = part.text
                if text is None or part.function_call is not None:
                    self._other(part)
                elif not text:
                    pass
                elif part.thought is True:
                    self.content = self._thinking = True
                    self._heard.append(None)
                    self._sink.thinking(text)
                    if part.thought_signature:
                        self._sign(part.thought_signature)
                else:
                    self.content = True
                    self._thinking = False
                    self._heard.append(text)
                    self._sink.text(text, told)
                    told = ()
        if candidate.finish_reason is not None:
            self._last(candidate)

    def close(self) -> None:
        if not self.finished or self.failure or self._ended:
            return
        self._ended = True
        sink = self._sink
        sink.usage(self.usage)
        sink.finish("tool_calls" if self._calls and self._finish == "stop" else self._finish)
        sink.end()

    def _begin(self, payload: bytes, said: Raw) -> None:
        head = _HEAD.decode(payload)
        self._begun = True
        self._id, self._model = head.response_id or "", head.model_version or ""
        self._sink.begin(self._id, self._model, unix_time(head.create_time))
        if said:
            self._sink.usage(read_usage(said))

    def _other(self, part: Part) -> None:
        called = part.function_call
        if called is None:
            refuse_media(part.inline_data, part.file_data)
            return
        sink = self._sink
        if part.thought_signature:
            self._sign(part.thought_signature)
        call, self._calls = self._calls, self._calls + 1
        self.content = True
        self._thinking = False
        self._heard.append(None)
        text = arguments(called)
        sink.call(call, call_id(called, self._id, call), called.name, False)
        sink.arguments(call, text)

    def _sign(self, signature: str) -> None:
        """A signature belongs to the thought before it; where none was shown it stands on an empty one."""
        if not self._thinking:
            self._sink.thinking("")
        self._thinking = False
        self._sink.signature(marked("gemini", self._model, signature))

    def _only_text(self) -> str:
        """Empty if there are several: positions count in one of them, and nothing says in which."""
        found = ["".join(filter(None, pieces)) for said, pieces in groupby(self._heard, bool) if said]
        return found[0] if len(found) == 1 else ""

    def _last(self, candidate: Candidate) -> None:
        """Some servers give a finish reason in every event, so only the end of the stream tells it on."""
        finish = finish_of(candidate.finish_reason or "")
        if candidate.citation_metadata is not None or candidate.grounding_metadata is not None:
            for citation in citations(candidate, self._only_text()):
                self._sink.citation(citation)
        if finish is None:
            self.failure = f"the model failed with {reason(candidate)}"
            self.finished = False
            return
        self._finish = finish
        self.finished = self.content = True
