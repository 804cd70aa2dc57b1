"""The gateway inside a program: the same answers as over HTTP, and errors as answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import twintrack
from support.gateway import cost_nusd, deployment, provider, question, route
from support.provider import Provider
from support.raw import events, words
from support.waiting import eventually
from twintrack.errors import ConfigError, TwintrackError, UpstreamError
from twintrack.gateway import handle
from twintrack.gateway.outgoing import Outgoing
from twintrack.gateway.undecided import Undecided
from twintrack.ledger.database import database, reading
from twintrack.ledger.load import Loader
from twintrack.providers.scripted import (
    Script,
    chat_answer,
    chat_events,
    error_answer,
    message_answer,
    stream,
)


@pytest.fixture
def config(mine: Provider, outside: Provider, claude: Provider, tmp_path: Path) -> Path:
    text = '[server]\ndata = "data"\n[server.deadlines]\nfirst_byte_s = 0.5\n'
    text += provider("mine", mine.url) + provider("outside", outside.url, zone="third_party")
    text += provider("claude", claude.url, api="anthropic")
    text += deployment("own", "mine") + deployment("theirs", "outside") + deployment("sonnet", "claude")
    text += deployment("vectors", "mine", facts=", embeddings = true") + route("auto", "own", "theirs")
    file = tmp_path / "twintrack.toml"
    file.write_text(text)
    mine.scripts = {}
    return file


def inside(config: Path, work: Callable[[twintrack.Gateway], Awaitable[None]]) -> list[dict[str, Any]]:
    """Run `work` with a gateway; return the rows of its ledger, oldest first."""

    async def main() -> None:
        async with twintrack.Gateway(config) as gateway:
            await work(gateway)

    asyncio.run(main())
    data = config.parent / "data"
    with Loader(data) as loader:
        while not loader.load().caught_up:
            pass
    with reading(database(data)) as db:
        cursor = db.execute("SELECT * FROM entries ORDER BY id")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def test_it_is_loaded_on_first_use_only() -> None:
    assert twintrack.Gateway.__module__ == "twintrack.gateway.library"
    with pytest.raises(AttributeError, match="no attribute 'Gatewy'"):
        _ = twintrack.Gatewy  # type: ignore[attr-defined]


def test_chat(config: Path, mine: Provider) -> None:
    async def work(gateway: twintrack.Gateway) -> None:
        answer = await gateway.chat(question("auto"), {"X-Twintrack-Class": "restricted"})
        assert answer.status == 200
        assert answer.json()["choices"][0]["message"]["content"] == "hello"
        assert answer.headers["x-twintrack-provider"] == "mine"
        assert answer.headers["x-twintrack-cost-usd"] == "0.000080000"

    (row,) = inside(config, work)
    assert (row["state"], row["outcome"], row["data_class"]) == ("settled", "ok", "restricted")
    assert row["cost_nusd"] == cost_nusd(12, 7)


def test_messages_and_embeddings(config: Path, mine: Provider, claude: Provider) -> None:
    claude.default = message_answer("hi")
    mine.scripts["vectors"] = Script(pieces=(b'{"data":[{"embedding":[1.0]}],"usage":{"prompt_tokens":3}}',))

    async def work(gateway: twintrack.Gateway) -> None:
        answer = await gateway.messages(question("sonnet", max_tokens=5))
        assert answer.json()["content"][0]["text"] == "hi"
        answer = await gateway.ask("embeddings", {"model": "vectors", "input": "x"})
        assert answer.json()["data"][0]["embedding"] == [1.0]

    assert [row["endpoint"] for row in inside(config, work)] == ["messages", "embeddings"]


def test_a_stream(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = stream(chat_events(["one", " two"]))

    async def work(gateway: twintrack.Gateway) -> None:
        heard = b"".join([piece async for piece in gateway.stream("chat", question("auto"))])
        assert words(heard) == "one two"
        assert events(heard)[-1] == "[DONE]"

    (row,) = inside(config, work)
    assert (row["stream"], row["outcome"], row["output_tokens"]) == (1, "ok", 7)


def test_leaving_the_loop_early_stops_the_provider(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = stream([*chat_events(["one"], None, done=False), 30.0])
    disconnects = mine.disconnects

    async def work(gateway: twintrack.Gateway) -> None:
        async for piece in gateway.stream("chat", question("auto")):
            assert words(piece) == "one"
            break
        await asyncio.to_thread(eventually, lambda: mine.disconnects == disconnects + 1, 2.0)

    (row,) = inside(config, work)
    assert (row["outcome"], row["usage_source"]) == ("client_left", "estimated")


def test_a_task_that_is_cancelled_stops_the_provider(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = Script(framing="raw", end="hang")
    requests, disconnects = mine.requests, mine.disconnects

    async def work(gateway: twintrack.Gateway) -> None:
        task = asyncio.create_task(gateway.chat(question("auto")))
        await asyncio.to_thread(eventually, lambda: mine.requests == requests + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(eventually, lambda: mine.disconnects == disconnects + 1, 2.0)

    (row,) = inside(config, work)
    assert row["outcome"] == "client_left"


def test_a_slow_loop_holds_the_provider_back(config: Path, mine: Provider) -> None:
    event = chat_events(["x" * 60_000], None, done=False)[1]
    mine.scripts["own"] = stream([*[event] * 500, *chat_events(["end"])])

    async def work(gateway: twintrack.Gateway) -> None:
        heard, most = [], 0
        async for piece in gateway.stream("chat", question("auto")):
            heard.append(piece)
            if len(heard) < 10:
                await asyncio.sleep(0.05)
                (exchange,) = gateway._state.exchanges  # type: ignore[union-attr]
                most = max(most, sum(map(len, exchange._reply.client.pieces)))  # type: ignore[attr-defined]
        assert len(words(b"".join(heard))) == 500 * 60_000 + 3
        assert most < 6_000_000

    assert inside(config, work)[0]["outcome"] == "ok"


def test_nor_does_it_let_whoever_takes_a_stream_up_run_ahead(config: Path, mine: Provider, outside: Provider) -> None:
    more = provider("ahead", outside.url, api="vllm") + deployment("goes-on", "ahead")
    config.write_text(config.read_text() + more + route("up", "own", "goes-on", more="take_up = true"))
    # What makes the reader slow says in the same breath that the answer broke off.
    chunks = [b"%x\r\n%b\r\n" % (len(each), each) for each in chat_events(["a"] * 100, None, done=False)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    mine.scripts["own"] = Script(framing="raw", pieces=(b"".join([head, *chunks, b"0\r\n\r\n"]),))
    event = chat_events(["x" * 60_000], None, done=False)[1]
    outside.default = stream([*[event] * 500, *chat_events(["end"])])

    async def work(gateway: twintrack.Gateway) -> None:
        heard, most = [], 0
        async for piece in gateway.stream("chat", question("up")):
            heard.append(piece)
            if len(heard) == 1:
                await asyncio.sleep(1.0)
                (exchange,) = gateway._state.exchanges  # type: ignore[union-attr]
                most = sum(map(len, exchange._reply.client._client.pieces))  # type: ignore[attr-defined]
        assert len(words(b"".join(heard))) == 100 + 500 * 60_000 + 3
        assert most < 6_000_000

    assert [row["outcome"] for row in inside(config, work)] == ["upstream_failed", "ok"]


@pytest.mark.parametrize(
    ("asked", "headers", "status", "says"),
    [
        (question("nobody"), {}, 404, "There is no model 'nobody'"),
        ({"model": "own"}, {}, 400, "missing required field `messages`"),
        (question("theirs"), {"x-twintrack-class": "restricted"}, 422, "restricted data stays on your own machines"),
        (question("own", api_key="k"), {}, 400, "api_key is not accepted"),
    ],
)
def test_an_error_is_an_answer_with_its_status(
    config: Path, asked: dict[str, Any], headers: dict[str, str], status: int, says: str
) -> None:
    async def work(gateway: twintrack.Gateway) -> None:
        answer = await gateway.chat(asked, headers)
        assert answer.status == status
        assert says in answer.json()["error"]["message"]
        with pytest.raises(UpstreamError, match=f"answered {status}"):
            _ = [piece async for piece in gateway.stream("chat", asked, headers)]

    assert inside(config, work) == []


def test_a_provider_that_fails_is_an_answer_too(config: Path, mine: Provider, outside: Provider) -> None:
    mine.scripts["own"] = error_answer(500)
    outside.default = chat_answer("the other one")

    async def work(gateway: twintrack.Gateway) -> None:
        assert (await gateway.chat(question("auto"))).headers["x-twintrack-provider"] == "outside"
        assert gateway.failovers == 1
        answer = await gateway.chat(question("own"))  # nobody else may answer this one
        assert (answer.status, answer.headers["x-twintrack-attempts"]) == (500, "4")
        assert gateway.failovers == 4

    assert [row["outcome"] for row in inside(config, work)] == ["upstream_refused", "ok", *["upstream_refused"] * 4]


def test_a_fault_of_ours_says_where_and_never_what_was_asked(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(outgoing: Outgoing, target: object, held: object = None) -> None:
        raise KeyError(outgoing.body)

    monkeypatch.setattr(Outgoing, "call", fault)

    async def work(gateway: twintrack.Gateway) -> None:
        answer = await gateway.chat(question("auto", user="canary"))
        assert answer.status == 500
        assert "canary" not in answer.json()["error"]["message"]

    assert inside(config, work) == []
    said = capsys.readouterr().err
    assert "KeyError in fault, test_library.py:" in said
    assert "canary" not in said


@pytest.mark.parametrize("words", [1, 100_000], ids=["read at once", "read in many turns of the loop"])
def test_a_fault_in_deciding_is_answered_and_never_says_what_was_asked(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: int
) -> None:
    def fault(undecided: Undecided) -> None:
        raise KeyError(undecided.body)

    monkeypatch.setattr(handle, "decided", fault)

    async def work(gateway: twintrack.Gateway) -> None:
        answer = await asyncio.wait_for(gateway.chat(question("auto", user="hello " * words + "canary")), 20.0)
        assert answer.status == 500
        assert "canary" not in answer.json()["error"]["message"]
        assert gateway._state is not None
        assert not gateway._state.exchanges
        assert gateway._state.refusals == {"internal_error": 1}

    assert inside(config, work) == []
    said = capsys.readouterr().err
    assert "KeyError in fault, test_library.py:" in said
    assert "canary" not in said


def test_deadlines_hold_although_a_look_at_them_failed(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = Script(framing="raw", end="hang")

    async def work(gateway: twintrack.Gateway) -> None:
        state = gateway._state
        assert state is not None
        tick, failed = state.tick, []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context["exception"]))

        def once(now: float) -> None:
            state.tick = tick  # type: ignore[method-assign]
            raise ZeroDivisionError

        state.tick = once  # type: ignore[method-assign]
        answer = await asyncio.wait_for(gateway.chat(question("own")), 20.0)
        assert answer.status == 504
        assert [type(each) for each in failed] == [ZeroDivisionError]

    assert [row["outcome"] for row in inside(config, work)] == ["upstream_timeout"]


def test_a_fault_with_one_request_keeps_no_other_waiting(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = Script(framing="raw", end="hang")

    class Faulty:
        def on_tick(self, now: float) -> None:
            raise ZeroDivisionError

    async def work(gateway: twintrack.Gateway) -> None:
        state = gateway._state
        assert state is not None
        failed: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failed.append(context))
        faulty = [Faulty() for _ in range(8)]
        state.exchanges.update(faulty)
        state.pulses["theirs"].wished(state.now, 0.1)
        answer = await asyncio.wait_for(gateway.chat(question("own")), 20.0)
        assert answer.status == 504
        assert state.pulses["theirs"].half_open
        assert len(failed[0]["exception"].exceptions) == 8
        state.exchanges.difference_update(faulty)

    assert [row["outcome"] for row in inside(config, work)] == ["upstream_timeout"]


def test_a_stream_that_breaks_off_raises_behind_its_last_event(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = stream(chat_events(["one"], None, done=False), end="reset")
    heard: list[bytes] = []

    async def work(gateway: twintrack.Gateway) -> None:
        answer = gateway.stream("chat", question("own"))
        heard.append(await anext(answer))
        heard.append(await anext(answer))
        with pytest.raises(UpstreamError, match="broke off"):
            await anext(answer)

    (row,) = inside(config, work)
    assert row["outcome"] == "upstream_failed"
    assert events(b"".join(heard))[-1]["error"]["code"] == "upstream_error"


def test_deadlines_hold_without_a_server(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = Script(framing="raw", end="hang")

    async def work(gateway: twintrack.Gateway) -> None:
        assert (await gateway.chat(question("own"))).status == 504

    assert inside(config, work)[0]["outcome"] == "upstream_timeout"


def test_what_runs_when_the_program_leaves_is_ended_and_booked(config: Path, mine: Provider) -> None:
    mine.scripts["own"] = Script(framing="raw", end="hang")
    requests = mine.requests
    tasks: list[asyncio.Task[Any]] = []

    async def work(gateway: twintrack.Gateway) -> None:
        tasks.append(asyncio.create_task(gateway.chat(question("own"))))
        await asyncio.to_thread(eventually, lambda: mine.requests == requests + 1)

    (row,) = inside(config, work)
    assert row["state"] == "unknown"
    assert tasks[0].result().status == 504


def test_outside_its_block_it_is_closed(config: Path) -> None:
    async def main() -> None:
        gateway = twintrack.Gateway(config)
        with pytest.raises(TwintrackError, match="The gateway is not open"):
            await gateway.chat(question("own"))

    asyncio.run(main())


def test_a_wrong_configuration_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "twintrack.toml"
    file.write_text("[server]\nlisten = 5\n")

    async def main() -> None:
        with pytest.raises(ConfigError, match=r"twintrack.toml:2: \$\.server\.listen"):
            async with twintrack.Gateway(file):
                pass

    asyncio.run(main())


def test_two_at_once_in_one_folder_keep_their_books_apart(config: Path) -> None:
    async def work(gateway: twintrack.Gateway) -> None:
        async with twintrack.Gateway(config) as second:
            answers = await asyncio.gather(
                *[each.chat(question("own")) for each in (gateway, second) for _ in range(5)]
            )
        assert {answer.status for answer in answers} == {200}
        assert len({answer.headers["x-twintrack-id"] for answer in answers}) == 10

    assert len(inside(config, work)) == 10


def test_answers_are_bytes_and_decode_as_json(config: Path) -> None:
    async def work(gateway: twintrack.Gateway) -> None:
        answer = await gateway.chat(question("own"))
        assert isinstance(answer.body, bytes)
        assert json.loads(answer.body) == answer.json()

    inside(config, work)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_provider_is_not_late_because_we_slept(config: Path, mine: Provider, streamed: bool) -> None:
    """On a busy machine, or one that was suspended: what it said meanwhile is read first."""
    whole = chat_answer("in time")
    mine.scripts["own"] = stream(chat_events(["in time"])) if streamed else Script(pieces=(0.1, *whole.pieces))

    async def work(gateway: twintrack.Gateway) -> None:
        asked = question("own", stream=True) if streamed else question("own")
        answer = asyncio.create_task(_said(gateway, asked, streamed))
        await asyncio.sleep(0.01)
        time.sleep(1.5)
        assert await answer == "in time"

    (row,) = inside(config, work)
    assert row["outcome"] == "ok"


async def _said(gateway: twintrack.Gateway, asked: dict[str, Any], streamed: bool) -> str:
    if streamed:
        return words(b"".join([piece async for piece in gateway.stream("chat", asked)]))
    return str((await gateway.chat(asked)).json()["choices"][0]["message"]["content"])


def test_it_takes_verdicts_as_over_http(config: Path) -> None:
    said: list[int] = []

    async def work(gateway: twintrack.Gateway) -> None:
        answer = await gateway.chat(question("auto"))
        one = {"id": answer.headers["x-twintrack-id"]}
        said.append((await gateway.feedback(one | {"correct": True, "source": "check"})).status)
        wrong = await gateway.feedback(one | {"scor": 1})
        said.append(wrong.status)
        assert "Did you mean score?" in wrong.json()["error"]["message"]

    (entry,) = inside(config, work)
    assert said == [202, 400]
    with reading(database(config.parent / "data")) as db:
        rows = db.execute("SELECT entry, score, source, standing FROM judged").fetchall()
    assert rows == [(entry["id"], 1.0, "check", "counts")]
