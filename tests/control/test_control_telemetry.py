"""A gateway, its providers and a collector: what is told of requests, whatever ends in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from metric_text import samples, value

from support.collector import Collector, attributes
from support.gateway import Served, deployment, provider, question, route
from support.processes import free_port
from support.provider import Provider
from support.waiting import eventually
from twintrack.errors import MissingExtra
from twintrack.providers.scripted import Script, chat_answer, chat_events, error_answer, stream

CANARY = "canary-4111-1111-1111-1111"
SECRET = "canary-secret-of-the-collector"
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector_:
        yield collector_


def config(mine: Provider, otlp: str, more: str = "") -> str:
    return (
        provider("mine", mine.url)
        + deployment("small", "mine", quality=0.9)
        + deployment("big", "mine", quality=0.9)
        + route("auto", "small", "big")
        + f'[telemetry]\notlp = "{otlp}"\nevery_s = 0.5\n{more}'
    )


def test_a_request_can_be_followed_from_its_caller_to_its_provider(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    mine.scripts["small"] = chat_answer("hello")
    with Served(tmp_path, config(mine, collector.url)) as gateway:
        answer = gateway.ask(question("auto"), headers={"traceparent": CALLER})
        assert answer.status == 200
        eventually(lambda: len(collector.of(answer.id)) == 2)
        request, attempt = collector.of(answer.id)
        assert request.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
        assert request.parent_span_id.hex() == "00f067aa0ba902b7"
        assert attempt.parent_span_id == request.span_id
        said = attributes(attempt)
        assert (said["server.address"], said["server.port"]) == ("127.0.0.1", mine.port)
        assert (said["twintrack.deployment"], said["gen_ai.usage.output_tokens"]) == ("small", 7)
        assert attributes(request)["twintrack.route"] == "auto"
        (row,) = gateway.entries(answer.id)
        assert said["twintrack.cost.usd"] == row["cost_nusd"] / 1e9

        quiet = gateway.ask(question("auto"), headers={"traceparent": CALLER[:-1] + "0"})
        ours = gateway.ask(question("auto"), headers={"traceparent": "nonsense"})
        eventually(lambda: len(collector.of(ours.id)) == 2)
        assert collector.of(ours.id)[0].parent_span_id == b""
        assert collector.of(quiet.id) == []
        eventually(lambda: "gen_ai.client.token.usage" in collector.metrics)


def test_no_prompt_no_answer_and_no_secret_is_in_what_is_told(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    """Wherever a client or a provider can put words, they put this."""
    mine.scripts["small"] = chat_answer(CANARY)
    mine.scripts["big"] = error_answer(400, CANARY)
    headers = {
        "traceparent": f"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-{CANARY}",
        "tracestate": CANARY,
        "baggage": f"user={CANARY}",
        "x-request-id": CANARY,
        "user-agent": CANARY,
    }
    said = {"content": CANARY, "role": "user", "name": "canary"}
    more = 'headers = { authorization = "Bearer env:OTLP_TOKEN" }\n'
    with Served(tmp_path, config(mine, collector.url, more), env={"OTLP_TOKEN": SECRET}) as gateway:
        ids = []
        for model, asked in (
            ("auto", {"messages": [said], "user": CANARY, "metadata": {"note": CANARY}}),
            ("small", {"messages": [said], "stream": True}),
            ("big", {"messages": [said]}),
            (CANARY, {"messages": [said]}),
            ("auto", {"messages": [said], CANARY: CANARY, "tools": [{"type": CANARY}]}),
            ("auto", {"messages": CANARY}),
        ):
            mine.scripts["small"] = stream(chat_events([CANARY])) if asked.get("stream") else chat_answer(CANARY)
            ids.append(gateway.ask({"model": model, **asked}, headers=headers).id)
        eventually(lambda: len(collector.of(ids[0])) == 2 and collector.of(ids[2]))
        eventually(lambda: collector.metrics)
        page = gateway.get("/metrics").body
        assert gateway.stop() == 0  # and with it what had waited for a further attempt
        assert len(collector.of(ids[2])) == 2
        everything = b"".join(collector.bodies) + page + gateway.stderr().encode()
        assert CANARY.encode() not in everything
        assert SECRET.encode() not in everything
        assert collector.headers[0]["authorization"] == f"Bearer {SECRET}"


def test_without_a_collector_requests_go_on_and_are_booked(mine: Provider, tmp_path: Path) -> None:
    mine.scripts["small"] = chat_answer("hello")
    url = f"http://127.0.0.1:{free_port()}"
    with Served(tmp_path, config(mine, url), clean=False) as gateway:
        answers = [gateway.chat("auto") for _ in range(20)]
        assert all(answer.status == 200 for answer in answers)
        assert all(gateway.entries(answer.id)[0]["outcome"] == "ok" for answer in answers)

        def failed() -> float:
            return value(samples(gateway.get("/metrics").body), "twintrack_spans_total", result="failed")

        eventually(lambda: failed() == 40, 20.0, 0.2)
        assert f"the collector at {url} does not take telemetry" in gateway.stderr()


def test_a_control_plane_that_is_killed_tells_nothing_twice_and_goes_on_counting(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    mine.scripts["small"] = chat_answer("hello")
    with Served(tmp_path, config(mine, collector.url), clean=False) as gateway:

        def counted() -> float:
            return value(samples(gateway.get("/metrics").body), "twintrack_tokens_total", kind="output")

        first = [gateway.chat("auto").id for _ in range(5)]
        eventually(lambda: all(len(collector.of(each)) == 2 for each in first))
        eventually(lambda: counted() == 35)
        mine.scripts["big"] = Script(pieces=(1.5, *chat_answer("later").pieces))
        with gateway.connect() as client:  # one that runs while nobody stores
            client.post("/v1/chat/completions", question("big"))
            time.sleep(0.7)
            os.kill(gateway.children()["control plane"], signal.SIGKILL)
            later = client.answer()
        assert later.status == 200
        second = [gateway.chat("auto").id for _ in range(5)]
        eventually(lambda: all(len(collector.of(each)) == 2 for each in (*second, later.id)), 20.0)
        eventually(lambda: counted() == 35 + 35 + 7)
        ids = [span.span_id for span in collector.spans]
        assert len(ids) == len(set(ids)) == 22

        def sent() -> float:  # the first ten were told of by the one that died, a second before it did or not
            return value(samples(gateway.get("/metrics").body), "twintrack_spans_total", result="sent")

        eventually(lambda: sent() >= 12)


def test_telemetry_can_be_turned_on_and_off_while_it_serves(
    mine: Provider, collector: Collector, tmp_path: Path
) -> None:
    mine.scripts["small"] = chat_answer("hello")
    with Served(tmp_path, config(mine, "")) as gateway:
        before = gateway.chat("auto").id
        assert gateway.entries(before)  # stored while nobody wanted to know
        gateway.file.write_text(config(mine, collector.url))
        gateway.signal(signal.SIGHUP)

        def told() -> bool:
            return bool(collector.of(gateway.chat("auto").id)) or bool(collector.spans)

        eventually(told, 20.0, 0.2)
        assert collector.of(before) == []


def test_usage_is_counted_without_a_collector_too(mine: Provider, tmp_path: Path) -> None:
    """And as the ledger has it, whichever worker is asked."""
    mine.scripts["small"] = chat_answer("hello")
    mine.scripts["big"] = Script(status=503)
    with Served(tmp_path, config(mine, ""), workers=2) as gateway:
        for _ in range(10):
            assert gateway.chat("auto").status == 200
            assert gateway.chat("big").status >= 500
            assert gateway.chat("nobody").status == 404

        def settled() -> bool:
            """Whichever worker answers; each shows the others what it counted once a second."""
            pages = [samples(gateway.get("/metrics").body) for _ in range(6)]
            return all(
                value(page, "twintrack_requests_total", route="auto", tier="t0", outcome="ok") == 10
                and value(page, "twintrack_requests_total", route=None) == 10
                and value(page, "twintrack_overhead_seconds_count") >= 10
                and value(page, "gen_ai_client_operation_duration_seconds_count", deployment="small") == 10
                and value(page, "gen_ai_client_operation_duration_seconds_count", error_type="5xx") >= 3
                and value(page, "twintrack_refusals_total", code="model_not_found") == 10
                and value(page, "twintrack_breaker_open", deployment="big") >= 1
                for page in pages
            )

        eventually(settled, 10.0, 0.1)
        found = samples(gateway.get("/metrics").body)
        cost = gateway.query("SELECT sum(cost_nusd) n FROM entries")[0]["n"]
        assert value(found, "twintrack_cost_usd_total") == pytest.approx(cost / 1e9, abs=1e-12)
        nobody = value(found, "twintrack_requests_total", outcome="unavailable")  # once its breaker was open
        assert value(found, "twintrack_overhead_seconds_count") == 20 - nobody
        assert value(found, "twintrack_ready") == 1
        processes = {dict(labels)["process"] for name, labels in found if name == "twintrack_process_open_files"}
        assert processes == {"w0", "w1", "control"}
        assert all(number > 0 for (name, _), number in found.items() if name.startswith("twintrack_process_"))


def test_without_the_extra_check_and_serve_name_it(mine: Provider, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked" / "opentelemetry"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text('raise ImportError("not here")\n')
    gateway = Served(tmp_path, config(mine, "http://127.0.0.1:9"), {"PYTHONPATH": str(blocked.parent)})
    gateway.start()
    assert gateway.process is not None
    assert gateway.process.wait(20) == MissingExtra.exit_code
    assert "pip install 'twintrack[otel]'" in gateway.stderr()
    assert "Traceback" not in gateway.stderr()
    command = [sys.executable, "-m", "twintrack", "config", "check", str(gateway.file)]
    told = subprocess.run(command, capture_output=True, text=True, env=gateway._environment(), check=False)
    assert (told.returncode, "OpenTelemetry is not installed." in told.stdout) == (3, True)
    gateway.file.write_text(config(mine, ""))
    assert subprocess.run(command, capture_output=True, env=gateway._environment(), check=False).returncode == 0
