"""What goes wrong before content is another deployment's chance, once; what goes wrong behind it is said, in the
dialect of the client, and never looks like a clean end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from support.faults import AFTER_CONTENT, AFTER_MESSAGE_CONTENT, BEFORE_CONTENT, BEFORE_STREAMED_CONTENT, Fault
from support.gateway import Served, cost_nusd, deployment, provider, question, route
from support.provider import Provider, refusing_port
from support.raw import Answer, events, words
from twintrack.providers.scripted import (
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    message_events,
    stream,
)

SHORT = """
[server.deadlines]
connect_s = 0.5
first_byte_s = 0.6
between_chunks_s = 0.6
[server.limits]
max_answer_bytes = 2_000_000
"""
FAULTS = {f"whole {name}": fault for name, fault in BEFORE_CONTENT.items()} | {
    f"streamed {name}": fault for name, fault in BEFORE_STREAMED_CONTENT.items()
}


def slug(name: str) -> str:
    return name.replace(" ", "-")


@pytest.fixture(scope="module")
def gateway(
    mine: Provider, other: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    config = SHORT
    config += (
        provider("mine", mine.url) + provider("other", other.url) + provider("claude", claude.url, api="anthropic")
    )
    config += provider("nobody", f"http://127.0.0.1:{refusing_port()}/v1")
    for name, fault in FAULTS.items():
        mine.scripts[slug(name)] = fault.script
        # Each fault has an account of its own: one that fails often is passed over, one without money at once.
        config += provider(slug(name), mine.url)
        config += deployment(f"{slug(name)}.bad", slug(name), model=slug(name))
        config += deployment(f"{slug(name)}.good", "other", model="good")
        config += route(slug(name), f"{slug(name)}.bad", f"{slug(name)}.good")
    config += deployment("nobody", "nobody") + deployment("good", "other")
    config += route("refused", "nobody", "good")
    for name in AFTER_CONTENT:
        config += deployment(f"after-{slug(name)}", "mine") + route(f"r-{slug(name)}", f"after-{slug(name)}", "good")
    for name in AFTER_MESSAGE_CONTENT:
        config += deployment(f"message-{slug(name)}", "claude")
    config += deployment("third", "mine") + route("three", "two.1", "two.2", "third")
    config += deployment("two.1", "mine") + deployment("two.2", "other")
    for number in range(1, 6):
        config += deployment(f"five.{number}", "mine" if number % 2 else "other")
    config += route("five", *(f"five.{number}" for number in range(1, 6)))
    for number in range(1, 4):
        config += provider(f"again.{number}", mine.url) + deployment(f"again.{number}", f"again.{number}")
    config += provider("lone", mine.url) + deployment("alone", "lone")
    config += deployment("narrow", "mine").replace("100000", "4000") + deployment("as-narrow", "other").replace(
        "100000", "4000"
    )
    config += route("windows", "narrow", "as-narrow", "good") + route("narrow-alone", "narrow", "as-narrow")
    with Served(tmp_path_factory.mktemp("failover"), config) as gateway:
        yield gateway
        assert gateway.query("SELECT count(*) n FROM entries WHERE state = 'dispatched'") == [{"n": 0}]


@pytest.fixture(autouse=True)
def answers(other: Provider) -> None:
    def good(received: Any) -> Any:
        return stream(chat_events(["fine"])) if b'"stream": true' in received.body else chat_answer("fine")

    other.scripts = {"good": good}


# Before content


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_before_content_is_answered_by_the_next_deployment(
    gateway: Served, mine: Provider, other: Provider, name: str
) -> None:
    fault, streamed, asked_before = FAULTS[name], name.startswith("streamed"), other.requests

    answer = gateway.chat(slug(name), stream=streamed)

    assert (answer.status, answer.complete) == (200, True)
    assert answer.headers["x-twintrack-provider"] == "other"
    assert answer.headers["x-twintrack-tier"] == "t1"
    assert (words(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]) == "fine"
    assert other.requests == asked_before + 1
    rows = gateway.entries(answer.id)
    assert len(mine.asked(slug(name))) == len(rows) - 1
    # A kept-alive connection that closes without a word was stale, perhaps: it is tried anew, on a row of its own.
    first, second = [row for row in rows if (row["state"], row["outcome"]) != ("released", "upstream_failed")]
    assert (first["deployment"], first["state"], first["outcome"]) == (f"{slug(name)}.bad", fault.state, fault.outcome)
    assert first["cost_nusd"] == (0 if fault.state == "released" else None)
    assert (second["deployment"], second["state"], second["outcome"]) == (f"{slug(name)}.good", "settled", "ok")
    assert second["cost_nusd"] == cost_nusd(12, 7)


@pytest.mark.parametrize("streamed", [False, True])
def test_so_is_a_connection_that_is_refused(gateway: Served, streamed: bool) -> None:
    answer = gateway.chat("refused", stream=streamed)

    assert answer.headers["x-twintrack-provider"] == "other"
    first, second = gateway.entries(answer.id)
    assert (first["state"], first["outcome"], first["status"]) == ("released", "upstream_failed", 0)
    assert second["outcome"] == "ok"


def test_each_deployment_of_the_route_gets_its_chance(gateway: Served, mine: Provider, other: Provider) -> None:
    mine.scripts["two.1"] = error_answer(500)
    other.scripts["two.2"] = error_answer(503)
    mine.scripts["third"] = chat_answer("third time lucky")

    answer = gateway.chat("three")

    assert (answer.status, answer.headers["x-twintrack-attempts"]) == (200, "3")
    assert [row["deployment"] for row in gateway.entries(answer.id)] == ["two.1", "two.2", "third"]


def test_attempts_are_capped_and_the_last_refusal_is_what_the_client_gets(
    gateway: Served, mine: Provider, other: Provider
) -> None:
    mine.scripts["five.1"] = mine.scripts["five.3"] = mine.scripts["five.5"] = error_answer(500)
    other.scripts["five.2"] = error_answer(500)
    other.scripts["five.4"] = error_answer(503, "the fourth", retry_after="7")

    answer = gateway.chat("five")

    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert "the fourth" in answer.json()["error"]["message"]
    assert mine.asked("five.5") == []
    assert len(gateway.entries(answer.id)) == 4


def test_where_nobody_else_is_left_the_same_is_asked_again_after_a_pause(gateway: Served, mine: Provider) -> None:
    refusals = iter([error_answer(503), error_answer(429, retry_after="0.3")])
    mine.scripts["again.1"] = lambda received: next(refusals, chat_answer("at last"))
    began = time.monotonic()

    answer = gateway.chat("again.1")

    assert (answer.status, answer.headers["x-twintrack-attempts"]) == (200, "3")
    assert time.monotonic() - began >= 0.3
    assert [row["status"] for row in gateway.entries(answer.id)] == [503, 429, 200]


def test_a_client_that_asks_again_by_itself_gets_no_repetition_of_ours(gateway: Served, mine: Provider) -> None:
    mine.scripts["again.2"] = error_answer(500)
    asked = question("again.2", user="somebody")

    first, second = gateway.ask(asked), gateway.ask(asked)

    assert (first.status, first.headers["x-twintrack-attempts"]) == (500, "4")
    assert second.status == 500
    assert "x-twintrack-attempts" not in second.headers
    assert len(mine.asked("again.2")) == 5


def test_the_sdks_own_retries_do_not_multiply(gateway: Served, mine: Provider) -> None:
    mine.scripts["again.3"] = error_answer(500)
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=2) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(model="again.3", messages=[{"role": "user", "content": "Hello"}])
    assert len(mine.asked("again.3")) == 4 + 1 + 1


def test_an_empty_account_tells_sdks_not_to_ask_again(gateway: Served, mine: Provider) -> None:
    mine.scripts["alone"] = error_answer(402)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=2) as client:
        before = len(mine.asked("alone"))
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model="alone", messages=[{"role": "user", "content": "Hello"}])
    assert len(mine.asked("alone")) == before + 1


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("402", 402, None),  # the provider's own words
        ("401", 502, "upstream_error"),  # our key was wrong, which is no business of the client
        ("404", 502, "upstream_error"),
        ("redirect", 502, "upstream_error"),
        ("no json", 502, "upstream_error"),
        ("silent", 504, "upstream_timeout"),
    ],
)
def test_where_nobody_else_may_answer_the_client_is_told(
    gateway: Served, mine: Provider, name: str, status: int, code: str | None
) -> None:
    mine.scripts["alone"] = BEFORE_CONTENT[name].script

    answer = gateway.chat("alone")

    assert answer.status == status
    assert answer.json()["error"]["code"] == code
    assert len(gateway.entries(answer.id)) == 1


def test_a_redirect_is_not_followed(gateway: Served, mine: Provider, other: Provider) -> None:
    asked_before = other.requests
    mine.scripts["alone"] = BEFORE_CONTENT["redirect"].script.__class__(
        status=307, headers=(("location", f"{other.url}/chat/completions"),)
    )

    answer = gateway.chat("alone")

    assert answer.status == 502
    assert "redirects are not followed" in answer.json()["error"]["message"]
    assert other.requests == asked_before


def test_an_upstream_400_passes_through_with_its_body_and_nobody_else_is_asked(
    gateway: Served, mine: Provider, other: Provider
) -> None:
    asked_before = other.requests
    mine.scripts["two.1"] = error_answer(400, "temperature is out of range")

    answer = gateway.chat("two.1", temperature=9)

    assert answer.status == 400
    assert answer.body == mine.scripts["two.1"].pieces[0]  # type: ignore[union-attr]
    assert other.requests == asked_before
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["outcome"], row["status"], row["cost_nusd"]) == ("released", "upstream_refused", 400, 0)


# After content


def check_broken_off(gateway: Served, answer: Answer, fault: Fault, code: str) -> None:
    assert answer.status == 200
    assert not answer.complete
    *_, last = events(answer.body)
    assert last["error"].get("code", last["error"]["type"]) == code
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["outcome"]) == (fault.state, fault.outcome)


@pytest.mark.parametrize("usage", [False, True], ids=["without usage", "with usage"])
@pytest.mark.parametrize("name", AFTER_CONTENT)
def test_a_failure_behind_content_ends_a_chat_with_an_error(
    gateway: Served, mine: Provider, other: Provider, name: str, usage: bool
) -> None:
    fault, asked_before = AFTER_CONTENT[name], other.requests
    mine.scripts[f"after-{slug(name)}"] = fault.script

    answer = gateway.chat(f"r-{slug(name)}", stream=True, stream_options={"include_usage": usage})

    check_broken_off(
        gateway, answer, fault, "upstream_timeout" if fault.outcome == "upstream_timeout" else "upstream_error"
    )
    assert words(answer.body) == "one two"
    assert "[DONE]" not in events(answer.body)
    assert other.requests == asked_before
    if name != "half a long event":  # every event but such a one arrives whole or not at all
        assert all(isinstance(event, dict) for event in events(answer.body))


@pytest.mark.parametrize("name", AFTER_MESSAGE_CONTENT)
def test_a_failure_behind_content_ends_a_message_with_an_error(gateway: Served, claude: Provider, name: str) -> None:
    fault = AFTER_MESSAGE_CONTENT[name]
    claude.scripts[f"message-{slug(name)}"] = fault.script

    answer = gateway.ask(question(f"message-{slug(name)}", stream=True, max_tokens=9), "/v1/messages")

    check_broken_off(gateway, answer, fault, "timeout_error" if fault.outcome == "upstream_timeout" else "api_error")
    assert answer.body.count(b"event: error\n") == (2 if name == "error event" else 1)
    assert b"message_stop" not in answer.body


def test_usage_that_came_before_the_break_is_charged(gateway: Served, mine: Provider) -> None:
    mine.scripts["after-reset-behind-its-usage"] = AFTER_CONTENT["reset behind its usage"].script
    answer = gateway.chat("after-reset-behind-its-usage", stream=True)
    (row,) = gateway.entries(answer.id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (12, 7, "reported")
    assert row["cost_nusd"] == cost_nusd(12, 7)


def test_a_finish_reason_without_done_is_a_clean_end_and_done_is_not_made_up(gateway: Served, mine: Provider) -> None:
    mine.scripts["alone"] = stream(chat_events(["fine"])[:-1])
    answer = gateway.chat("alone", stream=True)
    assert answer.complete
    assert words(answer.body) == "fine"
    assert b"[DONE]" not in answer.body


def test_a_whole_message_ends_cleanly(gateway: Served, claude: Provider) -> None:
    claude.scripts["message-reset"] = stream(message_events(["fine"]))
    answer = gateway.ask(question("message-reset", stream=True, max_tokens=9), "/v1/messages")
    assert answer.complete
    assert events(answer.body)[-1] == {"type": "message_stop"}
    claude.scripts["message-reset"] = message_answer("fine")
    assert gateway.ask(question("message-reset", max_tokens=9), "/v1/messages").json()["content"][0]["text"] == "fine"


def test_a_prompt_longer_than_we_thought_goes_to_a_larger_window(
    gateway: Served, mine: Provider, other: Provider
) -> None:
    """Another vocabulary may count twice what we estimate; whose window is no larger is not asked."""
    refusal = "request (4100 tokens) exceeds the available context size (4000 tokens), try increasing it"
    mine.scripts["narrow"] = error_answer(400, refusal)
    other.scripts["as-narrow"] = chat_answer("it was asked")
    for streamed in (False, True):
        answer = gateway.chat("windows", stream=streamed)
        assert (answer.status, answer.headers["x-twintrack-model"]) == (200, "good")
        first, second = gateway.entries(answer.id)
        assert (first["deployment"], second["deployment"]) == ("narrow", "good")
        assert (first["state"], first["outcome"], first["cost_nusd"]) == ("released", "upstream_refused", 0)
    alone = gateway.chat("narrow-alone")
    assert (alone.status, refusal.encode() in alone.body) == (400, True)
    assert len(gateway.entries(alone.id)) == 1
    assert gateway.chat("narrow").status == 400
