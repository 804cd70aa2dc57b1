"""What a request says and the provider's dialect cannot."""

from __future__ import annotations

import msgspec


class Loss(msgspec.Struct, frozen=True, gc=False):
    member: str
    """Name of the field in `Request`, or the client's own path if it starts with "$"."""
    at: int = -1
    """Of a turn or a tool: its position in the client's list."""
    what: str = ""
    """In words, where the name does not tell: `audio`, `an image in a tool's result`."""


class Losses:
    """A writer notes here what it leaves out; hints are not noted."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Loss] = []

    def member(self, name: str, what: str = "") -> None:
        self.found.append(Loss(name, -1, what))

    def turn(self, at: int, what: str) -> None:
        self.found.append(Loss("turns", at, what))

    def tool(self, at: int, what: str) -> None:
        """`at`: index in `Request.tools`."""
        self.found.append(Loss("tools", at, what))
