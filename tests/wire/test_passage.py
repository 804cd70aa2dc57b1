"""The way of a request to a provider of another dialect, and of its stream back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from support.raw import events
from twintrack.errors import BadRequest, UpstreamError
from twintrack.providers.scripted import chat_events, message_events
from twintrack.wire import chat, endpoints, passage, sse
from twintrack.wire.canonical.answer import Answer, Reader, Reply, Sink
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import Text
from twintrack.wire.canonical.request import Request, Target, Turn
from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.dialect import decode
from twintrack.wire.passage import Conversation, Straight, Translated, TranslatedStream
from twintrack.wire.translators import client_side, provider_side
from twintrack.wire.usage import NO_USAGE, Usage

TARGET = Target("vendor/m")
ASKED = decode(chat.ENDPOINT, b'{"model":"m","messages":[]}')
REQUEST = Request(model="m", turns=(Turn("user", (Text("Hi"),)),))
REPLY = Reply(REQUEST, "tt-1", 1_760_000_000)


# What cannot be carried. The dialects here say what a test wants them to.


def translated(
    lose: Callable[[Losses], None] = lambda losses: None,
    *,
    drop: bool = False,
    unsaid: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
) -> Translated:
    """`lose`: what the provider's dialect has no word for. `unknown`: what the client's own does not have."""

    def write_request(request: Request, target: Target, losses: Losses) -> bytes:
        lose(losses)
        return target.model.encode()

    def never(*_: object) -> Any:
        raise AssertionError

    def read_request(body: bytes, drop: bool) -> tuple[Request, tuple[str, ...]]:
        return msgspec.structs.replace(REQUEST, unsaid=unsaid), unknown if drop else ()

    names = {"turns": "messages", "stop": "stop_sequences", "user": "metadata.user_id"}
    client = ClientSide(read_request, never, never, names)
    conversation = Conversation(client, b"{}", drop, "tt-1")
    return Translated(conversation, ProviderSide(write_request, never, never), "openai", "chat")


def refused(lose: Callable[[Losses], None], **how: Any) -> BadRequest:
    way = translated(lose, **how)
    with pytest.raises(BadRequest) as error:
        way.body(ASKED, b"{}", TARGET)
    assert way.dropped == ()
    return error.value


def test_what_can_be_said_is_said() -> None:
    way = translated()
    assert way.body(ASKED, b"{}", TARGET) == b"vendor/m"
    assert (way.dropped, way.endpoint, way.dialect) == ((), "chat", "openai")


@pytest.mark.parametrize(
    ("lose", "says", "param"),
    [
        (lambda losses: losses.member("seed"), "$.seed", "$.seed"),
        (lambda losses: losses.member("stop"), "$.stop_sequences", "$.stop_sequences"),
        (
            lambda losses: losses.member("stop", "more than four"),
            "$.stop_sequences (more than four)",
            "$.stop_sequences",
        ),
        (lambda losses: losses.member("user"), "$.metadata.user_id", "$.metadata.user_id"),
        (lambda losses: losses.turn(2, "audio"), "$.messages[2] (audio)", "$.messages[2]"),
        (lambda losses: losses.tool(0, "a grammar"), "$.tools[0] (a grammar)", "$.tools[0]"),
        (lambda losses: losses.member("$.messages[1].x"), "$.messages[1].x", "$.messages[1].x"),
    ],
)
def test_a_loss_is_named_by_the_clients_own_path(lose: Callable[[Losses], None], says: str, param: str) -> None:
    error = refused(lose)
    assert error.what == f"{says} cannot be carried to vendor/m"
    assert error.param == param
    assert error.fix.startswith("Leave it out, send x-twintrack-drop-unsupported: true")


def test_several_are_named_each_once_and_what_was_understood_first() -> None:
    def lose(losses: Losses) -> None:
        for name in ("seed", "stop", "seed"):
            losses.member(name)

    error = refused(lose, unsaid=("$.prediction", "$.seed"))
    assert error.what == "$.prediction, $.seed, $.stop_sequences cannot be carried to vendor/m"
    assert error.param == "$.prediction"


@pytest.mark.parametrize(("many", "tail"), [(8, "$.m7 cannot"), (9, "$.m7 and more cannot"), (500, "$.m7 and more")])
def test_of_very_many_the_first_eight_are_named(many: int, tail: str) -> None:
    def lose(losses: Losses) -> None:
        for number in range(many):
            losses.member(f"m{number}")

    error = refused(lose)
    assert error.what.startswith("$.m0, $.m1, ")
    assert tail in error.what
    assert len(error.what) < 200


def test_what_may_be_left_out_is_noted_in_the_order_it_was_met() -> None:
    def lose(losses: Losses) -> None:
        losses.member("seed")
        losses.turn(1, "audio")
        losses.member("seed")

    way = translated(lose, drop=True, unsaid=("$.prediction",), unknown=("$.messages[0].x", "$.zzz"))
    assert way.body(ASKED, b"{}", TARGET) == b"vendor/m"
    assert way.dropped == ("$.messages[0].x", "$.zzz", "$.prediction", "$.seed", "$.messages[1] (audio)")


@pytest.mark.parametrize("path", ["$.previous_response_id", "$.conversation", "$.prompt", "$.thread"])
def test_what_stands_for_the_conversation_is_never_left_out(path: str) -> None:
    error = refused(lambda losses: losses.member("seed"), drop=True, unsaid=(path,))
    assert error.param == path
    assert error.fix.startswith("Send the whole conversation, or name a model")
    assert "drop-unsupported" not in error.fix


def test_each_attempt_notes_its_own_losses_while_the_request_is_read_once() -> None:
    read = []
    side = client_side("chat")

    def read_request(body: bytes, drop: bool) -> tuple[Request, tuple[str, ...]]:
        read.append(body)
        return side.read_request(body, drop)

    body = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"seed":7}'
    counting = ClientSide(read_request, side.write_answer, side.write_stream, side.names)
    conversation = Conversation(counting, body, True, "tt-1")
    first = Translated(conversation, provider_side("anthropic"), "anthropic", "messages")
    second = Translated(conversation, provider_side("gemini"), "gemini", "generate")
    target = Target("m", max_output_tokens=50)
    assert json.loads(first.body(ASKED, body, target))["max_tokens"] == 50
    assert json.loads(second.body(ASKED, body, target))["generationConfig"]["seed"] == 7
    assert (first.dropped, second.dropped, len(read)) == (("$.seed",), (), 1)


def test_an_answer_is_written_with_the_gateways_name_where_the_provider_said_none() -> None:
    seen: list[Reply] = []

    def write_answer(answer: Answer, reply: Reply) -> bytes:
        seen.append(reply)
        return answer.model.encode()

    def never(*_: object) -> Any:
        raise AssertionError

    client = ClientSide(lambda body, drop: (REQUEST, ()), write_answer, never, {})
    usage = Usage(input_tokens=3, output_tokens=4)
    provider = ProviderSide(never, lambda body: Answer(model=body.decode(), usage=usage), never)
    way = Translated(Conversation(client, b"", False, "tt-9"), provider, "openai", "chat")
    assert way.answer(b"said") == (b"said", usage)
    assert (seen[0].id, seen[0].request) == ("tt-9", REQUEST)
    assert seen[0].now > 1_760_000_000


def test_straight_on_the_body_is_the_clients() -> None:
    for endpoint in endpoints.ENDPOINTS:
        way = Straight(endpoint)
        assert (way.endpoint, way.dialect, way.dropped) == (endpoint.name, endpoint.dialect, ())
    body = b'{ "messages":[ ],"model" : "m" }'
    way = Straight(chat.ENDPOINT)
    assert way.body(decode(chat.ENDPOINT, body), body, Target("m")) is body
    assert way.body(decode(chat.ENDPOINT, body), body, TARGET) == b'{ "messages":[ ],"model":"vendor/m" }'
    answer = b' {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    assert way.answer(answer)[0] is answer
    assert way.answer(answer)[1].output_tokens == 4
    with pytest.raises(UpstreamError, match="not UTF-8"):  # in a member that nobody here looks for
        way.answer(b'{"choices":[],"id":"\xff"}')
    assert way.answer('{"choices":[],"id":"é"}'.encode())[1].output_tokens is None


# Streams


WORDS = ["Hel", "lo “you”", " 🦊"]


def opened(client: str = "messages", provider: str = "openai") -> TranslatedStream:
    return TranslatedStream(client_side(client).write_stream(REPLY), provider_side(provider).read_stream)


def told(pieces: list[bytes], client: str = "messages", provider: str = "openai") -> tuple[bytes, TranslatedStream]:
    stream = opened(client, provider)
    said = b"".join([stream.feed(piece) for piece in pieces])
    return said + stream.close(), stream


WHOLE = b"".join(chat_events(WORDS))
EXPECTED, _ = told(chat_events(WORDS))


def test_a_stream_is_whole() -> None:
    stream = opened()
    parts = chat_events(WORDS)
    said = [stream.feed(part) for part in parts]
    assert said[0] == b"", "a role is no content"
    assert said[1].startswith(b"event: message_start")
    assert all(sse.split(each)[1] == b"" for each in said), "only whole events are passed on"
    assert not stream.inside
    assert stream.close() == b""
    assert (stream.content, stream.finished, stream.failure) == (True, True, "")
    assert stream.pieces == len(parts)
    assert (stream.usage().input_tokens, stream.usage().output_tokens) == (12, 7)
    found = [event for event in events(EXPECTED) if event["type"] == "content_block_delta"]
    assert "".join(event["delta"]["text"] for event in found) == "".join(WORDS)
    assert events(EXPECTED)[-1] == {"type": "message_stop"}


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_cut_at_any_byte_it_is_the_same(provider: str) -> None:
    client = "messages" if provider == "openai" else "chat"
    whole = WHOLE if provider == "openai" else b"".join(message_events(WORDS))
    expected, uncut = told([whole], client, provider)
    assert uncut.finished
    for at in range(1, len(whole)):
        said, stream = told([whole[:at], whole[at:]], client, provider)
        assert said == expected, at
        assert (stream.finished, stream.pieces) == (True, uncut.pieces)
    said, stream = told([whole[at : at + 1] for at in range(len(whole))], client, provider)
    assert (said, stream.pieces) == (expected, uncut.pieces)


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_whichever_way_lines_end(end: bytes, size: int) -> None:
    text = WHOLE.replace(b"\n", end)
    said, stream = told([text[at : at + size] for at in range(0, len(text), size)])
    assert (said, stream.finished) == (EXPECTED, True)


def test_comments_and_empty_events_are_nobodys_content() -> None:
    pieces = [b": ping\n\n", b"\n\n", b": a\n: b\n\n: c\n\n", b"event: x\n\n", *chat_events(WORDS), b": end\n\n"]
    said, stream = told(pieces)
    assert (said, stream.pieces) == (EXPECTED, len(chat_events(WORDS)))
    stream = opened()
    assert stream.feed(b": ping\n\n") == b""
    assert not stream.content


ERROR = b'data: {"error":{"message":"out of memory"}}\n\n'


@pytest.mark.parametrize(
    "late",
    [
        *chat_events(["more"], usage=(900, 900)),
        *message_events(["more"], 900, 900),
        ERROR,
        b"data: half",
        b"data: {\n\n",
    ],
)
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_what_follows_the_end_changes_nothing(provider: str, late: bytes) -> None:
    pieces = chat_events(WORDS) if provider == "openai" else message_events(WORDS)
    for client in ("chat", "messages", "responses"):
        expected, _ = told(pieces, client, provider)
        for each in ([*pieces, late], [b"".join(pieces) + late]):
            said, stream = told(each, client, provider)
            assert (said, stream.finished, stream.failure) == (expected, True, "")
            assert stream.usage().output_tokens == 7


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_usage_that_is_owed_counts_although_it_comes_behind_the_end(provider: str) -> None:
    """It is no news to the client, but it says what the answer cost."""
    if provider == "openai":
        pieces, late = chat_events(WORDS, usage=None), chat_events([], usage=(12, 7))[-2]
    else:
        pieces, late = message_events(WORDS, 12, None), message_events([])[-2]
    expected, _ = told(pieces, provider=provider)
    said, stream = told([*pieces, late], provider=provider)
    assert (said, stream.usage().input_tokens, stream.usage().output_tokens) == (expected, 12, 7)


@pytest.mark.parametrize("before", [[], [b": x\n\n"], chat_events(["a"])[:1]])
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_failure_before_content_is_raised_so_that_another_may_be_asked(before: list[bytes], size: int) -> None:
    text = b"".join([*before, ERROR])
    *pieces, last = [text[at : at + size] for at in range(0, len(text), size)]
    stream = opened()
    assert b"".join([stream.feed(piece) for piece in pieces]) == b""
    with pytest.raises(UpstreamError, match=r"failed before any content: error event"):
        stream.feed(last)
    assert not stream.content
    stream.close()
    assert not stream.finished


@pytest.mark.parametrize("together", [False, True])
def test_a_failure_behind_content_is_kept_and_what_came_before_it_passed_on(together: bool) -> None:
    words = chat_events(WORDS, usage=None, done=False)
    pieces = [*words, ERROR, *chat_events(["never said"])]
    said, stream = told([b"".join(pieces)] if together else pieces)
    assert (stream.content, stream.finished) == (True, False)
    assert stream.failure == "error event"
    found = [event for event in events(said) if event["type"] == "content_block_delta"]
    assert "".join(event["delta"]["text"] for event in found) == "".join(WORDS)
    assert b"message_stop" not in said
    assert b"never said" not in said


def test_what_is_no_event_of_the_dialect_is_raised() -> None:
    for text in (b"data: {nonsense\n\n", b'data: {"choices":7}\n\n', b"data: \xff\n\n"):
        with pytest.raises(UpstreamError):
            opened().feed(text)
        with pytest.raises(UpstreamError):
            opened().feed(b": x\n\n" + text)


@pytest.mark.parametrize("upto", range(1, len(chat_events(WORDS, usage=None)) - 2))
def test_closed_without_a_finish_it_is_not_complete(upto: int) -> None:
    said, stream = told(chat_events(WORDS, usage=None)[:upto])
    assert not stream.finished
    assert stream.content == (upto > 1)
    assert b"message_stop" not in said


def test_closed_in_the_middle_of_an_event_it_is_not_complete() -> None:
    cut = WHOLE.index(b'"finish_reason":"stop"') + 10
    said, stream = told([WHOLE[:cut]])
    assert (stream.content, stream.finished) == (True, False)
    assert b"message_stop" not in said


def test_closed_twice_it_says_nothing_more() -> None:
    stream = opened()
    stream.feed(WHOLE)
    stream.close()
    assert (stream.close(), stream.finished) == (b"", True)


# What is held back has an end


class Silent:
    """A reader that never sees content."""

    content = finished = False
    failure = ""
    usage = NO_USAGE

    def __init__(self, sink: Sink) -> None:
        self.seen: list[int] = []

    def see(self, payload: bytes) -> None:
        self.seen.append(len(payload))

    def close(self) -> None:
        pass


def silent() -> tuple[TranslatedStream, Silent]:
    readers: list[Silent] = []

    def reader(sink: Sink) -> Reader:
        readers.append(Silent(sink))
        return readers[-1]

    stream = TranslatedStream(client_side("chat").write_stream(REPLY), reader)
    return stream, readers[0]


@pytest.mark.parametrize("piece", [b": ping\n\n", b'data: {"a":1}\n\n', b"data: b\r\n\r\ndata: c\n\n"])
def test_before_content_only_so_much_is_taken(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    monkeypatch.setattr(passage, "_HELD_BYTES", 10 * len(piece))
    stream, _ = silent()
    for _ in range(10):
        assert stream.feed(piece) == b""
    with pytest.raises(UpstreamError, match=f"no content in its first {10 * len(piece)} bytes"):
        stream.feed(b"\n")


def test_behind_content_there_is_no_such_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage, "_HELD_BYTES", 300)
    said, stream = told(chat_events(["x" * 50] * 50))
    assert (stream.finished, said.count(b"x" * 50)) == (True, 50)


@pytest.mark.parametrize("size", [1, 64, 2_000])
def test_an_event_may_be_long_but_not_for_ever(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(passage, "_LONGEST_EVENT", 1_000)
    stream, reader = silent()
    stream.feed(b"data: " + b"x" * 994)
    stream.feed(b"\n\n")
    assert reader.seen == [994]
    for _ in range(1_000 // size):
        assert stream.feed(b"x" * size) == b""
    with pytest.raises(UpstreamError, match="an event of more than 1000 bytes"):
        stream.feed(b"x" * max(size, 41))
    assert reader.seen == [994]


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_an_event_of_many_pieces_is_searched_once_and_not_with_every_piece(end: bytes) -> None:
    """Four megabytes: 22 s of one processor where every piece has all of it searched again."""
    stream, reader = silent()
    pieces = 4_000
    began = time.process_time()
    stream.feed(b"data: ")
    for _ in range(pieces):
        stream.feed(b"x" * 1_000)
    stream.feed(end[:1])
    stream.feed(end[1:])
    assert reader.seen == [pieces * 1_000]
    assert time.process_time() - began < 2.0
