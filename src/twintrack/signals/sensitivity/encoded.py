"""Text that travels as base64: found, decoded and handed back with its place, so that it is read as well."""

from __future__ import annotations

import base64
import binascii
import re

_BLOB = re.compile(r"[A-Za-z0-9+/_\-]{24,}(?:(?:\\n|\r?\n)[A-Za-z0-9+/_\-]{16,}){0,4000}={0,2}")
_PROBE = 24
_BREAKS = re.compile(r"\\n|[\r\n]+")
_MOST_BYTES = 1 << 20
_CONTROL = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"


def decoded(text: str) -> list[tuple[int, int, str]]:
    """Start, end and text of what decodes to something that reads like text."""
    found = []
    for match in _BLOB.finditer(text):
        inner = as_text(match[0])
        if inner is not None:
            found.append((match.start(), match.end(), inner))
    return found


def as_text(blob: str) -> str | None:
    """What base64 stands for, if that is text: UTF-8, or its start."""
    probe = _bytes(blob[:_PROBE])
    if probe is None or probe.translate(None, _CONTROL) != probe or not _mostly_ascii(probe):
        return None
    data = _bytes(_BREAKS.sub("", blob[:_MOST_BYTES]))
    if data is None or len(data.translate(None, _CONTROL)) * 50 < len(data) * 49:
        return None
    return data.decode("utf-8", "replace")


def _mostly_ascii(data: bytes) -> bool:
    """Random bytes are half beyond ASCII; text in Chinese is too, but then its lead bytes show."""
    beyond = sum(byte > 127 for byte in data)
    if not beyond:
        return True
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 3 and error.start > 8  # cut inside a character
    return True


def _bytes(blob: str) -> bytes | None:
    plain = blob.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return None
