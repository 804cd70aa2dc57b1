"""Whatever we accept, h11 frames identically, and how the bytes were cut changes nothing. We may refuse more."""

from __future__ import annotations

from random import Random
from typing import Literal, get_args

import pytest
from http1_corpus import (
    BODIES,
    LAST_CHUNKS,
    LINES,
    REQUEST_LINES,
    SIZE_LINES,
    STATUS_LINES,
    Reading,
    Side,
    Written,
    attacked,
    disagreement,
    h11_reading,
    our_reading,
    some_cuts,
    some_stream,
)
from hypothesis import given, settings
from hypothesis import strategies as st

both_sides = pytest.mark.parametrize("side", get_args(Side))


def agreed_reading(side: Side, stream: bytes, cuts: list[int]) -> Reading:
    """Our reading of the stream, once everything this file is about was checked."""
    ours = our_reading(side, stream)
    parted = disagreement(ours, h11_reading(side, stream))
    assert not parted, f"{stream!r}: {parted}"
    cut = our_reading(side, stream, cuts)
    assert cut.verdict() == ours.verdict(), f"{stream!r} cut at {cuts}"
    for message in [*ours.complete, *([ours.partial] if ours.partial else [])]:
        for text in (*message.start, *message.headers, *message.headers.values()):
            assert isinstance(text, int) or not set(text) & set(b"\r\n\0"), f"{stream!r} puts {text!r} into other heads"
    return ours


# Well-formed streams: generated as values, written down, read back


def without_edges(value: bytes) -> bytes:
    return bytes(byte for byte in value if byte >= 32 and byte != 127).strip()


tokens = st.text("!#$%&'*+-.^_`|~0189AZaz", min_size=1, max_size=8).map(str.encode)
values = st.binary(max_size=12).map(without_edges)
targets = st.text([chr(code) for code in range(0x21, 0x7F)], max_size=12).map(lambda path: b"/" + path.encode())
bodies = st.sampled_from(BODIES) | st.binary(max_size=40)


@st.composite
def messages(draw: st.DrawFn, side: Side, last: bool) -> Written:
    headers = draw(st.lists(st.tuples(tokens, values), max_size=3, unique_by=lambda pair: pair[0].lower()))
    framing: Literal["none", "length", "chunked", "close"]
    if side == "request":
        framing = draw(st.sampled_from(("none", "length", "chunked")))
        start: tuple[bytes, bytes] | tuple[int] = (draw(tokens), draw(targets))
        headers.append((b"Host", b"a"))
    else:
        status = draw(st.sampled_from((100, 103, 204, 304)) | st.integers(200, 599))
        start = (status,)
        ends: tuple[Literal["length", "chunked", "close"], ...] = ("length", "chunked", "close")
        framing = "none" if status < 200 or status in (204, 304) else draw(st.sampled_from(ends[: 3 if last else 2]))
    body = b"" if framing == "none" else draw(bodies)
    chunks = tuple(draw(st.lists(st.integers(1, 9), max_size=4)))
    return Written(start, tuple(headers), body, framing, chunks, goes_on=not last)


@st.composite
def streams(draw: st.DrawFn, side: Side) -> list[Written]:
    """Several messages, of which the last closes the connection."""
    return [draw(messages(side, last=False)) for _ in range(draw(st.integers(0, 3)))] + [
        draw(messages(side, last=True))
    ]


@both_sides
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_well_formed_messages_are_read_as_they_were_written(side: Side, data: st.DataObject) -> None:
    written = data.draw(streams(side))
    stream = b"".join(message.wire() for message in written)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))

    reading = agreed_reading(side, stream, cuts)

    assert not reading.refusal
    end = 0
    for message, found in zip(written, reading.complete, strict=True):
        end += len(message.wire())
        assert (found.start, found.body, found.end) == (message.start, message.body, end)
        assert found.keep_alive is (message.goes_on or (side == "response" and message.start[0] in (100, 103)))
        assert found.headers.items() >= {name.lower(): value for name, value in message.headers}.items()


@both_sides
@settings(max_examples=400, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1 << 32))
def test_attacked_streams_are_refused_or_read_as_h11_reads_them(side: Side, data: st.DataObject, seed: int) -> None:
    stream = b"".join(message.wire() for message in data.draw(streams(side)))
    random = Random(seed)
    stream = attacked(random, side, stream)
    agreed_reading(side, stream, some_cuts(random, len(stream)))


# Every trick in the book, in each place where it could work


@both_sides
@pytest.mark.parametrize("place", ["first", "last"])
def test_each_odd_line_in_a_head_with_each_framing(side: Side, place: str) -> None:
    start, rest = (b"POST / HTTP/1.1", b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n") if side == "request" else (
        b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Next\r\nContent-Length: 0\r\n\r\n"
    )  # fmt: skip
    for host in (b"Host: a\r\n", b""):
        for framing in (b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
            for line in LINES:
                lines = line + b"\r\n" + host + framing if place == "first" else host + framing + line + b"\r\n"
                for body in (b"hello", b"5\r\nhello\r\n0\r\n\r\n", b""):
                    stream = start + b"\r\n" + lines + b"\r\n" + body + rest
                    agreed_reading(side, stream, list(range(1, len(stream))))


def test_each_odd_request_line() -> None:
    for line in REQUEST_LINES:
        for head in (b"\r\nHost: a\r\n\r\n", b"\r\n\r\n", b"\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"):
            stream = line + head + b"5\r\nhello\r\n0\r\n\r\n" + b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
            agreed_reading("request", stream, list(range(1, len(stream))))


def test_each_odd_status_line() -> None:
    for line in STATUS_LINES:
        for framing in (b"", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"):
            for body in (b"hello", b"5\r\nhello\r\n0\r\n\r\n"):
                stream = line + b"\r\n" + framing + b"\r\n" + body + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                agreed_reading("response", stream, list(range(1, len(stream))))


@both_sides
def test_each_odd_chunk(side: Side) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a" if side == "request" else b"HTTP/1.1 200 OK"
    head += b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    follows = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n" if side == "request" else b"HTTP/1.1 100 Continue\r\n\r\n"
    for size in SIZE_LINES:
        for data in (b"hello\r\n", b"hell\r\n", b"hellos\r\n", b"hello\n", b"hello\r", b"hello", b"hello\n\r"):
            for end in LAST_CHUNKS:
                stream = head + size + data + end + follows
                agreed_reading(side, stream, list(range(len(head), len(stream))))


# Volume: many streams from one seed


def check_many(side: Side, count: int, seed: int) -> None:
    """Read `count` generated messages, and see that they were neither all accepted nor all refused."""
    random = Random(seed)
    generated = accepted = refused = with_body = 0
    while generated < count:
        stream = some_stream(random, side)
        reading = agreed_reading(side, stream, some_cuts(random, len(stream)))
        accepted += len(reading.complete)
        with_body += sum(bool(message.body) for message in reading.complete)
        refused += bool(reading.refusal)
        generated += max(1, len(reading.complete) + bool(reading.refusal))
    assert accepted > count / 4
    assert with_body > count / 10
    assert refused > count / 10


@both_sides
def test_some_thousand_generated_messages(side: Side) -> None:
    check_many(side, 10_000, seed=1)


@pytest.mark.long
@both_sides
@pytest.mark.parametrize("seed", range(2, 8))
def test_three_hundred_thousand_generated_messages(side: Side, seed: int) -> None:
    check_many(side, 25_000, seed)
