"""Images, sounds and files as parts of a message have them: addresses, data URLs and plain base64."""

from __future__ import annotations

from twintrack.errors import BadRequest
from twintrack.wire.canonical.media import checked_base64, from_data_url
from twintrack.wire.canonical.parts import Audio, CacheLife, File, Image, Media
from twintrack.wire.dialects.responses import shapes

_IMAGE_TYPES = {
    "image/png": "image/png",
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/webp": "image/webp",
    "image/gif": "image/gif",
}
"""OpenAI API, guide to images and vision (2026-11). Its limit of 512 MB a request lies above ours."""
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_TYPE_OF_ENDING = {"pdf": "application/pdf", "txt": "text/plain", "md": "text/plain", "csv": "text/csv"}
"""For files whose data is plain base64."""


def life_of(point: shapes.Breakpoint | None) -> CacheLife:
    if point is None:
        return ""
    return "1h" if point.ttl == "12h" else "5m"


def read_image(said: shapes.InputImage, path: str) -> Image:
    url = said.image_url
    if bool(url) == bool(said.file_id):
        raise BadRequest(f"{path}: exactly one of image_url and file_id must be there", param=path)
    if not url:
        media = Media(file_id=said.file_id or "")
    elif url[:5].lower() == "data:":
        media = from_data_url(url, _IMAGE_TYPES, f"{path}.image_url")
    else:
        media = Media(url=_address(url, f"{path}.image_url"))
    return Image(media, said.detail or "", life_of(said.prompt_cache_breakpoint))


def read_file(said: shapes.InputFile, path: str) -> File:
    if (said.file_data, said.file_url, said.file_id).count(None) != 2:
        raise BadRequest(f"{path}: exactly one of file_data, file_url and file_id must be there", param=path)
    name = said.filename or ""
    if said.file_data is not None:
        media = _file_data(said.file_data, name, f"{path}.file_data")
    elif said.file_url is not None:
        media = Media(url=_address(said.file_url, f"{path}.file_url"))
    else:
        media = Media(file_id=said.file_id or "")
    return File(media, name, cache=life_of(said.prompt_cache_breakpoint))


def read_audio(said: shapes.InputAudio, path: str) -> Audio:
    data = checked_base64(said.input_audio.data, f"{path}.input_audio.data")
    return Audio(Media(data, _AUDIO_TYPES[said.input_audio.format]))


def _file_data(data: str, name: str, path: str) -> Media:
    if data[:5].lower() == "data:":
        return from_data_url(data, None, path)
    return Media(checked_base64(data, path), _TYPE_OF_ENDING.get(name.rpartition(".")[2].lower(), "application/pdf"))


def _address(url: str, path: str) -> str:
    scheme, colon, rest = url[:2048].partition("://")
    if scheme.lower() not in ("http", "https") or not colon or not rest:
        raise BadRequest(f"{path}: neither an http(s) address nor a data URL", param=path)
    return url
