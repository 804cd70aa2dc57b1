"""What is restricted reaches no third party on any hop: measured where it would arrive."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from support.faults import BEFORE_CONTENT, BEFORE_STREAMED_CONTENT
from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider, refusing_port
from twintrack.providers.scripted import chat_answer, error_answer, message_answer

EXTRA = """
[server.deadlines]
first_byte_s = 0.6
between_chunks_s = 0.6
[server.failover]
backoff_s = 0.05
max_wait_s = 0.5
[server.limits]
max_answer_bytes = 2_000_000

[[keys]]
name = "open"
key = "env:OPEN_KEY"
[[keys]]
name = "clinic"
key = "env:CLINIC_KEY"
data_class = "restricted"
"""
KINDS = ("cheap", "dear", "watched")
"""Where the third party stands: in the cheaper tier, in the dearer one, or as the deployment that answers."""
FAULTS = {
    name.replace(" ", "-"): (BEFORE_CONTENT | BEFORE_STREAMED_CONTENT)[name].script
    for name in ("500", "429", "401", "nothing", "reset", "no json", "silent", "redirect")
}
OPEN = {"authorization": "Bearer open"}
CLINIC = {"authorization": "Bearer clinic"}


@pytest.fixture(scope="module")
def gateway(mine: Provider, outside: Provider, claude: Provider, tmp_path_factory: Any) -> Iterator[Served]:
    config = EXTRA + provider("mine", mine.url) + provider("outside", outside.url, zone="third_party")
    config += provider("claude", claude.url, api="anthropic", zone="third_party")
    config += provider("firm", outside.url, zone="contracted", more='region = "us-east"')
    config += deployment("own", "mine") + deployment("theirs", "outside", quality=0.99)
    config += deployment("firm", "firm") + deployment("sonnet", "claude")
    config += deployment("vectors", "outside", facts=", embeddings = true")
    config += route("cheap-is-theirs", "theirs", "own") + route("dear-is-theirs", "own", "theirs")
    config += route("all-theirs", "theirs", "firm", "sonnet")
    config += route("watched", "own", "theirs", more='mode = "observe"\nobserve = "theirs"')
    for failing, kind, how in product(FAULTS, KINDS, ("whole", "streamed")):
        name = f"{kind}-{failing}-{how}"
        config += deployment(f"{name}.own", "mine") + route(
            name,
            *(("theirs", f"{name}.own") if kind == "cheap" else (f"{name}.own", "theirs")),
            more='mode = "observe"\nobserve = "theirs"' if kind == "watched" else "",
        )
    config += route("secret", "theirs", "own", more='default_class = "restricted"')
    with Served(tmp_path_factory.mktemp("privacy"), config, {"OPEN_KEY": "open", "CLINIC_KEY": "clinic"}) as gateway:
        yield gateway


@pytest.fixture(autouse=True)
def nothing_leaks(mine: Provider, outside: Provider, claude: Provider) -> Iterator[None]:
    """Each test here sends what must not leave, whatever fails at home."""
    mine.default = chat_answer("from home")
    before = (outside.bytes_in, claude.bytes_in)
    yield
    assert (outside.bytes_in, claude.bytes_in) == before


def restricted(model: str, *, headers: dict[str, str] | None = None, **more: Any) -> tuple[Any, dict[str, str]]:
    return question(model, **more), OPEN | {"x-twintrack-class": "restricted"} | (headers or {})


@pytest.mark.parametrize("model", ["cheap-is-theirs", "dear-is-theirs", "watched"])
def test_a_route_chooses_among_our_own(gateway: Served, model: str) -> None:
    asked, headers = restricted(model)
    answer = gateway.ask(asked, headers=headers)
    assert answer.headers["x-twintrack-provider"] == "mine"
    assert gateway.entries(answer.id)[0]["data_class"] == "restricted"


@pytest.mark.parametrize(
    ("asked", "headers"),
    [
        (question("cheap-is-theirs", metadata={"twintrack_class": "restricted"}), OPEN),
        (question("cheap-is-theirs"), CLINIC),
        (question("cheap-is-theirs"), CLINIC | {"x-twintrack-class": "public"}),
        (question("secret"), OPEN),
        # Two labels: the higher holds, wherever it stands.
        (
            question("cheap-is-theirs", metadata={"twintrack_class": "restricted"}),
            OPEN | {"x-twintrack-class": "public"},
        ),
        (
            question("cheap-is-theirs", metadata={"twintrack_class": "public"}),
            OPEN | {"x-twintrack-class": "restricted"},
        ),
    ],
    ids=["metadata", "key", "key over label", "route", "metadata over header", "header over metadata"],
)
def test_however_the_class_is_said(gateway: Served, asked: dict[str, Any], headers: dict[str, str]) -> None:
    answer = gateway.ask(asked, headers=headers)
    assert answer.headers["x-twintrack-provider"] == "mine"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failing", FAULTS)
def test_no_failure_at_home_sends_it_out(
    gateway: Served, mine: Provider, kind: str, failing: str, streamed: bool
) -> None:
    mine.default = FAULTS[failing]
    name = f"{kind}-{failing}-{'streamed' if streamed else 'whole'}"
    asked, headers = restricted(name, stream=streamed)
    asked_before = mine.requests
    answer = gateway.ask(asked, headers=headers)
    assert mine.requests > asked_before
    assert answer.status >= 400
    assert {row["deployment"] for row in gateway.entries(answer.id)} == {f"{name}.own"}


def test_a_home_that_fails_for_long_makes_it_wait_and_not_leave(gateway: Served, mine: Provider) -> None:
    mine.default = error_answer(500)
    asked, headers = restricted("cheap-is-theirs")
    said = [gateway.ask(asked, headers=headers).status for _ in range(6)]
    assert set(said) == {500, 503}
    assert said[-1] == 503


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/chat/completions", question("theirs")),
        ("/v1/chat/completions", question("theirs", stream=True)),
        ("/v1/chat/completions", question("all-theirs")),
        ("/v1/messages", question("sonnet", max_tokens=5)),
        ("/v1/messages", question("all-theirs", max_tokens=5)),
        ("/v1/embeddings", {"model": "vectors", "input": "a secret"}),
    ],
    ids=["chat", "stream", "route", "message", "message by route", "embedding"],
)
def test_who_asks_for_a_third_party_by_name_is_told_why_not(gateway: Served, path: str, asked: dict[str, Any]) -> None:
    answer = gateway.ask(asked, path, OPEN | {"x-twintrack-class": "restricted"})
    assert answer.status == 422
    message = answer.json()["error"]["message"]
    assert "restricted data stays on your own machines, and this is a third party" in message
    assert "By [privacy.restricted] a deployment in zone own would serve it" in message
    if path != "/v1/messages":
        assert answer.json()["error"]["code"] == "no_eligible_model"
    (row,) = gateway.refusals(answer.id)
    assert (row["status"], row["code"], row["data_class"]) == (422, "no_eligible_model", "restricted")


@pytest.mark.parametrize(
    ("headers", "metadata"),
    [
        ({"x-twintrack-class": "secret"}, {}),
        ({"x-twintrack-class": "public"}, {"twintrack_class": "secret"}),
        ({}, {"twintrack_clas": "restricted"}),
        ({}, {"twintrack_class": True}),
    ],
)
def test_a_class_nobody_knows_is_refused_rather_than_guessed(
    gateway: Served, mine: Provider, headers: dict[str, str], metadata: dict[str, Any]
) -> None:
    asked_before = mine.requests
    answer = gateway.ask(question("cheap-is-theirs", metadata=metadata), headers=OPEN | headers)
    assert answer.status == 400
    assert mine.requests == asked_before


def test_a_label_cannot_stand_twice(gateway: Served) -> None:
    with gateway.connect() as client:
        client.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer open\r\ncontent-length: 32\r\n"
            b"x-twintrack-class: public\r\nx-twintrack-class: restricted\r\n\r\n"
            b'{"model":"theirs","messages":[]}'
        )
        assert client.answer().status == 400


class TestWhatMayLeave:
    @pytest.fixture(autouse=True)
    def nothing_leaks(self) -> None:
        """Not here."""

    def test_does(self, gateway: Served, outside: Provider, claude: Provider) -> None:
        """So that the silence above is no broken wire."""
        outside.default = chat_answer("from afar")
        claude.default = message_answer("from afar")
        asked = outside.requests
        assert gateway.ask(question("cheap-is-theirs"), headers=OPEN).headers["x-twintrack-provider"] == "outside"
        assert gateway.ask(question("watched"), headers=OPEN).headers["x-twintrack-provider"] == "outside"
        assert outside.requests == asked + 2
        assert gateway.ask(question("sonnet", max_tokens=5), "/v1/messages", OPEN).status == 200

    def test_an_observed_deployment_of_another_dialect_answers_as_well(self, gateway: Served) -> None:
        answer = gateway.ask(question("watched", max_tokens=5), "/v1/messages", OPEN)
        assert (answer.status, answer.json()["type"]) == (200, "message")


def test_with_the_engine_at_home_down_it_says_who_would_serve_it(
    mine: Provider, outside: Provider, tmp_path_factory: Any
) -> None:
    config = provider("mine", f"http://127.0.0.1:{refusing_port()}/v1") + provider(
        "outside", outside.url, zone="third_party"
    )
    config += "[server.failover]\nmax_attempts = 1\n"
    config += deployment("own", "mine") + deployment("theirs", "outside") + route("r", "own", "theirs")
    config += "[privacy]\npublic = { zones = ['own'] }\n"
    with Served(tmp_path_factory.mktemp("down"), config) as gateway:
        answers = [gateway.ask(question("r"), headers={"x-twintrack-class": "confidential"}) for _ in range(5)]
    assert {answer.status for answer in answers} == {503}
    first, last = answers[0].json()["error"]["message"], answers[-1].json()["error"]["message"]
    for said in (first, last):
        assert said.startswith("No deployment that may see confidential data can answer right now. own: ")
    assert first.endswith("By [privacy.confidential] a deployment in zone own would serve it.")
