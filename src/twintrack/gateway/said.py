"""What a client has got of a stream, kept for the case that somebody else has to go on from there."""

from __future__ import annotations

from collections.abc import Callable

_MOST_BYTES = 1_048_576
"""A longer answer is not taken up."""


class Said:
    __slots__ = ("_bytes", "_pieces", "_write")

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """`write` sends to the client."""
        self._write = write
        self._pieces: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> None:
        self.keep(data)
        self._write(data)

    def keep(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes <= _MOST_BYTES:
            self._pieces.append(data)
        else:
            self._pieces.clear()

    @property
    def kept(self) -> bytes:
        """All of it; empty if it grew too long."""
        return b"".join(self._pieces)
