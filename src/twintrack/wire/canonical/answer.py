"""A whole answer, and the same piece by piece.

Each dialect's stream writer is a `Sink`, each stream reader calls one: so a piece of text crosses from one dialect to
another in two calls, and no value is made for it.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from twintrack.wire.canonical.parts import Citation, Logprob, Part
from twintrack.wire.canonical.request import Request
from twintrack.wire.usage import NO_USAGE, Usage

Finish = Literal["stop", "stop_sequence", "length", "tool_calls", "content_filter", "refusal", "pause", "context"]
"""Why an answer ended. pause: the provider wants to be asked again to go on (Anthropic's pause_turn). context: the
window is full. Dialects with fewer words use the nearest: stop_sequence is a stop, context a length, refusal a
content filter."""


class Answer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    id: str = ""
    """As the provider said it; empty: it said none."""
    model: str = ""
    created: int = 0
    """Unix time in seconds; 0: unknown."""
    parts: tuple[Part, ...] = ()
    """Text, thinking, tool calls and refusals, in order."""
    finish: Finish = "stop"
    stop_sequence: str = ""
    """Which one it was."""
    usage: Usage = NO_USAGE
    service_tier: str = ""
    """Which one served it."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What a writer of answers knows of the request."""

    request: Request
    id: str
    """The gateway's own, for a provider that said none."""
    now: int
    """Unix time in seconds."""


class Sink(Protocol):
    """Takes one streamed answer and writes it in its own dialect. Knows nothing of who calls it.

    `begin` comes first, once; `end` last, and only if the provider itself said that the answer is complete: then,
    and only then, the dialect's closing events are written. Between them any order; parts are told apart by the
    method called and, for tool calls, by `call`.
    """

    def begin(self, id: str, model: str, created: int) -> None: ...

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None: ...

    def citation(self, citation: Citation) -> None:
        """Of the text that is being written."""
        ...

    def thinking(self, piece: str) -> None: ...

    def signature(self, signature: str) -> None:
        """Of the thinking before it."""
        ...

    def sealed(self, data: str, id: str) -> None:
        """Reasoning that only its provider can read, whole."""
        ...

    def refusal(self, piece: str) -> None: ...

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        """A tool call begins; `call` counts them from 0 in order of beginning."""
        ...

    def arguments(self, call: int, piece: str) -> None:
        """Some of its JSON text. May be for a call that is not the last begun."""
        ...

    def boundary(self) -> None:
        """The part being written is complete; text that follows is another part. May be left out by a reader."""
        ...

    def usage(self, usage: Usage) -> None:
        """Everything known so far; the last one counts."""
        ...

    def finish(self, reason: Finish, stop_sequence: str = "") -> None: ...

    def end(self) -> None: ...

    def take(self) -> bytes:
        """Whole events written since the last time, ready to be sent."""
        ...


class Reader(Protocol):
    """Reads one provider's stream, event by event, and tells a sink."""

    content: bool
    """Content was seen: text, thinking, a tool call or a refusal; or the end."""
    finished: bool
    """The provider said that the answer is complete."""
    failure: str
    """The provider's error event, in a few words; empty if there was none."""

    @property
    def usage(self) -> Usage:
        """Everything reported so far."""
        ...

    def see(self, payload: bytes) -> None:
        """One event's data.

        Raises:
            UpstreamError: it is none of this dialect.
        """
        ...

    def close(self) -> None:
        """The provider closed its stream. Tells the sink `end` if the answer was complete and that was not yet told."""
        ...
