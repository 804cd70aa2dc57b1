"""Images and documents."""

from __future__ import annotations

import binascii

from twintrack.errors import BadRequest
from twintrack.wire.canonical.media import is_base64
from twintrack.wire.canonical.parts import CacheLife, File, Image, Media
from twintrack.wire.dialects.messages import shapes

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
PDF = "application/pdf"
PLAIN = "text/plain"
_LARGEST_IMAGE = 10 * 1024 * 1024
"""Of base64, as the API itself says when it refuses one: "image exceeds 10 MB maximum" (seen 2026-09; 5 MB until the
spring)."""


def life(control: shapes.CacheControl | None) -> CacheLife:
    return "" if control is None else control.ttl or "5m"


def read_image(block: shapes.Image, path: str) -> Image:
    source = block.source
    if isinstance(source, shapes.Base64Source):
        if source.media_type not in IMAGE_TYPES:
            raise BadRequest(
                f"{path}.source.media_type: {source.media_type[:60]!r} is no type of image that is taken",
                fix=f"Use {', '.join(IMAGE_TYPES)}.",
                param=f"{path}.source.media_type",
            )
        if len(source.data) > _LARGEST_IMAGE:
            raise BadRequest(
                f"{path}.source.data: an image has at most {_LARGEST_IMAGE} bytes of base64, this one "
                f"{len(source.data)}",
                param=f"{path}.source.data",
            )
        return Image(Media(_base64(source.data, path), source.media_type), cache=life(block.cache_control))
    if isinstance(source, shapes.UrlSource):
        return Image(Media(url=_address(source.url, path)), cache=life(block.cache_control))
    return Image(Media(file_id=source.file_id), cache=life(block.cache_control))


def _base64(data: str, path: str) -> str:
    if not is_base64(data):
        raise BadRequest(
            f"{path}.source.data: no base64",
            why="it is empty, or its length or a character cannot be",
            fix="Use the standard alphabet with its padding, and no line breaks.",
            param=f"{path}.source.data",
        )
    return data


def _address(url: str, path: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise BadRequest(f"{path}.source.url: no address that begins with https://", param=f"{path}.source.url")
    return url


def read_document(block: shapes.Document, path: str, unsaid: list[str]) -> File | None:
    """None, and a path in `unsaid`, if nothing of it can be said."""
    media = _document(block.source, path, unsaid)
    if media is None:
        return None
    citable = block.citations is not None and block.citations.enabled is True
    return File(media, block.title or "", block.context or "", citable, life(block.cache_control))


def _document(source: shapes.DocumentSource, path: str, unsaid: list[str]) -> Media | None:
    if isinstance(source, shapes.Base64Source):
        if source.media_type != PDF:
            raise BadRequest(
                f"{path}.source.media_type: a document in base64 is {PDF}", param=f"{path}.source.media_type"
            )
        return Media(_base64(source.data, path), PDF)
    if isinstance(source, shapes.TextSource):
        if source.media_type != PLAIN:
            raise BadRequest(f"{path}.source.media_type: a text is {PLAIN}", param=f"{path}.source.media_type")
        return as_text(source.data)
    if isinstance(source, shapes.UrlSource):
        return Media(media_type=PDF, url=_address(source.url, path))
    if isinstance(source, shapes.FileSource):
        return Media(file_id=source.file_id)
    if isinstance(source.content, str):
        return as_text(source.content)
    texts: list[str] = []
    for number, block in enumerate(source.content):
        if isinstance(block, shapes.Text):
            texts.append(block.text)
        else:
            unsaid.append(f"{path}.source.content[{number}]")
    return as_text("\n\n".join(texts)) if texts else None


def read_search_result(block: shapes.SearchResult) -> File:
    """A text with a title and where it comes from."""
    citable = block.citations is not None and block.citations.enabled is True
    text = "\n\n".join(part.text for part in block.content)
    return File(as_text(text), block.title, block.source, citable, life(block.cache_control))


def as_text(text: str) -> Media:
    return Media(binascii.b2a_base64(text.encode(), newline=False).decode(), PLAIN)


# ---- to a provider


def write_image(image: Image, control: shapes.CacheControl | None) -> shapes.Image | str:
    """What is wrong, in words, if the dialect cannot say it."""
    media = image.media
    if media.data:
        if media.media_type not in IMAGE_TYPES:
            return f"an image of type {media.media_type}"
        return shapes.Image(shapes.Base64Source(media.media_type, media.data), cache_control=control)
    if media.url:
        return shapes.Image(shapes.UrlSource(media.url), cache_control=control)
    return "an image uploaded to one provider"


def write_document(file: File, control: shapes.CacheControl | None) -> shapes.Document | str:
    source = _source(file.media)
    if isinstance(source, str):
        return source
    citations = shapes.CitationsConfig(True) if file.citable else None
    return shapes.Document(source, file.name or None, file.context or None, citations, control)


def _source(media: Media) -> shapes.DocumentSource | str:
    if media.data:
        if media.media_type == PDF:
            return shapes.Base64Source(PDF, media.data)
        if media.media_type.startswith("text/") or media.media_type == "application/json":
            try:
                return shapes.TextSource(PLAIN, binascii.a2b_base64(media.data).decode())
            except (binascii.Error, UnicodeDecodeError):
                return "a text that is not UTF-8"
        return f"a file of type {media.media_type or 'unknown'}"
    if media.url:
        return shapes.UrlSource(media.url) if media.media_type in ("", PDF) else f"a file of type {media.media_type}"
    return "a file uploaded to one provider"
