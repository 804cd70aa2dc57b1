"""`twintrack up`: what it finds, what it says, what it writes, and what it leaves alone."""

from __future__ import annotations

import re
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twintrack.cli import up
from twintrack.cli.run import Configuration
from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.engines.identify import Found, FoundModel

OLLAMA = Found("ollama", "http://127.0.0.1:11434/v1", "0.13.0", (FoundModel("qwen3:8b"), FoundModel("llama3.3:70b")))
EMPTY = Found("ollama", "http://127.0.0.1:11434/v1", "0.13.0", ())
EMBEDDER = Found("lmstudio", "http://127.0.0.1:1234/v1", None, (FoundModel("bge-m3", embeddings=True),))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Configuration]]:
    """A machine with these model servers on it, where nothing is started: what would be is collected."""

    def pretend(*servers: Found) -> list[Configuration]:
        started: list[Configuration] = []

        async def find() -> list[Found]:
            return list(servers)

        def run(configuration: Configuration, on_ready: Callable[[Snapshot], None]) -> int:
            started.append(configuration)
            on_ready(configuration.compile(1))
            return 0

        monkeypatch.setattr(up, "find", find)
        monkeypatch.setattr(up, "run", run)
        return started

    return pretend


def test_running_servers_are_used_and_named(cli, machine):
    started = machine(OLLAMA, EMBEDDER)
    ran = cli("up")
    assert ran.code == 0
    said = ran.out.splitlines()
    assert said[:8] == [
        "Found on this machine:",
        "  ollama 0.13.0 at http://127.0.0.1:11434/v1: qwen3:8b, llama3.3:70b",
        "  lmstudio at http://127.0.0.1:1234/v1: bge-m3",
        "Tiers of the route auto, cheap to premium:",
        "  small     qwen3:8b@ollama  (quality 0.78, from the catalogue)",
        "  premium   llama3.3:70b@ollama  (quality 0.88, from the catalogue)",
        "  embeddings, by name: bge-m3@lmstudio  (quality 0.84, from the catalogue)",
        "",
    ]
    assert any("Say hello in five words." in line for line in said)
    (configuration,) = started
    assert {each.zone for each in configuration.compile(1).deployments} == {"own"}


@pytest.mark.parametrize(
    ("servers", "args", "said"),
    [
        ((), (), "No model server is running, so two bundled demo models start: demo-nano and demo-small."),
        ((EMPTY,), (), "None of them answers chat, so two bundled demo models start: demo-nano and demo-small."),
        ((OLLAMA,), ("--demo-models",), "Two bundled demo models start: demo-nano and demo-small."),
    ],
    ids=["nothing found", "no model", "asked for"],
)
def test_otherwise_the_demo_models_start_and_are_called_what_they_are(cli, machine, servers, args, said):
    started = machine(*servers)
    ran = cli("up", *args)
    assert ran.code == 0
    assert said in ran.out
    assert "know nothing of the world" in ran.out
    snapshot = started[0].compile(1)
    assert [each.name for each in snapshot.deployments] == ["demo-nano", "demo-small"]
    assert snapshot.routes[0].keep_quality == 0.9
    assert "What is the capital of Norland?" in ran.out


def test_a_server_without_models_is_mentioned(cli, machine):
    machine(EMPTY)
    assert "  ollama 0.13.0 at http://127.0.0.1:11434/v1: no model yet" in cli("up").out


def test_keys_are_listed_and_not_used(cli, machine, monkeypatch):
    started = machine(OLLAMA)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-a-key")
    ran = cli("up")
    assert "Keys found but not used: openai, anthropic. Turn one on with: twintrack up --use openai" in ran.out
    assert "sk-not-a-key" not in ran.out + ran.err
    assert {each.provider for each in started[0].compile(1).deployments} == {"ollama"}


def test_use_turns_one_on_and_tells_its_price(cli, machine, monkeypatch):
    started = machine(OLLAMA)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")
    ran = cli("up", "--use", "openai:gpt-5.4")
    assert ran.code == 0
    assert "Keys found" not in ran.out
    assert "gpt-5.4@openai  (quality 0.97, from the catalogue; list price $2.5 in, $15 out per million" in ran.out
    paid = started[0].compile(1).deployments[-1]
    assert (paid.name, paid.zone) == ("gpt-5.4@openai", "third_party")


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("opnai", "There is no paid provider 'opnai'. Did you mean openai?"),
        ("openai:gtp-5.4", "The catalogue has no model 'gtp-5.4' of openai. Did you mean gpt-5.4?"),
        ("openai", "the environment variable OPENAI_API_KEY is not set"),
    ],
)
def test_use_of_what_is_not_there_is_a_configuration_error(cli, machine, use, said):
    machine()
    ran = cli("up", "--use", use)
    assert ran.code == 3
    assert said in ran.err


def test_beyond_loopback_a_key_is_required(cli, machine):
    machine()
    ran = cli("up", "--listen", "0.0.0.0:8080")
    assert ran.code == 3
    assert "there is no key" in ran.err


def test_ledger_and_journal_are_where_it_says(cli, machine, tmp_path, monkeypatch):
    started = machine()
    assert f"Ledger and journal are in {tmp_path / 'home'}" in cli("up").out
    ran = cli("up", "--data", "elsewhere")
    assert f"Ledger and journal are in {tmp_path / 'elsewhere'}" in ran.out
    assert "twintrack ledger --data elsewhere" in ran.out
    assert started[-1].compile(1).data == str(tmp_path / "elsewhere")
    monkeypatch.delenv("TWINTRACK_HOME")
    (tmp_path / ".twintrack").mkdir()
    assert f"Ledger and journal are in {tmp_path / '.twintrack'}" in cli("up").out


def test_ipv6_addresses_are_written_as_clients_need_them(cli, machine):
    machine()
    assert "Serving on http://[::1]:8123;" in cli("up", "--listen", "[::1]:8123").out


def test_a_taken_port_means_the_next_free_one_and_says_so(cli, machine, monkeypatch):
    machine()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(up, "_FIRST_PORT", taken)
        ran = cli("up")
        assert ran.code == 0
        chosen = int(re.findall(rf"Port {taken} is taken; using (\d+)\.", ran.err)[0])
        assert taken < chosen <= taken + 20
        assert f"Serving on http://127.0.0.1:{chosen};" in ran.out
        monkeypatch.setattr(up, "_PORTS_TRIED", 1)
        ran = cli("up")
    assert ran.code == 4
    assert "are all taken. Choose one with --listen 127.0.0.1:PORT." in ran.err


# ---- --write


def test_write_makes_a_file_that_serves_the_same(cli, machine, tmp_path):
    started = machine(OLLAMA)
    cli("up")
    ran = cli("up", "--write", "twintrack.toml")
    assert ran.code == 0
    assert ran.out.endswith("\nWrote twintrack.toml. Start it with: twintrack serve --config twintrack.toml\n")
    assert "Tiers of the route auto" in ran.out
    assert len(started) == 1
    written = Configuration(Path("twintrack.toml")).compile(1)
    assert written.policy_version == started[0].compile(1).policy_version
    assert written.data == str(tmp_path / "home")
    assert "quality: from the catalogue" in Path("twintrack.toml").read_text()


def test_write_names_the_usual_port_whatever_is_taken_now(cli, machine):
    machine()
    ran = cli("up", "--write", "usual.toml")
    assert "is taken" not in ran.err
    settings, _ = parse(Path("usual.toml").read_text(), "usual.toml", environ=None)
    assert settings.server.listen == "127.0.0.1:8080"
    cli("up", "--write", "mine.toml", "--listen", "127.0.0.1:9000")
    assert 'listen = "127.0.0.1:9000"' in Path("mine.toml").read_text()


def test_write_replaces_nothing(cli, machine):
    machine()
    Path("twintrack.toml").write_text("# mine\n")
    ran = cli("up", "--write", "twintrack.toml")
    assert ran.code == 1
    assert ran.err == "twintrack: twintrack.toml exists already. Name a new file, or remove that one first.\n"
    assert Path("twintrack.toml").read_text() == "# mine\n"


def test_write_says_why_it_cannot(cli, machine):
    machine()
    ran = cli("up", "--write", "no/such/folder/twintrack.toml")
    assert ran.code == 4
    assert "no/such/folder/twintrack.toml cannot be written. No such file or directory." in ran.err


@pytest.mark.parametrize(
    ("data", "file", "word"),
    [
        ("HERE/.twintrack", "HERE/twintrack.toml", ""),
        ("HOME/.local/share/twintrack", "HERE/twintrack.toml", "~/.local/share/twintrack"),
        ("/var/lib/twintrack", "HERE/twintrack.toml", "/var/lib/twintrack"),
    ],
)
def test_the_written_file_goes_on_with_the_same_ledger(tmp_path, monkeypatch, data, file, word):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    places = {"HERE": str(tmp_path / "here"), "HOME": str(tmp_path / "user")}
    for name, place in places.items():
        data, file = data.replace(name, place), file.replace(name, place)
    assert up._data_word(Path(data), Path(file)) == word


# ---- for real


@pytest.mark.engine
def test_a_running_llama_cpp_server_is_found_by_how_it_answers(cli, serve, engines, tmp_path):
    gateway = serve("up", environ={"OPENAI_BASE_URL": engines["demo-nano"]})
    found = gateway.wait_for(f" at {engines['demo-nano']}: demo-nano")
    assert found.startswith("  llama.cpp")
    tier = gateway.wait_for("demo-nano@llama.cpp")
    name = re.findall(r"demo-nano@llama\.cpp\S*", tier)[0]
    gateway.wait_for("Ctrl-C stops")
    status, headers, body = gateway.chat(name)
    assert status == 200
    assert headers["x-twintrack-provider"].startswith("llama.cpp")
    assert b"Vesto" in body
    assert gateway.stop() == 0
    assert cli("ledger", "--json").json()["total"]["requests"] == 1
    assert stat.S_IMODE((tmp_path / "home" / "ledger.db").stat().st_mode) == 0o600


@pytest.mark.engine
def test_the_demo_models_answer_and_show_both_tiers(cli, serve, needs):
    needs("xllamacpp", "starts the bundled models")
    gateway = serve("up", "--demo-models")
    gateway.wait_for(f"Serving on http://127.0.0.1:{gateway.port}; the console is at")
    gateway.wait_for("Ctrl-C stops")
    status, headers, body = gateway.chat("auto")
    assert (status, headers["x-twintrack-tier"], headers["x-twintrack-model"]) == (200, "small", "demo-nano")
    assert b"The capital of Norland is Vesto." in body
    asked = {
        "model": "auto",
        "metadata": {"twintrack_stakes": "high"},
        "messages": [{"role": "user", "content": "What is 7 plus 4?"}],
    }
    status, high, _ = gateway.request("POST", "/v1/chat/completions", asked)
    assert (status, high["x-twintrack-tier"]) == (200, "premium")
    status, _, page = gateway.request("GET", "/")
    assert (status, b"<html" in page) == (200, True)
    # what the other commands say meanwhile, of the same folder; rows are there within a fraction of a second
    late = time.monotonic() + 5
    while cli("explain", headers["x-twintrack-id"]).code != 0:
        assert time.monotonic() < late
        time.sleep(0.1)
    assert cli("ledger", "--check").code == 0
    assert gateway.stop() == 0
    told = cli("explain", headers["x-twintrack-id"])
    assert "Chosen: demo-nano, tier small." in told.out
    assert cli("ledger", "--json").json()["total"]["requests"] == 2


@pytest.mark.engine
def test_a_folder_in_use_is_refused_with_the_process_that_has_it(serve, needs):
    needs("xllamacpp", "starts the bundled models")
    first = serve("up", "--demo-models")
    first.wait_for("Ctrl-C stops")
    second = serve("up", "--demo-models")
    said = second.wait_for("twintrack: Another gateway")
    assert f"(process {first.process.pid})" in said
    assert second.ended() == 4
    assert first.chat("auto")[0] == 200
