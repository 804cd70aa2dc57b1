"""A provider told by the request itself what to do wrong, and the invoice it keeps."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support.provider import Provider
from support.raw import Answer, Raw, events
from support.waiting import eventually
from twintrack.providers.scripted import WORDS, Line, NoSuchFault, Playbook, Rates, Tokens, parse
from twintrack.providers.scripted.directive import find
from twintrack.providers.scripted.invoice import reconcile

TEXT = "".join(WORDS)
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


def body(endpoint: str, prompt: str, *, stream: bool = False, model: str = "m") -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model, "stream": stream}
    if endpoint == "responses":
        return asked | {"input": prompt}
    if endpoint == "chat" and stream:
        asked["stream_options"] = {"include_usage": True}
    return asked | {"messages": [{"role": "user", "content": prompt}]}


def said(answer: Answer, endpoint: str, stream: bool) -> str:
    """The text, as a client of the dialect reads it."""
    if not stream:
        whole = answer.json()
        found = {
            "chat": lambda: whole["choices"][0]["message"]["content"],
            "messages": lambda: whole["content"][0]["text"],
            "responses": lambda: whole["output"][0]["content"][0]["text"],
        }
        return str(found[endpoint]())
    text = ""
    for event in events(answer.body):
        if endpoint == "chat" and isinstance(event, dict) and event["choices"]:
            text += event["choices"][0]["delta"].get("content", "")
        elif endpoint == "messages" and event["type"] == "content_block_delta":
            text += event["delta"]["text"]
        elif endpoint == "responses" and event["type"] == "response.output_text.delta":
            text += event["delta"]
    return text


@pytest.fixture
def book() -> Playbook:
    return Playbook()


@pytest.fixture
def provider(book: Playbook) -> Iterator[Provider]:
    with Provider() as provider:
        provider.default = book.answer
        yield provider


def ask(provider: Provider, endpoint: str, prompt: str, *, stream: bool = False, model: str = "m") -> Answer:
    with Raw(provider.port) as client:
        client.post(PATHS[endpoint], body(endpoint, prompt, stream=stream, model=model))
        return client.answer()


def last(book: Playbook) -> Line:
    """The line of the last request, once its answer is over."""
    return book.invoice.lines[-1]


# Answers


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("endpoint", PATHS)
def test_without_a_directive_it_answers_well_and_bills_what_it_told(
    provider: Provider, book: Playbook, endpoint: str, stream: bool
) -> None:
    for _ in range(4):  # the fourth reads from its cache
        answer = ask(provider, endpoint, "Hello", stream=stream)
        assert (answer.status, answer.complete, said(answer, endpoint, stream)) == (200, True, TEXT)
    line = eventually(lambda: last(book).complete and last(book))
    assert line.told == line.tokens == Tokens(14, 10, 4)
    assert line.billed_nusd == 10 * 2_000 + 4 * 200 + 10 * 8_000
    assert book.invoice.billed_nusd == sum(each.billed_nusd for each in book.invoice.lines)


def test_embeddings_are_answered_and_billed_by_what_was_read(provider: Provider, book: Playbook) -> None:
    with Raw(provider.port) as client:
        client.post("/v1/embeddings", {"model": "m", "input": ["a", "b"]})
        assert len(client.answer().json()["data"]) == 2
    assert eventually(lambda: last(book).complete and last(book)).billed_nusd == 11 * 2_000


def test_no_two_requests_tell_the_same_usage(provider: Provider, book: Playbook) -> None:
    for _ in range(5):
        ask(provider, "chat", "Hello")
    assert len({line.tokens for line in book.invoice.lines}) == 5


# Directives


@pytest.mark.parametrize("endpoint", PATHS)
def test_the_prompt_says_what_to_do_wrong(provider: Provider, book: Playbook, endpoint: str) -> None:
    answer = ask(provider, endpoint, "Hello [fault: http(503, retry_after=2)]")
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error"]["message"] == "scripted failure 503"
    line = eventually(lambda: last(book).fault and last(book))
    assert (line.fault, line.status, line.billed_nusd) == ("http(503, retry_after=2)", 503, 0)


def test_so_does_the_name_of_a_model(provider: Provider) -> None:
    assert ask(provider, "chat", "Hello", model="small [fault: http(500)]").status == 500


@pytest.mark.parametrize(
    ("prompt", "model", "meant"),
    [
        ("[fault: cut]", "m", "cut"),
        ("[fault: http(500)] and then [fault: http(503)]", "m", "http(503)"),
        ("[fault: http(500) for m]", "m", "http(500)"),
        ("[fault: http(500) for other]", "m", None),
        ("[fault: http(500) for other] [fault: hang for m]", "m", "hang"),
        ("nothing of the kind", "m", None),
        ("[fault:drip(every=0.5, bytes=3)]", "m", "drip(every=0.5, bytes=3)"),
    ],
)
def test_the_last_directive_that_is_meant_for_the_model_counts(prompt: str, model: str, meant: str | None) -> None:
    found = find(json.dumps({"model": model, "input": prompt}).encode(), model)
    assert (str(found) if found else None) == meant


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("[fault: htp(503)]", "htp is no fault; known are wait, hang, cut,"),
        ("[fault: http(many)]", "http: status is int, not many"),
        ("[fault: http(503, 2, 3)]", "http takes status, retry_after"),
        ("[fault: http(when=3)]", "http takes status, retry_after"),
        ("[fault: http(999)]", "a status from 100 to 599"),
        ("[fault: hang(nowhere)]", "a place is"),
        ("[fault: http(status=503, 2)]", "behind a named argument"),
        ("[fault: ...]", "a directive is written [fault: NAME]"),
    ],
)
def test_a_directive_that_cannot_be_followed_is_told(provider: Provider, prompt: str, why: str) -> None:
    answer = ask(provider, "chat", prompt)
    assert answer.status == 400
    assert why in answer.json()["error"]["message"]


def test_a_directive_may_hold_for_the_first_times_only(provider: Provider) -> None:
    statuses = [ask(provider, "chat", "[fault: http(429) times 2]").status for _ in range(4)]
    assert statuses == [429, 429, 200, 200]
    assert ask(provider, "chat", "Again [fault: http(429) times 2]").status == 429  # another body


def test_a_provider_may_be_told_to_stay_well(provider: Provider, book: Playbook) -> None:
    book.heeds = False
    assert ask(provider, "chat", "[fault: http(500)]").status == 200


def test_a_program_may_choose_what_goes_wrong(provider: Provider, book: Playbook) -> None:
    book.choose = lambda asked, number: parse("http(529)") if number % 2 else None
    assert [ask(provider, "chat", "Hello").status for _ in range(3)] == [529, 200, 529]


@pytest.mark.parametrize("text", ["http(", "no brackets]", "two [fault: three"])
def test_what_is_no_directive_is_not_parsed(text: str) -> None:
    with pytest.raises(NoSuchFault):
        parse(text)


# The invoice


def broken(provider: Provider, endpoint: str, fault: str) -> None:
    """Ask for a stream that does not end well, and read what comes."""
    with Raw(provider.port) as client:
        client.post(PATHS[endpoint], body(endpoint, f"[fault: {fault}]", stream=True))
        assert not client.answer().complete


@pytest.mark.parametrize("endpoint", PATHS)
def test_a_stream_that_is_cut_is_billed_by_its_words(provider: Provider, book: Playbook, endpoint: str) -> None:
    broken(provider, endpoint, "cut(words)")
    line = eventually(lambda: last(book).words_sent and last(book))
    assert (line.told, line.complete, line.words_sent) == (None, False, len(WORDS))
    assert line.billed_nusd == 11 * 2_000 + len(WORDS) * 8_000


@pytest.mark.parametrize("endpoint", PATHS)
def test_one_that_is_cut_behind_its_usage_is_billed_by_it(provider: Provider, book: Playbook, endpoint: str) -> None:
    broken(provider, endpoint, "cut(usage)")
    line = eventually(lambda: last(book).told and last(book))
    assert line.told == line.tokens
    assert line.knowable


@pytest.mark.parametrize(
    ("fault", "told", "billed"),
    [
        ("usage(missing)", None, 11 * 2_000 + 7 * 8_000),
        ("usage(zero)", Tokens(0, 0), 0),
        ("usage(negative)", Tokens(-5, -7), 11 * 2_000 + 7 * 8_000),
        ("usage(absurd)", Tokens(10**15, 10**15), 11 * 2_000 + 7 * 8_000),
        ("hang(head)", None, 0),
        ("cut(start)", None, 0),
        ("usage(late)", Tokens(11, 7), 11 * 2_000 + 7 * 8_000),
    ],
)
@pytest.mark.parametrize("endpoint", PATHS)
def test_what_it_tells_and_what_it_bills(
    provider: Provider, book: Playbook, endpoint: str, fault: str, told: Tokens | None, billed: int
) -> None:
    with Raw(provider.port, 0.3) as client:
        client.post(PATHS[endpoint], body(endpoint, f"[fault: {fault}]", stream=True))
        try:
            client.answer()
        except (TimeoutError, AssertionError):
            client.socket.shutdown(socket.SHUT_RDWR)
    if billed or told:
        eventually(lambda: last(book).complete)
    assert (last(book).told, last(book).billed_nusd) == (told, billed)


def test_prices_are_its_own_and_rounded_once() -> None:
    rates = Rates(1_500_000, 500_000, 100_000)
    assert rates.nusd(Tokens(3, 1)) == 5  # 4.5 + 0.5
    assert rates.nusd(Tokens(1, 0)) == 2  # 1.5
    assert rates.nusd(Tokens(10, 0, 10)) == 1


# A ledger held against it


def line(number: int, told: Tokens | None, *, complete: bool = True, status: int = 200) -> Line:
    return Line(number, "m", "chat", False, "", told or Tokens(9, 9), Rates(), status, told, 1, complete)


def row(
    tokens: tuple[int, int] | None, cost: int | None, state: str = "settled", outcome: str = "ok"
) -> dict[str, Any]:
    told = tokens or (None, None)
    return {
        "state": state, "outcome": outcome, "status": 200, "usage_source": "reported" if tokens else "none",
        "input_tokens": told[0], "output_tokens": told[1], "cost_nusd": cost,
    }  # fmt: skip


GOOD = line(1, Tokens(10, 5)), row((10, 5), 60_000)


def test_a_ledger_that_says_the_same_agrees() -> None:
    found = reconcile([GOOD[1], row(None, None, "unknown", "upstream_failed")], [GOOD[0], line(2, None)])
    assert found.complaints == ()
    assert (found.agreed, found.agreed_nusd, found.unknown, found.unknown_billed_nusd) == (1, 60_000, 1, 90_000)


@pytest.mark.parametrize(
    ("rows", "lines", "complaint"),
    [
        ([row((10, 5), 60_001)], [GOOD[0]], "booked 1 times, billed 0 times: 10 + 5 tokens for 60001"),
        ([GOOD[1], GOOD[1]], [GOOD[0], line(2, None, complete=False)], "booked 2 times, billed 1 times"),
        ([], [GOOD[0]], "1 requests arrived, 0 are on record"),
        ([GOOD[1], GOOD[1]], [GOOD[0]], "1 requests arrived, 2 are on record"),
        ([row(None, 0, "released")], [GOOD[0]], "whole answers are billed"),
        ([row(None, 5, "released")], [line(1, None, status=500)], "a released row costs 5"),
        ([row(None, None, "dispatched", "")], [line(1, None, complete=False)], "still dispatched"),
    ],
)
def test_one_that_does_not_is_found_out(rows: list[dict[str, Any]], lines: list[Line], complaint: str) -> None:
    assert any(complaint in each for each in reconcile(rows, lines).complaints)
