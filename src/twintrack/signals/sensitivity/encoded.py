"""Text that travels as base64 or in hexadecimal: found, decoded and handed back with its place, so that it is read."""

from __future__ import annotations

import binascii
import re
from binascii import a2b_base64
from collections.abc import Iterator

_BLOB = re.compile(r"[A-Za-z0-9+/_\-]{24,}(?:(?:\\n|\r?\n)[A-Za-z0-9+/_\-]{16,}){0,4000}={0,2}")
_IN_BLOBS = bytes(
    120 if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "+/_-") else 32 for code in range(256)
)
_LONG_ENOUGH = b"x" * 24
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{24,}")
_PROBE = 24
_LEAST = 10
"""Bytes in hexadecimal that are looked at first."""
_BREAKS = re.compile(r"\\n|[\r\n]+")
MOST = 1 << 20
"""Characters that are decoded at once."""
_OVERLAP = 4096
"""Characters that two such stretches share, so that no value is cut in both."""
_GROUP = 4
"""Characters that stand for three bytes; where a blob's start is cut off, groups begin at any of them."""
_CONTINUES = bytes(range(0x80, 0xC0))
_MOST_CUT = 3
"""Bytes of a character behind its first."""
_ASCII = bytes(range(128))
_LETTERS = 0xC0
"""In Latin 1 letters begin here."""
_FEW = 4
_NO_CHARACTER = "\ufffd"
_CONTROL = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"


def decoded(text: str) -> list[tuple[int, int, str]]:
    """Start, end and text of what decodes to something that reads like text.

    `text` may be a window of a longer one, and its first blob the end of one that began before: where its groups begin
    is then tried out. The same finds what follows a word of the same letters.
    """
    found = []
    for match in _blobs(text):
        blob = match[0]
        inner = _of_hexadecimal(blob)
        if inner is None:
            inner = _of_base64(blob)
        if inner is not None:
            found.append((match.start(), match.end(), inner))
    return found


def _blobs(text: str) -> Iterator[re.Match[str]]:
    """All of `_BLOB`: each begins where the first line of one does."""
    letters = text.encode("ascii", "replace").translate(_IN_BLOBS)
    at = letters.find(_LONG_ENOUGH)
    while at >= 0:
        match = _BLOB.match(text, at)
        assert match is not None  # so many letters stand there
        yield match
        at = letters.find(_LONG_ENOUGH, match.end())


def _of_hexadecimal(blob: str) -> str | None:
    for match in _HEXADECIMAL.finditer(blob):
        figures = match[0]
        for at in range(2):
            if not _is_text(bytes.fromhex(figures[at : at + 2 * _LEAST])):
                continue
            data = _narrow(bytes.fromhex(figures[at : at + (len(figures) - at) // 2 * 2]))
            if data.translate(None, _CONTROL) == data and _mostly_ascii(data):
                return data.decode("utf-8", "replace")
    return None


def _of_base64(blob: str) -> str | None:
    start = _in_one(blob[: 2 * _PROBE + _GROUP]).replace("-", "+").replace("_", "/").rstrip("=")
    for at in range(_GROUP):
        probe = start[at : at + _PROBE]
        data = a2b_base64(probe) if len(probe) == _PROBE else _bytes(probe)
        if data is not None and _reads_like_text(data):
            inner = as_text(blob[at:])
            if inner is not None:
                return inner
    return None


def is_encoded(text: str) -> bool:
    """Whether all of a text stands for another one: no token with a mark before it."""
    if len(text) < _PROBE:
        return False
    inner = as_text(text)
    if inner is None:
        inner = _of_hexadecimal(text)
    return inner is not None and _NO_CHARACTER not in inner[:_FEW]


def inners(text: str) -> Iterator[str]:
    """What is encoded in a text, and in that."""
    for _, _, inner in decoded(text):
        yield inner
        for _, _, deeper in decoded(inner):
            yield deeper


def following(blob: str) -> Iterator[str | None]:
    """What base64 whose first `MOST` characters are text stands for behind these, stretch by stretch; None: a stretch
    that is no base64."""
    if len(blob) <= MOST:
        return
    plain = _BREAKS.sub("", blob)
    for at in range(len(_BREAKS.sub("", blob[:MOST])) // _GROUP * _GROUP - _OVERLAP, len(plain), MOST - _OVERLAP):
        data = _bytes(plain[at : at + MOST])
        yield None if data is None else _narrow(data).decode("utf-8", "replace")


def as_text(blob: str) -> str | None:
    """What base64 stands for, if that is text: UTF-8, or its start; of its first `MOST` characters."""
    probe = _bytes(_in_one(blob[: 2 * _PROBE])[:_PROBE])
    if probe is None or not _reads_like_text(probe):
        return None
    data = _bytes(_in_one(blob[:MOST]))
    if data is None:
        return None
    data = _narrow(data)
    if len(data.translate(None, _CONTROL)) * 50 < len(data) * 49:
        return None
    return data.decode("utf-8", "replace")


def _in_one(blob: str) -> str:
    """Without its line breaks."""
    return _BREAKS.sub("", blob) if "\n" in blob or "\\" in blob or "\r" in blob else blob


def _reads_like_text(data: bytes) -> bool:
    return _is_text(data) and _mostly_ascii(_narrow(data))


def _is_text(data: bytes) -> bool:
    if len(data.translate(None, _CONTROL)) == len(data):
        return True
    narrow = _narrow(data)
    return narrow is not data and bool(narrow) and narrow.translate(None, _CONTROL) == narrow


def _narrow(data: bytes) -> bytes:
    """UTF-16 and UTF-32 of what is mostly ASCII, wherever they were cut, as that: without zeros and their mark."""
    if data.count(0) * _GROUP < len(data):
        return data
    return data.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").replace(b"\0", b"")


def _mostly_ascii(data: bytes) -> bool:
    """Random bytes are half beyond ASCII; text in Chinese is too, but then its lead bytes show."""
    if data.isascii():
        return True
    start = data[:_MOST_CUT].lstrip(_CONTINUES)  # of a character whose start was cut off
    data = start + data[_MOST_CUT:]
    beyond = data.translate(None, _ASCII)
    if not beyond or (len(beyond) * _FEW <= len(data) and min(beyond) >= _LETTERS):
        return True  # the few are Latin letters of an older encoding
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 3 and error.start > 8  # cut inside a character
    return True


def _bytes(blob: str) -> bytes | None:
    plain = blob.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return a2b_base64(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return None
