"""Where a text comes from, as Anthropic says it and as the canonical form does."""

from __future__ import annotations

import msgspec

from twintrack.wire.canonical.parts import Citation


class Location(msgspec.Struct, gc=False):
    """Any of the vendor's five kinds; positions are those in the document, not in the answer."""

    type: str = ""
    cited_text: str | None = None
    url: str | None = None
    title: str | None = None
    document_title: str | None = None
    source: str | None = None
    """Of a search result: usually its address."""


_LOCATION = msgspec.json.Decoder(Location)


class WebLocation(msgspec.Struct, tag_field="type", tag="web_search_result_location", gc=False):
    """The one kind that tells an address."""

    cited_text: str
    url: str
    title: str | None
    encrypted_index: str = ""


def read_citation(raw: msgspec.Raw, start: int = -1, end: int = -1) -> Citation:
    """Of a text that goes from `start` to `end`.

    Raises:
        msgspec.ValidationError: it is none.
    """
    said = _LOCATION.decode(raw)
    return Citation(
        said.url or said.source or "", said.title or said.document_title or "", said.cited_text or "", start, end, raw
    )


def as_location(citation: Citation, text: str = "") -> WebLocation:
    """`text`: of the part it belongs to; its words stand in for a quote that is not told."""
    quote = citation.quote
    if not quote and 0 <= citation.start < citation.end:
        quote = text[citation.start : citation.end]
    return WebLocation(quote, citation.url, citation.title or None)
