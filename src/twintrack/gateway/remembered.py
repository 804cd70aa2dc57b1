"""What a worker remembers of the texts it read: verdicts on them, and classes of conversations. No text, and nothing
that could be compared with one: names are keyed hashes, and the key never leaves the process."""

from __future__ import annotations

import os
from collections import OrderedDict
from hashlib import blake2b

from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.verdicts import Verdicts

_MOST_CONVERSATIONS = 16_384
_MOST_TEXTS = 4096
_NOTHING: tuple[int, tuple[str, ...], float] = (0, (), 0.0)


class Remembered:
    __slots__ = ("_classes", "_entities", "_key", "_verdicts", "_version")

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._version = ""
        self._verdicts = Verdicts(self._key, "")
        self._classes: OrderedDict[bytes, tuple[int, tuple[str, ...], float]] = OrderedDict()
        """Rung, categories and when they are forgotten, by conversation."""
        self._entities: tuple[object, OrderedDict[bytes, tuple[Finding, ...]]] = (None, OrderedDict())
        """Who said what of which text."""

    def verdicts(self, version: str) -> Verdicts:
        """Of detectors of a version; another version's are forgotten."""
        if version != self._version:
            self._version = version
            self._verdicts = Verdicts(self._key, version)
        return self._verdicts

    def entities(self, of: object) -> OrderedDict[bytes, tuple[Finding, ...]]:
        """What a recogniser of names said, by name of the text; another one's words are forgotten."""
        if self._entities[0] != of:
            self._entities = (of, OrderedDict())
        kept = self._entities[1]
        while len(kept) > _MOST_TEXTS:
            kept.popitem(last=False)
        return kept

    def name(self, key: str, said: str) -> bytes:
        """What a conversation is known by: the name of the caller's key, and what stays the same in all its turns."""
        text = f"{key}\n{said}".encode("utf-8", "surrogatepass")
        return blake2b(text, digest_size=16, key=self._key).digest()

    def of(self, conversation: bytes, now: float) -> tuple[int, tuple[str, ...]]:
        """Highest rung of what its turns held, and the categories; 0: nothing, or nothing is known."""
        rung, categories, until = self._classes.get(conversation, _NOTHING)
        return (rung, categories) if until > now else (0, ())

    def note(self, conversation: bytes, rung: int, categories: tuple[str, ...], until: float) -> None:
        self._classes[conversation] = rung, categories, until
        self._classes.move_to_end(conversation)
        if len(self._classes) > _MOST_CONVERSATIONS:
            self._classes.popitem(last=False)

    def __len__(self) -> int:
        """Conversations that are remembered."""
        return len(self._classes)
