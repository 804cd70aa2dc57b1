"""Base64 and the data URLs that carry it, looked at without decoding: an image is megabytes."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import Media

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


def checked_base64(text: str, path: str) -> str:
    """Raises BadRequest if `text` is empty or no base64."""
    if not is_base64(text):
        raise BadRequest(
            f"{path}: invalid base64",
            why="" if text else "it is empty",
            fix="Use the standard alphabet with its padding, and no line breaks.",
            param=path,
        )
    return text


def from_data_url(url: str, types: Mapping[str, str] | None, path: str) -> Media:
    """`types`: those allowed, by what clients call them; None: any. Raises BadRequest."""
    found = split_data_url(url)
    if found is None:
        raise BadRequest(
            f"{path}: a data URL begins with its media type and base64, as data:image/png;base64,", param=path
        )
    said, data = found
    media_type = said if types is None else types.get(said)
    if not media_type:
        known = "a media type" if types is None else ", ".join(dict.fromkeys(types.values()))
        raise BadRequest(f"{path}: media type {said[:60]!r} is not supported", fix=f"Use {known}.", param=path)
    return Media(checked_base64(data, path), media_type)


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"
