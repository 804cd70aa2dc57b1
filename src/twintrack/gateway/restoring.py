"""Between a request whose values were replaced and its client: what the client gets has the values again.

This stands behind everything else that looks at an answer. Whoever keeps what is said, to have it taken up by another
deployment or to tell a collector, keeps placeholders.
"""

from __future__ import annotations

from twintrack.gateway.client import Client
from twintrack.wire.placeholders import Placeholders
from twintrack.wire.restored import RestoredStream, restored_answer


class Restoring:
    """A `Client` in front of the client. A stream has no short way past it."""

    __slots__ = ("_client", "_json_texts", "_line", "_placeholders", "_stream")

    def __init__(
        self, client: Client, dialect: str, placeholders: Placeholders, *, replaced: int, json_texts: bool
    ) -> None:
        """
        Args:
            dialect: the client's.
            replaced: how many values were.
            json_texts: the client asked for JSON as the answer's text.
        """
        self._client = client
        self._placeholders = placeholders
        self._json_texts = json_texts
        self._line = b"x-twintrack-pseudonyms: %d\r\n" % replaced
        self._stream = RestoredStream(dialect, placeholders, json_texts=json_texts)

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        restored = restored_answer(body, self._placeholders, json_texts=self._json_texts)
        self._client.answer(status, headers + self._line, restored)

    def open(self, status: int, headers: bytes, first: bytes) -> None:
        self._client.open(status, headers + self._line, self._stream.feed(first))

    def write(self, data: bytes) -> None:
        restored = self._stream.feed(data)
        if restored:
            self._client.write(restored)

    def close(self, last: bytes = b"") -> None:
        self._client.close(self._stream.feed(last) + self._stream.close())

    def cut(self, last: bytes) -> None:
        self._client.cut(self._stream.feed(last) + self._stream.close())

    def chunk_writer(self) -> None:
        """Every event is looked at."""
