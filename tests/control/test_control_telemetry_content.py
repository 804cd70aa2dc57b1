"""What was asked and answered is told of a route that wants it told, and of nothing else, and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.collector import Collector, attributes
from support.gateway import Served, deployment, provider, route
from support.provider import Provider
from support.raw import Answer
from support.waiting import eventually
from twintrack.providers.scripted import Script, chat_answer, chat_events, message_answer, message_events, stream
from twintrack.providers.scripted.invoice import Tokens
from twintrack.providers.scripted.shapes import embeddings_body, response_body, response_events

ASKED = "canary-that-was-asked"
SAID = "canary-that-was-said"
TOKENS = Tokens(12, 7)
MESSAGES = [{"role": "user", "content": ASKED}]
REQUESTS: dict[str, tuple[str, dict[str, Any], Script, Script | None]] = {
    "chat": (
        "/v1/chat/completions",
        {"messages": MESSAGES},
        chat_answer(SAID),
        stream(chat_events([SAID[:9], SAID[9:]])),
    ),
    "messages": (
        "/v1/messages",
        {"messages": MESSAGES, "max_tokens": 9},
        message_answer(SAID),
        stream(message_events([SAID[:9], SAID[9:]])),
    ),
    "responses": (
        "/v1/responses",
        {"input": ASKED},
        Script(pieces=(response_body(SAID, TOKENS, "m"),)),
        stream(response_events([SAID[:9], SAID[9:]], TOKENS)),
    ),
    "embeddings": ("/v1/embeddings", {"input": ASKED}, Script(pieces=(embeddings_body(1, TOKENS, "m"),)), None),
}
"""By endpoint: path, body, whole answer, streamed answer. A provider of the endpoint's own dialect gives them."""
NAMES = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "twintrack.content.left_out")


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector_:
        yield collector_


def config(mine: Provider, otlp: str, more: str = "") -> str:
    opted = "trace_content = true"
    return (
        provider("mine", mine.url)
        + provider("claude", mine.url, api="anthropic")
        + provider("new", mine.url, more='dialects = ["responses"]')
        + deployment("chat", "mine")
        + deployment("messages", "claude")
        + deployment("responses", "new")
        + deployment("embeddings", "mine", facts=", embeddings = true")
        + "".join(route(f"told-{name}", name, more=opted) for name in REQUESTS)
        + route("told-secret", "chat", more=f'{opted}\ndefault_class = "confidential"')
        + route("quiet", "chat")
        + f'[telemetry]\notlp = "{otlp}"\nevery_s = 0.5\n{more}'
    )


def told_of(collector: Collector, request_id: str, spans: int = 2) -> dict[str, Any]:
    """What the request's span says of content; of its attempts' nothing may be said."""
    eventually(lambda: len(collector.of(request_id)) == spans)
    request, *attempts = collector.of(request_id)
    assert not any(name in attributes(each) for each in attempts for name in NAMES)
    return {name: value for name, value in attributes(request).items() if name in NAMES}


def asked(gateway: Served, mine: Provider, endpoint: str, model: str, *, streamed: bool, **headers: str) -> Answer:
    path, body, whole, events = REQUESTS[endpoint]
    mine.default = events if streamed and events is not None else whole
    return gateway.ask({"model": model, **body} | ({"stream": True} if streamed else {}), path, headers)


def test_of_each_dialect_it_is_told_streamed_and_not_and_stands_nowhere_else(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    with Served(tmp_path, config(mine, collector.url)) as gateway:
        ids = {}
        for endpoint, (_, _, _, events) in REQUESTS.items():
            for streamed in (False, True)[: 1 if events is None else 2]:
                answer = asked(gateway, mine, endpoint, f"told-{endpoint}", streamed=streamed)
                assert answer.status == 200, answer.body
                ids[endpoint, streamed] = answer.id
        for (endpoint, _), request_id in ids.items():
            told = told_of(collector, request_id)
            part = {"type": "text", "content": ASKED}
            assert json.loads(told["gen_ai.input.messages"]) == [{"role": "user", "parts": [part]}]
            assert told["twintrack.content.left_out"] == 0
            if endpoint == "embeddings":
                assert "gen_ai.output.messages" not in told
            else:
                message = {"role": "assistant", "parts": [part | {"content": SAID}], "finish_reason": "stop"}
                assert json.loads(told["gen_ai.output.messages"]) == [message]
        page = gateway.get("/metrics").body
        backup = _backup(gateway)
        assert gateway.stop() == 0
        elsewhere = page + gateway.stderr().encode() + backup
        elsewhere += b"".join(path.read_bytes() for path in gateway.data.glob("ledger.db*"))
        assert b"canary" not in elsewhere


def _backup(gateway: Served) -> bytes:
    """Of the gateway while its journal still holds what was told; the content of every file in it."""
    journals = b"".join(path.read_bytes() for path in (gateway.data / "journal").iterdir())
    assert ASKED.encode() in journals  # so that a backup which holds nothing says something
    to = gateway.folder / "a.backup"
    command = [sys.executable, "-m", "twintrack", "backup", str(to), "--config", str(gateway.file)]
    done = subprocess.run([*command, "--data", str(gateway.data)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(to) as archive:
        assert any(name.startswith("journal/") for name in archive.getnames())
        files = [archive.extractfile(member) for member in archive.getmembers() if member.isfile()]
        return b"".join(file.read() for file in files if file is not None)


def test_it_is_told_of_no_other_route_no_named_deployment_and_no_higher_class(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    key = '[[keys]]\nname = "care"\nkey = "env:CARE"\ndata_class = "confidential"\n'
    key += '[[keys]]\nname = "open"\nkey = "env:OPEN"\ndata_class = "public"\n'
    env = {"CARE": "sk-care-0123456789abcdef", "OPEN": "sk-open-0123456789abcdef"}
    with Served(tmp_path, config(mine, collector.url, key), env=env) as gateway:
        mine_key, their_key = f"Bearer {env['OPEN']}", f"Bearer {env['CARE']}"
        for streamed in (False, True):
            for model, authorization, data_class in (
                ("quiet", mine_key, "public"),
                ("chat", mine_key, "public"),
                ("told-secret", mine_key, ""),
                ("told-chat", their_key, "public"),
                ("told-chat", mine_key, "confidential"),
                ("told-chat", mine_key, "restricted"),
            ):
                headers = {"authorization": authorization} | ({"x-twintrack-class": data_class} if data_class else {})
                answer = asked(gateway, mine, "chat", model, streamed=streamed, **headers)
                assert answer.status == 200, (model, answer.body)
                assert told_of(collector, answer.id) == {}, (model, data_class)
        journals = b"".join(path.read_bytes() for path in (gateway.data / "journal").iterdir())
        assert gateway.stop() == 0
        assert b"canary" not in b"".join(collector.bodies) + journals


def test_a_caller_that_does_not_sample_leaves_nothing_in_the_journal(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    with Served(tmp_path, config(mine, collector.url)) as gateway:
        answer = asked(gateway, mine, "chat", "told-chat", streamed=False, traceparent=caller)
        assert gateway.entries(answer.id)
        assert b"canary" not in b"".join(path.read_bytes() for path in (gateway.data / "journal").iterdir())


def test_a_client_that_left_and_a_provider_that_failed_are_told_as_far_as_they_went(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    with Served(tmp_path, config(mine, collector.url)) as gateway:
        mine.default = stream(chat_events([SAID], None, done=False)[:2], end="reset")
        broken = gateway.ask({"model": "told-chat", "messages": MESSAGES, "stream": True})
        told = told_of(collector, broken.id)
        (message,) = json.loads(told["gen_ai.output.messages"])
        assert (message["parts"], message["finish_reason"]) == ([{"type": "text", "content": SAID}], "unknown")

        mine.default = Script(pieces=(*chat_events([SAID], None, done=False)[:2], 30.0), framing="chunked",
                              headers=(("content-type", "text/event-stream"),))  # fmt: skip
        with gateway.connect() as client:
            client.post("/v1/chat/completions", {"model": "told-chat", "messages": MESSAGES, "stream": True})
            client.until(SAID.encode())
        left = eventually(lambda: gateway.query("SELECT * FROM entries WHERE outcome = 'client_left'"))
        told = told_of(collector, left[0]["request_id"])
        assert SAID in told["gen_ai.output.messages"]
        assert ASKED in told["gen_ai.input.messages"]

        mine.default = Script(status=400, pieces=(json.dumps({"error": {"message": SAID}}).encode(),))
        refused = gateway.ask({"model": "told-chat", "messages": MESSAGES})
        assert refused.status == 400
        told = told_of(collector, refused.id)
        assert ASKED in told["gen_ai.input.messages"]
        assert "gen_ai.output.messages" not in told


def test_what_is_longer_than_the_limit_is_cut_and_says_so(mine: Provider, collector: Collector, tmp_path: Path) -> None:
    long = [f"{number:06d} " for number in range(15_000)]
    mine.default = stream([b"".join(chat_events(long))])
    with Served(tmp_path, config(mine, collector.url)) as gateway:
        answer = gateway.ask({"model": "told-chat", "messages": MESSAGES, "stream": True})
        assert answer.complete
        told = told_of(collector, answer.id)
        (message,) = json.loads(told["gen_ai.output.messages"])
        text = message["parts"][0]["content"]
        assert "".join(long).startswith(text)
        assert 1_000 < len(text) < 65_536
        assert attributes(collector.of(answer.id)[0])["twintrack.content.cut"] == "answer"

        mine.default = chat_answer(SAID)
        large = [{"role": "user", "content": ASKED + " " * 65_536}]
        answer = gateway.ask({"model": "told-chat", "messages": large})
        told = told_of(collector, answer.id)
        assert SAID in told["gen_ai.output.messages"]
        assert "gen_ai.input.messages" not in told
        assert attributes(collector.of(answer.id)[0])["twintrack.content.cut"] == "request"
        assert told["twintrack.content.left_out"] == 1


def test_without_a_collector_nothing_is_written_down_and_check_says_so(mine: Provider, tmp_path: Path) -> None:
    with Served(tmp_path, config(mine, "")) as gateway:
        answer = asked(gateway, mine, "chat", "told-chat", streamed=False)
        assert gateway.entries(answer.id)
        assert b"canary" not in b"".join(path.read_bytes() for path in (gateway.data / "journal").iterdir())
        command = [sys.executable, "-m", "twintrack", "config", "check", str(gateway.file)]
        found = subprocess.run(command, capture_output=True, text=True, env=gateway._environment(), check=False)
        assert "route told-chat says trace_content, but [telemetry] has no otlp" in found.stdout
        assert found.returncode == 0
        other = tmp_path / "other.toml"  # the gateway follows its own
        other.write_text(config(mine, "http://127.0.0.1:9"))
        command[-1] = str(other)
        found = subprocess.run(command, capture_output=True, text=True, env=gateway._environment(), check=False)
        assert "route told-chat tells the collector at http://127.0.0.1:9 what is asked and answered" in found.stdout
