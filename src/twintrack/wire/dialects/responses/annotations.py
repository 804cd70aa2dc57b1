"""Where an answer's text comes from, in this dialect's words."""

from __future__ import annotations

import msgspec

from twintrack.wire.canonical.parts import Citation

_NO_RAW = msgspec.Raw(b"")


class Annotation(msgspec.Struct, gc=False):
    type: str = ""
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class URLCitation(msgspec.Struct, tag_field="type", tag="url_citation", gc=False):
    start_index: int
    end_index: int
    title: str
    url: str


_ANNOTATION = msgspec.json.Decoder(Annotation)


def read_annotation(raw: msgspec.Raw) -> Citation:
    """Raises msgspec.ValidationError. A file's citation is kept as it came: only its own provider has the file."""
    said = _ANNOTATION.decode(raw)
    return Citation(
        url=said.url or "",
        title=said.title or "",
        start=-1 if said.start_index is None else said.start_index,
        end=-1 if said.end_index is None else said.end_index,
        raw=_NO_RAW if said.type == "url_citation" else raw,
    )


def write_annotation(citation: Citation, length: int) -> URLCitation | None:
    """`length`: of the text part. None: the dialect has no word for a source without an address."""
    if not citation.url:
        return None
    start = max(citation.start, 0)
    return URLCitation(start, length if citation.end < 0 else citation.end, citation.title, citation.url)
