"""A good answer, taken apart where faults like to happen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from twintrack.providers.scripted.server import Received, Script
from twintrack.providers.scripted.shapes import (
    Tokens,
    chat_body,
    chat_events,
    embeddings_body,
    message_body,
    message_events,
    response_body,
    response_events,
)

Place = Literal["opening", "words", "usage", "end"]
"""Of a stream: what comes before the first word, the words, the event that tells usage, and the one that says that
the answer is whole. Responses tell both in one event."""

_ENDPOINTS = {
    "/chat/completions": "chat",
    "/messages": "messages",
    "/responses": "responses",
    "/embeddings": "embeddings",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a scripted provider reads of a request."""

    endpoint: str
    """chat, messages, responses or embeddings; empty: the path is none of theirs."""
    model: str
    streamed: bool
    tells_usage: bool
    """Chat completions tell usage in a stream only if asked to."""
    inputs: int
    """Texts to embed."""


def read(received: Received) -> Asked:
    """Never raises: a body it cannot read asks for nothing in particular."""
    path = received.target.partition("?")[0]
    endpoint = next((name for end, name in _ENDPOINTS.items() if path.endswith(end)), "")
    try:
        body: Any = msgspec.json.decode(received.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        body = {}
    options = body.get("stream_options")
    included = isinstance(options, dict) and options.get("include_usage") is True
    asked_for = body.get("input")
    return Asked(
        endpoint,
        str(body.get("model", "")),
        body.get("stream") is True and endpoint != "embeddings",
        endpoint != "chat" or included,
        len(asked_for) if isinstance(asked_for, list) else 1,
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says, before it is put into bytes."""

    asked: Asked
    words: tuple[str, ...]
    tokens: Tokens | None
    """As its usage tells them; None: not at all."""
    model: str
    late: bool = False
    """Usage comes behind the end."""

    @property
    def tells(self) -> bool:
        return self.tokens is not None and (self.asked.tells_usage or not self.asked.streamed)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer in pieces: the events of a stream, or one whole body."""

    said: Said
    pieces: tuple[bytes, ...]
    words_from: int = 0
    """Index of the piece with the first word."""
    words_to: int = 1
    """Of the one behind the last."""
    told_at: int = 0
    """Of the one that tells usage."""
    end_at: int = 0
    """Of the one that says that the answer is whole."""

    @property
    def streamed(self) -> bool:
        return self.said.asked.streamed

    @property
    def endpoint(self) -> str:
        return self.said.asked.endpoint or "chat"

    def script(self, pieces: tuple[bytes | float, ...] | None = None, **rest: Any) -> Script:
        """As it should be, or with other `pieces` or fields of `Script`."""
        kind = "text/event-stream" if self.streamed else "application/json"
        whole: dict[str, Any] = {
            "headers": (("content-type", kind),),
            "framing": "chunked" if self.streamed else "length",
        }
        return Script(pieces=self.pieces if pieces is None else pieces, **(whole | rest))

    def until(self, place: Place) -> tuple[bytes, ...]:
        """The pieces that come before something; of a whole body a beginning that is no JSON."""
        if not self.streamed:
            body = self.pieces[0]
            share = {"opening": 0, "words": len(body) // 2, "usage": len(body) - 1, "end": len(body) - 1}[place]
            return (body[:share],) if share else ()
        ends = {"opening": 0, "words": self.words_from, "usage": self.told_at, "end": self.end_at}
        return self.pieces[: ends[place]]

    def behind_words(self) -> tuple[bytes, ...]:
        """The pieces up to the last word, that one included; of a whole body its first half."""
        return self.pieces[: self.words_to] if self.streamed else self.until("words")

    def behind_usage(self) -> tuple[bytes, ...]:
        """The pieces up to the usage, that included; of a whole body all but its last byte."""
        return self.pieces[: self.told_at + 1] if self.streamed else self.until("end")


def deliver(said: Said) -> Delivery:
    asked, tokens = said.asked, said.tokens
    if not asked.streamed:
        return Delivery(said, (_body(said),))
    inside = None if said.late or not asked.tells_usage else tokens
    if asked.endpoint == "messages":
        events = message_events(
            said.words,
            None if tokens is None else tokens.input - tokens.cache_read,
            None if inside is None else inside.output,
            0 if tokens is None else tokens.cache_read,
            model=said.model,
        )
        first, told, end = 3, len(events) - 2, len(events) - 1
    elif asked.endpoint == "responses":
        events = response_events(said.words, inside, said.model)
        first, told, end = 4, len(events) - 1, len(events) - 1
    else:
        events = chat_events(said.words, inside, model=said.model)
        first, told, end = 1, len(events) - 2, len(events) - 1
    if said.late and tokens is not None:
        events.append(_late(asked.endpoint, tokens, said.model))
        told = len(events) - 1
    return Delivery(said, tuple(events), first, first + len(said.words), told, end)


def _body(said: Said) -> bytes:
    endpoint, text = said.asked.endpoint, "".join(said.words)
    if endpoint == "embeddings":
        return embeddings_body(said.asked.inputs, said.tokens, said.model)
    body = {"messages": message_body, "responses": response_body}.get(endpoint, chat_body)
    return body(text, said.tokens, said.model)


def _late(endpoint: str, tokens: Tokens, model: str) -> bytes:
    """The event of a whole answer that tells usage, once more and by itself."""
    asked = Asked(endpoint, model, True, True, 1)
    whole = deliver(Said(asked, (), tokens, model))
    return whole.pieces[whole.told_at]
