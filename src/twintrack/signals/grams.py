"""Hashes of the words and pairs of neighbouring words of a request: what a predictor fitted to your own traffic weighs.

Hashes are computed, weighed and forgotten within a decision; they stand in no ledger row. A hash of a word can be
guessed back by trying words, so a weights file that was fitted with them is to be kept like the traffic it came from.
"""

from __future__ import annotations

from zlib import crc32

MOST_WORDS = 128
"""Words of the sample that are hashed: 88 from its start and 40 from its end."""
_HEAD, _TAIL = 88, 40


def grams(words: list[bytes]) -> set[int]:
    """CRC-32 of each word and of each two neighbours."""
    if len(words) > MOST_WORDS:
        words = words[:_HEAD] + words[-_TAIL:]
    hashes = list(map(crc32, words))
    found = set(hashes)
    found.update(map(crc32, words[1:], hashes))
    return found
