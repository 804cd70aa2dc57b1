"""However requests end, what providers were asked is in the ledger, once each, at what they say it cost."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator

import pytest

from support.gateway import Served, cost_nusd, deployment, provider, question, route
from support.provider import Provider, refusing_port
from twintrack.providers.scripted import (
    Received,
    Script,
    chat_answer,
    chat_events,
    error_answer,
    stream,
)

CONFIG = "[server.deadlines]\nfirst_byte_s = 0.5\nbetween_chunks_s = 0.5\n"


class Bill:
    """A provider's own books: what it would charge for the answers it completed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.cost_nusd = 0
        self.asked = 0

    def answer(self, received: Received) -> Script:
        with self._lock:
            self.asked += 1
            prompt, completion = self._random.randrange(1, 5_000), self._random.randrange(0, 5_000)
            way = self._random.choice(("good", "good", "good", "good", "error", "no json", "reset", "silent", "breaks"))
            if way == "good":
                self.cost_nusd += cost_nusd(prompt, completion)
        streamed = json.loads(received.body).get("stream", False)
        if way == "error":
            return error_answer(self._random.choice((400, 429, 500, 503)))
        if way == "no json":
            return Script(pieces=(b"{",))
        if way == "reset":
            return Script(framing="raw", pieces=(b"HTTP/1.1 200 OK\r\n",), end="reset")
        if way == "silent":
            return Script(framing="raw", end="hang")
        if way == "breaks":
            return stream(chat_events(["one"], None, done=False), end="reset")
        if streamed:
            return stream(chat_events(["one", " two"], (prompt, completion)))
        return chat_answer("one", prompt, completion)


@pytest.fixture
def gateway(mine: Provider, other: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = CONFIG + provider("mine", mine.url) + provider("other", other.url)
    config += provider("nobody", f"http://127.0.0.1:{refusing_port()}/v1")
    # Many of each, since one that fails often is passed over.
    for number in range(40):
        config += (
            deployment(f"a{number}", "mine") + deployment(f"b{number}", "other") + deployment(f"n{number}", "nobody")
        )
        config += route(f"r{number}", f"a{number}", f"b{number}") + route(f"s{number}", f"n{number}", f"a{number}")
    with Served(tmp_path_factory.mktemp("books"), config) as gateway:
        yield gateway


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
def test_after_a_mixed_day_the_ledger_agrees_with_the_providers(
    gateway: Served, mine: Provider, other: Provider, seed: int
) -> None:
    bills = {"mine": Bill(seed), "other": Bill(seed + 100)}
    mine.default, other.default = bills["mine"].answer, bills["other"].answer
    before = {"mine": mine.requests, "other": other.requests}
    ids: list[str] = []

    def work(number: int) -> None:
        choose = random.Random(seed * 1_000 + number)
        for _ in range(25):
            model = choose.choice("abrs") + str(choose.randrange(40))
            answer = gateway.ask(question(model, stream=choose.random() < 0.5))
            assert answer.status in (200, 400, 429, 500, 502, 503, 504)
            ids.append(answer.id)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gateway.stop()
    gateway.check_books()

    assert len(set(ids)) == 200
    rows = gateway.query("SELECT * FROM entries")
    refused = {row["request_id"] for row in gateway.query("SELECT request_id FROM refusals")}
    assert {row["request_id"] for row in rows} | refused == set(ids)
    for name, provider_ in (("mine", mine), ("other", other)):
        theirs = [row for row in rows if row["provider"] == name]
        assert len(theirs) == provider_.requests - before[name] == bills[name].asked
        charged = [row for row in theirs if row["outcome"] == "ok"]
        assert sum(row["cost_nusd"] for row in charged) == bills[name].cost_nusd
        assert all(row["usage_source"] == "reported" for row in charged)
        assert all(not row["cost_nusd"] for row in theirs if row["outcome"] != "ok")
    unreached = [row for row in rows if row["provider"] == "nobody"]
    assert {(row["state"], row["outcome"], row["cost_nusd"]) for row in unreached} == {
        ("released", "upstream_failed", 0)
    }


def test_cached_tokens_are_charged_at_their_own_price(
    mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prices = (
        "price = { input_usd_per_mtok = 2.0, output_usd_per_mtok = 8.0, cache_read_usd_per_mtok = 0.2, "
        "cache_write_usd_per_mtok = 2.5 }"
    )
    config = provider("mine", mine.url) + provider("claude", claude.url, api="anthropic")
    config += deployment("m", "mine", more=prices) + deployment("sonnet", "claude", more=prices)
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 800}}
    mine.default = Script(pieces=(json.dumps({"choices": [{}], "usage": usage}).encode(),))
    usage = {
        "input_tokens": 200, "output_tokens": 10, "cache_read_input_tokens": 700, "cache_creation_input_tokens": 100,
    }  # fmt: skip
    claude.default = Script(pieces=(json.dumps({"content": [], "usage": usage}).encode(),))
    with Served(tmp_path_factory.mktemp("cache"), config) as gateway:
        chat = gateway.entries(gateway.chat("m").id)[0]
        message = gateway.entries(gateway.ask(question("sonnet", max_tokens=9), "/v1/messages").id)[0]
    assert (chat["input_tokens"], chat["cache_read_tokens"]) == (1000, 800)
    assert chat["cost_nusd"] == 200 * 2_000 + 800 * 200 + 10 * 8_000
    assert (message["input_tokens"], message["cache_read_tokens"], message["cache_write_tokens"]) == (1000, 700, 100)
    assert message["cost_nusd"] == 200 * 2_000 + 700 * 200 + 100 * 2_500 + 10 * 8_000


def test_a_deployment_charged_by_the_hour_costs_no_request(
    mine: Provider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine.default = chat_answer("x")
    config = provider("mine", mine.url) + deployment("m", "mine", more="price = { per_hour_usd = 9.6 }")
    with Served(tmp_path_factory.mktemp("hourly"), config) as gateway:
        answer = gateway.chat("m")
        assert "x-twintrack-cost-usd" not in answer.headers
        row = gateway.entries(answer.id)[0]
    assert (row["cost_nusd"], row["per_hour_nusd"]) == (None, 9_600_000_000)


def test_what_routing_chose_and_what_answered_are_both_on_record(
    mine: Provider, other: Provider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine.default = other.default = chat_answer("x", 1_000, 100)
    config = provider("mine", mine.url) + provider("other", other.url)
    config += deployment("cheap", "mine", more="price = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 1.0 }")
    config += deployment("dear", "other")
    config += route("auto", "cheap", "dear") + route("watch", "cheap", "dear", more='mode = "observe"')
    with Served(tmp_path_factory.mktemp("observe"), config) as gateway:
        routed = gateway.entries(gateway.chat("auto").id)[0]
        watched = gateway.entries(gateway.chat("watch").id)[0]
    assert (routed["deployment"], routed["chosen"], routed["baseline"]) == ("cheap", "cheap", "dear")
    assert (watched["deployment"], watched["chosen"], watched["baseline"]) == ("dear", "cheap", "dear")
    assert routed["cost_nusd"] == 1_100_000
    assert routed["baseline_nusd"] == watched["cost_nusd"] == cost_nusd(1_000, 100)
