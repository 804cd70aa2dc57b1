"""Events are found as the standard finds them, however their lines end and wherever their bytes were cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_texts import reference

from twintrack.wire import sse


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\n\n", b"a"),
        (b"data:a\n\n", b"a"),
        (b"data:  a\n\n", b" a"),
        (b"data: a\r\n\r\n", b"a"),
        (b"data: a\r\r", b"a"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\rdata: b\n\n", b"a\nb"),
        (b"event: x\nid: 1\ndata: a\nretry: 5\n\n", b"a"),
        (b": comment\n\n", b""),
        (b"event: ping\n\n", b""),
        (b"\ndata: a\n\n", b"a"),
    ],
)
def test_data_of_an_event(event: bytes, data: bytes) -> None:
    assert sse.payload(event) == data


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\r\n\n", b"\r\r\n", b"\n\r"])
def test_a_blank_line_ends_an_event_whichever_line_ends_it_is_made_of(end: bytes) -> None:
    events, rest = sse.split(b"data: a" + end + b"data: b" + end + b"data: c")

    assert [sse.payload(event) for event in events] == [b"a", b"b"]
    assert sse.payload(rest + b"\n\n") == b"c"
    assert b"".join(events) + rest == b"data: a" + end + b"data: b" + end + b"data: c"


LINES = st.lists(
    st.sampled_from([b"data: a", b"data:", b"data: {}", b": c", b"event: e", b"", b"", b"nonsense", b"data:b"])
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(LINES.flatmap(lambda lines: st.tuples(*[ENDS.map(lambda end, line=line: line + end) for line in lines])))
def test_events_are_those_of_the_standard(lines: tuple[bytes, ...]) -> None:
    text = b"".join(lines)

    # An event whose data is empty counts for nothing here, and one that the text breaks off counts for nobody.
    assert [data for data in sse.payloads(text) if data.strip()] == [data for data in reference(text) if data.strip()]
    assert b"".join(sse.split(text)[0]) + sse.split(text)[1] == text
    assert not re.search(rb"\n\n|\r\r", sse.split(text)[1])
