"""What there is, what it costs, and who may see what: nothing is called, and no secret is needed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from .conftest import CONFIG, shape

SHAPES = json.loads((Path(__file__).parent / "data" / "shapes.json").read_text())


def test_the_catalogue_lists_models_with_the_prices_of_their_providers(cli):
    ran = cli("models", "--search", "gpt-5.4")
    assert ran.code == 0
    header, *rows = ran.out.split("\n\n")[0].splitlines()
    assert re.split(r"  +", header) == [
        "model", "kind", "licence", "window", "quality", "list price, USD per million tokens",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == ["gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano"]
    assert re.fullmatch(
        r"gpt-5.4-mini +closed +proprietary +400,000 +0\.92 strong +openai 0.75 in, 4.5 out; openrouter .*", rows[1]
    )
    assert "3 models. Prices: genai-prices" in ran.out


def test_a_dearer_price_for_long_prompts_is_shown(cli):
    assert "openai 2.5 in, 15 out (over 272,000 tokens 5 in, 22.5 out)" in cli("models", "--search", "gpt-5.4").out


def test_own_engines_have_your_price_and_bundled_models_none(cli):
    assert "ollama by your hour" in cli("models", "--provider", "ollama").out
    assert re.search(r"demo-nano .* bundled$", cli("models", "--search", "demo-").out, re.MULTILINE)


def test_search_looks_at_name_licence_and_kind(cli):
    def found(*args: str) -> set[str]:
        return {model["name"] for model in cli("models", *args, "--json").json()["models"]}

    assert "bge-m3" in found("--search", "MIT")
    assert found("--search", "closed").isdisjoint(found("--search", "open"))
    assert found("--search", "GPT-", "--provider", "groq") < found("--search", "gpt-")


def test_a_provider_narrows_the_list_and_its_prices(cli):
    out = cli("models", "--provider", "groq").out
    assert "groq 0.05 in, 0.08 out" in out
    assert "together" not in out


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--provider", "opneai"), 2, "There is no provider 'opneai'. Did you mean openai?"),
        (("--search", "gtp-5.4-mini"), 1, "Nothing here matches. Did you mean gpt-5.4-mini?"),
        (("--search", "qqqqqqqq"), 1, "Nothing here matches."),
        (("--class", "restricted"), 2, "--class asks about a configuration: name one with --config."),
        (("--config", "x.toml", "--catalogue"), 2, "--config and --catalogue exclude each other."),
        (("--config", "x.toml"), 3, "There is no configuration x.toml. Name another, or write one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_answered_says_why(cli, args, code, said):
    ran = cli("models", *args)
    assert (ran.code, ran.out) == (code, "")
    assert said in " ".join(ran.err.split())


def test_a_configuration_shows_routes_tiers_and_deployments(cli, config):
    ran = cli("models", "--config", str(config))
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == (
        "Route auto: keeps 0.98 of the quality of its last tier; savings are against gpt-5.4@openai; "
        "at most $0.05 a request; requests without a label are internal."
    )
    small, premium = (re.split(r"  +", line) for line in lines[2:4])
    assert small == [
        "small", "llama-3.3-70b-instruct@gpu-room", "own", "eu-west", "9.6 an hour", "131,072", "0.88",
        "catalogue, balanced", "restricted",
    ]  # fmt: skip
    assert premium[:4] == ["premium", "gpt-5.4@openai", "third_party", "unknown"]
    assert premium[4].startswith("2.5 in, 15 out")
    assert premium[-1] == "internal"
    assert lines[5] == "In no route, reached by name only:"
    assert re.split(r"  +", lines[7]) == [
        "-", "our-model@gpu-room", "own", "eu-west", "unknown", "8,192", "unknown", "unknown", "restricted",
    ]  # fmt: skip


def test_a_class_is_allowed_or_the_reason_stands_there(cli, config):
    out = cli("models", "--config", str(config), "--class", "restricted").out
    assert "\n  gpt-5.4@openai: restricted data stays on your own machines, and this is a third party.\n" in out
    assert [line.split()[-1] for line in out.splitlines() if "@" in line and line[0] in "sp-"] == ["yes", "no", "yes"]
    assert "  no\n" not in cli("models", "--config", str(config), "--class", "public").out
    with config.open("a") as file:
        file.write('[privacy]\nconfidential = { zones = ["own", "contracted"], regions = ["us*"] }\n')
    asked = cli("models", "--config", str(config), "--class", "confidential", "--json").json()
    assert asked["asked_class"] == "confidential"
    assert {each["name"]: each["why_not"] is None for each in asked["deployments"]} == {
        "llama-3.3-70b-instruct@gpu-room": False,  # eu-west
        "gpt-5.4@openai": False,
        "our-model@gpu-room": False,
    }


def test_a_configuration_in_the_folder_is_the_default_and_the_catalogue_can_be_asked_for(cli, config):
    config.rename(config.with_name("twintrack.toml"))
    assert cli("models").out.startswith("Route auto:")
    assert cli("models", "--catalogue").out.startswith("model ")
    assert [each["provider"] for each in cli("models", "--provider", "openai", "--json").json()["deployments"]] == [
        "openai"
    ]
    assert cli("models", "--provider", "groq").code == 2
    assert cli("models", "--search", "qqqqqqqq").code == 1


def test_a_wrong_configuration_is_refused_with_its_line(cli, config):
    config.write_text(CONFIG.replace("max_usd_per_request", "max_usd_per_reqest"))
    ran = cli("models", "--config", str(config))
    assert ran.code == 3
    assert f"{config}:33: $.routes.auto.max_usd_per_reqest is unknown. Did you mean max_usd_per_request?" in ran.err


def test_a_configuration_without_deployments_says_so(cli, config):
    config.write_text("")
    ran = cli("models", "--config", str(config))
    assert ran.code == 0
    assert ran.out.startswith("There is no deployment.")


def test_quality_names_the_line_that_states_it_and_simulated_prices_are_marked(cli, config):
    text = CONFIG.replace("facts = { context_tokens = 8192", "facts = { quality = 0.5, context_tokens = 8192")
    config.write_text(text.replace('zone = "own"', 'zone = "own"\nsimulated = true'))
    out = cli("models", "--config", str(config)).out
    assert f"0.50     {config}:27" in out
    assert "SIMULATED 9.6 an hour" in out
    assert "SIMULATED unknown" in out


@pytest.mark.parametrize("what", ["models", "models --config"])
def test_json_keeps_its_shape(cli, config, what):
    args = [str(config) if word == "--config" else word for word in what.split()[1:]]
    printed = cli("models", *(["--config", *args] if args else []), "--json").json()
    assert shape(printed) == SHAPES[what]


def test_json_has_prices_in_nano_dollars(cli, config):
    printed = cli("models", "--config", str(config), "--json").json()
    own, paid, ours = printed["deployments"]
    assert (own["per_hour_nusd"], own["price"]) == (9_600_000_000, None)
    assert (paid["price"]["input_nusd_per_mtok"], paid["price"]["long"]["output_nusd_per_mtok"]) == (
        2_500_000_000,
        22_500_000_000,
    )
    assert (ours["price"], ours["per_hour_nusd"], ours["quality"]) == (None, None, None)
    assert [each["may_see"][-1] for each in printed["deployments"]] == ["restricted", "internal", "restricted"]


def test_a_route_that_asks_its_tiers_in_order_says_so(cli, config):
    config.write_text(CONFIG.replace("max_usd_per_request", "keep_quality = 0\nmax_usd_per_request"))
    assert "Route auto: asks its tiers in order; savings are against" in cli("models", "--config", str(config)).out
