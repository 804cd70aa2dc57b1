from __future__ import annotations

import json
import tomllib

import pytest

from twintrack.config.source import InvalidConfig

from .conftest import leaves, moved, said, settings


def test_the_models_become_tiers_under_the_name_clients_send(sample):
    result = moved(sample("support.json"), "support.json")
    route = settings(result).routes["anthropic/claude-sonnet-4.6"]
    assert [tier.deployments for tier in route.tiers] == [
        ("claude-sonnet-4-6@openrouter",),
        ("gpt-4.1-mini@openrouter",),
        ("acme/unheard-of:free@openrouter",),
    ]
    assert settings(result).deployments[2].facts.quality == 0.8
    assert [each.name for each in result.variables] == ["OPENROUTER_API_KEY"]


def test_a_preset_keeps_its_name(sample):
    result = moved(sample("preset.json"), "preset.json")
    assert list(settings(result).routes) == ["@preset/triage"]
    listed = said(result)
    assert "let clients send it" in listed["$.data.designated_version.system_prompt"][2]
    assert "let clients send it" in listed["$.data.designated_version.config.top_p"][2]
    assert listed["$.data.id"][1] == "not needed"
    assert listed["$.data.designated_version.config.provider.only[1]"][0] == 10


def test_every_value_is_carried_or_listed(sample):
    for name in ("support.json", "preset.json"):
        result = moved(sample(name), name)
        accounted = {*result.carried, *(each.path for each in result.remarks)}
        assert {path for path, _ in leaves(json.loads(sample(name)))} == accounted


@pytest.mark.parametrize("word", ["order[0]", "allow_fallbacks", "data_collection", "zdr", "max_price.prompt", "sort"])
def test_what_openrouter_alone_can_do_is_listed_with_what_to_do(sample, word):
    line, kind, why = said(moved(sample("support.json"), "support.json"))[f"$.provider.{word}"]
    assert kind == "not carried"
    assert 5 < line < 14
    assert len(why) > 40


def test_a_key_of_the_provider_itself_is_a_hint_and_no_more(sample):
    without = moved(sample("support.json"), "support.json")
    result = moved(sample("support.json"), "support.json", ANTHROPIC_API_KEY="sk-ant-x")
    assert "ANTHROPIC_API_KEY" not in without.text
    assert [each.name for each in settings(result).providers] == ["openrouter"]
    hint = result.text.partition("# ANTHROPIC_API_KEY is set")[2].partition("\n\n")[0]
    tables = tomllib.loads("\n".join(line.removeprefix("#").strip() for line in hint.splitlines()[1:]))
    assert tables["deployments"] == [{"model": "claude-sonnet-4-6", "provider": "anthropic"}]


def test_several_requests_become_several_routes():
    requests = [{"model": "openai/gpt-4o"}, {"model": "openai/gpt-4o", "models": ["openai/gpt-4.1"]}]
    result = moved(json.dumps(requests), "all.json")
    assert list(settings(result).routes) == ["openai/gpt-4o", "openai/gpt-4o-2"]


def test_a_name_of_a_preset_alone_says_what_is_missing():
    result = moved('{"model": "@preset/triage"}', "x.json")
    assert result.draft.routes == []
    assert "Save its JSON" in said(result)["$.model"][2]


@pytest.mark.parametrize("text", ["[]", "{}", '{"something": 1}', "null", "3", "[[1]]"])
def test_what_is_neither_is_said(text):
    with pytest.raises(InvalidConfig, match="neither a configuration of LiteLLM"):
        moved(text, "x.json")
