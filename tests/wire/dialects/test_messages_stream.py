"""Anthropic messages: a provider's stream told to a sink, and a stream written for a client, which the SDK reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.lib.streaming import MessageStream

from twintrack.errors import UpstreamError
from twintrack.wire import sse
from twintrack.wire.canonical.answer import Finish, Reply, Sink
from twintrack.wire.canonical.parts import Citation
from twintrack.wire.canonical.request import Request
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.messages import CLIENT, PROVIDER
from twintrack.wire.passage import TranslatedStream
from twintrack.wire.usage import Usage

REPLY = Reply(Request(model="route", turns=()), "tt-1", 1_700_000_000)


class Heard:
    """A sink that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *said: self.told.append((name, *said))


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind} | more).encode()


def start(block: dict[str, Any], index: int = 0) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(index: int = 0, **said: Any) -> bytes:
    return event("content_block_delta", index=index, delta=said)


def text(piece: str, index: int = 0) -> bytes:
    return delta(index, type="text_delta", text=piece)


def stop(index: int = 0) -> bytes:
    return event("content_block_stop", index=index)


BEGIN = event(
    "message_start", message={"id": "msg_1", "model": "claude", "usage": {"input_tokens": 3, "output_tokens": 1}}
)
FINISH = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 5})
END = event("message_stop")


def heard(*payloads: bytes) -> tuple[Any, list[tuple[Any, ...]]]:
    sink = Heard()
    reader = PROVIDER.read_stream(sink)  # type: ignore[arg-type]  # it answers to every name
    for payload in payloads:
        reader.see(payload)
    reader.close()
    return reader, sink.told


# ---- from a provider


def test_a_stream_is_told_piece_by_piece() -> None:
    reader, told = heard(
        BEGIN,
        event("ping"),
        start({"type": "thinking", "thinking": "", "signature": ""}),
        delta(type="thinking_delta", thinking="hm"),
        delta(type="signature_delta", signature="c2ln"),
        stop(),
        start({"type": "redacted_thinking", "data": "eA=="}, 1),
        stop(1),
        start({"type": "text", "text": ""}, 2),
        text("a\U0001f600", 2),
        delta(
            2, type="citations_delta", citation={"type": "web_search_result_location", "url": "https://x", "title": "T"}
        ),
        stop(2),
        start({"type": "tool_use", "id": "a", "name": "f", "input": {}}, 3),
        delta(3, type="input_json_delta", partial_json=""),
        delta(3, type="input_json_delta", partial_json='{"x":'),
        delta(3, type="input_json_delta", partial_json="1}"),
        stop(3),
        start({"type": "tool_use", "id": "b", "name": "g", "input": {}}, 4),
        stop(4),
        event(
            "message_delta",
            delta={"stop_reason": "tool_use", "stop_sequence": None},
            usage={"output_tokens": 5, "cache_read_input_tokens": 2},
        ),
        END,
    )
    usage = Usage(5, 5, 2)
    raw = told[7][1].raw
    assert told == [
        ("begin", "msg_1", "claude", 0),
        ("thinking", "hm"),
        ("signature", "c2ln"),
        ("boundary",),
        ("sealed", "eA==", ""),
        ("boundary",),
        ("text", "a\U0001f600"),
        ("citation", Citation("https://x", "T", raw=raw)),
        ("boundary",),
        ("call", 0, "a", "f", False),
        ("arguments", 0, '{"x":'),
        ("arguments", 0, "1}"),
        ("boundary",),
        ("call", 1, "b", "g", False),
        ("arguments", 1, "{}"),
        ("boundary",),
        ("finish", "tool_calls", ""),
        ("usage", usage),
        ("end",),
    ]
    assert (reader.content, reader.finished, reader.failure, reader.usage) == (True, True, "", usage)


def test_the_providers_own_tools_are_passed_over_and_the_text_goes_on() -> None:
    _, told = heard(
        BEGIN,
        start({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        delta(type="input_json_delta", partial_json='{"q":1}'),
        stop(),
        start({"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "https://x"}]}, 1),
        stop(1),
        start({"type": "of_tomorrow", "text": "?"}, 2),
        delta(2, type="of_tomorrow_delta", text="?"),
        stop(2),
        start({"type": "text", "text": "at once "}, 3),
        text("b", 3),
        event("of_tomorrow", data=[]),
        FINISH,
        END,
    )
    assert [each for each in told if each[0] not in ("boundary", "begin")] == [
        ("text", "at once "),
        ("text", "b"),
        ("finish", "stop", ""),
        ("usage", Usage(3, 5)),
        ("end",),
    ]


def test_a_call_whose_arguments_come_with_its_beginning() -> None:
    _, told = heard(BEGIN, start({"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}), stop())
    assert told[1:] == [("call", 0, "a", "f", False), ("arguments", 0, '{"x": 1}'), ("boundary",)]


@pytest.mark.parametrize(
    ("payloads", "content"),
    [
        ((BEGIN,), False),
        ((BEGIN, event("ping"), start({"type": "text", "text": ""})), False),
        ((BEGIN, text("")), False),
        ((text("a"),), True),
        ((start({"type": "tool_use", "id": "a", "name": "f", "input": {}}),), True),
        ((delta(type="thinking_delta", thinking="hm"),), True),
        ((BEGIN, FINISH), True),
    ],
)
def test_content_is_seen_at_its_first_piece(payloads: tuple[bytes, ...], content: bool) -> None:
    assert heard(*payloads)[0].content is content


@pytest.mark.parametrize(
    "payloads", [(BEGIN, text("a")), (BEGIN, text("a"), FINISH), (BEGIN, text("a"), END), (BEGIN, END), ()]
)
def test_a_stream_that_is_cut_has_no_end(payloads: tuple[bytes, ...]) -> None:
    reader, told = heard(*payloads)
    assert reader.finished is False
    assert ("end",) not in told


def test_an_error_is_no_end_either() -> None:
    reader, told = heard(
        BEGIN,
        text("a"),
        event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
        FINISH,
        END,
    )
    assert (reader.failure, reader.finished) == ("error event (overloaded_error)", False)
    assert ("end",) not in told


@pytest.mark.parametrize("said", [{}, {"error": None}, {"error": "x"}, {"error": {"type": 5}}])
def test_an_error_of_any_form_is_a_failure(said: dict[str, Any]) -> None:
    assert heard(event("error", **said))[0].failure


def test_a_refusal_tells_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not that."}
    _, told = heard(BEGIN, event("message_delta", delta={"stop_reason": "refusal", "stop_details": details}), END)
    assert told[1:3] == [("refusal", "Not that."), ("finish", "refusal", "")]


def test_events_after_the_end_change_nothing() -> None:
    assert heard(BEGIN, FINISH, END, END)[1].count(("end",)) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[DONE]",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":5}}',
        b'{"type":"content_block_delta","delta":{"type":"text_delta","text":"\xff"}}',
        b'{"type":"content_block_delta","delta":{"type":"citations_delta","citation":[]}}',
        b'{"type":"content_block_start","index":"0"}',
        b'{"type":"message_start","message":[]}',
        b"[" * 99_999,
    ],
)
def test_what_is_no_event_is_the_providers_failure(payload: bytes) -> None:
    with pytest.raises(UpstreamError):
        heard(payload)


# ---- to a client


def streamed(*told: tuple[Any, ...]) -> bytes:
    sink = CLIENT.write_stream(REPLY)
    out = b""
    for name, *said in told:
        getattr(sink, name)(*said)
        out += sink.take()
    return out


def accumulated(body: bytes) -> anthropic.types.Message:
    """What the vendor's SDK makes of a stream."""
    response = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    transport = httpx2.MockTransport(lambda request: response)
    with (
        anthropic.Anthropic(
            api_key="k", base_url="http://gateway", http_client=httpx2.Client(transport=transport), max_retries=0
        ) as client,
        client.messages.stream(model="route", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]) as stream,
    ):
        assert isinstance(stream, MessageStream)
        return stream.get_final_message()


def blocks(*told: tuple[Any, ...]) -> list[dict[str, Any]]:
    message = accumulated(streamed(("begin", "", "", 0), *told, ("finish", "stop"), ("end",)))
    return [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in message.content]


def test_the_sdk_reads_a_whole_stream() -> None:
    message = accumulated(
        streamed(
            ("begin", "chatcmpl-1", "gpt", 5),
            ("thinking", "h"),
            ("thinking", "m"),
            ("text", "a\u0000\U0001f600 "),
            ("text", "b\n\nc"),
            ("citation", Citation("https://x", "T", "q")),
            ("call", 0, "call_1", "f", False),
            ("arguments", 0, '{"x":'),
            ("arguments", 0, '"\\ud83d\\ude00"}'),
            ("usage", Usage(13, 5, 10, 2, 3)),
            ("finish", "tool_calls"),
            ("end",),
        )
    )
    assert message.model_dump(exclude_none=True, warnings=False) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "##"},
            {
                "type": "text",
                "text": "a\u0000\U0001f600 b\n\nc",
                "citations": [
                    {
                        "type": "web_search_result_location",
                        "cited_text": "q",
                        "encrypted_index": "",
                        "title": "T",
                        "url": "https://x",
                    }
                ],
            },
            {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": "\U0001f600"}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 1,
            "output_tokens": 5,
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 2,
            "output_tokens_details": {"thinking_tokens": 3},
        },
    }


def test_the_grammar_of_events() -> None:
    body = streamed(("begin", "i", "m", 0), ("text", "a"), ("finish", "stop_sequence", "END"), ("end",))
    events, rest = sse.split(body)
    assert rest == b""
    assert [each.split(b"\n")[0] for each in events] == [
        b"event: message_start",
        b"event: content_block_start",
        b"event: content_block_delta",
        b"event: content_block_stop",
        b"event: message_delta",
        b"event: message_stop",
    ]
    found = [json.loads(sse.payload(each)) for each in events]
    assert [each["type"] for each in found] == [each.split(b"\n")[0][7:].decode() for each in events]
    assert found[4] == {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def test_pieces_go_out_when_they_come_and_nothing_ends_that_was_not_ended() -> None:
    sink = CLIENT.write_stream(REPLY)
    sink.begin("", "", 0)
    assert b'"id":"tt-1"' in sink.take()
    sink.text("a")
    assert b'"text":"a"' in sink.take()
    assert sink.take() == b""
    sink.finish("stop")
    assert b"message_stop" not in sink.take()


@pytest.mark.parametrize(
    ("told", "content"),
    [
        ([("text", "")], []),
        ([("text", "a"), ("boundary",), ("text", "b")], [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        (
            [("thinking", "a"), ("signature", marked("gemini", "g", "s")), ("thinking", "b")],
            [
                {"type": "thinking", "thinking": "a", "signature": "gemini#g#s"},
                {"type": "thinking", "thinking": "b", "signature": "##"},
            ],
        ),
        (
            [("thinking", ""), ("signature", "gemini#g#s"), ("call", 0, "a", "f", False)],
            [
                {"type": "thinking", "thinking": "", "signature": "gemini#g#s"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            ],
        ),
        (
            [("thinking", "sum"), ("sealed", "responses##gAAA", "rs_1"), ("text", "a")],
            [
                {"type": "thinking", "thinking": "sum", "signature": "##"},
                {"type": "redacted_thinking", "data": "responses##gAAA"},
                {"type": "text", "text": "a"},
            ],
        ),
        ([("refusal", "N"), ("refusal", "o.")], [{"type": "text", "text": "No."}]),
        (
            [("text", "a"), ("boundary",), ("citation", Citation("https://x")), ("text", "b")],
            [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        ),
        (
            [
                ("call", 0, "a", "f", False),
                ("arguments", 0, "{}"),
                ("call", 1, "b", "g", False),
                ("arguments", 1, '{"y":2}'),
                ("text", "done"),
            ],
            [
                {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
                {"type": "text", "text": "done"},
            ],
        ),
    ],
)
def test_each_kind_of_piece_is_a_block(told: list[tuple[Any, ...]], content: list[dict[str, Any]]) -> None:
    assert blocks(*told) == content


def test_calls_that_come_mixed_are_put_in_order() -> None:
    told = [
        ("call", 0, "a", "f", False),
        ("call", 1, "b", "g", False),
        ("call", 2, "c", "h", False),
        ("arguments", 1, '{"y":'),
        ("arguments", 0, '{"x"'),
        ("arguments", 2, "{}"),
        ("arguments", 0, ":1}"),
        ("arguments", 1, "2}"),
    ]
    assert blocks(*told) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
        {"type": "tool_use", "id": "c", "name": "h", "input": {}},
    ]
    indexes = [
        json.loads(sse.payload(each))["index"]
        for each in sse.split(streamed(*told, ("end",)))[0]
        if b"content_block" in each
    ]
    assert indexes == sorted(indexes)


def test_each_call_is_live_as_soon_as_the_one_before_it_is_complete() -> None:
    sink = CLIENT.write_stream(REPLY)
    for call in (0, 1):
        sink.call(call, f"call_{call}", "f", False)
        sink.arguments(call, '{"x":1}')
        assert b"partial_json" in sink.take()


def test_arguments_behind_the_end_of_their_call_are_a_failure() -> None:
    with pytest.raises(UpstreamError, match="after its end"):
        streamed(("call", 0, "a", "f", False), ("arguments", 0, "{"), ("text", "a"), ("arguments", 0, "}"))


def test_an_empty_object_behind_the_end_of_its_call_says_what_was_said() -> None:
    """Some servers tell of a call without arguments only at the very end that it has none."""
    told = [("call", 0, "a", "f", False), ("text", "a"), ("arguments", 0, "{}")]
    assert blocks(*told) == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
        {"type": "text", "text": "a"},
    ]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("pause", "pause_turn")],
)
def test_ends_have_the_dialects_words_in_a_stream(finish: Finish, reason: str) -> None:
    message = accumulated(streamed(("begin", "", "", 0), ("text", "a"), ("finish", finish), ("end",)))
    assert message.stop_reason == reason
    assert (message.stop_details is not None) is (reason == "refusal")


def test_the_sdk_sees_an_error_in_mid_stream() -> None:
    body = streamed(("begin", "", "", 0), ("text", "a"))
    body += b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"x"}}\n\n'
    with pytest.raises(anthropic.APIStatusError):
        accumulated(body)


# ---- through


def framed(*payloads: bytes) -> bytes:
    return b"".join(b"event: x\ndata: " + payload + b"\n\n" for payload in payloads)


def test_a_stream_cut_anywhere_means_the_same() -> None:
    body = framed(
        BEGIN,
        start({"type": "text", "text": ""}),
        text("a\U0001f600"),
        stop(),
        start({"type": "tool_use", "id": "a", "name": "f", "input": {}}, 1),
        delta(1, type="input_json_delta", partial_json='{"x":1}'),
        stop(1),
        FINISH,
        END,
    )

    def through(*pieces: bytes) -> bytes:
        stream = TranslatedStream(CLIENT.write_stream(REPLY), PROVIDER.read_stream)
        out = b"".join(stream.feed(piece) for piece in pieces) + stream.close()
        assert stream.finished
        return out

    whole = through(body)
    assert accumulated(whole).content[0].model_dump()["text"] == "a\U0001f600"
    for at in range(1, len(body)):
        assert through(body[:at], body[at:]) == whole
    assert through(*(body[at : at + 1] for at in range(len(body)))) == whole


def test_a_truncated_stream_is_not_finished_at_any_byte() -> None:
    body = framed(BEGIN, start({"type": "text", "text": ""}), text("abc"), stop(), FINISH, END)
    for at in range(len(body) - 2):
        stream = TranslatedStream(CLIENT.write_stream(REPLY), PROVIDER.read_stream)
        out = stream.feed(body[:at]) + stream.close()
        assert not stream.finished
        assert b"message_stop" not in out


def test_a_sink_is_what_the_protocol_asks_for() -> None:
    sink: Sink = CLIENT.write_stream(REPLY)
    sink.end()
    assert sink.take().startswith(b"event: message_start\n")
