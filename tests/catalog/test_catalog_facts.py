"""What the catalogue claims about models and providers."""

from datetime import date

from twintrack.catalog import models, prices, providers

PRICES = prices.load(None, on=date(2026, 11, 20))
UNPRICED = {("gemini", "gemma-4-26b-a4b-it"), ("gemini", "gemma-4-31b-it")}


def test_every_row_says_where_it_comes_from_and_when():
    for row in [*models.models().values(), *providers.providers().values()]:
        assert row.source
        assert date(2026, 1, 1) <= date.fromisoformat(row.as_of)


def test_upstream_names_belong_to_known_providers():
    for model in models.models().values():
        assert model.upstream.keys() <= providers.providers().keys(), model.name


def test_every_model_of_a_priced_provider_finds_its_price():
    unpriced = {
        (provider, name)
        for model in models.models().values()
        for provider, name in model.upstream.items()
        if providers.find(provider).price_list and PRICES.find(provider, name) is None
    }
    assert unpriced <= UNPRICED


def test_quality_is_a_class_except_for_the_demo_models():
    classes = {0.97: "frontier", 0.95: "premium", 0.92: "strong", 0.88: "balanced", 0.84: "compact", 0.78: "small"}
    classes[0.7] = "tiny"
    for model in models.models().values():
        if not model.demo:
            assert model.quality_why.startswith(f"class {classes[model.quality]}: "), model.name


def test_the_demo_models_are_labelled_and_say_that_their_world_is_closed():
    nano, small = models.find("demo-nano"), models.find("demo-small")
    assert nano is not None
    assert small is not None
    assert (nano.quality, small.quality) == (0.771, 1.0)
    assert nano.demo
    assert small.demo
    assert "closed world" in nano.quality_why
    assert "closed world" in small.quality_why
    assert (nano.licence, nano.context_tokens) == ("Apache-2.0", 512)
    assert [model.name for model in models.models().values() if model.demo] == ["demo-nano", "demo-small"]


def test_open_models_name_a_licence_and_closed_ones_none():
    for model in models.models().values():
        assert (model.licence == "proprietary") == (model.kind == "closed"), model.name
        assert not model.weights or model.kind == "open"


def test_a_mistyped_model_finds_its_neighbours():
    assert models.nearest_names("gpt-5.44")[0] == "gpt-5.4"
    assert models.nearest_names("llama3.3-70b")[0] == "llama-3.3-70b-instruct"
    assert models.find("gpt-5.44") is None
