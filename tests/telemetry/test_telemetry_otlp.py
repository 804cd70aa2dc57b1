"""Spans and metrics as a collector gets them, decoded with OpenTelemetry's own schema."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from ledger_records import NAMES, PREMIUM, dispatch, settle
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from test_telemetry_exposition import full, scene

from support.collector import Collector, attributes
from support.processes import free_port
from support.waiting import eventually
from twintrack.config.settings import Telemetry
from twintrack.errors import ConfigError
from twintrack.ledger.records import Content
from twintrack.ledger.words import Words
from twintrack.telemetry.conventions import Upstream
from twintrack.telemetry.families import FAMILIES
from twintrack.telemetry.joined import Event, Joiner
from twintrack.telemetry.otlp import Exporter

SECRETS = {"env:TOKEN": "of-the-collector", "env:TEAM": "us"}


def events(*requests: str) -> list[Event]:
    joiner = Joiner()
    words = {1: Words(NAMES)}
    records = [each for name in requests for each in (dispatch(name, deployment=PREMIUM, tier=2), settle(name))]
    return list(joiner.take(records, words))


def exporter(
    url: str, *, queued: int = 1_000, every_s: float = 3600.0, headers: dict[str, str] | None = None
) -> Exporter:
    return Exporter(
        Telemetry(otlp=url, every_s=every_s, headers=headers or {}, service="our-gateway"),
        version="1.2.3",
        patience_s=60.0,
        ca="",
        instance="here",
        started_ns=1_000,
        scene=lambda: scene(full()),
        upstreams=lambda: {"gpt@openai": Upstream("openai", "gpt-5.4", "api.openai.com", 443)},
        secret=SECRETS.get,
        queued=queued,
        timeout_s=1.0,
    )


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def running() -> Iterator[Callable[[Exporter], Exporter]]:
    started: list[Exporter] = []

    def start(exporter: Exporter) -> Exporter:
        exporter.start()
        started.append(exporter)
        return exporter

    yield start
    for each in started:
        each.stop()


def test_spans_arrive_whole(collector: Collector, running: Callable[[Exporter], Exporter]) -> None:
    sender = running(exporter(collector.url))
    sender.offer(events("a"))
    eventually(lambda: len(collector.spans) == 2)
    request, attempt = collector.of("a")
    assert (request.kind, attempt.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert (attempt.trace_id, attempt.parent_span_id) == (request.trace_id, request.span_id)
    assert (len(request.trace_id), len(request.span_id), request.parent_span_id) == (16, 8, b"")
    assert attempt.name == "chat gpt-5.4"
    said = attributes(attempt)
    assert (said["server.address"], said["server.port"], said["gen_ai.usage.input_tokens"]) == (
        "api.openai.com",
        443,
        812,
    )
    assert said["gen_ai.provider.name"] == "openai"
    assert attempt.end_time_unix_nano - attempt.start_time_unix_nano == 2_000_000_000
    assert (collector.resource["service.name"], collector.resource["service.version"]) == ("our-gateway", "1.2.3")
    assert collector.resource["service.instance.id"].endswith("/here")
    eventually(lambda: sender.counts == {"sent": 2, "failed": 0, "dropped": 0})


def test_metrics_are_the_numbers_of_the_metrics_page(
    collector: Collector, running: Callable[[Exporter], Exporter]
) -> None:
    running(exporter(collector.url, every_s=0.2))
    eventually(lambda: collector.metrics, 20.0)
    assert collector.metrics.keys() <= {family.otel for family in FAMILIES}
    duration = collector.metrics["gen_ai.client.operation.duration"]
    assert (duration.unit, duration.histogram.aggregation_temporality) == ("s", 2)
    points = {attributes(point).get("error.type", ""): point for point in duration.histogram.data_points}
    assert points[""].count == 1
    assert points[""].sum == 2.0
    assert list(points[""].explicit_bounds)[:3] == [0.01, 0.02, 0.04]
    assert (sum(points[""].bucket_counts), points[""].HasField("min")) == (1, False)
    assert attributes(points["429"]) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "m",
        "twintrack.deployment": "m@p",
        "error.type": "429",
        "server.address": "127.0.0.1",
        "server.port": 9,
    }
    tokens = collector.metrics["gen_ai.client.token.usage"].histogram.data_points
    assert {attributes(point)["gen_ai.token.type"]: point.sum for point in tokens} == {"input": 812, "output": 301}
    cost = collector.metrics["twintrack.cost"].sum
    assert (cost.is_monotonic, cost.data_points[0].start_time_unix_nano) == (True, 1_000)
    assert max(point.as_double for point in cost.data_points) == 1.5
    assert collector.metrics["twintrack.in_flight"].gauge.data_points[0].as_int == 1


def test_secrets_of_headers_are_resolved_and_sent(
    collector: Collector, running: Callable[[Exporter], Exporter]
) -> None:
    running(exporter(collector.url, headers={"authorization": "Bearer env:TOKEN", "X-Team": "env:TEAM"})).offer(
        events("a")
    )
    eventually(lambda: collector.spans)
    assert collector.headers[0]["authorization"] == "Bearer of-the-collector"
    assert collector.headers[0]["x-team"] == "us"


def test_a_secret_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="The header authorization for the collector has no value"):
        exporter("http://127.0.0.1:9", headers={"authorization": "Bearer env:NOWHERE"})


@pytest.mark.alone
def test_a_slow_collector_costs_spans_and_nobody_waits(
    collector: Collector, running: Callable[[Exporter], Exporter]
) -> None:
    collector.delay.clear()
    sender = running(exporter(collector.url, queued=40))
    sender.offer(events("first"))
    time.sleep(1.2)  # it is being sent, and does not come back
    began = time.perf_counter()
    sender.offer(events(*map(str, range(200))))
    assert time.perf_counter() - began < 0.5
    assert sender.counts["dropped"] == 400 - 40
    collector.delay.set()
    eventually(lambda: sender.counts["sent"] == 42)


def test_much_content_travels_in_small_batches_and_more_than_that_is_left_out(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twintrack.telemetry.otlp._BATCH_BYTES", 100_000)
    monkeypatch.setattr("twintrack.telemetry.otlp.MOST_CONTENT_QUEUED", 1_000_000)
    asked = b'{"model": "auto", "messages": [{"role": "user", "content": "%b"}]}' % (b"x" * 50_000)
    told = {1: Words(msgspec.structs.replace(NAMES, content=(0,)))}
    sender = exporter(collector.url)
    for number in range(40):
        content = Content(f"r{number}", "chat", False, asked, len(asked), b"", 0)
        records = (dispatch(f"r{number}"), settle(f"r{number}"), content)
        sender.offer(Joiner().take(records, told))
    sender.start()
    sender.stop()
    texts = [attributes(span).get("gen_ai.input.messages") for span in collector.spans if span.kind == 2]
    assert (len(texts), sum(text is not None for text in texts)) == (40, 19)
    assert sum(b"xxx" in body for body in collector.bodies) > 5
    assert max(map(len, collector.bodies)) < 300_000


def test_a_collector_that_is_gone_costs_spans_and_is_said_once(
    running: Callable[[Exporter], Exporter], capfd: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    sender = running(exporter(f"http://127.0.0.1:{port}"))
    sender.offer(events("a"))
    eventually(lambda: sender.counts["failed"] == 2, 20.0)
    sender.offer(events("b"))
    eventually(lambda: sender.counts["failed"] == 4, 20.0)
    with Collector(port) as collector:
        sender.offer(events("c"))
        eventually(lambda: len(collector.spans) == 2, 20.0)
        eventually(lambda: sender.counts["sent"] == 2)
    heard = capfd.readouterr().err.splitlines()
    assert len(heard) == 2, heard
    assert heard[0].startswith(f"twintrack: the collector at http://127.0.0.1:{port} does not take telemetry (")
    assert heard[1].endswith("takes telemetry again")


def test_a_redirect_is_not_followed_and_is_no_success(
    collector: Collector, running: Callable[[Exporter], Exporter]
) -> None:
    collector.status = 302
    sender = running(exporter(collector.url))
    sender.offer(events("a"))
    eventually(lambda: sender.counts["failed"] == 2, 20.0)
    assert collector.bodies == []


def test_what_is_left_is_sent_when_the_gateway_stops(collector: Collector) -> None:
    sender = exporter(collector.url)
    sender.start()
    sender.offer([*events("a"), *events("b")[:1]])
    sender.stop()
    assert len(collector.of("a")) == 2
    assert collector.metrics
