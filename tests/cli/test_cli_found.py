"""What `twintrack up` makes of what it found. Every text it writes is one that `serve` accepts."""

from __future__ import annotations

import datetime

import pytest

from twintrack.catalog import models, prices
from twintrack.cli.found import Candidate, configuration, guessed_quality, keys_found, tiers_of
from twintrack.config.load import parse
from twintrack.config.settings import Settings
from twintrack.engines.identify import Found, FoundModel
from twintrack.errors import ConfigError

ADDRESS = "127.0.0.1:8080"


def server(api, *names, port=8000, **facts):
    found = tuple(FoundModel(name, **facts) for name in names)
    return Found(api, f"http://127.0.0.1:{port}/v1", "1.0", found)


def made(*found, use=(), **options) -> Settings:
    text, _ = configuration(found, use, ADDRESS, **options)
    settings, _ = parse(text, "made.toml", environ=None)
    return settings


def tiers(settings):
    return {tier.name: tier.deployments for tier in settings.routes["auto"].tiers}


def test_nothing_found_means_the_demo_models():
    settings = made()
    assert [(each.name, each.engine, each.zone) for each in settings.providers] == [
        ("demo-nano", "demo-nano", "own"),
        ("demo-small", "demo-small", "own"),
    ]
    assert tiers(settings) == {"small": ("demo-nano",), "premium": ("demo-small",)}
    assert settings.routes["auto"].keep_quality == 0.9


def test_what_is_found_takes_the_place_of_the_demo_models():
    settings = made(server("ollama", "qwen3:8b", "llama3.3:70b", port=11434))
    assert [each.name for each in settings.providers] == ["ollama"]
    assert settings.providers[0].url == "http://127.0.0.1:11434/v1"
    assert tiers(settings) == {"small": ("qwen3:8b@ollama",), "premium": ("llama3.3:70b@ollama",)}
    assert settings.routes["auto"].keep_quality == 0.98


def test_a_known_model_gets_the_facts_of_the_catalogue_and_keeps_what_its_server_says():
    settings = made(server("vllm", "meta-llama/Llama-3.3-70B-Instruct", context_tokens=8192))
    (deployment,) = settings.deployments
    known = models.find("llama-3.3-70b-instruct")
    assert known is not None
    assert deployment.model == known.name
    assert deployment.upstream_model == "meta-llama/Llama-3.3-70B-Instruct"
    assert deployment.facts.quality == known.quality
    assert deployment.facts.context_tokens == 8192


def test_several_servers_of_a_kind_are_numbered_among_themselves():
    settings = made(server("vllm", "a", port=8000), server("ollama", "b", port=11434), server("vllm", "c", port=8001))
    assert [each.name for each in settings.providers] == ["vllm-1", "ollama", "vllm-2"]


def test_a_model_listed_twice_is_one_deployment():
    settings = made(server("vllm", "same", "same", "other"))
    assert [each.name for each in settings.deployments] == ["same@vllm", "other@vllm"]


@pytest.mark.parametrize(
    "name",
    ['quo"te', "back\\slash", "a b", "größe", "😀", "/models/" + "deep/" * 30 + "file.gguf", "x" * 200],
)
def test_any_name_a_server_may_use_can_be_asked_for(name):
    settings = made(server("llama.cpp", name))
    (deployment,) = settings.deployments
    assert deployment.upstream_model == name
    assert deployment.name.isascii()
    assert len(deployment.name) <= 128


def test_names_that_become_the_same_stay_apart():
    settings = made(server("llama.cpp", "a b", "a-b", "a\u00e4b"))
    assert [each.name for each in settings.deployments] == ["a-b@llama.cpp", "a-b-2@llama.cpp", "a-b-3@llama.cpp"]


def test_embedding_models_are_named_and_stand_in_no_tier():
    settings = made(server("ollama", "qwen3:8b"), server("lmstudio", "some-embedder", embeddings=True, port=1234))
    assert tiers(settings) == {"single": ("qwen3:8b@ollama",)}
    assert [each.facts.embeddings for each in settings.deployments] == [None, True]


def test_a_machine_with_embeddings_alone_gets_the_demo_models_for_chat():
    settings = made(server("ollama", "bge-m3", embeddings=True))
    assert tiers(settings) == {"small": ("demo-nano",), "premium": ("demo-small",)}
    assert settings.deployments[0].name == "bge-m3@ollama"


def test_a_paid_provider_is_there_only_if_asked_for():
    assert all(not each.name.startswith("openai") for each in made(server("ollama", "qwen3:8b")).providers)
    settings = made(server("ollama", "qwen3:8b"), use=("openai:gpt-5.4",))
    assert tiers(settings) == {"small": ("qwen3:8b@ollama",), "premium": ("gpt-5.4@openai",)}
    assert settings.providers[-1].zone is None  # the catalogue's: a third party


def test_with_a_paid_provider_demo_models_do_not_answer_real_questions():
    settings = made(use=("openai",))
    assert [each.provider for each in settings.deployments] == ["openai"]
    assert list(tiers(settings)) == ["single"]


def test_demo_models_asked_for_beside_others_come_last():
    settings = made(use=("openai:gpt-5.4",), demo=True)
    assert tiers(settings) == {"small": ("demo-nano", "demo-small"), "premium": ("gpt-5.4@openai",)}
    assert settings.routes["auto"].keep_quality == 0.98


def test_asking_twice_changes_nothing():
    once = made(use=("openai:gpt-5.4",))
    assert made(use=("openai:gpt-5.4", "openai:gpt-5.4")) == once
    both = made(use=("openai:gpt-5.4", "openai:gpt-5.4-mini"))
    assert [each.name for each in both.providers] == ["openai"]
    assert tiers(both) == {"small": ("gpt-5.4-mini@openai",), "premium": ("gpt-5.4@openai",)}


def test_an_embedding_model_of_a_paid_provider_needs_no_route():
    settings = made(use=("openai:text-embedding-3-small",))
    assert settings.routes == {}


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("opnai", "There is no paid provider 'opnai'. Did you mean openai?"),
        ("ollama", "There is no paid provider 'ollama'."),
        ("openai:gpt-5.4-mni", "The catalogue has no model 'gpt-5.4-mni' of openai. Did you mean gpt-5.4-mini?"),
        ("cohere:zzzzzzzz", "It has command-a-03-2025."),
    ],
)
def test_an_unknown_wish_is_answered_with_what_there_is(wish, said):
    with pytest.raises(ConfigError) as refused:
        configuration([], (wish,), ADDRESS)
    assert said in str(refused.value)
    assert refused.value.exit_code == 3


def test_the_price_of_what_is_asked_for_is_told():
    listed = prices.load(None, on=datetime.date(2026, 11, 20))
    _, (candidate,) = configuration([], ("openai:gpt-5.4",), ADDRESS, prices=listed)
    assert candidate.price == "$2.5 in, $15 out per million tokens"


def test_address_and_folder_stand_in_the_text():
    settings = made(data="~/.local/share/twintrack")
    assert (settings.server.listen, settings.server.data) == (ADDRESS, "~/.local/share/twintrack")
    assert made().server.data == ".twintrack"


@pytest.mark.parametrize(
    ("name", "quality"),
    [
        ("tinyllama-1.1b", 0.70),
        ("phi3:3.8b", 0.78),
        ("Mistral-7B-Instruct-v0.3", 0.78),
        ("gemma_2_27b_it", 0.84),
        ("qwen2.5:72b", 0.88),
        ("Mixtral-8x7B", 0.78),
        ("llama-3.1-405B-FP8", 0.88),
        ("my-model", 0.78),
        ("bert-8bit", 0.78),
    ],
)
def test_the_size_in_a_name_is_a_guess_at_quality(name, quality):
    guessed, how = guessed_quality(name)
    assert guessed == quality
    assert how.startswith("a guess")


def candidate(name, quality, embeddings=False):
    return Candidate(name, quality, "", embeddings, "")


@pytest.mark.parametrize(
    ("qualities", "expected"),
    [
        ({}, []),
        ({"a": 0.5}, [("single", ["a"])]),
        ({"a": 0.5, "b": 0.5}, [("single", ["a", "b"])]),
        ({"b": 0.9, "a": 0.5}, [("small", ["a"]), ("premium", ["b"])]),
        ({"a": 0.1, "b": 0.2, "c": 0.3}, [("small", ["a"]), ("balanced", ["b"]), ("premium", ["c"])]),
        (
            {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5},
            [("small", ["a"]), ("balanced", ["b", "c", "d"]), ("premium", ["e"])],
        ),
    ],
)
def test_tiers_go_from_the_least_able_to_the_most_able(qualities, expected):
    assert tiers_of([candidate(name, quality) for name, quality in qualities.items()]) == expected


def test_keys_are_found_by_the_variable_of_their_provider_and_empty_ones_are_none():
    assert keys_found({"OPENAI_API_KEY": "sk", "GROQ_API_KEY": "", "OTHER": "x"}) == ["openai"]
