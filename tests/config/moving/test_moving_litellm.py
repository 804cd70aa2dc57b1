from __future__ import annotations

import pytest
import yaml

from .conftest import leaves, moved, said, settings


def one(params: str, more: str = "") -> str:
    """A configuration with one model called m."""
    return f"model_list:\n  - model_name: m\n    litellm_params: {params}\n{more}"


def deployment(params: str, more: str = "", **environ: str):
    """The one that becomes of it."""
    (found,) = settings(moved(one(params, more), **environ)).deployments
    return found


# ---- a whole one


def test_a_group_becomes_a_tier_and_its_fallbacks_the_tiers_behind_it(sample):
    result = moved(sample("team.yaml"))
    routes = settings(result).routes
    assert list(routes) == ["gpt-4o", "claude", "qwen-small", "embeddings", "gpt-4"]
    assert [(tier.name, len(tier.deployments)) for tier in routes["gpt-4o"].tiers] == [("main", 2), ("fallback", 1)]
    assert routes["gpt-4o"].tiers[1].deployments == ("claude-sonnet-4-6@anthropic",)
    assert routes["gpt-4"].tiers == routes["gpt-4o"].tiers
    assert [tier.name for tier in routes["qwen-small"].tiers] == ["main", "fallback", "fallback-2"]
    assert routes["gpt-4o"].keep_quality == 0
    assert settings(result).server.deadlines.total_s == 90


def test_deployments_keep_their_upstream_names_prices_windows_and_limits(sample):
    by_route = settings(moved(sample("team.yaml")))
    named = {each.name or f"{each.model}@{each.provider}": each for each in by_route.deployments}
    weu = named["gpt-4o@acme-weu.openai.azure.com"]
    assert (weu.model, weu.upstream_model) == ("gpt-4o", "chat-weu")
    qwen = named["qwen3-8b@10.20.0.7"]
    assert (qwen.facts.context_tokens, qwen.facts.tools, qwen.max_in_flight) == (32768, True, 48)
    assert (qwen.price.input_usd_per_mtok, qwen.price.output_usd_per_mtok) == (0.2, 0.4)
    providers = {each.name: each for each in by_route.providers}
    assert providers["acme-weu.openai.azure.com"].url == "https://acme-weu.openai.azure.com/openai/v1"
    assert providers["acme-weu.openai.azure.com"].key == "env:AZURE_WEU_KEY"
    assert providers["10.20.0.7"].api == "vllm"
    assert providers["10.20.0.7"].zone == "third_party"  # until somebody says otherwise


def test_no_secret_is_copied_and_each_is_told_with_the_variable_to_set(sample):
    result = moved(sample("team.yaml"))
    told = result.text + repr(result.remarks) + repr(result.carried) + repr(result.variables)
    for secret in ("notarealkey", "correct-horse", "battery-staple", "9876", "staple@db"):
        assert secret not in told
    assert settings(result).keys[0].key == "env:LITELLM_MASTER_KEY"
    assert [each.name for each in result.variables] == [
        "AZURE_WEU_KEY", "AZURE_SDC_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "LITELLM_MASTER_KEY",
    ]  # fmt: skip
    line, kind, why = said(result)["$.model_list[4].litellm_params.api_key"]
    assert (line, kind) == (41, "secret")
    assert "Set OPENAI_API_KEY to it" in why


def test_every_value_is_carried_or_listed_with_its_line(sample):
    data = sample("team.yaml")
    result = moved(data)
    accounted = {**result.carried, **{each.path: (each.line, each.kind) for each in result.remarks}}
    lines = data.decode().splitlines()
    for path, value in leaves(yaml.safe_load(data)):
        line, _ = accounted[path]
        assert str(value).lower()[:8] in lines[line - 1].lower() or value in (0.0000002, 4e-7), path
    listed = said(result)
    assert listed["$.litellm_settings.cache_params.host"][1] == "not carried"
    assert listed["$.general_settings.database_url"][1] == "not needed"
    assert listed["$.model_list[0].litellm_params.rpm"][:2] == (9, "not carried")


def test_what_is_lost_as_a_whole_is_told_as_a_whole(sample):
    end = moved(sample("team.yaml")).text.partition("# What litellm.yaml says")[2]
    assert "#   lines 49 to 52  $.litellm_settings.cache_params" in end
    assert "$.litellm_settings.cache_params.host" not in end


def test_the_end_of_the_file_says_what_did_not_come_along(sample):
    result = moved(sample("team.yaml"))
    end = result.text.partition("# What litellm.yaml says")[2]
    assert "#   lines 9 and 18  $.model_list[*].litellm_params.rpm" in end
    assert "not carried: There is no cache of answers." in end
    assert all(line.startswith("#") for line in end.splitlines()[1:])


# ---- who serves a model


@pytest.mark.parametrize(
    ("params", "provider", "upstream"),
    [
        ("{model: gpt-4o}", "openai", "gpt-4o"),
        ("{model: openai/gpt-4o}", "openai", "gpt-4o"),
        ("{model: claude-sonnet-4-6}", "anthropic", "claude-sonnet-4-6"),
        ("{model: gpt-4o, custom_llm_provider: openai}", "openai", "gpt-4o"),
        ("{model: groq/llama-3.3-70b-versatile}", "groq", "llama-3.3-70b-versatile"),
        ("{model: openrouter/anthropic/claude-sonnet-4.6}", "openrouter", "anthropic/claude-sonnet-4.6"),
        ("{model: together_ai/openai/gpt-oss-120b}", "together", "openai/gpt-oss-120b"),
        ("{model: fireworks_ai/gpt-oss-20b}", "fireworks", "accounts/fireworks/models/gpt-oss-20b"),
        ("{model: ollama_chat/qwen3:8b}", "ollama", "qwen3:8b"),
        ("{model: gemini/gemini-2.5-pro}", "gemini", "gemini-2.5-pro"),
        ("{model: cerebras/llama-9-huge}", "cerebras", "llama-9-huge"),
        ("{model: bedrock/us-west-2/openai.gpt-oss-120b-1:0}", "bedrock", "openai.gpt-oss-120b-1:0"),
        (
            "{model: bedrock/converse/eu.anthropic.claude-x, aws_region_name: eu-west-1}",
            "bedrock-anthropic",
            "eu.anthropic.claude-x",
        ),
        ("{model: vertex_ai/claude-x, vertex_location: us-east5, vertex_project: p}", "vertex-anthropic", "claude-x"),
        ("{model: vertex_ai/gemini-2.5-pro, vertex_location: global, vertex_project: p}", "vertex", "gemini-2.5-pro"),
        (
            "{model: vertex_ai/meta/llama-x-maas, vertex_location: us, vertex_project: p}",
            "vertex-openai",
            "meta/llama-x-maas",
        ),
        ("{model: openai/responses/gpt-5}", "openai", "gpt-5"),
        ("{model: openai/gpt-4o-2024-08-06}", "openai", "gpt-4o-2024-08-06"),
    ],
)
def test_prefixes_name_providers(params, provider, upstream):
    from twintrack.config.compile import compile_snapshot
    from twintrack.config.load import parse

    result = moved(one(params))
    loaded, source = parse(result.text, "x.toml", environ=None)
    assert loaded.providers[0].name == provider
    snapshot = compile_snapshot(loaded, source, generation=1, prices=_NoPrices(), secrets=lambda each: each)
    assert snapshot.deployments[0].upstream_model == upstream


class _NoPrices:
    def find(self, provider: str, model: str) -> None:
        return None


@pytest.mark.parametrize(
    ("params", "url"),
    [
        ("{model: ollama/llama3.1, api_base: 'http://gpu:11434'}", "http://gpu:11434/v1"),
        ("{model: ollama/llama3.1, api_base: 'http://gpu:11434/v1/'}", "http://gpu:11434/v1"),
        ("{model: anthropic/claude-x, api_base: 'https://proxy.example/anthropic'}", "https://proxy.example/anthropic/v1"),
        ("{model: anthropic/claude-x, api_base: 'https://proxy.example/v1/messages'}", "https://proxy.example/v1"),
        ("{model: azure/a, api_base: 'https://r.openai.azure.com/openai/deployments/a', api_key: k}",
         "https://r.openai.azure.com/openai/v1"),
        ("{model: openai/x, api_base: 'http://[::1]:9000/v1'}", "http://[::1]:9000/v1"),
        ("{model: openai/x, base_url: os.environ/MY_BASE}", "http://from.the.environment/v1"),
    ],
)  # fmt: skip
def test_addresses_end_where_ours_do(params, url):
    result = moved(one(params), MY_BASE="http://from.the.environment/v1")
    assert settings(result).providers[0].url == url


def test_a_server_of_this_machine_is_own_and_needs_no_zone():
    result = moved(one("{model: ollama/qwen3:8b, api_base: 'http://localhost:11434'}"))
    assert "zone" not in result.text.split("[[providers]]")[1].split("[[deployments]]")[0]
    result = moved(one("{model: openai/mine, api_base: 'http://127.0.0.1:9000/v1'}"))
    assert settings(result).providers[0].zone == "own"


def test_a_third_party_address_says_that_nobody_said_who_sees_the_data():
    result = moved(one("{model: openai/mine, api_base: 'http://10.1.1.1:9000/v1'}"))
    assert settings(result).providers[0].zone == "third_party"
    assert result.to_check[0].startswith("Who sees the data at 10.1.1.1?")


def test_models_with_different_keys_stand_at_different_providers():
    result = moved(
        """\
        model_list:
          - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: os.environ/ONE}}
          - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: os.environ/TWO}}
          - {model_name: b, litellm_params: {model: openai/gpt-4o, api_key: os.environ/TWO}}
        """
    )
    found = settings(result)
    assert [(each.name, each.api, each.key) for each in found.providers] == [
        ("openai", "", "env:ONE"),
        ("openai-2", "openai", "env:TWO"),
    ]
    assert found.routes["a"].tiers[0].deployments == ("gpt-4o@openai", "gpt-4o@openai-2")
    assert found.routes["b"].tiers[0].deployments == ("gpt-4o@openai-2",)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ("{model: sagemaker/x}", "does not call SageMaker"),
        ("{model: opnai/gpt-4o}", "Did you mean openai?"),
        ("{model: acme/large, api_base: 'https://llm.acme.example/v1'}", 'write [[providers]] with a name, api = "op'),
        ("{model: mystery}", "Write it as provider/model"),
        ("{model: '*'}", "name the models"),
        ("{model: azure/x}", "dd it"),  # an address
        ("{model: bedrock/anthropic.claude-opus-4-7}", ""),  # a region
        ("{model: openai/x, api_base: os.environ/NOT_SET}", "Its api_base has no value. Not set here: NOT_SET;"),
        ("{model: openai/x, api_base: 'https://user:secret@h/v1'}", "Its api_base is not an address we can call"),
        ("{model: text-completion-openai/gpt-3.5-turbo-instruct}", "/v1/completions"),
        ("{model: openai/gpt-4o, api_key: ''}", "no reference and no key"),
        ("{model: openai/gpt-4o, litellm_credential_name: nobody}", "names nothing in credential_list"),
        ("{api_key: x}", "needs model_name and litellm_params.model"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_carried_is_listed_with_what_to_do(params, why):
    result = moved(one(params))
    assert result.draft.routes == []
    assert result.variables == ()
    listed = said(result)
    assert listed["$.model_list[0].model_name"][0] == 2
    assert all(why in reason and kind == "not carried" for _, kind, reason in listed.values())
    assert "secret" not in "".join(reason for _, _, reason in listed.values())


def test_one_that_cannot_be_carried_takes_nobody_else_with_it():
    text = one("{model: openai/gpt-4o}") + "  - model_name: n\n    litellm_params: {model: sagemaker/x}\n"
    result = moved(text)
    assert list(settings(result).routes) == ["m"]
    assert {line for line, _, _ in said(result).values()} == {4, 5}


# ---- keys


def test_a_key_that_stands_there_is_never_written():
    result = moved(one("{model: anthropic/claude-sonnet-4-6, api_key: sk-ant-abcdef}"))
    assert "abcdef" not in result.text
    assert [each.name for each in result.variables] == ["ANTHROPIC_API_KEY"]


def test_a_secret_never_takes_the_variable_of_another():
    result = moved(
        """\
        model_list:
          - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}}
          - {model_name: b, litellm_params: {model: openai/gpt-4o, api_key: sk-one}}
          - {model_name: c, litellm_params: {model: openai/gpt-4o, api_key: sk-two}}
          - {model_name: d, litellm_params: {model: openai/gpt-4o, api_key: sk-one}}
        """
    )
    assert [each.key for each in settings(result).providers] == ["", "env:OPENAI_API_KEY_2", "env:OPENAI_API_KEY_3"]


def test_the_key_that_is_named_keeps_the_plain_name_of_its_provider():
    result = moved(
        """\
        model_list:
          - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: sk-one}}
          - {model_name: a, litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY}}
        """
    )
    found = settings(result)
    assert {each.name: each.key for each in found.providers} == {"openai": "", "openai-2": "env:OPENAI_API_KEY_2"}
    assert found.routes["a"].tiers[0].deployments == ("gpt-4o@openai-2", "gpt-4o@openai")


def test_placeholders_are_no_keys_where_none_may_be_needed():
    result = moved(one("{model: hosted_vllm/x, api_base: 'http://10.0.0.1:8000/v1', api_key: none}"))
    assert result.variables == ()
    assert said(result)["$.model_list[0].litellm_params.api_key"][1] == "not needed"
    # a managed provider always wants one
    assert moved(one("{model: openai/gpt-4o, api_key: anything}")).variables[0].name == "OPENAI_API_KEY"


def test_credentials_are_followed():
    result = moved(
        """\
        model_list:
          - model_name: m
            litellm_params: {model: azure/d, litellm_credential_name: eu}
        credential_list:
          - credential_name: eu
            credential_values: {api_key: os.environ/EU_KEY, api_base: "https://eu.openai.azure.com"}
          - credential_name: unused
            credential_values: {api_key: sk-abc}
        """
    )
    assert settings(result).providers[0].key == "env:EU_KEY"
    assert ("credential_list", 0, "credential_values", "api_base") in result.carried
    assert said(result)["$.credential_list[1].credential_values.api_key"][1] == "not carried"


# ---- what a model is


def test_a_model_the_catalogue_does_not_know_gets_facts_that_say_they_are_assumed():
    result = moved(one("{model: openai/gpt-99-preview}"))
    found = settings(result).deployments[0]
    assert (found.model, found.facts.tools, found.facts.modalities) == ("gpt-99-preview", True, ("text",))
    assert "inputs and tools: assumed" in result.text
    assert "gpt-99-preview@openai" in result.to_check[0]
    assert "text as the only input, and that they can call tools" in result.to_check[0]


@pytest.mark.parametrize(
    ("info", "marked"),
    [
        ("supports_vision: true", "; tools: assumed"),
        ("supports_function_calling: false", "; inputs: assumed"),
        ("supports_vision: true, supports_function_calling: true", "a guess\n"),
    ],
)
def test_only_what_nobody_said_is_marked_as_assumed(info, marked):
    assert marked in moved(one("{model: openai/gpt-99-preview}", f"    model_info: {{{info}}}\n")).text


def test_azure_s_own_names_are_looked_up_by_base_model_then_by_the_group():
    params = "{model: azure/my-deployment, api_base: 'https://r.openai.azure.com', api_key: k}"
    info = "    model_info: {base_model: azure/gpt-4.1-mini}\n"
    assert deployment(params, info).model == "gpt-4.1-mini"
    text = one(params).replace("name: m", "name: gpt-4o")
    found = settings(moved(text)).deployments[0]
    assert (found.model, found.upstream_model) == ("gpt-4o", "my-deployment")


def test_a_date_behind_a_name_does_not_hide_which_model_it_is():
    for dated in ("gpt-4o-2024-08-06", "gpt-4o-20240806"):
        assert deployment(f"{{model: openai/{dated}}}").model == "gpt-4o"


def test_what_environment_variables_sets_is_used_but_never_as_a_secret():
    result = moved(
        one(
            "{model: openai/x, api_base: os.environ/BASE, api_key: os.environ/KEY}",
            "environment_variables: {BASE: 'http://10.0.0.9/v1', KEY: sk-in-the-file}\n",
        )
    )
    found = settings(result).providers[0]
    assert (found.url, found.key) == ("http://10.0.0.9/v1", "env:KEY")
    assert "sk-in-the-file" not in result.text
    assert ("environment_variables", "BASE") in result.carried
    assert said(result)["$.environment_variables.KEY"][1] == "not carried"


@pytest.mark.parametrize(
    ("info", "facts"),
    [
        ("max_input_tokens: 8192, max_output_tokens: 2048", {"context_tokens": 8192, "max_output_tokens": 2048}),
        ("max_tokens: 1024", {"max_output_tokens": 1024}),
        ("max_tokens: 512, mode: embedding", {"context_tokens": 512, "embeddings": True, "modalities": ("text",)}),
        ("supports_vision: true, supports_function_calling: false", {"modalities": ("text", "image"), "tools": False}),
        ("supports_vision: false", {"modalities": ("text",)}),
    ],
)
def test_model_info_becomes_facts(info, facts):
    found = deployment("{model: openai/unheard-of}", f"    model_info: {{{info}}}\n").facts
    assert {word: getattr(found, word) for word in facts} == facts


@pytest.mark.parametrize("mode", ["image_generation", "audio_transcription", "rerank"])
def test_what_twintrack_does_not_serve_is_listed(mode):
    result = moved(one("{model: openai/some-model}", f"    model_info: {{mode: {mode}}}\n"))
    assert result.draft.routes == []
    assert f"not '{mode}'" in said(result)["$.model_list[0].model_name"][2]


@pytest.mark.parametrize(
    ("model", "does"),
    [
        ("openai/dall-e-3", "makes images"),
        ("dall-e-3", "makes images"),
        ("openai/gpt-image-1", "makes images"),
        ("gemini/imagen-4.0-generate-001", "makes images"),
        ("gemini/gemini-2.5-flash-image", "makes images"),
        ("together_ai/black-forest-labs/FLUX.1-schnell", "makes images"),
        ("cohere/rerank-english-v3.0", "ranks documents"),
        ("hosted_vllm/BAAI/bge-reranker-v2-m3, api_base: 'http://10.0.0.1/v1'", "ranks documents"),
        ("openai/whisper-1", "writes down speech"),
        ("openai/gpt-4o-transcribe", "writes down speech"),
        ("openai/tts-1", "makes sound"),
        ("openai/gpt-4o-mini-tts", "makes sound"),
        ("openai/omni-moderation-latest", "judges texts"),
        ("openai/gpt-4o-realtime-preview", "talks in real time"),
        ("gemini/veo-3.0-generate-001", "makes videos"),
        ("openai/sora-2", "makes videos"),
        ("deepgram/nova-2", "serves speech"),
    ],
)
def test_what_does_not_chat_by_its_name_is_listed_and_no_fallback(model, does):
    text = one(f"{{model: {model}, api_key: sk-x}}") + (
        "  - {model_name: n, litellm_params: {model: openai/gpt-4o}}\nrouter_settings: {fallbacks: [{n: [m]}]}\n"
    )
    result = moved(text)
    routes = settings(result).routes
    assert [(name, len(route.tiers)) for name, route in routes.items()] == [("n", 1)]
    assert f"t {does}" in said(result)["$.model_list[0].model_name"][2]
    assert [each.name for each in result.variables] == ["OPENAI_API_KEY"]  # its secret is not asked for


def test_azure_s_own_names_tell_by_base_model_or_by_the_group_what_does_not_chat():
    params = "{model: azure/mine, api_base: 'https://r.openai.azure.com', api_key: k}"
    assert moved(one(params, "    model_info: {base_model: azure/dall-e-3}\n")).draft.routes == []
    assert moved(one(params).replace("name: m", "name: whisper-1")).draft.routes == []
    assert deployment(params, "    model_info: {base_model: azure/gpt-4o}\n").model == "gpt-4o"


def test_who_says_that_it_chats_is_believed():
    assert not deployment("{model: openai/flux-coder}", "    model_info: {mode: chat}\n").facts.embeddings


@pytest.mark.parametrize(
    "model",
    ["openai/text-embedding-ada-002", "cohere/embed-english-v3.0", "ollama/nomic-embed-text", "openai/voyage-3-large",
     "hosted_vllm/BAAI/bge-large-en-v1.5, api_base: 'http://10.0.0.1/v1'", "together_ai/intfloat/multilingual-e5-large",
     "openai/gte-large"],
)  # fmt: skip
def test_embedding_models_are_known_by_their_names(model):
    assert deployment(f"{{model: {model}}}").facts.embeddings is True


# ---- what to check


def checks(text: str, about: str) -> list[str]:
    return [each for each in moved(text).to_check if about in each]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ("{model: ollama/qwen3:8b, api_base: 'http://localhost:11434'}", True),
        ("{model: hosted_vllm/Qwen/Qwen3-8B, api_base: 'http://10.0.0.1:8000/v1'}", True),
        ("{model: openai/Qwen/Qwen3-8B, api_base: 'http://127.0.0.1:8000/v1'}", True),
        ("{model: openai/Qwen/Qwen3-8B, api_base: 'https://llm.example.com/v1'}", True),
        ("{model: openai/Qwen/Qwen3-8B, api_base: 'https://api.deepinfra.com/v1/openai'}", False),
        ("{model: hosted_vllm/nobody/knows, api_base: 'http://10.0.0.1:8000/v1'}", False),
        ("{model: openai/gpt-4o}", False),
    ],
)
def test_a_window_of_the_catalogue_is_to_be_checked_where_a_server_has_its_own(params, told):
    found = checks(one(params), "The window of")
    assert bool(found) is told
    assert all("`context_tokens` in `facts`" in each for each in found)
    assert checks(one(params, "    model_info: {max_input_tokens: 8192}\n"), "The window of") == []


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ("{model: perplexity/sonar}", False),
        ("{model: openai/sonar, api_base: 'https://api.perplexity.ai'}", False),
        ("{model: openai/k2, api_base: 'https://api.moonshot.ai/v1'}", False),
        ("{model: openai/x, api_base: 'https://api.groq.com/other/v1'}", False),
        ("{model: openai/x, api_base: 'https://llm.example.com/v1'}", True),
    ],
)
def test_only_addresses_that_may_be_the_user_s_own_are_asked_about(params, told):
    result = moved(one(params))
    assert bool(checks(one(params), "Who sees the data")) is told
    assert ("say own if the machine is yours" in result.text) is told
    assert settings(result).providers[0].zone == "third_party"


def test_a_price_nobody_knows_is_said():
    azure = "model: azure/mine, api_base: 'https://r.openai.azure.com', api_key: k"
    info = "    model_info: {base_model: azure/gpt-4o}\n"
    (told,) = checks(one(f"{{{azure}}}", info), "Cost unknown")
    assert "no list price for gpt-4o@r.openai.azure.com. Add price = {" in told
    costs = "input_cost_per_token: 3e-6, output_cost_per_token: 15e-6"
    assert checks(one(f"{{{azure}, {costs}}}", info), "Cost unknown") == []
    assert deployment(f"{{{azure}, {costs}}}", info).price.input_usd_per_mtok == 3
    assert checks(one("{model: openai/gpt-4o}"), "Cost unknown") == []
    assert checks(one("{model: openai/gpt-99-preview}"), "Cost unknown") != []


@pytest.mark.parametrize(
    ("costs", "price"),
    [
        ("input_cost_per_token: 3e-06, output_cost_per_token: 1.5e-05", (3.0, 15.0)),
        ("input_cost_per_token: 3e-6, output_cost_per_token: 15e-6", (3.0, 15.0)),  # a text, to YAML
        ("input_cost_per_token: 0, output_cost_per_token: 0", (0.0, 0.0)),
        ("input_cost_per_token: 0.00000015, output_cost_per_token: 0.0000006", (0.15, 0.6)),
    ],
)
def test_prices_are_exact(costs, price):
    found = deployment(f"{{model: openai/gpt-4o, {costs}}}").price
    assert (found.input_usd_per_mtok, found.output_usd_per_mtok) == price


@pytest.mark.parametrize(
    "costs",
    ["input_cost_per_token: 1e-6", "input_cost_per_token: -1, output_cost_per_token: .nan", "output_cost_per_token: x"],
)
def test_half_a_price_is_none_and_listed(costs):
    result = moved(one(f"{{model: openai/gpt-4o, {costs}}}"))
    assert settings(result).deployments[0].price is None
    for word in costs.split(", "):
        assert said(result)[f"$.model_list[0].litellm_params.{word.partition(':')[0]}"][1] == "not carried"


# ---- groups and fallbacks

_THREE = """\
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4o}}
  - {model_name: b, litellm_params: {model: anthropic/claude-sonnet-4-6}}
  - {model_name: c, litellm_params: {model: groq/qwen/qwen3-32b}}
  - {model_name: e, litellm_params: {model: openai/text-embedding-3-small}}
"""


def tiers(text: str, route: str) -> list[tuple[str, ...]]:
    return [tier.deployments for tier in settings(moved(_THREE + text)).routes[route].tiers]


def test_order_makes_tiers_inside_a_group():
    result = moved(
        """\
        model_list:
          - {model_name: m, litellm_params: {model: openai/gpt-4o, order: 2}}
          - {model_name: m, litellm_params: {model: openai/gpt-4.1, order: 1}}
          - {model_name: m, litellm_params: {model: openai/gpt-5, order: 2}}
        """
    )
    assert [(tier.name, tier.deployments) for tier in settings(result).routes["m"].tiers] == [
        ("main", ("gpt-4.1@openai",)),
        ("next-2", ("gpt-4o@openai", "gpt-5@openai")),
    ]


def test_default_fallbacks_hold_for_those_without_their_own():
    text = "litellm_settings:\n  default_fallbacks: [b]\n  fallbacks: [{c: [a]}]\n"
    assert tiers(text, "a") == [("gpt-4o@openai",), ("claude-sonnet-4-6@anthropic",)]
    assert tiers(text, "b") == [("claude-sonnet-4-6@anthropic",)]
    assert tiers(text, "c") == [("qwen3-32b@groq",), ("gpt-4o@openai",)]
    assert tiers(text, "e") == [("text-embedding-3-small@openai",)]  # vectors do not mix with words


def test_the_router_s_fallbacks_win_over_the_library_s():
    text = "litellm_settings:\n  fallbacks: [{a: [c]}]\nrouter_settings:\n  fallbacks: [{a: [b]}]\n"
    assert tiers(text, "a")[1:] == [("claude-sonnet-4-6@anthropic",)]
    assert said(moved(_THREE + text))["$.litellm_settings.fallbacks[0].a[0]"][1] == "not needed"


def test_a_fallback_for_long_prompts_is_a_tier_and_says_what_is_different():
    text = "router_settings:\n  context_window_fallbacks: [{a: [b]}]\n"
    assert tiers(text, "a")[1:] == [("claude-sonnet-4-6@anthropic",)]
    assert said(moved(_THREE + text))["$.router_settings.context_window_fallbacks[0].a[0]"][1] == "changed"


def test_a_fallback_beyond_the_second_attempt_says_so():
    text = "router_settings:\n  fallbacks: [{a: [b, c]}]\n"
    listed = said(moved(_THREE + text))
    assert "$.router_settings.fallbacks[0].a[0]" not in listed
    assert "at most 2 deployments" in listed["$.router_settings.fallbacks[0].a[1]"][2]


@pytest.mark.parametrize(
    ("settings_text", "path", "why"),
    [
        ("fallbacks: [{a: [nobody]}]", "fallbacks[0].a[0]", "No model called 'nobody'"),
        ("fallbacks: [{nobody: [a]}]", "fallbacks[0].nobody[0]", "No model called 'nobody'"),
        ("fallbacks: [{a: [a]}]", "fallbacks[0].a[0]", "falls back to itself"),
        ("fallbacks: [{a: [e]}]", "fallbacks[0].a[0]", "embeddings do not mix"),
        ("fallbacks: a", "fallbacks", "should be a list like"),
        ("model_group_alias: {x: nobody}", "model_group_alias.x", "No model called 'nobody'"),
        ("model_group_alias: {a: b}", "model_group_alias.a", "is called 'a' itself"),
        ("content_policy_fallbacks: [{a: [b]}]", "content_policy_fallbacks[0].a[0]", "content filter"),
    ],
)
def test_a_fallback_that_leads_nowhere_is_listed(settings_text, path, why):
    result = moved(f"{_THREE}router_settings:\n  {settings_text}\n")
    settings(result)
    assert why in said(result)[f"$.router_settings.{path}"][2]


def test_a_fallback_may_name_a_deployment_by_its_id():
    text = """\
    model_list:
      - {model_name: a, litellm_params: {model: openai/gpt-4o}}
      - {model_name: b, litellm_params: {model: openai/gpt-4.1}, model_info: {id: the-one}}
    router_settings: {fallbacks: [{a: [the-one]}]}
    """
    assert [tier.deployments for tier in settings(moved(text)).routes["a"].tiers][1] == ("the-one",)


def test_an_id_never_takes_the_name_of_a_group():
    text = one("{model: openai/gpt-4o}", "    model_info: {id: m}\n")
    found = settings(moved(text))
    assert found.routes["m"].tiers[0].deployments == ("gpt-4o@openai",)


def test_patterns_become_the_models_the_catalogue_knows():
    text = """\
    model_list:
      - {model_name: anthropic/*, litellm_params: {model: anthropic/*, api_key: os.environ/ANTHROPIC_API_KEY}}
      - {model_name: anthropic/claude-haiku-4-5, litellm_params: {model: openai/gpt-4o}}
    """
    result = moved(text)
    routes = settings(result).routes
    assert routes["anthropic/claude-sonnet-4-6"].tiers[0].deployments == ("claude-sonnet-4-6@anthropic",)
    assert routes["anthropic/claude-haiku-4-5"].tiers[0].deployments == ("gpt-4o@openai",)  # who is named wins
    assert said(result)["$.model_list[0].litellm_params.model"][1] == "changed"


def test_a_name_clients_cannot_send_is_changed_and_said():
    result = moved(one("{model: openai/gpt-4o}").replace("name: m", "name: Größtes Modell"))
    assert list(settings(result).routes) == ["Gr-tes-Modell"]
    assert "Clients now send Gr-tes-Modell" in said(result)["$.model_list[0].model_name"][2]


# ---- the rest


def test_words_of_an_anchor_count_where_they_are_used():
    result = moved(
        """\
        x-azure: &azure
          api_base: https://r.openai.azure.com
          api_key: os.environ/K
          unheard: 1
        model_list:
          - {model_name: m, litellm_params: {<<: *azure, model: azure/gpt-4o}}
        """
    )
    assert ("x-azure", "api_base") in result.carried
    assert said(result)["$.model_list[0].litellm_params.unheard"][0] == 4
    assert said(result)["$.x-azure.unheard"][1] == "not needed"


def test_a_key_that_is_said_twice_is_listed_once_it_lost():
    result = moved(
        one("{model: openai/gpt-4o}", "general_settings: {a: 1}\ngeneral_settings:\n  master_key: os.environ/K\n")
    )
    assert "Line 5 says it again" in said(result)["$.general_settings.a"][2]


def test_deadlines_are_taken_from_the_router_then_from_the_library():
    both = "litellm_settings: {request_timeout: 10}\nrouter_settings: {timeout: 20}\n"
    assert settings(moved(one("{model: gpt-4o}", both))).server.deadlines.total_s == 20
    assert (
        said(moved(one("{model: gpt-4o}", "litellm_settings: {request_timeout: never}\n")))[
            "$.litellm_settings.request_timeout"
        ][1]
        == "not carried"
    )


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        ("bedrock/eu.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("bedrock/anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("bedrock/converse/us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5"),
        ("vertex_ai/claude-haiku-4-5@20251001", "claude-haiku-4-5"),
    ],
)
def test_a_cloud_s_name_for_a_model_is_known_and_kept(asked, model):
    where = "vertex_project: p, vertex_location: europe-west1" if "vertex" in asked else "aws_region_name: eu-central-1"
    found = deployment(f'{{model: "{asked}", {where}}}')
    assert found.model == model
    assert found.upstream_model == asked.rpartition("/")[2]
    assert found.facts.quality is None


def test_a_cloud_s_name_for_a_model_nobody_knows_stays_what_it_is():
    found = deployment('{model: "bedrock/eu.anthropic.claude-unheard-of-v1:0", aws_region_name: eu-central-1}')
    assert "claude-unheard-of" in found.model
