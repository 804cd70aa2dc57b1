"""Streamed answers between dialects: a provider's events in, a client's events out, however the bytes are cut."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from pairs.features import QUERY, TIME, WEATHER, asked
from pairs.golden import CLIENTS, DIALECTS, GOLDEN, PAIRS, UPDATE, client_side

from twintrack.wire import sse
from twintrack.wire.canonical.answer import Reply
from twintrack.wire.canonical.request import Request
from twintrack.wire.passage import TranslatedStream

FOLDER = GOLDEN / "streams"
BY_HAND = sorted(path for path in FOLDER.glob("*.sse") if path.name.split(".")[1] in DIALECTS)
ASKED: dict[str, Request] = {
    "calls": asked(tools=(WEATHER, TIME)),
    "call_custom": asked(tools=(QUERY,)),
    "logprobs": asked(logprobs=True, top_logprobs=1),
}
"""What was asked, by the name of the answer; else nothing but a greeting."""
IMPOSSIBLE = {
    ("call_custom.chat", "messages"): "nobody who reads messages offers a custom tool",
    ("call_custom.responses", "messages"): "nobody who reads messages offers a custom tool",
}


def open_stream(path: Path, client: str) -> TranslatedStream:
    feature, provider, _ = path.name.split(".")
    request = msgspec.structs.replace(ASKED.get(feature, asked()), stream=True, stream_usage=True)
    sink = client_side(client).write_stream(Reply(request, "tt-1", 1_763_633_400))
    return TranslatedStream(sink, DIALECTS[provider].provider.read_stream)


def translated(path: Path, client: str, *cuts: int) -> bytes:
    """What the client gets if the provider's bytes come in pieces that end at `cuts`."""
    stream = open_stream(path, client)
    data = path.read_bytes()
    told = b""
    for begin, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        told += stream.feed(data[begin:end])
    told += stream.close()
    assert (stream.content, stream.finished, stream.failure) == (True, True, "")
    return told


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)
def test_a_client_reads_a_stream_of_another_dialect(path: Path, client: str) -> None:
    if path.stem.endswith(f".{client}") or (path.stem, client) in IMPOSSIBLE:
        return
    told = translated(path, client)
    golden = FOLDER / f"{path.stem}-{client}.sse"
    if UPDATE:
        golden.write_bytes(told)
    assert golden.read_bytes() == told, f"{golden.name} is another now; UPDATE_GOLDEN=1 writes it again"


@pytest.mark.parametrize(("client", "provider"), PAIRS)
@pytest.mark.parametrize("feature", ["thinking", "calls"])
def test_it_is_the_same_wherever_it_is_cut(feature: str, client: str, provider: str) -> None:
    path = FOLDER / f"{feature}.{provider}.sse"
    whole = translated(path, client)
    size = path.stat().st_size
    for cut in range(1, size):
        assert translated(path, client, cut) == whole, cut
    assert translated(path, client, *range(1, size)) == whole


LAST_WORD = {
    "chat": b'"finish_reason":"',
    "messages": b'"type":"message_stop"',
    "responses": b'"response":{"id":"resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b","object":"response"',
    "gemini": b"Reason",
}
"""By provider: what says that the answer is complete. Of responses the third event of this kind does."""
CLOSED = {
    "chat": b"data: [DONE]",
    "messages": b'"type":"message_stop"',
    "responses": b'"type":"response.completed"',
}
"""By client: how it hears of that."""


@pytest.mark.parametrize(("client", "provider"), PAIRS)
def test_an_answer_that_breaks_off_is_never_complete(client: str, provider: str) -> None:
    """Cut behind each event: without the provider's last word the client gets none either."""
    path = FOLDER / f"calls.{provider}.sse"
    events, rest = sse.split(path.read_bytes())
    assert rest == b""
    for count in range(1, len(events) + 1):
        data = b"".join(events[:count])
        stream = open_stream(path, client)
        told = stream.feed(data) + stream.close()
        complete = data.count(LAST_WORD[provider]) == (3 if provider == "responses" else 1)
        assert (stream.finished, CLOSED[client] in told) == (complete, complete), data[-200:]


def test_no_file_is_left_over() -> None:
    hands = {path.stem for path in BY_HAND}
    pairs = {
        f"{each}-{client}"
        for each in hands
        for client in CLIENTS
        if not each.endswith(f".{client}") and (each, client) not in IMPOSSIBLE
    }
    assert {path.stem for path in FOLDER.iterdir()} == hands | pairs
