"""Images, sounds and files as parts of a message have them: addresses, data URLs and plain base64."""

from __future__ import annotations

import re
from typing import Literal

from twintrack.errors import BadRequest
from twintrack.wire.canonical.media import is_base64, split_data_url
from twintrack.wire.canonical.parts import Media

IMAGE_TYPES = {
    "image/png": "image/png",
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/webp": "image/webp",
    "image/gif": "image/gif",
}
"""OpenAI API, guide to images and vision (2026-11). Its 50 MB of images a request lie above our own limit."""
FILE_TYPES = {"application/pdf": "application/pdf", "text/plain": "text/plain"}
"""OpenAI takes PDF (guide to file inputs, 2026-11); plain text is what every other dialect can say as well."""
AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
AUDIO_FORMATS: dict[str, Literal["wav", "mp3"]] = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}

_ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)


def is_data_url(text: str) -> bool:
    return text[:5].lower() == "data:"


def is_address(text: str) -> bool:
    return _ADDRESS.match(text) is not None


def from_data_url(text: str, types: dict[str, str], path: str) -> Media:
    parts = split_data_url(text)
    if parts is None:
        raise BadRequest(
            f"{path}: a data URL begins with its media type and base64, as data:image/png;base64,", param=path
        )
    media_type = types.get(parts[0])
    if media_type is None:
        known = ", ".join(dict.fromkeys(types.values()))
        raise BadRequest(f"{path}: media type {parts[0][:60]!r} is not supported", fix=f"Use {known}.", param=path)
    return Media(checked_base64(parts[1], path), media_type)


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
