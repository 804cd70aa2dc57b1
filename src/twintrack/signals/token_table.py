"""Tokens per character by kind of character, fitted; rows for `tokens.py`.

Target: the mean count of three present-day vocabularies (o200k, DeepSeek V3, Mistral's Tekken), because which model
will answer is not known when the estimate is made. Least squares on the relative error, weights not negative, over
2,800 texts of mostly 300 to 2,500 characters: public routing benchmarks (MMLU, MMLU-Pro, GSM8K, AlpacaEval, C-Eval,
CMMLU, function schemas), manual pages and interface texts in 26 languages, Python and JavaScript source, generated
tables and logs. `tests/signals/fit_tokens.py` is the fit, of 2026-11; the texts are others' and not shipped.

Estimate over count on the half of the texts that a fit did not see, 5 to 95 %:

    mean of the three  0.78 to 1.17    Tekken            0.71 to 1.15
    o200k              0.79 to 1.24    cl100k (older)    0.60 to 1.22
    DeepSeek V3        0.79 to 1.31

`LOW` and `HIGH` are this band turned round. Vocabularies older than these spend up to twice as many tokens on
scripts other than Latin.
"""

from __future__ import annotations

from twintrack.signals.scripts import (
    ARABIC,
    CYRILLIC,
    EMOJI,
    GEORGIAN,
    GREEK,
    HAN,
    HANGUL,
    HEBREW,
    INDIC,
    KANA,
    LATIN,
    SYMBOL,
    WIDE,
)

LOW = 0.75
HIGH = 1.4
"""For nine texts in ten a present-day vocabulary counts between estimate × LOW and estimate × HIGH."""

PER_LETTER = 0.228
"""ASCII letter."""
PER_DIGIT = 1.011
"""Vocabularies differ most here: one digit a token, or three."""
PER_SPACE = 0.107
"""Also tabs."""
PER_LINE_END = 1.43
PER_MARK = 0.402
"""ASCII punctuation and control characters."""
PER_DENSE = 0.7
"""Any character of text that is hardly ever interrupted: base64, hexadecimal. From random bytes, 0.57 to 0.89."""

PER_LEAD: tuple[tuple[int, float], ...] = (
    (LATIN, 1.722),  # an accent splits the word it stands in
    (CYRILLIC, 0.352),
    (HAN, 0.793),
    (WIDE, 1.821),
    (KANA, 0.644),
    (SYMBOL, 1.155),
    (HANGUL, 0.716),
    (ARABIC, 0.362),
    (INDIC, 0.465),
    (HEBREW, 0.502),
    (GREEK, 0.430),
    (GEORGIAN, 0.350),  # by hand: the fit gave 0, on Vietnamese alone, and Georgian needs 0.29 to 0.71
    (EMOJI, 3.981),
)
"""Per character beyond ASCII, by script, the most usual first: the search ends when all are accounted for."""
