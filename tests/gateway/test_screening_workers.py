"""Classes of conversations are remembered by each worker for itself: that opens no way out through another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.raw import Answer
from twintrack.providers.scripted import chat_answer

CARD = "Please refund card 4111 1111 1111 1111 today."
FIRST = {"role": "user", "content": CARD}
LATER = [FIRST, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Thanks. And the weather?"}]
TRIES = 200


@pytest.fixture(scope="module")
def gateway(mine: Provider, outside: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    mine.default = outside.default = chat_answer("hello")
    config = provider("mine", mine.url)
    config += provider("outside", outside.url, zone="third_party", more='dialects = ["openai", "responses"]')
    config += deployment("own", "mine", quality=0.8) + deployment("theirs", "outside") + route("auto", "theirs", "own")
    with Served(tmp_path_factory.mktemp("workers"), config, workers=2) as gateway:
        yield gateway


def by_worker(gateway: Served, asked: dict[str, Any], path: str = "/v1/chat/completions") -> dict[str, Answer]:
    """An answer of each of the two: their ids begin alike."""
    found: dict[str, Answer] = {}
    for _ in range(TRIES):
        answer = gateway.ask(asked, path)
        found.setdefault(answer.id.rpartition("-")[0], answer)
        if len(found) == 2:
            return found
    raise AssertionError(f"only {len(found)} worker answered {TRIES} times")


def test_a_conversation_with_all_its_turns_stays_at_home_whoever_reads_it(gateway: Served, outside: Provider) -> None:
    """It was found at one worker, and the other reads it again."""
    before = outside.bytes_in
    assert gateway.ask({"model": "auto", "messages": [FIRST]}).headers["x-twintrack-provider"] == "mine"
    answers = by_worker(gateway, {"model": "auto", "messages": LATER})
    assert {each.headers["x-twintrack-provider"] for each in answers.values()} == {"mine"}
    assert outside.bytes_in == before


@pytest.mark.parametrize("reference", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_what_a_provider_keeps_is_not_referred_to_by_any_worker(
    gateway: Served, outside: Provider, reference: dict[str, str]
) -> None:
    before = outside.bytes_in
    answers = by_worker(gateway, {"model": "theirs", "input": "And then?"} | reference, "/v1/responses")
    assert {each.status for each in answers.values()} == {422}
    assert outside.bytes_in == before


def test_whoever_finds_nothing_in_it_goes_out_through_both(gateway: Served) -> None:
    """Or the silence above would be that of a provider who is not asked anyway."""
    answers = by_worker(gateway, {"model": "auto", "messages": [{"role": "user", "content": "Is merge sort stable?"}]})
    assert {each.headers["x-twintrack-provider"] for each in answers.values()} == {"outside"}
