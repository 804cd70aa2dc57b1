"""The dashboard and the alarms ask for metrics there are, by labels those have, and Prometheus takes each query."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from twintrack.telemetry.families import FAMILIES

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "twintrack.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
_ENDS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SERIES = {family.name + end: family for family in FAMILIES for end in _ENDS[family.kind]}
SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds."""


def panels() -> Iterator[dict[str, object]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def queries() -> dict[str, str]:
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]  # type: ignore[attr-defined]
    }
    return found | {rule["alert"]: rule["expr"] for rule in ALERTS}


@pytest.mark.parametrize("title", queries())
def test_every_query_is_about_what_there_is(title: str) -> None:
    query = queries()[title]
    asked = re.findall(r"((?:twintrack|gen_ai)_\w+)(?:\{(.*?)\})?", re.sub(r"by \([^)]*\)", "", query))
    assert asked
    labels = {"le"} if "_bucket" in query else set()
    for name, matchers in asked:
        assert name in SERIES, f"there is no {name}"
        labels |= set(SERIES[name].labels)
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            assert label in {*SERIES[name].labels, *SCRAPED}, f"{name} has no label {label}"
    for group in re.findall(r"by \(([^)]*)\)", query):
        assert {label.strip() for label in group.split(",")} <= labels | SCRAPED, group


def test_every_rate_is_of_a_counter() -> None:
    for query in queries().values():
        for name in re.findall(r"(?:rate|increase)\((\w+)", query):
            assert SERIES[name].kind in ("counter", "histogram"), name


def test_legends_name_labels_that_the_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:  # type: ignore[attr-defined]
            kept = {
                each.strip() for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for each in group.split(",")
            }
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, target


def test_money_is_never_mixed_with_what_is_simulated() -> None:
    for title, query in queries().items():
        for name, matchers in re.findall(r"(twintrack_\w+_usd_total)\{(.*?)\}", query):
            assert 'simulated="false"' in matchers, (title, name)
        assert len(re.findall(r"_usd_total", query)) == len(re.findall(r"_usd_total\{", query))


def test_panels_have_a_place_each() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_every_alarm_says_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["annotations"].keys() == {"summary", "fix"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info")


@pytest.mark.needs("promtool", reason="reads queries as Prometheus does")
def test_prometheus_takes_every_query(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m").replace("$job", ".*")}
        for number, query in enumerate(queries().values())
    ]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    for file in (tmp_path / "panels.yml", DEPLOY / "prometheus" / "alerts.yml"):
        checked = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


CALM = {
    'twintrack_ready{instance="a"}': "1x120",
    'twintrack_requests_total{instance="a",outcome="ok"}': "0+60x120",
    'twintrack_requests_total{instance="a",outcome="upstream_failed"}': "0+1x120",
    'twintrack_failovers_total{instance="a",reason="timeout"}': "0+5x120",
    'twintrack_breaker_open{instance="a",deployment="m",worker="w0"}': "0x120",
    'twintrack_overhead_seconds_bucket{instance="a",le="0.001"}': "0+60x120",
    'twintrack_overhead_seconds_bucket{instance="a",le="0.1"}': "0+60x120",
    'twintrack_overhead_seconds_bucket{instance="a",le="+Inf"}': "0+60x120",
    'twintrack_ledger_behind_seconds{instance="a"}': "1x120",
    'twintrack_ledger_problems_total{instance="a"}': "0x120",
    'twintrack_data_free_bytes{instance="a"}': "50000000000x120",
    'twintrack_unpriced_total{instance="a",deployment="m"}': "0x120",
    'twintrack_baseline_usd_total{instance="a",route="r",paid="token",simulated="false"}': "0+2x120",
    'twintrack_compared_usd_total{instance="a",route="r",simulated="false"}': "0+1x120",
    'twintrack_spans_total{instance="a",result="failed"}': "0x120",
    'twintrack_counts_left_out{instance="a"}': "0x120",
}
"""Two hours, a value a minute, of a gateway that is well."""
TROUBLE = {
    "TwintrackNotReady": {'twintrack_ready{instance="a"}': "0x120"},
    "TwintrackFailing": {'twintrack_requests_total{instance="a",outcome="upstream_failed"}': "0+10x120"},
    "TwintrackFailingOver": {'twintrack_failovers_total{instance="a",reason="timeout"}': "0+30x120"},
    "TwintrackBreakerOpen": {'twintrack_breaker_open{instance="a",deployment="m",worker="w0"}': "1x120"},
    "TwintrackSlowGateway": {'twintrack_overhead_seconds_bucket{instance="a",le="0.001"}': "0+30x120"},
    "TwintrackLedgerBehind": {'twintrack_ledger_behind_seconds{instance="a"}': "0+60x120"},
    "TwintrackLedgerProblem": {'twintrack_ledger_problems_total{instance="a"}': "0x100 1x20"},
    "TwintrackDiskFull": {'twintrack_data_free_bytes{instance="a"}': "5000x120"},
    "TwintrackCostUnknown": {'twintrack_unpriced_total{instance="a",deployment="m"}': "0+1x120"},
    "TwintrackRoutingLoses": {'twintrack_engine_usd_total{instance="a",deployment="m",simulated="false"}': "0+3x120"},
    "TwintrackSpansLost": {'twintrack_spans_total{instance="a",result="failed"}': "0+1x120"},
    "TwintrackCountsLeftOut": {'twintrack_counts_left_out{instance="a"}': "1x120"},
}


@pytest.mark.needs("promtool", reason="plays two hours to the alarms")
def test_each_alarm_rings_when_it_should_and_only_then(promtool: str, tmp_path: Path) -> None:
    assert {rule["alert"] for rule in ALERTS} == {*TROUBLE, "TwintrackAbsent"}

    def played(series: dict[str, str], ringing: str) -> dict[str, object]:
        return {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": "count by (alertname) (ALERTS{alertstate='firing'})",
                    "eval_time": "115m",
                    "exp_samples": [{"labels": f'{{alertname="{ringing}"}}', "value": 1}] if ringing else [],
                }
            ],
        }

    tests = [played(CALM, ""), played({'up{instance="a"}': "1x120"}, "TwintrackAbsent")]
    tests += [played(CALM | trouble, alert) for alert, trouble in TROUBLE.items()]
    file = tmp_path / "test.yml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(DEPLOY / "prometheus" / "alerts.yml")], "evaluation_interval": "1m", "tests": tests}
        )
    )
    checked = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
