"""Images, sounds and files as parts of a message have them: addresses, data URLs and plain base64."""

from __future__ import annotations

import re
from typing import Literal

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
