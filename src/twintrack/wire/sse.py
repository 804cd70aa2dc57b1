"""Server-sent events (WHATWG HTML §9.2), as much of them as language models use."""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(rb"\n\r\n|\n[\n\r]|\r\r\n?")
"""An end of line and a blank one, whichever way each is written."""
PART_OF_END = 2
"""So many bytes may be the start of an end whose last byte has not come."""


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Complete events, each with its blank line, and the rest that is none yet."""
    events: list[bytes] = []
    at = 0
    for match in _END.finditer(data):
        events.append(data[at : match.end()])
        at = match.end()
    return events, data[at:]


def ends(data: bytes) -> bool:
    """Whether an event ends in it."""
    return _END.search(data) is not None


def payload(event: bytes) -> bytes:
    """The event's data, its lines joined; empty for a comment."""
    if event.startswith(b"data: ") and event.count(b"\n") == 2 and event.endswith(b"\n\n") and b"\r" not in event:
        return event[6:-2]
    if event.startswith(b"event: ") and event.count(b"\n") == 3 and event.endswith(b"\n\n") and b"\r" not in event:
        at = event.find(b"\ndata: ")
        if at > 0:
            return event[at + 7 : -2]
    lines = [line[5:] for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join([line.removeprefix(b" ") for line in lines])


def payloads(data: bytes) -> Iterator[bytes]:
    """Data of every complete event in `data`; what stands before the first boundary may be cut."""
    for event in split(data)[0]:
        text = payload(event)
        if text:
            yield text
