"""A sink that remembers what it was told, in the shortest form that means the same."""

from __future__ import annotations

from typing import Any

from twintrack.wire.canonical.answer import Finish
from twintrack.wire.canonical.parts import Citation, Logprob
from twintrack.wire.usage import NO_USAGE, Usage


class Recorder:
    """Pieces of a kind that follow each other are one; arguments belong to their call, wherever they came."""

    def __init__(self) -> None:
        self.begun: tuple[str, str] = ("", "")
        self.said: list[list[Any]] = []
        self.calls: dict[int, list[Any]] = {}
        self.logprobs: list[Logprob] = []
        self.cited: list[str] = []
        """Addresses; chat completions tell them all at the end."""
        self.reported = NO_USAGE
        self.finished: tuple[str, str] = ("", "")
        self.ended = 0

    def begin(self, id: str, model: str, created: int) -> None:
        self.begun = (id, model)

    def _add(self, kind: str, piece: str) -> None:
        if not piece:
            return
        if self.said and self.said[-1][0] == kind:
            self.said[-1][1] += piece
        else:
            self.said.append([kind, piece])

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        self._add("text", piece)
        self.logprobs += logprobs

    def thinking(self, piece: str) -> None:
        self._add("thinking", piece)

    def refusal(self, piece: str) -> None:
        self._add("refusal", piece)

    def signature(self, signature: str) -> None:
        self.said.append(["signature", signature])

    def sealed(self, data: str, id: str) -> None:
        self.said.append(["sealed", data])

    def citation(self, citation: Citation) -> None:
        self.cited.append(citation.url)

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        assert call == len(self.calls)
        self.calls[call] = ["call", id, name, custom, ""]
        self.said.append(self.calls[call])

    def arguments(self, call: int, piece: str) -> None:
        self.calls[call][-1] += piece

    def boundary(self) -> None:
        pass

    def usage(self, usage: Usage) -> None:
        self.reported = usage

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        self.finished = (reason, stop_sequence)

    def end(self) -> None:
        self.ended += 1

    def take(self) -> bytes:
        return b""

    def all(self) -> tuple[Any, ...]:
        """A call without arguments is one with an empty object."""
        for call in self.calls.values():
            call[-1] = call[-1] or "{}"
        return self.begun, self.said, self.logprobs, self.cited, self.reported, self.finished, self.ended
