"""Who signs requests to providers whose keys do not stay as they are.

    renewal.py   a value that must be fetched again before it expires, by a thread beside the event loop
    sigv4.py     Amazon Bedrock: each request signed by credentials of the AWS chain (extra `bedrock`)
    google.py    Vertex AI: an OAuth token of a service account or of the environment (extra `vertex`)

An authoriser is made when a configuration is loaded, once for each provider; `start` begins to fetch, `close` stops.
On a request it only reads what is there: no file, no socket, no lock that anything slow is done under.
"""

from __future__ import annotations

from typing import Protocol


class Authoriser(Protocol):
    def headers(self, method: bytes, path: bytes, host: bytes, body: bytes) -> bytes:
        """Header lines to add, each with its line end.

        Args:
            path: of the request line, query included, as it will be sent.
            host: value of the `host` header, as it will be sent.
        Raises:
            Unavailable: there is nothing to sign with, or it has expired; says why and what to do.
        """
        ...

    def take_over(self, before: Authoriser) -> None:
        """Use what `before`, of the same provider, has until there is something of its own. To be called before
        `start`."""
        ...

    def start(self) -> None:
        """Begin to fetch. Once more does nothing."""
        ...

    def wait(self, timeout_s: float) -> bool:
        """Wait until the first try is over; whether there is something to sign with. Blocks: not for the event loop."""
        ...

    @property
    def trouble(self) -> str:
        """Why the last try failed; empty if it did not, or if there was none yet."""
        ...

    def close(self) -> None: ...
