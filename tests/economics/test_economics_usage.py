"""Exports, invoices, logs and the ledger become measured inputs; what does not match is added up and said."""

from __future__ import annotations

import json
from pathlib import Path

import ledger_records as records
import pytest
from click.testing import CliRunner

from twintrack.cli import command
from twintrack.economics import workload_file
from twintrack.economics.inputs import BadWorkload
from twintrack.economics.usage import measured
from twintrack.economics.usage.formats import formats, invoices
from twintrack.economics.usage.read import Usage, read

OPENAI_CSV = """start_time,end_time,num_model_requests,model,input_tokens,output_tokens,input_cached_tokens
1788220800,1788307200,1000,gpt-4o-2024-08-06,800000,300000,200000
1788307200,1788393600,1000,gpt-4o-2024-08-06,800000,300000,200000
1788307200,1788393600,0,,,,
"""
OPENAI_JSON = json.dumps({
    "object": "page",
    "data": [{
        "object": "bucket", "start_time": 1788220800, "end_time": 1788307200,
        "results": [{"object": "organization.usage.completions.result", "input_tokens": 800000, "output_tokens": 300000,
                     "input_cached_tokens": 0, "num_model_requests": 1000, "model": "gpt-4o"}],
    }],
})  # fmt: skip
ANTHROPIC = """usage_date_utc,model_version,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,\
usage_input_tokens_cache_read,usage_output_tokens,requests
2026-11-01,claude-sonnet-4-6,500000,100000,400000,200000,500
2026-11-02,claude-sonnet-4-6,500000,100000,400000,200000,500
"""
OPENROUTER = """created_at,model_permaslug,prompt_tokens,completion_tokens,cost_total
2026-11-01T10:00:00Z,openai/gpt-4o,900,100,0.003
2026-11-01T11:30:00Z,meta-llama/llama-3.3-70b-instruct,900,100,0.001
"""
LITELLM = "\n".join(
    json.dumps({
        "request_id": f"r{into}", "startTime": f"2026-11-0{day}T10:00:00", "model": "gpt-4o", "prompt_tokens": into,
        "completion_tokens": out, "spend": 0.0033,
    })
    for day, into, out in ((1, 900, 100), (2, 1100, 300))
)  # fmt: skip
BEDROCK = """lineItem/UsageStartDate,lineItem/UsageType,lineItem/UsageAmount,lineItem/UnblendedCost,pricing/unit
2026-11-01T00:00:00Z,USE1-Claude3Sonnet-input-tokens,800,2.4,1K tokens
2026-11-01T00:00:00Z,USE1-Claude3Sonnet-output-tokens,300,4.5,1K tokens
2026-11-02T00:00:00Z,USE1-DataTransfer-Out-Bytes,12,1.08,GB
"""
AZURE = """Date,MeterName,Quantity,UnitOfMeasure,CostInBillingCurrency
11/01/2026,gpt-4o-0806-Inp-glbl Tokens,800,1K,2.0
11/01/2026,gpt-4o-0806-Outp-glbl Tokens,300,1K,3.0
11/01/2026,gpt-4o-0806-cchd-Inp-glbl Tokens,200,1K,0.25
11/02/2026,Standard HDD Managed Disk,1,1/Month,7.5
"""
OPENAI_COSTS = """start_time,line_item,amount_value,quantity
1788220800,"gpt-4o-2024-08-06, input",2.0,800000
1788220800,"gpt-4o-2024-08-06, output",3.0,300000
1788220800,"web search tool calls",1.5,150
"""
LOG = "timestamp,model,input_tokens,output_tokens\n" + "".join(
    f"2026-11-{day:02}T{hour:02}:{minute:02}:00Z,gpt-4o,{1000 if minute else 3000},200\n"
    for day in (1, 2, 3)
    for hour in range(24)
    for minute in range(0, 60, 5 if 9 <= hour < 17 else 30)
)


def usage_of(tmp_path: Path, text: str) -> Usage:
    path = tmp_path / "usage.csv"
    path.write_text(text)
    return read(path)


@pytest.mark.parametrize(
    ("text", "layout", "into", "out", "cached", "requests"),
    [
        (OPENAI_CSV, "OpenAI usage", 1.6e6, 6e5, 4e5, 2000),
        (OPENAI_JSON, "OpenAI usage", 8e5, 3e5, 0, 1000),
        (ANTHROPIC, "Anthropic usage", 2e6, 4e5, 8e5, 1000),
        (OPENROUTER, "OpenRouter activity", 1800, 200, 0, 2),
        (LITELLM, "LiteLLM spend logs", 2000, 400, 0, 2),
        (BEDROCK, "AWS cost and usage report", 8e5, 3e5, 0, None),
        (AZURE, "Azure cost details", 1e6, 3e5, 2e5, None),
        (OPENAI_COSTS, "OpenAI costs", 8e5, 3e5, 0, None),
    ],
)
def test_each_layout_is_known_by_its_columns(tmp_path, text, layout, into, out, cached, requests):
    usage = usage_of(tmp_path, text)
    assert usage.layout == layout
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (into, out, cached)
    assert usage.requests == requests


@pytest.mark.parametrize(("text", "usd"), [(BEDROCK, 1.08), (AZURE, 7.5), (OPENAI_COSTS, 1.5)])
def test_lines_that_are_no_tokens_are_added_up_and_said(tmp_path, text, usd):
    usage = usage_of(tmp_path, text)
    assert usage.unmatched.lines == 1
    assert usage.unmatched.usd == pytest.approx(usd)
    counted = measured.from_usage(usage, "bill.csv")
    assert f"1 lines with ${usd:.2f}" in counted.notes[-1]


def test_models_are_named_as_the_catalogue_does(tmp_path):
    assert set(usage_of(tmp_path, OPENROUTER).by_model) == {"gpt-4o", "llama-3.3-70b-instruct"}
    assert set(usage_of(tmp_path, AZURE).by_model) == {"gpt-4o"}


def test_a_log_measures_volume_lengths_and_peak(tmp_path):
    counted = measured.from_usage(usage_of(tmp_path, LOG), "log.csv")
    per_day = 8 * 12 + 16 * 2
    assert counted.inputs["requests_per_day"].value == pytest.approx(per_day)
    assert counted.inputs["peak_to_mean"].value == pytest.approx(12 / (per_day / 24))
    assert all(one.origin == "measured" for one in counted.inputs.values())
    assert len(counted.lengths) == 2
    assert sum(cell.share for cell in counted.lengths) == pytest.approx(1)


def test_an_invoice_measures_volume_and_mix_but_not_lengths(tmp_path):
    counted = measured.from_usage(usage_of(tmp_path, AZURE), "azure.csv")
    built = workload_file.build({}, counted)
    assert built.inputs["input_tokens"].origin == "assumed"
    tokens_in = built["requests_per_day"] * built["input_tokens"]
    assert tokens_in == pytest.approx(1e6)
    assert built["requests_per_day"] * built["output_tokens"] == pytest.approx(3e5)


def test_what_is_stated_wins_over_what_is_measured(tmp_path):
    counted = measured.from_usage(usage_of(tmp_path, OPENAI_CSV), "usage.csv")
    built = workload_file.build({"traffic": {"output_tokens": 500}}, counted)
    assert built.inputs["output_tokens"].origin == "stated"
    assert built.inputs["input_tokens"].origin == "measured"


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\n1,2\n", "no known layout"), ("", "no rows"), ("{broken", "is no JSON"),
     ("model,input_tokens,output_tokens\ngpt-4o,10,10\n", "has no times")],
)  # fmt: skip
def test_what_cannot_be_read_is_said(tmp_path, text, said):
    with pytest.raises(BadWorkload) as caught:
        measured.from_usage(usage_of(tmp_path, text), "usage.csv")
    assert said in str(caught.value)


def test_every_layout_says_where_its_columns_were_read():
    assert all(each.source and each.as_of for each in (*formats(), *invoices()))


def test_the_command_takes_an_export_and_shows_what_did_not_match(tmp_path):
    path = tmp_path / "azure.csv"
    path.write_text(AZURE)
    run = CliRunner().invoke(command, ["plan", "--usage", str(path), "--json", "--no-draws"])
    assert run.exit_code == 0, run.output
    made = json.loads(run.output)
    assert "gpt-4o" in {option["model"] for option in made["options"]}
    assert any("$7.50" in note for note in made["workload"]["notes"])


def test_a_row_whose_tokens_make_no_sense_is_shown_and_not_counted(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "timestamp,model,input_tokens,output_tokens\n"
        "2026-11-01T10:00:00Z,gpt-4o,900,100\n"
        "2026-11-01T11:00:00Z,gpt-4o,-500,700\n"
        "2026-11-01T12:00:00Z,gpt-4o,800,\n"
    )
    usage = read(path)
    assert (usage.input_tokens, usage.output_tokens) == (900, 100)
    assert usage.unmatched.lines == 2


# ---- the gateway's own ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Two days: one request an hour, ten at noon; nine in ten on the managed tier."""
    books = records.Books(tmp_path / "data")
    n = 0
    for hour in range(48):
        for _ in range(10 if hour % 24 == 12 else 1):
            n += 1
            at_us = records.T0 + hour * records.HOUR_US + n * 1_000_000
            premium = n % 10 == 0
            where = {"deployment": records.PREMIUM, "tier": 2} if premium else {}
            cost = 9_000_000 if premium else 90_000
            books.write(
                records.dispatch(f"r{n}", at_us=at_us, **where),
                records.settle(f"r{n}", at_us=at_us + 2_000_000, cache_read_tokens=203, cost_nusd=cost),
            )
    books.load()
    books.close()
    return books.path


def test_the_ledger_replaces_assumptions(ledger):
    counted = measured.from_ledger(ledger)
    inputs = counted.inputs
    assert inputs["requests_per_day"].value == pytest.approx(66 / 2)
    assert inputs["input_tokens"].value == 812
    assert inputs["output_tokens"].value == 301
    assert inputs["cached_share"].value == pytest.approx(0.25)
    assert inputs["easy_share"].value == pytest.approx(0.9, abs=0.02)
    assert inputs["peak_to_mean"].value >= 1
    assert counted.models[0] == "mid"


def test_the_command_plans_from_the_ledger(ledger):
    run = CliRunner().invoke(
        command, ["plan", "--from", "ledger", "--data", str(ledger.parent), "--json", "--no-draws"]
    )
    assert run.exit_code == 0, run.output
    made = json.loads(run.output)
    origins = {each["name"]: each["origin"] for each in made["workload"]["inputs"]}
    assert origins["input_tokens"] == origins["easy_share"] == "measured"


def test_simulated_requests_alone_are_no_traffic_and_that_is_said(tmp_path):
    books = records.Books(tmp_path / "data")
    books.write(records.dispatch("r1", deployment=records.SIMULATED), records.settle("r1"))
    books.load()
    books.close()
    with pytest.raises(BadWorkload, match="simulated providers do not count"):
        measured.from_ledger(books.path)


def test_an_empty_ledger_says_what_to_do(tmp_path):
    run = CliRunner().invoke(command, ["plan", "--from", "ledger", "--data", str(tmp_path)])
    assert run.exit_code == 1
