"""What the processes of a gateway have counted: values that add up, and travel as bytes over the board.

Workers count what an alarm needs, at the moment it happens. What a request used and cost, the control plane counts as
it stores the ledger's rows, so the request path does not pay for it; it is there a second later.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from twintrack.telemetry.buckets import Histogram, empty

_Key = TypeVar("_Key")

RequestKind = tuple[str, str, str, str]
"""(route, tier, data class, outcome); route and tier are empty where the client named the deployment."""


class Pulse(msgspec.Struct, array_like=True):
    """One deployment as the workers see it."""

    outcomes: dict[str, int] = {}
    in_flight: int = 0


class Process(msgspec.Struct, array_like=True):
    """One process of ours."""

    resident_bytes: int = 0
    open_files: int = 0
    cpu_ms: int = 0


class Use(msgspec.Struct, array_like=True):
    """Finished attempts of one kind at one deployment."""

    input_tokens: Histogram
    output_tokens: Histogram
    first_chunk_us: Histogram
    durations_us: dict[str, Histogram]
    """By class of error; empty where it went well."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: dict[str, int] = {}
    """By purpose."""
    unpriced: int = 0
    """Attempts whose cost is unknown."""

    def plus(self, other: Use) -> Use:
        return Use(
            self.input_tokens.plus(other.input_tokens),
            self.output_tokens.plus(other.output_tokens),
            self.first_chunk_us.plus(other.first_chunk_us),
            {
                error: self.durations_us.get(error, empty()).plus(other.durations_us.get(error, empty()))
                for error in {**self.durations_us, **other.durations_us}
            },
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            _added(self.cost_nusd, other.cost_nusd),
            self.unpriced + other.unpriced,
        )


def no_use() -> Use:
    return Use(empty(), empty(), empty(), {}, cost_nusd={})


UseKind = tuple[str, str, str, str, bool]
"""(deployment, operation, provider and model as the conventions name them, simulated)"""


class Money(msgspec.Struct, array_like=True):
    """Of a route: what its attempts cost, and what the baseline would have, where both are known."""

    cost_nusd: int = 0
    baseline_nusd: int = 0
    hourly_baseline_nusd: int = 0
    """Of attempts at engines that are paid by the hour; their cost is the engines'."""

    def plus(self, other: Money) -> Money:
        return Money(
            self.cost_nusd + other.cost_nusd,
            self.baseline_nusd + other.baseline_nusd,
            self.hourly_baseline_nusd + other.hourly_baseline_nusd,
        )


class Promise(msgspec.Struct, array_like=True):
    """How a route with a fitted router stands, over its last requests."""

    surplus: float = 0.0
    """Expected good answers beyond `keep_quality` of the last tier's; see `policy/controller.py`."""
    sd: float = 0.0
    """What verdicts leave open of it."""
    best: float = 0.0
    """Expected good answers of the last tier."""
    keep: float = 0.0
    pressure: float = 0.0
    """Of a budget."""

    def plus(self, other: Promise) -> Promise:
        # All workers rest on the same verdicts: their errors do not cancel out.
        surplus, sd, best = self.surplus + other.surplus, self.sd + other.sd, self.best + other.best
        return Promise(surplus, sd, best, max(self.keep, other.keep), max(self.pressure, other.pressure))


class Counters(msgspec.Struct, array_like=True):
    """All of it; a process fills in its own part."""

    # ---- now
    generation: int = 0
    in_flight: int = 0
    connections: int = 0
    breakers: dict[tuple[str, str], int] = {}
    """By deployment and worker: 1 while it is passed over."""
    processes: dict[str, Process] = {}
    left_out: int = 0
    """Processes that have more to show than the board holds, so that their labelled counts are missing."""
    promises: dict[str, Promise] = {}
    """By route."""
    stored_until_ns: int = 0
    """When the ledger last held everything, on the monotonic clock; 0: not since the start."""
    # ---- of workers
    overhead_ns: Histogram = msgspec.field(default_factory=empty)
    requests: dict[RequestKind, int] = {}
    failovers: dict[str, int] = {}
    """By reason."""
    refusals: dict[str, int] = {}
    """Requests sent to nobody, by error code."""
    overrides: dict[str, int] = {}
    """Requests whose class an operator lowered, by the class that held."""
    screened: dict[tuple[str, str], int] = {}
    """Requests that were read, by the class found and by mode."""
    screened_ns: int = 0
    """Time that took."""
    verdicts: dict[str, int] = {}
    """Taken on earlier answers, by source."""
    pulses: dict[str, Pulse] = {}
    # ---- of the control plane
    uses: dict[UseKind, Use] = {}
    money: dict[tuple[str, bool], Money] = {}
    """By route and whether it is simulated."""
    engines_nusd: dict[tuple[str, bool], int] = {}
    """Hours of engines, idle ones included, by deployment and whether it is simulated."""
    rows: int = 0
    """Records stored in the ledger."""
    problems: int = 0
    spans: dict[str, int] = {}
    """By what became of them."""

    def plus(self, other: Counters) -> Counters:
        """Both together; the generation is the older one, so that a reload shows when all workers have it."""
        pulses = dict(self.pulses)
        for name, pulse in other.pulses.items():
            before = pulses.get(name, Pulse())
            pulses[name] = Pulse(_added(before.outcomes, pulse.outcomes), before.in_flight + pulse.in_flight)
        uses = dict(self.uses)
        for kind, use in other.uses.items():
            uses[kind] = uses[kind].plus(use) if kind in uses else use
        promises = dict(self.promises)
        for name, promise in other.promises.items():
            promises[name] = promises[name].plus(promise) if name in promises else promise
        money = dict(self.money)
        for route, sums in other.money.items():
            money[route] = money.get(route, Money()).plus(sums)
        return Counters(
            generation=min(self.generation or other.generation, other.generation or self.generation),
            in_flight=self.in_flight + other.in_flight,
            connections=self.connections + other.connections,
            breakers={**self.breakers, **other.breakers},
            processes={**self.processes, **other.processes},
            left_out=self.left_out + other.left_out,
            promises=promises,
            stored_until_ns=max(self.stored_until_ns, other.stored_until_ns),
            overhead_ns=self.overhead_ns.plus(other.overhead_ns),
            requests=_added(self.requests, other.requests),
            failovers=_added(self.failovers, other.failovers),
            refusals=_added(self.refusals, other.refusals),
            overrides=_added(self.overrides, other.overrides),
            screened=_added(self.screened, other.screened),
            screened_ns=self.screened_ns + other.screened_ns,
            verdicts=_added(self.verdicts, other.verdicts),
            pulses=pulses,
            uses=uses,
            money=money,
            engines_nusd=_added(self.engines_nusd, other.engines_nusd),
            rows=self.rows + other.rows,
            problems=self.problems + other.problems,
            spans=_added(self.spans, other.spans),
        )

    def past(self) -> Counters:
        """Without what was true of that moment only: what a process that is started again goes on from."""
        return msgspec.structs.replace(
            self,
            generation=0,
            in_flight=0,
            connections=0,
            breakers={},
            processes={},
            left_out=0,
            promises={},
            pulses={name: Pulse(pulse.outcomes) for name, pulse in self.pulses.items()},
        )

    def shortened(self) -> Counters:
        """What is left where all would not fit: what has no labels. It says that it is not all."""
        return Counters(
            generation=self.generation,
            in_flight=self.in_flight,
            connections=self.connections,
            processes=self.processes,
            left_out=1,
            stored_until_ns=self.stored_until_ns,
            overhead_ns=self.overhead_ns,
            failovers=self.failovers,
            refusals=self.refusals,
            overrides=self.overrides,
            screened=self.screened,
            screened_ns=self.screened_ns,
            verdicts=self.verdicts,
            rows=self.rows,
            problems=self.problems,
            spans=self.spans,
        )


_DECODER = msgspec.msgpack.Decoder(Counters)


def decoded(payload: bytes) -> Counters:
    return _DECODER.decode(payload) if payload else Counters()


def encoded(counters: Counters, most_bytes: int) -> bytes:
    """As bytes, or a shortened one where there are too many."""
    payload = msgspec.msgpack.encode(counters)
    return payload if len(payload) <= most_bytes else msgspec.msgpack.encode(counters.shortened())


def _added(one: dict[_Key, int], two: dict[_Key, int]) -> dict[_Key, int]:
    sums = dict(one)
    for key, count in two.items():
        sums[key] = sums.get(key, 0) + count
    return sums
