"""Words that stand for values in what a provider gets and says, and the way back to the values.

A placeholder is a type and a code, as EMAIL_kqzmwxrt: letters, digits and underscores alone, so that it is the same
in JSON, Markdown, URLs, file names, identifiers and the names of tools. Codes have one length and no two are alike, so
none is the start of another. Only the code counts on the way back: a model may change its case, escape the underscore
as Markdown has it, or lose the type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

CODE_LETTERS = "bcdfghjkmnpqrstvwxz"
"""No vowels, so that no word comes out, and no digits, so that nobody takes it for a number."""
CODE_LENGTH = 8
_CODE = re.compile(f"(?=([{CODE_LETTERS}]{{{CODE_LENGTH}}}))")
_LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(65, 91)})
_SEPARATORS = ("_", r"\_", r"\\_")
"""Plain, escaped as in Markdown, and the same inside JSON."""


def shaped(word: str, code: str) -> str:
    """The placeholder with a type's word, in capitals, and a code."""
    return f"{word}_{code}"


def quoted(text: str) -> str:
    """`text` as it stands inside a JSON string."""
    return msgspec.json.encode(text).decode()[1:-1]


class Placeholders:
    """Those of one request. Nothing else is ever put back: who invents a placeholder gets it as it is."""

    __slots__ = ("_bytes", "_codes", "_longest", "_plain", "_quoted", "_types", "_types_of", "_words")

    def __init__(self, values: Mapping[str, str]) -> None:
        """`values`: by placeholder, as `shaped` makes them."""
        self._plain: dict[str, str] = {}
        self._quoted: dict[str, str] = {}
        self._types_of: dict[str, tuple[str, ...]] = {}
        kinds: dict[str, tuple[str, ...]] = {}
        for placeholder, value in values.items():
            word, code = placeholder[: -CODE_LENGTH - 1].lower(), placeholder[-CODE_LENGTH:]
            self._plain[code] = value
            self._quoted[code] = quoted(value)
            if word not in kinds:
                kinds[word] = tuple(f"{word}_".replace("_", separator) for separator in _SEPARATORS)
            self._types_of[code] = kinds[word]
        self._words = frozenset(form for forms in kinds.values() for form in forms)
        self._types = frozenset(form[:size] for form in self._words for size in range(1, len(form)))
        self._longest = max(map(len, self._words), default=0)
        self._bytes = tuple(code.encode() for code in self._plain)
        self._codes = frozenset(code[:size] for code in self._plain for size in range(1, CODE_LENGTH))

    def __bool__(self) -> bool:
        return bool(self._plain)

    def within(self, data: bytes) -> bool:
        """Whether JSON may have one of them in one piece."""
        low = data.lower()
        return any(code in low for code in self._bytes)

    def restore(self, text: str, *, json: bool = False) -> str:
        """`text` with the values; `json`: it is JSON, and the values stand inside its strings."""
        if len(text) < CODE_LENGTH:
            return text
        pieces, done = self._found(text, _low(text), self._quoted if json else self._plain)
        return "".join(pieces) + text[done:] if done else text

    def split(self, text: str, *, json: bool = False) -> tuple[str, str]:
        """Of a text that goes on: what can be said already, restored, and the start of what may be a placeholder."""
        low = _low(text)
        pieces, done = self._found(text, low, self._quoted if json else self._plain)
        unsure = self._unsure(low[max(done, len(low) - self._longest - CODE_LENGTH) :])
        at = len(text) - unsure
        return ("".join(pieces) + text[done:at] if done else text[:at]), text[at:]

    def _found(self, text: str, low: str, values: Mapping[str, str]) -> tuple[list[str], int]:
        """The text up to the end of the last placeholder, in pieces, and where that is; 0: there is none."""
        pieces: list[str] = []
        done = 0
        for match in _CODE.finditer(low):
            code = match[1]
            start = match.start()
            if start < done or code not in values:
                continue
            end = start + CODE_LENGTH
            for form in self._types_of[code]:
                if low.endswith(form, done, start):
                    start -= len(form)
                    break
            pieces += (text[done:start], values[code])
            done = end
        return pieces, done

    def _unsure(self, low: str) -> int:
        """How many characters at its end may be the start of a placeholder that goes on."""
        size = len(low)
        begun = next((k for k in range(min(CODE_LENGTH - 1, size), 0, -1) if low[-k:] in self._codes), 0)
        before = low[: size - begun]  # a type, if its code has begun or comes next
        for k in range(min(self._longest, len(before)), 0, -1):
            if before[-k:] in self._words:
                return k + begun
        part = next((k for k in range(min(self._longest, size), 0, -1) if low[-k:] in self._types), 0)
        return max(begun, part)


def _low(text: str) -> str:
    """In lower case, of the same length."""
    return text.lower() if text.isascii() else text.translate(_LOWER)
