"""Every metric there is: its names, what it means, and how it is read from the counters.

`exposition.py` writes them as Prometheus reads them, `otlp.py` sends the same numbers to a collector, and
`reference.py` makes a table of them. A value of a label comes from the configuration or from a fixed list, never from
a request's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from twintrack.config.snapshot import Snapshot
from twintrack.telemetry.buckets import OVERHEAD_S, SECONDS, TOKENS, Histogram
from twintrack.telemetry.counters import Counters

Value = float | Histogram
Sample = tuple[tuple[str, ...], Value]
"""The values of the labels, in their order, and the number."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is read at the moment somebody asks."""

    counters: Counters
    snapshot: Snapshot
    now_ns: int
    """On the monotonic clock."""
    ready: bool
    journal_files: int
    free_bytes: int
    """Of the data folder's disk."""


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    """As Prometheus knows it."""
    otel: str
    """As OpenTelemetry knows it; empty: not sent there."""
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    """UCUM, as OpenTelemetry writes it."""
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Scene], Iterator[Sample]]
    bounds: tuple[float, ...] = ()
    scale: float = 1.0
    """From the unit that a histogram was counted in to `unit`."""
    source: Literal["workers", "ledger", "both"] = "workers"


_ATTRIBUTES: Final = {
    "gen_ai_operation_name": "gen_ai.operation.name",
    "gen_ai_provider_name": "gen_ai.provider.name",
    "gen_ai_request_model": "gen_ai.request.model",
    "gen_ai_token_type": "gen_ai.token.type",
    "error_type": "error.type",
}


_Z_95 = 1.96


def attribute(label: str) -> str:
    """What OpenTelemetry calls a label."""
    return _ATTRIBUTES.get(label, f"twintrack.{label}")


def _requests(scene: Scene) -> Iterator[Sample]:
    yield from scene.counters.requests.items()


def _screened(scene: Scene) -> Iterator[Sample]:
    yield from scene.counters.screened.items()


def _overhead(scene: Scene) -> Iterator[Sample]:
    yield (), scene.counters.overhead_ns


def _by_word(words: Callable[[Counters], dict[str, int]]) -> Callable[[Scene], Iterator[Sample]]:
    return lambda scene: (((word,), count) for word, count in words(scene.counters).items())


def _attempts(scene: Scene) -> Iterator[Sample]:
    for name, pulse in scene.counters.pulses.items():
        for outcome, count in pulse.outcomes.items():
            yield (name, outcome), count


def _attempts_in_flight(scene: Scene) -> Iterator[Sample]:
    for name, pulse in scene.counters.pulses.items():
        yield (name,), pulse.in_flight


def _one(number: Callable[[Scene], float]) -> Callable[[Scene], Iterator[Sample]]:
    return lambda scene: iter([((), number(scene))])


def _breakers(scene: Scene) -> Iterator[Sample]:
    yield from scene.counters.breakers.items()


def _resident(scene: Scene) -> Iterator[Sample]:
    for name, process in scene.counters.processes.items():
        yield (name,), process.resident_bytes


def _open_files(scene: Scene) -> Iterator[Sample]:
    for name, process in scene.counters.processes.items():
        yield (name,), process.open_files


def _cpu(scene: Scene) -> Iterator[Sample]:
    for name, process in scene.counters.processes.items():
        yield (name,), process.cpu_ms / 1000


def _kept(scene: Scene) -> Iterator[Sample]:
    for route, promise in scene.counters.promises.items():
        if promise.best > 0.0:
            for bound, surplus in (("mean", promise.surplus), ("low", promise.surplus - _Z_95 * promise.sd)):
                yield (route, bound), promise.keep + surplus / promise.best


def _pressure(scene: Scene) -> Iterator[Sample]:
    budgets = {route.name for route in scene.snapshot.routes if route.nusd_per_day >= 0}
    for route, promise in scene.counters.promises.items():
        if route in budgets:
            yield (route,), promise.pressure


def _behind_s(scene: Scene) -> float:
    """Since the start of the machine where the ledger has never been up to date: large, as it should be."""
    return max(0.0, (scene.now_ns - scene.counters.stored_until_ns) / 1e9)


def _tokens(scene: Scene) -> Iterator[Sample]:
    """Counts by kind; attempts of one deployment at several endpoints together."""
    sums: dict[tuple[str, str], int] = {}
    for (deployment, *_), use in scene.counters.uses.items():
        for kind, count in (
            ("input", use.input_tokens.total),
            ("output", use.output_tokens.total),
            ("cache_read", use.cache_read_tokens),
            ("cache_write", use.cache_write_tokens),
            ("reasoning", use.reasoning_tokens),
        ):
            sums[deployment, kind] = sums.get((deployment, kind), 0) + count
    yield from sums.items()


def _cost(scene: Scene) -> Iterator[Sample]:
    sums: dict[tuple[str, str, str], int] = {}
    for (deployment, _, _, _, simulated), use in scene.counters.uses.items():
        for purpose, nusd in use.cost_nusd.items():
            key = deployment, purpose, _yes(simulated)
            sums[key] = sums.get(key, 0) + nusd
    for labels, nusd in sums.items():
        yield labels, nusd / 1e9


def _unpriced(scene: Scene) -> Iterator[Sample]:
    sums: dict[str, int] = {}
    for (deployment, *_), use in scene.counters.uses.items():
        sums[deployment] = sums.get(deployment, 0) + use.unpriced
    for deployment, count in sums.items():
        yield (deployment,), count


def _compared(scene: Scene) -> Iterator[Sample]:
    for (route, simulated), money in scene.counters.money.items():
        yield (route, _yes(simulated)), money.cost_nusd / 1e9


def _baseline(scene: Scene) -> Iterator[Sample]:
    for (route, simulated), money in scene.counters.money.items():
        yield (route, "token", _yes(simulated)), money.baseline_nusd / 1e9
        if money.hourly_baseline_nusd:
            yield (route, "hour", _yes(simulated)), money.hourly_baseline_nusd / 1e9


def _engines(scene: Scene) -> Iterator[Sample]:
    for (deployment, simulated), nusd in scene.counters.engines_nusd.items():
        yield (deployment, _yes(simulated)), nusd / 1e9


def _durations(scene: Scene) -> Iterator[Sample]:
    for (deployment, operation, provider, model, _), use in scene.counters.uses.items():
        for error, histogram in use.durations_us.items():
            yield (operation, provider, model, deployment, error), histogram


def _first_chunks(scene: Scene) -> Iterator[Sample]:
    for (deployment, operation, provider, model, _), use in scene.counters.uses.items():
        if any(use.first_chunk_us.counts):
            yield (operation, provider, model, deployment), use.first_chunk_us


def _token_usage(scene: Scene) -> Iterator[Sample]:
    for (deployment, operation, provider, model, _), use in scene.counters.uses.items():
        for kind, histogram in (("input", use.input_tokens), ("output", use.output_tokens)):
            if any(histogram.counts):
                yield (operation, provider, model, deployment, kind), histogram


def _info(scene: Scene) -> Iterator[Sample]:
    for each in scene.snapshot.deployments:
        yield (each.name, each.model, each.provider, each.zone, each.region, _yes(each.simulated)), 1


def _yes(flag: bool) -> str:
    return "true" if flag else "false"


_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "deployment")

FAMILIES: Final[tuple[Family, ...]] = (
    Family(
        "twintrack_requests_total", "twintrack.requests", "counter", "{request}",
        ("route", "tier", "class", "outcome"),
        "Requests that were understood, by how they ended. Outcome: ok, client_left, upstream_refused, "
        "upstream_failed, upstream_timeout; sent to nobody: refused (none may answer), unavailable (none can right "
        "now). Route and tier are empty where the client named a deployment.",
        _requests,
    ),
    Family(
        "twintrack_overhead_seconds", "twintrack.overhead", "histogram", "s", (),
        "What the gateway itself added to a request: its time as a whole less the time spent waiting for providers, "
        "from the dispatch of each attempt to its end, and in pauses between two.",
        _overhead, OVERHEAD_S, 1e-9,
    ),
    Family(
        "twintrack_failovers_total", "twintrack.failovers", "counter", "{attempt}", ("reason",),
        "Further attempts that were made, by why the one before did not do.",
        _by_word(lambda counters: counters.failovers),
    ),
    Family(
        "twintrack_refusals_total", "twintrack.refusals", "counter", "{request}", ("code",),
        "Requests sent to nobody, by error code.",
        _by_word(lambda counters: counters.refusals),
    ),
    Family(
        "twintrack_screened_total", "twintrack.screened", "counter", "{request}", ("class", "mode"),
        "Requests that were read for what must not leave, by the class of what was found and by whether it counted "
        "(enforce) or was only recorded (observe).",
        _screened,
    ),
    Family(
        "twintrack_screened_seconds_total", "twintrack.screened.time", "counter", "s", (),
        "Time in which that was read.",
        _one(lambda scene: scene.counters.screened_ns / 1e9),
    ),
    Family(
        "twintrack_overrides_total", "twintrack.overrides", "counter", "{request}", ("class",),
        "Requests whose class an operator's key lowered, by the class that held.",
        _by_word(lambda counters: counters.overrides),
    ),
    Family(
        "twintrack_verdicts_total", "twintrack.verdicts", "counter", "{verdict}", ("source",),
        "Verdicts taken on earlier answers. Source: feedback, human, check, judge.",
        _by_word(lambda counters: counters.verdicts),
    ),
    Family(
        "twintrack_quality_kept", "twintrack.quality.kept", "gauge", "1", ("route", "bound"),
        "Expected quality of what a route with a fitted router answered, relative to its last tier's, over some 20,000 "
        "requests: as predicted, corrected by verdicts. Bound: mean, or low, the lower end of the 95 % interval.",
        _kept,
    ),
    Family(
        "twintrack_budget_pressure", "twintrack.budget.pressure", "gauge", "1", ("route",),
        "Share of the quality to keep that a route's usd_per_day takes, 0 to 1.",
        _pressure,
    ),
    Family(
        "twintrack_attempts_total", "twintrack.attempts", "counter", "{attempt}", ("deployment", "outcome"),
        "Attempts sent to a provider, by how they ended.",
        _attempts,
    ),
    Family(
        "twintrack_attempts_in_flight", "twintrack.attempts.in_flight", "gauge", "{attempt}", ("deployment",),
        "Attempts running now.",
        _attempts_in_flight,
    ),
    Family(
        "twintrack_breaker_open", "twintrack.breaker.open", "gauge", "1", ("deployment", "worker"),
        "1 while a worker passes a deployment over because it failed, else 0.",
        _breakers,
    ),
    Family(
        "twintrack_in_flight", "twintrack.in_flight", "gauge", "{request}", (),
        "Requests running now.",
        _one(lambda scene: scene.counters.in_flight),
    ),
    Family(
        "twintrack_connections", "twintrack.connections", "gauge", "{connection}", (),
        "Client connections open now.",
        _one(lambda scene: scene.counters.connections),
    ),
    Family(
        "twintrack_snapshot_generation", "twintrack.snapshot.generation", "gauge", "1", (),
        "Oldest configuration any worker serves.",
        _one(lambda scene: scene.counters.generation),
    ),
    Family(
        "twintrack_ready", "twintrack.ready", "gauge", "1", (),
        "1 when every worker serves the newest configuration and can write its journal, as /readyz says.",
        _one(lambda scene: int(scene.ready)),
    ),
    Family(
        "twintrack_deployment_info", "", "gauge", "1",
        ("deployment", "model", "provider", "zone", "region", "simulated"),
        "Always 1: what is known of each deployment, to join by its name.",
        _info,
    ),
    Family(
        "gen_ai_client_operation_duration_seconds", "gen_ai.client.operation.duration", "histogram", "s",
        (*_GEN_AI, "error_type"),
        "From the dispatch of an attempt to its end. Error type is absent where it went well, else client_left, "
        "timeout, connection, lost, 429 or a class of status like 5xx.",
        _durations, SECONDS, 1e-6, "ledger",
    ),
    Family(
        "gen_ai_client_operation_time_to_first_chunk_seconds", "gen_ai.client.operation.time_to_first_chunk",
        "histogram", "s", _GEN_AI,
        "From the dispatch of a streamed attempt to its first content.",
        _first_chunks, SECONDS, 1e-6, "ledger",
    ),
    Family(
        "gen_ai_client_token_usage", "gen_ai.client.token.usage", "histogram", "{token}",
        (*_GEN_AI, "gen_ai_token_type"),
        "Tokens of an attempt as they are charged; cached ones are among the input.",
        _token_usage, TOKENS, 1.0, "ledger",
    ),
    Family(
        "twintrack_tokens_total", "twintrack.tokens", "counter", "{token}", ("deployment", "kind"),
        "Tokens. Kind: input, output; of the input cache_read and cache_write, of the output reasoning.",
        _tokens, source="ledger",
    ),
    Family(
        "twintrack_cost_usd_total", "twintrack.cost", "counter", "USD", ("deployment", "purpose", "simulated"),
        "Cost of attempts charged by the token, in dollars. Purpose: answer, or retry for every attempt behind the "
        "first.",
        _cost, source="ledger",
    ),
    Family(
        "twintrack_engine_usd_total", "twintrack.engine.cost", "counter", "USD", ("deployment", "simulated"),
        "Cost of engines charged by the hour while the gateway was up, idle hours included.",
        _engines, source="ledger",
    ),
    Family(
        "twintrack_unpriced_total", "twintrack.unpriced", "counter", "{attempt}", ("deployment",),
        "Attempts whose cost is unknown.",
        _unpriced, source="ledger",
    ),
    Family(
        "twintrack_baseline_usd_total", "twintrack.baseline.cost", "counter", "USD", ("route", "paid", "simulated"),
        "What the baseline would have cost, for the attempts where that and their own cost are known. Paid: how the "
        "one that answered is charged, by token or hour.",
        _baseline, source="ledger",
    ),
    Family(
        "twintrack_compared_usd_total", "twintrack.compared.cost", "counter", "USD", ("route", "simulated"),
        "What those of them that are charged by the token did cost. Savings: baseline less this less engines.",
        _compared, source="ledger",
    ),
    Family(
        "twintrack_ledger_behind_seconds", "twintrack.ledger.behind", "gauge", "s", (),
        "How long ago the ledger last held everything that was journalled.",
        _one(_behind_s), source="both",
    ),
    Family(
        "twintrack_journal_files", "twintrack.journal.files", "gauge", "{file}", (),
        "Journal segments on disk; more than a few for each worker wait to be stored.",
        _one(lambda scene: scene.journal_files), source="both",
    ),
    Family(
        "twintrack_data_free_bytes", "twintrack.data.free", "gauge", "By", (),
        "Free space on the data folder's disk.",
        _one(lambda scene: scene.free_bytes), source="both",
    ),
    Family(
        "twintrack_ledger_records_total", "twintrack.ledger.records", "counter", "{record}", (),
        "Records stored in the ledger.",
        _one(lambda scene: scene.counters.rows), source="ledger",
    ),
    Family(
        "twintrack_ledger_problems_total", "twintrack.ledger.problems", "counter", "{problem}", (),
        "What could not be read from a journal; the log says what was done about it.",
        _one(lambda scene: scene.counters.problems), source="ledger",
    ),
    Family(
        "twintrack_spans_total", "twintrack.spans", "counter", "{span}", ("result",),
        "Spans. Result: sent, failed (the collector did not take them), dropped (the queue was full).",
        _by_word(lambda counters: counters.spans), source="ledger",
    ),
    Family(
        "twintrack_process_resident_bytes", "twintrack.process.resident", "gauge", "By", ("process",),
        "Memory of each process.",
        _resident, source="both",
    ),
    Family(
        "twintrack_process_open_files", "twintrack.process.open_files", "gauge", "{file}", ("process",),
        "Open files and sockets of each process.",
        _open_files, source="both",
    ),
    Family(
        "twintrack_process_cpu_seconds_total", "twintrack.process.cpu", "counter", "s", ("process",),
        "Processor time of each process since it was started.",
        _cpu, source="both",
    ),
    Family(
        "twintrack_counts_left_out", "twintrack.counts.left_out", "gauge", "{process}", (),
        "Processes that count more deployments and routes than there is room for, so that what has such labels is "
        "missing here; the ledger has it all.",
        _one(lambda scene: scene.counters.left_out), source="both",
    ),
)  # fmt: skip
