"""A stream's parts, put together."""

from __future__ import annotations

from twintrack.wire.canonical.answer import Finish
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.usage import Usage


class Gathered:
    """A `Sink` that keeps what is said, without where it comes from and how probable it was."""

    def __init__(self) -> None:
        self.finish_reason: Finish | None = None
        """None: the provider did not come to say it."""
        self._made: list[tuple[type[Text] | type[Thinking] | type[Refusal], list[str]] | _Call] = []
        self._calls: dict[int, _Call] = {}
        self._parted = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """In the order in which they began."""
        return tuple(each.made() if isinstance(each, _Call) else each[0]("".join(each[1])) for each in self._made)

    def begin(self, id: str, model: str, created: int) -> None:
        return

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        self._say(Text, piece)

    def citation(self, citation: Citation) -> None:
        return

    def thinking(self, piece: str) -> None:
        self._say(Thinking, piece)

    def signature(self, signature: str) -> None:
        return

    def sealed(self, data: str, id: str) -> None:
        self._say(Thinking, "")

    def refusal(self, piece: str) -> None:
        self._say(Refusal, piece)

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        self._calls[call] = made = _Call(id, name, custom)
        self._made.append(made)

    def arguments(self, call: int, piece: str) -> None:
        self._calls[call].pieces.append(piece)

    def boundary(self) -> None:
        self._parted = True

    def usage(self, usage: Usage) -> None:
        return

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        self.finish_reason = reason

    def end(self) -> None:
        return

    def take(self) -> bytes:
        return b""

    def _say(self, kind: type[Text] | type[Thinking] | type[Refusal], piece: str) -> None:
        last = self._made[-1] if self._made else None
        if isinstance(last, tuple) and last[0] is kind and not self._parted and piece:
            last[1].append(piece)
        else:
            self._made.append((kind, [piece]))
        self._parted = False


class _Call:
    def __init__(self, id: str, name: str, custom: bool) -> None:
        self.id, self.name, self.custom = id, name, custom
        self.pieces: list[str] = []

    def made(self) -> ToolCall:
        return ToolCall(self.id, self.name, "".join(self.pieces), self.custom)
