"""What a streamed answer's bytes go through: held until content, then passed on event by event, and read at the end."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_texts import USAGE_CHUNK, chat_streams, chunk, cuts, event, reference

from twintrack.errors import UpstreamError
from twintrack.wire.chat import ChatStream
from twintrack.wire.messages import MessagesStream
from twintrack.wire.responses import ResponsesStream
from twintrack.wire.stream import HELD_BYTES, PassingStream
from twintrack.wire.usage import Usage

ROLE = event(chunk({"role": "assistant", "content": ""}))
HELLO = event(chunk({"content": "Hello"}))
STOP = event(chunk({}, "stop"))
TAIL = event(USAGE_CHUNK) + event("[DONE]")


def fed(stream: PassingStream, *pieces: bytes) -> bytes:
    """All that goes on to the client."""
    return b"".join([stream.feed(piece) for piece in pieces]) + stream.close()


# Before content


def test_a_long_line_before_content_costs_no_more_than_its_length() -> None:
    """Or a provider could stop a worker for seconds, with all that it serves."""
    stream, piece = ResponsesStream(strip_usage=False), b"x" * 65_536
    began = time.process_time()
    stream.feed(b"data: ")
    with pytest.raises(UpstreamError, match="no content in its first"):
        fed(stream, *[piece] * 200)
    assert time.process_time() - began < 1.0


def test_a_long_event_before_content_is_one_event_however_it_is_cut() -> None:
    long = event({"type": "response.created", "response": {"instructions": "x" * 100_000}})
    word = event({"type": "response.output_text.delta", "delta": "Hi"})
    for size in (1_000, 65_536, 10**6):
        stream, text = ResponsesStream(strip_usage=False), long + word
        assert b"".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size)) == text
        assert stream.content


def test_everything_is_held_until_the_first_content_and_then_let_go_at_once() -> None:
    stream = ChatStream(strip_usage=False)

    assert stream.feed(b": waiting\n\n") == b""
    assert stream.feed(ROLE) == b""
    assert not stream.content
    assert stream.feed(HELLO) == b": waiting\n\n" + ROLE + HELLO
    assert stream.content


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "x"},
        {"reasoning_content": "x"},
        {"reasoning": "x"},
        {"refusal": "x"},
        {"tool_calls": [{"index": 0}]},
        {"function_call": {"name": "f"}},
        {"audio": {"data": "x"}},
    ],
    ids=lambda delta: next(iter(delta)),
)
def test_text_reasoning_refusals_and_tool_calls_are_content(delta: dict[str, object]) -> None:
    stream = ChatStream(strip_usage=True)
    stream.feed(event(chunk(delta)))
    assert stream.content


def test_a_role_an_empty_text_and_a_comment_are_not() -> None:
    stream = ChatStream(strip_usage=True)
    assert stream.feed(b": x\n\n" + ROLE + event(chunk({"content": None, "tool_calls": []})) + event(chunk())) == b""
    assert not stream.content


def test_an_answer_that_ends_without_a_word_is_content_by_its_finish_reason() -> None:
    stream = ChatStream(strip_usage=True)
    assert stream.feed(ROLE + STOP) == ROLE + STOP
    assert stream.finished


@pytest.mark.parametrize(
    "bad",
    [
        event({"error": {"message": "overloaded"}}),
        b"data: {nonsense\n\n",
        b"data: \xff\n\n",
        b'data: {"choices":[{"finish_reason":"\xff"}]}\n\n',
        event({"choices": 5}),
        event("[" * 100_000),
        event({"type": "message_start"}) + event({"choices": "no list"}),
    ],
    ids=["error event", "no JSON", "no UTF-8", "a text that is none", "another shape", "too deep", "another dialect"],
)
def test_what_breaks_before_content_is_the_providers_failure(bad: bytes) -> None:
    stream = ChatStream(strip_usage=True)
    stream.feed(ROLE)
    with pytest.raises(UpstreamError):
        stream.feed(bad)


def test_a_provider_that_talks_without_content_is_given_up() -> None:
    for piece in (ROLE, b"data: " + b"x" * 60_000):
        stream = ChatStream(strip_usage=True)
        for _ in range(HELD_BYTES // len(piece)):
            assert stream.feed(piece) == b""
        with pytest.raises(UpstreamError, match="no content in its first"):
            stream.feed(piece)


def test_each_event_before_content_is_read_once() -> None:
    class Counting(ChatStream):
        seen = 0

        def see(self, text: bytes) -> None:
            Counting.seen += 1
            super().see(text)

    stream = Counting(strip_usage=True)
    for _ in range(500):
        stream.feed(ROLE)
    assert Counting.seen == 500


# After content


def test_behind_content_whole_events_pass_and_the_start_of_the_next_waits() -> None:
    stream = ChatStream(strip_usage=False)
    stream.feed(HELLO)

    assert stream.feed(HELLO + HELLO[:30]) == HELLO
    assert stream.feed(HELLO[30:40]) == b""
    assert stream.feed(HELLO[40:]) == HELLO
    assert not stream.inside


@pytest.mark.parametrize("strip", [True, False])
def test_a_very_long_event_goes_on_piece_by_piece_and_takes_no_memory(strip: bool) -> None:
    stream = ChatStream(strip)
    stream.feed(HELLO)
    long = event(chunk({"content": "x" * 10_000_000}))

    out, waiting = [], 0
    for start in range(0, len(long), 65_536):
        out.append(stream.feed(long[start : start + 65_536]))
        waiting = max(waiting, len(stream._rest))
        assert stream.inside == (start + 65_536 < len(long))
    assert b"".join(out) == long
    assert waiting < 64


def test_a_usage_event_behind_a_long_one_is_still_found() -> None:
    long = event(chunk({"content": "x" * 50_000}))
    stream = ChatStream(strip_usage=True)
    assert (
        fed(stream, HELLO, long[:40_000], long[40_000:] + event(USAGE_CHUNK)[:9], event(USAGE_CHUNK)[9:])
        == HELLO + long
    )
    assert stream.usage() == Usage(12, 7)


def test_usage_is_taken_out_only_for_clients_that_did_not_ask() -> None:
    whole = ROLE + HELLO + STOP + TAIL
    assert fed(ChatStream(strip_usage=False), whole) == whole
    assert fed(ChatStream(strip_usage=True), whole) == ROLE + HELLO + STOP + event("[DONE]")


def test_a_last_chunk_that_carries_usage_and_a_choice_stays() -> None:
    last = event(chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2}))
    stream = ChatStream(strip_usage=True)
    assert fed(stream, HELLO, last) == HELLO + last
    assert stream.usage() == Usage(1, 2)


def test_an_empty_list_of_choices_without_usage_stays() -> None:
    filtered = event(chunk(prompt_filter_results=[]))
    assert fed(ChatStream(strip_usage=True), HELLO, filtered, STOP) == HELLO + filtered + STOP


def test_usage_and_finish_are_read_from_the_tail_of_a_long_stream() -> None:
    stream = ChatStream(strip_usage=True)
    for _ in range(5_000):
        stream.feed(HELLO)
    stream.feed(STOP + TAIL)
    stream.close()
    assert stream.finished
    assert stream.usage() == Usage(12, 7)
    assert stream.pieces == 5_001


def test_an_error_event_behind_content_is_a_failure() -> None:
    stream = ChatStream(strip_usage=True)
    fed(stream, HELLO, event({"error": {"message": "out of memory"}}), event("[DONE]"))
    assert stream.failure == "error event"


def test_the_end_of_a_long_event_is_not_taken_for_one() -> None:
    """Its start is forgotten by then; to a client, which reads all of it, it is no JSON."""
    stream = ChatStream(strip_usage=False)
    fed(stream, HELLO, b"data: " + b"x" * 30_000 + b"\ndata: " + STOP[6:])
    assert not stream.finished
    again = ChatStream(strip_usage=False)
    fed(again, HELLO, b"data: " + b"x" * 30_000 + b"\n\n" + STOP)
    assert again.finished


def test_an_end_that_is_not_utf_8_is_none() -> None:
    """A client cannot read it, so it must hear that the answer broke."""
    stream = ChatStream(strip_usage=False)
    fed(stream, HELLO, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop","x":"\xff"}]}\n\n')
    assert not stream.finished


def test_a_stream_that_just_ends_is_not_finished() -> None:
    stream = ChatStream(strip_usage=True)
    fed(stream, HELLO, HELLO[:20])
    assert not stream.finished


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({}, Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        ({"prompt_tokens": -5, "completion_tokens": 10**12}, Usage()),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            Usage(100, 50, 64, 8, 40),
        ),
    ],
    ids=["absent", "zero", "absurd", "detailed"],
)
def test_usage_none_differs_from_zero_and_absurd_is_none(usage: dict[str, object], read: Usage) -> None:
    stream = ChatStream(strip_usage=True)
    fed(stream, HELLO, STOP, event(chunk(usage=usage)))
    assert stream.usage() == read


# However it is cut


def is_usage(data: bytes) -> bool:
    try:
        value = json.loads(data)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("choices") == [] and value.get("usage") is not None


@given(chat_streams())
def test_wherever_the_bytes_are_cut_only_usage_events_are_missing(streamed: tuple[bytes, list[bytes]]) -> None:
    text, pieces = streamed

    passing = fed(stream := ChatStream(strip_usage=True), *pieces)

    assert reference(passing) == [data for data in reference(text) if not is_usage(data)]
    assert stream.finished
    assert stream.usage() == (Usage(12, 7) if any(map(is_usage, reference(text))) else Usage())


@given(chat_streams())
def test_who_asked_for_usage_gets_every_byte(streamed: tuple[bytes, list[bytes]]) -> None:
    text, pieces = streamed
    assert fed(ChatStream(strip_usage=False), *pieces) == text


@given(chat_streams(), st.integers(0, 400))
def test_what_has_gone_on_always_ends_between_two_events(streamed: tuple[bytes, list[bytes]], cut: int) -> None:
    """So that an error event can follow at any moment."""
    text, _ = streamed
    text = text[:cut]
    stream = ChatStream(strip_usage=True)
    passing = stream.feed(text) if text else b""
    error = b'data: {"error":{}}\n\n'
    assert reference(passing + error) == [data for data in reference(text) if not is_usage(data) and passing] + [
        b'{"error":{}}'
    ]


# Anthropic


def started(**usage: int) -> bytes:
    return event({"type": "message_start", "message": {"id": "m", "usage": usage}})


def text_delta(text: str) -> bytes:
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def message_delta(**usage: int) -> bytes:
    return event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})


MESSAGE_STOP = event({"type": "message_stop"})


def test_a_message_begins_with_its_first_delta() -> None:
    stream = MessagesStream(strip_usage=False)
    block = event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    assert stream.feed(started(input_tokens=5) + block + event({"type": "ping"})) == b""
    assert stream.feed(text_delta("a")).endswith(text_delta("a"))


def test_a_tool_call_is_content_from_its_start() -> None:
    stream = MessagesStream(strip_usage=False)
    stream.feed(event({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "f"}}))
    assert stream.content


def test_tokens_of_a_message_count_the_cache_in_and_come_from_both_ends() -> None:
    stream = MessagesStream(strip_usage=False)
    fed(
        stream,
        started(input_tokens=10, output_tokens=1, cache_read_input_tokens=100, cache_creation_input_tokens=20),
        text_delta("a"),
        message_delta(output_tokens=42),
        MESSAGE_STOP,
    )
    assert stream.finished
    assert stream.usage() == Usage(130, 42, 100, 20)


def test_the_count_at_the_start_of_a_message_is_not_its_output() -> None:
    """A client that leaves in between would otherwise be booked with one token, as if the provider had said so."""
    stream = MessagesStream(strip_usage=False)
    fed(stream, started(input_tokens=10, output_tokens=1), text_delta("a"), text_delta("b"))
    assert stream.usage() == Usage(10, None)


def test_an_overloaded_provider_says_so_in_its_first_event() -> None:
    stream = MessagesStream(strip_usage=False)
    with pytest.raises(UpstreamError, match="before any content"):
        stream.feed(b"event: error\n" + event({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}))


@given(
    st.lists(st.sampled_from(["a", " b", "é"]), min_size=1, max_size=5).flatmap(
        lambda words: cuts(
            started(input_tokens=1) + b"".join(map(text_delta, words)) + message_delta(output_tokens=2) + MESSAGE_STOP
        )
    )
)
def test_a_message_passes_byte_by_byte_as_it_came(pieces: list[bytes]) -> None:
    stream = MessagesStream(strip_usage=False)
    assert fed(stream, *pieces) == b"".join(pieces)
    assert stream.usage() == Usage(1, 2)
