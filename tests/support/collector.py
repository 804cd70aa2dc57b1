"""A collector: takes OTLP over HTTP as the protocol says, decodes it with OpenTelemetry's own schema, and keeps it."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    def __init__(self, port: int = 0) -> None:
        self.bodies: list[bytes] = []
        """Everything that came, decompressed, for whoever looks for what should not be there."""
        self.headers: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}
        """By name, as last heard."""
        self.resource: dict[str, Any] = {}
        self.status = 200
        """What it answers; only 200 keeps what came."""
        self.delay = threading.Event()
        """Set: answers at once. Cleared: waits until it is set, for a while."""
        self.delay.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.delay.wait(30)
                if collector.status == 200:
                    collector.take(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                self.send_response(collector.status)
                if 300 <= collector.status < 400:
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.delay.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        assert headers["content-type"] == "application/x-protobuf"
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.bodies.append(body)
        self.headers.append(headers)
        if path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resource = attributes(group.resource)
                for scope in group.scope_spans:
                    self.spans.extend(scope.spans)
        else:
            assert path == "/v1/metrics"
            for sums in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resource = attributes(sums.resource)
                for scope in sums.scope_metrics:
                    self.metrics.update({metric.name: metric for metric in scope.metrics})

    def of(self, request_id: str) -> list[Span]:
        """The spans of a request, by kind: its own first, then its attempts."""
        found = [span for span in self.spans if attributes(span).get("twintrack.request_id") == request_id]
        return sorted(found, key=lambda span: (span.kind != Span.SPAN_KIND_SERVER, span.start_time_unix_nano))


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}
