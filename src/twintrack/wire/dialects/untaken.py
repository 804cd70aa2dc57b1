"""What a stream that is written keeps until it is taken, the same in every dialect."""

from __future__ import annotations


class Untaken:
    """Base of the sinks: they add events to `_out`, and when they finish, what is left stands in `_last`."""

    __slots__ = ("_last", "_out")

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._last: bytes | None = None

    def take(self) -> bytes:
        if self._last is not None:
            last, self._last = self._last, b""
            return last
        out = self._out
        if len(out) == 1:
            return out.pop()
        self._out = []
        return b"".join(out)
