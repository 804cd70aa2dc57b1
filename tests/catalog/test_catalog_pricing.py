"""What one request costs, to the last digit: by moment, service class and kind of token. Unknown is never 0."""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from twintrack.catalog.own import Discount, OwnPrice, OwnRows
from twintrack.catalog.pricing import case_usd
from twintrack.errors import BadRequest

NOON = "2026-11-20T12:00:00+00:00"


def usd(provider: str, model: str, timestamp: str = NOON, rows: OwnRows | None = None, **counts: object) -> Decimal:
    priced = case_usd({"provider": provider, "model": model, "timestamp": timestamp, **counts}, rows)
    assert priced.usd is not None, priced.why
    return priced.usd


@pytest.mark.parametrize(
    ("provider", "model", "counts", "expected"),
    [
        ("openai", "gpt-4o", {"input_tokens": 1_000_000, "output_tokens": 0}, "2.5"),
        ("openai", "gpt-4o", {"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 0}, "0.002"),
        ("openai", "gpt-5.4", {"input_tokens": 272_000, "output_tokens": 0}, "0.68"),  # at the threshold
        ("openai", "gpt-5.4", {"input_tokens": 272_001, "output_tokens": 0}, "1.360005"),  # beyond it, all of it
        (
            "anthropic",
            "claude-haiku-4-5",
            {"input_tokens": 10, "cache_write_tokens": 10, "output_tokens": 0},
            "0.0000125",
        ),
        (
            "anthropic",
            "claude-haiku-4-5",
            {"input_tokens": 10, "cache_write_1h_tokens": 10, "output_tokens": 0},
            "0.00002",
        ),
        ("gemini", "gemini-2.5-flash", {"input_tokens": 100, "input_audio_tokens": 100, "output_tokens": 0}, "0.0001"),
        ("openai", "gpt-5.4", {"input_tokens": 1000, "output_tokens": 1000, "batch": True}, "0.00875"),
        ("openai", "gpt-5.4", {"input_tokens": 1000, "output_tokens": 1000, "service_tier": "batch"}, "0.00875"),
        ("openai", "gpt-5.4", {"input_tokens": 1000, "output_tokens": 1000, "service_tier": "default"}, "0.0175"),
        ("aws", "amazon.nova-lite-v1:0", {"input_tokens": 1_000_000, "output_tokens": 0}, "0.06"),
        ("mistral", "codestral", {"input_tokens": 1_000_000, "output_tokens": 0}, "0.3"),  # the list's own name for it
        ("mistral", "mistral-large-latest", {"input_tokens": 1000, "output_tokens": 1000}, "0.002"),  # ours, not theirs
    ],
)
def test_each_kind_of_token_has_its_price(provider, model, counts, expected):
    assert usd(provider, model, **counts) == Decimal(expected)


@pytest.mark.parametrize(
    ("provider", "model", "day", "per_mtok"),
    [
        ("openai", "o3", "2025-06-09", "10"),
        ("openai", "o3", "2025-06-10", "2"),
        ("openai", "gpt-4o", "2024-06-01", "5"),  # at its launch
        ("openai", "gpt-4o", "2024-10-01", "5"),
        ("openai", "gpt-4o", "2024-10-02", "2.5"),
    ],
)
def test_a_price_is_the_one_of_its_day(provider, model, day, per_mtok):
    assert usd(provider, model, day, input_tokens=1_000_000, output_tokens=0) == Decimal(per_mtok)


def test_a_price_is_the_one_of_its_hour():
    peak, valley = (f"2026-11-20T{hour:02}:00:00+00:00" for hour in (2, 20))
    dear, cheap = (usd("deepseek", "deepseek-chat", at, input_tokens=1000, output_tokens=0) for at in (peak, valley))
    assert dear == 2 * cheap


def test_a_moment_is_taken_in_utc_whatever_its_offset():
    counts = {"input_tokens": 1000, "output_tokens": 0}
    assert usd("openai", "o3", "2025-06-10T01:00:00+02:00", **counts) == Decimal("0.01")  # still the ninth


@pytest.mark.parametrize(
    "names",
    [
        ("aws", "amazon-bedrock", "bedrock"),
        ("google", "gemini", "vertex"),
        ("together", "togetherai"),
        ("x-ai", "xai"),
    ],
)
def test_a_provider_is_known_by_the_names_of_other_catalogues(names):
    models = {"aws": "amazon.nova-lite-v1:0", "google": "gemini-2.5-pro", "x-ai": "grok-4.7"}
    model = models.get(names[0], "openai/gpt-oss-120b")
    assert len({usd(name, model, input_tokens=1000, output_tokens=1000) for name in names}) == 1


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"provider": "openai", "model": "gpt-44o"}, "openai lists no model 'gpt-44o'; did you mean gpt-4o?"),
        (
            {"provider": "opnai", "model": "gpt-4o"},
            "no price list of a provider 'opnai' is known; did you mean openai?",
        ),
        ({"provider": "groq", "model": "openai/gpt-oss-120b", "service_tier": "priority"}, "service_tier priority"),
    ],
)
def test_what_nobody_lists_is_unknown_and_never_nothing(case, why):
    priced = case_usd({"timestamp": NOON, "input_tokens": 1, "output_tokens": 1, **case})
    assert priced.usd is None
    assert why in priced.why


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "model is missing"),
        ({"timestamp": "yesterday"}, "timestamp is 'yesterday'"),
        ({"input_tokens": -1}, "input_tokens is -1. A count is a whole number, 0 or more"),
        ({"input_tokens": 1.5}, "input_tokens is 1.5"),
        (
            {"cached_read_tokens": 1},
            "There is no member 'cached_read_tokens' of a case. Did you mean cache_read_tokens?",
        ),
        ({"cache_read_tokens": 11}, "The counts contradict one another"),
    ],
)
def test_a_wrong_case_is_refused_by_name(change, message):
    case = {"provider": "openai", "model": "gpt-4o", "timestamp": NOON, "input_tokens": 10, "output_tokens": 1}
    with pytest.raises(BadRequest, match=re.escape(message)):
        case_usd({**case, **change})


def test_cases_two_catalogues_agree_on_are_met_to_the_last_digit():
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        pytest.skip("TWINTRACK_DATA does not name the folder with the cost cases")
    cases = json.loads(Path(folder, "catalog", "cost_cases_dev.json").read_text())["cases"]
    assert cases
    for case in cases:
        assert case_usd(case).usd == Decimal(repr(case["expected_usd"])), case


class TestOwnRows:
    SOURCE = {"source": "contract 7", "as_of": "2026-11-01"}  # noqa: RUF012 - a constant of these tests
    COUNTS = {"input_tokens": 1000, "output_tokens": 1000}  # noqa: RUF012

    def test_your_own_price_holds_from_its_day_and_before_everything_that_ships(self):
        price = OwnPrice(
            provider="openai", model="GPT-4o", since="2026-11-01", until="2026-11-25", input_usd_per_mtok=2,
            output_usd_per_mtok=8, **self.SOURCE,
        )  # fmt: skip
        rows = OwnRows(prices=(price,))
        assert usd("openai", "gpt-4o", rows=rows, **self.COUNTS) == Decimal("0.01")
        assert usd("openai", "gpt-4o", "2026-10-31", rows=rows, **self.COUNTS) == Decimal("0.0125")
        assert usd("openai", "gpt-4o", "2026-11-26", rows=rows, **self.COUNTS) == Decimal("0.0125")

    def test_a_discount_is_taken_off_whatever_the_price_is_and_the_largest_counts(self):
        small = Discount(provider="openai", share=0.1, since="2026-01-01", **self.SOURCE)
        large = Discount(provider="openai", models=("gpt-4o*",), share=0.2, since="2026-01-01", **self.SOURCE)
        rows = OwnRows(discounts=(small, large))
        assert usd("openai", "gpt-4o", rows=rows, **self.COUNTS) == Decimal("0.01")
        assert usd("openai", "o3", rows=rows, **self.COUNTS) == Decimal("0.009")
        assert usd("anthropic", "claude-haiku-4-5", rows=rows, **self.COUNTS) == Decimal("0.006")
