"""Which questions of a test stood in the training: by hash of the text, blind to case, spacing and punctuation."""

from __future__ import annotations

import base64
import re
import sys
from array import array
from collections.abc import Iterable, Sequence
from math import exp
from zlib import crc32

_ODD = re.compile(r"[\W_]+")
_FROM = 400
"""Characters compared: options may be lettered or ordered otherwise further on."""
_LABEL = re.compile(r"^\W*(?:question|problem|task|user|instruction|q)\W{0,3}\d{0,5}\W{0,3}[:.)]\s*", re.IGNORECASE)
_OPTIONS = re.compile(r"\n\s*\(?A[.):]\s|\nAnswer:")
_LAST_OPTIONS = re.compile(r".*\n\s*(?=\(?A[.):]\s)|.*(?=\nAnswer:)", re.DOTALL)
"""Examples may stand before the question, each with its options."""


def text_hash(prompt: str, *, whole: bool = False) -> int:
    """32 bits of what is left when case, spacing, punctuation and answer options are gone.

    `whole`: of all of it and not of its beginning, which requests to one application may share.
    """
    if whole:
        before = _LAST_OPTIONS.match(prompt)
        text = before[0] if before is not None and before.end() > 40 else prompt
        return crc32(_ODD.sub("", text.casefold()).encode("utf-8", "replace"))
    options = _OPTIONS.search(prompt)
    text = prompt[: options.start()] if options is not None and options.start() > 40 else prompt
    return crc32(_ODD.sub("", text[: 2 * _FROM].casefold())[:_FROM].encode("utf-8", "replace"))


def pack(hashes: Iterable[int]) -> str:
    values = array("I", sorted(set(hashes)))
    if sys.byteorder == "little":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def unpack(text: str) -> frozenset[int]:
    values = array("I")
    values.frombytes(base64.b64decode(text))
    if sys.byteorder == "little":
        values.byteswap()
    return frozenset(values)


def overlapping(prompts: Sequence[str], hashes: frozenset[int]) -> list[bool]:
    """For each prompt: its text, with or without a word before it, stood among `hashes`; see `by_accident`."""
    return [text_hash(each) in hashes or text_hash(_LABEL.sub("", each)) in hashes for each in prompts]


def by_accident(prompts: int, hashes: int) -> int:
    """Prompts that may be among `hashes` without having stood there: more are so in one file of a thousand."""
    expected = prompts * hashes / 2**32
    so_many, chance, least = exp(-expected), exp(-expected), 0
    while chance < 0.999:
        least += 1
        so_many *= expected / least
        chance += so_many
    return least
