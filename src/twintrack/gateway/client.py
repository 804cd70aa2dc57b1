"""Who asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Client(Protocol):
    """Whoever asked: a connection of the server, or a program that holds the gateway as a library."""

    def answer(self, status: int, headers: bytes, body: bytes) -> None: ...

    def open(self, status: int, headers: bytes, first: bytes) -> None: ...

    def write(self, data: bytes) -> None: ...

    def close(self, last: bytes = b"") -> None: ...

    def cut(self, last: bytes) -> None: ...

    def chunk_writer(self) -> Callable[[bytes], None] | None:
        """What sends framed chunks of the open answer as they are; None if this client takes none."""
        ...
