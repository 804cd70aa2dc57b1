"""Clients that leave, do not read, or read slowly: the provider stops, memory stays, the books are right."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Served, cost_nusd, deployment, provider, question, rss_bytes
from support.provider import Provider, listening
from support.raw import Raw, words
from support.waiting import eventually
from twintrack.providers.scripted import Received, Script, chat_answer, chat_events, message_events, stream

_MB = 1024 * 1024
ROLE, WORD = chat_events([" word"], None, done=False)
LARGE = (
    b'{"choices":[{"message":{"content":"'
    + b"x" * (8 * _MB)
    + b'"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
)


@pytest.fixture(scope="module")
def gateway(
    mine: Provider, other: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    config = "[server.deadlines]\nidle_s = 1.5\nbetween_chunks_s = 1.0\ntotal_s = 60.0\n"
    config += (
        provider("mine", mine.url) + provider("other", other.url) + provider("claude", claude.url, api="anthropic")
    )
    config += "".join(deployment(name, "mine") for name in ("slow", "left", "told"))
    config += deployment("fast", "other") + deployment("sonnet", "claude")
    with Served(tmp_path_factory.mktemp("clients"), config) as gateway:
        yield gateway


def metric(gateway: Served, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", gateway.get("/metrics").body.decode(), re.MULTILINE)
    assert found is not None
    return float(found[1])


# Leaving


def leave(gateway: Served, mine: Provider, script: Script, *, after: bytes, reset: bool) -> float:
    """Seconds until the provider sees the connection close."""
    mine.scripts["slow"] = script
    requests, disconnects = mine.requests, mine.disconnects
    client = gateway.connect()
    client.post("/v1/chat/completions", question("slow", stream=True))
    eventually(lambda: mine.requests == requests + 1)
    if after:
        client.until(after)
    began = time.monotonic()
    client.reset() if reset else client.socket.close()
    eventually(lambda: mine.disconnects == disconnects + 1, 5.0, 0.002)
    return time.monotonic() - began


@pytest.mark.parametrize("reset", [False, True], ids=["orderly", "reset"])
@pytest.mark.parametrize(
    ("script", "after"),
    [
        (Script(framing="raw", end="hang"), b""),
        (stream([ROLE, 30.0]), b""),
        (stream([ROLE, WORD, 30.0]), b" word"),
        (stream([ROLE, *[WORD, 0.01] * 3_000]), b" word"),
    ],
    ids=["before the head", "before content", "after content", "while it talks"],
)
def test_a_provider_is_stopped_as_soon_as_the_client_has_left(
    gateway: Served, mine: Provider, script: Script, after: bytes, reset: bool
) -> None:
    # The best of three: what is measured is the gateway, not what else this machine does.
    assert min(leave(gateway, mine, script, after=after, reset=reset) for _ in range(3)) < 0.1


def left(gateway: Served, model: str) -> dict[str, Any]:
    def look() -> list[dict[str, Any]]:
        return gateway.query(
            "SELECT * FROM entries WHERE deployment = ? AND outcome = 'client_left' ORDER BY id DESC LIMIT 1", model
        )

    return eventually(look)[0]


def test_what_was_answered_until_then_is_booked_as_an_estimate(gateway: Served, mine: Provider) -> None:
    mine.scripts["left"] = stream([ROLE, *[item for _ in range(10) for item in (WORD, 0.02)], 30.0])
    with gateway.connect() as client:
        client.post("/v1/chat/completions", question("left", stream=True))
        for _ in range(10):
            client.until(b" word")
    row = left(gateway, "left")
    assert (row["state"], row["usage_source"]) == ("settled", "estimated")
    assert row["output_tokens"] == 10
    assert row["input_tokens"] == row["prompt_tokens_est"]
    assert row["cost_nusd"] == cost_nusd(row["input_tokens"], 10)


def test_what_the_provider_said_of_its_usage_is_believed(gateway: Served, mine: Provider) -> None:
    """The usage had come when the client left; only the end had not."""
    usage = chat_events(["x"], (30, 4))[-2]
    mine.scripts["told"] = stream([ROLE, WORD, 0.05, usage, 0.05, WORD.replace(b" word", b" last"), 30.0])
    with gateway.connect() as client:
        client.post("/v1/chat/completions", question("told", stream=True))
        client.until(b" last")
    row = left(gateway, "told")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (30, 4, "reported")


def test_a_message_left_early_does_not_count_the_token_it_began_with(gateway: Served, claude: Provider) -> None:
    events = message_events([" word"] * 8, input_tokens=50)[:11]
    claude.default = stream([*[item for event in events for item in (event, 0.02)], 30.0])
    with gateway.connect() as client:
        client.post("/v1/messages", question("sonnet", stream=True, max_tokens=99))
        for _ in range(8):
            client.until(b" word")
    row = left(gateway, "sonnet")
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (50, 8, "estimated")


def test_an_unstreamed_answer_nobody_waits_for_is_given_up_too(gateway: Served, mine: Provider) -> None:
    mine.scripts["slow"] = Script(pieces=(b'{"choices"', 30.0, b":[]}"))
    disconnects = mine.disconnects
    with gateway.connect() as client:
        client.post("/v1/chat/completions", question("slow"))
        time.sleep(0.2)
    eventually(lambda: mine.disconnects == disconnects + 1)


def test_a_refusal_left_in_the_middle_costs_nothing(gateway: Served, mine: Provider) -> None:
    mine.scripts["told"] = Script(status=500, pieces=(b'{"error":', 30.0), claim=500)
    with gateway.connect() as client:
        client.post("/v1/chat/completions", question("told"))
        time.sleep(0.2)
    row = eventually(lambda: gateway.query("SELECT * FROM entries WHERE deployment = 'told' AND status = 500"))[0]
    assert (row["state"], row["outcome"], row["cost_nusd"]) == ("released", "client_left", 0)


# Not reading


def flood(received: Received) -> Script:
    """200 MB in 64 kB events."""
    event = WORD.replace(b" word", b"x" * 65_000)
    return stream([ROLE, *[event] * 3_200])


def test_a_client_that_does_not_read_holds_little_memory_and_up_nobody(
    gateway: Served, mine: Provider, other: Provider
) -> None:
    mine.scripts["slow"] = flood
    worker = gateway.children()["worker 0"]
    assert gateway.chat("fast").status == 200
    before = rss_bytes(worker)

    with Raw(gateway.port, receive_buffer=16_384) as client:
        client.post("/v1/chat/completions", question("slow", stream=True))
        client.until(b"xxxx")
        highest = others = 0
        late = time.monotonic() + 1.5
        while time.monotonic() < late or others < 5:
            assert gateway.chat("fast").status == 200
            others += 1
            highest = max(highest, rss_bytes(worker))
        assert highest - before < 16 * _MB
        # It is not the provider's fault: nothing broke off although it was silent for longer than it may be.
        assert metric(gateway, "twintrack_in_flight") == 1
        # And once the client reads, the stream goes on.
        for _ in range(300):
            client.until(b"x" * 65_000)
    assert rss_bytes(worker) - before < 16 * _MB


def test_a_slow_reader_gets_everything(gateway: Served, mine: Provider) -> None:
    event = WORD.replace(b" word", b"x" * 20_000)
    mine.scripts["slow"] = stream([ROLE, *[event] * 100, *chat_events(["end"])[1:]])
    with Raw(gateway.port, receive_buffer=16_384) as client:
        client.post("/v1/chat/completions", question("slow", stream=True))
        time.sleep(1.5)  # longer than between_chunks_s, in which the provider may be silent
        answer = client.answer()
    assert answer.complete
    assert len(words(answer.body)) == 100 * 20_000 + 3


def test_a_large_answer_to_a_slow_reader_does_not_stop_the_provider_for_others(gateway: Served, mine: Provider) -> None:
    """The answer is complete and its connection free again while the client still reads."""
    mine.scripts["slow"] = Script(pieces=(LARGE,))
    with Raw(gateway.port, receive_buffer=16_384) as client:
        client.post("/v1/chat/completions", question("slow"))
        client.until(b"\r\n\r\n")
        mine.scripts["slow"] = chat_answer("to another")
        for _ in range(3):
            assert gateway.chat("slow").json()["choices"][0]["message"]["content"] == "to another"


def test_a_request_behind_an_unread_answer_waits_until_it_is_read(gateway: Served, mine: Provider) -> None:
    """Or a client that asks and asks and never reads would fill our memory."""
    mine.scripts["slow"] = Script(pieces=(LARGE,))
    with Raw(gateway.port, receive_buffer=16_384) as client:
        client.post("/v1/chat/completions", question("slow"))
        client.until(b"\r\n\r\n")
        asked = mine.requests
        client.post("/v1/chat/completions", question("slow"))
        time.sleep(0.3)
        assert mine.requests == asked
        client.held = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(LARGE) + client.held
        assert client.answer().body == LARGE
        assert client.answer().body == LARGE
        assert mine.requests == asked + 1


def test_a_client_that_never_reads_is_let_go(gateway: Served, mine: Provider) -> None:
    mine.scripts["slow"] = Script(pieces=(LARGE,))
    clients = [Raw(gateway.port, receive_buffer=16_384) for _ in range(2)]
    for number, client in enumerate(clients):
        client.post("/v1/chat/completions", question("slow"), {"connection": "close" if number else ""})
    eventually(lambda: metric(gateway, "twintrack_connections") >= 3, 3.0)
    eventually(lambda: metric(gateway, "twintrack_connections") == 1, 8.0, 0.2)
    for client in clients:
        client.socket.close()


# A connection and its answers


def test_a_kept_alive_connection_the_provider_has_closed_is_replaced(tmp_path) -> None:  # type: ignore[no-untyped-def]
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n" + b'{"choices":[]}'

    def once(connection) -> None:  # type: ignore[no-untyped-def]
        """Answers the first request and closes when it hears the second: as a server whose patience just ended."""
        connection.recv(65_536)
        connection.sendall(answer)
        connection.recv(1)

    with listening(once) as port:
        config = provider("p", f"http://127.0.0.1:{port}/v1") + deployment("m", "p")
        with Served(tmp_path, config) as gateway:
            assert len(gateway.entries(gateway.chat("m").id)) == 1
            second = gateway.chat("m")
            assert second.status == 200
            rows = gateway.entries(second.id)
    assert [(row["attempt"], row["state"], row["outcome"]) for row in rows] == [
        (0, "released", "upstream_failed"),
        (1, "settled", "ok"),
    ]


def test_no_answer_reaches_another_client(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A provider that says more than it was asked: what is too much is dropped, with its connection."""

    def whole(text: bytes) -> bytes:
        body = b'{"choices":[{"message":{"content":"' + text + b'"}}]}'
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    def twice(connection) -> None:  # type: ignore[no-untyped-def]
        number = 0
        while connection.recv(65_536):
            number += 1
            connection.sendall(whole(b"answer") + whole(b"STRAY"))
            time.sleep(0.02)
            connection.sendall(whole(b"STRAY"))

    with listening(twice) as port:
        config = provider("p", f"http://127.0.0.1:{port}/v1") + deployment("m", "p")
        with Served(tmp_path, config) as gateway:
            heard: list[bytes] = []

            def ask() -> None:
                for _ in range(15):
                    heard.append(gateway.chat("m").body)
                    time.sleep(0.004)

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert len(heard) == 45
    assert {b"STRAY" in body for body in heard} == {False}
    assert {b"answer" in body for body in heard} == {True}
