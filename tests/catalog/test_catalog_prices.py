"""List prices: from genai-prices through the compiled table."""

import datetime
import importlib.metadata
import subprocess
import sys
from datetime import UTC, date, time
from pathlib import Path

import msgspec
import pytest

from twintrack.catalog import compile_prices, prices
from twintrack.catalog.cost import nusd, reported_nusd
from twintrack.catalog.providers import providers
from twintrack.wire.usage import Usage

ON = date(2026, 11, 20)
NOW = prices.load(None, on=ON)


def shipped() -> prices.Table:
    return msgspec.json.decode(Path(prices.data_path("prices.json")).read_bytes(), type=prices.Table)


def test_the_shipped_table_is_what_the_script_makes_of_the_installed_catalogue():
    table = shipped()
    again = compile_prices.encode(compile_prices.table(table.as_of))
    assert again == Path(prices.data_path("prices.json")).read_bytes(), (
        "run: python -m twintrack.catalog.compile_prices src/twintrack/catalog/prices.json"
    )


def test_the_version_is_read_without_importing_anything():
    assert prices.installed_version() == importlib.metadata.version("genai-prices")


def test_reading_prices_never_loads_the_library_they_come_from():
    code = (
        "import sys, datetime, twintrack.config.load, twintrack.config.compile\n"
        "from twintrack.catalog import prices\n"
        "prices.load(None, on=datetime.date(2026, 11, 20)).find('openai', 'gpt-5.4')\n"
        "print(sorted({'genai_prices', 'pydantic', 'importlib.metadata', 'subprocess'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


READ_AND_WRITTEN = Usage(1_000, 500, 100, 10)
HEARD_SEEN_KEPT = Usage(1_000, 500, 0, 10, None, 10, 30, 20, 5, 7)
LONG = Usage(900_000, 70, 0, 0)
PRICED = [word for word in Usage.__struct_fields__ if word != "reasoning_tokens"]


@pytest.mark.parametrize("provider", [row.name for row in providers().values() if row.price_list])
def test_our_prices_cost_what_the_library_says(provider):
    """For every model priced by token, at noon, with a short and a very long prompt, in text, sound and images."""
    import genai_prices
    from genai_prices.data import providers as lists

    listed = next(each for each in lists if each.id == providers()[provider].price_list)
    noon = datetime.datetime.combine(ON, time(12), UTC)
    compared = 0
    for row in msgspec.json.decode(shipped().providers[provider], type=list[prices.ModelPrices]):
        name = example(row.match)
        ours, theirs = NOW.find(provider, name), listed.find_model(name)
        if ours is None or theirs is None or "dearest" in ours.source or "override" in ours.source:
            continue
        for usage in (READ_AND_WRITTEN, HEARD_SEEN_KEPT, LONG):
            if theirs.get_prices(noon).output_mtok is None:  # it embeds
                usage = msgspec.structs.replace(
                    usage, output_tokens=0, output_audio_tokens=None, output_image_tokens=None
                )
            said = {word: getattr(usage, word) for word in PRICED}
            price = theirs.calc_price(genai_prices.Usage(**said), listed, genai_request_timestamp=noon)
            assert reported_nusd(ours, usage) == nusd(price.total_price), (name, usage)
            compared += 1
    assert compared >= 6


def example(match: prices.Match) -> str:
    """A name that `match` means, but for regular expressions."""
    word = match.words[0]
    return word if isinstance(word, str) else example(word)


def test_a_dated_name_finds_the_price_of_its_model():
    assert NOW.find("anthropic", "claude-opus-4-6-20260205") == NOW.find("anthropic", "claude-opus-4-6")
    assert NOW.find("together", "META-LLAMA/llama-3.3-70b-instruct-turbo") is not None


def test_a_long_context_price_has_its_threshold():
    price = NOW.find("openai", "gpt-5.4")
    assert (price.input_nusd_per_mtok, price.long_input_tokens) == (2_500_000_000, 272_000)
    assert price.long.input_nusd_per_mtok == 5_000_000_000


def test_what_costs_more_than_text_has_its_own_price_where_one_is_listed():
    claude = NOW.find("anthropic", "claude-opus-5-5")
    assert claude.cache_write_nusd_per_mtok == 5_000_000_000
    assert claude.cache_write_1h_nusd_per_mtok == 8_000_000_000
    heard = NOW.find("openai", "gpt-audio")
    assert (heard.input_audio_nusd_per_mtok, heard.output_audio_nusd_per_mtok) == (32_000_000_000, 64_000_000_000)
    assert NOW.find("gemini", "gemini-2.5-flash-image").output_image_nusd_per_mtok == 30_000_000_000
    plain = NOW.find("groq", "llama-3.3-70b-versatile")
    assert (plain.cache_write_1h_nusd_per_mtok, plain.input_audio_nusd_per_mtok) == (None, None)


def test_anthropic_takes_twice_the_input_for_what_is_kept_an_hour():
    """So its rule, which holds for models that will be listed without that price, says what the list says today."""
    rows = msgspec.json.decode(shipped().providers["anthropic"], type=list[prices.ModelPrices])
    tiers = [tier for row in rows for listing in row.listings for tier in listing.tiers]
    assert {tier.special.cache_write_1h for tier in tiers if tier.cache_write == tier.input} == {None}
    cached = [tier for tier in tiers if tier.cache_write != tier.input]
    assert cached
    assert all(tier.special.cache_write_1h == 2 * tier.input for tier in cached)


@pytest.mark.parametrize(
    ("said", "hour"),
    [
        ({}, None),
        ({"cache_write_usd_per_mtok": 1.25}, 2_000_000_000),
        ({"cache_write_usd_per_mtok": 1.25, "cache_write_1h_usd_per_mtok": 1.5}, 1_500_000_000),
    ],
)
def test_an_override_follows_its_providers_rule_unless_it_says_more(said, hour):
    row = compile_prices.Override(
        provider="anthropic", model="m", since="", input_usd_per_mtok=1.0, output_usd_per_mtok=5.0,
        source="s", as_of="2026-11-20", why="w", **said,
    )  # fmt: skip
    rule = compile_prices.HourRule(provider="anthropic", times_input=2.0, source="s", as_of="2026-11-20")
    assert compile_prices._overridden(row, rule).listings[0].tiers[0].special.cache_write_1h == hour
    assert compile_prices._overridden(row, None).listings[0].tiers[0].special.cache_write_1h == (
        hour if "cache_write_1h_usd_per_mtok" in said else None
    )


def test_a_price_that_begins_later_holds_from_its_day():
    new_year = prices.load(None, on=date(2027, 1, 1))
    assert NOW.find("gemini", "gemini-3.8-flash").input_nusd_per_mtok == 750_000_000
    assert new_year.find("gemini", "gemini-3.8-flash").input_nusd_per_mtok == 1_500_000_000


def test_a_price_that_changes_during_the_day_is_taken_at_its_dearest_and_says_so():
    price = NOW.find("deepseek", "deepseek-v4-pro")
    assert (price.input_nusd_per_mtok, price.output_nusd_per_mtok) == (1_320_000_000, 3_960_000_000)
    assert "the dearest of the day" in price.source


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("nobody", "gpt-5.4"),
        ("vllm", "meta-llama/Llama-3.3-70B-Instruct"),
        ("openai", "whisper-1"),  # by the minute
        ("gemini", "gemma-4-31b-it"),  # listed, without a price
        ("openrouter", "meta-llama/llama-3.3-70b-instruct:free"),
    ],
)
def test_what_has_no_price_per_token_costs_unknown_never_nothing(provider, model):
    assert NOW.find(provider, model) is None


def test_an_embedding_model_has_no_price_for_output():
    price = NOW.find("openai", "text-embedding-3-small")
    assert (price.input_nusd_per_mtok, price.output_nusd_per_mtok) == (20_000_000, 0)


def test_an_override_wins_from_its_day_on_and_says_where_it_is_from():
    price = NOW.find("mistral", "mistral-large-latest")
    assert price.input_nusd_per_mtok == 500_000_000
    assert price.source.startswith("override of 2026-11-20 (")
    before = prices.load(None, on=date(2025, 12, 1)).find("mistral", "mistral-large-latest")
    assert before.source.startswith("genai-prices ")


def test_every_price_names_its_source_and_day():
    later = prices.load(None, on=date(2026, 11, 27)).find("groq", "llama-3.3-70b-versatile")
    assert later.source == f"genai-prices {NOW.version} of {NOW.as_of}, price of 2026-11-27"


@pytest.fixture
def outdated(monkeypatch, tmp_path):
    """The shipped table is of another version than the installed one, as after an upgrade."""
    old = msgspec.structs.replace(shipped(), genai_prices="0.0.1")
    (tmp_path / "prices.json").write_bytes(compile_prices.encode(old))
    real = prices.data_path
    monkeypatch.setattr(prices, "data_path", lambda name: str(tmp_path / name) if name == "prices.json" else real(name))
    return tmp_path / "cache.json"


def test_after_an_upgrade_the_table_is_made_once_and_kept(outdated, monkeypatch):
    assert prices.load(str(outdated), on=ON).version == importlib.metadata.version("genai-prices")
    monkeypatch.setattr(prices, "_compile", lambda path, on: pytest.fail("made twice"))
    assert prices.load(str(outdated), on=ON).version == importlib.metadata.version("genai-prices")
    assert [path.name for path in outdated.parent.iterdir() if path.name.startswith("cache")] == ["cache.json"]


def test_a_spoilt_cache_is_made_anew(outdated):
    outdated.write_text('{"schema": 1')
    assert prices.load(str(outdated), on=ON).version == importlib.metadata.version("genai-prices")


def test_where_no_table_can_be_made_the_shipped_one_serves(outdated):
    cache = outdated.parent / "no" / "such" / "folder.json"
    assert prices.load(str(cache), on=ON).version == "0.0.1"
    assert prices.load(None, on=ON).version == "0.0.1"
