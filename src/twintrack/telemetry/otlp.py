"""Sends spans and metrics to a collector: OTLP over HTTP, by OpenTelemetry's own exporters (extra `otel`).

Whoever stores the ledger hands over what it stored and goes on at once. A thread of its own makes spans of it and
sends them. If the collector is slow or gone, what does not fit the queue is counted and dropped.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from twintrack.config.secrets import header_reference
from twintrack.config.settings import Telemetry
from twintrack.errors import ConfigError
from twintrack.ledger.records import Content
from twintrack.telemetry.buckets import Histogram
from twintrack.telemetry.families import FAMILIES, Family, Sample, Scene, attribute
from twintrack.telemetry.joined import Event
from twintrack.telemetry.spans import Span, SpanMaker
from twintrack.telemetry.usage import Upstreams

MOST_QUEUED: Final = 50_000
"""Events that wait for the thread: some 25,000 requests, 30 MB."""
MOST_CONTENT_QUEUED: Final = 64 * 1024 * 1024
"""Bytes of content that wait for the thread; beyond it spans go without."""
_BATCH: Final = 512
_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Of content in one sending; a collector takes 20 MiB where nobody told it otherwise."""
_LINGER_S: Final = 1.0
"""How long a span may wait for others to travel with."""
_TIMEOUT_S: Final = 5.0
_LEAVE_S: Final = 4.0
"""What the last spans get when the gateway stops."""
_SAY_EVERY_S: Final = 60.0
_KINDS: Final = {"client": SpanKind.CLIENT, "server": SpanKind.SERVER}


class Exporter(threading.Thread):
    def __init__(
        self,
        telemetry: Telemetry,
        *,
        version: str,
        patience_s: float,
        ca: str,
        instance: str,
        started_ns: int,
        scene: Callable[[], Scene],
        upstreams: Callable[[], Upstreams],
        secret: Callable[[str], str | None],
        queued: int = MOST_QUEUED,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """
        Args:
            telemetry: with an address and absolute references.
            version: of this program.
            patience_s: see `SpanMaker`.
            ca: PEM file with further certificate authorities, or empty.
            instance: tells gateways on one machine apart.
            started_ns: since when the counters count, nanoseconds since 1970.
            scene: the counters of all processes; called by this thread.
            secret: resolves a reference.
            queued: events that may wait.
            timeout_s: of one sending, repeated attempts included.
        Raises:
            ConfigError: a header's secret cannot be resolved.
        """
        super().__init__(name="telemetry", daemon=True)  # a collector that hangs must not keep us from stopping
        self.telemetry = telemetry
        self.counts = {"sent": 0, "failed": 0, "dropped": 0}
        """Spans, by what became of them."""
        self._scene = scene
        self._upstreams = upstreams
        self._started_ns = started_ns
        self._most = queued
        self._queue: deque[Event] = deque()
        self._offered_bytes = self._taken_bytes = 0
        """Of content; the first is the ledger's thread's, the second ours."""
        self._maker = SpanMaker(telemetry.sample, patience_s)
        self._leaving = threading.Event()
        self._said_s = -_SAY_EVERY_S
        self._failing = False
        self._why = _LastWords()
        self._resource = Resource.create(
            {
                "service.name": telemetry.service,
                "service.version": version,
                "service.instance.id": f"{socket.gethostname()}/{instance}",
                "host.name": socket.gethostname(),
            }
        )
        self._scope = InstrumentationScope("twintrack", version)
        headers = {"user-agent": f"twintrack/{version}", **_headers(telemetry.headers, secret)}
        base = telemetry.otlp.rstrip("/")
        self._spans = OTLPSpanExporter(
            f"{base}/v1/traces",
            certificate_file=ca or None,
            headers=headers,
            timeout=timeout_s,
            compression=Compression.Gzip,
            session=_Session(),
        )
        self._metrics = OTLPMetricExporter(
            f"{base}/v1/metrics",
            certificate_file=ca or None,
            headers=headers,
            timeout=timeout_s,
            compression=Compression.Gzip,
            session=_Session(),
        )

    # ---- what the ledger's thread calls

    def offer(self, events: Iterable[Event]) -> None:
        queue, most = self._queue, self._most
        for event in events:
            if type(event) is Content:
                size = len(event.request) + len(event.answer)
                if self._offered_bytes - self._taken_bytes + size > MOST_CONTENT_QUEUED or len(queue) >= most:
                    continue  # its span says that it is missing
                self._offered_bytes += size
            if len(queue) < most:
                queue.append(event)
            else:
                self.counts["dropped"] += 1

    def stop(self) -> None:
        """Send what is left, if that takes no more than a few seconds."""
        self._leaving.set()
        self.join(_LEAVE_S)
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._metrics.shutdown()

    # ---- the thread

    def run(self) -> None:
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self._why)
        logger.propagate = False
        metrics_at = time.monotonic() + self.telemetry.every_s
        try:
            while not self._leaving.wait(_LINGER_S if len(self._queue) < _BATCH else 0.0):
                self._send_spans(self._made())
                self._send_spans(list(self._maker.overdue(time.monotonic())))
                if time.monotonic() >= metrics_at:
                    metrics_at = time.monotonic() + self.telemetry.every_s
                    self._send_metrics()
            while self._queue:
                self._send_spans(self._made())
            self._send_spans(list(self._maker.overdue(float("inf"))))
            self._send_metrics()
        finally:
            logger.removeHandler(self._why)

    def _made(self) -> list[Span]:
        spans: list[Span] = []
        known, now = self._upstreams(), time.monotonic()
        most_bytes = self._taken_bytes + _BATCH_BYTES
        while self._queue and len(spans) < _BATCH and self._taken_bytes < most_bytes:
            event = self._queue.popleft()
            if type(event) is Content:
                self._taken_bytes += len(event.request) + len(event.answer)
            spans.extend(self._maker.take(event, known, now))
        return spans

    def _send_spans(self, spans: Sequence[Span]) -> None:
        for start in range(0, len(spans), _BATCH):
            batch = [self._readable(span) for span in spans[start : start + _BATCH]]
            good = self._spans.export(batch) is SpanExportResult.SUCCESS
            self.counts["sent" if good else "failed"] += len(batch)
            self._say(good)

    def _readable(self, span: Span) -> ReadableSpan:
        """As the exporter takes them. Its tracer makes spans of what happens now; ours have happened."""
        flags = TraceFlags(TraceFlags.SAMPLED)
        parent = None
        if span.parent_id is not None:
            parent = SpanContext(span.trace_id, span.parent_id, span.remote_parent, flags)
        return ReadableSpan(
            span.name,
            context=SpanContext(span.trace_id, span.span_id, False, flags),
            parent=parent,
            resource=self._resource,
            attributes=span.attributes,
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )

    def _send_metrics(self) -> None:
        data = _metrics_data(self._scene(), self._resource, self._scope, self._started_ns, time.time_ns())
        self._say(self._metrics.export(data) is MetricExportResult.SUCCESS)

    def _say(self, good: bool) -> None:
        """On the log: when it begins to fail, from time to time while it does, and when it works again."""
        now = time.monotonic()
        where = self.telemetry.otlp
        if good and self._failing:
            print(f"twintrack: the collector at {where} takes telemetry again", file=sys.stderr, flush=True)
        elif not good and (not self._failing or now - self._said_s >= _SAY_EVERY_S):
            self._said_s = now
            lost = self.counts["failed"] + self.counts["dropped"]
            print(
                f"twintrack: the collector at {where} does not take telemetry ({self._why.text or 'no answer'}); "
                f"requests go on, {lost} spans are lost so far",
                file=sys.stderr,
                flush=True,
            )
        self._failing = not good


class _Session(requests.Session):
    """Goes to the configured address and nowhere else, whatever the environment says."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        answer = super().send(request, **how)
        if answer.is_redirect:  # the exporter would take it for a success
            raise requests.ConnectionError(f"it answered {answer.status_code}, and redirects are not followed")
        return answer


class _LastWords(logging.Handler):
    """Keeps what the exporter said last, which its result does not tell."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage().splitlines()[0][:200]


def _headers(said: Mapping[str, str], secret: Callable[[str], str | None]) -> dict[str, str]:
    headers = {}
    for name, value in said.items():
        scheme, reference = header_reference(value)
        resolved = secret(reference)
        if resolved is None:
            raise ConfigError(
                f"The header {name} for the collector has no value",
                why=f"{reference} leads nowhere",
                fix="Set it, or take the header out of [telemetry].",
            )
        headers[name.lower()] = f"{scheme} {resolved}" if scheme else resolved
    return headers


def _metrics_data(
    scene: Scene, resource: Resource, scope: InstrumentationScope, started_ns: int, now_ns: int
) -> MetricsData:
    servers = {each.name: (each.host, each.port) for each in scene.snapshot.deployments}
    metrics = []
    for family in FAMILIES:
        if not family.otel:
            continue
        samples = list(family.read(scene))
        if samples:
            metrics.append(_metric(family, samples, servers, started_ns, now_ns))
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def _metric(
    family: Family, samples: Sequence[Sample], servers: Mapping[str, tuple[str, int]], started_ns: int, now_ns: int
) -> Metric:
    data: HistogramMetric | Gauge | Sum
    if family.kind == "histogram":
        points = []
        for values, number in samples:
            assert isinstance(number, Histogram)
            points.append(
                HistogramDataPoint(
                    _attributes(family, values, servers),
                    started_ns,
                    now_ns,
                    sum(number.counts),
                    number.total * family.scale,
                    number.counts,
                    family.bounds,
                    None,  # type: ignore[arg-type]  # not known, as the protocol allows
                    None,  # type: ignore[arg-type]
                )
            )
        data = HistogramMetric(points, AggregationTemporality.CUMULATIVE)
    else:
        numbers = []
        for values, number in samples:
            assert not isinstance(number, Histogram)
            numbers.append(NumberDataPoint(_attributes(family, values, servers), started_ns, now_ns, number))
        data = Gauge(numbers) if family.kind == "gauge" else Sum(numbers, AggregationTemporality.CUMULATIVE, True)
    return Metric(family.otel, family.meaning, family.unit, data)


def _attributes(family: Family, values: Sequence[str], servers: Mapping[str, tuple[str, int]]) -> dict[str, str | int]:
    named = dict(zip(family.labels, values, strict=True))
    attributes: dict[str, str | int] = {attribute(label): value for label, value in named.items() if value}
    server = servers.get(named.get("deployment", ""))
    if server is not None and family.otel.startswith("gen_ai."):
        attributes["server.address"], attributes["server.port"] = server
    return attributes
