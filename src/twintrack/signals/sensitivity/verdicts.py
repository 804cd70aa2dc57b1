"""Verdicts on texts seen before, so that a long conversation is read once and not with each turn.

Kept under a keyed hash (BLAKE2b, RFC 7693) with a key that never leaves the process: neither a text nor anything that
could be compared with one is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from twintrack.signals.sensitivity.finding import Scanned, Verdict

_MOST_KEPT_FINDINGS = 64
"""A text with more is read again: its verdict would take the place of many others."""


class Verdicts:
    """Least recently used go first. Only finished scans are kept: what failed once may succeed the next time."""

    __slots__ = ("_kept", "_key", "_most", "_version")

    def __init__(self, key: bytes, version: str, most: int = 4096) -> None:
        """
        Args:
            key: 32 random bytes of this process.
            version: the detector's; another one's verdicts are none of ours.
            most: verdicts kept; each takes about half a kilobyte, and more with findings.
        """
        self._key = key
        self._version = version.encode()
        self._most = most
        self._kept: OrderedDict[bytes, Scanned] = OrderedDict()

    def name(self, text: str) -> bytes:
        """What a text is kept under."""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._key, salt=self._version[:16])
        return digest.digest()

    def get(self, name: bytes) -> Scanned | None:
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
        return found

    def put(self, name: bytes, verdict: Verdict) -> None:
        if not isinstance(verdict, Scanned) or len(verdict.findings) > _MOST_KEPT_FINDINGS:
            return
        self._kept[name] = verdict
        self._kept.move_to_end(name)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)
