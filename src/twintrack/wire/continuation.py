"""A stream that broke off after words were sent, taken up by another model from where it stopped.

Only plain text is taken up, of one answer, in the dialects of chat completions and Messages: thinking, tool calls and
log-probabilities belong to the model that began them, and the Responses API numbers what a second writer cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire import sse
from twintrack.wire.body import with_members
from twintrack.wire.canonical.answer import Finish, Sink
from twintrack.wire.canonical.parts import Citation, Logprob, Text
from twintrack.wire.canonical.request import Target, Turn
from twintrack.wire.canonical.sides import ProviderSide
from twintrack.wire.dialect import UNREADABLE, Asked, Stream
from twintrack.wire.passage import Conversation, Translated, TranslatedStream
from twintrack.wire.translators import provider_side
from twintrack.wire.usage import Usage

TAKEN_UP = ("chat", "messages")
"""Endpoints of clients whose streams can be."""
_DIALECT = {"chat": "openai", "messages": "anthropic"}
_CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Cut:
    """What a client has got of its answer."""

    endpoint: str
    id: str
    model: str
    created: int
    text: str


def cut(endpoint: str, sent: bytes) -> Cut | None:
    """Read what was sent to the client; None if it is more than plain text, or no text at all."""
    heard = _Heard()
    reader = provider_side(_DIALECT[endpoint]).read_stream(heard)
    try:
        for payload in sse.payloads(sent):
            if endpoint == "chat" and _of_another(payload):
                return None
            reader.see(payload)
    except (UpstreamError, *UNREADABLE):
        return None
    text = "".join(heard.pieces)
    if not heard.plain or not text or reader.finished or reader.failure:
        return None
    return Cut(endpoint, heard.id, heard.model, heard.created, text)


class _Choice(msgspec.Struct, gc=False):
    index: int = 0


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None


_CHUNK = msgspec.json.Decoder(_Chunk).decode


def _of_another(payload: bytes) -> bool:
    """Whether a chunk belongs to a second answer, which the reader passes over and nobody would go on with."""
    return payload != b"[DONE]" and any(choice.index for choice in _CHUNK(payload).choices or ())


def mark(cut: Cut, deployment: str) -> bytes:
    """An event that says who goes on; clients of the dialect pass it over if they do not know it."""
    said = {"continued_by": deployment}
    if cut.endpoint == "messages":
        return b"event: ping\ndata: " + msgspec.json.encode({"type": "ping", "twintrack": said}) + b"\n\n"
    chunk = {
        "id": cut.id,
        "object": "chat.completion.chunk",
        "created": cut.created,
        "model": cut.model,
        "choices": [],
        "twintrack": said,
    }
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


class Continued(Translated):
    """One attempt at going on: asked with the words so far as the assistant's, heard as more of the same answer."""

    __slots__ = ("_cut", "_prefill", "_trimmed")

    def __init__(
        self,
        conversation: Conversation,
        provider: ProviderSide,
        dialect: str,
        endpoint: str,
        prefill: Literal["last", "continue_final_message", "prefix"],
        cut: Cut,
    ) -> None:
        super().__init__(conversation, provider, dialect, endpoint)
        self._cut = cut
        self._prefill = prefill
        # Anthropic refuses a last message that ends in white space; the model writes it again, and it is left out.
        self._trimmed = cut.text.rstrip()

    def body(self, asked: Asked, body: bytes, target: Target) -> bytes:
        conversation = self._conversation
        began = conversation.request
        most = began.max_output_tokens
        conversation.request = msgspec.structs.replace(
            began,
            turns=(*began.turns, Turn("assistant", (Text(self._trimmed),))),
            max_output_tokens=None if most is None else max(most - len(self._cut.text) // _CHARS_PER_TOKEN, 1),
        )
        try:
            written = super().body(asked, body, target)
        finally:
            conversation.request = began
        return _prefilled(written, self._prefill)

    def open_stream(self, asked: Asked) -> Stream:
        sink = self._conversation.client.write_stream(self._reply())
        sink.begin(self._cut.id, self._cut.model, self._cut.created)
        sink.text(self._cut.text)
        sink.take()  # the client has it
        left_out = len(self._cut.text) > len(self._trimmed)
        return TranslatedStream(_Resumed(sink, left_out=left_out), self._provider.read_stream)


def _prefilled(body: bytes, prefill: str) -> bytes:
    if prefill == "continue_final_message":
        return with_members(body, {"continue_final_message": b"true", "add_generation_prompt": b"false"})
    if prefill == "prefix":
        asked: dict[str, Any] = msgspec.json.decode(body)
        asked["messages"][-1]["prefix"] = True
        return msgspec.json.encode(asked)
    return body


class _Heard:
    """A `Sink` that keeps plain text and notices anything else."""

    def __init__(self) -> None:
        self.id = self.model = ""
        self.created = 0
        self.pieces: list[str] = []
        self.plain = True

    def begin(self, id: str, model: str, created: int) -> None:
        self.id, self.model, self.created = id, model, created

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        self.pieces.append(piece)
        self.plain = self.plain and not logprobs

    def _more(self, *args: object) -> None:
        self.plain = False

    def citation(self, citation: Citation) -> None:
        self._more()

    def thinking(self, piece: str) -> None:
        self._more()

    def signature(self, signature: str) -> None:
        self._more()

    def sealed(self, data: str, id: str) -> None:
        self._more()

    def refusal(self, piece: str) -> None:
        self._more()

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        self._more()

    def arguments(self, call: int, piece: str) -> None:
        self._more()

    def boundary(self) -> None:
        self._more()

    def usage(self, usage: Usage) -> None:
        return

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        self._more()

    def end(self) -> None:
        self._more()

    def take(self) -> bytes:
        return b""


class _Resumed:
    """A `Sink` in front of one that has begun."""

    def __init__(self, sink: Sink, *, left_out: bool) -> None:
        """`left_out`: white space at the end of what was said, which the model repeats."""
        self._left_out = left_out
        self.citation = sink.citation
        self.thinking = sink.thinking
        self.signature = sink.signature
        self.sealed = sink.sealed
        self.refusal = sink.refusal
        self.call = sink.call
        self.arguments = sink.arguments
        self.boundary = sink.boundary
        self.usage = sink.usage
        self.finish = sink.finish
        self.end = sink.end
        self.take = sink.take
        self._text = sink.text

    def begin(self, id: str, model: str, created: int) -> None:
        return

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        if self._left_out:
            piece = piece.lstrip()
            if not piece:
                return
            self._left_out = False
        self._text(piece, logprobs)
