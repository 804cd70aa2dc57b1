"""`twintrack serve`: what it says when it serves, and why it does not."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest

from twintrack.cli.run import Configuration
from twintrack.errors import ConfigError

ONE = """\
[[providers]]
name = "here"
api = "vllm"
url = "http://127.0.0.1:9/v1"
zone = "own"

[[deployments]]
model = "ours"
provider = "here"
facts = { context_tokens = 8192 }
"""
ENGINE = """
[[providers]]
name = "fresh"
engine = "demo-nano"
zone = "own"

[[deployments]]
model = "demo-nano"
provider = "fresh"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "twintrack.toml"
    path.write_text(ONE)
    return path


def test_it_says_what_it_serves_and_where(serve, file, tmp_path):
    gateway = serve("serve")
    assert gateway.wait_for("twintrack: serving") == (
        f"twintrack: serving 1 deployment on http://127.0.0.1:{gateway.port}, data in {tmp_path / '.twintrack'}"
    )
    assert gateway.request("GET", "/readyz")[0] == 200
    assert gateway.stop(signal.SIGINT) == 0


def test_routes_and_the_data_folder_of_the_command_line_are_named(serve, file, tmp_path):
    file.write_text(ONE + '[routes.auto]\ntiers = [{ name = "single", deployments = ["ours@here"] }]\n')
    gateway = serve("serve", "--config", str(file), "--data", "books", "--workers", "2")
    said = gateway.wait_for("twintrack: serving")
    assert said.endswith(
        f"serving auto over 1 deployment on http://127.0.0.1:{gateway.port}, data in {tmp_path / 'books'}"
    )
    late = time.monotonic() + 5
    while len(journals := list((tmp_path / "books" / "journal").glob("w*-000001.journal"))) < 2:
        assert time.monotonic() < late, f"two workers have {journals}"
        time.sleep(0.05)
    assert gateway.stop() == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "There is no configuration twintrack.toml. Name another, or write one"),
        ("[server\n", "twintrack.toml:1:8: Expected ']'"),
        (ONE.replace("own", "cloudy"), "twintrack.toml:5: $.providers[0].zone is 'cloudy'. Use own, contracted"),
        (ONE.replace("here", "there", 1), "Did you mean there?"),
        (ONE + '[[keys]]\nname = "k"\nkey = "env:NO_SUCH_KEY"\n', "the environment variable NO_SUCH_KEY is not set"),
        ('[server]\ntls = { cert = "no.pem", key = "no.pem" }\n', "'no.pem', which cannot be read"),
    ],
    ids=["absent", "not toml", "unknown word", "dangling name", "no secret", "no certificate"],
)
def test_a_wrong_configuration_ends_it_with_3(cli, tmp_path, text, said):
    if text is not None:
        (tmp_path / "twintrack.toml").write_text(text)
    ran = cli("serve")
    assert (ran.code, ran.out) == (3, "")
    assert said in ran.err


def test_beyond_loopback_a_key_is_required(cli, file):
    ran = cli("serve", "--listen", "0.0.0.0:8080")
    assert ran.code == 3
    assert "there is no key" in ran.err


def test_a_taken_port_ends_it_with_4(cli, file):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ran = cli("serve", "--listen", f"127.0.0.1:{other.getsockname()[1]}")
    assert ran.code == 4
    assert "cannot be listened on: another program has it. Stop that program" in ran.err


def test_a_data_folder_that_cannot_be_had_ends_it_with_4(cli, file, tmp_path):
    (tmp_path / "plain").write_text("")
    ran = cli("serve", "--listen", "127.0.0.1:8391", "--data", str(tmp_path / "plain" / "below"))
    assert ran.code == 4
    assert "cannot be used" in ran.err


def test_a_secret_everybody_can_read_is_warned_of(serve, file, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("sk-not-a-key")
    secret.chmod(0o644)
    file.write_text(ONE.replace('zone = "own"', 'zone = "own"\nkey = "file:secret"'))
    gateway = serve("serve")
    assert gateway.wait_for("Every user") == (
        f"twintrack: Every user of this machine can read {secret}. Run chmod 600 {secret}."
    )
    gateway.wait_for("twintrack: serving")
    assert gateway.stop() == 0


def test_a_changed_file_is_served_and_a_wrong_one_refused(serve, file):
    gateway = serve("serve")
    gateway.wait_for("twintrack: serving")
    file.write_text(ONE.replace('"ours"', '"new"'))
    gateway.wait_for("configuration 2 is serving")
    assert gateway.request("GET", "/v1/models/new@here")[0] == 200
    file.write_text(ONE.replace("own", "cloudy"))
    assert "$.providers[0].zone is 'cloudy'" in gateway.wait_for("the old one keeps serving")
    assert gateway.request("GET", "/v1/models/new@here")[0] == 200
    file.unlink()
    assert "There is no configuration" in gateway.wait_for("the old one keeps serving")
    assert gateway.stop() == 0


@pytest.mark.engine
def test_an_engine_that_a_reload_adds_is_started(serve, file, needs):
    needs("xllamacpp", "starts a bundled model")
    gateway = serve("serve")
    gateway.wait_for("twintrack: serving")
    file.write_text(ONE + ENGINE)
    gateway.wait_for("configuration 2 is serving")
    late = time.monotonic() + 15
    while (status := gateway.chat("demo-nano@fresh")[0]) != 200 and time.monotonic() < late:
        time.sleep(0.1)
    assert status == 200
    assert gateway.stop() == 0


# ---- what it starts, without starting it


def compiled(path: Path, text: str) -> Configuration:
    path.write_text(text)
    configuration = Configuration(path)
    configuration.compile(1)
    return configuration


def test_a_gguf_file_gets_the_window_its_deployment_states(tmp_path):
    (tmp_path / "own.gguf").write_bytes(b"")
    text = ENGINE.replace('"demo-nano"', '"own.gguf"', 1).replace('model = "demo-nano"', 'model = "own"')
    configuration = compiled(tmp_path / "c.toml", text + "facts = { context_tokens = 1000 }\n")
    (process,) = configuration.engine_processes
    assert process.engine.model == tmp_path / "own.gguf"
    assert process.engine.context_tokens // process.engine.parallel == 1000
    assert process.engine.threads >= 1
    configuration = compiled(tmp_path / "c.toml", text + "facts = { tools = true }\n")
    (process,) = configuration.engine_processes
    assert process.engine.context_tokens // process.engine.parallel == 4096


def test_a_reload_keeps_engines_and_starts_another_where_the_file_names_another(tmp_path, monkeypatch):
    monkeypatch.setattr("twintrack.engines.start.EngineProcess.start", lambda self: None)
    path = tmp_path / "c.toml"
    configuration = compiled(path, ENGINE)
    before = configuration.compile(2).deployments[0].port
    assert len(configuration.engine_processes) == 1
    path.write_text(ENGINE.replace("demo-nano", "demo-small"))
    assert configuration.compile(3).deployments[0].port != before
    assert [each.engine.name for each in configuration.engine_processes] == ["demo-nano", "demo-small"]
    path.write_text(ENGINE)
    assert configuration.compile(4).deployments[0].port == before


def test_a_refused_reload_starts_nothing(tmp_path):
    path = tmp_path / "c.toml"
    configuration = compiled(path, ONE)
    path.write_text(ONE + ENGINE + "[routes.auto]\ntiers = []\n")
    with pytest.raises(ConfigError):
        configuration.compile(2)
    assert configuration.engine_processes == []


def test_the_files_that_matter_are_watched(tmp_path):
    (tmp_path / "secret").write_text("sk-not-a-key")
    (tmp_path / "secret").chmod(0o600)
    path = tmp_path / "c.toml"
    configuration = compiled(path, ONE.replace('zone = "own"', 'zone = "own"\nkey = "file:secret"'))
    fitted = [tmp_path / ".twintrack" / name for name in ("router.json", "verifier.json")]
    assert configuration.watched() == [path, *fitted, tmp_path / "secret"]


def test_an_address_of_another_machine_ends_it_with_4_and_what_to_do(cli, file, monkeypatch):
    monkeypatch.setenv("A_KEY", "sk-not-a-key")
    file.write_text(ONE + '[[keys]]\nname = "k"\nkey = "env:A_KEY"\n')
    ran = cli("serve", "--listen", "192.0.2.1:8391")
    assert ran.code == 4
    assert "cannot be listened on. Cannot assign requested address. Set server.listen to an address of this" in ran.err
