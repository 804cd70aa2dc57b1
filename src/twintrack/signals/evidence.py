"""One pass over a bounded sample of the last user turn, shared by language, task, complexity and features.

A prompt can be megabytes and the whole reading has some ten microseconds, so at most `HEAD` + `TAIL` characters are
looked at: people say what they want at the start or at the end of what they paste. Each known word becomes one byte
(`vocabulary.py`), so that every later question is a `bytes.count`.
"""

from __future__ import annotations

import msgspec

from twintrack.signals.vocabulary import CODE, CODES, LANGUAGES, MATH, QUANTITY
from twintrack.wire.prompt import Prompt

HEAD = 256
TAIL = 128
"""Characters. A word costs 60 ns to cut out and look up, and reading a 1 KB prompt may cost 12 µs in all."""

_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))
_HIGH = bytes(range(128, 256))
_NOT_LEAD = bytes(range(192))
_NOT_MARKS = _LETTERS + _HIGH + b" \t\r"
_DIGITS = b"0123456789"
TO_WORDS = bytes(
    byte + 32 if 65 <= byte <= 90 else byte if 97 <= byte <= 122 or byte >= 128 or byte in _DIGITS else 32
    for byte in range(256)
)
"""Lower case; everything that is neither letter, digit nor part of a longer UTF-8 sequence separates."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    terms: list[bytes]
    """Words in lower case, and numbers. Stay within this room, as `data` does."""
    words: bytes
    """One code of `vocabulary.py` for each word it knows, in order."""
    telling: bytes
    """Of these the ones of task and difficulty."""
    marks: bytes
    """ASCII punctuation, digits and line ends, in order."""
    leads: bytes
    """First UTF-8 byte of each character beyond ASCII, in order: it tells the script."""
    digits: int
    code: int
    """How much it looks like a program, from 0: words of programming, and punctuation."""
    maths: int
    """How much it looks like mathematics, from 0: its words, formulas, or quantities asked for among numbers."""
    data: bytes
    """The sample itself, as UTF-8."""


def evidence(prompt: Prompt) -> Evidence:
    return of_text(looked_at(prompt))


def looked_at(prompt: Prompt) -> str:
    """The last user turn, or the last text where there is none (a tool's result, an embedding input)."""
    return prompt.last_user or (prompt.texts[-1] if prompt.texts else "")


def of_text(text: str) -> Evidence:
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]} {text[-TAIL:]}"
    data = text.encode("utf-8", "replace")  # a lone surrogate is legal in JSON
    terms = data.translate(TO_WORDS).split()
    words = bytes(filter(None, map(CODES.get, terms)))
    telling = words.translate(None, LANGUAGES)
    leads = b"" if len(data) == len(text) else data.translate(None, _NOT_LEAD)
    marks = data.translate(None, _NOT_MARKS)
    digits = len(marks) - len(marks.translate(None, _DIGITS)) if marks else 0
    code = maths = 0
    if telling:
        code, maths = telling.count(CODE), telling.count(MATH)
        if digits > 1:
            maths += min(3, telling.count(QUANTITY))
    if marks:
        code += _code_marks(marks, data)
        maths += _maths_marks(marks, digits)
    return Evidence(terms, words, telling, marks, leads, digits, code, maths, data)


def _code_marks(marks: bytes, data: bytes) -> int:
    score = 0
    if b"(" in marks:
        if b";\n" in marks:
            score += 2
        if b"()" in data:  # not in the marks: without its letters (this) looks like a call
            score += 1
    if b"`" in marks and b"```" in marks:
        score += 4
    if b"{" in marks and b"\\" not in marks:
        score += 1
    return score


def _maths_marks(marks: bytes, digits: int) -> int:
    score = 0
    if b"\\" in marks and b"$" in marks:
        score += 4
    if b"^" in marks:
        score += 2
    if digits > 1 and b"=" in marks:
        score += 1
    return score


def ascii_letters(data: bytes) -> int:
    return len(data) - len(data.translate(None, _LETTERS))
