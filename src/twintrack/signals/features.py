"""Numbers that describe a request for a learned predictor: at most 64, versioned, none of them text.

They are counts on a logarithmic scale and shares, so no repetition of a word or mark can push one without limit. Marks
are counted in a wider sample than the words that are looked up, which cost most. What stands in the ledger is these
numbers alone. The n-grams of `grams.py` help where there are hundreds of verdicts; they are never kept.
"""

from __future__ import annotations

from math import log2
from struct import Struct

from twintrack.signals import evidence
from twintrack.signals.evidence import Evidence, looked_at
from twintrack.signals.vocabulary import (
    CODE,
    CONSTRAINT,
    EN,
    MATH,
    NEGATION,
    QUANTITY,
    REASON,
)
from twintrack.wire.prompt import Prompt

VERSION = 2
"""Of names, order and meaning. Weights and ledger rows of another version are not read."""

HEAD = 1_024
TAIL = 512
"""Characters of the last user turn in which marks are counted; words are the evidence's."""

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
_NOT_SIGNS = _LOWER + _HIGH + b" \t\r"
_TO_SHAPE = bytes(32 if byte == 32 else 120 for byte in evidence.TO_WORDS)
"""An x for whatever belongs to a word or number."""
_TO_NUMBERS = bytes(byte if byte in _DIGITS else 32 for byte in range(256))
_KINDS = (b"\n", b"+=*/<>", b"\\$^_", b"([", b"{`", b"\"'", b",", b";", b":", b"?")
_LINES, _OPERATORS, _FORMULAS, _BRACKETS, _BRACES, _QUOTES, _COMMAS, _SEMICOLONS, _COLONS, _QUESTIONS = range(10)
_KIND = {byte: kind for kind, marks in enumerate(_KINDS) for byte in marks}
_TO_KINDS = bytes(_KIND.get(byte, 0) for byte in range(256))
_NO_KIND = bytes(byte for byte in range(256) if byte not in _KIND)
_FIRST_OPTIONS = (b"\nA. ", b"\nA) ", b"\n(A) ", b"\nA: ", b"\na) ", b"\n1. ")
_INLINE_OPTION = b" (A) "
_LOG = tuple([log2(1 + count) for count in range(4 * (HEAD + 1 + TAIL) + 1)])
"""Of every count there can be in a sample: a look at a table costs a third of the call."""


_MOST_WORD_CHARS = 32.0
"""What is longer on average is no words, and how much longer says nothing more."""


def features(prompt: Prompt, tokens: int, seen: Evidence) -> tuple[float, ...]:
    """In the order of `NAMES`; `tokens` is the estimate for the whole prompt, `seen` the evidence in it."""
    data, log = _sample(prompt, seen), _LOG
    shape = data.translate(_TO_SHAPE)
    size, count = len(data), shape.count(b" x") + shape.startswith(b"x")
    terms, telling = seen.terms, seen.telling
    near = len(terms) or 1
    last = len(prompt.last_user)
    capitals_and_signs = data.translate(None, _NOT_SIGNS)
    signs_and_digits = capitals_and_signs.translate(None, _UPPER)
    signs = signs_and_digits.translate(None, _DIGITS)
    digits = len(signs_and_digits) - len(signs)
    kinds = signs.translate(_TO_KINDS, _NO_KIND)
    said, has = telling.count, kinds.count
    lines = has(_LINES)
    stem = _stem(data) if lines else data.find(_INLINE_OPTION)
    asked = log2(1 + last)
    stem_chars, option_chars, options = asked, 0.0, 0.0
    if 0 < stem < size:
        stem_chars, options = log2(1 + min(stem, last)), log[lines]
        option_chars = log2(1 + (size - stem) / lines) if lines else 0.0
    code = maths = quantities = constraints = reasoning = negations = 0.0
    if telling:
        code, maths, quantities = log[said(CODE)], log[said(MATH)], log[said(QUANTITY)]
        constraints, reasoning, negations = log[said(CONSTRAINT)], log[said(REASON)], log[said(NEGATION)]
    texts, output = prompt.texts, prompt.max_output_tokens
    return (
        log2(1 + tokens),
        asked,
        stem_chars,
        option_chars,
        options,
        log[lines],
        log[count],
        min((size - len(signs_and_digits)) / (count or 1), _MOST_WORD_CHARS),
        len(set(terms)) / near,
        seen.words.count(EN) / near,
        log[digits],
        log[len(data.translate(_TO_NUMBERS).split())] if digits else 0.0,
        log[has(_OPERATORS)],
        log[has(_FORMULAS)],
        log[has(_BRACKETS)],
        log[has(_BRACES)],
        log[has(_QUOTES)],
        log[has(_COMMAS)],
        log[has(_SEMICOLONS)],
        log[has(_COLONS)],
        log[has(_QUESTIONS)],
        (len(capitals_and_signs) - len(signs_and_digits)) / (size or 1),
        0.0 if data.isascii() else (size - len(data.translate(None, _HIGH))) / (size or 1),
        code,
        maths,
        quantities,
        constraints,
        reasoning,
        negations,
        log2(1 + max(0, sum(map(len, texts)) - last)) if len(texts) > 1 or not last else 0.0,
        log2(1 + prompt.turns),
        float(prompt.tools),
        log2(1 + output / 256) if output else 0.0,
    )


def _sample(prompt: Prompt, seen: Evidence) -> bytes:
    text = looked_at(prompt)
    if len(text) <= evidence.HEAD + evidence.TAIL:
        return seen.data
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]} {text[-TAIL:]}"
    return text.encode("utf-8", "replace")


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
    """Where a question's own text ends and its options begin, in a text of several lines; -1: there are none."""
    for mark in _FIRST_OPTIONS:
        place = data.find(mark)
        if place > 0:
            return place
    return data.find(_INLINE_OPTION)
