"""While a request is being read: others are served, and whatever happens to it meanwhile ends it as it should."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from support.fuzzing.inside import Wire
from support.gateway import deployment, provider, route
from support.raw import request
from support.street import Street, Worker, on_a_street, snapshot
from twintrack.config.settings import Detect
from twintrack.gateway import detecting
from twintrack.ledger.records import Dispatch, Screened
from twintrack.server.http import ClientConnection
from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.pieces import pieces
from twintrack.signals.sensitivity.recognisers.contact import Email
from twintrack.signals.sensitivity.scan import Scan

HOME, OUTSIDE = 9001, 9002
CONFIG = '[server]\nsecret = "env:SECRET"\n[server.deadlines]\ntotal_s = 5.0\nkeepalive_after_s = 1.0\n'
CONFIG += '[[keys]]\nname = "dev"\nkey = "env:K"\noperator = true\n'
DETECT = "[detect]\nmax_s = 30.0\nsticky_s = 100.0\n"
SPEAKS = 'dialects = ["openai", "responses"]'
WORLD = provider("home", f"http://127.0.0.1:{HOME}/v1", more=SPEAKS)
WORLD += provider("outside", f"http://127.0.0.1:{OUTSIDE}/v1", zone="third_party", more=SPEAKS)
WORLD += deployment("own", "home", quality=0.8, facts=", modalities = ['text', 'image', 'file']")
WORLD += deployment("theirs", "outside", facts=", modalities = ['text', 'image', 'file']")
WORLD += route("auto", "theirs", "own")
CARD = "Please refund card 4111 1111 1111 1111 today."
CLEAN = "Which of these two sorting algorithms is stable, and why? "
LONG = CLEAN * 5000
KEY = {"authorization": "Bearer env:K"}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return detecting.detector(Detect(), detecting.cache())


def play(work: Callable[[Street, Worker], Awaitable[None]], detector: Detector | None, detect: str = DETECT) -> None:
    async def go(street: Street) -> None:
        await work(street, Worker(street, snapshot(CONFIG + detect + WORLD), detector))

    on_a_street(go)


def said(text: str, **more: Any) -> bytes:
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}]} | more).encode()


async def who(worker: Worker, body: bytes, **headers: str) -> str:
    heard = await worker.ask("/v1/chat/completions", body, KEY | headers)
    assert heard.status == 200, heard
    return heard.headers["x-twintrack-provider"]


def begun(worker: Worker, body: bytes) -> tuple[ClientConnection, Wire]:
    """A request that is on its way."""
    client, wire = ClientConnection(worker.api), Wire()
    client.connection_made(cast(asyncio.BaseTransport, wire))
    client.data_received(request("POST", "/v1/chat/completions", body, KEY))
    return client, wire


def reached(street: Street) -> list[str]:
    return [name for name, port in (("home", HOME), ("outside", OUTSIDE)) if street.house(port).reached]


def test_a_short_request_is_on_its_way_at_once_and_passes_a_long_one(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine half a millisecond may pass by itself.
    monkeypatch.setattr("twintrack.gateway.slices.SLICE_NS", 5_000_000)

    async def work(street: Street, worker: Worker) -> None:
        _, slow = begun(worker, said(LONG))
        assert reached(street) == []
        _, quick = begun(worker, said(CLEAN))
        assert worker.book.dispatched, "in the turn in which it came"
        while not quick.said:
            await asyncio.sleep(0)
        assert not slow.said
        while not slow.said:
            await asyncio.sleep(0)
        assert reached(street) == ["outside"]

    play(work, detector)


def test_what_waits_takes_turns(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        wires = [begun(worker, said(f"{each} {LONG}"))[1] for each in range(4)]
        assert len(worker.gateway.turns._waiting) == 4
        turns = 0
        while not all(wire.said for wire in wires):
            await asyncio.sleep(0)
            turns += 1
        assert turns > 40

    play(work, detector)


def test_a_client_that_leaves_ends_it(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        client, _ = begun(worker, said(LONG))
        assert len(worker.gateway.exchanges) == 1
        client.connection_lost(None)
        for _ in range(50):
            await asyncio.sleep(0)
        assert not worker.gateway.exchanges
        assert not worker.gateway.turns._waiting
        assert not worker.book.dispatched
        assert reached(street) == []
        assert worker.gateway.answered == {("auto", "", "internal", "client_left"): 1}

    play(work, detector)


@pytest.mark.parametrize("now", [1006.0, float("inf")], ids=["deadline", "drained"])
def test_a_deadline_and_a_drain_end_it(detector: Detector, now: float) -> None:
    async def work(street: Street, worker: Worker) -> None:
        _, wire = begun(worker, said(LONG))
        worker.gateway.look(now)
        assert b"".join(wire.said).startswith(b"HTTP/1.1 504 ")
        for _ in range(50):
            await asyncio.sleep(0)
        assert not worker.gateway.exchanges
        assert reached(street) == []

    play(work, detector)


def test_a_stream_that_waits_for_it_shows_life_and_is_whole(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        _, wire = begun(worker, said(LONG, stream=True))
        for _ in range(2):
            street.clock += 0.6
            worker.gateway.tick(street.clock)
        assert b": still waiting" in b"".join(wire.said)
        while not b"".join(wire.said).endswith(b"0\r\n\r\n"):
            await asyncio.sleep(0)
        assert b"[DONE]" in b"".join(wire.said)
        assert reached(street) == ["outside"]

    play(work, detector)


def test_one_that_found_it_after_a_sign_of_life_ends_as_a_stream_does(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        _, wire = begun(worker, said(LONG, stream=True)[:-1] + b',"x":1,"x":2}')
        for _ in range(2):
            street.clock += 0.6
            worker.gateway.tick(street.clock)
        assert b": still waiting" in b"".join(wire.said)
        while worker.gateway.exchanges:
            await asyncio.sleep(0)
        assert b"stands twice" in b"".join(wire.said)
        assert reached(street) == []
        assert not b"".join(wire.said).endswith(b"0\r\n\r\n"), "nobody takes it for complete"

    play(work, detector)


def test_a_reload_in_the_middle_changes_nothing_for_it(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        closed = CONFIG + DETECT + WORLD + '[privacy]\npublic = { zones = ["own"] }\n'
        _, wire = begun(worker, said(LONG))
        worker.gateway.swap(snapshot(closed, 2), detector)
        while not wire.said:
            await asyncio.sleep(0)
        assert reached(street) == ["outside"]
        assert {record.generation for record in (*worker.book.dispatched, *worker.book.screened)} == {1}
        street.house(OUTSIDE).quiet()
        assert await who(worker, said(CLEAN)) == "home"

    play(work, detector)


# ---- what goes wrong


def test_a_detector_that_fails_makes_it_restricted(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Email, window: object) -> None:
        raise RuntimeError("4111 1111 1111 1111")

    monkeypatch.setattr(Email, "find", fail)

    async def work(street: Street, worker: Worker) -> None:
        assert await who(worker, said(CLEAN)) == "home"
        (record,) = worker.book.screened
        assert (record.found, record.data_class, record.unscanned) == (3, 3, ("error",))
        assert reached(street) == ["home"]

    play(work, detector)


@pytest.mark.parametrize("where", ["feed", "__init__"])
def test_so_does_anything_else_that_fails(detector: Detector, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def fail(*anything: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Scan, where, fail)

    async def work(street: Street, worker: Worker) -> None:
        assert await who(worker, said(CLEAN)) == "home"

    play(work, detector)


def test_without_a_detector_everything_is_restricted() -> None:
    async def work(street: Street, worker: Worker) -> None:
        assert await who(worker, said(CLEAN)) == "home"
        assert worker.book.screened[0].detector == ""

    play(work, None)


def test_one_that_takes_too_long_is_restricted(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        assert await who(worker, said(CLEAN)) == "outside"
        assert await who(worker, said(LONG)) == "home"
        assert worker.book.screened[-1].unscanned == ("time",)

    play(work, detector, "[detect]\nmax_s = 0.002\n")


@pytest.mark.parametrize(
    "value",
    [
        "{" + ",".join(f'"k{number}":{number}' for number in range(60_000)) + "}",
        "[" + ",".join(f'{{"a":{number}}}' for number in range(40_000)) + "]",
        "[" + ",".join(f'"a{number}"' for number in range(80_000)) + "]",
    ],
    ids=["members", "objects", "texts"],
)
def test_a_body_of_many_small_parts_holds_nobody_up(detector: Detector, value: str) -> None:
    async def work(street: Street, worker: Worker) -> None:
        body = said(CLEAN)[:-1] + f',"x":{value}}}'.encode()
        began = time.process_time()
        list(pieces(body))
        once = time.process_time() - began
        _, wire = begun(worker, body)
        turns = worst = 0.0
        while not wire.said:
            began = time.process_time()
            await asyncio.sleep(0)
            turns, worst = turns + 1, max(worst, time.process_time() - began)
        assert turns > 20
        assert worst < once * 2 + 0.05, "a value is decoded at once, and the rest in slices"

    play(work, detector)


def test_one_of_too_many_parts_is_not_read_and_restricted(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        many = "[" + ",".join(["{}"] * 200_001) + "]"
        assert await who(worker, said(CLEAN)[:-1] + f',"x":{many}}}'.encode()) == "home"
        assert worker.book.screened[-1].unscanned == ("too_large",)

    play(work, detector)


def test_everything_is_read_for_the_record_where_that_is_asked_for(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        asked = said(CARD).replace(b'"auto"', b'"own"')
        assert await who(worker, asked) == "home"
        assert [(record.found, record.data_class) for record in worker.book.screened] == [(2, 2)]

    play(work, detector, "[detect]\nalways = true\n")


def test_a_collector_is_not_told_what_was_found(detector: Detector) -> None:
    told = '[telemetry]\notlp = "http://127.0.0.1:4318"\n' + route("home", "own", more="trace_content = true")

    async def work(street: Street, worker: Worker) -> None:
        for text in (CARD, CLEAN):
            assert await who(worker, said(text).replace(b'"auto"', b'"home"')) == "home"
        assert [b"4111" in content.request for content in worker.book.told] == [False]
        down = {"x-twintrack-override-class": "internal", "x-twintrack-override-reason": "false-positive"}
        await who(worker, said(CARD).replace(b'"auto"', b'"home"'), **down)
        assert len(worker.book.told) == 1, "an operator lets it out to whoever answers, and to nobody else"

    play(work, detector, DETECT + told)


# ---- what is remembered, and what goes on record


def test_a_text_is_read_once_as_long_as_the_detector_stays(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    made = Scan.__init__

    def noted(scan: Scan, detector: Detector, text: str) -> None:
        read.append(text)
        made(scan, detector, text)

    monkeypatch.setattr(Scan, "__init__", noted)

    async def work(street: Street, worker: Worker) -> None:
        await who(worker, said(LONG))
        for generation in (2, 3):
            await who(worker, said(LONG))
            worker.gateway.swap(snapshot(CONFIG + DETECT + WORLD, generation), detector)
        assert read == [LONG]
        assert await who(worker, said(LONG + CARD)) == "home"

    play(work, detector)


def test_a_conversation_forgets_its_class_after_a_while(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        turns = [{"role": "user", "content": "An invoice."}, {"role": "assistant", "content": "Yes?"}]
        body = {"model": "auto", "messages": [*turns, {"role": "user", "content": CARD}]}
        later = json.dumps(body | {"messages": [*turns, {"role": "user", "content": CLEAN}]}).encode()
        assert await who(worker, json.dumps(body).encode()) == "home"
        assert await who(worker, later) == "home"
        assert worker.book.screened[-1].sticky
        assert worker.book.screened[-1].found == 0
        street.clock += 101
        worker.gateway.tick(street.clock)
        assert await who(worker, later) == "outside"

    play(work, detector)


def test_a_lesser_conversation_that_begins_alike_lowers_nothing(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        def body(*turns: str) -> bytes:
            roles = ("user", "assistant") * len(turns)
            messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]
            return json.dumps({"model": "auto", "messages": messages}).encode()

        first = "Please write to bob@example.com about the contract."
        assert await who(worker, body(first, "Yes?", CARD)) == "home"
        assert await who(worker, body(first)) == "outside"
        assert await who(worker, body(first, "Yes?", CLEAN)) == "home"

    classes = '[detect.classes]\npii = "internal"\nfinancial = "restricted"\n'
    play(work, detector, DETECT + classes)


def test_what_placeholders_leave_is_the_conversations_as_well(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        def body(text: str) -> bytes:
            turns = [("user", "A letter."), ("assistant", "Yes?"), ("user", text)]
            messages = [{"role": role, "content": text} for role, text in turns]
            return json.dumps({"model": "named", "messages": messages}).encode()

        assert await who(worker, body("Write to bob@example.com about the contract.")) == "outside"
        assert await who(worker, body("bob@example.com has diabetes and takes metformin.")) == "home"
        assert await who(worker, body(CLEAN)) == "home"
        assert worker.book.screened[-1].sticky

    play(work, detector, DETECT + route("named", "theirs", "own", more='pseudonyms = ["pii"]'))


def test_a_conversation_that_a_provider_keeps_is_known_by_its_name(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        async def status(model: str, text: str, conversation: str) -> int:
            body = json.dumps({"model": model, "input": text, "conversation": {"id": conversation}}).encode()
            return (await worker.ask("/v1/responses", body, KEY)).status

        assert await status("theirs", CLEAN, "conv_1") == 200
        assert await status("theirs", CARD, "conv_1") == 422
        assert await status("theirs", CLEAN, "conv_2") == 200
        assert await status("theirs", f"{CLEAN}?", "conv_1") == 422

    play(work, detector, f'{DETECT}[detect.unscannable]\nelsewhere = "public"\n')


def test_the_record_comes_first_and_holds_no_word(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        order: list[object] = []
        append = worker.book.append
        worker.gateway.journal.append = lambda record: (order.append(record), append(record))  # type: ignore[method-assign, assignment, return-value]
        await who(worker, said(f"{CARD} anna.kovacs@example.org"), **{"x-twintrack-class": "public"})
        screened, dispatched = order[:2]
        assert isinstance(screened, Screened)
        assert isinstance(dispatched, Dispatch)
        assert screened.request_id == dispatched.request_id
        assert (screened.mode, screened.found, screened.labelled, screened.data_class) == ("enforce", 2, 0, 2)
        assert dict(screened.counts) == {"credit_card": 1, "email": 1}
        assert sum(screened.bands) == 2
        assert screened.detector == detector.version
        assert len(screened.body_hmac) == 16
        assert "4111" not in repr(order)
        assert "kovacs" not in repr(order)
        same = screened.body_hmac
        await who(worker, said(f"{CARD} anna.kovacs@example.org"), **{"x-twintrack-class": "public"})
        assert worker.book.screened[-1].body_hmac == same

    play(work, detector)


def test_an_operator_may_say_that_it_is_less_and_that_goes_on_record(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        says = {"x-twintrack-override-class": "internal", "x-twintrack-override-reason": "test-data"}
        assert await who(worker, said(CARD), **says) == "outside"
        (record,) = worker.book.screened
        assert (record.found, record.data_class, record.override) == (2, 1, "dev test-data")

    play(work, detector)


def test_a_refused_request_is_on_record_as_well(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        asked = said(CARD).replace(b'"auto"', b'"theirs"')
        heard = await worker.ask("/v1/chat/completions", asked, KEY)
        assert heard.status == 422
        assert [record.found for record in worker.book.screened] == [2]
        assert [record.data_class for record in worker.book.refused] == [2]

    play(work, detector)


def test_a_full_journal_sends_nothing(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        worker.book.full = True
        heard = await worker.ask("/v1/chat/completions", said(CLEAN), KEY)
        assert heard.status == 503
        assert reached(street) == []

    play(work, detector)


SEAL = "gAAAAABo" + "Zm9vYmFyx9Z8" * 30


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({"reasoning": {"encrypted_content": SEAL}}, "outside"),
        ({"reasoning": {"encrypted_content": f"{CARD} and so on"}}, "home"),
        ({"signature": "078-05-1120", "ssn": "of Maria Garcia"}, "home"),
        ({"conversation": {"id": "conv_1"}}, "home"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f-1"}}]}]}, "home"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"thread": {}}}}}]},
            "outside",
        ),
    ],
)
def test_a_seal_is_no_text_and_what_is_no_seal_is_read(detector: Detector, more: dict[str, Any], counts: str) -> None:
    async def work(street: Street, worker: Worker) -> None:
        assert await who(worker, said(CLEAN, **more)) == counts

    play(work, detector)


def test_the_operator_may_count_a_seal_as_anything(detector: Detector) -> None:
    async def work(street: Street, worker: Worker) -> None:
        assert await who(worker, said(CLEAN, reasoning={"encrypted_content": SEAL})) == "home"

    play(work, detector, '[detect.unscannable]\nsealed = "restricted"\n')
