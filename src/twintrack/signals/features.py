"""Numbers that describe a request for a learned predictor: at most 64, versioned, none of them text.

They are counts on a logarithmic scale and shares, so no repetition of a word or mark can push one without limit. What
stands in the ledger is these alone. The n-grams of `grams.py` help where there are hundreds of verdicts; they are
never kept.
"""

from __future__ import annotations

from math import log2
from struct import Struct

import msgspec

from twintrack.signals.evidence import TO_WORDS
from twintrack.signals.vocabulary import CODE, CODES, CONSTRAINT, EN, MATH, NEGATION, QUANTITY, REASON
from twintrack.wire.prompt import Prompt

VERSION = 1
"""Of names, order and meaning. Weights and ledger rows of another version are not read."""

HEAD = 1_024
TAIL = 512
"""Characters of the last user turn that are looked at."""

NAMES = (
    "tokens", "last_chars", "stem_chars", "option_chars", "options", "lines", "words", "word_chars", "unique",
    "english", "digits", "numbers", "operators", "formulas", "brackets", "braces", "quotes", "commas", "semicolons",
    "colons", "questions", "capitals", "beyond_ascii", "code", "maths", "quantities", "constraints", "reasoning",
    "negations", "earlier", "turns", "tools", "output",
)  # fmt: skip

_PACKED = Struct(f"<B{len(NAMES)}e")
_DIGITS = b"0123456789"
_LOWER = bytes(range(97, 123))
_UPPER = bytes(range(65, 91))
_HIGH = bytes(range(128, 256))
_NOT_MARKS = _LOWER + _UPPER + _HIGH + b" \t\r"
_TO_TOKENS = bytes(byte if byte in _DIGITS else TO_WORDS[byte] for byte in range(256))
"""Words in lower case, and numbers."""
_TO_NUMBERS = bytes(byte if byte in _DIGITS else 32 for byte in range(256))
_FIRST_OPTIONS = (b"\nA. ", b"\nA) ", b"\n(A) ", b"\nA: ", b"\na) ", b"\n1. ")
_INLINE_OPTION = b" (A) "


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What is looked at of the last user turn. Stays within this room."""

    data: bytes
    words: list[bytes]
    """Lower case, and numbers."""


def sample(prompt: Prompt) -> Sample:
    text = prompt.last_user or (prompt.texts[-1] if prompt.texts else "")
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]} {text[-TAIL:]}"
    data = text.encode("utf-8", "replace")
    return Sample(data, data.translate(_TO_TOKENS).split())


_MOST_WORD_CHARS = 32.0
"""What is longer on average is no words, and how much longer says nothing more."""


def features(prompt: Prompt, tokens: int, seen: Sample) -> tuple[float, ...]:
    """In the order of `NAMES`; `tokens` is the estimate for the whole prompt."""
    data, words = seen.data, seen.words
    size = len(data)
    count = len(words)
    some = count or 1
    last = len(prompt.last_user)
    codes = bytes(filter(None, map(CODES.get, words)))
    marks = data.translate(None, _NOT_MARKS)
    signs = marks.translate(None, _DIGITS)
    digits = len(marks) - len(signs)
    lines = signs.count(b"\n")
    capitals = size - len(data.translate(None, _UPPER))
    high = 0 if data.isascii() else size - len(data.translate(None, _HIGH))
    stem = _stem(data)
    options = signs.count(b"\n") if stem < size else 0
    has = signs.count
    said = codes.count
    return (
        log2(1 + tokens),
        log2(1 + last),
        log2(1 + min(stem, last)) if stem < size else log2(1 + last),
        log2(1 + (size - stem) / options) if options else 0.0,
        log2(1 + options),
        log2(1 + lines),
        log2(1 + count),
        min((size - len(signs) - digits) / some, _MOST_WORD_CHARS),
        len(set(words)) / some,
        said(EN) / some,
        log2(1 + digits),
        log2(1 + len(data.translate(_TO_NUMBERS).split())) if digits else 0.0,
        log2(1 + has(b"+") + has(b"=") + has(b"*") + has(b"/") + has(b"<") + has(b">")),
        log2(1 + has(b"\\") + has(b"$") + has(b"^") + has(b"_")),
        log2(1 + has(b"(") + has(b"[")),
        log2(1 + has(b"{") + has(b"`")),
        log2(1 + has(b'"') + has(b"'")),
        log2(1 + has(b",")),
        log2(1 + has(b";")),
        log2(1 + has(b":")),
        log2(1 + has(b"?")),
        capitals / (size or 1),
        high / (size or 1),
        log2(1 + said(CODE)),
        log2(1 + said(MATH)),
        log2(1 + said(QUANTITY)),
        log2(1 + said(CONSTRAINT)),
        log2(1 + said(REASON)),
        log2(1 + said(NEGATION)),
        log2(1 + max(0, sum(map(len, prompt.texts)) - last)),
        log2(1 + prompt.turns),
        float(prompt.tools),
        log2(1 + prompt.max_output_tokens / 256) if prompt.max_output_tokens else 0.0,
    )


def packed(found: tuple[float, ...]) -> bytes:
    """As the ledger keeps them: the version in a byte, then floats of 16 bits, little-endian, exact to a
    two-thousandth."""
    return _PACKED.pack(VERSION, *found)


def unpacked(kept: bytes) -> tuple[float, ...] | None:
    """None: of another version, or no features."""
    if len(kept) != _PACKED.size or kept[0] != VERSION:
        return None
    return _PACKED.unpack(kept)[1:]


def _stem(data: bytes) -> int:
    """Where a question's own text ends and its options begin; all of it if there are none."""
    if b"\n" in data:
        for mark in _FIRST_OPTIONS:
            place = data.find(mark)
            if place > 0:
                return place
    place = data.find(_INLINE_OPTION)
    return place if place > 0 else len(data)
