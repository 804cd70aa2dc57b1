"""Whether what sends telemetry is installed; asked before anything starts that would find out too late."""

from __future__ import annotations

from importlib.util import find_spec

from twintrack.config.settings import Telemetry
from twintrack.errors import MissingExtra


def require(telemetry: Telemetry) -> None:
    """Raises MissingExtra if it is asked for and cannot be done."""
    if not telemetry.otlp:
        return
    try:
        present = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ImportError:
        present = False
    if not present:
        raise MissingExtra(
            "OpenTelemetry is not installed",
            why=f"[telemetry] asks for spans and metrics to go to {telemetry.otlp}",
            fix="Run pip install 'twintrack[otel]', or take otlp out. /metrics is there without it.",
        )
