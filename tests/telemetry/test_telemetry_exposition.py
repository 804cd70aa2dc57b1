"""Counters of all processes as one, and as Prometheus reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from metric_text import samples, value

from twintrack.config.compile import compile_snapshot
from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.server.board import MOST_BYTES, Board
from twintrack.telemetry.buckets import OVERHEAD_S, SECONDS, TOKENS, US, add_all, empty
from twintrack.telemetry.counters import Counters, Money, Process, Pulse, decoded, encoded, no_use
from twintrack.telemetry.exposition import text
from twintrack.telemetry.families import FAMILIES, Scene

CONFIG = """\
[[providers]]
name = "gpu"
api = "vllm"
url = "http://127.0.0.1:9/v1"
zone = "own"

[[deployments]]
name = "m@p"
model = "m"
provider = "gpu"
facts = { context_tokens = 8192, modalities = ["text"], tools = true }
"""


def snapshot(config: str = CONFIG) -> Snapshot:
    settings, source = parse(config, "twintrack.toml", environ={})
    return compile_snapshot(settings, source, generation=1, prices=None, secrets=lambda name: None)  # type: ignore[arg-type]


def scene(counters: Counters, config: str = CONFIG) -> Scene:
    return Scene(counters, snapshot(config), 5_000_000_000, True, 2, 1_000_000)


def full() -> Counters:
    use = no_use()
    add_all(use.first_chunk_us, US, [300_000])
    use.durations_us = {"": empty(), "429": empty()}
    add_all(use.durations_us[""], US, [2_000_000])
    add_all(use.durations_us["429"], US, [1_000])
    add_all(use.input_tokens, TOKENS, [812])
    add_all(use.output_tokens, TOKENS, [301])
    use.cost_nusd = {"answer": 1_500_000_000, "retry": 5}
    use.unpriced = 2
    overhead = empty()
    overhead.counts[3] = 4
    overhead.total = 700_000
    return Counters(
        generation=3,
        in_flight=1,
        connections=7,
        breakers={("m@p", "w0"): 1, ("m@p", "w1"): 0},
        processes={"w0": Process(30_000_000, 12, 1_500)},
        stored_until_ns=2_000_000_000,
        overhead_ns=overhead,
        requests={("auto", "small", "internal", "ok"): 5, ("", "", "public", "upstream_failed"): 1},
        failovers={"timeout": 2},
        refusals={"bad_request": 2},
        pulses={"m@p": Pulse({"ok": 4, "upstream_failed": 1}, 1)},
        uses={("m@p", "chat", "vllm", "m", False): use, ('odd"\\\n', "chat", "vllm", "m", True): no_use()},
        money={("auto", False): Money(1_000, 5_000, 7_000)},
        engines_nusd={("m@p", False): 2_000_000_000},
        rows=10,
        problems=1,
        spans={"sent": 8, "dropped": 1},
    )


def test_counters_of_two_processes_add_up() -> None:
    one = full()
    both = one.plus(full())
    assert (both.in_flight, both.connections, both.rows, both.problems) == (2, 14, 20, 2)
    assert both.requests == {("auto", "small", "internal", "ok"): 10, ("", "", "public", "upstream_failed"): 2}
    assert both.pulses["m@p"] == Pulse({"ok": 8, "upstream_failed": 2}, 2)
    assert both.money == {("auto", False): Money(2_000, 10_000, 14_000)}
    kind = ("m@p", "chat", "vllm", "m", False)
    assert both.uses[kind].cost_nusd == {"answer": 3_000_000_000, "retry": 10}
    assert (sum(both.uses[kind].input_tokens.counts), both.uses[kind].input_tokens.total) == (2, 1_624)
    assert (both.overhead_ns.counts[3], both.spans) == (8, {"sent": 16, "dropped": 2})
    assert one.plus(Counters()) == one == full()  # and nothing of it was changed


def test_a_reload_shows_when_every_worker_has_it() -> None:
    assert Counters(generation=3).plus(Counters(generation=2)).generation == 2
    assert Counters(generation=3).plus(Counters()).generation == 3  # one that has not said yet does not count


def test_a_process_that_is_started_again_goes_on_from_what_was_counted_not_from_what_was_so() -> None:
    past = full().past()
    assert (past.in_flight, past.connections, past.breakers, past.processes, past.generation) == (0, 0, {}, {}, 0)
    assert past.pulses == {"m@p": Pulse({"ok": 4, "upstream_failed": 1}, 0)}
    assert (past.requests, past.uses, past.rows) == (full().requests, full().uses, full().rows)


def test_they_travel_as_bytes() -> None:
    assert decoded(encoded(full(), MOST_BYTES)) == full()
    assert decoded(b"") == Counters()


def test_two_hundred_deployments_and_fifty_routes_have_room(tmp_path: Path) -> None:
    """With names as long as they may be, and every kind of request there is."""
    deployments = [f"{number:03}{'d' * 125}" for number in range(200)]
    routes = [f"{number:02}{'r' * 126}" for number in range(50)]
    outcomes = ("ok", "client_left", "upstream_refused", "upstream_failed", "upstream_timeout", "refused")
    use = no_use()
    big = 10**9
    use.durations_us = {error: empty() for error in ("", "429", "4xx", "5xx", "timeout", "connection", "client_left")}
    for histogram in (use.input_tokens, use.output_tokens, use.first_chunk_us, *use.durations_us.values()):
        histogram.counts = [big] * len(histogram.counts)
        histogram.total = 2**62
    worker = Counters(
        requests={
            (route, f"tier{tier}", data_class, outcome): big
            for route in routes
            for tier in range(3)
            for data_class in ("public", "internal", "confidential", "restricted")
            for outcome in outcomes
        },
        pulses={name: Pulse(dict.fromkeys(outcomes, big), 3) for name in deployments},
        breakers={(name, "w0"): 0 for name in deployments},
    )
    control = Counters(
        uses={
            (name, operation, "vllm", "m" * 128, False): use
            for name in deployments
            for operation in ("chat", "embeddings")
        },
        money={(route, False): Money(2**62, 2**62, 2**62) for route in routes},
    )
    board = Board(1, 1)
    for slot, counters in enumerate((worker, control)):
        board.write(slot, encoded(counters, MOST_BYTES))
        assert decoded(board.read(slot)) == counters
    assert len(samples(text(scene(worker.plus(control))))) > 10_000


def test_what_has_no_room_is_said_and_what_needs_none_is_still_there() -> None:
    short = decoded(encoded(full(), 400))
    assert (short.left_out, short.in_flight, short.refusals) == (1, 1, {"bad_request": 2})
    assert (short.requests, short.uses, short.pulses) == ({}, {}, {})
    assert value(samples(text(scene(short.plus(Counters())))), "twintrack_counts_left_out") == 1


def test_the_text_is_what_prometheus_reads() -> None:
    found = samples(text(scene(full())))
    assert value(found, "twintrack_requests_total", route="auto", tier="small", outcome="ok") == 5
    assert value(found, "twintrack_attempts_total", deployment="m@p") == 5
    assert value(found, "twintrack_failovers_total", reason="timeout") == 2
    assert value(found, "twintrack_breaker_open", deployment="m@p", worker="w0") == 1
    assert value(found, "twintrack_cost_usd_total", deployment="m@p", purpose="answer", simulated="false") == 1.5
    assert value(found, "twintrack_baseline_usd_total", route="auto", paid="hour") == 7e-6
    assert value(found, "twintrack_engine_usd_total") == 2
    assert value(found, "twintrack_ledger_behind_seconds") == 3
    assert value(found, "twintrack_ready") == 1
    assert value(found, "twintrack_tokens_total", kind="input") == 812
    assert value(found, "gen_ai_client_operation_duration_seconds_count", deployment="m@p") == 2
    assert value(found, "gen_ai_client_operation_duration_seconds_sum", error_type="429") == 0.001
    assert value(found, "twintrack_deployment_info", deployment="m@p", zone="own", simulated="false") == 1
    assert value(found, "twintrack_process_cpu_seconds_total", process="w0") == 1.5
    assert ("twintrack_unpriced_total", (("deployment", 'odd"\\\n'),)) in found  # escaped, and read back as it was


def test_a_metric_of_every_family_is_declared_even_before_there_is_one() -> None:
    lines = text(scene(Counters())).decode().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == [family.name for family in FAMILIES]


@pytest.mark.parametrize("bounds", [SECONDS, TOKENS, OVERHEAD_S])
def test_bounds_rise_and_all_histograms_have_as_many(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) + 1 == len(empty().counts)


@pytest.mark.parametrize(("tokens", "bound"), [(0, "1"), (1, "1"), (2, "4"), (1_048_576, "1048576"), (10**9, "+Inf")])
def test_a_number_is_in_every_bucket_from_its_own_on(tokens: int, bound: str) -> None:
    use = no_use()
    add_all(use.output_tokens, TOKENS, [tokens])
    found = samples(text(scene(Counters(uses={("m@p", "chat", "p", "m", False): use}))))
    reached = [
        dict(labels)["le"]
        for (name, labels), count in found.items()
        if name == "gen_ai_client_token_usage_bucket" and count
    ]
    assert float(min(reached, key=float)) == float(bound)


@pytest.mark.needs("promtool", reason="lints the exposition")
def test_prometheus_own_lint_finds_nothing(promtool: str) -> None:
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text(scene(full())), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stderr.decode(), checked.stdout.decode()) == (0, "", "")


def test_every_field_of_the_counters_is_added_or_chosen() -> None:
    """A field that `plus` forgets would be lost on the way to /metrics."""
    for name in Counters.__struct_fields__:
        lone = msgspec.structs.replace(Counters(), **{name: getattr(full(), name)})
        assert getattr(Counters().plus(lone), name) == getattr(full(), name), name
