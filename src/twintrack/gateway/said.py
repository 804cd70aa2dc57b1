"""What a client has got of its answer, kept for two who may want it: another deployment that has to go on from there,
and a collector that is told what was said."""

from __future__ import annotations

from twintrack.gateway.client import Client
from twintrack.gateway.telling import Telling
from twintrack.ledger.records import MOST_CONTENT_BYTES

_MOST_BYTES = 1_048_576
"""A longer answer is not taken up."""


class Said:
    """A `Client` in front of the client. A stream has no short way past it."""

    __slots__ = ("_bytes", "_client", "_least", "_most", "_pieces", "_stream", "_telling", "takes_up")

    def __init__(self, client: Client, telling: Telling | None, *, takes_up: bool, opened: bool = False) -> None:
        """
        Args:
            opened: the client has its headers already.
            telling: tells the collector; None: it is not told.
            takes_up: a stream may be taken up.
        """
        self._client = client
        self._telling = telling
        self.takes_up = takes_up
        self._least = MOST_CONTENT_BYTES if telling is not None else 0
        """So much of the start is kept however long it grows."""
        self._most = _MOST_BYTES if takes_up else self._least
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._stream = opened

    # ---- what a client does

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        self._client.answer(status, headers, body)
        if status == 200:
            self._bytes = len(body)
            self._pieces = [body] if self._bytes <= self._least else []
        self._tell()

    def open(self, status: int, headers: bytes, first: bytes) -> None:
        self._stream = True
        self._keep(first)
        self._client.open(status, headers, first)

    def write(self, data: bytes) -> None:
        self._keep(data)
        self._client.write(data)

    def close(self, last: bytes = b"") -> None:
        self._keep(last)
        self._client.close(last)
        self._tell()

    def cut(self, last: bytes) -> None:
        self._client.cut(last)
        self._tell()

    def chunk_writer(self) -> None:
        """Every piece is looked at."""

    def left(self) -> None:
        """The client did."""
        self._tell()

    # ---- what is kept

    @property
    def whole(self) -> bytes:
        """All of a stream; empty if it grew too long."""
        return b"".join(self._pieces) if self._bytes <= self._most else b""

    def _keep(self, data: bytes) -> None:
        before = self._bytes
        self._bytes += len(data)
        if self._bytes <= self._most:
            self._pieces.append(data)
        elif before <= self._most:
            start = b"".join([*self._pieces, data])[: self._least]
            self._pieces = [start] if start else []

    def _tell(self) -> None:
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.tell(self._stream, b"".join(self._pieces)[: self._least], self._bytes)
