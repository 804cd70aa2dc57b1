"""A streamed answer reaches the client unchanged, however the network cuts it and whichever way its chunks take."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twintrack.config.load import parse
from twintrack.gateway.open import compiled, dialing
from twintrack.gateway.state import GatewayState
from twintrack.ledger.records import Content, Dispatch, Names, Refuse, Settle
from twintrack.providers.connection import Connection
from twintrack.providers.pool import Pool
from twintrack.providers.scripted import chat_events
from twintrack.server.api import Api
from twintrack.server.http import ClientConnection
from twintrack.wire.chat import ChatStream
from twintrack.wire.http1 import Chunked
from twintrack.wire.pipe import Pipe

CONFIG = """
[[providers]]
name = "p"
api = "vllm"
url = "http://127.0.0.1:9/v1"
zone = "own"

[[deployments]]
name = "m"
model = "m"
provider = "p"
price = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 2.0 }
facts = { context_tokens = 8192, modalities = ["text"], tools = true, quality = 0.8 }
"""


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    close = abort

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def get_extra_info(self, name: str) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


class Book:
    def __init__(self) -> None:
        self.records: list[Dispatch | Settle | Refuse] = []

    def append(self, record: Dispatch | Settle | Refuse) -> None:
        self.records.append(record)

    def offer(self, content: Content) -> bool:
        return True

    def names(self, names: Names) -> None: ...


def answered(pieces: list[bytes], asked: dict[str, object]) -> tuple[bytes, Settle]:
    """What the client's connection got for an upstream that sent `pieces`, and how the attempt was booked."""

    async def go() -> tuple[bytes, Settle]:
        loop = asyncio.get_running_loop()
        snapshot = compiled(*parse(CONFIG, str(Path("x.toml").absolute())))
        book = Book()
        pool = Pool(loop, dialing(snapshot))
        gateway = GatewayState(
            snapshot,
            worker="w",
            journal=book,
            pool=pool,
            secret=lambda _: None,
            now=loop.time(),
            later=loop.call_soon,
        )
        api = Api(gateway, metrics=bytes, openapi=bytes, relay=None)
        client, client_wire, upstream_wire = ClientConnection(api), Wire(), Wire()
        client.connection_made(client_wire)  # type: ignore[arg-type]
        upstream = Connection(lambda connection, keep: None)
        upstream.connection_made(upstream_wire)  # type: ignore[arg-type]
        pool._idle[gateway.serving.upstreams[0].address] = [upstream]
        body = json.dumps({"model": "m", "messages": [], "stream": True} | asked).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        client.data_received(head + body)
        assert b"/v1/chat/completions" in upstream_wire.written
        for piece in pieces:
            upstream.data_received(piece)
        (settled,) = [record for record in book.records if isinstance(record, Settle)]
        return client_wire.written, settled

    return asyncio.run(go())


def framed(events: list[bytes]) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


def body_of(answer: bytes) -> bytes:
    chunked = Chunked()
    found = b"".join(chunked.feed(answer[answer.index(b"\r\n\r\n") + 4 :]))
    assert chunked.done
    return found


WORDS = st.lists(
    st.sampled_from(["a", " word", "é☃", "x" * 300, "y" * 5000, "[]", '"choices":[]', "\n\n"]), max_size=12
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words=WORDS, cuts=st.lists(st.integers(0, 60_000), max_size=8), wants=st.booleans(), whole=st.booleans())
def test_the_client_gets_every_event_but_the_usage_it_did_not_ask_for(
    words: list[str], cuts: list[int], wants: bool, whole: bool
) -> None:
    events = chat_events(words, (40, 9))
    stream = framed(events)
    if whole:  # one read a chunk, as a provider that writes token by token gives it
        pieces = [framed(events[:1])[:-5]]
        pieces += [b"%x\r\n%b\r\n" % (len(event), event) for event in events[1:]] + [b"0\r\n\r\n"]
    else:
        places = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
        pieces = [stream[a:b] for a, b in pairwise(places)]
    answer, settled = answered(pieces, {"stream_options": {"include_usage": True}} if wants else {})
    expected = [event for event in events if wants or b'"choices":[],' not in event or b'"delta"' in event]
    assert body_of(answer) == b"".join(expected)
    assert (settled.outcome, settled.state) == ("ok", "settled")
    assert (settled.input_tokens, settled.output_tokens, settled.usage_source) == (40, 9, "reported")
    assert settled.response_bytes >= len(b"".join(events))


def test_a_stream_that_breaks_off_on_the_short_way_ends_with_an_error() -> None:
    events = chat_events(["a", "b", "c"], None, done=False)
    pieces = (
        [framed(events[:2])[:-5]] + [b"%x\r\n%b\r\n" % (len(event), event) for event in events[2:]] + [b"0\r\n\r\n"]
    )
    answer, settled = answered(pieces, {})
    assert settled.outcome == "upstream_failed"
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"}\n\n\r\n")
    assert b"broke off" in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_only_whole_chunks_of_whole_events_take_the_short_way() -> None:
    passed: list[bytes] = []
    pipe = Pipe(ChatStream(strip_usage=True), passed.append)
    event = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    good = b"%x\r\n%b\r\n" % (len(event), event)
    assert pipe.take(good)
    for other in (
        good[:-1],
        good + b"0\r\n\r\n",
        good + good,
        b"0" + good,
        good.replace(b"\r\n", b";x=1\r\n", 1),
        b"%X\r\n%b\r\n" % (0xAB, b"x" * (0xAB - 2) + b"\n\n"),
        b"5\r\nhello\r\n",
        b"0\r\n\r\n",
        b"",
        b"\n\n\r\n",
        b"%x\r\n%b\r\n" % (len(event) + 1, event + b"!"),
        b"fff0\r\n" + b"x" * 0xFFEE + b"\n\n\r\n",
    ):
        assert not pipe.take(other), other[:40]
    usage = b'data: {"choices":[],"usage":{}}\n\n'
    assert not pipe.take(b"%x\r\n%b\r\n" % (len(usage), usage))
    assert passed == [good]
    assert msgspec.json.decode(good[4:-4].removeprefix(b"data: ").strip())
