"""Reading a configuration: what is accepted, and what is said of what is not."""

import math
import re

import msgspec
import pytest
from hypothesis import example as once
from hypothesis import given
from hypothesis import strategies as st

from twintrack.config import settings as schema
from twintrack.config import shape
from twintrack.config.load import load, parse
from twintrack.config.settings import Settings
from twintrack.config.source import InvalidConfig
from twintrack.errors import ConfigError

from .conftest import EXAMPLE, SECRETS


def complaints(text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        parse(text, "twintrack.toml", environ=environ)
    return list(caught.value.problems)


def test_the_example_of_the_documentation_loads(example, environ):
    settings, source = parse(example, "twintrack.toml", environ=environ)
    assert [provider.name for provider in settings.providers] == ["openai", "gpu-room"]
    assert settings.deployments[0].price.per_hour_usd == 9.6
    assert settings.routes["auto"].tiers[1].deployments == ("gpt-5.4@openai",)
    assert source.line(("routes", "auto", "tiers", 1, "name")) == 38


def test_an_empty_file_is_a_configuration():
    assert parse("", "twintrack.toml")[0] == Settings()


def test_settings_survive_a_round_trip(example, environ):
    settings, _ = parse(example, "twintrack.toml", environ=environ)
    assert msgspec.convert(msgspec.to_builtins(settings), Settings) == settings


def test_a_file_is_read_with_its_byte_order_mark_and_windows_line_ends(tmp_path, example, environ):
    path = tmp_path / "twintrack.toml"
    path.write_bytes(b"\xef\xbb\xbf" + example.replace("\n", "\r\n").encode())
    settings, source = load(path, environ=environ)
    assert len(settings.deployments) == 3
    assert source.line(("deployments", 1)) == 25
    assert source.folder == str(tmp_path)


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.toml cannot be read. No such file or directory. Name another"):
        load(tmp_path / "nowhere.toml")


def test_bytes_that_are_no_text_are_placed(tmp_path):
    path = tmp_path / "twintrack.toml"
    path.write_bytes(b"[server]\nlisten = '\xff'\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: This is not UTF-8. Save the file as UTF-8."


OPENAI = '[[providers]]\nname = "openai"\n'
OLLAMA = '[[providers]]\nname = "ollama"\n'
QWEN = '[[deployments]]\nmodel = "qwen3-8b"\nprovider = "ollama"\n'
MINE = '[[deployments]]\nmodel = "mine"\nprovider = "ollama"\nfacts = { tools = true }\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        # Not TOML
        (
            "[server\n",
            "twintrack.toml:1:8: Expected ']' at the end of a table declaration. This is where the text stops being "
            "TOML: look for a missing quote, bracket or =.",
        ),
        (
            '[server]\nlisten = "127',
            "twintrack.toml: at the end: Unterminated string. This is where the text stops being TOML: look for a "
            "missing quote, bracket or =.",
        ),
        (
            "[server]\nworkers = 1\nworkers = 2\n",
            "twintrack.toml:3:12: Cannot overwrite a value. Every table and every word in it may stand only once.",
        ),
        # Words and types
        (
            '[[deployments]]\nmodel = "m"\nprovider = "p"\nnmae = "x"\n',
            "twintrack.toml:4: $.deployments[0].nmae is unknown. Did you mean name?",
        ),
        (
            "[routes.auto]\ntiers = []\nkeep_qality = 1.0\n",
            "twintrack.toml:3: $.routes.auto.keep_qality is unknown. Did you mean keep_quality?",
        ),
        (
            '[[deployments]]\nmodel = "m"\nprovider = "p"\nzone = "own"\n',
            "twintrack.toml:4: $.deployments[0].zone is unknown. It belongs to [[providers]].",
        ),
        (
            "[server.tls]\nqqqqq = 1\ncert = ''\nkey = ''\n",
            "twintrack.toml:2: $.server.tls.qqqqq is unknown. Known here: cert, key.",
        ),
        (
            '[[providers]]\nname = "p"\n\n[[providers]]\nname = "q"\nzone = "cloudy"\n',
            "twintrack.toml:6: $.providers[1].zone is 'cloudy'. Use own, contracted or third_party.",
        ),
        (
            "[privacy]\nhidden = { zones = [] }\n",
            "twintrack.toml:2: $.privacy.hidden is unknown. Known here: public, internal, "
            "confidential, restricted, categories.",
        ),
        (
            '[privacy.restricted]\nzones = [\n  "own",\n  "away",\n]\n',
            "twintrack.toml:4: $.privacy.restricted.zones[1] is 'away'. Use own, contracted or third_party.",
        ),
        (
            "[[deployments]]\nmodel = 'm'\n",
            'twintrack.toml:1: $.deployments[0].provider is missing. Add provider = "…".',
        ),
        (
            "[routes.'my route']\n",
            'twintrack.toml:1: $.routes."my route".tiers is missing. Add tiers = […].',
        ),
        (
            '[providers]\nname = "openai"\n',
            "twintrack.toml:1: $.providers is a table. Write [[providers]], with two brackets on each side, once for "
            "each of them.",
        ),
        ("[[server]]\n", "twintrack.toml:1: $.server is a list. Write [server], with one bracket on each side."),
        (
            "[[deployments]]\nmodel = 'm'\nprovider = 'p'\nfacts = []\n",
            "twintrack.toml:4: $.deployments[0].facts is a list. Use a table: { … }.",
        ),
        (
            "[routes.r]\ntiers = { name = 'a' }\n",
            "twintrack.toml:2: $.routes.r.tiers is a table. Write [[routes.r.tiers]], with two brackets on each side, "
            "once for each of them.",
        ),
        (
            "[[keys]]\nname = 'k'\nkey = 'env:K'\nmodels = 'auto'\n",
            'twintrack.toml:4: $.keys[0].models is \'auto\'. Use a list of texts: ["…", "…"].',
        ),
        (
            "[server]\nworkers = 'four'\n",
            "twintrack.toml:2: $.server.workers is 'four'. Use a whole number from 1 to 1024.",
        ),
        ("[server]\nworkers = 2.0\n", "twintrack.toml:2: $.server.workers is 2. Use a whole number from 1 to 1024."),
        (
            "[server.limits]\nmax_headers = 0\n",
            "twintrack.toml:2: $.server.limits.max_headers is 0. Use a whole number of at least 1.",
        ),
        (
            "[server.deadlines]\nhead_s = -1\n",
            "twintrack.toml:2: $.server.deadlines.head_s is -1. Use a number above 0 and at most 86400.",
        ),
        (
            "[routes.r]\ntiers = []\nkeep_quality = nan\n",
            "twintrack.toml:3: $.routes.r.keep_quality is nan. Use a number from 0 to 1.",
        ),
        (
            "[routes.r]\ntiers = []\nmax_usd_per_request = inf\n",
            "twintrack.toml:3: $.routes.r.max_usd_per_request is inf. Use a number of at least 0.",
        ),
        ("[server]\nlisten = 2026-11-20\n", "twintrack.toml:2: $.server.listen is a date or time. Use text in quotes."),
        (
            "[[providers]]\nname = 'p'\nsimulated = 'yes'\n",
            "twintrack.toml:3: $.providers[0].simulated is 'yes'. Use true or false.",
        ),
        # Server
        (
            '[server]\nlisten = "8080"\n',
            "twintrack.toml:2: $.server.listen is '8080', which is no address. Use HOST:PORT, like 127.0.0.1:8080 or "
            "[::1]:8080.",
        ),
        (
            '[server]\nlisten = "0.0.0.0:8080"\n',
            "twintrack.toml:2: $.server.listen is '0.0.0.0:8080', which other machines can reach, and there is no key. "
            'Listen on 127.0.0.1, or add:\n\n[[keys]]\nname = "me"\nkey = "env:TWINTRACK_KEY"\n',
        ),
        (
            '[server]\nca = "nowhere.pem"\n',
            "twintrack.toml:2: $.server.ca is 'nowhere.pem', which cannot be read. Paths start at the configuration's "
            "folder.",
        ),
        (
            '[server]\nproxy = "http://me:hush@proxy:3128"\n',
            "twintrack.toml:2: $.server.proxy is not an address like http://proxy.example.com:3128. If it needs a name "
            "and password, put the whole address into a variable and write env:NAME.",
        ),
        # Secrets
        (
            '[[keys]]\nname = "k"\nkey = "sk-hush"\n',
            "twintrack.toml:3: $.keys[0].key holds something else than a reference to a secret. Write env:NAME to take "
            "it from an environment variable, or file:PATH.",
        ),
        (
            '[[keys]]\nname = "k"\nkey = "env:NOPE"\n',
            "twintrack.toml:3: $.keys[0].key leads nowhere: the environment variable NOPE is not set. Set it before "
            "starting, or name another.",
        ),
        (
            '[[keys]]\nname = "k"\nkey = "file:/no/such/file"\n',
            "twintrack.toml:3: $.keys[0].key leads nowhere: the file /no/such/file cannot be read (No such file or "
            "directory). Set it before starting, or name another.",
        ),
        (
            '[[keys]]\nname = "a"\nkey = "env:K"\n[[keys]]\nname = "b"\nkey = "env:K"\n',
            "twintrack.toml:6: $.keys[1].key is the same secret as that of 'a'. Give every key a secret of its own.",
        ),
        (
            '[[providers]]\nname = "groq"\n',
            "twintrack.toml:1: $.providers[0].key is missing: the environment variable GROQ_API_KEY is not set. Set "
            'it, or name another variable: key = "env:NAME".',
        ),
        (
            '[[keys]]\nname = "k"\nkey = "env:K"\nmodels = ["*", "auto"]\n',
            "twintrack.toml:4: $.keys[0].models[1] is 'auto', which is not the name of a route or deployment. There is "
            "none yet.",
        ),
        # Providers
        (
            '[[providers]]\nname = "opnai"\n',
            "twintrack.toml:2: $.providers[0].name is 'opnai', which is no provider we know, and api is missing. Did "
            'you mean openai? Or add what it speaks and where it is: api = "openai", url = "https://…/v1", zone = '
            '"…".',
        ),
        (
            '[[providers]]\nname = "g"\napi = "vlm"\n',
            "twintrack.toml:3: $.providers[0].api is 'vlm', which is no server we know. Did you mean vllm? A server "
            "that speaks the OpenAI dialect can say openai.",
        ),
        (
            '[[providers]]\nname = "g"\napi = "vllm"\nurl = "http://10.0.0.5:8000/v1"\n',
            "twintrack.toml:1: $.providers[0].zone is missing, and 10.0.0.5 is an address of your own. Say who sees "
            "the data there: own, contracted or third_party.",
        ),
        (
            '[[providers]]\nname = "g"\napi = "openai"\nurl = "ftp://x"\n',
            "twintrack.toml:4: $.providers[0].url is 'ftp://x', which is no base address. Use http or https, a host, "
            "a port if it is not the usual one, and a path: https://llm.example.com/v1. Names and passwords do not "
            "belong in it.",
        ),
        (
            '[[providers]]\nname = "openai"\nzone = "own"\n',
            "twintrack.toml:3: $.providers[0].zone is own, but api.openai.com is not your machine. Use contracted if "
            "you checked its terms, else third_party.",
        ),
        (
            '[[providers]]\nname = "openai"\nregion = "EU"\n',
            "twintrack.toml:3: $.providers[0].region is 'EU', which is no region. Use lower-case words joined by "
            "hyphens, like eu-west.",
        ),
        (
            OLLAMA + OLLAMA,
            "twintrack.toml:4: $.providers[1].name is 'ollama', as on line 1. Give each a name of its own.",
        ),
        (
            '[[providers]]\nname = "my room"\napi = "ollama"\n',
            "twintrack.toml:2: $.providers[0].name is 'my room'. Use 1 to 128 letters, digits and signs of plain "
            "ASCII, without spaces.",
        ),
        (
            '[[providers]]\nname = "e"\nengine = "demo-nanno"\n',
            "twintrack.toml:3: $.providers[0].engine is 'demo-nanno', which is not the name of a bundled model, nor a "
            ".gguf file. Did you mean demo-nano?",
        ),
        (
            '[[providers]]\nname = "e"\nengine = "demo-nano"\nurl = "http://127.0.0.1:1/v1"\n',
            "twintrack.toml:4: $.providers[0].url stands beside engine. An engine started here gets its address from "
            "us: drop one.",
        ),
        (
            '[[providers]]\nname = "e"\nengine = "demo-nano"\n[[deployments]]\nmodel = "gpt-5.4"\nprovider = "e"\n',
            "twintrack.toml:5: $.deployments[0].model is 'gpt-5.4', but e runs demo-nano. Write model = \"demo-nano\".",
        ),
        # Deployments
        (
            OLLAMA + '[[deployments]]\nmodel = "qwen3-8b"\nprovider = "olama"\n',
            "twintrack.toml:5: $.deployments[0].provider is 'olama', which is not the name of a provider. Did you mean "
            "ollama?",
        ),
        (
            OPENAI + '[[deployments]]\nmodel = "gpt-5.44"\nprovider = "openai"\n',
            "twintrack.toml:4: $.deployments[0].model is 'gpt-5.44', which the catalogue does not know. Did you mean "
            "gpt-5.4, gpt-5.5 or gpt-5? If not, say what it is: facts = { context_tokens = 8192, modalities = "
            '["text"], tools = true }.',
        ),
        (
            OPENAI + '[[deployments]]\nmodel = "glm-5.2"\nprovider = "openai"\n',
            "twintrack.toml:5: $.deployments[0].provider is 'openai', which is not known to serve glm-5.2. Known to "
            "serve it: together, fireworks, openrouter. If it does, add what it calls the model there: upstream_model "
            '= "…".',
        ),
        (
            OLLAMA + '[[deployments]]\nmodel = ""\nprovider = "ollama"\nname = "x"\n',
            "twintrack.toml:4: $.deployments[0].model is ''. Use 1 to 128 letters, digits and signs of plain ASCII, "
            "without spaces.",
        ),
        (
            OLLAMA + QWEN + QWEN,
            "twintrack.toml:6: $.deployments[1].name is 'qwen3-8b@ollama', as on line 3. Give each a name of its own.",
        ),
        (
            OLLAMA + QWEN + "name = 'auto'\n[routes.auto]\ntiers = [{ name = 's', deployments = ['auto'] }]\n",
            "twintrack.toml:3: $.deployments[0] is called 'auto', as a route is. Clients could not tell them apart: "
            "rename one.",
        ),
        (
            OLLAMA + QWEN + "price = { per_hour_usd = 1, input_usd_per_mtok = 2, output_usd_per_mtok = 2 }\n",
            "twintrack.toml:6: $.deployments[0].price is said by token and by hour at once. Keep per_hour_usd for an "
            "engine of your own, else the prices per million tokens.",
        ),
        (
            OLLAMA + QWEN + "price = { input_usd_per_mtok = 2 }\n",
            "twintrack.toml:6: $.deployments[0].price.output_usd_per_mtok is missing. A price by token needs both "
            "input and output.",
        ),
        (
            OLLAMA + QWEN + "price = { cache_read_usd_per_mtok = 2 }\n",
            "twintrack.toml:6: $.deployments[0].price.input_usd_per_mtok is missing. A price by token needs both input "
            "and output.",
        ),
        (
            OLLAMA + QWEN + "price = { per_hour_usd = 1, output_audio_usd_per_mtok = 2 }\n",
            "twintrack.toml:6: $.deployments[0].price is said by token and by hour at once. Keep per_hour_usd for an "
            "engine of your own, else the prices per million tokens.",
        ),
        (
            OLLAMA + QWEN + "price = {}\n",
            "twintrack.toml:6: $.deployments[0].price says nothing. Add input_usd_per_mtok and output_usd_per_mtok, or "
            "per_hour_usd.",
        ),
        # Routes
        (
            "[routes.auto]\ntiers = []\n",
            "twintrack.toml:2: $.routes.auto.tiers is empty. Add at least one tier with a deployment.",
        ),
        (
            "[routes.auto]\ntiers = [\n{ name = 's', deployments = [] }]\n",
            "twintrack.toml:3: $.routes.auto.tiers[0].deployments is empty. Name at least one deployment.",
        ),
        (
            OLLAMA + QWEN + "[routes.auto]\ntiers = [\n  { name = 's', deployments = [\n    'qwen3@ollama'] }]\n",
            "twintrack.toml:9: $.routes.auto.tiers[0].deployments[0] is 'qwen3@ollama', which is not the name of a "
            "deployment. Did you mean qwen3-8b@ollama?",
        ),
        (
            OLLAMA
            + QWEN
            + "[routes.auto]\ntiers = [{ name = 's', deployments = ['qwen3-8b@ollama', 'qwen3-8b@ollama'] }]\n",
            "twintrack.toml:7: $.routes.auto.tiers[0].deployments[1] names qwen3-8b@ollama a second time. Remove it.",
        ),
        (
            OLLAMA
            + QWEN
            + "[routes.auto]\nobserve = 'gpt'\ntiers = [{ name = 's', deployments = ['qwen3-8b@ollama'] }]\n",
            "twintrack.toml:7: $.routes.auto.observe is 'gpt', which is not the name of a deployment. Known: "
            "qwen3-8b@ollama.",
        ),
        (
            OLLAMA
            + QWEN
            + "[routes.auto]\nobserve = 'qwen3-8b@ollama'\n"
            + "tiers = [{ name = 's', deployments = ['qwen3-8b@ollama'] }]\n",
            'twintrack.toml:7: $.routes.auto.observe is set, but mode is not. Add mode = "observe", or remove it.',
        ),
        (
            OLLAMA
            + QWEN
            + "[routes.auto]\npseudonyms = ['pii', 'finance']\n"
            + "tiers = [{ name = 's', deployments = ['qwen3-8b@ollama'] }]\n",
            "twintrack.toml:7: $.routes.auto.pseudonyms[1] is 'finance', which is not the name of a category that can "
            "be replaced. Did you mean financial?",
        ),
        (
            OLLAMA
            + QWEN
            + "[detect]\nmode = 'observe'\n[routes.auto]\npseudonyms = true\n"
            + "tiers = [{ name = 's', deployments = ['qwen3-8b@ollama'] }]\n",
            "twintrack.toml:9: $.routes.auto.pseudonyms is said, but what its requests hold changes nothing: detect is "
            'observe. Write detect = "enforce" in this route, or remove it.',
        ),
        (
            OLLAMA
            + QWEN
            + "[routes.auto]\npseudonyms = ['export']\n"
            + "tiers = [{ name = 's', deployments = ['qwen3-8b@ollama'] }]\n",
            "twintrack.toml:7: $.routes.auto.pseudonyms[0] is export: a marking is about all of a document, and no "
            "word of it can be put for it. Take it out: such requests keep their class.",
        ),
        (
            OLLAMA
            + QWEN
            + MINE
            + "[routes.r]\ntiers = [{ name = 's', deployments = ['qwen3-8b@ollama', 'mine@ollama'] }]\n",
            "twintrack.toml:9: $.deployments[1].facts.quality is missing: route r compares it, and the catalogue does "
            "not know mine. Add the share of ordinary requests it answers well, like quality = 0.8.",
        ),
        (
            OLLAMA
            + '[[deployments]]\nmodel = "bge-m3"\nprovider = "ollama"\n'
            + '[[deployments]]\nmodel = "qwen3-embedding-0.6b"\nprovider = "ollama"\n'
            + "[routes.e]\ntiers = [{ name = 's', deployments = ['bge-m3@ollama', 'qwen3-embedding-0.6b@ollama'] }]\n",
            "twintrack.toml:9: $.routes.e chooses between bge-m3 and qwen3-embedding-0.6b, and vectors of two "
            "embedding models do not mix. Keep one model in it; several deployments of that one are fine.",
        ),
        # Privacy
        (
            '[privacy]\nrestricted = { regions = ["EU_*"], zones = ["own"] }\n',
            "twintrack.toml:2: $.privacy.restricted.regions[0] is 'EU_*', which no region can match. Use lower-case "
            "words joined by hyphens, with * as wildcard: eu-*.",
        ),
        (
            '[privacy]\nrestricted = { zones = ["own", "third_party"] }\n',
            "twintrack.toml:2: $.privacy.restricted.zones lets third_party see what is restricted, but not what is "
            "confidential. Whoever may see restricted data may see confidential data too: take it out here, or add it "
            "there.",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_its_path_and_its_remedy(text, complaint):
    assert complaints(text, {"K": "hush", "OPENAI_API_KEY": "hush"}) == [complaint]


def test_all_faults_are_told_at_once_in_the_order_of_their_lines():
    text = OLLAMA + QWEN + '[server]\nlisten = "x"\n[routes.r]\ntiers = []\n[[providers]]\nname = "y"\n'
    assert [line.split(":")[1] for line in complaints(text)] == ["7", "9", "11"]


def test_shape_comes_first_because_the_rest_stands_on_it():
    assert complaints('[server]\nlisten = "x"\nworkers = 0\nlistn = 1\n') == [
        "twintrack.toml:3: $.server.workers is 0. Use a whole number from 1 to 1024.",
        "twintrack.toml:4: $.server.listn is unknown. Did you mean listen?",
    ]


@pytest.mark.parametrize(
    "line",
    [
        'key = "sk-hush"',
        'key = "sk-hush\\n"',
        'key = "env:sk-hush"',
        "key = ['sk-hush']",
        "key = { v = 'sk-hush' }",
        'kye = "sk-hush"',
        'url = "https://u:sk-hush@host/v1"',
    ],
)
def test_a_secret_written_down_is_never_repeated(line):
    for text in (f'[[providers]]\nname = "openai"\n{line}\n', f'[[keys]]\nname = "k"\n{line}\n'):
        assert "hush" not in " ".join(complaints(text, {}))


def test_without_an_environment_nothing_outside_the_text_is_looked_at(example):
    settings, _ = parse(example + '\n[server.tls]\ncert = "no.pem"\nkey = "no.key"\n', "twintrack.toml", environ=None)
    assert settings.server.tls is not None


def test_paths_start_at_the_folder_of_the_file(tmp_path):
    (tmp_path / "secret").write_text("hush\n")
    path = tmp_path / "twintrack.toml"
    path.write_text('[[keys]]\nname = "k"\nkey = "file:secret"\n')
    load(path, environ={})
    (tmp_path / "secret").write_text("two words\n")
    with pytest.raises(ConfigError, match="secret holds more than one word of plain ASCII"):
        load(path, environ={})


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:8080", "localhost:80", "127.8.8.8:65535"])
def test_loopback_needs_no_key(listen):
    parse(f'[server]\nlisten = "{listen}"\n', "twintrack.toml", environ={})


@pytest.mark.parametrize("listen", ["[::]:1", "0.0.0.0:1", "gateway.example.com:1", "10.0.0.1:1"])
def test_anything_else_does(listen):
    assert "there is no key" in complaints(f'[server]\nlisten = "{listen}"\n')[0]


@pytest.mark.parametrize(
    "listen", ["", ":80", "host", "host:", "host:x", "host:65536", "host:0000099999", "::1:80", "a b:1", "host:٣"]
)
def test_an_address_has_a_host_and_a_port(listen):
    assert "which is no address" in complaints(f'[server]\nlisten = "{listen}"\n')[0]


def test_a_local_server_on_this_machine_is_ours_and_elsewhere_must_say():
    parse('[[providers]]\nname = "v"\napi = "vllm"\nurl = "http://localhost:9/v1"\n', "twintrack.toml", environ={})
    for api, url in (("vllm", "http://192.168.1.2/v1"), ("openai", "http://127.0.0.1:9/v1")):
        text = f'[[providers]]\nname = "v"\napi = "{api}"\nurl = "{url}"\n'
        assert "$.providers[0].zone is missing" in complaints(text)[0]


def test_a_key_variable_belongs_to_its_own_address():
    """Else the key of a known provider would go to whoever stands at another address."""
    parse('[[providers]]\nname = "openai"\nurl = "https://other.example/v1"\nzone = "third_party"\n', "x", environ={})


def test_an_embedding_model_needs_no_price_for_output():
    text = OLLAMA + '[[deployments]]\nmodel = "bge-m3"\nprovider = "ollama"\nprice = { input_usd_per_mtok = 0.01 }\n'
    parse(text, "twintrack.toml", environ={})


def test_an_unknown_model_may_stand_alone_in_a_route_without_a_quality():
    text = OLLAMA + MINE + "[routes.r]\ntiers = [{ name = 's', deployments = ['mine@ollama'] }]\n"
    parse(text, "twintrack.toml", environ={})


def test_the_tables_of_the_schema_are_all_known_by_their_headers():
    """The hint "It belongs to …" and the reference are written from this list."""
    structs = [each for each in vars(schema).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    assert {each for each in structs if each.__struct_fields__} == {table for _, table in shape.TABLES}


# Whatever the text, the answer is settings or a ConfigError.


def outcome(text: str) -> Settings | ConfigError:
    try:
        return parse(text, "twintrack.toml", environ=SECRETS)[0]
    except ConfigError as error:
        result = error
    assert not any(secret in str(result) for secret in SECRETS.values())
    for problem in getattr(result, "problems", [str(result)]):
        assert problem.startswith("twintrack.toml:"), problem
    return result


@given(st.text())
@once("\0")
@once("a = " + "9" * 5000)
@once("a = " + "[" * 5000)
@once("[server]\nlisten = '\x7f'")
def test_any_text_is_settings_or_a_config_error(text):
    outcome(text)


words = sorted({word for _, table in shape.TABLES for word in table.__struct_fields__} | {"auto", "restricted", "x y"})
names = ["openai", "ollama", "own", "qwen3-8b", "demo-nano", "auto", "observe", "eu-*", "*", "", "\0", "é"]
places = ["env:TWINTRACK_KEY", "env:X", "file:/dev/null", "127.0.0.1:1", "http://[::1", "https://h/v1", "x.gguf"]
numbers = [0, 1, -1, 10**30, True, 0.5, math.nan, math.inf, -math.inf, 1e308]
atoms = st.sampled_from([*names, *places, *numbers])
documents = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(words), inner, max_size=5),
    max_leaves=25,
).filter(lambda value: isinstance(value, dict))


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(word)} = {toml(each)}" for word, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",\n".join(toml(each) for each in value) + "]"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


@given(documents)
def test_any_toml_is_settings_or_a_config_error(document):
    outcome("".join(f"{toml(word)} = {toml(each)}\n" for word, each in document.items()))


@given(st.data())
def test_a_spoilt_example_is_settings_or_a_config_error(data):
    """One line gone, doubled or with another value: the usual slips."""
    lines = EXAMPLE.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    value = toml(data.draw(atoms))
    lines[number] = data.draw(
        st.sampled_from(["", f"{line}\n{line}", re.sub(r"= .*", lambda _: f"= {value}", line), line[:-1]])
    )
    outcome("\n".join(lines))


@given(documents)
def test_the_explanation_is_empty_only_for_what_fits(document):
    """The walk that explains and the conversion that refuses agree."""
    try:
        msgspec.convert(document, Settings)
    except msgspec.ValidationError:
        assert shape.problems(document)
    else:
        assert not shape.problems(document)


@pytest.mark.parametrize("secret", ["sk-proj-Zm9vYmFyYmF6cXV4", "hf_aBcDeFgHiJkLmNoPqRsT", "AKIAIOSFODNN7EXAMPLE1"])
@pytest.mark.parametrize(
    "text",
    [
        '[server]\nworkers = "{}"',
        '[server]\nlisten = "{}"',
        '[routes]\nkey = "{}"',
        '[[providers]]\nname = "openai"\nkey = "env:K"\nregion = "{}!"',
        '[routes.r]\ntiers = [{{ name = "t", deployments = ["{}"] }}]',
    ],
)
def test_what_looks_like_a_secret_is_repeated_nowhere(text: str, secret: str) -> None:
    """Pasted into the wrong place, it would stand in every log that keeps what commands say."""
    found = complaints(text.format(secret), {"K": "k"})
    assert secret not in "".join(found)


def test_a_name_that_only_begins_like_a_secret_is_quoted() -> None:
    assert "'skylark-70b-instruct-2026-long'" in complaints('[server]\nlisten = "skylark-70b-instruct-2026-long"')[0]
