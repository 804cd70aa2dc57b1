"""Who can be asked, and how: what the rows claim, and what the loader says of a faulty one."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import msgspec
import pytest

from twintrack.catalog import facts, providers
from twintrack.catalog.providers import Provider
from twintrack.catalog.reference import reference

ROWS = list(providers.providers().values())
MANAGED = [row for row in ROWS if row.kind == "managed"]
LOCAL = [row for row in ROWS if row.kind == "local"]


def test_nobody_is_forgotten() -> None:
    wanted = """
        openai azure anthropic gemini gemini-openai together fireworks groq mistral deepseek openrouter cohere xai
        vllm sglang tgi llama.cpp ollama lmstudio litellm bedrock vertex"""

    assert set(wanted.split()) <= providers.providers().keys()


@pytest.mark.parametrize("row", MANAGED, ids=lambda row: row.name)
def test_a_managed_provider_is_a_third_party_reached_by_tls_and_promises_no_region(row: Provider) -> None:
    assert (row.zone, row.region) == ("third_party", "")
    assert all(url.startswith("https://") for url in (row.url or row.url_hint, *row.region_urls.values()))
    assert row.key_env or row.auth != "key"


@pytest.mark.parametrize("row", LOCAL, ids=lambda row: row.name)
def test_a_server_listens_on_this_machine_without_a_key(row: Provider) -> None:
    assert row.url.startswith("http://127.0.0.1:")
    assert not row.key_env
    assert row.zone == ("third_party" if row.name == "litellm" else "own")


@pytest.mark.parametrize(
    ("name", "dialects", "header", "counts"),
    [
        ("openai", ("openai", "responses"), "authorization", False),
        ("azure", ("openai", "responses"), "api-key", False),
        ("azure-anthropic", ("anthropic",), "x-api-key", True),
        ("anthropic", ("anthropic",), "x-api-key", True),
        ("gemini", ("gemini",), "x-goog-api-key", False),
        ("gemini-openai", ("openai",), "authorization", False),
        ("vertex", ("gemini",), "authorization", False),
        ("vertex-anthropic", ("anthropic",), "authorization", True),
        ("bedrock", ("openai", "responses"), "authorization", False),
        ("bedrock-anthropic", ("anthropic",), "authorization", True),
        ("mistral", ("openai",), "authorization", False),
        ("groq", ("openai", "responses"), "authorization", False),
        ("together", ("openai", "responses", "anthropic"), "authorization", False),
        ("fireworks", ("openai", "responses", "anthropic"), "authorization", False),
        ("deepseek", ("openai", "responses", "anthropic"), "authorization", False),
        ("openrouter", ("openai", "responses", "anthropic"), "authorization", False),
        ("cohere", ("openai",), "authorization", False),
        ("xai", ("responses", "openai"), "authorization", False),
        ("litellm", ("openai", "responses", "anthropic"), "authorization", True),
        ("ollama", ("openai", "responses", "anthropic"), "authorization", False),
        ("lmstudio", ("openai", "responses", "anthropic"), "authorization", False),
        ("vllm", ("openai", "responses", "anthropic"), "authorization", True),
        ("llama.cpp", ("openai",), "authorization", True),
        ("sglang", ("openai", "responses", "anthropic"), "authorization", True),
        ("tgi", ("openai",), "authorization", False),
    ],
)
def test_a_row_brings_dialects_key_header_and_whether_it_counts(
    name: str, dialects: tuple[str, ...], header: str, counts: bool
) -> None:
    row = providers.find(name)
    assert row is not None
    assert (row.dialects, row.key_header, row.count_tokens) == (dialects, header, counts)


def test_a_dialect_may_want_its_key_elsewhere() -> None:
    deepseek = providers.find("deepseek")
    assert deepseek is not None
    assert deepseek.key_header_of("anthropic") == "x-api-key"
    assert deepseek.key_header_of("openai") == "authorization"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_holds_together(row: Provider) -> None:
    assert len(set(row.dialects)) == len(row.dialects) > 0
    assert row.paths.keys() | row.key_headers.keys() <= set(row.dialects)
    assert all(path.startswith("/") and not path.endswith("/") for path in row.paths.values())
    assert not row.count_tokens or "anthropic" in row.dialects + row.also_speaks
    assert not set(row.dialects) & set(row.also_speaks)
    assert set(re.findall(r"{(\w+)}", row.url + "".join(row.region_urls.values()))) <= {"region", "project"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_deviation_says_where_it_comes_from_and_when(row: Provider) -> None:
    for deviation in row.deviations:
        assert deviation.source
        assert date(2026, 1, 1) <= date.fromisoformat(deviation.as_of)
        for pattern in (*deviation.models, *deviation.not_models):
            assert pattern == pattern.lower()


def test_deviations_of_another_row_hold_as_well() -> None:
    openai, azure, vertex = (providers.find(name) for name in ("openai", "azure", "vertex-anthropic"))
    anthropic = providers.find("anthropic")
    assert openai is not None
    assert azure is not None
    assert vertex is not None
    assert anthropic is not None
    assert azure.deviations == openai.deviations
    assert vertex.deviations[-len(anthropic.deviations) :] == anthropic.deviations
    assert len(vertex.deviations) > len(anthropic.deviations)


GOOD = """
[[providers]]
name = "p"
kind = "managed"
url = "https://p.example/v1"
zone = "third_party"
source = "s"
as_of = "2026-11-20"
"""
DEVIATION = '\n[[providers.deviations]]\nsource = "s"\nas_of = "2026-11-20"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + DEVIATION + 'what = "refuse"\nmembers = ["n"]\n', "Did you mean refuses?"),
        (GOOD + DEVIATION + 'what = "refuses"\nmember = ["n"]\n', "Did you mean member"),
        (
            GOOD + DEVIATION + 'what = "refuses"\nmembers = ["logit_bia"]\n',
            "p: names 'logit_bia', which is no member of",
        ),
        (GOOD + DEVIATION + 'what = "refuses"\nmembers = ["logit_bia"]\n', "Did you mean logit_bias?"),
        (GOOD + DEVIATION + 'what = "renames"\nmember = "message[].name"\nto = "x"\n', "Did you mean messages?"),
        (
            GOOD + DEVIATION + 'what = "refuses"\nendpoint = "messages"\nmembers = ["top_k"]\n',
            "does not speak anthropic",
        ),
        (GOOD + DEVIATION + 'what = "refuses"\nendpoint = "chats"\nmembers = ["n"]\n', "Invalid enum value 'chats'"),
        (GOOD + 'modells_of = "p"\n', "Did you mean models_of?"),
        (GOOD + 'deviations_of = "q"\n', "p: points to 'q', which is no row."),
        (GOOD.replace("url", "note"), "p: has neither url nor url_hint."),
        (GOOD + 'dialects = ["opnai"]\n', "Invalid enum value 'opnai'"),
    ],
)
def test_a_faulty_row_is_told_with_the_word_that_was_meant(
    text: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "providers.toml").write_text(text)
    monkeypatch.setattr(facts, "_FOLDER", str(tmp_path))
    with pytest.raises(ValueError, match=r"^providers\.toml: ") as refused:
        providers.providers.__wrapped__()
    assert not isinstance(refused.value, msgspec.ValidationError)
    assert complaint in str(refused.value)


def test_the_page_of_providers_is_what_the_command_prints() -> None:
    page = Path(__file__).parents[2] / "docs" / "providers.md"

    assert page.read_text() == reference(), "run: python -m twintrack.catalog.reference > docs/providers.md"


def test_the_page_names_every_row_and_every_source() -> None:
    page = reference()
    for row in ROWS:
        assert f"\n## {row.name}\n" in page
        for deviation in row.deviations:
            assert deviation.source in page
