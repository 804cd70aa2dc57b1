"""Hashes of the words and pairs of neighbouring words of a request: what a predictor fitted to your own traffic weighs.

Hashes are computed, weighed and forgotten within a decision; they stand in no ledger row. A hash of a word can be
guessed back by trying words, so a weights file that was fitted with them is to be kept like the traffic it came from.
"""

from __future__ import annotations

from zlib import crc32


def grams(words: list[bytes]) -> set[int]:
    """CRC-32 of each word and of each two neighbours. Of a bounded sample; `evidence.py` has the bounds."""
    hashes = list(map(crc32, words))
    found = set(hashes)
    found.update(map(crc32, words[1:], hashes))
    return found
