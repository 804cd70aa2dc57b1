"""The script of a character from the first byte of its UTF-8 form: one table lookup in C instead of one per character.

Coarse on purpose. A lead byte is shared by neighbours (Hebrew with Armenian, Devanagari with Thai), which costs the
token estimate little and is settled by the second byte where a language depends on it.
"""

from __future__ import annotations

LATIN, GREEK, CYRILLIC, HEBREW, ARABIC, INDIC, GEORGIAN, SYMBOL, KANA, HAN, HANGUL, WIDE, EMOJI = b"LGCHAIESKZOWX"

_ROWS = (
    (0xC2, 0xCD, LATIN),  # accented Latin, IPA, combining marks
    (0xCE, 0xCF, GREEK),
    (0xD0, 0xD5, CYRILLIC),
    (0xD6, 0xD7, HEBREW),
    (0xD8, 0xDF, ARABIC),
    (0xE0, 0xE0, INDIC),  # and Thai, Lao
    (0xE1, 0xE1, GEORGIAN),  # and Ethiopic, Khmer, Vietnamese's stacked accents, polytonic Greek
    (0xE2, 0xE2, SYMBOL),  # typographic punctuation, arrows, mathematics
    (0xE3, 0xE3, KANA),  # and CJK punctuation, the rarest Han
    (0xE4, 0xE9, HAN),
    (0xEA, 0xED, HANGUL),
    (0xEE, 0xEF, WIDE),  # full-width forms, private use
    (0xF0, 0xF4, EMOJI),
)

LEADS = {byte: script for first, last, script in _ROWS for byte in range(first, last + 1)}
"""Lead byte to script."""

TO_SCRIPT = bytes(LEADS.get(byte, byte) for byte in range(256))
"""For `bytes.translate`; bytes that lead nothing stay as they are."""
