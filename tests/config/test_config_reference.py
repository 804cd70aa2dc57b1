"""The reference is written from the types; the explanation shows where each value came from."""

import subprocess
import sys
from datetime import date

import msgspec

from twintrack.catalog import prices
from twintrack.config import settings
from twintrack.config.explain import explain_values
from twintrack.config.load import parse
from twintrack.config.reference import reference
from twintrack.config.shape import TABLES

from .conftest import EXAMPLE


def test_every_table_has_a_section_and_every_word_a_meaning():
    text = reference()
    for header, table in TABLES:
        assert f"## `{header}`" in text or table is settings.Settings
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(table.__struct_fields__) for _, table in TABLES)
    assert all(row.split("|")[-2].strip() for row in rows)


def test_a_row_tells_range_default_and_order():
    text = reference()
    assert "| `workers` | whole number from 1 to 1024 | `1` | Data-plane processes; one per core is plenty. |" in text
    assert "| `zone` | `own`, `contracted`, `third_party` |" in text
    assert "| `name` | text | must be said | Shown in the ledger. |" in text


def test_the_command_prints_it():
    printed = subprocess.check_output([sys.executable, "-m", "twintrack.config.reference"], text=True)
    assert printed == reference()


def origins(text: str, listed: prices.Prices | None = None) -> dict[str, tuple[object, str]]:
    return {
        each.path: (each.value, each.origin)
        for each in explain_values(*parse(text, "twintrack.toml", environ=None), listed)
    }


def test_every_value_comes_with_the_line_that_says_it_or_with_what_fills_it_in():
    values = origins(EXAMPLE, prices.load(None, on=date(2026, 11, 20)))
    assert values["$.server.listen"] == ("127.0.0.1:8080", "twintrack.toml:2")
    assert values["$.server.workers"] == (1, "default")
    assert values["$.providers[0].zone"] == ("third_party", "known provider openai, 2026-11-20")
    assert values["$.providers[1].zone"] == ("own", "twintrack.toml:16")
    assert values["$.deployments[1].name"] == ("gpt-5.4@openai", "default")
    assert values["$.deployments[1].facts.context_tokens"] == (1_050_000, "catalogue, 2026-11-20")
    assert values["$.deployments[1].facts.embeddings"] == (False, "catalogue, 2026-11-20")
    assert values["$.deployments[1].price"][1] == "genai-prices 0.2.3 of 2026-11-20, price of 2026-11-20"
    assert values["$.deployments[2].facts.context_tokens"] == (8192, "twintrack.toml:32")
    assert values["$.deployments[2].facts.quality"] == (None, "default")
    assert values["$.routes.auto.tiers[1].deployments"] == (["gpt-5.4@openai"], "twintrack.toml:38")
    assert values["$.privacy.confidential.regions"] == (["eu-*"], "twintrack.toml:47")
    assert values["$.privacy.public.zones"] == (["own", "contracted", "third_party"], "default")


def test_values_can_be_written_as_json_and_hold_no_secret(monkeypatch):
    monkeypatch.setenv("TWINTRACK_KEY", "hush")
    text = msgspec.json.encode(origins(EXAMPLE)).decode()
    assert "env:TWINTRACK_KEY" in text
    assert "hush" not in text


def test_observing_shows_who_answers():
    values = origins(EXAMPLE.replace('mode = "route"', 'mode = "observe"'))
    assert values["$.routes.auto.observe"] == ("gpt-5.4@openai", "default")
