"""What a [[providers]] table comes to: address, dialects, where the key travels, and deviations of the model."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.explain import explain_values
from twintrack.config.load import parse
from twintrack.config.snapshot import Deployment, Snapshot
from twintrack.config.source import InvalidConfig

PRICES = prices.load(None, on=date(2026, 11, 20))
FACTS = 'facts = { context_tokens = 8192, modalities = ["text"], tools = true }\n'


def snapshot(text: str) -> Snapshot:
    settings, source = parse(text, "twintrack.toml", environ=None)
    return compile_snapshot(settings, source, generation=1, prices=PRICES, secrets=lambda reference: "s")


def deployed(provider: str, model: str = "m") -> Deployment:
    """The one deployment of a configuration with this provider table."""
    return snapshot(
        f'[[providers]]\n{provider}\n[[deployments]]\nmodel = "{model}"\nprovider = "p"\n{FACTS}'
    ).deployments[0]


def complaint(provider: str) -> str:
    with pytest.raises(InvalidConfig) as refused:
        deployed(provider)
    return str(refused.value)


def address(deployment: Deployment) -> str:
    port = "" if deployment.port == (443 if deployment.tls else 80) else f":{deployment.port}"
    return f"{'https' if deployment.tls else 'http'}://{deployment.host}{port}{deployment.base_path}"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('api = "bedrock"\nregion = "us-east-1"', "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),
        ('api = "bedrock-mantle"\nregion = "eu-central-1"', "https://bedrock-mantle.eu-central-1.api.aws/v1"),
        ('api = "bedrock-anthropic"\nregion = "us-west-2"', "https://bedrock-mantle.us-west-2.api.aws/anthropic/v1"),
        (
            'api = "vertex"\nregion = "europe-west4"\nproject = "our-project"',
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/our-project/locations/europe-west4"
            "/publishers/google",
        ),
        (
            'api = "vertex"\nregion = "global"\nproject = "our-project"',
            "https://aiplatform.googleapis.com/v1/projects/our-project/locations/global/publishers/google",
        ),
        (
            'api = "vertex-anthropic"\nregion = "eu"\nproject = "example.com:our-project"',
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/example.com:our-project/locations/eu"
            "/publishers/anthropic",
        ),
        (
            'api = "azure"\nurl = "https://blue.openai.azure.com/openai/v1/"',
            "https://blue.openai.azure.com/openai/v1",
        ),
        ('api = "gemini"', "https://generativelanguage.googleapis.com/v1beta"),
        ('api = "deepseek"', "https://api.deepseek.com"),
    ],
)
def test_an_address_is_the_known_one_filled_in(table: str, expected: str) -> None:
    assert address(deployed(f'name = "p"\n{table}')) == expected


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'name = "p"\napi = "azure"',
            "twintrack.toml:1: $.providers[0].url is missing, and every customer of azure has an address of their own. "
            'Add it, like url = "https://RESOURCE.openai.azure.com/openai/v1".',
        ),
        (
            'name = "p"\napi = "bedrock"',
            "twintrack.toml:1: $.providers[0].region is missing, and stands in the address of bedrock: "
            'https://bedrock-runtime.{region}.amazonaws.com/openai/v1. Add it, like region = "us-east-1".',
        ),
        (
            'name = "p"\napi = "vertex-express"\nregion = "global"\nurl = "https://aiplatform.googleapis.com:1/x"',
            "twintrack.toml:1: $.providers[0].zone is missing, and aiplatform.googleapis.com is an address of your own."
            " Say who sees the data there: own, contracted or third_party.",
        ),
        (
            'name = "p"\napi = "vertex"\nregion = "europe-west4"',
            "twintrack.toml:1: $.providers[0].project is missing, and stands in the address of vertex: "
            "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}/publishers/google. "
            'Add it, like project = "my-project".',
        ),
        (
            'name = "p"\napi = "vertex"\nregion = "europe-west4"\nproject = "a/../b"',
            "twintrack.toml:5: $.providers[0].project is 'a/../b', which cannot stand in the address of vertex: "
            "https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}/publishers/google. "
            'Add it, like project = "my-project".',
        ),
        (
            'name = "p"\napi = "openai"\ndialects = ["opnai"]',
            "twintrack.toml:4: $.providers[0].dialects[0] is 'opnai'. Use anthropic, gemini, openai or responses.",
        ),
    ],
)
def test_what_is_missing_is_named_with_an_example(table: str, expected: str) -> None:
    assert complaint(table) == expected


def test_a_key_goes_to_the_providers_own_addresses_only() -> None:
    assert deployed('name = "p"\napi = "bedrock"\nregion = "us-east-1"').key == "env:AWS_BEARER_TOKEN_BEDROCK"
    for host, key in (
        ("blue.openai.azure.com", "env:AZURE_OPENAI_API_KEY"),
        ("openai.azure.com.example.org", ""),
        ("openai.azure.com", ""),
        ("a.b.openai.azure.com", ""),
        ("blue-openai.azure.com", ""),
    ):
        table = f'name = "p"\napi = "azure"\nurl = "https://{host}/openai/v1"\nzone = "contracted"'
        assert deployed(table).key == key, host
    for url in ("http://blue.openai.azure.com/openai/v1", "https://blue.openai.azure.com:8443/openai/v1"):
        assert deployed(f'name = "p"\napi = "azure"\nurl = "{url}"\nzone = "contracted"').key == ""


def test_a_copy_elsewhere_is_known_to_speak_the_first_dialect_only() -> None:
    elsewhere = 'name = "p"\napi = "openai"\nurl = "https://llm.example/v1"\nzone = "contracted"'

    assert deployed('name = "p"\napi = "openai"').dialects == ("openai", "responses")
    assert deployed(elsewhere).dialects == ("openai",)
    assert deployed(elsewhere + '\ndialects = ["anthropic", "openai"]').dialects == ("anthropic", "openai")
    there = 'name = "p"\napi = "vllm"\nurl = "https://llm.example/v1"\nzone = "contracted"'
    assert deployed(there).dialects == ("openai", "responses", "anthropic")
    assert deployed(there).count_tokens
    assert not deployed(there + '\ndialects = ["openai"]').count_tokens


def test_a_dialect_may_be_served_below_another_path_and_want_its_key_elsewhere() -> None:
    deepseek = deployed('name = "p"\napi = "deepseek"')
    assert (deepseek.base_path, deepseek.base_paths) == ("", {"anthropic": "/anthropic/v1"})
    assert deepseek.key_headers == {"anthropic": "x-api-key"}
    again = deployed('name = "p"\napi = "deepseek"\nurl = "https://api.deepseek.com/v1"')
    assert (again.base_path, again.base_paths) == ("/v1", {"anthropic": "/anthropic/v1"})
    assert deployed('name = "p"\napi = "anthropic"').key_headers == {"anthropic": "x-api-key"}
    assert deployed('name = "p"\napi = "gemini"').key_headers == {"gemini": "x-goog-api-key"}
    azure = deployed('name = "p"\napi = "azure"\nurl = "https://blue.openai.azure.com/openai/v1"')
    assert azure.key_headers == {"openai": "api-key", "responses": "api-key"}
    assert deployed('name = "p"\napi = "groq"').key_headers == {}


def test_how_a_deployment_proves_who_asks() -> None:
    vertex = 'name = "p"\napi = "vertex"\nregion = "eu"\nproject = "x"'

    assert (deployed(vertex).auth, deployed(vertex).key) == ("google-oauth", "")
    assert deployed(vertex + '\nkey = "file:/run/token"').key == "file:/run/token"
    assert deployed('name = "p"\napi = "openai"').auth == "key"


def test_deviations_are_those_of_the_model() -> None:
    assert deployed('name = "p"\napi = "vertex"\nregion = "global"\nproject = "x"').deviations is None
    o3, old = deployed('name = "p"\napi = "openai"', "o3"), deployed('name = "p"\napi = "openai"', "gpt-4.1")
    assert o3.deviations is not None
    assert o3.deviations.provider == "p"
    assert len(o3.deviations.rows) == 4
    assert old.deviations is None


def test_gemini_has_one_list_of_names_and_prices() -> None:
    native, compatible = (
        snapshot(f'[[providers]]\nname = "{name}"\n[[deployments]]\nmodel = "gemini-3.8-flash"\nprovider = "{name}"\n')
        for name in ("gemini", "gemini-openai")
    )

    assert native.deployments[0].upstream_model == compatible.deployments[0].upstream_model
    assert native.deployments[0].price is not None
    assert native.deployments[0].price == compatible.deployments[0].price
    assert (native.deployments[0].dialects, compatible.deployments[0].dialects) == (("gemini",), ("openai",))


def test_the_policy_is_the_same_however_a_deployment_is_asked() -> None:
    """Address, headers and deviations say how to ask, not whom."""
    one = snapshot('[[providers]]\nname = "v"\napi = "vertex"\nregion = "eu"\nproject = "one"\n' + used())
    two = snapshot('[[providers]]\nname = "v"\napi = "vertex"\nregion = "eu"\nproject = "two"\n' + used())

    assert one.deployments[0].base_path != two.deployments[0].base_path
    assert one.policy_version == two.policy_version


def used() -> str:
    return f'[[deployments]]\nmodel = "m"\nprovider = "v"\n{FACTS}'


def test_the_explanation_shows_the_address_filled_in() -> None:
    text = '[[providers]]\nname = "v"\napi = "vertex"\nregion = "eu"\nproject = "one"\n'
    values = {each.path: each for each in explain_values(*parse(text, "twintrack.toml", environ=None))}

    assert values["$.providers[0].url"].value == (
        "https://aiplatform.eu.rep.googleapis.com/v1/projects/one/locations/eu/publishers/google"
    )
    assert values["$.providers[0].dialects"].value == ["gemini"]
    assert values["$.providers[0].project"].value == "one"


def test_the_example_on_the_page_of_providers_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    settings, _ = parse(example[1], "twintrack.toml", environ=None)

    assert [provider.name for provider in settings.providers] == ["mistral", "our-azure", "bedrock", "vertex"]
