"""Every phase has a deadline, a waiting client gets signs of life, and what comes too late finds nobody."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import Answer, Raw, events, words
from support.waiting import eventually
from twintrack.providers.scripted import Script, chat_answer, chat_events, error_answer, stream

TICK_S = 0.2
"""How often deadlines are looked at."""
SPARE_S = 1.2
"""What a busy machine may add, and still no other deadline passed."""
DEADLINES = """
[server.deadlines]
connect_s = 2.0
first_byte_s = 1.0
between_chunks_s = 1.3
total_s = 2.6
keepalive_after_s = 0.4
"""


class Slow:
    """A listener that accepts nobody until it is told to."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port = self.socket.getsockname()[1]
        self._fillers: list[socket.socket] = []
        self.fill()

    def fill(self) -> None:
        """With its queue full the kernel ignores further clients, who ask again after a second."""
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        for _ in range(2):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.socket.getsockname())
            self._fillers.append(filler)

    def open(self) -> None:
        for filler in self._fillers:
            filler.close()
        self.socket.settimeout(3.0)
        self._fillers = []

    def hear(self) -> bytes:
        """What all who come within three seconds have to say."""
        heard, came = b"", 0
        try:
            while True:
                connection, _ = self.socket.accept()
                came += 1
                with connection:
                    connection.settimeout(3.0)
                    heard += connection.recv(65_536)
        except TimeoutError:
            assert came
            return heard

    def close(self) -> None:
        self.open()
        self.socket.close()


@pytest.fixture(scope="module")
def slow() -> Iterator[Slow]:
    server = Slow()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(mine: Provider, other: Provider, slow: Slow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = DEADLINES + provider("mine", mine.url) + provider("other", other.url)
    config += provider("slow", f"http://127.0.0.1:{slow.port}/v1")
    config += deployment("unreached", "slow") + deployment("good", "other")
    for name in ("first", "middle", "dribble", "label", "comments", "broken", "refusing"):
        config += deployment(f"{name}.d", "mine", model=name) + route(name, f"{name}.d", "good")
    with Served(tmp_path_factory.mktemp("deadlines"), config) as gateway:
        yield gateway


@contextmanager
def takes(least_s: float, most_s: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert least_s <= took <= most_s + TICK_S + SPARE_S


def test_the_first_byte(gateway: Served, mine: Provider) -> None:
    mine.scripts["first"] = Script(framing="raw", end="hang")
    with takes(0.8, 1.0):
        answer = gateway.chat("first.d")
    assert answer.status == 504
    assert answer.json()["error"]["message"] == "The provider did not begin to answer in time."
    assert gateway.entries(answer.id)[0]["outcome"] == "upstream_timeout"


def test_silence_inside_an_answer(gateway: Served, mine: Provider) -> None:
    mine.scripts["middle"] = stream([*chat_events(["one"], None, done=False), 5.0])
    with takes(1.1, 1.3):
        answer = gateway.chat("middle.d", stream=True)
    assert not answer.complete
    assert events(answer.body)[-1]["error"]["message"] == "The provider fell silent."


def test_the_whole_request(gateway: Served, mine: Provider) -> None:
    pieces: list[bytes | float] = []
    for event in chat_events([str(number) for number in range(20)], None):
        pieces += [event, 0.3]
    mine.scripts["dribble"] = stream(pieces)
    with takes(2.4, 2.6):
        answer = gateway.chat("dribble.d", stream=True)
    assert not answer.complete
    assert events(answer.body)[-1]["error"]["code"] == "upstream_timeout"
    assert words(answer.body).startswith("01234")


def test_a_connection(gateway: Served) -> None:
    """`first_byte_s` is shorter than `connect_s` here, and counts from the decision."""
    with takes(0.8, 1.0):
        answer = gateway.chat("unreached")
    assert answer.status == 504
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["outcome"]) == ("released", "upstream_timeout")


@pytest.mark.parametrize("meanwhile", ["the answer is complete", "another deployment answers"])
def test_a_connection_that_comes_about_after_its_attempt_was_given_up_carries_nothing(
    slow: Slow, other: Provider, tmp_path: Path, meanwhile: str
) -> None:
    """Or one request would be answered twice, by a deployment whose row says that nothing was sent."""
    busy = meanwhile == "another deployment answers"
    role, *rest = chat_events(["in time"])
    other.scripts["good"] = stream([role, 2.0 if busy else 0.0, *rest])
    config = "[server.deadlines]\nconnect_s = 4.0\nfirst_byte_s = 0.3\n" + provider("other", other.url)
    config += provider("slow", f"http://127.0.0.1:{slow.port}/v1")
    config += deployment("unreached", "slow") + deployment("good", "other") + route("late", "unreached", "good")
    slow.fill()
    with Served(tmp_path, config) as gateway, gateway.connect() as client:
        client.post("/v1/chat/completions", question("late", stream=True))
        time.sleep(0.7)
        slow.open()  # the kernel asks again a second after the first time
        assert slow.hear() == b""
        answer = client.answer()
        assert answer.complete
        assert words(answer.body) == "in time"
        assert [row["state"] for row in gateway.entries(answer.id)] == ["released", "settled"]
    slow.fill()


def test_a_client_that_leaves_while_a_connection_is_opened_is_booked_once(gateway: Served) -> None:
    before = metric(gateway, "twintrack_requests_total")
    with gateway.connect() as client:
        client.post("/v1/chat/completions", question("unreached"))
        time.sleep(0.1)
    eventually(lambda: metric(gateway, "twintrack_requests_total") == before + 1)
    time.sleep(2.5)  # connect_s: by now opening it has failed
    assert metric(gateway, "twintrack_requests_total") == before + 1
    rows = gateway.query("SELECT * FROM entries WHERE outcome = 'client_left' AND deployment = 'unreached'")
    assert [(row["state"], row["cost_nusd"]) for row in rows] == [("released", 0)]
    assert metric(gateway, "twintrack_in_flight") == 0


def test_silence_between_two_words_has_comments_and_they_stand_between_events(mine: Provider, tmp_path: Path) -> None:
    one, two, *rest = chat_events(["one", " two"])
    half = len(two) // 2
    mine.scripts["thinks"] = stream([one, two[:half], 0.1, two[half:], 1.2, *rest])
    config = "[server.deadlines]\nkeepalive_every_s = 0.3\n" + provider("mine", mine.url) + deployment("thinks", "mine")
    with Served(tmp_path, config) as gateway:
        answer = gateway.chat("thinks", stream=True)
    assert answer.complete
    assert words(answer.body) == "one two"
    assert 2 <= answer.body.count(b": still waiting\n\n") <= 5
    assert all(event.startswith((b": ", b"data: ")) for event in answer.body.split(b"\n\n") if event)


def test_a_deadline_the_caller_sets(gateway: Served, mine: Provider, other: Provider) -> None:
    mine.scripts["label"] = Script(framing="raw", end="hang")
    asked_before = other.requests
    with takes(0.5, 0.5):
        answer = gateway.ask(question("label"), headers={"x-twintrack-deadline-ms": "500"})
    assert answer.status == 504
    assert "longer than its deadline" in answer.json()["error"]["message"]
    assert other.requests == asked_before  # no time is left for another


def test_a_deadline_is_never_early(gateway: Served, mine: Provider) -> None:
    mine.scripts["label"] = Script(pieces=(0.08, *chat_answer("in time").pieces))
    for _ in range(12):  # wherever between two looks at the clock it begins
        assert gateway.ask(question("label.d"), headers={"x-twintrack-deadline-ms": "150"}).status == 200


def test_deadlines_of_callers_do_not_close_a_deployment_to_others(gateway: Served, mine: Provider) -> None:
    mine.scripts["label"] = Script(framing="raw", end="hang")
    for _ in range(4):
        gateway.ask(question("label"), headers={"x-twintrack-deadline-ms": "1"})
    mine.scripts["label"] = chat_answer("still there")
    assert gateway.chat("label").headers["x-twintrack-tier"] == "t0"


# Signs of life


def comments(answer: Answer) -> int:
    return answer.body.count(b": still waiting\n\n")


def test_a_slow_first_token_is_preceded_by_comments(gateway: Served, mine: Provider) -> None:
    mine.scripts["comments"] = stream([0.8, *chat_events(["at last"])])
    answer = gateway.chat("comments", stream=True)
    assert answer.complete
    assert comments(answer) == 1
    assert answer.body.startswith(b": still waiting\n\n")
    assert words(answer.body) == "at last"
    # Who answers was not known when the headers went out.
    assert answer.headers.keys() == {"content-type", "x-twintrack-id", "x-request-id", "transfer-encoding"}


def test_a_fast_one_is_not(gateway: Served, mine: Provider) -> None:
    mine.scripts["comments"] = stream(chat_events(["at once"]))
    answer = gateway.chat("comments", stream=True)
    assert comments(answer) == 0
    assert answer.headers["x-twintrack-provider"] == "mine"


def test_who_waits_for_a_whole_answer_gets_no_comments(gateway: Served, mine: Provider) -> None:
    mine.scripts["comments"] = Script(pieces=(0.8, *chat_answer("at last").pieces))
    assert gateway.chat("comments").json()["choices"][0]["message"]["content"] == "at last"


@pytest.mark.parametrize("name", ["broken", "refusing"])
def test_behind_comments_another_deployment_may_still_answer(
    gateway: Served, mine: Provider, other: Provider, name: str
) -> None:
    late_error = error_answer(500)
    mine.scripts["broken"] = stream([0.7], end="reset")
    mine.scripts["refusing"] = lambda received: (time.sleep(0.7), late_error)[1]
    other.scripts["good"] = stream(chat_events(["saved"]))
    answer = gateway.chat(name, stream=True)
    assert answer.complete
    assert comments(answer) == 1
    assert words(answer.body) == "saved"
    assert len(gateway.entries(answer.id)) == 2


@pytest.mark.parametrize("script", [stream([0.7], end="reset"), Script(framing="raw", end="hang")])
def test_behind_comments_a_failure_is_an_error_event(gateway: Served, mine: Provider, script: Script) -> None:
    mine.scripts["comments"] = script
    answer = gateway.chat("comments.d", stream=True)
    assert (answer.status, answer.complete) == (200, False)
    assert [event["error"]["type"] for event in events(answer.body)] == ["server_error"]


def metric(gateway: Served, name: str) -> float:
    """The sum over its labels."""
    text = gateway.get("/metrics").body.decode()
    return sum(map(float, re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)))


def test_a_client_is_seen_waiting(gateway: Served, mine: Provider) -> None:
    mine.scripts["first"] = Script(pieces=(0.5, *chat_answer("x").pieces))
    with Raw(gateway.port) as client:
        client.post("/v1/chat/completions", question("first.d"))
        eventually(lambda: metric(gateway, "twintrack_in_flight") == 1, 2.0)
        assert client.answer().status == 200
    eventually(lambda: metric(gateway, "twintrack_in_flight") == 0, 2.0)
