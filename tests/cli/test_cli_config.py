"""Every fault with its line, every value with its origin."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema_rs  # comes with schemathesis
import pytest

from twintrack.cli.config import json_schema
from twintrack.config import settings
from twintrack.config.load import parse
from twintrack.config.reference import EXAMPLE, docstrings, reference

from .conftest import CONFIG, shape

SHAPES = json.loads((Path(__file__).parent / "data" / "shapes.json").read_text())


def test_a_right_configuration_is_called_right(cli, config, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    ran = cli("config", "check", str(config))
    assert ran.code == 0
    first, *notes = ran.out.splitlines()
    assert first.startswith(f"{config} is right: auto; 3 deployments, 0 keys; policy ")
    assert notes == ["Note: the price of our-model@gpu-room is unknown, so what it costs and saves will be unknown."]
    assert "sk-not-a-key" not in ran.out + ran.err


def test_a_note_that_holds_for_many_is_one_line(cli, config):
    third = '[[deployments]]\nmodel = "other"\nprovider = "openai"\nfacts = { context_tokens = 8192, tools = true }\n\n'
    routes = "".join(f'[routes.r{n}]\ntiers = [{{ name = "a", deployments = ["gpt-5.4@openai"] }}]\n' for n in range(3))
    config.write_text(CONFIG.replace("[routes.auto]", third + "[routes.auto]") + routes)
    _, *notes = cli("config", "check", "--text-only", str(config)).out.splitlines()
    assert notes == [
        "Note: the prices of our-model@gpu-room and other@openai are unknown, so what they cost and save will be "
        "unknown.",
        "Note: routes r0, r1 and r2 refuse confidential and restricted requests: none of their deployments may see "
        "them.",
    ]


def test_all_faults_are_told_a_line_each(cli, config):
    config.write_text(CONFIG.replace('"own"', '"cloudy"').replace("gpt-5.4@openai", "gpt-5.5@openai"))
    ran = cli("config", "check", str(config))
    assert (ran.code, ran.err) == (3, "")
    assert ran.out == f"{config}:8: $.providers[0].zone is 'cloudy'. Use own, contracted or third_party.\n"
    config.write_text(CONFIG.replace("gpt-5.4@openai", "gpt-5.5@openai").replace("our-model", "llama-3.3-70b-instruct"))
    ran = cli("config", "check", str(config))
    assert ran.code == 3
    assert len(ran.out.splitlines()) == 3
    assert all(line.startswith(f"{config}:") for line in ran.out.splitlines())


def test_a_missing_key_is_a_fault_unless_only_the_text_is_looked_at(cli, config):
    ran = cli("config", "check", str(config))
    assert ran.code == 3
    assert "the environment variable OPENAI_API_KEY is not set" in ran.out
    assert cli("config", "check", "--text-only", str(config)).code == 0


def test_what_a_worker_would_find_too_late_is_found(cli, config, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    (tmp_path / "ca.crt").write_text("no certificate")
    config.write_text(CONFIG.replace("[server]", '[server]\nca = "ca.crt"'))
    ran = cli("config", "check", str(config))
    assert ran.code == 3
    assert f"{config}: The certificate authorities in " in ran.out
    config.write_text(CONFIG.replace("[server]", '[server]\ntls = { cert = "ca.crt", key = "ca.crt" }'))
    ran = cli("config", "check", str(config))
    assert ran.code == 3
    assert "The TLS certificate cannot be loaded" in ran.out


def test_what_is_right_but_hardly_meant_is_noted(cli, config, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("sk-not-a-key")
    secret.chmod(0o644)
    text = CONFIG.replace('name = "openai"', f'name = "openai"\nkey = "file:{secret}"')
    config.write_text(text.replace('{ name = "small", deployments = ["llama-3.3-70b-instruct@gpu-room"] },', ""))
    ran = cli("config", "check", str(config))
    assert ran.code == 0
    assert "Note: route auto refuses confidential and restricted requests" in ran.out
    assert f"Note: Every user of this machine can read {secret}. Run chmod 600 {secret}." in ran.out


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_file_that_is_not_there(cli, command):
    ran = cli("config", command)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "twintrack: There is no configuration twintrack.toml. Name another, or write one from what is on this machine: "
        "twintrack init.\n"
    )


def test_twintrack_toml_is_the_default(cli, config):
    config.rename(config.with_name("twintrack.toml"))
    assert cli("config", "check", "--text-only").out.startswith("twintrack.toml is right")


def test_explain_shows_each_value_and_its_origin(cli, config):
    ran = cli("config", "explain", str(config))
    assert ran.code == 0
    rows = {line.split()[0]: line for line in ran.out.splitlines()}
    assert rows["$.server.listen"].split()[1:] == ['"127.0.0.1:8080"', f"{config}:2"]
    assert rows["$.server.workers"].split()[1:] == ["1", "default"]
    assert rows["$.deployments[1].facts.context_tokens"].split()[1:3] == ["1050000", "catalogue,"]
    assert '"2.5 USD in, 15 USD out, per million tokens"' in rows["$.deployments[1].price"]
    assert rows["$.deployments[2].facts.quality"].split()[1:] == ["null", "default"]
    assert rows["$.privacy.restricted.zones"].split()[1:] == ['["own"]', "default"]


def test_explain_as_json_keeps_its_shape(cli, config):
    printed = cli("config", "explain", str(config), "--json").json()
    kinds = {each["path"]: each["value"] for each in printed}
    assert kinds["$.routes.auto.tiers[0].deployments"] == ["llama-3.3-70b-instruct@gpu-room"]
    assert shape([{"path": each["path"], "origin": each["origin"]} for each in printed]) == SHAPES["config explain"]
    assert {name for each in printed for name in each} == {"path", "value", "origin"}


def test_explain_shows_no_secret(cli, config, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    ran = cli("config", "explain", str(config))
    assert "env:OPENAI_API_KEY" in ran.out
    assert "sk-not-a-key" not in ran.out


def test_explain_refuses_what_cannot_be_read(cli, config):
    config.write_text("[server\n")
    ran = cli("config", "explain", str(config))
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"twintrack: {config}:1:8: Expected ']'")


def test_reference_prints_the_document(cli):
    assert cli("config", "reference").out == reference()


def test_the_example_of_the_reference_is_right(cli, tmp_path):
    (tmp_path / "twintrack.toml").write_text(EXAMPLE)
    assert cli("config", "check", "--text-only").code == 0
    parsed, _ = parse(EXAMPLE, "example", environ=None)
    assert list(parsed.routes) == ["auto"]


# ---- the schema


def test_schema_prints_json(cli):
    assert cli("config", "schema").json() == json.loads(json.dumps(json_schema()))


def test_every_word_of_the_schema_has_its_meaning():
    tables = json_schema()["$defs"]
    for (table, word), meaning in docstrings().items():
        if word and table in tables:
            assert tables[table]["properties"][word]["description"] == meaning
    assert set(tables["Server"]["properties"]) == set(settings.Server.__struct_fields__)
    assert all(table["additionalProperties"] is False for table in tables.values())


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (CONFIG, True),
        (EXAMPLE, True),
        ("", True),
        ("[server]\nlissen = 'x'\n", False),
        ("[server]\nworkers = 0\n", False),
        ("[server]\nworkers = 'two'\n", False),
        ("[privacy]\nsecret = { zones = [] }\n", False),
        ("[privacy]\npublic = { zones = ['here'] }\n", False),
        ("[[providers]]\napi = 'vllm'\n", False),
        ("[routes.auto]\ntiers = []\nkeep_quality = 1.5\n", False),
    ],
)
def test_the_schema_accepts_what_the_loader_accepts(text, right):
    validator = jsonschema_rs.Draft202012Validator(json.loads(json.dumps(json_schema())))
    assert validator.is_valid(tomllib.loads(text)) is right
