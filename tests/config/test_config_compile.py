"""From settings to the snapshot that serves."""

import hashlib
from datetime import date

import msgspec
import pytest

from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.errors import ConfigError

from .conftest import EXAMPLE, SECRETS

PRICES = prices.load(None, on=date(2026, 11, 20))


def secret(reference: str) -> str | None:
    return SECRETS.get(reference.removeprefix("env:"))


def compiled(text: str = EXAMPLE, *, prices=PRICES, secrets=secret, generation=1, engines=None) -> Snapshot:
    settings, source = parse(text, "/etc/twintrack/twintrack.toml", environ=None)
    return compile_snapshot(settings, source, generation=generation, prices=prices, secrets=secrets, engines=engines)


def replaced(old: str, new: str) -> str:
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new)


def test_a_known_provider_brings_address_dialect_key_and_list_price():
    premium = compiled().deployments[1]
    assert (premium.name, premium.upstream_model) == ("gpt-5.4@openai", "gpt-5.4")
    assert (premium.tls, premium.host, premium.port, premium.base_path) == (True, "api.openai.com", 443, "/v1")
    assert (premium.dialects, premium.zone, premium.region) == (("openai", "responses"), "third_party", "")
    assert premium.key == "env:OPENAI_API_KEY"
    assert premium.price == PRICES.find("openai", "gpt-5.4")
    assert premium.context_tokens == 1_050_000


def test_an_address_of_your_own_is_taken_as_it_is_said():
    small = compiled().deployments[0]
    assert (small.tls, small.host, small.port, small.base_path) == (False, "10.0.0.5", 8000, "/v1")
    assert (small.zone, small.region, small.key) == ("own", "eu-west", "")
    assert small.upstream_model == "meta-llama/Llama-3.3-70B-Instruct"
    assert (small.price, small.per_hour_nusd) == (None, 9_600_000_000)
    assert small.licence == "LicenseRef-Llama-3.3"
    assert small.max_in_flight == 64


def test_what_the_configuration_says_of_a_model_holds():
    mine = compiled().deployments[2]
    assert (mine.context_tokens, mine.modalities, mine.tools, mine.embeddings) == (8192, ("text",), True, False)
    assert (mine.max_output_tokens, mine.licence, mine.energy_j_per_output_token) == (0, "", None)
    assert mine.price.input_nusd_per_mtok == mine.price.cache_read_nusd_per_mtok == 200_000_000
    assert mine.price.output_nusd_per_mtok == 400_000_000
    assert mine.price.source == "/etc/twintrack/twintrack.toml:33"


def test_tokens_of_other_kinds_may_have_a_price_of_their_own():
    said = "cache_write_1h_usd_per_mtok = 1, input_audio_usd_per_mtok = 2, output_audio_usd_per_mtok = 3, "
    said += "input_image_usd_per_mtok = 4, output_image_usd_per_mtok = 0"
    text = replaced("price = { input_usd_per_mtok = 0.2,", f"price = {{ {said}, input_usd_per_mtok = 0.2,")
    price = compiled(text).deployments[2].price
    assert (price.cache_write_1h_nusd_per_mtok, price.output_image_nusd_per_mtok) == (1_000_000_000, 0)
    assert (price.input_audio_nusd_per_mtok, price.output_audio_nusd_per_mtok) == (2_000_000_000, 3_000_000_000)
    assert price.input_image_nusd_per_mtok == 4_000_000_000
    plain = compiled().deployments[2].price
    assert (plain.cache_write_1h_nusd_per_mtok, plain.input_audio_nusd_per_mtok) == (None, None)


def test_facts_win_over_the_catalogue_one_by_one():
    text = replaced("max_in_flight = 64", "facts = { context_tokens = 32768, quality = 0.9, tools = false }")
    small = compiled(text).deployments[0]
    assert (small.context_tokens, small.quality, small.tools, small.modalities) == (32768, 0.9, False, ("text",))


def test_anthropic_speaks_its_own_dialect():
    text = '[[providers]]\nname = "anthropic"\n[[deployments]]\nmodel = "claude-opus-5-5"\nprovider = "anthropic"\n'
    (opus,) = compiled(text).deployments
    assert (opus.dialects, opus.key, opus.base_path) == (("anthropic",), "env:ANTHROPIC_API_KEY", "/v1")
    assert opus.price is not None


def test_another_address_gets_neither_the_known_ones_key_nor_its_list_price():
    text = replaced('key = "env:OPENAI_API_KEY"', 'url = "https://llm.example.com/v1/"\nzone = "contracted"')
    deployment = compiled(text).deployments[1]
    assert (deployment.key, deployment.price, deployment.zone) == ("", None, "contracted")
    assert deployment.base_path == "/v1"


def test_what_nobody_prices_costs_unknown():
    text = '[[providers]]\nname = "ollama"\n[[deployments]]\nmodel = "qwen3-8b"\nprovider = "ollama"\n'
    (local,) = compiled(text).deployments
    assert (local.price, local.per_hour_nusd) == (None, 0)
    assert (local.upstream_model, local.zone) == ("qwen3:8b", "own")


def test_a_simulated_provider_stays_marked_and_unpriced():
    (simulated,) = compiled(
        '[[providers]]\nname = "openai"\nsimulated = true\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\n'
        '[[deployments]]\nmodel = "gpt-5.4"\nprovider = "openai"\n'
    ).deployments
    assert simulated.simulated
    assert simulated.price is None


def test_an_engine_gets_its_address_once_it_has_started():
    text = (
        '[[providers]]\nname = "demo"\nengine = "demo-nano"\n[[deployments]]\nmodel = "demo-nano"\nprovider = "demo"\n'
    )
    before, after = compiled(text), compiled(text, engines={"demo": ("127.0.0.1", 41_000)})
    assert (before.deployments[0].host, before.deployments[0].port) == ("127.0.0.1", 0)
    assert after.deployments[0].port == 41_000
    assert (after.deployments[0].api, after.deployments[0].zone) == ("llama.cpp", "own")
    assert after.policy_version == before.policy_version


def test_a_route_points_at_deployments_and_its_baseline_is_the_premium_one():
    (route,) = compiled().routes
    assert [(tier.name, tier.deployments) for tier in route.tiers] == [("small", (0,)), ("premium", (1,))]
    assert (route.baseline, route.observe) == (1, -1)
    assert (route.max_nusd_per_request, route.max_ttft_ms) == (50_000_000, -1)


def test_observing_answers_with_the_named_deployment_or_the_baseline():
    observing = replaced('mode = "route"', 'mode = "observe"')
    assert compiled(observing).routes[0].observe == 1
    named = observing.replace('mode = "observe"', 'mode = "observe"\nobserve = "our-model@gpu-room"')
    assert compiled(named).routes[0].observe == 2


def test_only_the_hash_of_a_key_is_kept():
    (key,) = compiled().keys
    assert key.sha256 == hashlib.sha256(b"tk-our-secret").digest()
    assert b"our-secret" not in msgspec.msgpack.encode(compiled())


def test_a_key_that_leads_nowhere_is_refused():
    with pytest.raises(ConfigError, match=r"twintrack.toml:6: \$.keys\[0\].key leads nowhere: env:TWINTRACK_KEY"):
        compiled(secrets=lambda reference: None)


def test_paths_become_absolute():
    text = replaced("[[keys]]  ", '[server.tls]\ncert = "a.pem"\nkey = "/b.pem"\n[[keys]]  ').replace(
        "env:TWINTRACK_KEY", "file:keys/dev"
    )
    asked = []
    snapshot = compiled(text, secrets=lambda reference: asked.append(reference) or "hush")
    assert asked == ["file:/etc/twintrack/keys/dev"]
    assert snapshot.data == "/etc/twintrack/.twintrack"
    assert (snapshot.tls_cert, snapshot.tls_key, snapshot.ca) == ("/etc/twintrack/a.pem", "/b.pem", "")


def zones(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    return {name: rule.zones for name, rule in snapshot.privacy.items()}


def test_every_class_has_a_rule_and_silence_keeps_sensitive_data_close():
    everywhere = ("own", "contracted", "third_party")
    assert zones(compiled("")) == {
        "public": everywhere,
        "internal": everywhere,
        "confidential": ("own", "contracted"),
        "restricted": ("own",),
    }


def test_narrowing_a_class_narrows_every_class_above_it():
    snapshot = compiled('[privacy]\ninternal = { zones = ["own"], regions = ["eu-*"] }\n')
    assert zones(snapshot)["confidential"] == zones(snapshot)["restricted"] == ("own",)
    assert snapshot.privacy["restricted"].regions == ("eu-*",)
    assert snapshot.privacy["public"].regions == ("*",)


def test_the_policy_keeps_its_name_while_nothing_that_decides_changes():
    name = compiled().policy_version
    assert len(name) == 12
    assert compiled(generation=7).policy_version == name
    assert compiled(secrets=lambda reference: "another").policy_version == name
    assert compiled(prices=prices.load(None, on=date(2026, 11, 21))).policy_version == name
    for old, new in [
        ("10.0.0.5:8000", "10.0.0.6:9000"),
        ("env:OPENAI_API_KEY", "env:OTHER_KEY"),
        ("127.0.0.1:8080", "127.0.0.1:9090"),
        ("# static keys", "# some other comment"),
    ]:
        assert compiled(replaced(old, new)).policy_version == name, new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("keep_quality = 0.98", "keep_quality = 0.97"),
        ("max_usd_per_request = 0.05", "max_usd_per_request = 0.06"),
        ("per_hour_usd = 9.6", "per_hour_usd = 9.7"),
        ("context_tokens = 8192", "context_tokens = 4096"),
        ('region = "eu-west"', 'region = "us"'),
        ('default_class = "internal"', 'default_class = "public"'),
        ('regions = ["eu-*"]', 'regions = ["*"]'),
        ('name = "dev"', 'name = "dev"\ndata_class = "confidential"'),
        ('model = "gpt-5.4"', 'model = "gpt-5.4"\nprice = { input_usd_per_mtok = 3, output_usd_per_mtok = 15 }'),
    ],
)
def test_the_policy_gets_another_name_when_something_that_decides_changes(old, new):
    assert compiled(replaced(old, new)).policy_version != compiled().policy_version


def test_a_list_price_that_changes_renames_the_policy():
    text = '[[providers]]\nname = "gemini"\n[[deployments]]\nmodel = "gemini-3.8-flash"\nprovider = "gemini"\n'
    names = {
        compiled(text, prices=prices.load(None, on=day)).policy_version
        for day in (date(2026, 12, 31), date(2027, 1, 1))
    }
    assert len(names) == 2


def test_a_snapshot_survives_a_round_trip():
    snapshot = compiled()
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot) == snapshot


@pytest.mark.parametrize(
    ("said", "compiled_to"),
    [
        ("true", ("pii", "person", "financial", "secret")),
        ("false", ()),
        ('["phi", "customers"]', ("phi", "customers")),
    ],
)
def test_what_a_route_replaces(said: str, compiled_to: tuple[str, ...]) -> None:
    rule = '[[detect.rules]]\nname = "crm"\ncategory = "customers"\nterms = ["Acme"]\n'
    text = replaced("keep_quality = 0.98", f"pseudonyms = {said}\nkeep_quality = 0.98") + rule
    assert compiled(text).routes[0].pseudonyms == compiled_to
