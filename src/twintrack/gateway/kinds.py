"""What classifiers said lately, so that requests that begin the same are asked about once."""

from __future__ import annotations

import os
from hashlib import blake2b

from twintrack.wire.classifier import Kind

_MOST_LATE = 5
_REST_S = 30.0
"""So often late in a row, it is not asked for so long: whoever is always late costs every request its time."""


class Kinds:
    """What classifiers said lately, of one worker."""

    __slots__ = ("_key", "_known", "_late", "_until")
    _MOST = 4_096

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._known: dict[bytes, Kind] = {}
        self._late: dict[str, int] = {}
        """How often in a row, by deployment."""
        self._until: dict[str, float] = {}
        """When its rest is over."""

    def name(self, deployment: str, sample: str) -> bytes:
        """Nobody without our key can tell from it what was asked."""
        said = f"{deployment}\0{sample}".encode("utf-8", "replace")
        return blake2b(said, digest_size=16, key=self._key).digest()

    def get(self, name: bytes) -> Kind | None:
        return self._known.get(name)

    def put(self, deployment: str, name: bytes, kind: Kind) -> None:
        self._known[name] = kind
        self._late.pop(deployment, None)
        while len(self._known) > self._MOST:
            del self._known[next(iter(self._known))]

    def late(self, deployment: str, now: float) -> None:
        often = self._late[deployment] = self._late.get(deployment, 0) + 1
        if often >= _MOST_LATE:
            self._late[deployment], self._until[deployment] = 0, now + _REST_S

    def rests(self, deployment: str, now: float) -> bool:
        return now < self._until.get(deployment, 0.0)
