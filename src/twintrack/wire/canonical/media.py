"""Base64 and the data URLs that carry it, looked at without decoding: an image is megabytes."""

from __future__ import annotations

import re
import string

_DATA_URL = re.compile(r"data:([^;,\s]*)(?:;[^;,\s]+)*?;base64,", re.IGNORECASE)
_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
_PADDINGS = (b"", b"=", b"==")


def is_base64(text: str) -> bool:
    """Whether `text` is base64 as RFC 4648 has it: padded, without line breaks, and of at least one byte."""
    if not text or len(text) % 4 or not text.isascii():
        return False
    rest = text.encode().translate(None, _ALPHABET)
    return rest in _PADDINGS and text.endswith(rest.decode())


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type (in lower case; may be empty) and base64 of a data URL; None if it is none of that kind."""
    match = _DATA_URL.match(url)
    return None if match is None else (match[1].lower(), url[match.end() :])


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"
