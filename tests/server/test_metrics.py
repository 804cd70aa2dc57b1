"""Counters of all workers as one, and as Prometheus reads them."""

from __future__ import annotations

import re

from twintrack.gateway.pulse import BUCKETS_MS
from twintrack.server.metrics import Counters, PulseCount, decoded, encoded, text

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+')


def pulse(ok: int = 1, cost_nusd: int = 0) -> PulseCount:
    buckets = [0] * (len(BUCKETS_MS) + 1)
    buckets[2] = ok
    return PulseCount({"ok": ok}, 10, 20, cost_nusd, 0, buckets, 40)


def test_counters_of_two_workers_add_up() -> None:
    one = Counters(3, 5, {"timeout": 1}, 100, 2, 7, {"not_found": 1}, {"a": pulse(1, 10), "b": pulse(2)})
    two = Counters(2, 6, {}, 200, 1, 8, {"not_found": 2, "bad_request": 4}, {"a": pulse(3, 5)})

    both = one.plus(two)

    assert (both.requests, both.overhead_ns, both.in_flight, both.connections) == (11, 300, 3, 15)
    assert both.failovers == {"timeout": 1}
    assert both.refusals == {"not_found": 3, "bad_request": 4}
    assert (both.pulses["a"].outcomes, both.pulses["a"].cost_nusd, both.pulses["a"].buckets[2]) == ({"ok": 4}, 15, 4)
    assert both.pulses["b"].outcomes == {"ok": 2}
    assert both.plus(Counters()) == both


def test_a_reload_shows_when_every_worker_has_it() -> None:
    assert Counters(3).plus(Counters(2)).generation == 2
    assert Counters(3).plus(Counters(0)).generation == 3  # one that has not said yet does not count


def test_they_travel_as_bytes() -> None:
    counters = Counters(1, 2, {"broken": 3}, 4, 5, 6, {"x": 1}, {"a": pulse()})
    assert decoded(encoded(counters)) == counters
    assert decoded(b"") == Counters()


def test_the_text_is_what_prometheus_reads() -> None:
    counters = Counters(
        2, 5, {"timeout": 7}, 0, 1, 3, {"bad_request": 2}, {"m@p": pulse(4, 1_500_000_000), 'odd"\\\n': pulse()}
    )
    lines = text(counters).decode().splitlines()

    for line in lines:
        assert line.startswith("# ") or LINE.fullmatch(line), line
    assert 'twintrack_attempts_total{deployment="m@p",outcome="ok"} 4' in lines
    assert 'twintrack_cost_usd_total{deployment="m@p"} 1.5' in lines
    assert 'twintrack_refusals_total{code="bad_request"} 2' in lines
    assert 'twintrack_tokens_total{deployment="m@p",kind="output"} 20' in lines
    assert "twintrack_snapshot_generation 2" in lines
    assert 'twintrack_failovers_total{reason="timeout"} 7' in lines
    # Each family is declared once, and its samples follow it without another in between.
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    current = ""
    for line in lines:
        if line.startswith("# TYPE"):
            current = line.split()[2]
        elif not line.startswith("#"):
            assert line.startswith(current)


def test_buckets_are_cumulative_and_end_with_all() -> None:
    counters = Counters(1, pulses={"m": PulseCount({"ok": 6}, 0, 0, 0, 0, [1, 2, 3] + [0] * 12, 90)})
    lines = text(counters).decode().splitlines()
    name = "gen_ai_client_operation_duration_seconds"
    values = [int(line.split()[-1]) for line in lines if line.startswith(f"{name}_bucket")]
    assert values == [1, 3, *[6] * 13]
    assert f'{name}_bucket{{deployment="m",le="0.005"}} 1' in lines
    assert f'{name}_bucket{{deployment="m",le="+Inf"}} 6' in lines
    assert f'{name}_sum{{deployment="m"}} 0.089999999999999997' in lines
    assert f'{name}_count{{deployment="m"}} 6' in lines
