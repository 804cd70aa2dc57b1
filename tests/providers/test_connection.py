"""One connection to a provider: an answer comes out whole, piece by piece or as a failure, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from twintrack.errors import UpstreamError
from twintrack.providers.connection import Connection
from twintrack.wire.http1 import ResponseHead

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Heard:
    """A receiver that keeps what it hears."""

    def __init__(self, leave_at: str = "") -> None:
        self.calls: list[Any] = []
        self.connection: Connection | None = None
        self._leave_at = leave_at

    def on_connected(self, connection: Connection) -> bool:
        return True

    def on_unreachable(self, error: UpstreamError) -> None:
        raise AssertionError

    def on_head(self, head: ResponseHead) -> None:
        self._hear(head.status)

    def on_piece(self, data: bytes) -> None:
        self._hear(data)

    def on_end(self) -> None:
        self._hear("end")

    def on_failure(self, error: UpstreamError) -> None:
        self._hear(error.what)

    def _hear(self, what: Any) -> None:
        self.calls.append(what)
        if self._leave_at and what == self._leave_at.encode():
            assert self.connection is not None
            self.connection.abort()


class Line:
    """A connection with a request on it."""

    def __init__(self, leave_at: str = "") -> None:
        self.wire = Wire()
        self.idle: list[bool] = []
        self.connection = Connection(lambda connection, keep: self.idle.append(keep))
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]
        self.heard = self.ask(leave_at)

    def ask(self, leave_at: str = "") -> Heard:
        heard = Heard(leave_at)
        heard.connection = self.connection
        self.connection.send(heard, b"POST / HTTP/1.1\r\n\r\n")
        return heard

    def get(self, *pieces: bytes) -> list[Any]:
        for piece in pieces:
            self.connection.data_received(piece)
        return self.heard.calls


def test_the_request_is_written_as_it_is() -> None:
    assert Line().wire.written == b"POST / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize("by", [1, 7, 10_000])
def test_an_answer_with_a_length_is_read_however_it_is_cut(by: int) -> None:
    line = Line()
    text = HEAD + b"hello"
    calls = line.get(*[text[at : at + by] for at in range(0, len(text), by)])

    assert (calls[0], b"".join(calls[1:-1]), calls[-1]) == (200, b"hello", "end")
    assert line.idle == [True]
    assert line.connection.usable


@pytest.mark.parametrize("by", [1, 7, 10_000])
def test_a_chunked_answer_is_read_however_it_is_cut(by: int) -> None:
    line = Line()
    text = CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    calls = line.get(*[text[at : at + by] for at in range(0, len(text), by)])

    assert (calls[0], b"".join(calls[1:-1]), calls[-1]) == (200, b"hello", "end")
    assert line.idle == [True]


def test_each_chunk_that_comes_alone_goes_on_alone() -> None:
    assert Line().get(CHUNKED, b"2\r\nhe\r\n", b"3\r\nllo\r\n", b"0\r\n\r\n") == [200, b"he", b"llo", "end"]


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    line = Line()
    line.get(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")
    line.connection.connection_lost(None)
    assert line.heard.calls == [200, b"hel", b"lo", "end"]
    assert line.idle == [False]


def test_an_answer_without_a_length_that_is_reset_is_not_complete() -> None:
    line = Line()
    line.get(b"HTTP/1.1 200 OK\r\n\r\nhel")
    line.connection.connection_lost(ConnectionResetError())
    assert line.heard.calls[-1] == "The provider closed the connection before its answer was complete"


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2", HEAD, HEAD + b"hell", CHUNKED + b"5\r\nhello\r\n"])
def test_an_answer_that_breaks_off_is_a_failure(sent: bytes) -> None:
    line = Line()
    if sent:
        line.get(sent)
    line.connection.connection_lost(None)
    assert line.heard.calls[-1] == "The provider closed the connection before its answer was complete"
    assert line.idle == []


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"\x16\x03\x01 nonsense\r\n\r\n", "not HTTP/1.1 we accept"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP/1.1 we accept"),
        (b"HTTP/1.1 200 OK\r\nx y: 1\r\n\r\n", "not HTTP/1.1 we accept"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", "both"),
        (CHUNKED + b"zz\r\n", "broke its answer's framing"),
        (CHUNKED + b"2\r\nhello\r\n", "broke its answer's framing"),
        (CHUNKED + b"0\r\nx-trailer: 1\r\n\r\n", "broke its answer's framing"),
        (b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n", "upgrade"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5, "one informational answer after another"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 200 + b"\r\n", "more than 128 header lines"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"1" * 70_000, "headers exceed"),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value[:24]),
)
def test_what_is_not_the_http_we_accept_is_a_failure_and_ends_the_connection(sent: bytes, says: str) -> None:
    line = Line()
    assert says in line.get(sent)[-1]
    assert line.wire.aborted


@pytest.mark.parametrize("by", [1_000, 1])
def test_words_before_a_broken_chunk_are_heard_whatever_comes_together(by: int) -> None:
    text = CHUNKED + b"5\r\nwords\r\nzz\r\n"
    calls = Line().get(*[text[at : at + by] for at in range(0, len(text), by)])
    assert (calls[0], b"".join(calls[1:-1]), calls[-1]) == (200, b"words", "The provider broke its answer's framing")


def test_a_few_informational_answers_are_passed_over() -> None:
    line = Line()
    assert line.get(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 4 + HEAD + b"hello") == [200, b"hello", "end"]
    line.heard = line.ask()
    assert line.get(b"HTTP/1.1 102 P\r\n\r\n" * 4, HEAD + b"again") == [200, b"again", "end"]


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"hello!",
        HEAD + b"hello" + HEAD + b"other",
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + HEAD + b"other",
        b"HTTP/1.1 204 No Content\r\n\r\n" + HEAD + b"other",
    ],
    ids=["a byte", "an answer", "an answer behind chunks", "an answer behind none"],
)
def test_bytes_behind_an_answer_end_the_connection(answer: bytes) -> None:
    line = Line()
    line.get(answer)
    assert b"other" not in line.heard.calls
    assert line.heard.calls[-1] == "end"
    assert line.idle == [False]
    assert line.wire.aborted


def test_bytes_between_two_requests_end_the_connection() -> None:
    line = Line()
    line.get(HEAD + b"hello")
    line.connection.data_received(HEAD + b"other")
    assert line.wire.aborted
    assert not line.connection.usable
    assert line.heard.calls == [200, b"hello", "end"]


@pytest.mark.parametrize("line_", [b"connection: close\r\n", b"connection: keep-alive, Close\r\n"])
def test_a_provider_that_closes_is_not_asked_again(line_: bytes) -> None:
    line = Line()
    line.get(b"HTTP/1.1 200 OK\r\n" + line_ + b"content-length: 5\r\n\r\nhello")
    assert line.idle == [False]


def test_an_http_10_answer_is_not_asked_again() -> None:
    line = Line()
    line.get(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello")
    assert line.idle == [False]


def test_who_gives_up_in_the_middle_hears_no_more() -> None:
    line = Line(leave_at="he")
    line.get(CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    assert line.heard.calls == [200, b"he"]
    assert line.wire.aborted


def test_a_connection_given_up_is_not_usable_from_that_moment() -> None:
    """The event loop tells of the end only later; a pool that asked in between would write into nothing."""
    line = Line()
    line.get(HEAD + b"hello")
    line.connection.abort()
    assert not line.connection.usable


def test_a_connection_that_dies_idle_tells_the_pool() -> None:
    line = Line()
    line.get(HEAD + b"hello")
    line.connection.connection_lost(None)
    assert line.idle == [True, False]


def test_it_counts_what_it_served_and_sees_whether_an_answer_began() -> None:
    line = Line()
    assert (line.connection.served, line.connection.received) == (0, False)
    line.get(HEAD)
    assert (line.connection.served, line.connection.received) == (0, True)
    line.get(b"hello")
    line.heard = line.ask()
    assert (line.connection.served, line.connection.received) == (1, False)


def test_reading_stops_and_goes_on_at_will() -> None:
    line = Line()
    line.connection.pause()
    assert not line.wire.reading
    line.connection.resume()
    assert line.wire.reading
    line.connection.abort()
    line.connection.pause()
    assert line.wire.reading
