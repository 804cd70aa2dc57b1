"""Codes of values: the same for the same value of one caller's conversation, on every machine that holds the key."""

from __future__ import annotations

import hmac

from twintrack.wire.placeholders import CODE_LENGTH, CODE_LETTERS


class Naming:
    """Codes of one caller's conversation."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes, caller: str, conversation: str) -> None:
        """
        Args:
            key: the data folder's.
            caller: whom the values belong to: what is replaced for one says nothing about another's.
            conversation: how it began.
        """
        scope = b"pseudonyms\0%b\0%b" % (caller.encode(), conversation.encode("utf-8", "surrogatepass"))
        self._key = hmac.digest(key, scope, "sha256")

    def code(self, value: str, again: int) -> str:
        """`again`: counts from 0 those that were taken already."""
        digest = hmac.digest(self._key, b"%d\0%b" % (again, value.encode("utf-8", "surrogatepass")), "sha256")
        number = int.from_bytes(digest[:8])
        code = ""
        for _ in range(CODE_LENGTH):
            number, letter = divmod(number, len(CODE_LETTERS))
            code += CODE_LETTERS[letter]
        return code
