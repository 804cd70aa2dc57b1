"""twintrack catalog update and undo: nothing changes before it was shown, and everything can be taken back."""

from __future__ import annotations

import datetime
import http.server
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from twintrack.catalog import prices, revisions
from twintrack.catalog.own import OwnRows, bill
from twintrack.catalog.pricing import case_usd

TODAY = datetime.datetime.now(datetime.UTC).date()

CONTRACT = """
[[prices]]
provider = "openai"
model = "gpt-4o"
from = 2026-01-01
input_usd_per_mtok = 2
output_usd_per_mtok = 8
source = "contract 7"
as_of = "2026-11-01"

[[discounts]]
provider = "anthropic"
models = ["claude-haiku-*"]
share = 0.2
from = "2026-01-01"
source = "contract 8"
as_of = "2026-11-01"

[[commitments]]
provider = "anthropic"
usd_per_month = 5000
from = "2026-01-01"
source = "contract 8"
as_of = "2026-11-01"

[[credits]]
provider = "openai"
usd = 10000
from = "2026-01-01"
until = "2030-12-31"
source = "startup programme"
as_of = "2026-11-01"
"""

CONFIG = """
[[providers]]
name = "openai"
key = "env:OPENAI_API_KEY"

[[providers]]
name = "groq"
key = "env:GROQ_API_KEY"

[[deployments]]
model = "gpt-4o"
provider = "openai"

[[deployments]]
model = "llama-3.3-70b-instruct"
provider = "groq"

[routes.auto]
tiers = [
  { name = "balanced", deployments = ["llama-3.3-70b-instruct@groq"] },
  { name = "premium", deployments = ["gpt-4o@openai"] },
]

[routes.cheap]
tiers = [{ name = "balanced", deployments = ["llama-3.3-70b-instruct@groq"] }]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "contract.toml"
    path.write_text(CONTRACT)
    return str(path)


@pytest.fixture
def data(tmp_path):
    return str(tmp_path / "data")


def held(data: str) -> prices.Prices:
    """The prices a gateway with this data folder has."""
    return prices.load(f"{data}/prices.json", on=TODAY)


def test_without_yes_nothing_is_changed_but_everything_shown(cli, file, data):
    ran = cli("catalog", "update", file, "--data", data)
    assert ran.code == 1
    assert "gpt-4o" in ran.out
    assert "2.5" in ran.out
    assert "Nothing was changed" in ran.err
    assert revisions.current(data).number == 0


def test_a_dry_run_is_no_failure_and_changes_nothing(cli, file, data):
    assert cli("catalog", "update", file, "--data", data, "--dry-run").code == 0
    assert revisions.current(data).number == 0


def test_own_rows_hold_for_the_gateway_and_for_bills_until_they_are_taken_back(cli, file, data):
    listed = held(data).find("openai", "gpt-4o").input_nusd_per_mtok
    assert cli("catalog", "update", file, "--data", data, "--yes").code == 0
    assert held(data).find("openai", "gpt-4o").input_nusd_per_mtok == 2_000_000_000
    assert "contract 7" in held(data).find("openai", "gpt-4o").source
    haiku = held(data).find("anthropic", "claude-haiku-4-5")
    assert (haiku.input_nusd_per_mtok, haiku.output_nusd_per_mtok) == (800_000_000, 4_000_000_000)
    assert held(data).find("groq", "openai/gpt-oss-120b") is not None  # the rest is the list's
    ran = cli("catalog", "undo", "--data", data)
    assert "what ships" in ran.out
    assert held(data).find("openai", "gpt-4o").input_nusd_per_mtok == listed


def test_the_routes_that_are_touched_are_named(cli, file, data, tmp_path):
    config = tmp_path / "twintrack.toml"
    config.write_text(CONFIG)
    ran = cli("catalog", "update", file, "--data", data, "--config", str(config), "--dry-run", "--json")
    difference = json.loads(ran.out)
    assert difference["routes"] == ["auto"]
    assert difference["deployments"] == ["gpt-4o@openai"]
    assert difference["imported"] is False
    change = next(each for each in difference["changes"] if (each["provider"], each["model"]) == ("openai", "gpt-4o"))
    assert (change["input_before"], change["input_after"]) == (2.5, 2)


def test_a_set_replaces_the_one_of_its_name_and_others_stay(cli, file, data, tmp_path):
    cli("catalog", "update", file, "--data", data, "--yes")
    other = tmp_path / "other.toml"
    other.write_text(CONTRACT.replace("input_usd_per_mtok = 2\n", "input_usd_per_mtok = 1\n"))
    cli("catalog", "update", str(other), "--data", data, "--yes", "--set", "contract")
    assert [each.name for each in revisions.current(data).sets] == ["contract"]
    assert held(data).find("openai", "gpt-4o").input_nusd_per_mtok == 1_000_000_000
    cli("catalog", "update", str(other), "--data", data, "--yes")
    assert [each.name for each in revisions.current(data).sets] == ["contract", "other"]
    cli("catalog", "undo", "--data", data)
    cli("catalog", "undo", "--data", data)
    assert held(data).find("openai", "gpt-4o").input_nusd_per_mtok == 2_000_000_000
    assert "contract.toml" in cli("catalog", "update", "--data", data).out


def test_there_is_an_end_to_undoing(cli, data):
    ran = cli("catalog", "undo", "--data", data)
    assert ran.code == 4
    assert "There is nothing to undo" in ran.err


def test_a_newer_price_list_is_imported_whole_and_its_file_is_checked(cli, data, tmp_path):
    table = json.loads(Path(prices.data_path("prices.json")).read_text())
    for model in table["providers"]["groq"]:
        for listing in model[1]:
            for tier in listing[1]:
                tier[1] *= 2
    file = tmp_path / "newer.json"
    file.write_text(json.dumps(table))
    before = held(data).find("groq", "llama-3.3-70b-versatile")
    ran = cli("catalog", "update", str(file), "--data", data, "--yes")
    assert ran.code == 0
    assert held(data).find("groq", "llama-3.3-70b-versatile").input_nusd_per_mtok == 2 * before.input_nusd_per_mtok
    table["schema"] = 99
    file.write_text(json.dumps(table))
    ran = cli("catalog", "update", str(file), "--data", data, "--yes")
    assert ran.code != 0
    assert "layout 99" in ran.err
    assert held(data).find("groq", "llama-3.3-70b-versatile").input_nusd_per_mtok == 2 * before.input_nusd_per_mtok


def price_data(*providers: str) -> str:
    """As genai-prices publishes it."""
    model = {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 3, "output_mtok": 12}}
    return json.dumps([{"id": name, "name": name, "api_pattern": name, "models": [model]} for name in providers])


def test_price_data_of_genai_prices_are_compiled(cli, data, tmp_path):
    file = tmp_path / "data.json"
    file.write_text(price_data("openai", "mistral"))
    ran = cli("catalog", "update", str(file), "--data", data, "--yes")
    assert ran.code == 0, ran.err
    assert held(data).find("openai", "gpt-4o").input_nusd_per_mtok == 3_000_000_000
    assert held(data).find("openai", "o3") is None  # the new list is the whole list
    file.write_text(price_data("openai"))
    ran = cli("catalog", "update", str(file), "--data", data, "--yes")
    assert ran.code != 0
    assert "'mistral' has no price list" in ran.err


@pytest.fixture
def address() -> Iterator[str]:
    """Where a server hands out the contract and nothing else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/contract.toml"
            self.send_response(200 if found else 404)
            self.end_headers()
            if found:
                self.wfile.write(CONTRACT.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_the_address_that_was_named_is_fetched(cli, address, data):
    assert cli("catalog", "update", f"{address}/contract.toml", "--data", data, "--yes").code == 0
    assert revisions.current(data).sets[0].source == f"{address}/contract.toml"
    ran = cli("catalog", "update", f"{address}/nothing", "--data", data, "--yes")
    assert ran.code != 0
    assert "cannot be fetched" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[prices]]", "[[price]]", "there is no table 'price'. Did you mean prices?"),
        ('provider = "openai"', 'provider = "opnai"', "there is no provider 'opnai'. Did you mean openai?"),
        ("input_usd_per_mtok = 2", "input_usd_per_mtok = -2", "input_usd_per_mtok is -2"),
        ("share = 0.2", "share = 20", "Write 0.15 for fifteen percent off"),
        ('as_of = "2026-11-01"', 'as_of = "November"', "Write a day as 2026-11-30"),
        ("usd = 10000", "euro = 10000", "euro"),
        ("[[prices]]", "[[prices", "is no set of facts"),
    ],
)
def test_a_wrong_set_is_refused_with_its_place(cli, tmp_path, data, old, new, words):
    file = tmp_path / "wrong.toml"
    file.write_text(CONTRACT.replace(old, new, 1))
    ran = cli("catalog", "update", str(file), "--data", data, "--yes")
    assert ran.code != 0
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert revisions.current(data).number == 0


def test_cases_are_priced_with_imported_rows(cli, file, data, tmp_path):
    cli("catalog", "update", file, "--data", data, "--yes")
    case = {"provider": "openai", "model": "gpt-4o", "timestamp": "2026-11-20T12:00:00Z"}
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({"cases": [{**case, "input_tokens": 1_000_000, "output_tokens": 0}]}))
    assert json.loads(cli("catalog", "price", str(cases), "--data", data, "--json").out)["cases"][0]["usd"] == 2
    assert case_usd({**case, "input_tokens": 1_000_000, "output_tokens": 0}, OwnRows()).usd == Decimal("2.5")


def test_a_commitment_is_paid_unused_and_a_credit_is_spent_first(cli, file, data):
    cli("catalog", "update", file, "--data", data, "--yes")
    rows = revisions.current(data).rows
    month = datetime.date(2026, 11, 1)
    little = bill(rows, "anthropic", 1200, month)
    assert (little.owed_usd, little.unused_usd) == (5000, 3800)
    assert bill(rows, "anthropic", 7000, month).owed_usd == 7000
    first = bill(rows, "openai", 6000, month)
    assert (first.owed_usd, first.credit_left_usd) == (0, 4000)
    assert bill(rows, "openai", 6000, month, credit_spent_usd=6000).owed_usd == 2000
    assert bill(rows, "openai", 6000, datetime.date(2031, 1, 1)).owed_usd == 6000  # credits expire


def test_a_folder_that_cannot_be_read_is_said_and_not_passed_over(cli, file, data):
    cli("catalog", "update", file, "--data", data, "--yes")
    Path(data, "catalog", "0001.json").write_text("{")
    ran = cli("catalog", "update", "--data", data)
    assert ran.code == 4
    assert "cannot be used" in ran.err
