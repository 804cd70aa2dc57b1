"""Counters of all workers, and the text Prometheus reads (exposition format 0.0.4)."""

from __future__ import annotations

import msgspec

from twintrack.gateway.pulse import BUCKETS_MS
from twintrack.gateway.state import GatewayState


class PulseCount(msgspec.Struct, array_like=True):
    """One deployment, of one worker or of all together."""

    outcomes: dict[str, int]
    input_tokens: int
    output_tokens: int
    cost_nusd: int
    unpriced: int
    buckets: list[int]
    latency_sum_ms: int


class Counters(msgspec.Struct, array_like=True):
    generation: int = 0
    requests: int = 0
    failovers: dict[str, int] = {}
    overhead_ns: int = 0
    in_flight: int = 0
    connections: int = 0
    refusals: dict[str, int] = {}
    pulses: dict[str, PulseCount] = {}

    def plus(self, other: Counters) -> Counters:
        """Both together; the generation is the older one, so that a reload shows when all workers have it."""
        pulses = dict(self.pulses)
        for name, more in other.pulses.items():
            pulses[name] = _sum(pulses[name], more) if name in pulses else more
        return Counters(
            min(self.generation or other.generation, other.generation or self.generation),
            self.requests + other.requests,
            _added(self.failovers, other.failovers),
            self.overhead_ns + other.overhead_ns,
            self.in_flight + other.in_flight,
            self.connections + other.connections,
            _added(self.refusals, other.refusals),
            pulses,
        )


_DECODER = msgspec.msgpack.Decoder(Counters)


def counted(gateway: GatewayState, connections: int) -> Counters:
    pulses = {name: PulseCount(*pulse.counted()) for name, pulse in gateway.pulses.items() if pulse.outcomes}
    return Counters(
        gateway.serving.snapshot.generation,
        gateway.requests,
        gateway.failovers,
        gateway.overhead_ns,
        len(gateway.exchanges),
        connections,
        gateway.refusals,
        pulses,
    )


def decoded(payload: bytes) -> Counters:
    return _DECODER.decode(payload) if payload else Counters()


def encoded(counters: Counters) -> bytes:
    return msgspec.msgpack.encode(counters)


def text(counters: Counters) -> bytes:
    lines: list[str] = []

    def metric(name: str, kind: str, help_text: str, rows: list[tuple[str, float]]) -> None:
        lines.append(f"# HELP {name} {help_text}")
        lines.append(f"# TYPE {name} {kind}")
        lines.extend(f"{name}{labels} {value:.17g}" for labels, value in rows)

    pulses = sorted(counters.pulses.items())
    metric("twintrack_requests_total", "counter", "Requests answered by a model, or tried.", [("", counters.requests)])
    metric(
        "twintrack_failovers_total",
        "counter",
        "Further attempts, by the failure they followed.",
        [(f'{{reason="{kind}"}}', count) for kind, count in sorted(counters.failovers.items())],
    )
    metric("twintrack_in_flight", "gauge", "Requests running now.", [("", counters.in_flight)])
    metric("twintrack_connections", "gauge", "Client connections open now.", [("", counters.connections)])
    metric(
        "twintrack_snapshot_generation", "gauge", "Oldest configuration any worker serves.", [("", counters.generation)]
    )
    metric(
        "twintrack_refusals_total",
        "counter",
        "Requests sent to nobody, by error code.",
        [(f'{{code="{_escaped(code)}"}}', count) for code, count in sorted(counters.refusals.items())],
    )
    metric(
        "twintrack_attempts_total",
        "counter",
        "Attempts sent to a provider, by how they ended.",
        [
            (f'{{deployment="{_escaped(name)}",outcome="{outcome}"}}', count)
            for name, pulse in pulses
            for outcome, count in sorted(pulse.outcomes.items())
        ],
    )
    metric(
        "twintrack_tokens_total",
        "counter",
        "Tokens, cached ones counted in.",
        [
            (f'{{deployment="{_escaped(name)}",kind="{kind}"}}', count)
            for name, pulse in pulses
            for kind, count in (("input", pulse.input_tokens), ("output", pulse.output_tokens))
        ],
    )
    metric(
        "twintrack_cost_usd_total",
        "counter",
        "Cost of priced attempts in dollars; engines charged by the hour are in the ledger.",
        [(f'{{deployment="{_escaped(name)}"}}', pulse.cost_nusd / 1e9) for name, pulse in pulses],
    )
    metric(
        "twintrack_unpriced_total",
        "counter",
        "Attempts whose cost is unknown.",
        [(f'{{deployment="{_escaped(name)}"}}', pulse.unpriced) for name, pulse in pulses],
    )
    rows: list[tuple[str, float]] = []
    sums: list[str] = []
    name_of = "gen_ai_client_operation_duration_seconds"
    for name, pulse in pulses:
        label = _escaped(name)
        reached = 0
        for bound, count in zip(BUCKETS_MS, pulse.buckets, strict=False):
            reached += count
            rows.append((f'_bucket{{deployment="{label}",le="{bound / 1000:g}"}}', reached))
        reached += pulse.buckets[-1]
        rows.append((f'_bucket{{deployment="{label}",le="+Inf"}}', reached))
        sums.append(f'{name_of}_sum{{deployment="{label}"}} {pulse.latency_sum_ms / 1000:.17g}')
        sums.append(f'{name_of}_count{{deployment="{label}"}} {reached}')
    metric(name_of, "histogram", "From dispatch to the end of a good answer.", rows)
    return "\n".join([*lines, *sums, ""]).encode()


def _sum(one: PulseCount, two: PulseCount) -> PulseCount:
    return PulseCount(
        _added(one.outcomes, two.outcomes),
        one.input_tokens + two.input_tokens,
        one.output_tokens + two.output_tokens,
        one.cost_nusd + two.cost_nusd,
        one.unpriced + two.unpriced,
        [a + b for a, b in zip(one.buckets, two.buckets, strict=True)],
        one.latency_sum_ms + two.latency_sum_ms,
    )


def _added(one: dict[str, int], two: dict[str, int]) -> dict[str, int]:
    return {key: one.get(key, 0) + two.get(key, 0) for key in (*one, *(key for key in two if key not in one))}


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
